"""Grids of samples, reconstructions and translations."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.utilities.data import extract_batch_size
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from lightning_gen.callbacks.periodic import PeriodicCallback, has_validation, warn_on_error
from lightning_gen.errors import NotReadyError, require_at_least
from lightning_gen.protocols import (
    Corrupts,
    Reconstructs,
    Samples,
    Visualizes,
    classes_of,
    labels_for,
)
from lightning_gen.sampling import sampling_mode
from lightning_gen.types import Images, Labels, to_images, to_pixels, to_rgb, unpack_batch

MAX_ROWS = 20  # of classes; with more classes, a grid has n images


class ImageGrid(PeriodicCallback):
    """Draw grids of the same latents, or of the same validation images, during training.

    Each capability of the model gives a grid: `samples`, with one class per row for a conditional
    model; `reconstructions`, in rows of originals, corrupted images (of a denoising model), and
    reconstructions; `translations`, in rows of images, their translations, and the target or the
    cycle's reconstruction, for each direction. Only the first three of many channels are shown.

    Grids are written as `images/<name>/step-<batches>.png` in the run's folder and sent to loggers
    that display images. Only the first process draws. Training is bit-equal with and without this
    callback.

    Args:
        n: number of images in a grid.
        columns: number of images in a row.
        every_n_epochs: epochs between grids; if 0, draw at no epoch's end.
        every_n_batches: batches between grids; if 0, draw only at the end of epochs.
        seed: seed of the latents.

    Raises:
        ArgumentError: an argument is out of range.
    """

    def __init__(
        self,
        n: int = 64,
        columns: int = 8,
        every_n_epochs: int = 1,
        every_n_batches: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(every_n_epochs, every_n_batches)
        require_at_least(1, n=n, columns=columns)
        self.n, self.columns, self.seed = n, columns, seed
        self.x: Images | None = None
        self.labels: Labels | None = None
        self.batches: list[Any] = []

    def why_nothing(self, trainer: Trainer, model: LightningModule) -> str:
        """Explain why there are no reconstructions or translations."""
        if not isinstance(model, Reconstructs | Visualizes) or has_validation(trainer):
            return ""
        what = "translations" if isinstance(model, Visualizes) else "reconstructions"
        return f"draws no {what}, because there are no validation images"

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first images of the first validation loader."""
        if dataloader_idx or not trainer.is_global_zero:
            return
        with warn_on_error(self, pl_module):
            if batch_idx == 0:
                self.x, self.labels, self.batches = None, None, []
            kept = sum(map(extract_batch_size, self.batches))
            if isinstance(pl_module, Visualizes) and kept < self.n:
                self.batches.append(batch)
            if isinstance(pl_module, Reconstructs) and (self.x is None or len(self.x) < self.n):
                self._keep(*unpack_batch(batch))

    def _keep(self, x: Tensor, labels: Labels | None) -> None:
        x = to_images(x)
        if self.x is not None and self.x.shape[1:] != x.shape[1:]:
            return  # a grid has images of one size
        self.x = x[: self.n] if self.x is None else torch.cat([self.x, x])[: self.n]
        if labels is not None:
            earlier = [] if self.labels is None else [self.labels]
            self.labels = torch.cat([*earlier, labels])[: self.n]

    def draw(self, trainer: Trainer, model: LightningModule) -> None:
        """Draw a grid for each capability."""
        with sampling_mode(model, model.device, self.seed):
            for name, images, columns in self.grids(model):
                if images.shape[2:] == (1, 1):
                    continue  # points, see `DensityPlot`
                grid = make_grid(to_pixels(to_rgb(images)).cpu(), columns)
                self.publish(trainer, name, Image.fromarray(grid.permute(1, 2, 0).numpy()))

    def grids(self, model: LightningModule) -> Iterator[tuple[str, Images, int]]:
        """Yield name, images and columns of each grid."""
        for grids in (self._samples, self._reconstructions, self._translations):
            with warn_on_error(self, model):  # the other grids may work
                yield from grids(model)

    def _samples(self, model: object) -> Iterator[tuple[str, Images, int]]:
        """Yield a grid of samples."""
        if isinstance(model, Samples):
            labels = self._labels(model)
            n = self.n if labels is None else len(labels)
            with suppress(NotReadyError):
                images = model.sample(n, self.seed, *labels_for(model, labels))
                yield "samples", images, self.columns

    def _reconstructions(self, model: object) -> Iterator[tuple[str, Images, int]]:
        """Yield a grid of originals, corrupted images of a denoising model, reconstructions."""
        if self.x is not None and isinstance(model, Reconstructs):
            rows = [self.x]
            if isinstance(model, Corrupts):
                rows.append(model.corrupt(self.x))
            rows.append(model.reconstruct(rows[-1], *labels_for(model, self.labels)))
            yield "reconstructions", *self._in_rows(*rows)

    def _translations(self, model: object) -> Iterator[tuple[str, Images, int]]:
        """Yield a grid for each direction, of images of the first one's size."""
        if not (self.batches and isinstance(model, Visualizes)):
            return
        visualized = [model.visualize(batch) for batch in self.batches]
        for direction, (first, *_) in visualized[0].items():
            of_one_size = [
                [to_rgb(x) for x in sets[direction]]
                for sets in visualized
                if sets[direction][0].shape[2:] == first.shape[2:]
            ]
            rows = [torch.cat(x)[: self.n] for x in zip(*of_one_size, strict=True)]
            yield f"translations-{direction}", *self._in_rows(*rows)

    def _labels(self, model: Samples) -> Labels | None:
        """Return labels with one class per row, or None for an unconditional model."""
        classes = classes_of(model)
        if not classes:
            return None
        rows = classes if classes <= MAX_ROWS else -(-self.n // self.columns)
        return torch.arange(min(rows, classes)).repeat_interleave(self.columns)

    def _in_rows(self, *sets: Tensor) -> tuple[Tensor, int]:
        """Return rows of each set in turn, and their columns, without an incomplete last row."""
        columns = min(self.columns, len(sets[0]))
        rows = len(sets[0]) // columns
        turns = [
            images[row * columns : (row + 1) * columns] for row in range(rows) for images in sets
        ]
        return torch.cat(turns), columns
