"""Limits of data of two domains: memory, and error messages."""

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from lightning_gen import PairedImageDataModule, UnpairedImageDataModule
from lightning_gen.cli import main
from lightning_gen.datamodules.image_cache import CachedImages, FileImages
from lightning_gen.datamodules.translation import TranslationArguments, TranslationDataModule
from lightning_gen.errors import ArgumentError, DataError
from tests.conftest import picture
from tests.two_domains import LAYOUTS, _root, lay_out, paired, unpaired, write, write_pair  # noqa: F401 -- a fixture

# Memory


def test_pairs_are_kept_if_they_fit(tmp_path: Path) -> None:
    for k in range(5):
        write_pair(k, tmp_path / "train" / f"{k}.png", (180, 180))
    size: dict[str, Any] = {"image_size": 180, "load_size": 180, "val_split": 0, "cache_mib": 1}
    kept = paired(tmp_path, **size)  # 5 of 2 x 180 x 180 x 3 bytes are 0.93 MiB
    assert isinstance(kept.train_set.crops.source, CachedImages)
    write_pair(6, tmp_path / "train" / "6.png", (180, 180))
    with pytest.warns(UserWarning, match=r"6 images do not fit in cache_mib=1 MiB"):
        data = paired(tmp_path, **size)
    assert isinstance(data.train_set.crops.source, FileImages)


def test_all_splits_share_the_memory(tmp_path: Path) -> None:
    for k in range(3):
        write_pair(k, tmp_path / "train" / f"{k}.png", (180, 180))
        write_pair(k, tmp_path / "val" / f"{k}.png", (180, 180))
    with pytest.warns(UserWarning, match=r"3 images do not fit in cache_mib=1 MiB"):
        data = paired(tmp_path, image_size=180, load_size=180, batch_size=1, cache_mib=1)
    assert isinstance(data.train_set.crops.source, CachedImages)
    assert isinstance(data.val_set.crops.source, FileImages)


# Errors


