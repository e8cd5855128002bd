"""Folders of splits: as people name them, used as splits, and announced."""

from pathlib import Path
from typing import Any

import pytest

from lightning_gen import ImageFolderDataModule
from lightning_gen.cli import main
from lightning_gen.datamodules.class_folders import find_images
from lightning_gen.datamodules.split_names import split_of
from lightning_gen.errors import ArgumentError
from tests.conftest import picture
from tests.two_domains import paired, unpaired, write, write_pair

NAMES = {
    "train": "train Train TRAIN training trainset train_set train-images images_train train2017",
    "val": "val Val valid validation eval dev val2017 validation_set valid-data",
    "test": "test TEST testing testset test_images seg_test test1",
    None: "cat trains testament values deviation contest latest car 1 rest unlabeled pred",
}


@pytest.mark.parametrize("split", NAMES)
def test_names_of_splits(split: str | None) -> None:
    assert {name: split_of(name) for name in NAMES[split].split()} == dict.fromkeys(
        NAMES[split].split(), split
    )


def lay_out(root: Path, names: str) -> None:
    for number, name in enumerate(names.split()):
        write(picture(number), root / f"{name}.png")


def found(root: Path) -> dict[str, dict[str, str]]:
    """The names of the images of each split and class."""
    return {
        split: {
            name: " ".join(
                Path(path).relative_to(root).with_suffix("").as_posix() for path in paths
            )
            for name, paths in classes.items()
        }
        for split, classes in find_images(str(root)).items()
    }


LAYOUTS: dict[str, tuple[str, dict[str, dict[str, str]]]] = {
    "splits of classes": (
        "train/cat/1 train/dog/2 test/cat/3 test/dog/4",
        {
            "train": {"cat": "train/cat/1", "dog": "train/dog/2"},
            "test": {"cat": "test/cat/3", "dog": "test/dog/4"},
        },
    ),
    "any letter case": (
        "Train/Cat/1 Train/dog/2 TEST/cat/3 Valid/Dog/4",
        {
            "train": {"Cat": "Train/Cat/1", "dog": "Train/dog/2"},
            "val": {"dog": "Valid/Dog/4"},
            "test": {"Cat": "TEST/cat/3"},
        },
    ),
    "splits of images": (
        "train/1 train/2 test/3",
        {"train": {"root": "train/1 train/2"}, "test": {"root": "test/3"}},
    ),
    "a folder around the splits": (
        "chest/train/a/1 chest/train/b/2 chest/val/a/3",
        {
            "train": {"a": "chest/train/a/1", "b": "chest/train/b/2"},
            "val": {"a": "chest/val/a/3"},
        },
    ),
    "a split in its split": (
        "training_set/training_set/a/1 training_set/training_set/b/2 test_set/test_set/b/3",
        {
            "train": {"a": "training_set/training_set/a/1", "b": "training_set/training_set/b/2"},
            "test": {"b": "test_set/test_set/b/3"},
        },
    ),
    "classes of splits": (
        "cat/train/1 cat/test/2 dog/Train/3 dog/valid/4 owl/5",
        {
            "train": {"cat": "cat/train/1", "dog": "dog/Train/3", "owl": "owl/5"},
            "val": {"dog": "dog/valid/4"},
            "test": {"cat": "cat/test/2"},
        },
    ),
    "classes beside a test": (
        "cat/1 dog/2 test/cat/3",
        {"train": {"cat": "cat/1", "dog": "dog/2"}, "test": {"cat": "test/cat/3"}},
    ),
    "images beside a test": ("1 2 test/3", {"train": {"root": "1 2"}, "test": {"root": "test/3"}}),
    "two names of a split": (
        "train/1 dev/2 eval/3",
        {"train": {"root": "train/1"}, "val": {"root": "dev/2 eval/3"}},
    ),
    "only training": (
        "train/cat/1 train/dog/2",
        {"train": {"cat": "train/cat/1", "dog": "train/dog/2"}},
    ),
    "a train among vehicles": (
        "car/1 plane/2 train/3",
        {"train": {"car": "car/1", "plane": "plane/2", "train": "train/3"}},
    ),
    "hidden folders": ("__MACOSX/x/1 .cache/2 @eaDir/3 a/4", {"train": {"a": "a/4"}}),
}


