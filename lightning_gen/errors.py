"""Errors that a user can mend: train.py prints their text and leaves the traceback out."""


class UserError(Exception):
    """Something outside the code is wrong; the text says what, and what to do about it."""


class ArgumentError(UserError, ValueError):
    """A constructor argument does not fit; train.py names the flag it came from."""

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument} {problem}")
        self.argument = argument


class DataError(UserError, ValueError):
    """A file or a batch of data is not what it should be."""


class CheckpointError(UserError):
    """A checkpoint cannot be read, or does not hold what is asked of it."""


class NotReadyError(UserError):
    """The model cannot do this before something else has happened; the text says what."""


def first_few(lines: list[str], shown: int = 10) -> list[str]:
    """The first of these lines, and how many more there are."""
    more = len(lines) - shown
    return [*lines[:shown], f"and {more} more"] if more > 0 else lines


def require_one_of(choices: tuple[str, ...], **arguments: str) -> None:
    """Refuse arguments that are none of the choices.

    Raises:
        ArgumentError: naming the first argument that is none of them.
    """
    for name, value in arguments.items():
        if value not in choices:
            listed = ", ".join(map(repr, choices))
            raise ArgumentError(name, f"must be one of {listed}, but is {value!r}")


def require_at_least(minimum: float, **arguments: float) -> None:
    """Refuse arguments below `minimum`.

    Raises:
        ArgumentError: naming the first argument that is too small.
    """
    for name, value in arguments.items():
        if not value >= minimum:
            raise ArgumentError(name, f"must be at least {minimum:g}, but is {value}")
