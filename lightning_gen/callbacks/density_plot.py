"""What a generator of points has learnt, against the density that the points come from."""

from contextlib import suppress
from typing import Any

import numpy as np
import torch
from lightning import LightningModule, Trainer
from PIL import Image
from torch import Tensor

from lightning_gen.callbacks.periodic import PeriodicCallback, file_name, show
from lightning_gen.callbacks.plots import new_figure, save_figure
from lightning_gen.errors import NotReadyError, require_at_least
from lightning_gen.files import atomic_write
from lightning_gen.protocols import Discriminates, HasDensity, Samples, classes_of
from lightning_gen.sampling import sampling_mode
from lightning_gen.types import Images

BINS = 100  # of the histogram of one dimension
SIDE = 500  # points of the plane's grid along a side
FRAME, LAST_FRAME = 150, 2000  # milliseconds in the animation


class DensityPlot(PeriodicCallback):
    """Draws generated points against the data's density, frame by frame, and animates the frames.

    Points are images (d, 1, 1) of a data module that knows their density. In one dimension, as in
    fig. 1 of Goodfellow et al. (2014): the data's density p, a histogram q of samples, and below
    them D(x) = sigmoid(score) beside the best answer to this generator, D*(x) = p / (p + q), their
    prop. 1, where there is anything to tell apart; D is left out where its scores are no logits, or
    not of single points without labels. In two dimensions: samples, and contours of p.

    Frames are written as `images/density/step-<batches>.png` in the run's folder, shown by loggers
    that have a panel for pictures, and together, with those of the run that this one resumes, as
    `images/density/density.gif` at the end. Any other data are left alone. Only the first process
    draws; training is bit-equal with and without.

    Args:
        every_n_epochs: epochs between frames; 0 draws none at the end of epochs.
        every_n_batches: batches between frames; 0 draws none within epochs.
        samples: points drawn for a frame.
        seed: of the latents, the same ones in every frame.

    Raises:
        ArgumentError: an argument is out of its range.
    """

    def __init__(
        self,
        every_n_epochs: int = 1,
        every_n_batches: int = 0,
        samples: int = 10_000,
        seed: int = 0,
    ) -> None:
        super().__init__(every_n_epochs, every_n_batches)
        require_at_least(1, samples=samples)
        self.samples, self.seed = samples, seed
        self.log_p: Tensor | None = None  # of the plane, the same in every frame

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Begin anew: other data have another density."""
        super().setup(trainer, pl_module, stage)
        self.log_p = None

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Animate the frames."""
        self.animate(trainer)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Animate what there is."""
        self.animate(trainer)

    def draw(self, trainer: Trainer, model: LightningModule) -> None:
        """Draw now: write a frame, and hand it to the loggers."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not (trainer.is_global_zero and self.folder and isinstance(data, HasDensity)):
            return
        if data.image_shape not in ((1, 1, 1), (2, 1, 1)) or not isinstance(model, Samples):
            return
        batches = trainer.fit_loop.total_batch_idx + 1
        with suppress(NotReadyError), sampling_mode(model, model.device, self.seed):
            x = model.sample(self.samples, seed=self.seed).float().cpu()
            if data.image_shape[0] == 1:
                figure = line(data, x, model, model.device)
            else:
                self.log_p = landscape(data) if self.log_p is None else self.log_p
                figure = plane(self.log_p, x)
            figure.suptitle(f"after {batches:,} batches")
            path = self.folder / "density" / file_name(batches)
            show(trainer, "density", save_figure(figure, path), batches)

    def animate(self, trainer: Trainer) -> None:
        """Write all frames up to now as a GIF, also those of the run that this one resumes."""
        if not trainer.is_global_zero or self.folder is None:
            return
        folder, last = self.folder / "density", file_name(trainer.fit_loop.total_batch_idx + 1)
        paths = [path for path in sorted(folder.glob("step-*.png")) if path.name <= last]
        if not paths:
            return
        frames = (Image.open(path).convert("RGB") for path in paths)  # read one by one
        times = [FRAME] * (len(paths) - 1) + [LAST_FRAME]
        with atomic_write(folder / "density.gif") as path:
            next(frames).save(path, save_all=True, append_images=frames, duration=times, loop=0)


def answers_of(model: object, x: Images) -> Tensor | None:
    """D(x) (b,), if the model has one for single points without labels."""
    if classes_of(model) or not isinstance(model, Discriminates) or not model.scores_are_logits:
        return None
    scores = model.score(x)
    one_each = len(scores) == len(x)  # packs of points have no place on the axis
    return scores.float().sigmoid().reshape(len(x), -1).mean(1).cpu() if one_each else None


def line(data: HasDensity, x: Images, model: object, device: torch.device) -> Any:
    """The figure of one dimension: p and q on top; below them D, if the model has one, and D*."""
    edges = torch.linspace(-1, 1, BINS + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    p = data.log_density(_points(centres)).exp().numpy()
    q = np.histogram(x.flatten(), edges)[0] / len(x) / (2 / BINS)
    seen = p + q > 0.01 * p.max()  # elsewhere, neither density says what is right
    best = np.divide(p, p + q, out=np.full_like(p, np.nan), where=seen)

    figure = new_figure(7, 6)
    densities, answers = figure.subplots(2, sharex=True, height_ratios=(3, 2))
    densities.plot(centres, p, "k:", label="data, p")
    densities.stairs(q, edges, fill=True, color="C2", alpha=0.5, label="generated, q")
    densities.set(xlim=(-1, 1), ylim=(0, 1.6 * p.max()), ylabel="density")
    answers.axhline(0.5, color="0.8", linewidth=1)
    D = answers_of(model, _points(centres).to(device))
    if D is not None:
        answers.plot(centres, D, "C0", label="D(x)")
    answers.plot(centres, best, "C3--", label="D*(x) = p / (p + q)")
    answers.set(xlim=(-1, 1), ylim=(-0.05, 1.35), yticks=(0, 0.5, 1), xlabel="x", ylabel="D")
    for axes in (densities, answers):
        axes.legend(loc="upper right", ncols=2)
    return figure


def landscape(data: HasDensity) -> Tensor:
    """Log p on a grid of the plane, (x, y)."""
    side = torch.linspace(-1, 1, SIDE)
    grid = _points(torch.cartesian_prod(side, side))
    return torch.cat([data.log_density(part) for part in grid.split(10_000)]).view(SIDE, SIDE)


def plane(log_p: Tensor, x: Images) -> Any:
    """The figure of two dimensions: samples, and contours of p at 1, 2 and 3 sigma of a mode."""
    side = torch.linspace(-1, 1, SIDE)
    levels = log_p.max() - torch.tensor([3.0, 2.0, 1.0]).square() / 2

    figure = new_figure(7, 7)
    axes = figure.subplots()
    axes.scatter(*x.flatten(1).T, s=3, alpha=0.4, linewidths=0, color="C2")
    axes.contour(side, side, log_p.T, levels, colors="k", linewidths=0.6, linestyles="solid")
    axes.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
    return figure


def _points(x: Tensor) -> Images:
    return x.view(len(x), -1, 1, 1)