def broken(folder: Path) -> Path:
    """Six pairs of which one is a broken JPEG file and one has an odd width."""
    for k in range(4):
        write_pair(k, folder / "train" / f"{k}.png")
    write_pair(4, folder / "train" / "cut.jpg", (200, 200))
    content = (folder / "train" / "cut.jpg").read_bytes()
    (folder / "train" / "cut.jpg").write_bytes(content[: len(content) // 2])
    write(picture(5, (47, 20)), folder / "train" / "odd.png")
    return folder


@pytest.mark.parametrize("memory", [0, 100])
def test_wrong_files_raise_or_are_listed(memory: int, tmp_path: Path) -> None:
    kwargs: dict[str, Any] = {"cache_mib": memory, "val_split": 0}
    with pytest.raises(DataError, match=r"2 of 6(?s:.*)on_error skip") as error:
        paired(broken(tmp_path), **kwargs)
    for part in ("cut.jpg: image file is truncated", "odd.png: A|B has an odd width (47)"):
        assert part in str(error.value)
    with pytest.warns(UserWarning, match=r"2 of 6 .* skipped:\n.*cut.jpg(?s:.*)odd.png"):
        data = paired(tmp_path, on_error="skip", **kwargs)
    assert len(data.train_set) == 4


def test_images_without_partner_raise_or_are_listed(tmp_path: Path) -> None:
    lay_out(tmp_path, LAYOUTS["trainA trainB"])
    (tmp_path / "trainA" / "deep" / "1.png").unlink()
    (tmp_path / "trainB" / "deep" / "2.bmp").unlink()
    with pytest.raises(DataError, match=r"2 images(?s:.*)1\.bmp\n.*2\.png\n.*on_error skip"):
        paired(tmp_path)
    with pytest.warns(UserWarning, match=r"2 images(?s:.*)skipped:\n.*1\.bmp\n.*2\.png"):
        data = paired(tmp_path, on_error="skip", batch_size=1)
    assert len(data.train_set) == 1


def test_images_without_any_partner_are_not_pairs(tmp_path: Path) -> None:
    for side, number in (("A", 0), ("B", 1)):
        write(picture(number), tmp_path / side / f"{number}.png")
    with pytest.raises(DataError, match="no image in .*A has a partner"):
        paired(tmp_path, on_error="skip")


def test_errors_name_folders_below_the_root(tmp_path: Path) -> None:
    write(picture(0), tmp_path / "A" / "train" / "0.png")
    (tmp_path / "B" / "train").mkdir(parents=True)
    with pytest.raises(
        ArgumentError, match=rf"root is '{tmp_path}', but .*B.train contains no images"
    ):
        paired(tmp_path)


def test_a_split_that_leaves_no_images_does_not_suggest_smaller_batches(tmp_path: Path) -> None:
    lay_out(tmp_path, "{side}/{name}")
    message = "only 0 training images: val_split=99 holds out 9 of 9 images; decrease val_split"
    with pytest.raises(ArgumentError, match=message) as error:
        paired(tmp_path, val_split=99)
    assert "; use" not in str(error.value)


def test_a_broken_first_image_is_named_or_skipped(tmp_path: Path) -> None:
    lay_out(tmp_path, LAYOUTS["trainA trainB"])
    (tmp_path / "trainA" / "0.png").write_text("no image")
    with pytest.raises(DataError, match=r"0\.png: cannot identify"):
        unpaired(tmp_path)
    with pytest.warns(UserWarning, match=r"1 of 4"):
        data = unpaired(tmp_path, on_error="skip")
    assert data.image_shape == (3, 16, 16)


def make_two_of_one_name(folder: Path) -> None:
    lay_out(folder, LAYOUTS["trainA trainB"])
    write(picture(0), folder / "trainA" / "deep" / "0.bmp")


def make_partners_of_two_sizes(folder: Path) -> None:
    lay_out(folder, "{side}/{name}")
    write(picture(0, (40, 40)), folder / "B" / "deep" / "0.bmp")


def make_no_partner(folder: Path) -> None:
    lay_out(folder, LAYOUTS["trainA trainB"])
    (folder / "testB").rename(folder / "elsewhere")


FOLDERS: dict[str, tuple[Callable[[Path], Any], str, dict[str, Any]]] = {
    "missing": (lambda folder: None, "root is .*, which is not a folder", {}),
    "no train": (Path.mkdir, "root is .*, which contains neither train", {}),
    "empty": (
        lambda folder: (folder / "train").mkdir(parents=True),
        "root .*train contains no images",
        {},
    ),
    "no B": (make_no_partner, "root .*testA but no .*testB", {}),
    "two of one name": (make_two_of_one_name, "0.bmp and .*0.png have the same name", {}),
    "two sizes": (
        make_partners_of_two_sizes,
        r"0.png: the image is 24 x 20 pixels, but its partner .*0.bmp is 40 x 40",
        {"preprocess": "crop"},
    ),
    "too small": (
        lambda folder: lay_out(folder, "{side}/{name}"),
        "0.png: the image is 24 x 20 pixels, smaller than the crop of 21 x 21 .--data.image_size",
        {"preprocess": "crop", "image_size": 21},
    ),
}


@pytest.mark.parametrize("key", FOLDERS)
def test_errors_name_the_folder(key: str, tmp_path: Path) -> None:
    prepare, message, kwargs = FOLDERS[key]
    prepare(tmp_path / "folder")
    with pytest.raises((ArgumentError, DataError), match=rf"(?s:.*){message}"):
        paired(tmp_path / "folder", **kwargs)


def test_missing_folders_of_domains_are_named(root: Path) -> None:
    with pytest.raises(ArgumentError, match="root is .*, which contains neither trainA and trainB"):
        unpaired(root)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"batch_size": 0}, {"batch_size": 21}, {"image_size": 0}, {"load_size": 15}),
        {"load_size": 15, "preprocess": "scale_width_and_crop"},
        *({"load_size": (16, 15)}, {"load_size": 0, "preprocess": "none"}, {"image_size": (16, 0)}),
        *({"preprocess": "shrink"}, {"channels_a": 0}, {"channels_b": -1}, {"val_split": -0.1}),
        *({"cache_mib": -1}, {"on_error": "warn"}, {"name": "mnist"}, {"seed": -1}),
    ],
    ids=str,
)
def test_an_argument_out_of_range_is_named(wrong: dict[str, Any], root: Path) -> None:
    with pytest.raises((ArgumentError, TypeError), match=next(iter(wrong))):
        paired(root, **wrong)


@pytest.mark.parametrize("module", [PairedImageDataModule, UnpairedImageDataModule])
def test_a_misspelt_argument_is_named_with_the_closest(module: Any) -> None:
    name = module.__name__
    with pytest.raises(TypeError, match=rf"{name} .* 'imag_size'; did you mean 'image_size'"):
        module("data", "maps", imag_size=3)


def test_type_checkers_see_the_arguments_of_the_signature() -> None:
    _, _, _, *arguments = signature(TranslationDataModule.__init__).parameters.values()
    assert TranslationArguments.__annotations__ == {x.name: x.annotation for x in arguments}


@pytest.mark.parametrize("name", ["PairedImageDataModule", "UnpairedImageDataModule"])
def test_every_argument_is_a_flag_with_its_help(name: str, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main(["fit", "--data.help", name])
    text = " ".join(capsys.readouterr().out.split())
    public = "vangogh2photo" if name.startswith("Un") else "night2day"
    for part in ("--data.load_size", "286/256", "--data.on_error", public):
        assert part in text
