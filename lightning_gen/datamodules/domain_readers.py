"""Read the images of two domains, with one bit depth and number of channels in each."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lightning_gen.datamodules.descriptions import count
from lightning_gen.datamodules.image_cache import Record
from lightning_gen.errors import DataError
from lightning_gen.images.decoding import Pixels
from lightning_gen.images.inspection import has_unit_floats, inspect_images
from lightning_gen.images.reading import read_image, require_unit_floats
from lightning_gen.images.resizing import Resizing


@dataclass(frozen=True)
class Domain:
    """Properties of the images of a domain, those of most images in a sample.

    Args:
        flag: name of the argument for the number of channels.
        requested: value of this argument.
        channels: number of channels after conversion.
        dtype: data type of the pixels.
        unit_floats: if True, floats are in [0, 1], and are scaled to [-1, 1].
        example: path of an image with these properties.
        converted: paths of the images read so far that had fewer channels.
    """

    flag: str
    requested: int | None
    channels: int
    dtype: np.dtype[Any]
    unit_floats: bool
    example: str
    converted: set[str] = field(default_factory=set, compare=False)

    def read(self, path: str) -> Pixels:
        """Read an image of this domain: grayscale among colors becomes color, 8 of 16 bits 16.

        Raises:
            DataError: the image cannot be read, or its conversion would lose information.
        """
        pixels = read_image(path, self.requested)
        if len(pixels) == 1 and self.channels == 3:
            pixels = np.repeat(pixels, 3, axis=0)
            self.converted.add(path)
        if len(pixels) != self.channels:
            fix = "all images of a domain must have the same number of channels"
            if (len(pixels), self.channels) == (3, 1):
                fix = f"--data.{self.flag} 3 converts all to RGB, and 1 to grayscale"
            raise DataError(
                f"{path}: it has {len(pixels)} channels, but most images of its domain, such as "
                f"{self.example}, have {self.channels}; {fix}"
            )
        if pixels.dtype == np.uint8 and self.dtype == np.uint16:
            pixels = pixels * np.uint16(257)
        if pixels.dtype != self.dtype:
            raise DataError(
                f"{path}: its pixels are {pixels.dtype}, but those of most images of its domain, "
                f"such as {self.example}, are {self.dtype}; save all in the same bit depth"
            )
        if self.unit_floats:
            require_unit_floats(pixels, path)
            pixels = 2 * pixels - 1
        return pixels

    def describe(self) -> str:
        """Return, for example, 3 channels of 8 bits."""
        bits = f"of {8 * self.dtype.itemsize} bits"
        if self.dtype == np.float32:
            bits = f"of floats in {'[0, 1]' if self.unit_floats else '[-1, 1]'}"
        return f"{count(self.channels, 'channel')} {bits}"


def inspect_domain(paths: list[str], flag: str, requested: int | None) -> Domain:
    """Determine the properties of a domain from a sample of its images.

    Raises:
        DataError: no image can be read.
    """
    sample = inspect_images(paths, requested)
    counts = Counter((x.channels, x.dtype) for x in sample)
    channels, dtype = max(counts, key=lambda kind: (counts[kind], kind[0], kind[1].itemsize))
    example = next(x.path for x in sample if (x.channels, x.dtype) == (channels, dtype))
    return Domain(flag, requested, channels, dtype, has_unit_floats(sample), example)


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
