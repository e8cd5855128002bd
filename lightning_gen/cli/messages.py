"""What the user is told: parsers' reports in one line, and nothing that calls for no action."""

import logging
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from inspect import signature
from pathlib import Path
from traceback import walk_tb

import jsonargparse

from lightning_gen import registry
from lightning_gen.errors import ArgumentError, UserError

NOISE = [  # of Lightning and its parts; nothing a user of train.py could do about
    "Experiment logs directory",
    "Checkpoint directory",
    r".*isinstance\(treespec, LeafSpec\)",
    ".*does not have many workers",
    ".*is smaller than the logging interval",
    ".*Using ModelCheckpoint with manual optimization",
    ".*no pre-optimization state",
    "The dirpath has changed",  # to that of a test beside its training
    ".*self.log\\('latents/",  # figures that the first process alone has
]


def hush() -> None:
    """Leave out advertisements, and warnings that the user cannot act on."""
    for message in NOISE:
        warnings.filterwarnings("ignore", message=message)
    for package in ("lightning.pytorch", "lightning.fabric"):
        log = logging.getLogger(f"{package}.utilities.rank_zero")
        log.addFilter(lambda record: not re.match("💡|TPU|HPU|`weights_only`", record.getMessage()))


def flagged(report: str, flags: Collection[str] = ()) -> str:
    """The flag and the reason, out of a report that nests them in types and subtypes.

    Args:
        report: the parser's.
        flags: those that the command has, to offer the nearest one in a mistyped one's place.
    """
    flag = "--" + ".".join(re.findall(r'[Kk]ey "([\w.]+)"', report))
    if match := re.search(r"class_path(?s:.*)arguments are required: (\w+)", report):
        return f"{flag}.{match[1]} is missing"
    if match := re.search(r"arguments are required: (?:\w+\.)?(\w+)", report):
        kind = {"model": "models", "data": "datamodules"}.get(match[1])
        choices = f": {', '.join(registry.entries(kind))}" if kind else ""
        recipe = "Or take a recipe of `train.py list`, as --config quickstart"
        return f"--{match[1]} is missing{choices}.\n{recipe}"
    if option := re.search(r"class_path '([\w.]+)':\s+Option '([\w.]+)' is not accepted", report):
        module, _, name = option[1].rpartition(".")
        near = get_close_matches(option[2], arguments(getattr(import_module(module), name)))
        hint = f"the nearest: {', '.join(f'{flag}.{word}' for word in near)}; " if near else ""
        return f"{flag}.{option[2]} is no argument of {name}; {hint}{flag}.help {name} lists all"
    if unknown := re.search(r"unrecognized arguments: (\S+)", report):
        near = nearest(unknown[1], flags)
        hint = f"the nearest: {', '.join(near)}; " if near else ""
        return f"{unknown[1]} is not known; {hint}--help after the command lists all flags"
    if reason := re.search(r"Expected an? (?!<class 'NoneType'>)(.*)", report):
        expected = re.sub(r"<class '(\w+)'>|typing\.", r"\1", reason[1])
        return f"{flag} must be of type {expected.replace('. Got value:', ', but is')}"
    return report


def arguments(cls: type) -> set[str]:
    """Of its constructor, which passes some on to those of its base classes."""
    return {name for base in cls.__mro__ for name in signature(base.__init__).parameters}  # type: ignore[misc]


def nearest(flag: str, flags: Collection[str]) -> list[str]:
    """The flags of the same last word, `--model.lr` for `--lr`, or else those that look alike."""
    word = flag.lstrip("-").rpartition(".")[2]
    alike = [known for known in flags if known.lstrip("-").rpartition(".")[2] == word]
    return alike or get_close_matches(flag, flags)


@contextmanager
def parsing(flags: Callable[[], Collection[str]]) -> Iterator[None]:
    """Turn a parser's report into one line, see `flagged`; only then are the flags asked for."""
    try:
        yield
    except jsonargparse.ArgumentError as error:
        raise UserError(flagged(str(error), flags())) from error


def flags_of(command: Callable[..., None]) -> list[str]:
    """A flag for each parameter."""
    return [f"--{name}" for name in signature(command).parameters]


def refuse_existing(paths: Iterable[Path], force: bool) -> None:
    """Refuse to replace files, unless that is asked for.

    Raises:
        UserError: naming the first file that exists.
    """
    for path in paths:
        if path.exists() and not force:
            raise UserError(f"{path} exists: choose another --out, or --force true to replace it")


@contextmanager
def error_context(groups: Mapping[str, type]) -> Iterator[None]:
    """Find our own error behind the ones wrapped around it, and the flag it is about.

    Args:
        groups: of flags, each with the class whose arguments they are.
    """
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause and not isinstance(cause, UserError):
            cause = cause.__cause__ or cause.__context__
        if cause is None:
            raise
        group = _raised_by(cause, groups) if isinstance(cause, ArgumentError) else None
        if group is None:
            raise cause from error
        raise UserError(f"--{group}.{cause}") from error


def _raised_by(error: Exception, groups: Mapping[str, type]) -> str | None:
    """The group of the innermost object at work when the error came up."""
    found = None
    for frame, _ in walk_tb(error.__traceback__):
        worker = frame.f_locals.get("self")
        found = next((group for group, cls in groups.items() if isinstance(worker, cls)), found)
    return found
