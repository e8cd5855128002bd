"""Crops of images of any size, random or in the center."""

from itertools import repeat

import numpy as np
import torch
from torch import Tensor

from lightning_gen.datamodules.base import BatchedImages, LabelledBatch
from lightning_gen.datamodules.image_cache import CachedImages, FileImages, Record
from lightning_gen.images.decoding import Pixels
from lightning_gen.images.resizing import Size


class Crops:
    """One crop of each image: in the center, or determined by a random number.

    The random numbers are part of the index of a training epoch, below the indices of the images:
    crops and flips depend only on the seed and the epoch, not on workers or interruptions. The
    images of a record are cropped and flipped alike.

    Args:
        source: records of images.
        indices: (n,) int64, indices of the records to crop.
        size: height and width of the crops; None does not crop.
        flip: if True, flip half of the randomly cropped images horizontally.
    """

    def __init__(
        self,
        source: FileImages | CachedImages,
        indices: Tensor,
        size: Size | None,
        flip: bool = False,
    ) -> None:
        self.source, self.indices, self.size, self.flip = source, indices, size, flip

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, index: int | Tensor) -> list[Tensor]:
        """Return the images of a record, or a batch of each.

        Args:
            index: index of a record, or indices (b,), or (2, b) with random numbers below.
        """
        if isinstance(index, int):
            return [batch[0] for batch in self.take(torch.tensor([index]))]
        indices, *numbers = torch.atleast_2d(index)
        drawn = numbers[0].tolist() if numbers else repeat(None)
        records = map(self._crop, self.source.records(self.indices[indices]), drawn)
        return [torch.from_numpy(np.stack(images)) for images in zip(*records, strict=True)]

    def _crop(self, record: Record, number: int | None) -> Record:
        if number is None:
            return tuple(crop(image, self.size) for image in record)
        crops = (crop(image, self.size, number // 2) for image in record)
        return tuple(x[..., ::-1] if self.flip and number % 2 else x for x in crops)


def add_random_numbers(indices: Tensor, generator: torch.Generator) -> Tensor:
    """Stack indices (n,) and a random number for each of them, (2, n)."""
    return torch.stack([indices, torch.randint(2**62, indices.shape, generator=generator)])


class CroppedImages(BatchedImages):
    """Data set of crops and labels.

    Args:
        crops: the crops.
        labels: (n,) int64.
    """

    def __init__(self, crops: Crops, labels: Tensor) -> None:
        self.crops, self.labels = crops, labels

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: int | Tensor) -> LabelledBatch:
        (pixels,) = self.crops.take(index)
        return pixels, self.labels[index if isinstance(index, int) else torch.atleast_2d(index)[0]]

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """Return shuffled indices and random numbers, (2, n)."""
        return add_random_numbers(super().shuffled(generator), generator)


def crop(image: Pixels, size: Size | None, number: int | None = None) -> Pixels:
    """Crop an image (c, h, w) that is at least as large as the crop; return a view.

    Args:
        image: image to crop.
        size: height and width of the crop; None does not crop.
        number: number of the crop, counted from the top left, modulo the number of crops; by
            default the crop in the center.
    """
    if size is None:
        return image
    starts = []
    for length, side in zip(image.shape[1:], size, strict=True):
        if number is None:
            starts.append((length - side) // 2)
        else:
            number, start = divmod(number, length - side + 1)
            starts.append(start)
    (top, left), (height, width) = starts, size
    return image[:, top : top + height, left : left + width]
