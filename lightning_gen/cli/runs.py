"""Folder of a run: its path, its loggers, and the checkpoint to resume from."""

import csv
import logging
import os
import secrets
from collections.abc import Collection
from datetime import datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace
from lightning import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from lightning_gen import __version__
from lightning_gen.checkpoints import STEP_METRICS_KEY, newest_checkpoint, read_checkpoint
from lightning_gen.cli.names import flat
from lightning_gen.errors import CheckpointError, UserError
from lightning_gen.files import atomic_write, is_url

FOLDER_VARIABLE = "LIGHTNING_GEN_RUN_FOLDER"  # for further processes that Lightning starts
SEED_VARIABLE = "PL_GLOBAL_SEED"  # set by Lightning
LOGGERS: dict[str, tuple[str, dict[str, Any]]] = {
    "csv": ("CSVLogger", {"name": "", "version": "", "flush_logs_every_n_steps": 1}),
    "tensorboard": ("TensorBoardLogger", {"name": "", "version": ""}),
    "wandb": ("WandbLogger", {}),
}

is_first_process = rank_zero_only(lambda: True, default=False)  # it alone writes files and prints


def new_folder(command: str, config: Namespace) -> Path:
    """Make RUNS/<model>-<data>/<time>, which did not exist; RUNS is `runs` by default.

    Raises:
        UserError: the folder cannot be made.
    """
    if is_url(root := config.trainer.default_root_dir):
        raise UserError(
            f"--trainer.default_root_dir {root} must be a local folder; checkpoints may be written "
            "elsewhere: --checkpoint.dirpath URL"
        )
    parent = _parent(config)
    suffix = "" if command == "fit" else f"-{command}"
    folder = parent / f"{datetime.now():%Y-%m-%d_%H-%M-%S}{suffix}"
    if not is_first_process():  # with torchrun, its clock may give another time
        return Path(os.environ.get(FOLDER_VARIABLE, folder))
    candidates = [folder, *(folder.with_name(f"{folder.name}-{i}") for i in range(2, 1000))]
    folder = next(path for path in candidates if not path.exists())
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UserError(
            f"cannot make a folder for the run in {parent}: {error.strerror}.\n"
            "Choose another one with --trainer.default_root_dir DIR."
        ) from error
    os.environ[FOLDER_VARIABLE] = str(folder)
    return folder


def random_seed() -> int:
    """Return a random seed, in further processes that of the first one."""
    seed = None if is_first_process() else os.environ.get(SEED_VARIABLE)
    return int(seed or secrets.randbelow(2**32))


def _parent(config: Namespace) -> Path:
    """Return the folder with all runs of this model on this data."""
    names = [entry.class_path.rpartition(".")[2] for entry in (config.model, config.data)]
    name = "-".join(names).lower().removesuffix("datamodule")
    return Path(config.trainer.default_root_dir or "runs", name)


def last_checkpoint(
    config: Namespace, settings: str, required: bool
) -> tuple[str | None, Path | None]:
    """Return the newest readable checkpoint of the runs with these settings, and its run's folder.

    Args:
        config: the parsed command line.
        settings: the same as YAML; runs with another seed, or other arguments of the model, the
            data or the average, are skipped.
        required: if True, raise if there is no checkpoint.

    Raises:
        UserError: there is no checkpoint; the text names the settings of the newest run that
            differ.
    """
    wanted = _settings(settings)
    if wanted["seed_everything"] is None or wanted["seed_everything"] is True:  # any seed
        del wanted["seed_everything"]
    saved = {path.parent: _settings(path.read_text()) for path in _configs(config)}
    alike = {
        _folder_of_checkpoints(folder): folder
        for folder, other in saved.items()
        if all(other.get(key) == value for key, value in wanted.items())
    }
    path, damaged = newest_checkpoint(*alike)
    if is_first_process():
        for file in damaged:
            print(f"Skipping {file}: the file is damaged.")
    if path:
        folder = next(run for where, run in alike.items() if str(path).startswith(str(where)))
        if is_first_process():
            print(f"Resuming from {path}.")
        return str(path), folder
    others = [folder for folder in saved if folder not in alike.values()]
    reason = ""
    if others:
        newest = max(others)  # the names of runs are their times
        reason = f": {newest} has {_difference(wanted, saved[newest])}"
    if required:
        raise UserError(
            f"--ckpt_path last: no run has these flags{reason}; give those of the training, or a "
            "file"
        )
    if is_first_process():
        print(f"No checkpoint {'with these flags' if others else 'yet'}{reason}.")
        print("Starting a new run.")
    return None, None


def _configs(config: Namespace) -> list[Path]:
    return sorted(_parent(config).glob("*/config.yaml"))


