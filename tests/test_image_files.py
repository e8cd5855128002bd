"""Laws of reading people's own pictures: any file becomes the same bytes, upright and square."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.functional import pil_to_tensor

from lightning_gen.datamodules.crops import cut
from lightning_gen.datamodules.image_files import read_image
from tests.conftest import picture

# Any file becomes bytes


FORMATS: dict[str, tuple[str, str, int, dict[str, Any]]] = {  # file, mode, tolerance, settings
    "PNG": ("a.png", "RGB", 0, {}),
    "palette": ("a.png", "P", 0, {}),
    "RGBA": ("a.png", "RGBA", 0, {}),
    "grey": ("a.png", "L", 0, {}),
    "grey with alpha": ("a.png", "LA", 0, {}),
    "bilevel": ("a.png", "1", 0, {}),
    "JPEG": ("a.jpg", "RGB", 12, {"quality": 95}),
    "grey JPEG": ("a.JPEG", "L", 12, {"quality": 95}),
    "CMYK JPEG": ("a.jpg", "CMYK", 12, {"quality": 95}),
    "WebP": ("a.webp", "RGB", 0, {"lossless": True}),
    "BMP": ("a.bmp", "RGB", 0, {}),
    "TIFF": ("a.tif", "RGB", 0, {}),
    "LZW TIFF": ("a.tiff", "CMYK", 0, {"compression": "tiff_lzw"}),
    "GIF": ("a.gif", "P", 0, {}),
    "another format by its name": ("a.jpg", "RGB", 0, {"format": "PNG"}),
}


@pytest.mark.parametrize("key", FORMATS)
def test_any_format_becomes_colours_or_greys(key: str, tmp_path: Path) -> None:
    name, mode, tolerance, settings = FORMATS[key]
    image = picture(0, (32, 32)).convert(mode)
    image.save(tmp_path / name, **settings)
    for channels, target in ((3, "RGB"), (1, "L")):
        pixels = read_image(str(tmp_path / name), 32, channels)
        expected = pil_to_tensor(image.convert("RGB").convert(target))
        assert pixels.dtype == np.uint8
        assert pixels.shape == expected.shape == (channels, 32, 32)
        assert np.abs(pixels.astype(int) - expected.numpy()).max() <= tolerance


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_deep_greys_keep_their_range(name: str, tmp_path: Path) -> None:
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    Image.fromarray(levels).save(tmp_path / name)
    assert (read_image(str(tmp_path / name), 16, 1).flatten() == range(256)).all()


def test_float_greys_are_white_at_1_and_above(tmp_path: Path) -> None:
    levels = np.array([[-1, 0, 0.5, 1], [2, 1, 0.5, 0]] * 2, np.float32)
    Image.fromarray(levels).save(tmp_path / "a.tif")
    pixels = read_image(str(tmp_path / "a.tif"), 4, 1)[0]
    assert (pixels == [[0, 0, 128, 255], [255, 255, 128, 0]] * 2).all()


@pytest.mark.parametrize("name", ["a.png", "a.webp", "palette.png"])
def test_transparent_pixels_are_white(name: str, tmp_path: Path) -> None:
    image = Image.new("RGBA", (16, 16), (200, 0, 0, 255))
    image.paste((200, 0, 0, 0), (0, 0, 8, 16))
    if name == "palette.png":
        image = Image.fromarray((np.array(image)[..., 3] > 0).astype(np.uint8)).convert("P")
        image.putpalette([0, 200, 0, 200, 0, 0])
        image.info["transparency"] = 0
    image.save(tmp_path / name, **({"lossless": True} if name == "a.webp" else {}))
    pixels = read_image(str(tmp_path / name), 16, 3)
    assert (pixels[:, :, :8] == 255).all()
    assert (pixels[:, :, 8:].transpose(1, 2, 0) == (200, 0, 0)).all()


def test_half_transparent_pixels_let_white_through(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (0, 0, 0, 51)).save(tmp_path / "a.png")
    assert (read_image(str(tmp_path / "a.png"), 4, 3) == 204).all()


def test_the_first_image_of_an_animation_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (read_image(str(tmp_path / "a.gif"), 8, 3)[0] == 255).all()


T = Image.Transpose
BACK = {  # what undoes each orientation of EXIF
    2: T.FLIP_LEFT_RIGHT,
    3: T.ROTATE_180,
    4: T.FLIP_TOP_BOTTOM,
    5: T.TRANSPOSE,
    6: T.ROTATE_90,
    7: T.TRANSVERSE,
    8: T.ROTATE_270,
}


@pytest.mark.parametrize("orientation", BACK)
@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_images_are_turned_upright(orientation: int, name: str, tmp_path: Path) -> None:
    upright, exif = picture(0, (48, 32)), Image.Exif()
    exif[0x0112] = orientation
    upright.transpose(BACK[orientation]).save(tmp_path / name, exif=exif, quality=95)
    pixels = read_image(str(tmp_path / name), 32, 3)
    assert pixels.shape == (3, 32, 48)
    assert np.abs(pixels.astype(int) - pil_to_tensor(upright).numpy()).max() <= 12


@pytest.mark.parametrize("size", [(96, 48), (48, 144), (48, 48), (8, 16), (80, 64)])
def test_squares_are_torchvision_s(size: tuple[int, int], tmp_path: Path) -> None:
    image = picture(0, size)
    image.save(tmp_path / "a.png")
    reference = v2.Compose([v2.Resize(16, InterpolationMode.LANCZOS), v2.CenterCrop(16)])
    pixels = read_image(str(tmp_path / "a.png"), 16, 3)
    assert (cut(pixels, 16) == pil_to_tensor(reference(image)).numpy()).all()


def test_a_fine_pattern_leaves_no_aliases(tmp_path: Path) -> None:
    stripes = np.tile(np.uint8([0, 255]), (128, 64))
    Image.fromarray(stripes).save(tmp_path / "a.png")
    pixels = read_image(str(tmp_path / "a.png"), 24, 1)[:, :, 2:-2]
    assert np.abs(pixels.astype(int) - 127).max() <= 8


def test_a_large_jpeg_is_decoded_small_and_looks_the_same(tmp_path: Path) -> None:
    image = picture(0, (1200, 800))
    image.save(tmp_path / "a.jpg", quality=95)
    image.save(tmp_path / "a.png")
    jpeg, png = (read_image(str(tmp_path / f"a.{kind}"), 32, 3) for kind in ("jpg", "png"))
    assert jpeg.shape == png.shape == (3, 32, 48)
    assert np.abs(jpeg.astype(int) - png).max() <= 6
