"""The folder of a run: where it lies, what writes there, and what is said of it at the end."""

import logging
import os
import shlex
import sys
from collections.abc import Iterator
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from jsonargparse import Namespace
from lightning import Trainer
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from lightning_gen.errors import UserError

FOLDER_VARIABLE = "LIGHTNING_GEN_RUN_FOLDER"  # for the processes that Lightning starts besides
LOGGERS = {
    "csv": ("CSVLogger", {"name": "", "version": ""}),
    "tensorboard": ("TensorBoardLogger", {"name": "", "version": ""}),
    "wandb": ("WandbLogger", {"project": "lightning_gen"}),
}


def is_first_process() -> bool:
    """Whether this process is the one that writes files and speaks."""
    return rank_zero_only.rank == 0  # type: ignore[attr-defined]


def new_folder(command: str, config: Namespace) -> Path:
    """Make RUNS/<model>-<data>/<time>, a folder that did not exist; RUNS is `runs` by default.

    Raises:
        UserError: it cannot be made.
    """
    names = [entry.class_path.rpartition(".")[2] for entry in (config.model, config.data)]
    parent = Path(config.trainer.default_root_dir or "runs")
    parent /= "-".join(names).lower().removesuffix("datamodule")
    folder = parent / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    if command != "fit":
        folder = folder.with_name(f"{folder.name}-{command}")
    if not is_first_process():  # it writes nothing; where torchrun started it, the time may differ
        return Path(os.environ.get(FOLDER_VARIABLE, folder))
    free = next(path for path in _numbered(folder) if not path.exists())
    try:
        free.mkdir(parents=True)
    except OSError as error:
        raise UserError(
            f"cannot make a run's folder in {parent}: {error.strerror}.\n"
            "Choose another place with --trainer.default_root_dir DIR."
        ) from error
    os.environ[FOLDER_VARIABLE] = str(free)
    return free


def _numbered(folder: Path) -> Iterator[Path]:
    yield folder
    for number in range(2, 1000):
        yield folder.with_name(f"{folder.name}-{number}")


def several_processes(flags: Namespace) -> bool:
    """Whether Lightning would take DDP for these trainer flags, by its own choice or by `ddp`."""
    if flags.strategy not in ("auto", "ddp"):
        return False
    log = logging.getLogger("lightning.pytorch")
    level = log.level
    log.setLevel(logging.ERROR)  # a trainer announces its devices, and this one is not the real one
    try:
        chosen = {name: flags[name] for name in ("accelerator", "devices", "num_nodes")}
        trainer = Trainer(**chosen, logger=False, enable_checkpointing=False)
        return isinstance(trainer.strategy, DDPStrategy) or trainer.world_size > 1
    finally:
        log.setLevel(level)


def logger(name: str) -> Namespace:
    """Lightning's logger of this short name; where it writes is still to be said.

    Raises:
        UserError: the package it needs is not installed.
    """
    if name == "tensorboard" and not (find_spec("tensorboard") or find_spec("tensorboardX")):
        raise UserError("--logger tensorboard needs a package: pip install tensorboard")
    class_name, arguments = LOGGERS[name]
    class_path = f"lightning.pytorch.loggers.{class_name}"
    return Namespace(class_path=class_path, init_args=Namespace(**arguments))


def summary(folder: Path, checkpoint: Path | None) -> str:
    """Where a finished training left what, and the command that draws more."""
    grids = sorted(folder.glob("images/*/*.png"), key=os.path.getmtime)
    places = {
        "sample grid": grids[-1] if grids else None,
        "loss curves": folder / "losses.png",
        "metrics": folder / "metrics.csv",
        "checkpoint": checkpoint,
    }
    lines = [f"  {name:13}{path}" for name, path in places.items() if path and path.exists()]
    if checkpoint and checkpoint.exists():
        program = "python train.py" if sys.argv[0].endswith(".py") else "lightning-gen"
        lines += [
            "Draw more samples:",
            f"  {program} sample {shlex.quote(str(checkpoint))} --n 100",
        ]
    return "\n".join(lines)


def relative(path: str | Path) -> Path:
    """The path from the working directory, where it lies below it."""
    path = Path(path)
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def duration(seconds: float) -> str:
    """Seconds as minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
