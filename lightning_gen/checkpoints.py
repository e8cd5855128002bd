"""Checkpoints that say what they are. Reading one never runs code."""

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import distributed

from lightning_gen import __version__
from lightning_gen.errors import ArgumentError, CheckpointError
from lightning_gen.files import atomic_write, read_data

CLASS_KEY, VERSION_KEY = "lightning_gen/class", "lightning_gen/version"
SEED_KEY = "lightning_gen/seed"  # of the noise in training
REPORTS_KEY = "lightning_gen/reports"  # of the last step, where it is one that logs


def describe(model: LightningModule) -> dict[str, str]:
    """What a checkpoint holds besides Lightning's own entries: the model's class, our version."""
    cls = type(model)
    return {CLASS_KEY: f"{cls.__module__}.{cls.__qualname__}", VERSION_KEY: __version__}


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a Lightning checkpoint onto the CPU.

    Raises:
        CheckpointError: the file is missing, damaged, or no Lightning checkpoint.
    """
    checkpoint = read_data(Path(path))
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise CheckpointError(f"{path} is a file of torch's, but no Lightning checkpoint")
    return checkpoint


def load_model(path: str | Path, cls: type[LightningModule] | None = None) -> LightningModule:
    """Make the model that a checkpoint holds, with its weights, in eval mode on the CPU.

    Args:
        path: a checkpoint of one of this package's models.
        cls: the model's class; needed only for a model of your own, since a name in a file is no
            reason to import code from elsewhere.

    Raises:
        CheckpointError: see `read_checkpoint`; or the class is none of this version's and not
            given, or the file's arguments do not fit it.
    """
    checkpoint = read_checkpoint(path)
    if cls is None:
        module, _, name = checkpoint.get(CLASS_KEY, "").rpartition(".")
        if not module.startswith("lightning_gen.models."):
            if not name:
                raise CheckpointError(f"{path} does not say of which class its model is")
            raise CheckpointError(
                f"{path} holds a model of another package: on the command line, name it by "
                f"--model {module}.{name}; in Python, load it with that class's own method"
            )
        try:
            cls = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise CheckpointError(
                f"{path} holds {name}, which this version does not have"
            ) from error
    try:
        return cls.load_from_checkpoint(path, map_location="cpu", weights_only=True).eval()
    except (TypeError, ArgumentError) as error:
        gist = next(iter(str(error).splitlines()), "")
        raise CheckpointError(
            f"{path} does not fit {cls.__name__}: {gist}. If it was trained with networks of your "
            f"own, pass them to {cls.__name__}.load_from_checkpoint"
        ) from error


def newest_checkpoint(*folders: Path) -> tuple[Path | None, list[Path]]:
    """The newest checkpoint below these folders that can be read, and newer ones that cannot."""
    damaged = []
    files = [path for folder in folders for path in folder.rglob("*.ckpt")]
    paths = [path for path in files if not path.name.startswith(".")]
    for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        try:
            read_checkpoint(path)
        except CheckpointError:
            damaged.append(path)
        else:
            return path, damaged
    return None, damaged


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints beside their place and then moves them, so that none is ever half there.

    Lightning's own writes to the system's temporary folder; from another disk, the move copies.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write the checkpoint and wait until it is on the disk."""
        with atomic_write(Path(path)) as part, part.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())


def check_states(
    model: LightningModule, checkpoint: dict[str, Any], networks: Sequence[str]
) -> None:
    """Compare the networks in a checkpoint with the model's, before the weights are loaded.

    Raises:
        CheckpointError: naming the first network whose tensors have other names or shapes.
    """
    saved, own = checkpoint["state_dict"], model.state_dict()
    for network in networks:
        shapes = [
            {k: v.shape for k, v in state.items() if k.startswith(f"{network}.")}
            for state in (saved, own)
        ]
        if shapes[0] != shapes[1]:
            raise CheckpointError(
                f"the checkpoint's {network} is another network than the model's: if it was "
                f"trained with your own, pass {network}=... to load_from_checkpoint; if not, give "
                "the model the arguments it was trained with"
            )


def of_all_processes(state: Any) -> list[Any]:
    """What each process of a training gives, in the order of their ranks; all must ask."""
    if not distributed.is_initialized():
        return [state]
    states: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(states, state)
    return states
