"""Parse error messages and help of jsonargparse, which have no public structure.

Text of an unknown form is returned unchanged, so a new release only affects readability.
"""

import re
from collections.abc import Mapping
from typing import Any

from lightning.pytorch.cli import LightningArgumentParser

SCAFFOLDING = re.compile(
    r"$|Parser key|Does not validate|Subtypes:|Errors:|Problem with given|Given value"
    r"|Expected a <class 'NoneType'>|Expected a path but|Type hint"
)
SUBCLASSES = re.compile(r",\s+known\s+subclasses:[^)]*")


class Parser(LightningArgumentParser):
    """Lightning's parser; its help does not list the hundreds of subclasses of `nn.Module`."""

    def format_help(self, *args: Any) -> str:
        """Return the help as text."""
        return SUBCLASSES.sub("", super().format_help(*args))


def refused_key(report: str) -> str:
    """Return the name of the flag whose value a report refuses."""
    return ".".join(re.findall(r'Parser key "([\w.]+)"', report))


def shorten(report: str, given: Mapping[str, Any]) -> str:
    """Return the flag and the reason of a report, which nests them in types and subtypes.

    Args:
        report: message of a jsonargparse error.
        given: value of each flag, see `lightning_gen.cli.names.given`.
    """
    key = refused_key(report)
    lines = dict.fromkeys(line.lstrip(" -") for line in report.splitlines())
    reasons = [line for line in lines if not SCAFFOLDING.match(line)]
    if not key or not reasons:
        return report
    types = [re.match(r"Expected an? (.+?)(?:\. Got value: .*)?$", line) for line in reasons]
    others = [line for line, match in zip(reasons, types, strict=True) if match is None]
    if others:
        reason, _, missing = "; ".join(others).partition("arguments are required: ")
        return f"--{key}.{missing} is missing" if missing else f"--{key}: {reason}"
    expected = " or ".join(re.sub(r"<class '(\w+)'>|typing\.", r"\1", m[1]) for m in types if m)
    value = f", but is {given[key]}" if key in given else ""
    return f"--{key} must be of type {expected}{value}"
