"""Reading an image folder: any file becomes the same bytes, upright and cropped."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.functional import pil_to_tensor

from lightning_gen.datamodules.crops import crop
from lightning_gen.datamodules.image_folder import read_resized
from lightning_gen.errors import DataError
from lightning_gen.images.resizing import to_size
from lightning_gen.images.writing import write_image
from tests.conftest import picture


def read(path: Path, size: int | tuple[int, int], channels: int) -> Any:
    return read_resized(str(path), to_size(size), channels)


# Any file becomes bytes

FORMATS: dict[str, tuple[str, str, int, dict[str, Any]]] = {  # file, mode, tolerance, settings
    "PNG": ("a.png", "RGB", 0, {}),
    "palette": ("a.png", "P", 0, {}),
    "RGBA": ("a.png", "RGBA", 0, {}),
    "gray": ("a.png", "L", 0, {}),
    "gray with alpha": ("a.png", "LA", 0, {}),
    "bilevel": ("a.png", "1", 0, {}),
    "JPEG": ("a.jpg", "RGB", 12, {"quality": 95}),
    "gray JPEG": ("a.JPEG", "L", 12, {"quality": 95}),
    "CMYK JPEG": ("a.jpg", "CMYK", 12, {"quality": 95}),
    "WebP": ("a.webp", "RGB", 0, {"lossless": True}),
    "BMP": ("a.bmp", "RGB", 0, {}),
    "TIFF": ("a.tif", "RGB", 0, {}),
    "LZW TIFF": ("a.tiff", "CMYK", 0, {"compression": "tiff_lzw"}),
    "GIF": ("a.gif", "P", 0, {}),
    "another format by its name": ("a.jpg", "RGB", 0, {"format": "PNG"}),
}


@pytest.mark.parametrize("key", FORMATS)
def test_any_format_becomes_colors_or_greys(key: str, tmp_path: Path) -> None:
    name, mode, tolerance, settings = FORMATS[key]
    image = picture(0, (32, 32)).convert(mode)
    image.save(tmp_path / name, **settings)
    for channels, target in ((3, "RGB"), (1, "L")):
        pixels = read(tmp_path / name, 32, channels)
        expected = pil_to_tensor(image.convert("RGB").convert(target))
        assert pixels.dtype == np.uint8
        assert pixels.shape == expected.shape == (channels, 32, 32)
        assert np.abs(pixels.astype(int) - expected.numpy()).max() <= tolerance


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_deep_grayscale_keep_their_range(name: str, tmp_path: Path) -> None:
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    Image.fromarray(levels).save(tmp_path / name)
    assert (read(tmp_path / name, 16, 1).flatten() == range(256)).all()


def test_float_grayscale_is_black_at_0_and_white_at_1(tmp_path: Path) -> None:
    levels = np.array([[0, 0, 0.5, 1], [1, 1, 0.5, 0]] * 2, np.float32)
    Image.fromarray(levels).save(tmp_path / "a.tif")
    pixels = read(tmp_path / "a.tif", 4, 1)[0]
    assert (pixels == [[0, 0, 128, 255], [255, 255, 128, 0]] * 2).all()


@pytest.mark.parametrize(
    "wrong", [np.float32([[-0.5]]), np.float32([[200]]), np.int16([[9]])], ids=str
)
def test_pixels_without_a_known_range_raise(wrong: Any, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.tile(wrong, (4, 4)))
    with pytest.raises(DataError, match=r"a.tif: (floats must lie in|pixels must be)"):
        read(tmp_path / "a.tif", 4, 1)


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_rgb_of_16_bits_keeps_its_range(kind: str, tmp_path: Path) -> None:
    levels = np.arange(256, dtype=np.uint16).reshape(1, 16, 16).repeat(3, 0) * 257
    write_image(levels, tmp_path / f"a.{kind}")
    assert (read(tmp_path / f"a.{kind}", 16, 3) == levels // 257).all()


@pytest.mark.parametrize("name", ["a.png", "a.webp", "palette.png"])
def test_transparent_pixels_are_white(name: str, tmp_path: Path) -> None:
    image = Image.new("RGBA", (16, 16), (200, 0, 0, 255))
    image.paste((200, 0, 0, 0), (0, 0, 8, 16))
    if name == "palette.png":
        image = Image.fromarray((np.array(image)[..., 3] > 0).astype(np.uint8)).convert("P")
        image.putpalette([0, 200, 0, 200, 0, 0])
        image.info["transparency"] = 0
    image.save(tmp_path / name, **({"lossless": True} if name == "a.webp" else {}))
    pixels = read(tmp_path / name, 16, 3)
    assert (pixels[:, :, :8] == 255).all()
    assert (pixels[:, :, 8:].transpose(1, 2, 0) == (200, 0, 0)).all()


def test_half_transparent_pixels_let_white_through(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (0, 0, 0, 51)).save(tmp_path / "a.png")
    assert (read(tmp_path / "a.png", 4, 3) == 204).all()


def test_the_first_image_of_an_animation_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (read(tmp_path / "a.gif", 8, 3)[0] == 255).all()


@pytest.mark.parametrize("pages", [2, 3, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_first_of_several_pages_is_read(dtype: Any, pages: int, tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (pages, 8, 8)) * np.iinfo(dtype).max // 255
    tifffile.imwrite(tmp_path / "a.tif", levels.astype(dtype), photometric="minisblack")
    first = levels[0] * 255 // np.iinfo(dtype).max
    for channels in (1, 3):
        assert (read(tmp_path / "a.tif", 8, channels) == first).all()


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
    pixels = read(tmp_path / name, 32, 3)
    assert pixels.shape == (3, 32, 48)
    assert np.abs(pixels.astype(int) - pil_to_tensor(upright).numpy()).max() <= 12


@pytest.mark.parametrize("size", [(96, 48), (48, 144), (48, 48), (8, 16), (80, 64)])
def test_square_crops_are_torchvision_s(size: tuple[int, int], tmp_path: Path) -> None:
    image = picture(0, size)
    image.save(tmp_path / "a.png")
    reference = v2.Compose([v2.Resize(16, InterpolationMode.LANCZOS), v2.CenterCrop(16)])
    pixels = read(tmp_path / "a.png", 16, 3)
    assert (crop(pixels, (16, 16)) == pil_to_tensor(reference(image)).numpy()).all()


@pytest.mark.parametrize("size", [(96, 48), (48, 144), (8, 16), (80, 64)])
@pytest.mark.parametrize("target", [(16, 24), (24, 16)])
def test_images_cover_any_size(
    target: tuple[int, int], size: tuple[int, int], tmp_path: Path
) -> None:
    image = picture(0, size)
    image.save(tmp_path / "a.png")
    scale = max(target[1] / size[0], target[0] / size[1])
    width, height = (max(round(a * scale), b) for a, b in zip(size, target[::-1], strict=True))
    resized = pil_to_tensor(image.resize((width, height), Image.Resampling.LANCZOS)).numpy()
    top, left = (height - target[0]) // 2, (width - target[1]) // 2
    expected = resized[:, top : top + target[0], left : left + target[1]]
    assert (crop(read(tmp_path / "a.png", target, 3), target) == expected).all()


def test_a_fine_pattern_leaves_no_aliases(tmp_path: Path) -> None:
    stripes = np.tile(np.uint8([0, 255]), (128, 64))
    Image.fromarray(stripes).save(tmp_path / "a.png")
    pixels = read(tmp_path / "a.png", 24, 1)[:, :, 2:-2]
    assert np.abs(pixels.astype(int) - 127).max() <= 8


def test_a_large_jpeg_is_decoded_small_and_looks_the_same(tmp_path: Path) -> None:
    image = picture(0, (1200, 800))
    image.save(tmp_path / "a.jpg", quality=95)
    image.save(tmp_path / "a.png")
    jpeg, png = (read(tmp_path / f"a.{kind}", 32, 3) for kind in ("jpg", "png"))
    assert jpeg.shape == png.shape == (3, 32, 48)
    assert np.abs(jpeg.astype(int) - png).max() <= 6
