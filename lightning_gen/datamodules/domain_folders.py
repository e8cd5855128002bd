"""Find the image files of two domains."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lightning_gen.datamodules.image_cache import OnError, raise_or_warn
from lightning_gen.datamodules.split_names import SPLITS, Split, split_of
from lightning_gen.errors import ArgumentError, DataError, first_few
from lightning_gen.images.reading import files_below, files_by_name, subfolders

Paths = tuple[list[str], list[str]]  # of A and of B; of the same length for pairs
OTHER = dict(zip("ABab", "BAba", strict=True))
Folders = dict[Split, tuple[Path, Path]]  # of A and of B


def find_domains(root: str, paired: bool, on_error: OnError) -> dict[Split, Paths]:
    """Return the paths of the images of A and of B, of each split.

    The names of the folders may be in upper or lower case, and those of splits as in `split_of`.
    If `root` contains a single folder, the data set may be in that folder.

    Args:
        root: path of the folder.
        paired: if True, images of the same name are pairs; without folders of A and B, those side
            by side in one file, with its path in both lists.
        on_error: "raise", or "skip" images without a partner with a warning.

    Raises:
        ArgumentError: a folder is missing or contains no images.
        DataError: images have no partner.
    """
    if not Path(root).is_dir():
        raise ArgumentError("root", f"is {root!r}, which is not a folder")
    folders = _find_folders(root, Path(root), paired)
    if "train" not in folders:
        names = [path.name for path in subfolders(Path(root))]
        listed = f"; its folders are {', '.join(first_few(names))}" if names else ""
        first = "train, with A|B in each image," if paired else "trainA and trainB,"
        raise ArgumentError(
            "root", f"is {root!r}, which contains neither {first} nor A and B{listed}"
        )
    found: dict[Split, Paths] = {}
    for split, (a, b) in folders.items():
        if a == b:
            found[split] = (_images(root, a),) * 2
        else:
            paths = _images(root, a), _images(root, b)
            found[split] = _match(a, b, *paths, on_error) if paired else paths
    return found


def _find_folders(root: str, folder: Path, paired: bool) -> Folders:
    top = subfolders(folder)
    nested = [path for parent in top for path in subfolders(parent)]
    domains = _unique(root, ((_split_and_domain(folder, path), path) for path in top + nested))
    splits = _unique(root, ((split_of(path.name), path) for path in top)) if paired else {}
    found: Folders = {}
    for split in SPLITS:
        if pair := _both(root, domains.get((split, "A")), domains.get((split, "B"))):
            found[split] = pair
        elif split in splits:
            found[split] = splits[split], splits[split]
    if found:
        return found
    plain = _unique(root, ((_domain(path.name), path) for path in top))
    if pair := _both(root, plain.get("A"), plain.get("B")):
        return {"train": pair}
    if len(top) == 1 and top[0].resolve() not in (real := folder.resolve(), *real.parents):
        return _find_folders(root, top[0], paired)
    return {}


def _domain(name: str) -> str | None:
    return name.upper() if name.upper() in ("A", "B") else None


def _split_and_domain(root: Path, folder: Path) -> tuple[Split, str] | None:
    """Return split and domain of a folder trainA, train/A or A/train."""
    first, *rest = folder.relative_to(root).parts
    if rest:
        split, domain = split_of(first) or split_of(rest[0]), _domain(first) or _domain(rest[0])
        return (split, domain) if split and domain else None
    joined = re.fullmatch("(.+?)[-_. ]?([AB])", first, re.IGNORECASE)
    split = split_of(joined[1]) if joined else None
    return (split, joined[2].upper()) if joined and split else None


def _unique(root: str, folders: Iterable[tuple[Any, Path]]) -> dict[Any, Path]:
    """Map keys to folders, without those of the key None."""
    found: dict[Any, Path] = {}
    for key, path in folders:
        if key in found:
            raise ArgumentError(
                "root", f"is {root!r}, which contains both {found[key]} and {path}; remove one"
            )
        if key is not None:
            found[key] = path
    return found


def _both(root: str, a: Path | None, b: Path | None) -> tuple[Path, Path] | None:
    """Return both folders, or None if there are neither."""
    if a and b:
        return a, b
    if existing := a or b:
        raise ArgumentError(
            "root", f"is {root!r}, which contains {existing} but no {_counterpart(existing)}"
        )
    return None


def _counterpart(folder: Path) -> Path:
    """Return the path of the folder of B for a folder of A, and the reverse."""
    if split_of(folder.name):
        return _counterpart(folder.parent) / folder.name
    return folder.with_name(folder.name[:-1] + OTHER[folder.name[-1]])


def _images(root: str, folder: Path) -> list[str]:
    found = files_below(folder)
    if not found:
        raise ArgumentError(
            "root",
            f"is {root!r}, but {folder} contains no images (by extension: .png, .npy, ...)",
        )
    return found


def _match(a: Path, b: Path, in_a: list[str], in_b: list[str], on_error: OnError) -> Paths:
    """Return the images with the same name, except for the extension, in both folders."""
    left, right = files_by_name(in_a, a), files_by_name(in_b, b)
    alone = [left.get(name) or right[name] for name in sorted(left.keys() ^ right.keys())]
    if alone:
        problem = f"{len(alone)} images in {a} and {b} have no partner of the same name"
        raise_or_warn(problem, alone, on_error, "Rename or remove them")
    names = [name for name in left if name in right]
    if not names:
        raise DataError(f"no image in {a} has a partner of the same name in {b}; rename them")
    return [left[name] for name in names], [right[name] for name in names]
