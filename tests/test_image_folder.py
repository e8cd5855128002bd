"""Laws of people's own pictures: any file becomes the same bytes, and nothing is left to chance."""

import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.functional import pil_to_tensor

from lightning_gen import ImageFolderDataModule
from lightning_gen.cli import main
from lightning_gen.datamodules.image_files import find_images, read_image
from lightning_gen.datamodules.records import Files, Kept
from lightning_gen.datamodules.squares import cut
from lightning_gen.errors import ArgumentError, DataError
from tests.test_resume import agree, stopped

SIZES = [(24, 16), (16, 24), (16, 16), (40, 17), (9, 13), (33, 70)]  # width and height


def picture(number: int, size: tuple[int, int] = (24, 16)) -> Image.Image:
    """A smooth picture, unlike any other."""
    colours = np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC)


def write_one(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(0).save(path, format="PNG")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two classes of 30 and 20 pictures of many sizes."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(50):
        path = folder / ("cats" if number < 30 else "dogs") / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        picture(number, SIZES[number % len(SIZES)]).save(path)
    return str(folder)


def module(root: Any, **kwargs: Any) -> ImageFolderDataModule:
    data = ImageFolderDataModule(str(root), **{"batch_size": 8, "image_size": 16} | kwargs)
    data.prepare_data()
    data.setup("fit")
    return data


RANDOM: dict[str, Any] = {"crop": "random", "flip": True}


def epoch(data: ImageFolderDataModule, number: int = 0) -> tuple[Tensor, Tensor]:
    """All training images and labels, in the order of an epoch."""
    loader = data.train_dataloader()
    loader.order.set_epoch(number)
    pixels, labels = zip(*loader, strict=True)
    return torch.cat(pixels), torch.cat(labels)


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


# Where the files lie


def test_classes_are_the_folders_with_images_by_name(tmp_path: Path) -> None:
    names = ["b/1.png", "a/deep/er/2.JPG", "a/3.webp", "c/.hidden.png", ".d/4.png", "a/.e/5.png"]
    for name in names:
        write_one(tmp_path / name)
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / "labels.csv").write_text("no image")
    found = {
        name: [Path(p).name for p in paths] for name, paths in find_images(str(tmp_path)).items()
    }
    assert found == {"a": ["3.webp", "2.JPG"], "b": ["1.png"]}


def test_labels_are_the_classes_places(root: str) -> None:
    data = module(root)
    assert (data.class_names, data.num_classes) == (("cats", "dogs"), 2)
    assert data.image_shape == (3, 16, 16)
    middles = {
        cut(read_image(path, 16, 3), 16).tobytes(): label
        for label, paths in enumerate(data.files.values())
        for path in paths
    }
    assert len(middles) == 50
    seen = {}
    for part in (data.train_set, data.val_set):
        for pixels, label in (part[i] for i in range(len(part))):
            seen[pixels.numpy().tobytes()] = int(label)
    assert seen == middles  # all are there, none twice, each with its label


def test_a_flat_folder_is_one_class(root: str) -> None:
    data = module(Path(root, "dogs"))
    assert (data.class_names, data.num_classes) == (("dogs",), 1)
    assert len(data.train_set) + len(data.val_set) == 20
    assert not epoch(data)[1].any()


# Squares


def test_a_square_is_any_of_those_that_there_are() -> None:
    image = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)
    for turned, axis in ((image, 2), (image.transpose(0, 2, 1), 1)):
        squares = {cut(turned, 3, number).tobytes() for number in range(30)}
        assert squares == {turned.take(range(k, k + 3), axis).tobytes() for k in range(3)}
        assert (cut(turned, 3) == turned.take(range(1, 4), axis)).all()


def test_random_crops_and_flips_are_uniform(tmp_path: Path) -> None:
    ramp = np.arange(19, dtype=np.uint8)[None].repeat(16, 0)  # four squares, and their mirrors
    Image.fromarray(ramp).save(tmp_path / "a.png")
    data = module(tmp_path, batch_size=1, val_split=0, channels=1, **RANDOM)
    order, counts = data.train_dataloader().order, Counter[tuple[int, ...]]()
    for k in range(2000):
        order.set_epoch(k)
        pixels, _ = data.train_set[next(iter(order))]
        assert (pixels == pixels[:, :, :1]).all()
        counts[tuple(pixels[0, 0, 0].tolist())] += 1
    squares = [tuple(range(k, k + 16)) for k in range(4)]
    assert set(counts) == {*squares, *(square[::-1] for square in squares)}
    assert all(abs(n - 250) < 60 for n in counts.values())  # four standard deviations


