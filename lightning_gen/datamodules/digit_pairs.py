"""Pairs of images with known translations, made from the bundled MNIST digits."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d

from lightning_gen.datamodules.base import BatchedImages, TensorDataModule, TensorImages
from lightning_gen.datamodules.descriptions import describe_numbers, describe_size, join
from lightning_gen.datamodules.domains import Domains
from lightning_gen.datamodules.mnist import MNISTDataModule
from lightning_gen.errors import require_at_least, require_one_of
from lightning_gen.images.resizing import to_size

COLORS = torch.tensor(  # of the ten digits: matplotlib's tab10
    [
        *((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189)),
        *((140, 86, 75), (227, 119, 194), (127, 127, 127), (188, 189, 34), (23, 190, 207)),
    ]
)
PAPER, LINES, INK = ([x / 255 for x in c] for c in ((244, 236, 216), (176, 196, 222), (24, 32, 96)))


class DigitPairs(BatchedImages):
    """Pairs of images in memory.

    Args:
        a: images of A, (n, c, h, w) uint8.
        b: images of B.
    """

    def __init__(self, a: Tensor, b: Tensor) -> None:
        self.a, self.b = a, b

    def __len__(self) -> int:
        return len(self.a)

    def __getitem__(self, index: int | Tensor) -> Domains:
        return {"A": self.a[index], "B": self.b[index]}


class DigitPairsDataModule(TensorDataModule):
    """Digits in two domains with known translations; no download.

    Batches are {"A": x, "B": y}, images in color. Validation and test images are paired.

    Args:
        kind: "color", from outlines to digits in a color for each class; "ink", from plain digits
            to ink on ruled paper.
        paired: if True, training batches contain pairs; otherwise A and B show different digits.
        batch_size: number of images of each domain per batch and process.
        image_size: height and width, each at least 28; an int is both.
        seed: seed of the split and of the order of the training images.
        num_workers: number of loader processes; 0 is fastest, since the images are in memory.

    Attributes:
        image_shape: (3, height, width).
        target_channels: 3.

    Raises:
        ArgumentError: an argument is out of its range.
    """

    target_channels = 3

    def __init__(
        self,
        kind: Literal["color", "ink"] = "color",
        paired: bool = True,
        batch_size: int = 16,
        image_size: int | tuple[int, int] = 32,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        require_one_of(("color", "ink"), kind=kind)
        require_at_least(28, image_size=min(to_size(image_size)))
        self.draw = draw_in_color if kind == "color" else draw_in_ink
        self.paired, self.image_shape = paired, (3, *to_size(image_size))
        self.digits = MNISTDataModule("12k", batch_size=1, image_size=32, seed=seed)
        self.is_drawn = False
        self.save_hyperparameters()

    def setup(self, stage: str | None = None) -> None:
        """Draw the pairs once."""
        if self.is_drawn:
            return
        self.digits.setup(stage)
        self.train_set, self.val_set, self.test_set = (
            self._pairs(digits)
            for digits in (self.digits.train_set, self.digits.val_set, self.digits.test_set)
        )
        if not self.paired:
            half = len(self.train_set) // 2
            self.train_set = DigitPairs(self.train_set.a[:half], self.train_set.b[-half:])
        self.is_drawn = True

    def describe(self) -> str:
        """Return the numbers of pairs after `setup`, their size and channels."""
        numbers = describe_numbers(self._numbers(), "pair")
        kind = "" if self.paired else "training images of A and B unpaired"
        return join(numbers, kind, describe_size(*self.image_shape[1:]), "3 channels")

    def _pairs(self, digits: TensorImages) -> DigitPairs:
        size = list(self.image_shape[1:])
        p = interpolate(digits.pixels / 255, size, mode="bilinear", antialias=True)
        return DigitPairs(*(x.mul(255).round().byte() for x in self.draw(p, digits.labels)))


def draw_in_color(p: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Draw black outlines on white, and digits filled with the colors of their classes.

    Args:
        p: (n, 1, h, w), coverage of each pixel by the digit, in [0, 1].
        labels: (n,).

    Returns:
        Images of A and of B, (n, 3, h, w) in [0, 1].
    """
    outline = max_pool2d(p, 3, 1, 1) - p
    colors = (COLORS[labels] / 255)[..., None, None]
    return (1 - outline).expand(-1, 3, -1, -1), torch.lerp(torch.ones_like(colors), colors, p)


def draw_in_ink(p: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Draw white digits on black, and digits in bleeding ink on ruled paper."""
    paper = torch.tensor(PAPER)[:, None, None].repeat(1, *p.shape[2:])
    fibers = torch.rand(p.shape[2:], generator=torch.Generator().manual_seed(0))
    paper -= 0.06 * avg_pool2d(fibers[None], 3, 1, 1)
    paper[:, p.shape[2] // 8 :: p.shape[2] // 4] = torch.tensor(LINES)[:, None, None]
    ink = torch.tensor(INK)[:, None, None]
    bled = torch.maximum(p, 0.7 * avg_pool2d(p, 3, 1, 1))
    return p.expand(-1, 3, -1, -1), torch.lerp(paper, ink, 0.9 * bled)
