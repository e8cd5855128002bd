"""Find image files, and read them in any bit depth and number of channels."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from lightning_gen.errors import DataError
from lightning_gen.images.decoding import Pixels, decode

# formats that PIL registers, but writes only or reads only with further software
UNREADABLE = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "PALM", "PDF", "WMF"}
LUMA = 19595, 38470, 7471  # weights of red, green and blue in 65,536ths: ITU-R 601-2, as in PIL


def is_hidden(name: str) -> bool:
    """Return True for names of files and folders that operating systems hide."""
    return name.startswith(".") or name in ("__MACOSX", "@eaDir")


def is_image(name: str) -> bool:
    """Return True if PIL reads files with the extension of this name."""
    kind = Image.registered_extensions().get(Path(name).suffix.lower())
    return kind is not None and kind not in UNREADABLE and not name.startswith(".")


def is_readable(name: str) -> bool:
    """Return True if `read_image` reads files with this extension: those of PIL, and .npy."""
    return is_image(name) or (name.lower().endswith(".npy") and not name.startswith("."))


def files_below(folder: Path, wanted: Callable[[str], bool] = is_readable) -> list[str]:
    """Return the sorted paths of the files in a folder and its subfolders with wanted names.

    Symbolic links are followed, except to a folder above the link.
    """
    found: list[str] = []
    ancestors: dict[str, frozenset[str]] = {}  # real paths of each folder and of those above it
    for parent, folders, names in os.walk(folder, followlinks=True):
        above, real = ancestors.get(os.path.dirname(parent), frozenset()), os.path.realpath(parent)
        if real in above:
            folders.clear()
            continue
        ancestors[parent] = above | {real}
        folders[:] = [name for name in folders if not is_hidden(name)]
        found += [os.path.join(parent, name) for name in names if wanted(name)]
    return sorted(found)


def subfolders(folder: Path) -> list[Path]:
    """Return the sorted paths of the folders in a folder, without hidden ones."""
    with os.scandir(folder) as entries:
        return sorted(Path(x.path) for x in entries if not is_hidden(x.name) and x.is_dir())


def files_by_name(paths: Iterable[str], folder: Path) -> dict[str, str]:
    """Map names in a folder, without extensions, to paths.

    Raises:
        DataError: two files have the same name.
    """
    names: dict[str, str] = {}
    for path in paths:
        name = Path(path).relative_to(folder).with_suffix("").as_posix()
        if name in names:
            raise DataError(f"{names[name]} and {path} have the same name; rename or remove one")
        names[name] = path
    return names


def read_image(
    path: str | Path,
    channels: int | None = None,
    min_side: int | None = None,
    first_page: bool = False,
) -> Pixels:
    """Read an image in the bit depth of its file: upright, (c, h, w) uint8, uint16 or float32.

    - Formats: those of PIL, with 16 bits in colors, too; TIFF with any number of channels, where
      grayscale pages of one size are channels; and .npy arrays, (h, w), (h, w, c) or (c, h, w),
      where c is the smaller of the first and the last dimension unless `channels` is the other.
      The first image of an animation is read.
    - Bilevel images and boolean arrays become black and white; palettes and CMYK become RGB.
    - Floats must lie in [-1, 1]. Whether 0 or -1 is black depends on the data set: see
      `has_unit_floats`.

    Args:
        path: path of the file.
        channels: number of channels; by default that of the file without alpha, blended with
            white. 1 converts to grayscale, 3 to RGB, 2 and 4 to the same with alpha; any other
            number must be that of the file.
        min_side: if given, a large JPEG may be decoded at a fraction of its size, with both sides
            at least this long.
        first_page: if True, read the first page of a TIFF file, not all pages as channels.

    Raises:
        DataError: the file cannot be read or has another number of channels.
    """
    try:
        if str(path).lower().endswith(".npy"):
            pixels, has_alpha = _channels_first(np.load(path, allow_pickle=False), channels), False
        else:
            pixels, has_alpha = decode(Path(path), min_side, first_page)
        return np.ascontiguousarray(_convert(_checked(pixels), has_alpha, channels))
    except Exception as error:  # decoders raise all sorts of errors on damaged files
        is_clear = isinstance(error, OSError | ValueError | Image.DecompressionBombError)
        raise DataError(f"{path}: {error if is_clear else f'damaged ({error!r})'}") from error


def require_unit_floats(pixels: Pixels, path: str) -> None:
    """Raise if the floats of this file are not in [0, 1].

    Raises:
        DataError: a pixel is negative.
    """
    if pixels.min() < 0:
        low = pixels.min()
        raise DataError(
            f"{path}: floats must lie in [0, 1], as in the other images, but the lowest is {low:g}"
        )


def _channels_first(array: Pixels, channels: int | None) -> Pixels:
    if array.ndim == 2:
        return array[None]
    if array.ndim != 3:
        raise ValueError(f"shape must be (h, w), (h, w, c) or (c, h, w), but is {array.shape}")
    first, last = len(array), array.shape[-1]
    if last == channels != first or (last < first and first != channels):
        return array.transpose(2, 0, 1)
    return array


def _checked(pixels: Pixels) -> Pixels:
    if not pixels.size:
        raise ValueError("it has no pixels")
    if pixels.dtype == bool:
        return pixels * np.uint8(255)
    if pixels.dtype.kind == "f":
        if not (np.abs(pixels) <= 1).all():  # NaN fails, too
            low, high = pixels.min(), pixels.max()
            raise ValueError(
                f"floats must lie in [0, 1] or in [-1, 1], but range from {low:g} to {high:g}"
            )
        return pixels.astype(np.float32)
    if pixels.dtype.kind != "u" or pixels.itemsize > 2:
        span = f", from {pixels.min()} to {pixels.max()}" if pixels.dtype.kind in "iu" else ""
        raise ValueError(f"pixels must be uint8, uint16 or float, but are {pixels.dtype}{span}")
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _convert(pixels: Pixels, has_alpha: bool, channels: int | None) -> Pixels:
    if len(pixels) == channels:
        return pixels
    white = 1 if pixels.dtype == np.float32 else np.iinfo(pixels.dtype).max
    colors, alpha = pixels, np.full_like(pixels[:1], white)
    if has_alpha:
        colors, alpha = pixels[:-1], pixels[-1:]
        if channels not in (2, 4):
            colors = _on_white(colors, alpha, white)
    if channels is None or len(colors) == channels:
        return colors
    if len(colors) not in (1, 3) or channels not in (1, 2, 3, 4):
        raise ValueError(f"it has {len(pixels)} channels, not {channels}")
    colors = _grayscale(colors) if channels < 3 else np.broadcast_to(colors, (3, *colors.shape[1:]))
    return colors if channels in (1, 3) else np.concatenate([colors, alpha])


def _on_white(colors: Pixels, alpha: Pixels, white: int) -> Pixels:
    c, a = colors.astype(np.uint32), alpha.astype(np.uint32)
    return ((c * a + white * (white - a) + white // 2) // white).astype(colors.dtype)


def _grayscale(colors: Pixels) -> Pixels:
    if len(colors) == 1:
        return colors
    if colors.dtype == np.float32:
        return np.tensordot(np.array(LUMA, np.float32) / 65536, colors, 1)[None]
    r, g, b = colors.astype(np.uint32)
    return ((r * LUMA[0] + g * LUMA[1] + b * LUMA[2] + 32768) >> 16).astype(colors.dtype)[None]
