"""Stacked MNIST, Metz et al. (2017), https://arxiv.org/abs/1611.02163: images of 1,000 modes."""

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
    """Several grey images in the channels of one, put together when they are asked for.

    Args:
        images: grey images (m, 1, h, w) with the labels 0 to 9.
        chosen: (n, channels) int64, which of them make up each image.
    """

    def __init__(self, images: TensorImages, chosen: Tensor) -> None:
        self.images, self.chosen = images, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int | Tensor) -> LabelledBatch:
        chosen = self.chosen[index]  # (b, channels), or (channels,)
        pixels, digits = self.images[chosen.flatten()]
        places = 10 ** torch.arange(chosen.shape[-1]).flip(0)
        return (
            pixels.view(*chosen.shape, *pixels.shape[2:]),
            (digits.view(chosen.shape) * places).sum(-1),
        )


class StackedMNISTDataModule(TensorDataModule):
    """Three MNIST digits in the channels of one image: 1,000 modes.

    Digits a, b, c have the label 100a + 10b + c. The triples are drawn once, as in PacGAN (Lin et
    al., 2018), and kept as indices. Those for validation and test, a tenth as many each, are made
    of digits that training does not see.

    Args:
        subset: "full" reads torchvision's MNIST from `root`, and downloads it if it is not there;
            "12k" ships with the package and needs no network.
        root: the folder that holds MNIST/raw.
        batch_size: images per batch and process.
        image_size: 28, or 32 with a black border of 2 pixels.
        val_split: the share of the training digits that is held out for validation, or their
            number.
        n: training triples.
        seed: of the split, the triples and their order.
        num_workers: loader processes; 0 is fastest, since the digits are in memory.

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
        """Download the full set if `root` does not hold it; called in one process only."""
        self.digits.prepare_data()

    def setup(self, stage: str) -> None:
        """Read the digits once, and draw the triples, the same ones at every call."""
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
    """N random triples, none where there are no digits."""
    shape = (n if len(digits) else 0, 3)
    return StackedImages(digits, torch.randint(max(len(digits), 1), shape, generator=generator))
