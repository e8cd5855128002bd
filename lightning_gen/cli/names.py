"""Names on the command line: looked up, and corrected, before anything heavy is imported."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from lightning_gen import registry
from lightning_gen.errors import UserError

KINDS = {"model": "models", "data": "datamodules"}
NOUNS = {"models": "model", "datamodules": "data module", "recipes": "recipe"}


def resolve(args: list[str]) -> list[str]:
    """Put recipes' files in place of their names, and refuse names that nothing answers to.

    Raises:
        UserError: a model, data module or recipe is unknown; the text has the nearest names.
    """
    resolved = list(args)
    for place, flag, value in _flags(args):
        if flag in ("--config", "-c"):
            path = _config(value)
            joined = args[place].startswith(f"{flag}=")
            resolved[place if joined else place + 1] = f"{flag}={path}" if joined else str(path)
        elif flag in ("--model", "--data"):
            _check(value, KINDS[flag.removeprefix("--")])
    return resolved


def gives(args: list[str], key: str) -> bool:
    """Whether a flag or a configuration file gives a value to `model.<argument>` or the like."""
    group, argument = key.split(".")
    for _, flag, value in _flags(args):
        if flag == f"--{key}":
            return True
        if flag in ("--config", "-c"):
            entry = _read(Path(value)).get(group)
            if isinstance(entry, dict) and argument in (entry.get("init_args") or {}):
                return True
    return False


def _flags(args: list[str]) -> Iterator[tuple[int, str, str]]:
    """Place, flag and value of everything that looks like `--flag value` or `--flag=value`."""
    for place, arg in enumerate(args):
        flag, joined, value = arg.partition("=")
        if joined:
            yield place, flag, value
        elif arg.startswith("-") and place + 1 < len(args):
            yield place, arg, args[place + 1]


def _config(value: str) -> Path:
    path = Path(value)
    if not path.is_file():
        if path.suffix or len(path.parts) > 1:
            raise UserError(f"there is no configuration file {value}")
        _check(value, "recipes")
        path = registry.recipe(value)
    config = _read(path)
    for key, kind in KINDS.items():
        name = _class_of(config.get(key))
        if name:
            _check(name, kind)
    return path


def _read(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(config, dict):
        raise UserError(f"{path} is no configuration: it holds no `key: value` lines")
    return config


def _class_of(entry: Any) -> str | None:
    name = entry.get("class_path") if isinstance(entry, dict) else entry
    return name if isinstance(name, str) else None


def _check(name: str, kind: str) -> None:
    """A bare name must be one of ours; `package.module.Class` and JSON are looked up later."""
    if "." in name or "{" in name or name in registry.entries(kind):
        return
    noun, near = NOUNS[kind], ", ".join(registry.nearest(name, kind))
    own = "" if kind == "recipes" else f"\nYour own {noun} is named by its path: my_file.MyClass"
    raise UserError(
        f"there is no {noun} {name!r}; the nearest: {near}.\n"
        f"`train.py list` shows every {noun}.{own}"
    )