def _folder_of_checkpoints(run: Path) -> str | Path:
    """Return the folder, or the URL, that --checkpoint.dirpath named."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    return (config.get("checkpoint") or {}).get("dirpath") or run / "checkpoints"


def _settings(text: str) -> dict[str, Any]:
    """Return the settings that resumed runs have in common."""
    config = yaml.safe_load(text)
    return {key: config.get(key) for key in ("model", "data", "ema", "seed_everything")}


def _difference(wanted: dict[str, Any], other: dict[str, Any]) -> str:
    """Return the flags of another run that differ from the wanted ones."""
    new: dict[str, Any] = {}
    old: dict[str, Any] = {}
    for group, entry in wanted.items():
        new |= flat(group, entry)
        old |= flat(group, other.get(group))
    return ", ".join(
        f"--{name} {old.get(name, 'unset')} instead of {new.get(name, 'unset')}"
        for name in new | old
        if old.get(name) != new.get(name)
    )


def read_checkpoint_of_run(path: str) -> dict[str, Any]:
    """Read a checkpoint; if that fails, name the newest readable one of its run.

    Raises:
        CheckpointError: the file cannot be read, or contains something else.
    """
    try:
        return read_checkpoint(path)
    except CheckpointError as error:
        folder = Path(path).absolute().parent
        of_run = not is_url(path) and (folder.parent / "config.yaml").is_file()
        other, _ = newest_checkpoint(folder) if of_run else (None, [])
        offer = f"\nThe newest readable checkpoint of this run: {other}" if other else ""
        if path.endswith((".pth", ".pt")):
            offer += (
                "\n`translate` reads published weights of pix2pix and CycleGAN. To train them "
                "further in Python, use Pix2Pix(..., generator=load_reference_weights(path))"
            )
        raise CheckpointError(f"{error}{offer}") from error


def uses_ddp(flags: Namespace) -> bool:
    """Return True if Lightning would choose plain DDP for these flags of the trainer."""
    if flags.strategy != "auto":
        return bool(flags.strategy == "ddp")
    log = logging.getLogger("lightning.pytorch")
    level = log.level
    log.setLevel(logging.ERROR)  # a trainer lists its devices, and the real one will again
    try:
        chosen = {name: flags[name] for name in ("accelerator", "devices", "num_nodes")}
        trainer = Trainer(**chosen, logger=False, enable_checkpointing=False)
        return isinstance(trainer.strategy, DDPStrategy) or trainer.world_size > 1
    finally:
        log.setLevel(level)


def logger(name: str, folder: Path) -> Namespace:
    """Return the configuration of a Lightning logger that writes to the folder of a run.

    The id of a W&B run is made from the name of the folder, so that a resumed run continues it.

    Raises:
        UserError: a package that the logger needs is not installed.
    """
    if name == "tensorboard" and not (find_spec("tensorboard") or find_spec("tensorboardX")):
        raise UserError("--logger tensorboard requires a package: pip install tensorboard")
    class_name, arguments = LOGGERS[name]
    arguments = arguments | {"save_dir": str(folder.absolute())}  # W&B writes in another process
    if name == "wandb":
        run = f"{folder.parent.name}-{folder.name}"
        project = os.environ.get("WANDB_PROJECT", "lightning_gen")
        arguments |= {"id": run, "name": run, "project": project}
    class_path = f"lightning.pytorch.loggers.{class_name}"
    return Namespace(class_path=class_path, init_args=Namespace(**arguments))


def description(
    settings: str, callbacks: Collection[str], model: LightningModule
) -> dict[str, Any]:
    """Return the configuration of a run for its loggers, nested by group.

    Args:
        settings: configuration as YAML.
        callbacks: groups of the callbacks.
        model: model of the run; its arguments include those that the data have given.
    """
    config = yaml.safe_load(settings)
    parts = {
        group: {"class": config[group]["class_path"], **(config[group].get("init_args") or {})}
        for group in ("model", "data")
    }
    parts["model"] |= model.hparams
    return {
        **parts,
        "trainer": config["trainer"],
        "callbacks": {group: config[group] for group in callbacks if config.get(group)},
        "seed": config["seed_everything"],
        "versions": {name: version(name) for name in ("torch", "lightning")}
        | {"lightning_gen": __version__},
    }


def keep_rows(logger: CSVLogger, checkpoint: str) -> None:
    """Write the rows of metrics.csv up to the checkpoint again, before a resumed run adds more.

    Lightning's logger first removes the file; a copy of it stays until the rows are written.
    """
    path = Path(logger.log_dir, "metrics.csv")
    copy = path.with_suffix(".csv.kept")
    if path.exists() and not copy.exists():
        with atomic_write(copy) as part:
            part.write_bytes(path.read_bytes())
    state = read_checkpoint(checkpoint)
    steps = state["global_step"]
    rows = csv.DictReader(copy.read_text().splitlines()) if copy.exists() else []
    kept = [row for row in rows if int(row["step"]) < steps]
    named = [{name: cell for name, cell in row.items() if cell} for row in kept]
    last: dict[str, Any] = state.get(
        STEP_METRICS_KEY, {}
    )  # of a step that was saved but not logged
    logged = [row for row in named if int(row["step"]) == steps - 1 and last.keys() & row]
    if last and not logged:
        named.append({"epoch": state["epoch"], "step": steps - 1, **last})
    writer = logger.experiment  # this removes the file
    for row in named:
        writer.log_metrics(row, int(row["step"]))
    logger.save()
    copy.unlink(missing_ok=True)
