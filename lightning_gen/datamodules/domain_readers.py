"""Read the images of two domains, with one bit depth and number of channels in each."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lightning_gen.datamodules.image_cache import OnError, Record
from lightning_gen.errors import DataError
from lightning_gen.images.decoding import Pixels
from lightning_gen.images.reading import read_image
from lightning_gen.images.resizing import Resizing


@dataclass(frozen=True)
class Domain:
    """Properties that all images of a domain share with the first image.

    Args:
        flag: name of the argument for the number of channels.
        requested: value of this argument.
        channels: number of channels of the first image, after conversion.
        dtype: data type of its pixels.
        first: path of the first image.
    """

    flag: str
    requested: int | None
    channels: int
    dtype: np.dtype[Any]
    first: str

    def read(self, path: str) -> Pixels:
        """Read an image of this domain.

        Raises:
            DataError: the image cannot be read or differs from the first one.
        """
        pixels = read_image(path, self.requested)
        if len(pixels) != self.channels:
            raise DataError(
                f"{path}: it has {len(pixels)} channels, but {self.first} has {self.channels}; "
                f"--data.{self.flag} 1 converts all to grayscale, and 3 to RGB"
            )
        if pixels.dtype != self.dtype:
            raise DataError(
                f"{path}: its pixels are {pixels.dtype}, but those of {self.first} are "
                f"{self.dtype}; all images of a domain must have the same bit depth"
            )
        return pixels


def inspect_domain(paths: list[str], flag: str, requested: int | None, on_error: OnError) -> Domain:
    """Determine the properties of a domain from its first image, or its first readable one.

    Raises:
        DataError: the image cannot be read.
    """
    for path in paths:
        try:
            pixels = read_image(path, requested)
        except DataError:
            if on_error == "raise":
                raise
        else:
            return Domain(flag, requested, len(pixels), pixels.dtype, path)
    raise DataError(f"{paths[0]} and the other images of its domain cannot be read")


@dataclass(frozen=True)
class PairedReader:
    """Reader of pairs, side by side in one file or in two files."""

    a: Domain
    b: Domain
    resizing: Resizing

    def __call__(self, paths: tuple[str, str]) -> Record:
        """Read the pair in these two files, or in one file if both paths are the same.

        Raises:
            DataError: the files cannot be read or are not a pair.
        """
        first, second = paths
        a = self.a.read(first)
        b = a if first == second and self.a.requested == self.b.requested else self.b.read(second)
        if first == second:
            width = a.shape[2]
            if width % 2:
                raise DataError(f"{first}: A|B has an odd width ({width}) and cannot be halved")
            a, b = a[..., : width // 2], b[..., width // 2 :]
        a, b = self.resizing(a, first), self.resizing(b, second)
        if a.shape[1:] != b.shape[1:]:
            (h, w), (k, v) = a.shape[1:], b.shape[1:]
            raise DataError(
                f"{first}: the image is {w} x {h} pixels, but its partner {second} is {v} x {k}; "
                "--data.preprocess resize_and_crop makes them equal"
            )
        return np.ascontiguousarray(a), np.ascontiguousarray(b)


@dataclass(frozen=True)
class SingleReader:
    """Reader of images of one domain."""

    domain: Domain
    resizing: Resizing

    def __call__(self, path: str) -> Record:
        """Read the image in this file."""
        return (np.ascontiguousarray(self.resizing(self.domain.read(path), path)),)
