"""Where the pictures of two domains lie."""

from collections.abc import Mapping
from pathlib import Path

from lightning_gen.datamodules.image_cache import leave_out
from lightning_gen.errors import ArgumentError, DataError
from lightning_gen.images.reading import files_below, files_by_name

SPLITS = ("train", "val", "test")

Paths = tuple[list[str], list[str]]  # of A, and of B; of one length, if they are pairs


def find_pairs(root: str, skip: bool) -> dict[str, Paths]:
    """The pairs of each split that there is, in folders of A and B, or in `root/train`.

    Those that lie side by side in one file have its path twice.

    Args:
        root: the folder.
        skip: whether pictures without a partner are left out, with a warning.

    Raises:
        ArgumentError: a folder is missing, or holds no pictures.
        DataError: pictures have no partner.
    """
    folder, found = _existing(root), _folders_of_both(root)
    pairs = {}
    for split in SPLITS:
        if split in found:
            pairs[split] = _matched(root, *found[split], skip)
        elif (folder / split).is_dir():
            paths = _pictures(root, folder / split)
            pairs[split] = paths, paths
    _require_train(root, pairs, "train, with A|B in each picture, nor A and B")
    return pairs


def find_domains(root: str) -> dict[str, Paths]:
    """The pictures of A and those of B, of each split that there is.

    Raises:
        ArgumentError: a folder is missing, or holds no pictures.
    """
    _existing(root)
    found = {
        split: (_pictures(root, a), _pictures(root, b))
        for split, (a, b) in _folders_of_both(root).items()
    }
    _require_train(root, found, "trainA and trainB, nor A and B")
    return found


def _existing(root: str) -> Path:
    if not Path(root).is_dir():
        raise ArgumentError("root", f"is {root!r}, but there is no such folder")
    return Path(root)


def _folders_of_both(root: str) -> dict[str, tuple[Path, Path]]:
    folder, found = Path(root), {}
    for split in SPLITS:
        for a, b in (
            (folder / f"{split}A", folder / f"{split}B"),
            (folder / split / "A", folder / split / "B"),
            (folder / "A" / split, folder / "B" / split),
        ):
            if _are_folders(root, a, b):
                found[split] = a, b
                break
    plain = folder / "A", folder / "B"
    if not found and _are_folders(root, *plain):
        found["train"] = plain
    return found


def _are_folders(root: str, a: Path, b: Path) -> bool:
    there = [path for path in (a, b) if path.is_dir()]
    if len(there) == 1:
        missing = b if there == [a] else a
        raise ArgumentError("root", f"is {root!r}, with {there[0]}, but there is no {missing}")
    return bool(there)


def _pictures(root: str, folder: Path) -> list[str]:
    found = files_below(folder)
    if not found:
        raise ArgumentError(
            "root",
            f"is {root!r}, but nothing in {folder} is a picture by its name, as .png and .npy are",
        )
    return found


def _require_train(root: str, splits: Mapping[str, object], wanted: str) -> None:
    if "train" not in splits:
        raise ArgumentError("root", f"is {root!r}, which holds neither {wanted}")


def _matched(root: str, a: Path, b: Path, skip: bool) -> Paths:
    """The pictures in both folders that have one name, the endings aside."""
    left, right = (files_by_name(_pictures(root, folder), folder) for folder in (a, b))
    alone = [left.get(name) or right[name] for name in sorted(left.keys() ^ right.keys())]
    if alone:
        problem = f"{len(alone)} pictures in {a} and {b} have no partner of the same name"
        mend = "Rename or remove them, or leave them out with --data.on_error skip."
        leave_out(problem, alone, skip, mend)
    names = [name for name in left if name in right]
    if not names:
        raise DataError(f"no picture in {a} has a partner of the same name in {b}: rename them")
    return [left[name] for name in names], [right[name] for name in names]
