"""Model and data of a training, found by its checkpoint."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser
from lightning import Callback, LightningDataModule, LightningModule, Trainer

import lightning_gen.datamodules  # noqa: F401 -- --data finds imported classes by their names
from lightning_gen import registry
from lightning_gen.checkpoints import (
    CLASS_KEY,
    CONFIG_KEY,
    DATA_KEY,
    read_checkpoint,
    saved_arguments,
)
from lightning_gen.cli.names import KINDS, given, positional
from lightning_gen.cli.runs import read_checkpoint_of_run
from lightning_gen.errors import UserError
from lightning_gen.files import is_url

GROUPS = ("model", "data", "ema", "seed_everything")  # what a checkpoint depends on
FROM_DATA = ("image_shape", "target_channels", "num_classes")  # arguments linked from the data


class SaveConfig(Callback):
    """Save the configuration of the run in its checkpoints, for the case that they are moved.

    Args:
        config: configuration as YAML.
    """

    def __init__(self, config: str) -> None:
        self.config = config

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the configuration."""
        checkpoint[CONFIG_KEY] = self.config


def trained_config(
    path: str, checkpoint: Mapping[str, Any], named: Collection[str] = ()
) -> dict[str, Any]:
    """Return model, data and further `GROUPS` of a training, as in its `config.yaml`.

    Custom classes are left out unless the command line or the `config.yaml` in the folder of the
    run names them, too: code is not imported because a checkpoint names it.

    Args:
        path: path of the checkpoint.
        checkpoint: its content.
        named: classes on the command line.
    """
    beside = _config_beside(path)
    config = _config(checkpoint) or beside or _saved(checkpoint)
    trusted = {*named, *(_class_path(beside.get(group)) for group in KINDS)}
    for group in KINDS:
        name = _class_path(config.get(group))
        ours = name in registry.entries(KINDS[group]) or name.startswith("lightning_gen.")
        if not (ours or (name and name in trusted)):
            config.pop(group, None)
    return {group: config[group] for group in GROUPS if group in config}


def defaults_of_checkpoint(found: Mapping[str, Any], merge: bool) -> dict[str, Any]:
    """Return the defaults that the checkpoint of a command line gives; see `trained_config`.

    Args:
        found: value of each flag, see `lightning_gen.cli.names.given`.
        merge: if True, flags for a model or data module of the same class only change some of its
            arguments; if False, they replace it.

    Raises:
        UserError: the checkpoint cannot be read, or its model or data are not known.
    """
    path = found.get("ckpt_path")
    named = [group for group in KINDS if group in found]
    if path in (None, "null", "None", "last") or (len(named) == len(KINDS) and not merge):
        return {}
    saved = read_checkpoint_of_run(path)
    config = trained_config(path, saved, [str(found[group]) for group in named])
    for group in named:
        if not merge or _name(config.get(group)) != str(found[group]).rpartition(".")[2]:
            config.pop(group, None)
    for group in KINDS:
        if group not in (*named, *config):
            raise _unknown(group, path, saved)
    if "model" in config:  # shapes of the weights; the data may be others
        arguments = saved_arguments(saved, "model")
        known = {name: arguments[name] for name in FROM_DATA if name in arguments}
        config["model"]["init_args"] = known | (config["model"].get("init_args") or {})
    return config


def _unknown(group: str, path: str, checkpoint: Mapping[str, Any]) -> UserError:
    """Return the error for a checkpoint without a class of the group that may be imported."""
    name = _class_path((_config(checkpoint) or _saved(checkpoint)).get(group))
    noun = {"model": "model", "data": "data of its training"}[group]
    reason = f"names {name} as the {noun}" if name else f"does not name the {noun}"
    return UserError(f"{path} {reason}: add --{group} {name or 'CLASS'}")


def _config(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    return yaml.safe_load(checkpoint.get(CONFIG_KEY, "")) or {}


def _name(entry: Any) -> str:
    return _class_path(entry).rpartition(".")[2]


def add_data_of_training(
    parser: ArgumentParser, args: list[str], help_text: str
) -> dict[str, Any] | None:
    """Add the flag --data, by default the data of the training of a command's checkpoint.

    Args:
        parser: parser of the command.
        args: its command line; the checkpoint may stand anywhere in it.
        help_text: help of the flag.

    Returns:
        Content of the checkpoint, if one is given.

    Raises:
        UserError: the checkpoint cannot be read, or does not name the data.
    """
    path, saved, default = next(iter(positional(args)), None), None, None
    if path is not None:
        saved, name = read_checkpoint(path), given(args).get("data")
        default = trained_config(path, saved, [str(name)]).get("data")
        if default is None and name is None:
            raise _unknown("data", path, saved)
    parser.add_subclass_arguments(
        LightningDataModule,
        "data",
        as_group=False,
        fail_untyped=False,
        required=True,
        **({} if default is None else {"default": default}),
        metavar="CLASS",
        help=f"{help_text}; that of the training by default",
    )
    return saved


def _class_path(entry: Any) -> str:
    return str(entry.get("class_path", "")) if isinstance(entry, dict) else ""


def _config_beside(path: str) -> dict[str, Any]:
    """Return the configuration in the folder of the run, if there is one."""
    file = Path(path).absolute().parent.with_name("config.yaml")
    if is_url(path) or not file.is_file():
        return {}
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    complete = isinstance(config, dict) and all(_class_path(config.get(group)) for group in KINDS)
    return config if complete else {}  # that of a LightningCLI may name no classes


def _saved(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return classes and arguments of a training in Python, as Lightning saves them."""
    classes = {"model": checkpoint.get(CLASS_KEY), "data": checkpoint.get(DATA_KEY)}
    return {
        group: {"class_path": name, "init_args": saved_arguments(checkpoint, group)}
        for group, name in classes.items()
        if name
    }
