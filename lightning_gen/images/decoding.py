"""Decode image files of any bit depth and number of channels."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION as PHOTOMETRIC
from PIL.TiffImagePlugin import TiffImageFile
from torchvision.io import ImageReadMode, decode_image

Pixels = NDArray[Any]  # (c, h, w): uint8, uint16, or float32 in [-1, 1]

DEEP_MODES = {"I", "I;16", "I;16B", "I;16L"}  # of PIL: integers, white is 65,535
PIL_DTYPES = {np.dtype(kind) for kind in (bool, np.uint8, np.uint16, np.float32)}  # in TIFF
PNG = b"\x89PNG\r\n\x1a\n"
TIFF = {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}


def decode(
    path: Path, min_side: int | None = None, first_page: bool = False
) -> tuple[Pixels, bool]:
    """Decode an image file and turn the image upright.

    Palettes and CMYK, of 8 bits, become RGB.

    Args:
        path: path of the file.
        min_side: if given, a large JPEG may be decoded at a fraction of its size, with both sides
            at least this long.
        first_page: if True, read the first page of a TIFF file, not all pages as channels.

    Returns:
        The pixels, and ``True`` if the last channel is alpha.
    """
    with path.open("rb") as file:
        header = file.read(25)
    if header[:4] in TIFF and (decoded := _decode_tiff(path, first_page)):
        return decoded
    if header[:8] == PNG and header[24:] == b"\x10":  # 16 bits: PIL reduces colors to 8
        image = decode_image(path, ImageReadMode.UNCHANGED, apply_exif_orientation=True)
        return image.numpy(), len(image) in (2, 4)
    with Image.open(path) as file:
        if min_side:
            file.draft(None, (min_side, min_side))
        pixels, has_alpha = _to_array(ImageOps.exif_transpose(file))
        if isinstance(file, TiffImageFile) and file.mode.startswith("I;16"):
            pixels = _black_is_zero(pixels, file.tag_v2.get(PHOTOMETRIC))
        return pixels, has_alpha


def _decode_tiff(path: Path, first_page: bool) -> tuple[Pixels, bool] | None:
    """Decode a TIFF file with tifffile; return None if PIL decodes it without loss."""
    from tifffile import TiffFile  # slow to import and rarely needed

    with TiffFile(path) as file:
        page = file.pages.first
        source = page if first_page or page.samplesperpixel > 1 else file.series[0]
        channels = source.size // (page.imagelength * page.imagewidth)
        is_gray = page.photometric <= 1  # neither colors nor a palette
        if channels == 1 and page.dtype in PIL_DTYPES:
            return None
        if channels in (3, 4) and page.dtype == np.uint8 and not is_gray:
            return None
        pixels = source.asarray()
        pixels = np.moveaxis(pixels, -1, 0) if source.axes[-1] == "S" else pixels
        pixels = pixels.reshape(channels, page.imagelength, page.imagewidth)
        tag = page.tags.get("Orientation")
        has_alpha = page.extrasamples[-1:] == (2,) and page.dtype != np.float32
        colors, alpha = np.split(pixels, [channels - has_alpha])
        pixels = np.concatenate([_black_is_zero(colors, page.photometric), alpha])
        return _upright(pixels, tag.value if tag else 1), has_alpha


def _black_is_zero(pixels: Pixels, photometric: int | None) -> Pixels:
    """Invert pixels of TIFF with the photometric interpretation 0, WhiteIsZero."""
    return ~pixels if photometric == 0 and pixels.dtype.kind in "bu" else pixels


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo an orientation of EXIF or TIFF, 1 to 8."""
    if orientation > 4:
        pixels = pixels.swapaxes(1, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[:, ::-1]
    return pixels[..., ::-1] if orientation in (2, 3, 6, 7) else pixels


def _to_array(image: Image.Image) -> tuple[Pixels, bool]:
    if image.mode == "F":
        return np.asarray(image)[None], False
    if image.mode in DEEP_MODES:
        levels = np.asarray(image)[None]
        if levels.size and not 0 <= levels.min() <= levels.max() <= 65535:
            low, high = levels.min(), levels.max()
            raise ValueError(f"integers must lie in [0, 65535], but range from {low} to {high}")
        return levels.astype(np.uint16), False
    has_alpha = image.has_transparency_data
    is_gray = image.mode in ("1", "L", "LA", "La")
    mode = ("LA" if has_alpha else "L") if is_gray else ("RGBA" if has_alpha else "RGB")
    return np.atleast_3d(np.asarray(image.convert(mode))).transpose(2, 0, 1), has_alpha
