"""Find the image files of two domains."""

from itertools import product
from pathlib import Path

from lightning_gen.datamodules.image_cache import OnError, raise_or_warn
from lightning_gen.errors import ArgumentError, DataError
from lightning_gen.images.reading import files_below, files_by_name

SPLITS = "train", "val", "test"
LAYOUTS = "{split}{domain}", "{split}/{domain}", "{domain}/{split}"

Paths = tuple[list[str], list[str]]  # of A and of B; of the same length for pairs


def find_domains(root: str, paired: bool, on_error: OnError) -> dict[str, Paths]:
    """Return the paths of the images of A and of B, of each split.

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
    folders, found = _find_folders(root), {}
    for split in SPLITS:
        if split in folders:
            a, b = folders[split]
            paths = _images(root, a), _images(root, b)
            found[split] = _match(a, b, *paths, on_error) if paired else paths
        elif paired and Path(root, split).is_dir():
            found[split] = (_images(root, Path(root, split)),) * 2
    if "train" not in found:
        first = "train, with A|B in each image," if paired else "trainA and trainB,"
        raise ArgumentError("root", f"is {root!r}, which contains neither {first} nor A and B")
    return found


def _find_folders(root: str) -> dict[str, tuple[Path, Path]]:
    found = {}
    for split, layout in product(SPLITS, LAYOUTS):
        a, b = (Path(root, layout.format(split=split, domain=domain)) for domain in "AB")
        if split not in found and _are_folders(root, a, b):
            found[split] = a, b
    a, b = Path(root, "A"), Path(root, "B")
    if not found and _are_folders(root, a, b):
        found["train"] = a, b
    return found


def _are_folders(root: str, a: Path, b: Path) -> bool:
    existing = [path for path in (a, b) if path.is_dir()]
    if len(existing) == 1:
        missing = b if existing == [a] else a
        raise ArgumentError("root", f"is {root!r}, which contains {existing[0]} but no {missing}")
    return bool(existing)


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
