"""Limits of image folders: memory, and error messages."""

from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_gen import ImageFolderDataModule
from lightning_gen.datamodules.image_cache import CachedImages, FileImages
from lightning_gen.errors import ArgumentError, DataError
from tests.conftest import picture
from tests.test_image_folder import _root, epoch, module, write_one  # noqa: F401 -- a fixture

# Memory


def test_images_are_kept_if_they_fit(tmp_path: Path) -> None:
    for k in range(11):
        write_one(tmp_path / f"{k}.png")
    size = {"image_size": 178, "batch_size": 2}  # 11 of 178 x 178 x 3 bytes are 0.997 MiB
    assert isinstance(module(tmp_path, cache_mib=1, **size).train_set.crops.source, CachedImages)
    write_one(tmp_path / "11.png")
    with pytest.warns(
        UserWarning, match=r"12 images do not fit in cache_mib=1 MiB.*--data.cache_mib"
    ):
        assert isinstance(module(tmp_path, cache_mib=1, **size).train_set.crops.source, FileImages)


def test_a_file_that_vanishes_during_training_is_named(tmp_path: Path) -> None:
    write_one(tmp_path / "a.png")
    data = module(tmp_path, batch_size=1, val_split=0, cache_mib=0)
    (tmp_path / "a.png").unlink()
    with pytest.raises(DataError, match=r"a\.png"):
        epoch(data)


# Files as people have them


def test_names_of_any_kind_are_read_and_other_files_ignored(tmp_path: Path) -> None:
    names = ["a.png", "A.png", "a.PNG", "b c.png", "Übung ö.png", "日本.png", "d.e.f.png", "#?.png"]
    for name in names:
        write_one(tmp_path / name)
    for name in (".DS_Store", "Thumbs.db", "labels.txt", "desktop.ini", ".hidden.png", "._a.png"):
        (tmp_path / name).write_text("no image")
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    data = module(tmp_path, batch_size=1, val_split=0)
    assert len(data.train_set) == len(names) + 1


def test_classes_may_differ_in_case_only(tmp_path: Path) -> None:
    write_one(tmp_path / "Cat" / "a.png")
    write_one(tmp_path / "cat" / "a.png")
    assert module(tmp_path, batch_size=1, val_split=0).class_names == ("Cat", "cat")


def test_a_link_to_a_missing_file_is_named(tmp_path: Path) -> None:
    write_one(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "none.png")
    with pytest.raises(DataError, match=r"1 of 2(?s:.*)b\.png: .*No such file"):
        module(tmp_path, batch_size=1)


def test_a_single_image_is_enough(tmp_path: Path) -> None:
    write_one(tmp_path / "a.png")
    with pytest.raises(ArgumentError, match="there is only 1 training image; use 1 or less"):
        module(tmp_path)
    data = module(tmp_path, batch_size=1)
    assert len(list(data.train_dataloader())) == 1
    assert data.describe().endswith(
        "1 training and 0 validation images, 16 x 16 pixels, 3 channels"
    )


def test_files_without_an_image_s_extension_are_named(tmp_path: Path) -> None:
    for name in ("a.heic", "b.csv", "c"):
        (tmp_path / name).touch()
    with pytest.raises(ArgumentError, match=r"no images .*; its files end in , \.csv, \.heic"):
        module(tmp_path)


def test_few_images_can_be_tested_and_encoded_whatever_the_batch_size(tmp_path: Path) -> None:
    for k in range(5):
        write_one(tmp_path / "train" / f"{k}.png")
        write_one(tmp_path / "test" / f"{k}.png")
    data = ImageFolderDataModule(str(tmp_path), batch_size=64, image_size=16, val_split=0)
    data.setup("test")
    assert [len(x) for x, _ in data.test_dataloader()] == [5]
    assert [len(x) for x, _ in data.split_dataloader("train")] == [5]
    with pytest.raises(ArgumentError, match="batch_size is 64, .* 5 training images.*use 5"):
        data.setup("fit")
    with pytest.raises(ArgumentError, match="batch_size is 64, .* 5 training images.*use 5"):
        data.train_dataloader()


# Errors


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
        module(damage(tmp_path), cache_mib=memory)
    for part in ("cut.jpg: image file is truncated", "text.png: ", "--data.on_error skip"):
        assert part in str(error.value)


@pytest.mark.parametrize("memory", [0, 100])
def test_unreadable_files_are_left_out_by_flag(memory: int, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"2 of 10 files .* skipped:\n.*cut.jpg(?s:.*)text.png"):
        data = module(damage(tmp_path), cache_mib=memory, on_error="skip", val_split=0)
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
    "missing": ([], "is .*none', which is not a folder"),
    "empty": ([""], "contains no images"),
    "empty classes": (["a", "b"], "contains no images"),
    "other files": (["a/b.txt"], "contains no images"),
    "both layouts": (
        ["a/b.png", "c.png"],
        "both images, such as c.png, and folders of images, such as a; move",
    ),
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
        *(
            {"channels": 2},
            {"preprocess": "left"},
            {"on_error": "warn"},
            {"image_size": (16, 0)},
            {"cache_mib": -1},
            {"val_split": -0.1},
        ),
    ],
    ids=str,
)
def test_an_argument_out_of_range_is_named(wrong: dict[str, Any], root: str) -> None:
    with pytest.raises((ArgumentError, TypeError, ValueError), match=next(iter(wrong))):
        module(root, **wrong)
