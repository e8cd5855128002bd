"""Grids of samples, reconstructions and translations."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.utilities.data import extract_batch_size
from torch import Tensor
from torchvision.utils import make_grid, save_image

from lightning_gen.callbacks.periodic import PeriodicCallback, file_name, show
from lightning_gen.compat import batches_seen
from lightning_gen.errors import NotReadyError, require_at_least
from lightning_gen.files import atomic_write
from lightning_gen.protocols import (
    Corrupts,
    Reconstructs,
    Samples,
    Visualizes,
    classes_of,
    labels_for,
)
from lightning_gen.sampling import sampling_mode
from lightning_gen.types import Images, Labels, to_pixels, to_rgb, unpack_batch

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

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first validation images for reconstructions and translations."""
        if not trainer.is_global_zero:
            return
        if isinstance(pl_module, Visualizes):
            self.batches = self.batches if batch_idx else []
            if sum(map(extract_batch_size, self.batches)) < self.n:
                self.batches.append(batch)
        if not isinstance(pl_module, Reconstructs):
            return
        if batch_idx == 0:
            self.x = self.labels = None
        if self.x is None or len(self.x) < self.n:
            x, labels = unpack_batch(batch)
            self.x = x[: self.n] if self.x is None else torch.cat([self.x, x])[: self.n]
            if labels is not None:
                earlier = [] if self.labels is None else [self.labels]
                self.labels = torch.cat([*earlier, labels])[: self.n]

    def draw(self, trainer: Trainer, model: LightningModule) -> None:
        """Write a grid for each capability and send it to the loggers."""
        if not trainer.is_global_zero or self.folder is None:
            return
        batches = batches_seen(trainer)
        with sampling_mode(model, model.device, self.seed):
            for name, images, columns in self.grids(model):
                if images.shape[2:] == (1, 1):
                    continue  # points, see `DensityPlot`
                grid = make_grid(to_pixels(to_rgb(images)).cpu(), columns) / 255
                with atomic_write(self.folder / name / file_name(batches)) as path:
                    save_image(grid, path)
                show(trainer, name, grid, batches)

    def grids(self, model: LightningModule) -> Iterator[tuple[str, Images, int]]:
        """Yield name, images and columns of each grid."""
        if isinstance(model, Samples):
            labels = self._labels(model)
            n = self.n if labels is None else len(labels)
            with suppress(NotReadyError):
                images = model.sample(n, self.seed, *labels_for(model, labels))
                yield "samples", images, self.columns
        if self.x is not None and isinstance(model, Reconstructs):
            rows = [self.x]
            if isinstance(model, Corrupts):
                rows.append(model.corrupt(self.x))
            rows.append(model.reconstruct(rows[-1], *labels_for(model, self.labels)))
            yield "reconstructions", *self._in_rows(*rows)
        if self.batches and isinstance(model, Visualizes):
            yield from self._translations(model)

    def _translations(self, model: Visualizes) -> Iterator[tuple[str, Images, int]]:
        """Yield a grid for each direction, of images of the first one's size."""
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