@pytest.mark.parametrize("key", LAYOUTS)
def test_usual_layouts_are_understood(key: str, tmp_path: Path) -> None:
    names, expected = LAYOUTS[key]
    lay_out(tmp_path / "root", names)
    assert found(tmp_path / "root") == expected


IGNORED = {
    "folders beside splits": ("train/a/1 test/a/2 pred/3 4", "beside the folders .* pred, 4.png"),
    "unlabeled": ("train/a/1 train/b/2 test/3 test/4", "2 test images outside of class folders"),
    "another class": ("train/a/1 train/b/2 val/c/3", "1 val image of c, a class without training"),
}


@pytest.mark.parametrize("key", IGNORED)
def test_images_that_are_not_used_are_named(key: str, tmp_path: Path) -> None:
    names, message = IGNORED[key]
    lay_out(tmp_path, names)
    with pytest.warns(UserWarning, match=f"ignoring .*{message}"):
        find_images(str(tmp_path))


def test_empty_folders_and_unreadable_formats_are_named(tmp_path: Path) -> None:
    lay_out(tmp_path, "cat/1 dog/2")
    (tmp_path / "owl" / "young").mkdir(parents=True)
    (tmp_path / "dog" / "3.HEIC").touch()
    with pytest.warns(UserWarning) as warnings:
        assert list(find_images(str(tmp_path))["train"]) == ["cat", "dog"]
    messages = sorted(str(warning.message) for warning in warnings)
    assert messages[0] == "ignoring 1 .heic file: convert them to PNG or JPEG"
    assert messages[1] == f"ignoring folders without images: {tmp_path / 'owl'}"


def test_a_root_without_training_images_is_named(tmp_path: Path) -> None:
    lay_out(tmp_path, "test/a/1 val/a/2")
    with pytest.raises(ArgumentError, match="root .* contains val and test images, but none to"):
        ImageFolderDataModule(str(tmp_path))


def contents(data: Any, split: str) -> list[tuple[bytes, int]]:
    """Sorted pixels and labels of the images of a split."""
    batches = list(data.split_dataloader(split))
    return sorted((x.numpy().tobytes(), int(k)) for b in batches for x, k in zip(*b, strict=True))


def of_folder(root: Path) -> list[tuple[bytes, int]]:
    data = ImageFolderDataModule(str(root), 1, 16, val_split=0)
    data.setup()
    return contents(data, "train")


@pytest.mark.parametrize("val", [False, True])
def test_splits_are_used_as_splits(val: bool, tmp_path: Path) -> None:
    for number in range(24):
        split = ("train", "train", "test", "val" if val else "train")[number % 4]
        write(picture(number), tmp_path / split / "cdt"[number % 3] / f"{number}.png")
    data = ImageFolderDataModule(str(tmp_path), 4, 16, val_split=5)
    data.setup()
    train, test = of_folder(tmp_path / "train"), of_folder(tmp_path / "test")
    assert contents(data, "test") == test
    if val:
        assert contents(data, "val") == of_folder(tmp_path / "val")
        assert contents(data, "train") == train
    else:
        assert len(contents(data, "val")) == 5
        assert sorted(contents(data, "train") + contents(data, "val")) == train
    seen = {x.numpy().tobytes() for x, _ in data.train_dataloader() for x in x}
    assert seen
    assert seen <= {x for x, _ in train}


