"""Depth, channels and range of image files, found in a sample."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any
from warnings import warn

import numpy as np

from lightning_gen.errors import DataError
from lightning_gen.images.reading import read_image

SAMPLE = 15  # files; an odd number has a majority
TWELVE_BITS = 4095


@dataclass(frozen=True)
class Properties:
    """Properties of an image file.

    Args:
        path: path of the file.
        channels: number of channels.
        dtype: data type of the pixels.
        low: lowest pixel.
        high: highest pixel.
    """

    path: str
    channels: int
    dtype: np.dtype[Any]
    low: float
    high: float


def inspect_images(
    paths: Sequence[str], channels: int | None = None, first_page: bool = False
) -> list[Properties]:
    """Read a sample of image files, spread over the list, and return the properties of each.

    Unreadable files are left out; without readable files in the sample, the first readable one is
    the sample. A warning names images of 16 bits that use only the lower 12.

    Args:
        paths: paths of the files.
        channels: as in `read_image`.
        first_page: as in `read_image`.

    Raises:
        DataError: no file can be read.
    """

    def inspect(path: str) -> Properties | DataError:
        try:
            pixels = read_image(path, channels, min_side=1, first_page=first_page)
        except DataError as error:
            return error
        return Properties(path, len(pixels), pixels.dtype, pixels.min().item(), pixels.max().item())

    n = min(len(paths), SAMPLE)
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(inspect, [paths[k * len(paths) // n] for k in range(n)]))
    found = [result for result in results if isinstance(result, Properties)]
    if not found:
        found = list(islice((x for x in map(inspect, paths) if isinstance(x, Properties)), 1))
    if not found:
        raise next(result for result in results if isinstance(result, DataError))
    deep = [x for x in found if x.dtype == np.uint16]
    if 0 < max((x.high for x in deep), default=0) <= TWELVE_BITS:
        warn(
            f"no pixel of {deep[0].path} and other images of 16 bits exceeds {TWELVE_BITS}: white "
            "is 65535, so that images of 12 bits are nearly black; multiply their pixels by 16",
            stacklevel=3,
        )
    return found


def has_unit_floats(sample: Iterable[Properties]) -> bool:
    """Return True if the sample contains floats, but not below 0: they lie in [0, 1].

    Otherwise, floats lie in [-1, 1].
    """
    lows = [x.low for x in sample if x.dtype == np.float32]
    return bool(lows) and min(lows) >= 0
