"""Squares cut out of images of any shape."""

from itertools import repeat

import numpy as np
import torch
from torch import Tensor

from lightning_gen.datamodules.base import BatchedImages, LabelledBatch
from lightning_gen.datamodules.image_cache import CachedImages, FileImages, Record
from lightning_gen.datamodules.image_files import read_image
from lightning_gen.images.decoding import Pixels


class Crops:
    """A square of each image: the one in the middle, or any, said by a random number.

    That number comes from the index of a training's epoch, below the image's place. What square is
    cut and whether it is flipped follow from the seed and the epoch, whatever the workers and
    stops; the images of one record are cut and flipped alike.

    Args:
        source: of the images.
        places: (n,) int64, which of the source's records these are.
        size: of the squares; None leaves the images as they are.
        flip: whether random numbers flip half of the squares, left to right.
    """

    def __init__(
        self,
        source: FileImages | CachedImages,
        places: Tensor,
        size: int | None,
        flip: bool = False,
    ) -> None:
        self.source, self.places, self.size, self.flip = source, places, size, flip

    def __len__(self) -> int:
        return len(self.places)

    def take(self, index: Tensor) -> list[Tensor]:
        """The images at these places (b,), or with random numbers (2, b), for each of a record."""
        places, *numbers = torch.atleast_2d(index)
        drawn = numbers[0].tolist() if numbers else repeat(None)
        records = map(self._cut, self.source.records(self.places[places]), drawn)
        return [torch.from_numpy(np.stack(images)) for images in zip(*records, strict=True)]

    def _cut(self, record: Record, number: int | None) -> Record:
        if number is None:
            return tuple(cut(image, self.size) for image in record)
        squares = (cut(image, self.size, number // 2) for image in record)
        return tuple(x[..., ::-1] if self.flip and number % 2 else x for x in squares)


def numbered(places: Tensor, generator: torch.Generator) -> Tensor:
    """Places (n,), and a random number below each, (2, n)."""
    return torch.stack([places, torch.randint(2**62, places.shape, generator=generator)])


class Squares(BatchedImages):
    """Squares and their labels.

    Args:
        crops: the squares.
        labels: (n,) int64.
    """

    def __init__(self, crops: Crops, labels: Tensor) -> None:
        self.crops, self.labels = crops, labels

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: int | Tensor) -> LabelledBatch:
        if isinstance(index, int):
            pixels, labels = self[torch.tensor([index])]
            return pixels[0], labels[0]
        (pixels,) = self.crops.take(index)
        return pixels, self.labels[torch.atleast_2d(index)[0]]

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """Places, and a random number below each, (2, n)."""
        return numbered(super().shuffled(generator), generator)


def cut(image: Pixels, size: int | None, number: int | None = None) -> Pixels:
    """A square of an image (c, h, w) whose sides are at least `size`, as a view.

    Args:
        image: to be cut.
        size: of the square; None leaves the image as it is.
        number: from 0 on; modulo the squares that there are, it says which to take, from the top
            left. Without it, the one in the middle is taken.
    """
    if size is None:
        return image
    starts = []
    for room in (side - size for side in image.shape[1:]):
        if number is None:
            starts.append(room // 2)
        else:
            number, start = divmod(number, room + 1)
            starts.append(start)
    top, left = starts
    return image[:, top : top + size, left : left + size]


def read_whole(path: str, size: int, channels: int) -> Record:
    """`read_image` as a record."""
    return (read_image(path, size, channels),)


def read_square(path: str, size: int, channels: int) -> Record:
    """The same, but only the square in the middle, (channels, size, size)."""
    return (np.ascontiguousarray(cut(read_image(path, size, channels), size)),)