def test_what_was_understood_is_described(tmp_path: Path) -> None:
    lay_out(tmp_path, "train/cat/1 train/cat/2 train/dog/3 test/dog/4 val/cat/5 val/cat/6")
    data = ImageFolderDataModule(str(tmp_path), 1, (16, 24), 1)
    size = "24 x 16 pixels, 1 channel"
    assert data.describe() == f"2 classes (cat, dog), {size}, split by folders (train, val, test)"
    data.setup("fit")
    numbers = "3 training, 2 validation and 1 test image"
    expected = f"2 classes (cat, dog), {numbers}, {size}, split by folders (train, val, test)"
    assert data.describe() == expected


def test_many_classes_are_described_by_the_first(tmp_path: Path) -> None:
    lay_out(tmp_path, " ".join(f"{k:02}/1" for k in range(12)))
    data = ImageFolderDataModule(str(tmp_path), 1, 16, val_split=3)
    data.setup()
    start = "12 classes (00, 01, 02, 03, 04, 05, 06, 07, 08, 09, and 2 more), 9 training and 3 val"
    assert data.describe().startswith(start)


@pytest.mark.usefixtures("in_an_empty_folder")
def test_the_command_line_trains_on_splits_of_classes(capsys: Any) -> None:
    for number in range(16):
        split, kind = ("Training", "Testing")[number % 2], "ab"[number // 2 % 2]
        write(picture(number), Path("pets", split, kind, f"{number}.png"))
    flags = "--model ConditionalGAN --model.base_channels 2 --model.num_classes 2"
    flags += (
        " --data ImageFolderDataModule --data.root pets --data.image_size 32 --data.batch_size 4"
    )
    assert (
        main(["fit", *flags.split(), "--trainer.accelerator", "cpu", "--trainer.max_steps", "1"])
        == 0
    )


# Two domains

DOMAINS = {
    "trainA": ("trainA trainB", "testA testB"),
    "lower case": ("train_a train_b", "Test_A Test_B"),
    "synonyms": ("training/A training/B", "testing/A testing/B"),
    "domains of splits": ("a/Train b/Train", "a/TEST b/TEST"),
    "a folder around": ("set/train/A set/train/B", "set/test/A set/test/B"),
}


@pytest.mark.parametrize("key", DOMAINS)
def test_domains_of_usual_names_are_found(key: str, tmp_path: Path) -> None:
    for k, folders in enumerate(DOMAINS[key]):
        for folder in folders.split():
            for number in range(3 - k):
                write(picture(number), tmp_path / folder / f"{number}.png")
    (tmp_path / ".git" / "A").mkdir(parents=True)
    for make in (paired, unpaired):
        data = make(tmp_path, batch_size=1)
        assert (len(data.train_set), len(data.val_set), len(data.test_set)) == (3, 2, 2)
        assert data.val_set is data.test_set
    assert data.describe() == (
        "3 + 3 training and 2 + 2 validation images (A + B), 16 x 16 pixels, 3 channels of 8 bits"
    )


def test_pairs_in_one_file_may_be_in_folders_of_any_usual_name(tmp_path: Path) -> None:
    for folder in ("Training", "Validation", "Test"):
        write_pair(0, tmp_path / folder / "0.png")
    data = paired(tmp_path, batch_size=1)
    assert data.describe() == (
        "1 training, 1 validation and 1 test pair, 16 x 16 pixels, 3 channels of 8 bits"
    )


AMBIGUOUS = {
    "two trainings": ("trainA/1 trainB/1 trainingA/2", "contains both .*trainA and .*trainingA"),
    "no partner": ("train_a/1", "contains .*train_a but no .*train_b"),
    "no split": ("B/train/1 A/1", "contains .*B/train but no .*A/train"),
    "something else": ("horses/1 zebras/2", "contains neither .*; its folders are horses, zebras"),
}


@pytest.mark.parametrize("key", AMBIGUOUS)
def test_domains_that_are_not_understood_are_named(key: str, tmp_path: Path) -> None:
    names, message = AMBIGUOUS[key]
    lay_out(tmp_path, names)
    with pytest.raises(ArgumentError, match=f"root .*{message}"):
        unpaired(tmp_path)
