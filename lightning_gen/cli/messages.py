"""Errors of the command line in few words, and warnings that are not shown."""

import json
import logging
import re
import warnings
from ast import literal_eval
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonargparse
from lightning import LightningDataModule, LightningModule

from lightning_gen import registry
from lightning_gen.cli.names import KINDS, flag_name, flags, given
from lightning_gen.cli.private import Parser, refused_key, shorten
from lightning_gen.errors import UserError

WARNINGS = [  # of Lightning and its parts, without an action for a user of train.py
    "Experiment logs directory",
    "Checkpoint directory",
    r".*isinstance\(treespec, LeafSpec\)",
    ".*does not have many workers",
    ".*is smaller than the logging interval",
    ".*Using ModelCheckpoint with manual optimization",
    ".*no pre-optimization state",
    "The dirpath has changed",  # to that of a test after its training
    ".*self.log\\('latents/",  # metrics that only the first process has
]
RENAMED = {  # flags of version 0.1
    "model.width": "model.base_channels",
    "model.widths": "model.hidden_dims",
    "model.generator_widths": "model.generator_hidden_dims",
    "model.discriminator_widths": "model.discriminator_hidden_dims",
    "model.hidden": "model.hidden_dim",
    "model.body": "model.architecture",
    "model.embedding": "model.embedding_dim",
    "model.mixture": "model.mixture_components",
    "model.levels": "model.num_downs",
    "model.layers": "model.num_layers",
    "model.blocks": "model.num_blocks",
    "model.l1": "model.lambda_l1",
    "model.cycle": "model.lambda_cycle",
    "model.identity": "model.lambda_identity",
    "model.noise": "model.dropout_at_test",
    "model.pool": "model.pool_size",
    "model.pairs": "model.paired_validation",
    "model.accumulate": "model.micro_batch_size",
    "data.memory": "data.cache_mib",
    "data.skip_unreadable": "data.on_error",
    "data.crop": "data.preprocess",
    "latents.pictures": "latents.thumbnails",
    "health.n": "gan_monitor.n",
    "noise": "dropout_at_test",
}
ALIASES = {"seed": "seed_everything", "c": "config"}
BUILT_IN = {"config", "c", "help", "print_config", "seed"}


def silence_warnings() -> None:
    """Hide advertisements, and warnings without an action for the user."""
    for message in WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    for module in (
        "fabric.utilities.rank_zero",
        "pytorch.utilities.rank_zero",
        "pytorch.trainer.connectors.checkpoint_connector",
    ):
        log = logging.getLogger(f"lightning.{module}")
        log.addFilter(lambda record: not re.match("💡|TPU|HPU|`weights_only`", record.getMessage()))


def command_parser(command: Callable[..., None], **kwargs: Any) -> jsonargparse.ArgumentParser:
    """Return the parser of a command whose first argument is a checkpoint; see `parse`."""
    name = command.__name__
    parser = Parser(
        prog=f"train.py {name}", description="", exit_on_error=False, allow_abbrev=False, **kwargs
    )
    parser.add_argument("checkpoint", type=str, help="file that training wrote")
    return parser


def parse(
    parser: jsonargparse.ArgumentParser, args: list[str], required: Sequence[str] = ()
) -> jsonargparse.Namespace:
    """Parse a command line.

    Args:
        parser: parser of the command.
        args: the command line, without the command.
        required: which of `model` and `data` must be given.

    Raises:
        UserError: the command line is wrong.
    """
    spelled, tried, first = [_null(arg) for arg in args], {""}, ""
    while True:
        try:
            return parser.parse_args(spelled)
        except jsonargparse.ArgumentError as error:
            first, key = first or str(error), refused_key(str(error))
            other = None if key in tried else _respelled(args, key)
            if other is None:
                report = format_error(parser, given(args), required, first)
                raise UserError(report) from error
            index, value = other
            spelled[index] = value
            tried.add(key)


def _null(arg: str) -> str:
    """Return the argument of a command line with Python's None as YAML's null."""
    flag, joined, value = arg.rpartition("=")
    return f"{flag}{joined}null" if value == "None" and flag[:1] in ("", "-") else arg


