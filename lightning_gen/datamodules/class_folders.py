"""Find the image files of classes, and of splits if there are folders of these."""

from collections import Counter, defaultdict
from pathlib import Path
from unicodedata import normalize
from warnings import warn

from lightning_gen.datamodules.descriptions import count
from lightning_gen.datamodules.split_names import SPLITS, Split, split_of
from lightning_gen.errors import ArgumentError, first_few
from lightning_gen.images.reading import files_below, is_hidden, is_image, subfolders

Classes = dict[str, list[str]]  # sorted paths of the images of each class
File = tuple[tuple[str, ...], str]  # folders and name below the folder of a split, and the path
OTHER_IMAGES = {".heic", ".heif", ".jxl", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".psd", ".svg"}


def find_images(root: str) -> dict[Split, Classes]:
    """Return the paths of the images of each split and class.

    Each folder is a class, with the images in its subfolders; a folder that contains images itself
    is a single class. The folders of splits, named as in `split_of`, contain class folders
    (train/cat) or are in them (cat/train). Without a folder of training images, all images outside
    of the other splits are training images. If `root` contains a single folder, the folders of
    splits may be in that folder.

    Hidden files are ignored. Warnings name what else is ignored: folders without images, folders
    beside those of splits, and images in classes that have no training images.

    Args:
        root: path of the folder.

    Raises:
        ArgumentError: the folder does not exist, contains no training images, or contains both
            images and class folders.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise ArgumentError("root", f"is {root!r}, which is not a folder")
    paths = files_below(folder, lambda name: not is_hidden(name))
    files = [
        (Path(path).relative_to(folder).parts, path) for path in paths if is_image(Path(path).name)
    ]
    endings = Counter(Path(path).suffix.lower() for path in paths)
    if not files:
        found = f"; its files end in {', '.join(first_few(sorted(endings)))}" if paths else ""
        raise ArgumentError(
            "root", f"is {root!r}, which contains no images (by extension: .png, .jpg, ...){found}"
        )
    for ending in OTHER_IMAGES & endings.keys():
        _warn_ignored(f"{count(endings[ending], f'{ending} file')}: convert them to PNG or JPEG")
    splits = _by_split(files) or {"train": files}
    if not splits["train"]:
        only = " and ".join(split for split in SPLITS if splits.get(split))
        raise ArgumentError(
            "root", f"is {root!r}, which contains {only} images, but none to train on"
        )
    classes = {split: _by_class(root, splits.get(split, [])) for split in SPLITS}
    _warn_of_empty_folders(splits)
    return _share_names(classes, folder.resolve().name)


def _top(files: list[File]) -> tuple[list[File], dict[str, list[File]]]:
    """Return the files in a folder itself, and those of each folder in it, relative to that."""
    flat: list[File] = []
    folders: dict[str, list[File]] = defaultdict(list)
    for parts, path in files:
        if len(parts) == 1:
            flat.append((parts, path))
        else:
            folders[parts[0]].append((parts[1:], path))
    return flat, folders


def _by_split(files: list[File]) -> dict[Split, list[File]] | None:
    """Return the files of each split, relative to its folder; None if no folder is a split."""
    flat, folders = _top(files)
    splits: dict[Split, list[File]] = {split: [] for split in SPLITS}
    others = {}
    for name, below in folders.items():
        if split := split_of(name):
            splits[split] += below
        else:
            others[name] = below
    held_out = splits["val"] or splits["test"]
    if splits["train"] and (held_out or not (flat or others)):
        if flat or others:
            beside = first_few([*others, *(parts[0] for parts, _ in flat)])
            _warn_ignored(f"images beside the folders of splits, in {', '.join(beside)}")
        return {split: _unwrapped(split, below) for split, below in splits.items()}
    if held_out:
        splits["train"] = [file for file in files if not split_of(file[0][0])]
        return splits
    if len(folders) == 1 and not flat:
        return _by_split(*folders.values())
    inner = {name: _by_split(below) for name, below in folders.items()}
    if not any(inner.values()):
        return None
    splits["train"] = flat
    for name, below in folders.items():
        for split, part in (inner[name] or {"train": below}).items():
            splits[split] = splits[split] + [((name, *parts), path) for parts, path in part]
    return splits


def _unwrapped(split: Split, files: list[File]) -> list[File]:
    """Skip a single folder with the name of the split, as in seg_train/seg_train/cat."""
    flat, folders = _top(files)
    if not flat and len(folders) == 1 and split_of(next(iter(folders))) == split:
        return _unwrapped(split, *folders.values())
    return files


def _by_class(root: str, files: list[File]) -> Classes:
    """Return the paths of each class, or those of images in no class folder below ""."""
    flat, folders = _top(files)
    if flat and folders:
        raise ArgumentError(
            "root",
            f"is {root!r}, which contains both images, such as {flat[0][0][0]}, and folders of "
            f"images, such as {min(folders)}; move the images into a folder",
        )
    classes = {"": flat} if flat else folders
    return {name: sorted(path for _, path in classes[name]) for name in sorted(classes)}


def _share_names(splits: dict[Split, Classes], root_name: str) -> dict[Split, Classes]:
    """Give all splits the classes of the training images."""
    train = splits["train"]
    if len(train) == 1:  # no classes to tell apart
        name = next(iter(train)) or root_name
        merged = {split: sorted(sum(found.values(), [])) for split, found in splits.items()}
        return {split: {name: paths} for split, paths in merged.items() if paths}
    keys = {_key(name): name for name in train}
    shared: dict[Split, Classes] = {"train": train}
    for split in ("val", "test"):
        shared[split] = defaultdict(list)
        for name, paths in splits[split].items():
            if own := name if name in train else keys.get(_key(name)):
                shared[split][own] += paths
            else:
                where = f"of {name}, a class without training images"
                outside = "outside of class folders, unlike those of training"
                _warn_ignored(f"{count(len(paths), f'{split} image')} {where if name else outside}")
    return {split: dict(found) for split, found in shared.items() if found}


def _key(name: str) -> str:
    return normalize("NFC", name).casefold()


def _warn_of_empty_folders(files: dict[Split, list[File]]) -> None:
    """Warn of folders without images in the folders that contain images or class folders."""
    images = [file for found in files.values() for file in found]
    used = {parent for _, path in images for parent in Path(path).parents}
    parents = {Path(path).parents[max(len(parts) - 1, 0)] for parts, path in images}
    empty = [str(x) for parent in sorted(parents) for x in subfolders(parent) if x not in used]
    if empty:
        _warn_ignored(f"folders without images: {', '.join(first_few(empty))}")


def _warn_ignored(what: str) -> None:
    warn(f"ignoring {what}", stacklevel=4)
