"""Tiled translation, and written images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as f

from lightning_gen.errors import ArgumentError, DataError
from lightning_gen.images.reading import read_image
from lightning_gen.images.tiling import translate_tiled
from lightning_gen.images.writing import output_name, write_image

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")
SIZES = [(1, 5000), (1000, 1), (1, 1), (7, 9), (64, 64), (65, 64), (63, 500), (200, 131)]


def picture(h: int, w: int, channels: int = 3) -> Tensor:
    return torch.rand(2, channels, h, w) * 2 - 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("multiple", [1, 4, 48])
def test_a_pointwise_map_comes_out_to_the_bit(size: tuple[int, int], multiple: int) -> None:
    seen = []

    def G(x: Tensor) -> Tensor:
        seen.append(x.shape[2:])
        return x[:, :1].tanh() * x[:, 1:2]

    x = picture(*size)
    y = translate_tiled(G, x, multiple, tile=64, overlap=16)
    assert y.shape == (2, 1, *size)
    assert torch.equal(y, x[:, :1].tanh() * x[:, 1:2])
    assert all(side % multiple == 0 and 16 <= side <= 96 for sides in seen for side in sides)


@pytest.mark.parametrize("size", [(100, 230), (40, 300), (300, 64)])
def test_a_network_that_sees_no_farther_than_the_margin_sees_no_tiles(
    size: tuple[int, int],
) -> None:
    G = nn.Conv2d(3, 2, 9, padding=4).double().eval()
    x = picture(*size).double()
    with torch.no_grad():
        y, whole = translate_tiled(G, x, 1, tile=64, overlap=16), G(x)
        assert torch.allclose(y, whole, atol=1e-12)
        less = translate_tiled(G, x, 1, tile=64, overlap=8)
    assert not torch.allclose(less, whole, atol=1e-3)


def test_tiles_lie_on_the_network_s_own_grid() -> None:
    def G(x: Tensor) -> Tensor:
        return f.interpolate(f.avg_pool2d(x, 8), scale_factor=8)

    x = picture(120, 400)
    assert torch.equal(translate_tiled(G, x, 8, tile=64, overlap=20), G(x))


def test_one_tile_fades_into_the_next() -> None:
    """Tiles of one shade each: what differs from pixel to pixel is a small part of it."""
    shades = iter(torch.linspace(-1, 1, 100))
    x = torch.zeros(1, 1, 64, 1000)
    y = translate_tiled(lambda x: x + next(shades), x, 1, tile=64, overlap=32)[0, 0, 0]
    steps = y.diff()
    assert (steps >= 0).all()
    assert steps.max() < 0.02 * 1.5 / 16 * 1.01 * 100 / 99  # smoothstep's steepest is 1.5


def test_what_is_missing_is_mirrored() -> None:
    x = torch.arange(5.0).expand(1, 1, 1, 5).clone()
    shifted = translate_tiled(lambda x: x.roll(-4, 3), x, 16)
    assert shifted[0, 0, 0].tolist() == [4, 3, 2, 1, 0]  # 0 1 2 3 4 3 2 1 0 1 ...


@pytest.mark.parametrize(
    ("flags", "argument"),
    [({"tile": 15, "overlap": 0}, "tile"), ({"tile": 64, "overlap": 33}, "tile")],
)
def test_tiles_that_cannot_be_are_refused(flags: dict[str, int], argument: str) -> None:
    with pytest.raises(ArgumentError, match=f"^{argument} must"):
        translate_tiled(lambda x: x, picture(4, 4), 1, **flags)


def test_finished_strips_are_kept_in_a_smaller_form() -> None:
    x = torch.randint(256, (1, 3, 300, 40), dtype=torch.uint8)
    heights = []

    def keep(strip: Tensor) -> Tensor:
        heights.append(strip.shape[2])
        return strip.byte()

    y = translate_tiled(lambda x: x.float(), x, 1, tile=64, overlap=16, keep=keep)
    assert torch.equal(y, x)
    assert y.dtype == torch.uint8
    assert max(heights) <= 64


@pytest.mark.parametrize("suffix", [".npy", ".tif", ".png"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_what_is_written_is_read_again(
    suffix: str, dtype: Any, channels: int, tmp_path: Path
) -> None:
    random, path = np.random.default_rng(0), tmp_path / "new" / f"a{suffix}"
    for h, w in ((9, 10), (1, 50), (50, 1)):
        shape = (channels, h, w)
        pixels = (
            random.uniform(-1, 1, shape).astype(dtype)
            if dtype == np.float32
            else random.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
        )
        if suffix == ".png" and channels in (2, 7):  # two channels would be grayscale with alpha
            with pytest.raises(DataError, match=rf"a.png cannot hold {channels} channels"):
                write_image(pixels, path)
            continue
        write_image(pixels, path)
        read = read_image(path, channels)
        if suffix == ".png" and dtype == np.float32:
            assert read.dtype == np.uint16
            assert np.abs(read / 32767.5 - 1 - pixels).max() < 1.01 / 65535
        else:
            assert read.dtype == dtype
            assert np.array_equal(read, pixels)


def test_deep_images_are_read_by_pil() -> None:
    """PIL's own decoder, and its checks of lengths and sums, on colors of 16 bits."""
    pixels = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5) * 1000
    write_image(pixels, Path("a.png"))
    with Image.open("a.png") as image:
        image.verify()
    assert np.array_equal(np.asarray(Image.open("a.png")), pixels.transpose(1, 2, 0) >> 8)


def test_a_format_that_loses_something_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a.jpg must be .npy, .tif or .png"):
        write_image(np.zeros((3, 8, 8), np.uint8), tmp_path / "a.jpg")
    assert not [*tmp_path.iterdir()]


def test_names_keep_what_holds_any_number_of_channels() -> None:
    names = ["a/b.JPG", "b.TIF", "c.npy", "d.webp", "e.f.png", "g.tiff"]
    written = [str(output_name(Path(name))) for name in names]
    assert written == ["a/b.png", "b.TIF", "c.npy", "d.png", "e.f.png", "g.tiff"]
