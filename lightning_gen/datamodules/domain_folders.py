"""Find the image files of two domains."""

from collections.abc import Mapping
from pathlib import Path

from lightning_gen.datamodules.image_cache import OnError, raise_or_warn
from lightning_gen.errors import ArgumentError, DataError
from lightning_gen.images.reading import files_below, files_by_name

SPLITS = ("train", "val", "test")

Paths = tuple[list[str], list[str]]  # of A and of B; of the same length for pairs


def find_pairs(root: str, on_error: OnError) -> dict[str, Paths]:
    """Return the paths of the pairs of each split, in folders of A and B, or in `root/train`.

    The path of a file with A and B side by side is in both lists.

    Args:
        root: path of the folder.
        on_error: "raise", or "skip" images without a partner with a warning.

    Raises:
        ArgumentError: a folder is missing or contains no images.
        DataError: images have no partner.
    """
    folder, found = _existing(root), _find_folders(root)
    pairs = {}
    for split in SPLITS:
        if split in found:
            pairs[split] = _match(root, *found[split], on_error)
        elif (folder / split).is_dir():
            paths = _find_images(root, folder / split)
            pairs[split] = paths, paths
    _require_train(root, pairs, "train, with A|B in each image, nor A and B")
    return pairs


def find_domains(root: str) -> dict[str, Paths]:
    """Return the paths of the images of A and of B, of each split.

    Raises:
        ArgumentError: a folder is missing or contains no images.
    """
    _existing(root)
    found = {
        split: (_find_images(root, a), _find_images(root, b))
        for split, (a, b) in _find_folders(root).items()
    }
    _require_train(root, found, "trainA and trainB, nor A and B")
    return found


def _existing(root: str) -> Path:
    if not Path(root).is_dir():
        raise ArgumentError("root", f"is {root!r}, which is not a folder")
    return Path(root)


def _find_folders(root: str) -> dict[str, tuple[Path, Path]]:
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
    a, b = folder / "A", folder / "B"
    if not found and _are_folders(root, a, b):
        found["train"] = a, b
    return found


def _are_folders(root: str, a: Path, b: Path) -> bool:
    existing = [path for path in (a, b) if path.is_dir()]
    if len(existing) == 1:
        missing = b if existing == [a] else a
        raise ArgumentError("root", f"is {root!r}, which contains {existing[0]} but no {missing}")
    return bool(existing)


def _find_images(root: str, folder: Path) -> list[str]:
    found = files_below(folder)
    if not found:
        raise ArgumentError(
            "root",
            f"is {root!r}, but {folder} contains no images (by extension: .png, .npy, ...)",
        )
    return found


def _require_train(root: str, splits: Mapping[str, object], expected: str) -> None:
    if "train" not in splits:
        raise ArgumentError("root", f"is {root!r}, which contains neither {expected}")


def _match(root: str, a: Path, b: Path, on_error: OnError) -> Paths:
    """Return the images with the same name, except for the extension, in both folders."""
    left, right = (files_by_name(_find_images(root, folder), folder) for folder in (a, b))
    alone = [left.get(name) or right[name] for name in sorted(left.keys() ^ right.keys())]
    if alone:
        problem = f"{len(alone)} images in {a} and {b} have no partner of the same name"
        raise_or_warn(problem, alone, on_error, "Rename or remove them")
    names = [name for name in left if name in right]
    if not names:
        raise DataError(f"no image in {a} has a partner of the same name in {b}; rename them")
    return [left[name] for name in names], [right[name] for name in names]
