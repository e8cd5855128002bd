"""Stacked MNIST with 1,000 modes, Metz et al. (2017), https://arxiv.org/abs/1611.02163."""

from typing import Literal

import torch
from torch import Tensor

from lightning_gen.datamodules.base import (
    BatchedImages,
    LabelledBatch,
    TensorDataModule,
    TensorImages,
)
from lightning_gen.datamodules.mnist import MNISTDataModule
from lightning_gen.errors import require_at_least


class StackedImages(BatchedImages):
    """Grayscale images stacked in the channels of one image, at each access.

    Args:
        images: grayscale images (m, 1, h, w) with labels from 0 to 9.
        indices: (n, channels) int64, the indices of the images to stack.
    """

    def __init__(self, images: TensorImages, indices: Tensor) -> None:
        self.images, self.indices = images, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int | Tensor) -> LabelledBatch:
        indices = self.indices[index]  # (b, channels), or (channels,)
        pixels, digits = self.images[indices.flatten()]
        powers = 10 ** torch.arange(indices.shape[-1]).flip(0)
        return (
            pixels.view(*indices.shape, *pixels.shape[2:]),
            (digits.view(indices.shape) * powers).sum(-1),
        )


class StackedMNISTDataModule(TensorDataModule):
    """Three MNIST digits in the channels of one image: 1,000 modes.

    Digits a, b, c have the label 100a + 10b + c. The triples are drawn once, as in PacGAN (Lin et
    al., 2018), and stored as indices. Validation and test have a tenth as many triples each, of
    digits that do not occur in training.

    Args:
        subset: "full", torchvision's MNIST in `root`, downloaded if it is missing; or "12k",
            bundled with the package, without a download.
        root: path of the folder that contains MNIST/raw.
        batch_size: number of images per batch and process.
        image_size: 28, or 32 with a black border of 2 pixels.
        val_split: share, or number, of the training digits for validation.
        n: number of training triples.
        seed: seed of the split, the triples and their order.
        num_workers: number of loader processes; 0 is fastest, since the digits are in memory.

    Raises:
        ArgumentError: an argument is out of its range.
        DataError: the digits cannot be read or downloaded.
    """

    num_classes = 1000

    def __init__(
        self,
        subset: Literal["full", "12k"] = "full",
        root: str = "data",
        batch_size: int = 64,
        image_size: Literal[28, 32] = 28,
        val_split: float = 0.1,
        n: int = 128_000,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        require_at_least(max(10, batch_size), n=n)
        self.digits = MNISTDataModule(subset, root, 1, image_size, val_split, seed, num_workers)
        self.n, self.image_shape = n, (3, image_size, image_size)
        self.save_hyperparameters()

    def prepare_data(self) -> None:
        """Download the full set if it is missing; called in one process only."""
        self.digits.prepare_data()

    def setup(self, stage: str | None = None) -> None:
        """Read the digits once, and draw the triples, the same at every call."""
        self.digits.setup(stage)
        generator = torch.Generator().manual_seed(self.seed)
        self.train_set, self.val_set, self.test_set = (
            _stack(digits, n, generator)
            for digits, n in (
                (self.digits.train_set, self.n),
                (self.digits.val_set, self.n // 10),
                (self.digits.test_set, self.n // 10),
            )
        )


def _stack(digits: TensorImages, n: int, generator: torch.Generator) -> StackedImages:
    """Draw n random triples; without digits, none."""
    shape = (n if len(digits) else 0, 3)
    return StackedImages(digits, torch.randint(max(len(digits), 1), shape, generator=generator))