def test_nothing_is_random_outside_of_training(root: str) -> None:
    center, random = module(root), module(root, **RANDOM)
    for part in ("val_dataloader", "test_dataloader"):
        (a, y), (b, z) = (next(iter(getattr(data, part)())) for data in (center, random))
        assert torch.equal(a, b)
        assert torch.equal(y, z)
    assert torch.equal(epoch(center)[1], epoch(random)[1])
    assert not torch.equal(epoch(center)[0], epoch(random)[0])


def test_flips_come_from_a_flag_of_their_own(root: str) -> None:
    plain, flipped = epoch(module(root))[0], epoch(module(root, flip=True))[0]
    kept = (plain == flipped).flatten(1).all(1)
    assert torch.equal(flipped[~kept], plain[~kept].flip(3))
    assert 5 < kept.sum() < len(kept) - 5


SAME: dict[str, dict[str, Any]] = {
    "again": {},
    "from files": {"memory": 0},
    "workers": {"num_workers": 2},
    "workers from files": {"num_workers": 2, "memory": 0},
}


@pytest.mark.parametrize("key", SAME)
def test_the_seed_and_the_epoch_decide_alone(key: str, root: str) -> None:
    expected = epoch(module(root, **RANDOM), 3)[0]
    torch.manual_seed(5)  # the global random state has no say ...
    before = torch.get_rng_state()
    same = module(root, **RANDOM, **SAME[key])
    same.train_set[next(iter(same.train_dataloader().order))]
    assert torch.equal(torch.get_rng_state(), before)  # ... and is left alone
    assert torch.equal(epoch(same, 3)[0], expected)


def test_other_seeds_and_epochs_give_other_squares(tmp_path: Path) -> None:
    for k in range(8):  # eight times one picture, so that order and split make no difference
        write_one(tmp_path / f"{k}.png")
    kwargs = {"val_split": 0, **RANDOM}
    a = epoch(module(tmp_path, **kwargs))[0]
    assert not torch.equal(a, epoch(module(tmp_path, **kwargs), 1)[0])
    assert not torch.equal(a, epoch(module(tmp_path, **kwargs, seed=7))[0])


def test_a_loader_goes_on_where_another_has_stopped(root: str) -> None:
    whole = epoch(module(root, **RANDOM))[0]
    data, seen = module(root, **RANDOM), []
    for pixels, _ in data.train_dataloader():
        seen.append(pixels)
        if len(seen) == 3:
            break
    again = module(root, **RANDOM)
    again.load_state_dict(data.state_dict())
    assert torch.equal(torch.cat([*seen, epoch(again)[0]]), whole)


def test_processes_share_out_what_one_would_see(root: str) -> None:
    shares = []
    for rank in (0, 1):
        data = module(root, **RANDOM, batch_size=5)
        data.trainer = SimpleNamespace(world_size=2, global_rank=rank)  # type: ignore[assignment]
        shares.append(epoch(data)[0])
    whole = epoch(module(root, **RANDOM, batch_size=5))[0]
    assert torch.equal(torch.stack(shares, 1).flatten(0, 1), whole[: 2 * len(shares[0])])


