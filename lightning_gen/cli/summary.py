"""Summary of a training: its results, their files, and the next command."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from lightning import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from lightning_gen.files import is_url
from lightning_gen.models.base.generative_model import GenerativeModel
from lightning_gen.protocols import Samples, Translates

DIVERSITY = "gan/diversity"  # of the samples of a GAN, relative to the data


def summary(
    folder: Path, checkpoint: str | Path | None, model: object, metrics: Mapping[str, Tensor]
) -> str:
    """Return the results of a training, their files, and the next command, as lines."""
    results = [
        name
        for name in metrics
        if name == DIVERSITY or (name.startswith("val/") and not name.endswith("_score"))
    ]  # scores of D have no scale of their own
    width = max(map(len, ["loss curves", *results])) + 2
    grids = {
        path.parent.name: path
        for path in sorted(folder.glob("images/*/*.png"), key=os.path.getmtime)
    }
    files = {
        "sample grid": grids.get("samples"),
        "reconstructions": grids.get("reconstructions"),
        "A to B": grids.get("translations-AtoB"),
        "B to A": grids.get("translations-BtoA"),
        "latent map": grids.get("latents"),
        "densities": folder / "images" / "density" / "density.gif",
        "loss curves": folder / "losses.png",
        "metrics": folder / "metrics.csv",
        "checkpoint": checkpoint,
    }
    lines = [f"  {name:{width}}{metrics[name]:.4g}" for name in results]
    lines += [f"  {name:{width}}{path}" for name, path in files.items() if path and _exists(path)]
    command = _command(model)
    if checkpoint and _exists(checkpoint) and command:
        program = "python train.py" if sys.argv[0].endswith(".py") else "lightning-gen"
        task, name, rest = command
        cls = type(model)
        if not cls.__module__.startswith("lightning_gen.models."):
            rest += f" --model {cls.__module__}.{cls.__name__}"
        lines += [f"{task}:", f"  {program} {name} {shlex.quote(str(checkpoint))} {rest}"]
    return "\n".join(lines)


def _exists(path: str | Path) -> bool:
    return is_url(path) or Path(path).exists()


def _command(model: object) -> tuple[str, str, str] | None:
    """Return the next task for a trained model, its command, and the arguments."""
    if isinstance(model, Translates):
        return "Translate images", "translate", "IMAGES"
    points = isinstance(model, GenerativeModel) and model.image_shape[1:] == (1, 1)
    if isinstance(model, Samples) and not points:
        return "Draw more samples", "sample", "--n 100"
    return None


def saved_by(trainer: Trainer) -> str | Path | None:
    """Return the last checkpoint of a training, if any."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.last_model_path:
            return relative(callback.last_model_path)
    return None


def relative(path: str | Path) -> str | Path:
    """Return the path relative to the working directory, if it is inside; URLs stay."""
    if is_url(path):
        return path
    path = Path(path)
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def duration(seconds: float) -> str:
    """Format seconds as minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
