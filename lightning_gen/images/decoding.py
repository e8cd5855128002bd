"""What is in a picture file, whatever its depth and the number of its channels."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION as PHOTOMETRIC
from PIL.TiffImagePlugin import TiffImageFile

Pixels = NDArray[Any]  # (c, h, w): uint8, uint16, or float32 in [-1, 1]

WHITE = {"I;16": 65535, "I;16B": 65535, "I;16L": 65535, "I": 65535, "F": 1}  # of deep greys
DEEP_PNG = {"LA;16B", "GB;16B", "BA;16B"}  # how PIL's names for their pixels end
PIL_GREYS = {np.dtype(kind) for kind in (bool, np.uint8, np.uint16, np.float32)}  # in TIFF
TIFF = {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}


def decode(path: Path) -> tuple[Pixels, bool]:
    """The pixels of a picture file as they are, upright, and whether the last channel is opacity.

    Palettes and CMYK, of 8 bits, become colours.
    """
    with path.open("rb") as file:
        head = file.read(4)
    if head in TIFF and (found := _of_tiff(path)):
        return found
    with Image.open(path) as image:
        if isinstance(image, PngImageFile) and str(image.tile[0][3])[-6:] in DEEP_PNG:
            return _of_deep_png(image, path)
        pixels, has_opacity = _of_image(ImageOps.exif_transpose(image))
        if isinstance(image, TiffImageFile) and image.mode.startswith("I;16"):
            pixels = _light(pixels, image.tag_v2.get(PHOTOMETRIC))
        return pixels, has_opacity


def _of_tiff(path: Path) -> tuple[Pixels, bool] | None:
    """The same of a TIFF file, or None if PIL decodes it as well."""
    from tifffile import TiffFile  # slow to import, and seldom needed

    with TiffFile(path) as file:
        page = file.pages.first
        source = page if page.samplesperpixel > 1 else file.series[0]
        channels = source.size // (page.imagelength * page.imagewidth)
        bands = page.photometric <= 1  # neither colours nor a palette
        if channels == 1 and page.dtype in PIL_GREYS:
            return None
        if channels in (3, 4) and page.dtype == np.uint8 and not bands:
            return None
        pixels = source.asarray()
        pixels = np.moveaxis(pixels, -1, 0) if source.axes[-1] == "S" else pixels
        pixels = pixels.reshape(channels, page.imagelength, page.imagewidth)
        tag = page.tags.get("Orientation")
        has_opacity = page.extrasamples[-1:] == (2,) and page.dtype != np.float32
        colours, opacity = np.split(pixels, [channels - has_opacity])
        pixels = np.concatenate([_light(colours, page.photometric), opacity])
        return _upright(pixels, tag.value if tag else 1), has_opacity


def _light(pixels: Pixels, photometric: int | None) -> Pixels:
    """Pixels of TIFF whose 0 is black, as it is not where its photometric interpretation is 0."""
    return ~pixels if photometric == 0 and pixels.dtype.kind in "bu" else pixels


def _of_deep_png(image: PngImageFile, path: Path) -> tuple[Pixels, bool]:
    """Colours of 16 bits: PIL keeps the upper bytes, and the lower ones if told they come first."""
    codec, box, offset, raw = image.tile[0]
    order = "RGBA" if raw == "LA;16B" else f"{image.mode};16L"
    image.tile = [(codec, box, offset, order)]  # type: ignore[list-item]
    second = np.asarray(image)
    if raw == "LA;16B":
        pixels = second.view(">u2")
    else:
        with Image.open(path) as again:
            pixels = np.asarray(again).astype(np.uint16) << 8 | second
    orientation = image.getexif().get(0x0112, 1)
    return _upright(pixels.transpose(2, 0, 1), orientation), image.mode == "RGBA"


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo the orientation of EXIF and TIFF, 1 to 8."""
    if orientation > 4:
        pixels = pixels.swapaxes(1, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[:, ::-1]
    return pixels[..., ::-1] if orientation in (2, 3, 6, 7) else pixels


def _of_image(image: Image.Image) -> tuple[Pixels, bool]:
    if image.mode in WHITE:
        levels = np.asarray(image)[None]
        return (levels if image.mode == "F" else levels.clip(0, 65535).astype(np.uint16)), False
    has_opacity = image.has_transparency_data
    grey = image.mode in ("1", "L", "LA", "La")
    mode = ("LA" if has_opacity else "L") if grey else ("RGBA" if has_opacity else "RGB")
    return np.atleast_3d(np.asarray(image.convert(mode))).transpose(2, 0, 1), has_opacity
