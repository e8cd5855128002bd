"""Reading images in the bit depth and with the channels of their files."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from lightning_gen.datamodules.image_folder import read_resized
from lightning_gen.errors import DataError
from lightning_gen.images.reading import files_below, is_readable, read_image
from lightning_gen.types import to_images, to_pixels
from tests.conftest import picture
from tests.test_image_files import BACK, FORMATS


def deep(channels: int, shape: tuple[int, int] = (5, 7)) -> Any:
    """Random pixels (c, h, w) of 16 bits."""
    return np.random.default_rng(0).integers(0, 65536, (channels, *shape), dtype=np.uint16)


def write_png(path: Path, pixels: Any, exif: bytes = b"") -> None:
    """Write a 16-bit PNG by its specification; PIL does not write 16-bit RGB."""
    c, h, w = pixels.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[c]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels.transpose(1, 2, 0))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", w, h, 16, kind, 0, 0, 0))]
    chunks += [(b"eXIf", exif)] if exif else []
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks
        )
    )


@pytest.mark.parametrize("key", FORMATS)
def test_bytes_are_pil_s(key: str, tmp_path: Path) -> None:
    name, mode, tolerance, settings = FORMATS[key]
    image = picture(0, (32, 32)).convert(mode)
    image.save(tmp_path / name, **settings)
    own = "L" if mode in ("1", "L", "LA") else "RGB"
    for channels, target in ((None, own), (1, "L"), (3, "RGB")):
        expected = np.atleast_3d(np.asarray(image.convert(own).convert(target))).transpose(2, 0, 1)
        pixels = read_image(tmp_path / name, channels)
        assert pixels.dtype == np.uint8
        assert pixels.shape == expected.shape
        assert np.abs(pixels.astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_of_16_bits_keeps_them(channels: int, tmp_path: Path) -> None:
    pixels = deep(channels)
    write_png(tmp_path / "a.png", pixels)
    read = read_image(tmp_path / "a.png", channels)
    assert read.dtype == np.uint16
    assert (read == pixels).all()
    assert len(read_image(tmp_path / "a.png")) == (1 if channels < 3 else 3)  # no alpha


TIFFS: dict[str, dict[str, Any]] = {
    "bands": {"photometric": "minisblack"},
    "planes": {"photometric": "minisblack", "planarconfig": "separate"},
    "deflated": {"photometric": "minisblack", "compression": "zlib", "predictor": True},
    "big endian": {"photometric": "minisblack", "byteorder": ">"},
    "BigTIFF": {"photometric": "minisblack", "bigtiff": True},
}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("key", TIFFS)
def test_tiff_keeps_depth_and_channels(key: str, channels: int, dtype: Any, tmp_path: Path) -> None:
    pixels = (np.random.default_rng(0).random((channels, 6, 9)) * 250).astype(dtype)
    pixels = pixels / 250 if dtype is np.float32 else pixels
    separate = channels > 1 and TIFFS[key].get("planarconfig") == "separate"
    if dtype is np.float32 and "predictor" in TIFFS[key]:
        pytest.skip("needs imagecodecs")
    flags = {k: v for k, v in TIFFS[key].items() if k != "planarconfig"}
    if channels > 1:
        flags["planarconfig"] = "separate" if separate else "contig"
    array = pixels if separate else pixels.transpose(1, 2, 0)
    tifffile.imwrite(tmp_path / "a.tif", array, **flags)
    read = read_image(tmp_path / "a.tif")
    assert read.dtype == dtype
    assert np.array_equal(read, pixels)


def test_pages_of_one_channel_are_channels(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", deep(7), photometric="minisblack")
    assert (read_image(tmp_path / "a.tif") == deep(7)).all()


def test_the_first_of_several_pages_in_colors_is_read(tmp_path: Path) -> None:
    for pixels in (deep(6), deep(6).astype(np.uint8)):
        pages = pixels.reshape(2, 3, 5, 7).transpose(0, 2, 3, 1)
        tifffile.imwrite(tmp_path / "a.tif", pages, photometric="rgb")
        assert (read_image(tmp_path / "a.tif") == pixels[:3]).all()


@pytest.mark.parametrize("orientation", BACK)
@pytest.mark.parametrize("name", ["a.png", "a.tif", "deep.png", "deep.tif", "bands.tif"])
def test_images_of_any_depth_are_turned_upright(
    orientation: int, name: str, tmp_path: Path
) -> None:
    upright, exif = picture(0, (9, 6)), Image.Exif()
    exif[0x0112] = orientation
    turned = np.asarray(upright.transpose(BACK[orientation])).transpose(2, 0, 1)
    expected = np.asarray(upright).transpose(2, 0, 1)
    if name == "deep.png":
        write_png(tmp_path / name, turned.astype(np.uint16) * 257, exif.tobytes()[6:])
        expected = expected.astype(np.uint16) * 257
    elif name.endswith("tif"):
        depth = np.uint16 if name == "deep.tif" else np.uint8
        flags: dict[str, Any] = {"photometric": "minisblack" if name == "bands.tif" else "rgb"}
        flags |= {"extratags": [(274, 3, 1, orientation, True)], "planarconfig": "contig"}
        tifffile.imwrite(tmp_path / name, turned.transpose(1, 2, 0).astype(depth), **flags)
    else:
        upright.transpose(BACK[orientation]).save(tmp_path / name, exif=exif)
    assert np.array_equal(read_image(tmp_path / name), expected)


# Channels


def test_alpha_is_a_channel_on_request(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png", 4) == pixels.transpose(2, 0, 1)).all()
    white = read_resized(str(tmp_path / "a.png"), (6, 6), 3).astype(int)
    assert np.abs(read_image(tmp_path / "a.png") - white).max() <= 1
    assert np.abs(read_image(tmp_path / "a.png", 3) - white).max() <= 1
    Image.fromarray(pixels[..., :3]).save(tmp_path / "b.png")
    opaque = read_image(tmp_path / "b.png", 4)
    assert (opaque[:3] == pixels[..., :3].transpose(2, 0, 1)).all()
    assert (opaque[3] == 255).all()


def test_deep_pixels_on_white_are_a_blend(tmp_path: Path) -> None:
    pixels = deep(4)
    write_png(tmp_path / "a.png", pixels)
    c, a = pixels[:3] / 65535, pixels[3:] / 65535
    expected = (c * a + 1 - a) * 65535
    assert np.abs(read_image(tmp_path / "a.png") - expected).max() <= 0.5001


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_grayscale_and_colors_are_converted(channels: int, tmp_path: Path) -> None:
    gray, colors = deep(1), deep(3)
    np.save(tmp_path / "gray.npy", gray)
    np.save(tmp_path / "colors.npy", colors)
    of_gray = read_image(tmp_path / "gray.npy", channels)
    of_colors = read_image(tmp_path / "colors.npy", channels)
    luma = np.tensordot([0.299, 0.587, 0.114], colors.astype(float), 1)
    assert of_gray.shape == of_colors.shape == (channels, 5, 7)
    assert (of_gray[: channels if channels % 2 else channels - 1] == gray).all()
    if channels > 2:
        assert (of_colors[:3] == colors).all()
    else:
        assert np.abs(of_colors[0] - luma).max() < 1.5
    if channels in (2, 4):
        assert (of_gray[-1] == 65535).all()
        assert (of_colors[-1] == 65535).all()


# Arrays


@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "bool", "float16", "float64"])
def test_arrays_keep_their_range(dtype: str, tmp_path: Path) -> None:
    array = (np.arange(7 * 9 * 8).reshape(7, 9, 8) % 2).astype(dtype)
    np.save(tmp_path / "a.npy", array)
    pixels = read_image(tmp_path / "a.npy")
    kind = "uint8" if dtype == "bool" else "float32" if "float" in dtype else "uint16"
    assert pixels.dtype == ("uint8" if dtype == "uint8" else kind)
    assert (pixels == array * (255 if dtype == "bool" else 1)).all()


def test_an_array_s_channels_are_its_shorter_axis(tmp_path: Path) -> None:
    for shape, channels, expected in (
        ((5, 6), None, (1, 5, 6)),
        ((5, 6, 4), None, (4, 5, 6)),
        ((4, 5, 6), None, (4, 5, 6)),
        ((4, 5, 4), None, (4, 5, 4)),
        ((1, 50, 3), None, (1, 50, 3)),
        ((1, 50, 3), 3, (3, 1, 50)),
        ((7, 5, 3), 7, (7, 5, 3)),
    ):
        np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
        assert read_image(tmp_path / "a.npy", channels).shape == expected


# Errors


WRONG: dict[str, tuple[Any, str]] = {
    "no file.png": (None, "No such file"),
    "text.png": (b"no image", "cannot identify image file"),
    "cut.npy": (b"\x93NUMPY", "read"),
    "text.tif": (b"II*\0no image", "damaged"),
    "pickle.npy": (np.array([{}]), "allow_pickle"),
    "line.npy": (np.zeros(3, np.uint8), r"must be \(h, w\)"),
    "empty.npy": (np.zeros((0, 3), np.uint8), "no pixels"),
    "far.npy": (np.array([[0, 1.5]]), r"in \[-1, 1\], but range from 0 to 1.5"),
    "nan.npy": (np.array([[0, np.nan]]), r"in \[-1, 1\]"),
    "int.npy": (np.zeros((2, 2), np.int64), "are int64"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    content, message = WRONG[name]
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    elif content is not None:
        np.save(tmp_path / name, content)
    with pytest.raises(DataError, match=f"{name}: .*{message}"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint32])
def test_integers_without_a_range_are_refused(dtype: Any, channels: int, tmp_path: Path) -> None:
    array = np.full((9, 8, channels), 100, dtype)
    kind = "rgb" if channels == 3 else "minisblack"
    tifffile.imwrite(tmp_path / "a.tif", array.squeeze(), photometric=kind)
    with pytest.raises(DataError, match=f"must be uint8, uint16 or float, but are {array.dtype}"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("pages", [1, 2])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_may_be_zero(dtype: Any, pages: int, tmp_path: Path) -> None:
    zeros = np.zeros((pages, 9, 8), dtype)
    tifffile.imwrite(tmp_path / "a.tif", zeros, photometric="miniswhite")
    assert (read_image(tmp_path / "a.tif") == np.iinfo(dtype).max).all()


def test_white_may_be_zero_beside_alpha(tmp_path: Path) -> None:
    array = np.full((9, 8, 2), 65535, np.uint16)  # black, and opaque
    flags = {"photometric": "miniswhite", "extrasamples": ["unassalpha"], "planarconfig": "contig"}
    tifffile.imwrite(tmp_path / "a.tif", array, **flags)
    assert not read_image(tmp_path / "a.tif").any()


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif", "deep.png", "bands.tif"])
def test_a_file_cut_short_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "deep.png":
        write_png(path, deep(3, (50, 50)))
    elif name == "bands.tif":
        tifffile.imwrite(path, deep(7, (50, 50)), photometric="minisblack")
    else:
        Image.fromarray(deep(3, (50, 50)).astype(np.uint8).transpose(1, 2, 0)).save(path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match=name):
        read_image(path)


@pytest.mark.parametrize(("own", "other"), [(7, 3), (7, 6), (3, 7), (1, 5)])
def test_other_channels_are_refused(own: int, other: int, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", deep(own, (9, 8)))
    with pytest.raises(DataError, match=f"a.npy: it has {own} channels, not {other}"):
        read_image(tmp_path / "a.npy", other)


# Depth


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_pixels_of_a_depth_survive_the_way_to_images_and_back(dtype: torch.dtype) -> None:
    levels = torch.arange(torch.iinfo(dtype).max + 1)
    x = to_images(levels.to(dtype).view(-1, 1, 1, 16))
    assert x.min() == -1
    assert 0 <= 1 - x.max() < 2e-7
    assert torch.equal(to_pixels(x, dtype).flatten().long(), levels)
    assert to_pixels(torch.tensor([-1.7, 1.7]), dtype).tolist() == [0, len(levels) - 1]


def test_floats_are_images() -> None:
    x = torch.rand(1, 1, 2, 2)
    assert torch.equal(to_images(x), x)
    assert torch.equal(to_pixels(x, torch.float32), x)


def test_images_are_found_by_their_names(tmp_path: Path) -> None:
    names = ["b/c.TIF", "a.npy", "d.jpeg", ".e.png", ".f/g.png", "h.txt", "i.svg"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [str(Path(path).relative_to(tmp_path)) for path in files_below(tmp_path)]
    assert found == ["a.npy", "b/c.TIF", "d.jpeg"]
    assert not is_readable(".npy")


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    names = ["a.png", "x/b.png", "y/c.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for link, place in {"self": ".", "x/y": "../y", "y/x": "../x"}.items():
        (tmp_path / link).symlink_to(place, target_is_directory=True)
    found = [str(Path(path).relative_to(tmp_path)) for path in files_below(tmp_path)]
    assert found == ["a.png", "x/b.png", "x/y/c.png", "y/c.png", "y/x/b.png"]
