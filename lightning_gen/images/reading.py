"""Picture files of any depth, and any number of channels: where they lie, and what is in them."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from lightning_gen.errors import DataError
from lightning_gen.images.decoding import Pixels, decode

FOREIGN = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}  # PIL names them, others must read them
LUMA = 19595, 38470, 7471  # of red, green and blue, ITU-R 601-2, in 65,536ths as PIL has them


def is_image(name: str) -> bool:
    """Whether PIL reads files of this name."""
    kind = Image.registered_extensions().get(Path(name).suffix.lower())
    return kind in Image.OPEN and kind not in FOREIGN and not name.startswith(".")


def is_readable(name: str) -> bool:
    """Whether `read_image` reads files of this name: what PIL reads, and .npy."""
    return is_image(name) or (name.lower().endswith(".npy") and not name.startswith("."))


def files_below(folder: Path, wanted: Callable[[str], bool] = is_readable) -> list[str]:
    """The paths of all files in a folder and in its own whose names are wanted, sorted.

    Links are followed, but not to a folder that they lie in.
    """
    found: list[str] = []
    within: dict[str, frozenset[str]] = {}  # the real places of each folder and of those above it
    for parent, folders, names in os.walk(folder, followlinks=True):
        above, place = within.get(os.path.dirname(parent), frozenset()), os.path.realpath(parent)
        if place in above:
            folders.clear()
            continue
        within[parent] = above | {place}
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(parent, name) for name in names if wanted(name)]
    return sorted(found)


def files_by_name(paths: Iterable[str], folder: Path) -> dict[str, str]:
    """These files in a folder, by their names without endings.

    Raises:
        DataError: two have one name.
    """
    names: dict[str, str] = {}
    for path in paths:
        name = Path(path).relative_to(folder).with_suffix("").as_posix()
        if name in names:
            raise DataError(f"{names[name]} and {path} have one name: rename or remove one")
        names[name] = path
    return names


def read_image(path: str | Path, channels: int | None = None) -> Pixels:
    """The picture in the depth of its file, upright: (c, h, w) uint8, uint16, or float32.

    - What PIL reads, 16 bits in colours, TIFF of any number of channels (one-channel pages of one
      size are channels, too; of other files, the first image counts), and .npy: (h, w), (h, w, c)
      or (c, h, w), where c is the smaller of first and last, unless `channels` is the other one.
    - Bilevel pictures, and boolean arrays, are black and white; palettes and CMYK of 8 bits become
      colours.
    - Floats are taken as they are and must lie in [-1, 1], as those of images do.

    Args:
        path: of the file.
        channels: as the file has them by default, transparency aside: what is transparent becomes
            white. 1 makes greys of colours, 3 colours of greys; 2 and 4 have opacity besides.
            Any other number must be the file's own.

    Raises:
        DataError: the file cannot be read, or has other channels; it is named.
    """
    try:
        if str(path).lower().endswith(".npy"):
            pixels, has_opacity = _of_array(np.load(path, allow_pickle=False), channels), False
        else:
            pixels, has_opacity = decode(Path(path))
        return np.ascontiguousarray(_with_channels(_checked(pixels), has_opacity, channels))
    except Exception as error:  # the decoders of damaged files raise whatever comes
        told = isinstance(error, OSError | ValueError | Image.DecompressionBombError)
        raise DataError(f"{path}: {error if told else f'damaged ({error!r})'}") from error


def _of_array(array: Pixels, channels: int | None) -> Pixels:
    if array.ndim == 2:
        return array[None]
    if array.ndim != 3:
        raise ValueError(f"an array must be (h, w), (h, w, c) or (c, h, w), but is {array.shape}")
    first, last = len(array), array.shape[-1]
    if last == channels != first or (last < first and first != channels):
        return array.transpose(2, 0, 1)
    return array


def _checked(pixels: Pixels) -> Pixels:
    if not pixels.size:
        raise ValueError("there are no pixels in it")
    if pixels.dtype == bool:
        return pixels * np.uint8(255)
    if pixels.dtype.kind == "f":
        if not (np.abs(pixels) <= 1).all():  # nor if one is no number
            low, high = pixels.min(), pixels.max()
            raise ValueError(f"floats must lie in [-1, 1], but are from {low:g} to {high:g}")
        return pixels.astype(np.float32)
    if pixels.dtype.kind != "u" or pixels.itemsize > 2:
        raise ValueError(f"pixels must be uint8, uint16 or float, but are {pixels.dtype}")
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _with_channels(pixels: Pixels, has_opacity: bool, channels: int | None) -> Pixels:
    if len(pixels) == channels:
        return pixels
    white = 1 if pixels.dtype == np.float32 else np.iinfo(pixels.dtype).max
    colours, opacity = pixels, np.full_like(pixels[:1], white)
    if has_opacity:
        colours, opacity = pixels[:-1], pixels[-1:]
        if channels not in (2, 4):
            colours = _on_white(colours, opacity, white)
    if channels is None or len(colours) == channels:
        return colours
    if len(colours) not in (1, 3) or channels not in (1, 2, 3, 4):
        raise ValueError(f"it has {len(pixels)} channels, not {channels}")
    colours = _greys(colours) if channels < 3 else np.broadcast_to(colours, (3, *colours.shape[1:]))
    return colours if channels in (1, 3) else np.concatenate([colours, opacity])


def _on_white(colours: Pixels, opacity: Pixels, white: int) -> Pixels:
    c, a = colours.astype(np.uint32), opacity.astype(np.uint32)
    return ((c * a + white * (white - a) + white // 2) // white).astype(colours.dtype)


def _greys(colours: Pixels) -> Pixels:
    if len(colours) == 1:
        return colours
    if colours.dtype == np.float32:
        return np.tensordot(np.array(LUMA, np.float32) / 65536, colours, 1)[None]
    r, g, b = colours.astype(np.uint32)
    return ((r * LUMA[0] + g * LUMA[1] + b * LUMA[2] + 32768) >> 16).astype(colours.dtype)[None]