def test_images_are_float_in_minus_1_to_1_after_the_transfer(root: str) -> None:
    data = module(root, channels=1)
    x, labels = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert x.shape == (8, *data.image_shape) == (8, 1, 16, 16)
    assert (x.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert -1 <= x.min() < -0.5 < 0.5 < x.max() <= 1


# Memory


def test_images_are_kept_if_they_fit(tmp_path: Path) -> None:
    for k in range(11):
        write_one(tmp_path / f"{k}.png")
    size = {"image_size": 178, "batch_size": 2}  # 11 of 178 x 178 x 3 bytes are 0.997 MiB
    assert isinstance(module(tmp_path, memory=1, **size).train_set.crops.source, Kept)
    write_one(tmp_path / "11.png")
    with pytest.warns(UserWarning, match=r"12 images take more than memory=1 MiB.*--data.memory"):
        assert isinstance(module(tmp_path, memory=1, **size).train_set.crops.source, Files)


def test_a_file_that_vanishes_during_training_is_named(tmp_path: Path) -> None:
    write_one(tmp_path / "a.png")
    data = module(tmp_path, batch_size=1, val_split=0, memory=0)
    (tmp_path / "a.png").unlink()
    with pytest.raises(DataError, match=r"a\.png"):
        epoch(data)


# Mistakes


def damage(folder: Path, n: int = 8) -> Path:
    """A folder of n good files, one that is cut off, and one that holds no image."""
    for k in range(n):
        write_one(folder / f"{k}.png")
    picture(0, (400, 400)).save(folder / "cut.jpg")
    content = (folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(content[: len(content) // 2])
    (folder / "text.png").write_text("no image")
    return folder


@pytest.mark.parametrize("memory", [0, 100])
def test_unreadable_files_are_named(memory: int, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"2 of 10 files cannot be read") as error:
        module(damage(tmp_path), memory=memory)
    for part in ("cut.jpg: image file is truncated", "text.png: ", "--data.skip_unreadable true"):
        assert part in str(error.value)


@pytest.mark.parametrize("memory", [0, 100])
def test_unreadable_files_are_left_out_by_flag(memory: int, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"2 of 10 files .* left out:\n.*cut.jpg(?s:.*)text.png"):
        data = module(damage(tmp_path), memory=memory, skip_unreadable=True, val_split=0)
    (tmp_path / "cut.jpg").unlink()
    (tmp_path / "text.png").unlink()
    good = module(tmp_path, val_split=0)
    assert len(data.train_set) == 8
    assert torch.equal(epoch(data)[0], epoch(good)[0])


def test_an_error_lists_ten_files_at_most(tmp_path: Path) -> None:
    for k in range(13):
        (tmp_path / f"{k}.png").write_text("no image")
    with pytest.raises(DataError, match=r"13 of 13(?s:.*)and 3 more") as error:
        module(tmp_path)
    assert len(str(error.value).splitlines()) == 13


FOLDERS = {
    "missing": ([], "is .*none', but there is no such folder"),
    "empty": ([""], "nothing in it is an image by its name"),
    "empty classes": (["a", "b"], "nothing in it is an image by its name"),
    "other files": (["a/b.txt"], "nothing in it is an image by its name"),
    "both layouts": (["a/b.png", "c.png"], "c.png, beside folders of images, such as a: move"),
}


@pytest.mark.parametrize("key", FOLDERS)
def test_a_folder_without_images_is_named(key: str, tmp_path: Path) -> None:
    names, message = FOLDERS[key]
    for name in names:
        if Path(name).suffix:
            write_one(tmp_path / "none" / name)
        else:
            (tmp_path / "none" / name).mkdir(parents=True)
    with pytest.raises(ArgumentError, match=rf"root (?s:.*){message}"):
        module(tmp_path / "none")


@pytest.mark.parametrize(
    "wrong",
    [
        *({"batch_size": 0}, {"batch_size": 46}, {"image_size": 0}, {"val_split": 43}),
        *({"channels": 2}, {"crop": "left"}, {"memory": -1}, {"val_split": -0.1}),
    ],
    ids=str,
)
def test_an_argument_out_of_range_is_named(wrong: dict[str, Any], root: str) -> None:
    with pytest.raises((ArgumentError, TypeError, ValueError), match=next(iter(wrong))):
        module(root, **wrong)


# Training


@pytest.fixture
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setattr(sys, "path", list(sys.path))


FIT = [
    "fit",
    "--data",
    "ImageFolderDataModule",
    "--data.batch_size",
    "8",
    "--data.image_size",
    "16",
]
FIT += ["--trainer.accelerator", "cpu", "--trainer.log_every_n_steps", "1", "--data.root"]


@pytest.mark.usefixtures("_elsewhere")
def test_one_command_trains_on_a_folder(root: str, capsys: Any) -> None:
    small = ["--model", "DCGAN", "--model.width", "2", "--trainer.max_epochs", "1"]
    assert main([*FIT, root, *small]) == 0
    (grid,) = Path.cwd().glob("runs/dcgan-imagefolder/*/images/samples/*.png")
    assert Image.open(grid).mode == "RGB"


@pytest.mark.usefixtures("_elsewhere")
def test_a_resumed_run_ends_as_the_unbroken_one(root: str, capsys: Any) -> None:
    run = [*FIT, root, "--data.crop", "random", "--data.flip", "true"]
    run += ["--model", "GAN", "--model.generator_widths", "[8]", "--trainer.max_epochs", "3"]
    run += ["--model.discriminator_widths", "[8]", "--checkpoint.every_n_train_steps", "4"]
    assert main([*run, "--trainer.default_root_dir", "unbroken"]) == 0
    run += ["--trainer.default_root_dir", "resumed"]
    stopped(run, 11)
    assert main([*run, "--ckpt_path", "last"]) == 0
    agree("unbroken", "resumed")
