"""Errors that users can fix; train.py prints their message without a traceback."""

from collections.abc import Iterable
from difflib import get_close_matches
from inspect import signature


class UserError(Exception):
    """Base class of errors that users can fix; the message names the problem and the fix."""


class ArgumentError(UserError, ValueError):
    """An argument is invalid."""

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument} {problem}")
        self.argument = argument


class DataError(UserError, ValueError):
    """A file or a batch of data is invalid."""


class CheckpointError(UserError):
    """A checkpoint cannot be read, or lacks required content."""


class NotReadyError(UserError):
    """The model is not ready; the message names the missing step."""


def first_few(lines: list[str], shown: int = 10) -> list[str]:
    """Return the first lines, and the number of remaining ones."""
    more = len(lines) - shown
    return [*lines[:shown], f"and {more} more"] if more > 0 else lines


def require_one_of(choices: tuple[str, ...], **arguments: str) -> None:
    """Check that arguments are among the choices.

    Raises:
        ArgumentError: naming the first argument that is not.
    """
    for name, value in arguments.items():
        if value not in choices:
            listed = ", ".join(map(repr, choices))
            raise ArgumentError(name, f"must be one of {listed}, but is {value!r}")


def require_at_least(minimum: float, **arguments: float) -> None:
    """Check that arguments are at least ``minimum``.

    Raises:
        ArgumentError: naming the first argument that is smaller.
    """
    for name, value in arguments.items():
        if not value >= minimum:
            raise ArgumentError(name, f"must be at least {minimum:g}, but is {value}")


def reject_unknown(cls: type, given: Iterable[str], known: Iterable[str]) -> None:
    """Check the names of keyword arguments.

    Raises:
        TypeError: naming the class, the first unknown argument, and the closest known one.
    """
    names = list(known)
    for name in given:
        if name not in names:
            arguments = [
                argument for base in cls.__mro__ for argument in signature(base).parameters
            ]
            close = get_close_matches(name, [*names, *arguments], n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise TypeError(f"{cls.__name__} got an unexpected keyword argument {name!r}{hint}")
