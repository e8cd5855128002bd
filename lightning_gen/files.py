"""Files whose reading runs no code, and files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zlib import crc32

import torch

from lightning_gen.errors import CheckpointError


def read_data(path: Path) -> Any:
    """What `torch.save` wrote, on the CPU.

    Raises:
        CheckpointError: the file is missing, damaged, none of torch's, or holds more than data.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    with path.open("rb") as file:
        if file.read(2) not in (b"PK", b"\x80\x02"):  # a zip archive or, before 1.6, a pickle
            raise CheckpointError(f"{path} is no checkpoint: torch.save did not write it")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise CheckpointError(f"{path} holds more than data: it is not read") from error
    except (RuntimeError, EOFError, KeyError, ValueError, OSError) as error:
        gist = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise CheckpointError(f"{path} is damaged: {gist}") from error


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Write to the path given inside; it takes the place of `path` when that succeeded."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = f".{path.stem}.part{path.suffix}"
    if len(os.fsencode(name)) > 255:  # more than file systems take
        name = f".{crc32(os.fsencode(path.name)):x}.part{path.suffix}"
    part = path.with_name(name)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
