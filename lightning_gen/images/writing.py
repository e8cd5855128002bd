"""Picture files of any depth, and any number of channels: how they are written."""

from pathlib import Path
from struct import pack
from zlib import compress, crc32

import numpy as np
from PIL import Image

from lightning_gen.errors import DataError
from lightning_gen.files import atomic_write
from lightning_gen.images.decoding import Pixels

COLOURS = {1: 0, 3: 2, 4: 6}  # PNG's types of grey, colours, colours with opacity


def output_name(path: Path) -> Path:
    """The name under which a picture that was read from `path` is written.

    TIFF and .npy, which hold any number of channels, stay what they are; all else becomes PNG.
    """
    return path if path.suffix.lower() in (".npy", ".tif", ".tiff") else path.with_suffix(".png")


def write_image(pixels: Pixels, path: Path) -> None:
    """Write (c, h, w) uint8, uint16 or float32, without loss; `read_image` gives it back.

    The suffix tells the format: .npy, an array (c, h, w); .tif, a page of colours if there are
    three channels, else a page for each; .png, of 1, 3 or 4 channels, where floats in [-1, 1]
    become 16 bits.

    Raises:
        DataError: PNG does not hold so many channels, or the suffix is another.
    """
    with atomic_write(path) as part:
        match path.suffix.lower():
            case ".npy":
                np.save(part, pixels)
            case ".tif" | ".tiff":
                _write_tiff(pixels, part)
            case ".png" if len(pixels) in COLOURS:
                _write_png(pixels, part)
            case ".png":
                raise DataError(
                    f"{path} cannot hold {len(pixels)} channels: translate TIFF or .npy files"
                )
            case _:
                raise DataError(f"{path} must be .npy, .tif or .png, which lose nothing")


def _write_tiff(pixels: Pixels, path: Path) -> None:
    from tifffile import imwrite  # slow to import, and seldom needed

    colours = len(pixels) == 3
    array = pixels.transpose(1, 2, 0) if colours else pixels
    imwrite(path, array, photometric="rgb" if colours else "minisblack", metadata=None)


def _write_png(pixels: Pixels, path: Path) -> None:
    """By PIL or, which it does not do, in 16 bits."""
    c, h, w = pixels.shape
    array = pixels.transpose(1, 2, 0)
    if pixels.dtype == np.uint8:
        Image.fromarray(array.squeeze(2) if c == 1 else array).save(path)
        return
    if pixels.dtype == np.float32:
        array = ((array + 1) * 32767.5).round().clip(0, 65535)
    rows = array.astype(">u2", order="C").reshape(h, -1)
    unfiltered = np.zeros((h, 1), np.uint8)  # PNG's first byte of each row
    chunks = {
        b"IHDR": pack(">2I5B", w, h, 16, COLOURS[c], 0, 0, 0),
        b"IDAT": compress(np.hstack([unfiltered, rows.view(np.uint8)]).tobytes()),
        b"IEND": b"",
    }
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            pack(">I", len(data)) + kind + data + pack(">I", crc32(kind + data))
            for kind, data in chunks.items()
        )
    )
