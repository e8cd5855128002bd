"""Pictures of people's own: where they lie, and how any of them becomes bytes."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lightning_gen.errors import ArgumentError, DataError
from lightning_gen.images.decoding import WHITE
from lightning_gen.images.reading import files_below, is_image

Bytes = NDArray[np.uint8]


def find_images(root: str) -> dict[str, list[str]]:
    """The images' paths under the names of their class folders, sorted; or of `root` if it is flat.

    A class folder's own folders belong to it. What is hidden, or is no image by its name, is passed
    over, and so are folders without images.

    Raises:
        ArgumentError: there is no such folder, it holds no images, or it does beside class folders.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise ArgumentError("root", f"is {root!r}, but there is no such folder")
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    classes = {
        path.name: files
        for path in entries
        if path.is_dir() and (files := files_below(path, is_image))
    }
    flat = [str(path) for path in entries if path.is_file() and is_image(path.name)]
    if classes and flat:
        raise ArgumentError(
            "root",
            f"is {root!r}, which holds images, such as {Path(flat[0]).name}, beside folders of "
            f"images, such as {next(iter(classes))}: move them into a folder, too",
        )
    if not classes and not flat:
        raise ArgumentError(
            "root", f"is {root!r}, but nothing in it is an image by its name, as .png and .jpg are"
        )
    return classes or {folder.resolve().name: flat}


def read_image(path: str, size: int, channels: int) -> Bytes:
    """The image, upright and opaque, its shorter side resized to `size`: (channels, h, w).

    Transparent pixels become white. In greys of 16 or 32 bits, white is 65,535, and 1 in those of
    floats; what is above it is white, too. The first image of an animation or of several pages is
    read. Lanczos' filter resizes, without aliasing.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with Image.open(path) as file:
            file.draft(None, (2 * size, 2 * size))  # decodes a large JPEG at a fraction of its size
            image = _opaque(ImageOps.exif_transpose(file))
    except Exception as error:  # the decoders of damaged files raise whatever comes
        raise DataError(f"{path}: {error}") from error
    image = image if channels == 3 else image.convert("L")
    pixels = np.asarray(ImageOps.cover(image, (size, size), Image.Resampling.LANCZOS))
    return np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1))


def _opaque(image: Image.Image) -> Image.Image:
    """In colours, whatever the image was made of."""
    if image.mode in WHITE:
        levels = np.asarray(image, np.float32) / WHITE[image.mode]
        image = Image.fromarray((levels.clip(0, 1) * 255).round().astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