def _respelled(args: list[str], key: str) -> tuple[int, str] | None:
    """Return index and argument of another spelling of the value of a flag, if it has one.

    Sweeps write whole numbers as 2.0, and lists as in Python; None may also be a string.
    """
    for i, flag, value in flags(args):
        if ALIASES.get(flag_name(flag), flag_name(flag)) == key:
            other = value if value == "None" else _whole(value)
            if other != value or value == "None":
                joined = args[i].startswith(f"{flag}=")
                return (i, f"{flag}={other}") if joined else (i + 1, other)
    return None


def _whole(value: str) -> str:
    """Return a number, or the numbers in a list, without the fraction .0."""
    try:
        parsed = literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    numbers = parsed if isinstance(parsed, list | tuple) else [parsed]
    if not all(isinstance(n, int | float | str) for n in numbers):
        return value
    whole = [int(n) if isinstance(n, float) and n.is_integer() else n for n in numbers]
    return json.dumps(whole if numbers is parsed else whole[0])


def format_error(
    parser: jsonargparse.ArgumentParser,
    found: Mapping[str, Any],
    required: Sequence[str],
    report: str,
) -> str:
    """Return what is wrong with a command line: an unknown, missing or invalid flag.

    Args:
        parser: parser of the command.
        found: value of each flag, see `given`.
        required: see `parse`.
        report: message of the parser.
    """
    defaults = parser.get_defaults()
    chosen = {group: found.get(group, defaults.get(f"{group}.class_path")) for group in KINDS}
    classes = {group: cls for group in KINDS if (cls := find_class(chosen[group], group))}
    known = {key for key in vars(defaults.as_flat()) if _group(key) not in KINDS}
    known |= {f"{group}.{name}" for group, cls in classes.items() for name in arguments(cls)}
    groups = {*map(_group, known), *KINDS, *BUILT_IN}
    for key in found:
        uncertain = key.endswith(".help") or (_group(key) in KINDS and _group(key) not in classes)
        nested = any(key.startswith(f"{flag}.") for flag in known)
        if not (key in groups | known or uncertain or nested):
            return _unknown(key, known, classes.get(_group(key)))
    for group in required:
        if group not in found:
            choices = ", ".join(registry.entries(KINDS[group]))
            recipe = ".\nOr use a recipe of `train.py list`, such as --config quickstart"
            recipe = recipe if "trainer" in groups else ""
            return f"--{group} is missing; choose one of {choices}{recipe}"
    return shorten(report, found)


def _group(key: str) -> str:
    return key.partition(".")[0]


def _unknown(key: str, known: set[str], cls: type | None) -> str:
    if RENAMED.get(key) in known:
        return f"--{key} is now --{RENAMED[key]}"
    group, _, word = key.rpartition(".")
    near = [flag for flag in sorted(known) if flag.rpartition(".")[2] == word]
    if not near:
        words = [flag.rpartition(".")[2] for flag in sorted(known) if flag.startswith(f"{group}.")]
        near = [f"{group}.{match}" for match in get_close_matches(word, words)]
        near = near if words else get_close_matches(key, sorted(known))
    hint = f"; nearest: {', '.join(f'--{flag}' for flag in near)}" if near else ""
    if cls:
        name = cls.__name__
        return f"--{key} is not an argument of {name}{hint}; --{group}.help {name} lists all"
    return f"--{key} is not a flag of this command{hint}; --help lists all"


def find_class(name: Any, group: str) -> type | None:
    """Return the class of this name, if it can be imported."""
    module, _, name = str(name).rpartition(".")
    try:
        cls = getattr(import_module(module or f"lightning_gen.{KINDS[group]}"), name)
    except (ImportError, AttributeError, ValueError):
        return None
    base = {"model": LightningModule, "data": LightningDataModule}[group]
    return cls if isinstance(cls, type) and issubclass(cls, base) else None


def arguments(cls: type) -> list[str]:
    """Return the names of the arguments of a class, with those it passes to its base classes."""
    return jsonargparse.ArgumentParser().add_class_arguments(cls, fail_untyped=False)


def refuse_existing(paths: Iterable[Path], force: bool) -> None:
    """Refuse to replace files without `force`.

    Raises:
        UserError: naming the first file that exists.
    """
    for path in paths:
        if path.exists() and not force:
            raise UserError(f"{path} exists: choose another --out, or replace it by --force true")
