"""Images of two domains: resizing is PIL's, and bit depth and channels are kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from lightning_gen import ImageFolderDataModule, PairedImageDataModule
from lightning_gen.datamodules.crops import crop
from lightning_gen.errors import ArgumentError, DataError
from lightning_gen.images.resizing import Resizing, resize
from tests.conftest import picture
from tests.two_domains import LAYOUTS, _domains, _make, _root, lay_out, paired, unpaired, write  # noqa: F401 -- fixtures

# Resizing


def test_evaluation_is_pil_s_bicubic_in_order(make: Callable[..., Any]) -> None:
    data = make(batch_size=1)
    for loader, part in ((data.val_dataloader(), "val"), (data.test_dataloader(), "test")):
        a, b = data.parts[part]
        for place, batch in enumerate(loader):
            files = a[place % len(a)], b[place % len(b)]
            for side, file in zip("AB", files, strict=True):
                image = Image.open(file)
                if isinstance(data, PairedImageDataModule):
                    half = image.width // 2
                    left = half * (side == "B")
                    image = image.crop((left, 0, left + half, image.height))
                expected = np.asarray(image.resize((16, 16), Image.Resampling.BICUBIC))
                assert (batch[side][0].permute(1, 2, 0).numpy() == expected).all()


def test_sizes_may_be_rectangles(make: Callable[..., Any]) -> None:
    data = make(image_size=(12, 18), load_size=(14, 21), batch_size=1)
    assert data.image_shape == (3, 12, 18)
    paths = data.parts["val"][0]
    for batch, path in zip(data.val_dataloader(), paths, strict=False):
        image = Image.open(path)
        if isinstance(data, PairedImageDataModule):
            image = image.crop((0, 0, image.width // 2, image.height))
        expected = np.asarray(image.resize((18, 12), Image.Resampling.BICUBIC))
        assert (batch["A"][0].permute(1, 2, 0).numpy() == expected).all()
        assert batch["B"].shape == (1, 3, 12, 18)
    # in training, a crop of the image in load_size
    x = data.train_set[next(iter(data.train_dataloader().sampler))]["A"][0].numpy()
    images = data.train_set.crops if isinstance(data, PairedImageDataModule) else data.train_set.a
    crops = {
        crop(image, (12, 18), number)[..., ::step].tobytes()
        for image, *_ in images.source.records(torch.arange(len(images)))
        for number in range(3 * 4)
        for step in (1, -1)
        if image.shape == (3, 14, 21)
    }
    assert x.tobytes() in crops


@pytest.mark.parametrize("size", [(286, 286), (16, 40), (300, 7)])
def test_resizing_is_pil_s_at_any_depth(size: tuple[int, int]) -> None:
    colors = np.random.default_rng(0).integers(90, 166, (40, 30, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(colors).resize(size, Image.Resampling.BICUBIC))
    pixels = colors.transpose(2, 0, 1)
    assert (resize(pixels, *size[::-1]).transpose(1, 2, 0) == expected).all()
    deep = resize(pixels.astype(np.uint16) * 257, *size[::-1])
    floats = resize((pixels / 127.5 - 1).astype(np.float32), *size[::-1])
    assert (deep.dtype, floats.dtype) == (np.uint16, np.float32)
    assert np.abs(deep / 65535 * 2 - 1 - floats).max() < 1e-4
    assert np.abs((floats + 1) * 127.5 - expected.transpose(2, 0, 1)).max() < 1.5


def test_resizing_does_not_overshoot() -> None:
    edge = np.repeat([[[0, 65535] * 3]], 6, 1).astype(np.uint16)
    deep = resize(edge, 24, 24)
    assert (deep[0, 0, 0], deep[0, 0, -1]) == (0, 65535)
    assert np.abs(np.diff(deep.astype(int), axis=2)).max() < 40000  # no level wraps around
    assert np.abs(resize(edge / np.float32(32767.5) - 1, 24, 24)).max() <= 1


RESIZED: dict[
    Any, tuple[tuple[int, int], tuple[int, int]]
] = {  # height and width, before and after
    ("resize_and_crop", 1): ((30, 50), (20, 20)),
    ("crop", 1): ((30, 50), (30, 50)),
    ("scale_width", 1): ((30, 50), (16, 20)),
    ("scale_width", 2): ((61, 50), (24, 20)),
    ("scale_width_and_crop", 1): ((30, 50), (16, 20)),
    ("none", 1): ((30, 50), (32, 48)),
    ("none", 2): ((1, 5001), (4, 5000)),
}


@pytest.mark.parametrize("key", RESIZED)
def test_modes_give_the_reference_s_sizes(key: Any) -> None:
    before, after = RESIZED[key]
    resizing = Resizing(key[0], load_size=(20, 20), image_size=(16, 16))
    assert resizing(np.zeros((3, *before), np.uint8), "a.png").shape == (3, *after)
    assert resizing.crop == ((16, 16) if "crop" in key[0] else None)


def test_rectangles_have_a_width_and_a_least_height() -> None:
    zeros = np.zeros((3, 30, 60), np.uint8)
    for mode, shape in (
        ("resize_and_crop", (3, 20, 24)),
        ("scale_width", (3, 16, 24)),
        ("scale_width_and_crop", (3, 16, 24)),
        ("crop", (3, 30, 60)),
        ("none", (3, 32, 60)),
    ):
        assert Resizing(mode, (20, 24), (16, 18))(zeros, "a.png").shape == shape


def test_images_of_several_sizes_need_a_batch_size_of_1(root: Path) -> None:
    data = paired(root, preprocess="none", batch_size=1)
    assert {tuple(batch["A"].shape) for batch in data.train_dataloader()} == {
        (1, 3, 20, 24),
        (1, 3, 32, 16),
    }
    with pytest.raises(ArgumentError, match=r"batch_size must be 1 .*none, .*00\.png.* and .*01"):
        paired(root, preprocess="none", batch_size=2)


def test_load_size_keeps_the_reference_s_proportion(root: Path) -> None:
    for size, load_size in ((256, 286), (128, 143), (64, 72)):
        data = PairedImageDataModule(str(root), image_size=size)
        assert data.training.load_size == (load_size, load_size)
        assert data.evaluation.load_size == (size, size)
    data = PairedImageDataModule(str(root), image_size=(256, 512))
    assert data.training.load_size == (286, 572)


# Depth and channels


def test_pairs_of_16_bits_keep_them(tmp_path: Path) -> None:
    for number in range(4):
        deep = np.random.default_rng(number).integers(0, 65536, (20, 20), dtype=np.uint16)
        for side, pixels in (("A", deep), ("B", 65535 - deep)):
            (tmp_path / side).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / side / f"{number}.tif", pixels)
    data = paired(tmp_path, val_split=0, load_size=20)
    assert (data.image_shape, data.target_channels) == ((1, 16, 16), 1)
    batch = next(iter(data.train_dataloader()))
    assert batch["A"].dtype == torch.uint16
    assert (batch["A"].int() + batch["B"].int() == 65535).all()
    x = data.on_after_batch_transfer(batch, 0)
    assert (x["A"] + x["B"]).abs().max() < 1e-6
    assert len(x["A"].unique()) > 900


def test_pairs_of_7_channels_keep_range_and_channels(tmp_path: Path) -> None:
    for number in range(4):
        floats = np.random.default_rng(number).uniform(-1, 1, (7, 20, 20)).astype(np.float32)
        bits = (floats[:1] > 0).astype(np.uint8) * 255
        for side, pixels in (("A", floats), ("B", bits.transpose(1, 2, 0))):
            (tmp_path / side).mkdir(exist_ok=True)
            np.save(tmp_path / side / f"{number}.npy", pixels)
    data = paired(tmp_path, val_split=0, load_size=20)
    assert (data.image_shape, data.target_channels) == ((7, 16, 16), 1)
    x = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert x["A"].shape == (4, 7, 16, 16)
    assert torch.equal(x["A"][:, :1] > 0, x["B"] > 0)
    assert x["A"].min() < -0.99 < 0.99 < x["A"].max() <= 1


def test_grayscale_among_colors_becomes_color(domains: Path, tmp_path: Path) -> None:
    for side in ("trainA", "trainB"):
        (tmp_path / side).symlink_to(domains / side)
    (tmp_path / "testA").mkdir()
    write(picture(0).convert("L"), tmp_path / "testA" / "gray.png")
    write(picture(0), tmp_path / "testB" / "a.png")
    x = unpaired(tmp_path).test_set[0]["A"]
    assert torch.equal(x, unpaired(tmp_path, channels_a=3).test_set[0]["A"])
    assert torch.equal(x, unpaired(tmp_path, channels_a=1).test_set[0]["A"].expand(3, -1, -1))
    data = unpaired(tmp_path, channels_a=1)
    assert (data.image_shape, data.target_channels) == ((1, 16, 16), 3)


MODES = ["L", "LA", "P", "RGBA", "CMYK", "1"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("odd", [0, 2, 4], ids=["first", "middle", "last"])
def test_the_odd_image_out_of_five_does_not_determine_the_channels(
    odd: int, mode: str, tmp_path: Path
) -> None:
    for number in range(5):
        for side in "AB":
            image = picture(number, (16, 16))
            ending = "tif" if mode == "CMYK" else "png"
            own = image.convert(mode) if number == odd and side == "A" else image
            write(own, tmp_path / side / f"{number}.{ending}")
    for make in (paired, unpaired):
        data = make(
            tmp_path, val_split=0, batch_size=5, load_size=16, flip=False, preprocess="crop"
        )
        assert (data.image_shape, data.target_channels) == ((3, 16, 16), 3)
        x = data.train_set[torch.arange(5)]
        expected = np.asarray(picture(odd, (16, 16)).convert(mode).convert("RGB"))
        if mode != "RGBA":
            assert np.abs(x["A"][odd].permute(1, 2, 0).numpy() - expected.astype(int)).max() <= 1
        assert torch.equal(x["A"][odd - 1], x["B"][odd - 1])
    converted = ", 1 grayscale image converted to color" if mode in ("L", "LA", "1") else ""
    assert data.describe().endswith(f"3 channels of 8 bits{converted}")


def test_a_color_image_among_grayscale_is_named(tmp_path: Path) -> None:
    for number in range(5):
        for side in "AB":
            image = picture(number)
            write(
                image if (number, side) == (0, "B") else image.convert("L"),
                tmp_path / side / f"{number}.png",
            )
    message = r"B/0\.png: it has 3 channels, but most .* such as .*B/1\.png, have 1; --data.chan"
    with pytest.raises(DataError, match=message + "nels_b 3 converts all to RGB, and 1 to gray"):
        unpaired(tmp_path)
    assert unpaired(tmp_path, channels_b=3).target_channels == 3
    assert unpaired(tmp_path, channels_b=1).target_channels == 1


def test_as_many_grayscale_as_color_images_become_color(tmp_path: Path) -> None:
    for side in "AB":
        write(picture(0).convert("L"), tmp_path / side / "0.png")
        write(picture(1), tmp_path / side / "1.png")
    assert unpaired(tmp_path, val_split=0).image_shape == (3, 16, 16)


def test_8_bits_among_16_become_16_of_the_same_image(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (3, 16, 16), dtype=np.uint8)
    for side in "AB":
        (tmp_path / side).mkdir()
        for number in range(3):
            np.save(
                tmp_path / side / f"{number}.npy",
                levels if number == 0 else levels * np.uint16(257),
            )
    data = unpaired(tmp_path, val_split=0, preprocess="crop", flip=False, batch_size=3)
    a = data.train_set[torch.arange(3)]["A"]
    assert a.dtype == torch.uint16
    assert (a.numpy() == levels * np.uint16(257)).all()


def test_halves_may_have_channels_of_their_own(root: Path) -> None:
    data = paired(root, channels_b=1)
    assert (data.image_shape, data.target_channels) == ((3, 16, 16), 1)
    x, y = data.test_set[0], paired(root).test_set[0]
    assert torch.equal(x["A"], y["A"])
    luma = (y["B"] * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0)
    assert (x["B"][0] - luma).abs().max() < 2


def test_one_depth_a_domain(tmp_path: Path) -> None:
    lay_out(tmp_path, LAYOUTS["trainA trainB"])
    for side in "AB":
        np.save(tmp_path / f"train{side}" / "x.npy", np.zeros((3, 20, 20), np.uint16))
    with pytest.raises(DataError, match=r"x\.npy: .* are uint16, but those of .* are uint8; save"):
        paired(tmp_path)


@pytest.mark.parametrize("ending", ["tif", "npy"])
@pytest.mark.parametrize("signed", [True, False])
def test_floats_are_in_the_range_of_their_data_set(
    signed: bool, ending: str, tmp_path: Path
) -> None:
    for number in range(4):
        x = np.random.default_rng(number).random((16, 16), np.float32)
        floats = 2 * x - 1 if signed else x
        for side in "AB":
            (tmp_path / side).mkdir(exist_ok=True)
            path = tmp_path / side / f"{number}.{ending}"
            (np.save if ending == "npy" else tifffile.imwrite)(path, floats)
    flags: dict[str, Any] = {"val_split": 0, "batch_size": 4, "preprocess": "crop", "flip": False}
    for make in (paired, unpaired):
        data = make(tmp_path, **flags)
        a = data.train_set[torch.arange(4)]["A"]
        assert (
            np.abs(
                a[0, 0].numpy() - 2 * np.random.default_rng(0).random((16, 16), np.float32) + 1
            ).max()
            < 1e-6
        )
        assert data.describe().endswith(f"of floats in {'[-1, 1]' if signed else '[0, 1]'}")
    if ending == "tif":  # the same images in an image folder
        folder = ImageFolderDataModule(str(tmp_path / "A"), 4, 16, 1, val_split=0)
        folder.setup("fit")
        pixels, _ = next(iter(folder.split_dataloader("train")))
        order = [int(k) for k in folder.train_set.crops.indices]
        assert np.abs((a[order].numpy() + 1) * 127.5 - pixels.numpy()).max() < 0.51


def test_a_negative_float_among_floats_from_0_to_1_is_named(tmp_path: Path) -> None:
    for number in range(40):
        for side in "AB":
            (tmp_path / side).mkdir(exist_ok=True)
            low = -0.5 if number == 39 else 0
            np.save(tmp_path / side / f"{number:02}.npy", np.full((16, 16), low, np.float32))
    with pytest.raises(DataError, match=r"39\.npy: floats must lie in \[0, 1\], as in .* is -0.5"):
        unpaired(tmp_path)


@pytest.mark.parametrize("name", ["a.tif", "a.npy"])
def test_images_of_12_bits_are_announced(name: str, tmp_path: Path) -> None:
    for side in "AB":
        (tmp_path / side).mkdir()
        path = tmp_path / side / name
        pixels = np.full((16, 16), 4000, np.uint16)
        (np.save if name == "a.npy" else tifffile.imwrite)(path, pixels)
    with pytest.warns(UserWarning, match=f"no pixel of .*{name} .* exceeds 4095: .*by 16"):
        unpaired(tmp_path)
