"""Reading the pictures of two domains, which are alike within each."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lightning_gen.datamodules.image_cache import Record
from lightning_gen.errors import DataError
from lightning_gen.images.decoding import Pixels
from lightning_gen.images.reading import read_image
from lightning_gen.images.resizing import Resizing


@dataclass(frozen=True)
class Domain:
    """What the pictures of a domain have in common; the first one says it.

    Args:
        flag: that says how many channels the pictures are read with.
        asked: its value.
        channels: of the first picture, once it is read.
        dtype: likewise.
        first: the first picture's path.
    """

    flag: str
    asked: int | None
    channels: int
    dtype: np.dtype[Any]
    first: str

    def read(self, path: str) -> Pixels:
        """A picture of this domain.

        Raises:
            DataError: it cannot be read, or is not as the first one.
        """
        pixels = read_image(path, self.asked)
        if len(pixels) != self.channels:
            raise DataError(
                f"{path}: it has {len(pixels)} channels, but {self.first} has {self.channels}: "
                f"--data.{self.flag} 1 makes all of them greys, and 3 colours"
            )
        if pixels.dtype != self.dtype:
            raise DataError(
                f"{path}: its pixels are {pixels.dtype}, but those of {self.first} are "
                f"{self.dtype}: a domain has one depth"
            )
        return pixels


def find_domain(paths: list[str], flag: str, asked: int | None, skip: bool) -> Domain:
    """What the first of these pictures says of all; the first that can be read, if any is skipped.

    Raises:
        DataError: it cannot be read.
    """
    for path in paths:
        try:
            pixels = read_image(path, asked)
        except DataError:
            if not skip:
                raise
        else:
            return Domain(flag, asked, len(pixels), pixels.dtype, path)
    raise DataError(f"no picture beside {paths[0]} can be read")


@dataclass(frozen=True)
class PairedReader:
    """Reads A and B, which lie side by side in one file, or in a file each."""

    a: Domain
    b: Domain
    resizing: Resizing

    def __call__(self, paths: tuple[str, str]) -> Record:
        """The pair in these files, or in this one, if it is twice the same.

        Raises:
            DataError: they hold none.
        """
        first, second = paths
        a = self.a.read(first)
        b = a if first == second and self.a.asked == self.b.asked else self.b.read(second)
        if first == second:
            half, odd = divmod(a.shape[2], 2)
            if odd:
                raise DataError(f"{first}: A|B is {a.shape[2]} pixels wide, which two cannot share")
            a, b = a[..., :half], b[..., half:]
        a, b = self.resizing(a, first), self.resizing(b, second)
        if a.shape[1:] != b.shape[1:]:
            (h, w), (k, v) = a.shape[1:], b.shape[1:]
            raise DataError(
                f"{first}: it has {w} x {h} pixels, but its partner {second} {v} x {k}: "
                "--data.preprocess resize_and_crop makes them equal"
            )
        return np.ascontiguousarray(a), np.ascontiguousarray(b)


@dataclass(frozen=True)
class SingleReader:
    """Reads a picture of one domain."""

    domain: Domain
    resizing: Resizing

    def __call__(self, path: str) -> Record:
        """The picture in this file."""
        return (np.ascontiguousarray(self.resizing(self.domain.read(path), path)),)
