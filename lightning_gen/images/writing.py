"""Write images of any bit depth and number of channels."""

from pathlib import Path
from struct import pack
from zlib import compress, crc32

import numpy as np
from PIL import Image

from lightning_gen.errors import DataError
from lightning_gen.files import atomic_write
from lightning_gen.images.decoding import PNG, Pixels

COLOR_TYPES = {1: 0, 3: 2, 4: 6}  # of PNG by the number of channels: grayscale, RGB, RGBA


def output_name(path: Path) -> Path:
    """Return the name for an image that was made from the file `path`.

    TIFF and .npy, which hold any number of channels, keep their names; others become PNG.
    """
    return path if path.suffix.lower() in (".npy", ".tif", ".tiff") else path.with_suffix(".png")


def write_image(pixels: Pixels, path: Path) -> None:
    """Write (c, h, w) uint8, uint16 or float32 without loss; `read_image` restores it.

    The extension determines the format: .npy, an array (c, h, w); .tif, an RGB page for three
    channels, else a page for each channel; .png, for 1, 3 or 4 channels, where floats in [-1, 1]
    become 16 bits.

    Raises:
        DataError: PNG does not support this number of channels, or the extension is another.
    """
    with atomic_write(path) as part:
        match path.suffix.lower():
            case ".npy":
                np.save(part, pixels)
            case ".tif" | ".tiff":
                _write_tiff(pixels, part)
            case ".png" if len(pixels) in COLOR_TYPES:
                _write_png(pixels, part)
            case ".png":
                raise DataError(
                    f"{path} cannot hold {len(pixels)} channels; translate TIFF or .npy files"
                )
            case _:
                raise DataError(f"{path} must be .npy, .tif or .png, which are lossless")


def _write_tiff(pixels: Pixels, path: Path) -> None:
    from tifffile import imwrite  # slow to import and rarely needed

    is_rgb = len(pixels) == 3
    array = pixels.transpose(1, 2, 0) if is_rgb else pixels
    imwrite(path, array, photometric="rgb" if is_rgb else "minisblack", metadata=None)


def _write_png(pixels: Pixels, path: Path) -> None:
    """Write PNG: 8 bits with PIL; 16 bits, which PIL does not write in colors, by hand."""
    c, h, w = pixels.shape
    array = pixels.transpose(1, 2, 0)
    if pixels.dtype == np.uint8:
        Image.fromarray(array.squeeze(2) if c == 1 else array).save(path)
        return
    if pixels.dtype == np.float32:
        array = ((array + 1) * 32767.5).round().clip(0, 65535)
    rows = array.astype(">u2", order="C").reshape(h, -1)
    filter_types = np.zeros((h, 1), np.uint8)  # first byte of each row: no filter
    chunks = {
        b"IHDR": pack(">2I5B", w, h, 16, COLOR_TYPES[c], 0, 0, 0),
        b"IDAT": compress(np.hstack([filter_types, rows.view(np.uint8)]).tobytes()),
        b"IEND": b"",
    }
    path.write_bytes(
        PNG
        + b"".join(
            pack(">I", len(data)) + kind + data + pack(">I", crc32(kind + data))
            for kind, data in chunks.items()
        )
    )
