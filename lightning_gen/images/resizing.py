"""Resize images before they are cropped, in the modes of the code of Zhu et al. (2017)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from lightning_gen.errors import DataError
from lightning_gen.images.decoding import Pixels

Preprocess = Literal["resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "none"]
Size = tuple[int, int]  # height and width


def to_size(size: int | Size) -> Size:
    """Return height and width; an int is both."""
    height, width = (size, size) if isinstance(size, int) else size
    return height, width


@dataclass(frozen=True)
class Resizing:
    """Resize images with PIL's bicubic filter.

    Args:
        preprocess: "resize_and_crop" resizes to `load_size`, "scale_width" to the width of
            `load_size` and at least the height of `image_size`; "crop" does not resize; "none"
            rounds height and width to multiples of 4.
        load_size: height and width before the crop.
        image_size: height and width of the crop.
    """

    preprocess: Preprocess
    load_size: Size
    image_size: Size

    @property
    def crop(self) -> Size | None:
        """Height and width of the crop that follows, if any."""
        return self.image_size if "crop" in self.preprocess else None

    def __call__(self, pixels: Pixels, path: str) -> Pixels:
        """Resize the image (c, h, w) of this file.

        Raises:
            DataError: the image is smaller than the crop.
        """
        height, width = self._size(*pixels.shape[1:])
        if self.crop and (height < self.crop[0] or width < self.crop[1]):
            crop_height, crop_width = self.crop
            raise DataError(
                f"{path}: the image is {width} x {height} pixels, smaller than the crop of "
                f"{crop_width} x {crop_height} (--data.image_size)"
            )
        return resize(pixels, height, width)

    def _size(self, height: int, width: int) -> Size:
        if self.preprocess == "resize_and_crop":
            return self.load_size
        if self.preprocess.startswith("scale_width"):
            new_width = self.load_size[1]
            return max(new_width * height // width, self.image_size[0]), new_width
        if self.preprocess == "none":
            return max(round(height / 4), 1) * 4, max(round(width / 4), 1) * 4
        return height, width


def resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """Resize (c, h, w) with PIL's bicubic filter, in the same bit depth."""
    if pixels.shape[1:] == (height, width):
        return pixels
    planes = pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32)
    size, bicubic = (width, height), Image.Resampling.BICUBIC
    resized = np.stack(
        [np.asarray(Image.fromarray(plane).resize(size, bicubic)) for plane in planes]
    )
    if pixels.dtype == np.uint16:
        return resized.round().clip(0, 65535).astype(np.uint16)
    return resized if pixels.dtype == np.uint8 else resized.clip(-1, 1)
