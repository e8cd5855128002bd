"""Checkpoints that name the class of their model. Reading them runs no code."""

import os
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from fsspec.core import url_to_fs
from lightning import LightningModule
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import distributed

from lightning_gen.errors import ArgumentError, CheckpointError
from lightning_gen.files import atomic_write, is_url, read_data

CLASS_KEY, DATA_KEY = "lightning_gen/class", "lightning_gen/data"
VERSION_KEY = "lightning_gen/version"
SETTINGS_KEY = "lightning_gen/settings"  # of optimizers and losses
SEED_KEY = "lightning_gen/seed"  # of the noise in training
STEP_METRICS_KEY = "lightning_gen/step_metrics"  # of the last step, if they are to be logged
CONFIG_KEY = "lightning_gen/config"  # YAML text, of trainings by the command line
ARGUMENTS = {"model": "hyper_parameters", "data": "datamodule_hyper_parameters"}  # Lightning's keys
BY_LIGHTNING_CLI = {"_instantiator", "_class_path"}  # further entries in both of them


def describe(model: LightningModule) -> dict[str, str]:
    """Return entries of a checkpoint: the classes of model and data, the version of the package."""
    data = getattr(model.trainer, "datamodule", None)
    entries = {CLASS_KEY: _path(model), VERSION_KEY: version("lightning_gen")}
    return entries | ({DATA_KEY: _path(data)} if data else {})


def _path(instance: object) -> str:
    return f"{type(instance).__module__}.{type(instance).__qualname__}"


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a Lightning checkpoint onto the CPU.

    Args:
        path: file, or a URL that fsspec reads, such as s3://bucket/last.ckpt.

    Raises:
        CheckpointError: If the file is missing, damaged, or not a Lightning checkpoint.
    """
    checkpoint = read_data(path)
    if not is_checkpoint(checkpoint):
        raise CheckpointError(
            f"{path} was written by torch.save, but is not a Lightning checkpoint"
        )
    return checkpoint


def is_checkpoint(data: object) -> bool:
    """Return if the content of a file is that of a Lightning checkpoint."""
    return isinstance(data, dict) and "state_dict" in data


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
    return build_model(read_checkpoint(path), path, cls)


def build_model(
    checkpoint: dict[str, Any], path: str | Path, cls: type[LightningModule] | None = None
) -> LightningModule:
    """Build the model of a checkpoint that is in memory; see `load_model`.

    Raises:
        CheckpointError: If the class is unknown and not given, or the saved arguments do not fit.
    """
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
        model = _instantiate(cls, checkpoint)
        model.configure_model()
        model.on_load_checkpoint(checkpoint)
        model.load_state_dict(checkpoint["state_dict"], strict=model.strict_loading)
    except (TypeError, ArgumentError) as error:
        gist = next(iter(str(error).splitlines()), "")
        raise CheckpointError(
            f"{path} does not fit {cls.__name__}: {gist}. If it was trained with custom networks, "
            f"pass them to {cls.__name__}.load_from_checkpoint"
        ) from error
    return model.eval()


def saved_arguments(checkpoint: Mapping[str, Any], part: str) -> dict[str, Any]:
    """Return the arguments of the model or of the data module that Lightning has saved.

    Args:
        checkpoint: content of a checkpoint.
        part: "model" or "data".
    """
    saved = checkpoint.get(ARGUMENTS[part], {})
    return {name: value for name, value in saved.items() if name not in BY_LIGHTNING_CLI}


def _instantiate(cls: type[LightningModule], checkpoint: dict[str, Any]) -> LightningModule:
    """Create a model from its saved arguments, as `load_from_checkpoint` does from a file."""
    arguments, parameters = saved_arguments(checkpoint, "model"), signature(cls).parameters
    if (name := checkpoint.get("hparams_name")) in parameters:  # save_hyperparameters(hparams)
        arguments = {str(name): arguments}
    if BY_LIGHTNING_CLI & checkpoint.get(ARGUMENTS["model"], {}).keys():  # YAML: lists, no tuples
        from lightning.pytorch.cli import instantiate_module  # slow to import

        return instantiate_module(cls, arguments)
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        arguments = {name: value for name, value in arguments.items() if name in parameters}
    return cls(**arguments)


def newest_checkpoint(*folders: str | Path) -> tuple[str | Path | None, list[str | Path]]:
    """Return the newest readable checkpoint in these folders, and newer ones that are damaged.

    Args:
        folders: local folders, or URLs that fsspec reads.
    """
    found = {path: time for folder in folders for path, time in _checkpoints(folder)}
    damaged: list[str | Path] = []
    for path in sorted(found, key=lambda path: found[path], reverse=True):
        try:
            read_checkpoint(path)
        except CheckpointError:
            damaged.append(path)
        else:
            return path, damaged
    return None, damaged


def _checkpoints(folder: str | Path) -> Iterator[tuple[str | Path, int]]:
    """Yield the checkpoints in a folder, and the times of their last change in nanoseconds."""
    if is_url(folder):
        files, root = url_to_fs(str(folder))
        for name in files.find(root):
            if name.endswith(".ckpt"):
                path = f"{str(folder).rstrip('/')}/{name.removeprefix(root).lstrip('/')}"
                yield path, int(files.modified(name).timestamp() * 1e9)
        return
    for file in Path(folder).rglob("*.ckpt"):
        if not file.name.startswith("."):
            yield file, file.stat().st_mtime_ns


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write checkpoints atomically, and those at URLs such as s3://bucket as Lightning does.

    Lightning writes to the temporary folder of the system, and moving from another disk copies.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write the checkpoint, and wait until it is on the disk."""
        if is_url(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
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
