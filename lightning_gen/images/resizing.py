"""How pictures are resized before they are cropped: the modes of Zhu et al. (2017)'s own code."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from lightning_gen.errors import DataError
from lightning_gen.images.decoding import Pixels

Preprocess = Literal["resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "none"]


@dataclass(frozen=True)
class Resizing:
    """Resizes a picture, with PIL's bicubic filter, as `preprocess` says.

    Args:
        preprocess: "resize_and_crop" resizes to squares of `load_size`, "scale_width" to a width of
            `load_size` and a height of at least `image_size`; "crop" resizes nothing; "none" rounds
            both sides to multiples of 4.
        load_size: see above.
        image_size: of the crop that follows, if one does.
    """

    preprocess: Preprocess
    load_size: int
    image_size: int

    @property
    def crop(self) -> int | None:
        """The size of the squares that are cut afterwards, if any are."""
        return self.image_size if "crop" in self.preprocess else None

    def __call__(self, pixels: Pixels, path: str) -> Pixels:
        """Resize the picture (c, h, w) of this file.

        Raises:
            DataError: it is too small for the crop.
        """
        height, width = self._sides(*pixels.shape[1:])
        if self.crop and min(height, width) < self.crop:
            raise DataError(
                f"{path}: {width} x {height} pixels hold no square of "
                f"--data.image_size {self.image_size}"
            )
        return resize(pixels, height, width)

    def _sides(self, height: int, width: int) -> tuple[int, int]:
        if self.preprocess == "resize_and_crop":
            return self.load_size, self.load_size
        if self.preprocess.startswith("scale_width"):
            return max(self.load_size * height // width, self.image_size), self.load_size
        if self.preprocess == "none":
            return max(round(height / 4), 1) * 4, max(round(width / 4), 1) * 4
        return height, width


def resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """PIL's bicubic filter on each channel of (c, h, w), in the depth that they have."""
    if pixels.shape[1:] == (height, width):
        return pixels
    planes = pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32)
    size = width, height
    resized = np.stack(
        [
            np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BICUBIC))
            for plane in planes
        ]
    )
    if pixels.dtype == np.uint16:
        return resized.round().clip(0, 65535).astype(np.uint16)
    return resized if pixels.dtype == np.uint8 else resized.clip(-1, 1)
