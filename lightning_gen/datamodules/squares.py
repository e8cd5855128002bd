"""Squares cut out of images of any shape, which lie in memory or are read again and again."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from lightning_gen.datamodules.image_files import Bytes, read_image
from lightning_gen.datamodules.tensors import Batch, BatchedImages
from lightning_gen.errors import DataError


class Files:
    """Images that are read anew whenever they are asked for.

    Args:
        paths: of the images.
        read: reads one of them.
    """

    def __init__(self, paths: list[str], read: Callable[[str], Bytes]) -> None:
        self.paths, self.read = paths, read

    def images(self, places: Tensor) -> Iterator[Bytes]:
        """The images at these places (b,)."""
        return (self.read(self.paths[place]) for place in places.tolist())


class Kept:
    """Images in memory, in one tensor, which worker processes share.

    Args:
        pixels: (sum of c * h * w,) uint8.
        shapes: (n, 3) int64, the images' c, h and w.
    """

    def __init__(self, pixels: Tensor, shapes: Tensor) -> None:
        self.pixels, self.shapes = pixels, shapes
        self.ends = shapes.prod(1).cumsum(0)

    def images(self, places: Tensor) -> Iterator[Bytes]:
        """The images at these places (b,)."""
        pixels, shapes, ends = self.pixels.numpy(), self.shapes[places], self.ends[places]
        for (c, h, w), end in zip(shapes.tolist(), ends.tolist(), strict=True):
            yield pixels[end - c * h * w : end].reshape(c, h, w)


def read_all(files: Files, limit: int) -> tuple[Kept | None, dict[str, str]]:
    """Read every file once, in threads.

    Args:
        files: to be read.
        limit: bytes that the images may take.

    Returns:
        The images, in the files' order, or None if they take more or there are none; and what is
        wrong with each of the files that cannot be read.
    """
    pixels, shapes, wrong, fit = bytearray(), [], {}, True  # the first grows without a second copy
    with ThreadPoolExecutor() as pool:
        results = pool.map(lambda path: _attempt(files, path), files.paths)
        bar = tqdm(results, "Images", len(files.paths), leave=False, delay=2, disable=None)
        for path, image in zip(files.paths, bar, strict=True):
            if isinstance(image, DataError):
                wrong[path] = str(image)
            elif fit := fit and len(pixels) + image.nbytes <= limit:
                pixels.extend(image)
                shapes.append(image.shape)
            else:
                pixels.clear()
    if not pixels:
        return None, wrong
    return Kept(torch.frombuffer(pixels, dtype=torch.uint8), torch.tensor(shapes)), wrong


def _attempt(files: Files, path: str) -> Bytes | DataError:
    try:
        return files.read(path)
    except DataError as error:
        return error


class Squares(BatchedImages):
    """A square of each image: the one in the middle, or any for the index of a training's epoch.

    That index has a random number below each place, which says what square is cut and whether it is
    flipped: both follow from the seed and the epoch, whatever the workers and stops.

    Args:
        source: of the images, whose shorter sides are `size`.
        places: (n,) int64, which of the source's images these are.
        labels: (n,) int64.
        size: of the squares.
        flip: whether the index of an epoch flips half of the squares, left to right.
    """

    def __init__(
        self, source: Files | Kept, places: Tensor, labels: Tensor, size: int, flip: bool
    ) -> None:
        self.source, self.places, self.labels = source, places, labels
        self.size, self.flip = size, flip

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int | Tensor) -> Batch:
        if isinstance(index, int):
            pixels, labels = self[torch.tensor([index])]
            return pixels[0], labels[0]
        places, numbers = index if index.ndim == 2 else (index, None)
        drawn = repeat(None) if numbers is None else numbers.tolist()
        squares = map(self._square, self.source.images(self.places[places]), drawn)
        return torch.from_numpy(np.stack(list(squares))), self.labels[places]

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """Places, and a random number below each, (2, n)."""
        places = super().shuffled(generator)
        return torch.stack([places, torch.randint(2**62, places.shape, generator=generator)])

    def _square(self, image: Bytes, number: int | None) -> Bytes:
        if number is None:
            return cut(image, self.size)
        square = cut(image, self.size, number // 2)
        return square[..., ::-1] if self.flip and number % 2 else square


def cut(image: Bytes, size: int, number: int | None = None) -> Bytes:
    """A square of an image (c, h, w) whose shorter side is `size`, as a view.

    Args:
        image: to be cut.
        size: of the square.
        number: from 0 on; modulo the squares that there are, it says which to take, from the top
            left. Without it, the one in the middle is taken.
    """
    room = (side - size for side in image.shape[1:])
    top, left = (r // 2 if number is None else number % (r + 1) for r in room)
    return image[:, top : top + size, left : left + size]


def read_square(path: str, size: int, channels: int) -> Bytes:
    """As `read_image`, but only the square in the middle, (channels, size, size)."""
    return np.ascontiguousarray(cut(read_image(path, size, channels), size))
