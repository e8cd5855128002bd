"""The folder of a run: where it lies, what writes there, and how a run goes on from it."""

import csv
import logging
import os
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace
from lightning import Trainer
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from lightning_gen import __version__
from lightning_gen.checkpoints import REPORTS_KEY, newest_checkpoint, read_checkpoint
from lightning_gen.errors import CheckpointError, UserError
from lightning_gen.files import atomic_write

FOLDER_VARIABLE = "LIGHTNING_GEN_RUN_FOLDER"  # for the processes that Lightning starts besides
LOGGERS: dict[str, tuple[str, dict[str, Any]]] = {
    "csv": ("CSVLogger", {"name": "", "version": "", "flush_logs_every_n_steps": 1}),
    "tensorboard": ("TensorBoardLogger", {"name": "", "version": ""}),
    "wandb": ("WandbLogger", {}),
}


def is_first_process() -> bool:
    """Whether this process is the one that writes files and speaks."""
    return rank_zero_only.rank == 0  # type: ignore[attr-defined]


def new_folder(command: str, config: Namespace) -> Path:
    """Make RUNS/<model>-<data>/<time>, a folder that did not exist; RUNS is `runs` by default.

    Raises:
        UserError: it cannot be made.
    """
    parent = _parent(config)
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


def _parent(config: Namespace) -> Path:
    """Where the runs of this model on this data lie."""
    names = [entry.class_path.rpartition(".")[2] for entry in (config.model, config.data)]
    name = "-".join(names).lower().removesuffix("datamodule")
    return Path(config.trainer.default_root_dir or "runs", name)


def last_checkpoint(config: Namespace, settings: str, begins: bool) -> str | None:
    """The newest checkpoint that can be read among the runs of this model on this data, if any.

    Args:
        config: the command line, parsed.
        settings: the same as YAML; runs with another seed, or other arguments of model, data or
            average, do not count.
        begins: whether the command can do without one.

    Raises:
        UserError: there is none, and the command cannot.
    """
    wanted = _settings(settings, "model", "data", "ema", "seed_everything")
    if wanted["seed_everything"] is True:  # any seed will do
        del wanted["seed_everything"]
    configs = _parent(config).glob("*/config.yaml")
    alike = [path.parent for path in configs if wanted == _settings(path.read_text(), *wanted)]
    path, damaged = newest_checkpoint(*alike)
    if is_first_process():
        for file in damaged:
            print(f"{file} is damaged: passed over.")
        if path:
            print(f"Going on from {path}.")
        elif begins:
            print("There is no checkpoint yet: a new run.")
    if not path and not begins:
        raise UserError(
            "--ckpt_path last finds no run with these flags: give the training's, or the file"
        )
    return str(path) if path else None


def _settings(text: str, *keys: str) -> dict[str, Any]:
    config = yaml.safe_load(text)
    return {key: config.get(key) for key in keys}


def folder_of(checkpoint: str) -> Path:
    """The folder of the run that wrote a checkpoint."""
    return Path(checkpoint).parents[1]


def check_checkpoint(path: str) -> None:
    """Refuse a checkpoint that cannot be read, and name the newest one of its run that can.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        read_checkpoint(path)
    except CheckpointError as error:
        other, _ = newest_checkpoint(Path(path).parent) if Path(path).is_file() else (None, [])
        offer = f"\nThe newest that can be read: {other}" if other else ""
        raise CheckpointError(f"{error}{offer}") from error


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


def logger_place(name: str, folder: Path) -> dict[str, str]:
    """Arguments by which a logger writes into the run's folder.

    W&B's run has an id made of the folder's name, so that a resumed run goes on there, too.
    """
    place = {"save_dir": str(folder.absolute())}  # W&B writes from a process of its own
    if name == "wandb":
        run = f"{folder.parent.name}-{folder.name}"
        project = os.environ.get("WANDB_PROJECT", "lightning_gen")
        place |= {"id": run, "name": run, "project": project}
    return place


def facts(config: Namespace) -> dict[str, Any]:
    """What identifies a run besides the arguments of its model and data."""
    return {
        "model": config.model.class_path,
        "data": config.data.class_path,
        "seed": config.seed_everything,
        "precision": config.trainer.precision or "32-true",
        **{f"versions/{name}": version(name) for name in ("torch", "lightning")},
        "versions/lightning_gen": __version__,
    }


def keep_rows(logger: CSVLogger, checkpoint: str) -> None:
    """Let a resumed run's metrics.csv go on after the rows up to the checkpoint.

    Lightning begins by removing the file: a copy lies beside it until the rows are back.
    """
    path = Path(logger.log_dir, "metrics.csv")
    copy = path.with_suffix(".csv.kept")
    if path.exists() and not copy.exists():
        with atomic_write(copy) as part:
            part.write_bytes(path.read_bytes())
    state = read_checkpoint(checkpoint)
    batches = state["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]["ready"]
    rows = csv.DictReader(copy.read_text().splitlines()) if copy.exists() else []
    kept = [row for row in rows if int(row["step"]) < batches]
    named = [{name: cell for name, cell in row.items() if cell} for row in kept]
    last: dict[str, Any] = state.get(REPORTS_KEY, {})  # of a step that was saved, not yet logged
    logged = [row for row in named if int(row["step"]) == batches - 1 and last.keys() & row]
    if last and not logged:
        named.append({"epoch": state["epoch"], "step": batches - 1, **last})
    writer = logger.experiment  # this removes the file
    writer.metrics = named
    writer.save()
    copy.unlink(missing_ok=True)
