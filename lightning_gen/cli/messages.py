"""What the user is told: parsers' reports in one line, and nothing that calls for no action."""

import logging
import re
import warnings

from lightning_gen import catalog

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


def flagged(report: str) -> str:
    """The flag and the reason, out of a report that nests them in types and subtypes."""
    flag = "--" + ".".join(re.findall(r'[Kk]ey "([\w.]+)"', report))
    if match := re.search(r"class_path(?s:.*)arguments are required: (\w+)", report):
        return f"{flag}.{match[1]} is missing"
    if match := re.search(r"arguments are required: (?:\w+\.)?(\w+)", report):
        kind = {"model": "models", "data": "datamodules"}.get(match[1])
        choices = f": {', '.join(catalog.entries(kind))}" if kind else ""
        recipes = ", ".join(catalog.entries("recipes"))
        return f"--{match[1]} is missing{choices}; or --config with a recipe: {recipes}"
    if option := re.search(r"Option '([\w.]+)' is not accepted", report):
        return f"{flag}.{option[1]} is no argument of that class; {flag}.help CLASS lists them"
    if reason := re.search(r"Expected an? (?!<class 'NoneType'>)(.*)", report):
        expected = re.sub(r"<class '(\w+)'>|typing\.", r"\1", reason[1])
        return f"{flag} must be of type {expected.replace('. Got value:', ', but is')}"
    return report
