"""Reading files without running code, and writing files atomically."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zlib import crc32

import fsspec
import torch

from lightning_gen.errors import CheckpointError


def is_url(path: object) -> bool:
    """Return if a path is a URL for fsspec, such as s3://bucket/file."""
    return "://" in str(path)


def read_data(path: str | Path) -> Any:
    """Load a file of `torch.save`, or such a URL, onto the CPU.

    Raises:
        CheckpointError: If the file is missing, damaged, of another kind, or contains code.
    """
    if not (is_url(path) or Path(path).is_file()):
        raise CheckpointError(f"checkpoint not found: {path}")
    try:
        with fsspec.open(str(path), "rb") if is_url(path) else Path(path).open("rb") as file:
            start = file.read(2)
            if start not in (b"PK", b"\x80\x02"):  # a zip archive or, before 1.6, a pickle
                raise CheckpointError(f"{path} is not a checkpoint: torch.save has not written it")
            file.seek(0)
            return torch.load(file, map_location="cpu", weights_only=True)
    except (FileNotFoundError, ImportError) as error:  # ImportError: without s3fs or the like
        raise CheckpointError(f"checkpoint not found: {path} ({error})") from error
    except UnpicklingError as error:
        raise CheckpointError(
            f"{path} contains objects other than data, and is not loaded"
        ) from error
    except (RuntimeError, EOFError, KeyError, ValueError, OSError) as error:
        gist = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise CheckpointError(f"{path} is damaged: {gist}") from error


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path; rename it to ``path`` on success."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = f".{path.stem}.part{path.suffix}"
    if len(os.fsencode(name)) > 255:  # limit of file systems
        name = f".{crc32(os.fsencode(path.name)):x}.part{path.suffix}"
    part = path.with_name(name)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
