"""Plots of generated points against the known density of the data."""

from contextlib import suppress
from typing import Any

import numpy as np
import torch
from lightning import LightningModule, Trainer
from PIL import Image
from torch import Tensor

from lightning_gen.callbacks.periodic import PeriodicCallback, file_name
from lightning_gen.callbacks.plots import new_figure, render
from lightning_gen.compat import batches_seen
from lightning_gen.errors import NotReadyError, require_at_least
from lightning_gen.files import atomic_write
from lightning_gen.protocols import Discriminates, HasDensity, Samples, classes_of
from lightning_gen.sampling import sampling_mode
from lightning_gen.types import Images

BINS = 100  # of the histogram in one dimension
SIDE = 500  # grid points per axis in two dimensions
FRAME, LAST_FRAME = 150, 2000  # duration in the animation, in milliseconds


class DensityPlot(PeriodicCallback):
    """Plot generated points against the data's density, and animate the plots.

    Points are images (d, 1, 1) of a data module with a known density. In one dimension, as in
    fig. 1 of Goodfellow et al. (2014): the data's density p, a histogram q of samples, and below
    them D(x) = sigmoid(score) and the optimal discriminator D*(x) = p / (p + q), prop. 1, where
    p + q is large enough. D is only plotted if its scores are logits of single points without
    labels. In two dimensions: samples, and contours of p. Other data are ignored.

    Frames are written as `images/density/step-<batches>.png` in the run's folder and sent to
    loggers that display images. At the end, all frames, also those of a resumed run, are animated
    in `images/density/density.gif`. Only the first process draws. Training is bit-equal with and
    without this callback.

    Args:
        every_n_epochs: epochs between frames; if 0, draw at no epoch's end.
        every_n_batches: batches between frames; if 0, draw only at the end of epochs.
        samples: number of points in a frame.
        seed: seed of the latents, which are the same in every frame.

    Raises:
        ArgumentError: an argument is out of range.
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
        self.log_p: Tensor | None = None  # on the grid, the same in every frame

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Discard the density of the previous data."""
        super().setup(trainer, pl_module, stage)
        self.log_p = None

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Animate the frames."""
        self.animate(trainer)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Animate the frames so far."""
        self.animate(trainer)

    def draw(self, trainer: Trainer, model: LightningModule) -> None:
        """Draw a frame."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not (isinstance(data, HasDensity) and isinstance(model, Samples)):
            return
        if data.image_shape not in ((1, 1, 1), (2, 1, 1)):
            return
        with suppress(NotReadyError), sampling_mode(model, model.device, self.seed):
            x = model.sample(self.samples, seed=self.seed).float().cpu()
            if data.image_shape[0] == 1:
                figure = plot_1d(data, x, model, model.device)
            else:
                self.log_p = log_density_grid(data) if self.log_p is None else self.log_p
                figure = plot_2d(self.log_p, x)
            figure.suptitle(f"after {batches_seen(trainer):,} batches")
            self.publish(trainer, "density", render(figure))

    def animate(self, trainer: Trainer) -> None:
        """Write all frames up to now as a GIF, also those of the run that was resumed."""
        if not trainer.is_global_zero or self.folder is None:
            return
        folder, last = self.folder / "density", file_name(batches_seen(trainer))
        paths = [path for path in sorted(folder.glob("step-*.png")) if path.name <= last]
        if not paths:
            return
        frames = (Image.open(path).convert("RGB") for path in paths)  # one at a time in memory
        durations = [FRAME] * (len(paths) - 1) + [LAST_FRAME]
        with atomic_write(folder / "density.gif") as path:
            next(frames).save(path, save_all=True, append_images=frames, duration=durations, loop=0)


def probabilities(model: object, x: Images) -> Tensor | None:
    """Return D(x) (b,), or None if the model has no D of single points without labels."""
    if classes_of(model) or not isinstance(model, Discriminates) or not model.scores_are_logits:
        return None
    scores = model.score(x)
    if len(scores) != len(x):  # D takes packs of points
        return None
    return scores.float().sigmoid().reshape(len(x), -1).mean(1).cpu()


def plot_1d(data: HasDensity, x: Images, model: object, device: torch.device) -> Any:
    """Return a figure with p and q on top, and D*, and D if the model has one, below."""
    edges = torch.linspace(-1, 1, BINS + 1)
    centers = (edges[1:] + edges[:-1]) / 2
    p = data.log_density(_points(centers)).exp().numpy()
    q = np.histogram(x.flatten(), edges)[0] / len(x) / (2 / BINS)
    defined = p + q > 0.01 * p.max()  # elsewhere, the ratio is noise
    optimal = np.divide(p, p + q, out=np.full_like(p, np.nan), where=defined)

    figure = new_figure(7, 6)
    densities, decisions = figure.subplots(2, sharex=True, height_ratios=(3, 2))
    densities.plot(centers, p, "k:", label="data, p")
    densities.stairs(q, edges, fill=True, color="C2", alpha=0.5, label="generated, q")
    densities.set(xlim=(-1, 1), ylim=(0, 1.6 * p.max()), ylabel="density")
    decisions.axhline(0.5, color="0.8", linewidth=1)
    D = probabilities(model, _points(centers).to(device))
    if D is not None:
        decisions.plot(centers, D, "C0", label="D(x)")
    decisions.plot(centers, optimal, "C3--", label="D*(x) = p / (p + q)")
    decisions.set(xlim=(-1, 1), ylim=(-0.05, 1.35), yticks=(0, 0.5, 1), xlabel="x", ylabel="D")
    for axes in (densities, decisions):
        axes.legend(loc="upper right", ncols=2)
    return figure


def log_density_grid(data: HasDensity) -> Tensor:
    """Return log p on a grid, (x, y)."""
    side = torch.linspace(-1, 1, SIDE)
    grid = _points(torch.cartesian_prod(side, side))
    return torch.cat([data.log_density(part) for part in grid.split(10_000)]).view(SIDE, SIDE)


def plot_2d(log_p: Tensor, x: Images) -> Any:
    """Return a figure with samples, and contours of p at 1, 2 and 3 sigma of a mode."""
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
