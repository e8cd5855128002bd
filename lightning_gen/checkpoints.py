"""Checkpoints that name the class of their model. Reading them runs no code."""

import os
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import distributed

from lightning_gen.errors import ArgumentError, CheckpointError
from lightning_gen.files import atomic_write, read_data

CLASS_KEY, VERSION_KEY = "lightning_gen/class", "lightning_gen/version"
SETTINGS_KEY = "lightning_gen/settings"  # of optimizers and losses
SEED_KEY = "lightning_gen/seed"  # of the noise in training
STEP_METRICS_KEY = "lightning_gen/step_metrics"  # of the last step, if they are to be logged


def describe(model: LightningModule) -> dict[str, str]:
    """Return the class of a model and the version of the package, as entries of a checkpoint."""
    cls = type(model)
    return {
        CLASS_KEY: f"{cls.__module__}.{cls.__qualname__}",
        VERSION_KEY: version("lightning_gen"),
    }


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a Lightning checkpoint onto the CPU.

    Raises:
        CheckpointError: If the file is missing, damaged, or not a Lightning checkpoint.
    """
    checkpoint = read_data(Path(path))
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise CheckpointError(
            f"{path} was written by torch.save, but is not a Lightning checkpoint"
        )
    return checkpoint


def load_model(path: str | Path, cls: type[LightningModule] | None = None) -> LightningModule:
    """Load the model of a checkpoint, in eval mode on the CPU.

    Args:
        path: checkpoint of a model of this package.
        cls: class of the model. Required for your own models, since code from elsewhere is not
            imported because a file names it.

    Raises:
        CheckpointError: If the file cannot be read, the class is unknown and not given, or the
            saved arguments do not fit it.
    """
    checkpoint = read_checkpoint(path)
    if cls is None:
        module, _, name = checkpoint.get(CLASS_KEY, "").rpartition(".")
        if not module.startswith("lightning_gen.models."):
            if not name:
                raise CheckpointError(f"{path} does not name the class of its model")
            raise CheckpointError(
                f"{path} contains a model of another package: add --model {module}.{name} on the "
                f"command line, or use {name}.load_from_checkpoint in Python"
            )
        try:
            cls = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise CheckpointError(
                f"{path} contains {name}, which this version does not have"
            ) from error
    try:
        return cls.load_from_checkpoint(path, map_location="cpu", weights_only=True).eval()
    except (TypeError, ArgumentError) as error:
        gist = next(iter(str(error).splitlines()), "")
        raise CheckpointError(
            f"{path} does not fit {cls.__name__}: {gist}. If it was trained with custom networks, "
            f"pass them to {cls.__name__}.load_from_checkpoint"
        ) from error


def newest_checkpoint(*folders: Path) -> tuple[Path | None, list[Path]]:
    """Return the newest readable checkpoint in these folders, and newer ones that are damaged."""
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


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write checkpoints atomically.

    Lightning writes to the temporary folder of the system, and moving from another disk copies.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write the checkpoint, and wait until it is on the disk."""
        with atomic_write(Path(path)) as part, part.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())


def check_states(
    model: LightningModule, checkpoint: dict[str, Any], networks: Sequence[str]
) -> None:
    """Compare the networks of a checkpoint with those of the model, before weights are loaded.

    Raises:
        CheckpointError: naming the first network with other tensors.
    """
    saved, current = checkpoint["state_dict"], model.state_dict()
    for network in networks:
        shapes = [
            {k: v.shape for k, v in state.items() if k.startswith(f"{network}.")}
            for state in (saved, current)
        ]
        if shapes[0] != shapes[1]:
            raise CheckpointError(
                f"{network} of the checkpoint differs from that of the model: pass your custom "
                f"network as {network}=..., or use the arguments of the training"
            )


def of_all_processes(state: Any) -> list[Any]:
    """Gather a state from all processes, by rank; all processes must call this."""
    if not distributed.is_initialized():
        return [state]
    states: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(states, state)
    return states
