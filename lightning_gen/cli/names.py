"""Names and flags of a command line, read before anything slow is imported."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from lightning_gen import registry
from lightning_gen.errors import ArgumentError, UserError

KINDS = {"model": "models", "data": "datamodules"}
NOUNS = {"models": "model", "datamodules": "data module", "recipes": "recipe"}
CONFIG = ("--config", "-c")


def resolve(args: list[str]) -> list[str]:
    """Replace names of recipes by their files, and reject unknown names.

    Raises:
        UserError: a model, data module or recipe is unknown; the text gives the nearest names.
    """
    resolved = list(args)
    for i, flag, value in flags(args):
        if flag in CONFIG:
            path = _config(value)
            joined = args[i].startswith(f"{flag}=")
            resolved[i if joined else i + 1] = f"{flag}={path}" if joined else str(path)
    found = given(resolved)
    for group, kind in KINDS.items():
        for key in (group, f"{group}.help"):
            if isinstance(found.get(key), str):
                _check(found[key], kind)
    return resolved


def given(args: list[str]) -> dict[str, Any]:
    """Return the value of each flag, in `args` or in a configuration file, by its name.

    Names are `model` and `data`, with the name of a class, `model.lr`, `trainer.max_epochs` etc.
    """
    found: dict[str, Any] = {}
    for _, flag, value in flags(args):
        if flag in CONFIG:
            for group, entry in _read(Path(value)).items():
                found |= flat(group, entry)
        else:
            found[flag_name(flag)] = value
    return found


def positional(args: list[str]) -> list[str]:
    """Return the arguments of a command line that are neither flags nor values of flags."""
    found, rest = [], iter(args)
    for arg in rest:
        if not arg.startswith("-"):
            found.append(arg)
        elif "=" not in arg and arg not in ("-h", "--help", "--print_config"):
            next(rest, None)
    return found


@contextmanager
def flags_named(args: list[str]) -> Iterator[None]:
    """Raise the error of this package that other errors wrap, with the flags of its argument."""
    found = given(args)
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause and not isinstance(cause, UserError):
            cause = cause.__cause__ or cause.__context__
        if cause is None:
            raise
        name = cause.argument if isinstance(cause, ArgumentError) else ""
        keys = [key for key in found if key.rpartition(".")[2] == name]
        if len(keys) > 1:  # of several groups
            keys = [key for key in keys if str(found[key]) in str(cause)]
        if not keys:
            raise cause from error
        named = " or ".join(f"--{key}" for key in keys)
        raise UserError(named + str(cause).removeprefix(name)) from error


def flat(group: str, entry: Any) -> dict[str, Any]:
    """Return the flags of a group of a configuration, by name."""
    if not isinstance(entry, dict):
        return {group: entry}
    found = {group: entry["class_path"]} if "class_path" in entry else {}
    arguments = entry.get("init_args", {} if found else entry) or {}
    return found | {f"{group}.{name}": value for name, value in arguments.items()}


def flag_name(flag: str) -> str:
    """Return the name of a flag in `given`."""
    return flag.lstrip("-").replace(".init_args.", ".").rstrip("+")


def flags(args: list[str]) -> Iterator[tuple[int, str, str]]:
    """Yield index, flag and value of each `--flag value` and `--flag=value`."""
    for i, arg in enumerate(args):
        flag, joined, value = arg.partition("=")
        if not arg.startswith(("--", "-c")):
            continue
        if joined:
            yield i, flag, value
        elif i + 1 < len(args):
            yield i, arg, args[i + 1]


def _config(value: str) -> Path:
    path = Path(value)
    if path.is_file():
        return path
    if path.suffix or len(path.parts) > 1:
        raise UserError(f"configuration file {value} does not exist")
    _check(value, "recipes")
    return registry.recipe(value)


def _read(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(config, dict):
        raise UserError(f"{path} is not a configuration: it has no `key: value` lines")
    return config


def _check(name: str, kind: str) -> None:
    """Reject a name without a module, unless the package has it; jsonargparse checks others."""
    if "." in name or "{" in name or name in registry.entries(kind):
        return
    noun, near = NOUNS[kind], ", ".join(registry.nearest(name, kind))
    custom = "" if kind == "recipes" else f"\nName a custom {noun} by its path: my_file.MyClass"
    raise UserError(
        f"unknown {noun} {name!r}; nearest: {near}.\n`train.py list` shows every {noun}.{custom}"
    )
