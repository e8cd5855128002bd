"""Image folders: each image keeps its label, and the seed determines everything."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lightning_gen import ImageFolderDataModule
from lightning_gen.cli import main
from lightning_gen.datamodules.class_folders import find_images
from lightning_gen.datamodules.crops import crop
from lightning_gen.datamodules.image_folder import read_resized
from tests.conftest import one_of_two, picture
from tests.test_resume import agree, stopped

SIZES = [(24, 16), (16, 24), (16, 16), (40, 17), (9, 13), (33, 70)]  # width and height


def write_one(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(0).save(path, format="PNG")


@pytest.fixture(scope="module", name="root")
def _root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two classes of 30 and 20 images of many sizes."""
    folder = tmp_path_factory.mktemp("images")
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


RANDOM: dict[str, Any] = {"preprocess": "resize_and_random_crop", "flip": True}


def epoch(data: ImageFolderDataModule, number: int = 0) -> tuple[Tensor, Tensor]:
    """All training images and labels, in the order of an epoch."""
    loader = data.train_dataloader()
    loader.sampler.set_epoch(number)
    pixels, labels = zip(*loader, strict=True)
    return torch.cat(pixels), torch.cat(labels)


# Class folders


def test_classes_are_the_folders_with_images_by_name(tmp_path: Path) -> None:
    names = ["b/1.png", "a/deep/er/2.JPG", "a/3.webp", "c/.hidden.png", ".d/4.png", "a/.e/5.png"]
    for name in names:
        write_one(tmp_path / name)
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / "labels.csv").write_text("no image")
    found = {
        name: [Path(p).name for p in paths]
        for name, paths in find_images(str(tmp_path))["train"].items()
    }
    assert found == {"a": ["3.webp", "2.JPG"], "b": ["1.png"]}


def test_labels_are_the_classes_places(root: str) -> None:
    data = module(root)
    assert (data.class_names, data.num_classes) == (("cats", "dogs"), 2)
    assert data.image_shape == (3, 16, 16)
    middles = {
        crop(read_resized(path, (16, 16), 3), (16, 16)).tobytes(): label
        for label, paths in enumerate(data.files["train"].values())
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


# Crops


def test_crops_are_numbered_from_the_top_left() -> None:
    image = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)
    for turned, axis in ((image, 2), (image.transpose(0, 2, 1), 1)):
        squares = {crop(turned, (3, 3), number).tobytes() for number in range(30)}
        assert squares == {turned.take(range(k, k + 3), axis).tobytes() for k in range(3)}
        assert (crop(turned, (3, 3)) == turned.take(range(1, 4), axis)).all()


@pytest.mark.parametrize("size", [(16, 24), (24, 16)])
def test_crops_may_be_rectangles(size: tuple[int, int], root: str) -> None:
    center, random = module(root, image_size=size), module(root, image_size=size, **RANDOM)
    assert center.image_shape == random.image_shape == (3, *size)
    expected = {
        crop(read_resized(path, size, 3), size).tobytes()
        for paths in center.files["train"].values()
        for path in paths
    }
    assert {x.numpy().tobytes() for x in epoch(center)[0]} <= expected
    assert epoch(random)[0].shape == (40, 3, *size)
    assert not torch.equal(epoch(center)[0], epoch(random)[0])


def test_random_crops_and_flips_are_uniform(tmp_path: Path) -> None:
    ramp = np.arange(19, dtype=np.uint8)[None].repeat(16, 0)  # four squares, and their mirrors
    Image.fromarray(ramp).save(tmp_path / "a.png")
    data = module(tmp_path, batch_size=1, val_split=0, channels=1, **RANDOM)
    order, counts = data.train_dataloader().sampler, Counter[tuple[int, ...]]()
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
    "from files": {"cache_mib": 0},
    "workers": {"num_workers": 2},
    "workers from files": {"num_workers": 2, "cache_mib": 0},
}


@pytest.mark.parametrize("key", SAME)
def test_the_seed_and_the_epoch_decide_alone(key: str, root: str) -> None:
    expected = epoch(module(root, **RANDOM), 3)[0]
    torch.manual_seed(5)  # the global random state has no say ...
    before = torch.get_rng_state()
    same = module(root, **RANDOM, **SAME[key])
    same.train_set[next(iter(same.train_dataloader().sampler))]
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
        data.trainer = one_of_two(rank)
        shares.append(epoch(data)[0])
    whole = epoch(module(root, **RANDOM, batch_size=5))[0]
    assert torch.equal(torch.stack(shares, 1).flatten(0, 1), whole[: 2 * len(shares[0])])


def test_images_are_float_in_minus_1_to_1_after_the_transfer(root: str) -> None:
    data = module(root, channels=1)
    x, labels = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert x.shape == (8, *data.image_shape) == (8, 1, 16, 16)
    assert (x.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert -1 <= x.min() < -0.5 < 0.5 < x.max() <= 1


# Training


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


@pytest.mark.usefixtures("in_an_empty_folder")
def test_one_command_trains_on_a_folder(root: str, capsys: Any) -> None:
    small = ["--model", "DCGAN", "--model.base_channels", "2", "--trainer.max_epochs", "1"]
    assert main([*FIT, root, *small]) == 0
    (grid,) = Path.cwd().glob("runs/dcgan-imagefolder/*/images/samples/*.png")
    assert Image.open(grid).mode == "RGB"


@pytest.mark.usefixtures("in_an_empty_folder")
def test_one_command_trains_on_rectangles(root: str, capsys: Any) -> None:
    small = ["--model", "VAE", "--model.architecture", "mlp", "--model.hidden_dims", "[8]"]
    flags = ["--data.image_size", "[16, 24]", "--trainer.fast_dev_run", "1"]
    assert main([*FIT, root, *small, *flags]) == 0


@pytest.mark.usefixtures("in_an_empty_folder")
def test_a_resumed_run_ends_as_the_unbroken_one(root: str, capsys: Any) -> None:
    run = [*FIT, root, "--data.preprocess", "resize_and_random_crop", "--data.flip", "true"]
    run += ["--model", "GAN", "--model.generator_hidden_dims", "[8]", "--trainer.max_epochs", "3"]
    run += ["--model.discriminator_hidden_dims", "[8]", "--checkpoint.every_n_train_steps", "4"]
    assert main([*run, "--trainer.default_root_dir", "unbroken"]) == 0
    run += ["--trainer.default_root_dir", "resumed"]
    stopped(run, 11)
    assert main([*run, "--ckpt_path", "last"]) == 0
    agree("unbroken", "resumed")
