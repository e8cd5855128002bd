"""Image files of any format and size, in class folders or in one folder."""

from functools import partial
from typing import Literal, get_args

import numpy as np
import torch
from PIL import Image, ImageOps

from lightning_gen.datamodules.base import TensorDataModule
from lightning_gen.datamodules.class_folders import find_images
from lightning_gen.datamodules.crops import CroppedImages, Crops, crop
from lightning_gen.datamodules.descriptions import join
from lightning_gen.datamodules.image_cache import FileImages, OnError, Record, read_all
from lightning_gen.datamodules.split_names import SPLITS
from lightning_gen.errors import (
    ArgumentError,
    DataError,
    require_at_least,
    require_one_of,
)
from lightning_gen.images.decoding import Pixels
from lightning_gen.images.inspection import inspect_images
from lightning_gen.images.reading import read_image, require_unit_floats
from lightning_gen.images.resizing import Size, to_size

EIGHT_BITS = (".jpg", ".jpeg", ".webp", ".gif", ".bmp")
CropMode = Literal["resize_and_center_crop", "resize_and_random_crop"]


class ImageFolderDataModule(TensorDataModule):
    """Your own images, in any format that PIL reads, resized and cropped.

    Each folder in `root` is a class, sorted by name, with the images in it and in its subfolders;
    a `root` that contains images itself is a single class. Folders of splits, such as train, val
    and test, may contain the class folders, or be in them, or contain the images: their names are
    known in any letter case, also training, validation, eval, dev and the like. Without one for
    validation, the validation images are `val_split` of the training images; without one for test,
    the test images are the validation images. `describe` tells what was understood, and a warning
    names images that are not used.

    Images are resized, with antialiasing, to cover `image_size`, and cropped in the center or at
    random. They are turned upright as their EXIF data say, transparent pixels become white, and
    the first image of an animation, or page of a TIFF file, is read. Pixels of 16 bits and floats
    are scaled to 8 bits. Floats are in [0, 1], where 0 is black, if no float in a sample of the
    files is negative; otherwise in [-1, 1].

    The images are read once and cached as bytes if they fit in `cache_mib`; otherwise they are
    read again in every epoch, which takes time, or workers. Training is bit-identical either way,
    with any number of workers: crops and flips depend only on the seed and the epoch.

    Args:
        root: path of the folder.
        batch_size: number of images per batch and process.
        image_size: height and width of the images; an int is both.
        channels: 3 for RGB, 1 for grayscale.
        preprocess: "resize_and_center_crop", or "resize_and_random_crop" for another crop in every
            training epoch, along the longer side.
        flip: if True, flip half of the training images horizontally, others in every epoch.
        val_split: share, or number, of the training images for validation if it has no folder.
        cache_mib: memory for images in MiB in each process; 0 caches none.
        on_error: "raise", or "skip" unreadable files with a warning.
        seed: seed of the split, of the order of the training images, and of crops and flips.
        num_workers: number of loader processes; 0 is fastest for cached images.

    Attributes:
        image_shape: (channels, height, width).
        class_names: names of the class folders, in the order of the labels.
        num_classes: number of classes; 1 without class folders, with 0 as every label.

    Raises:
        ArgumentError: an argument is out of its range, or `root` contains no images.
        DataError: files cannot be read.
    """

    def __init__(
        self,
        root: str,
        batch_size: int = 64,
        image_size: int | tuple[int, int] = 64,
        channels: Literal[1, 3] = 3,
        preprocess: CropMode = "resize_and_center_crop",
        flip: bool = False,
        val_split: float = 0.1,
        cache_mib: int = 4096,
        on_error: OnError = "raise",
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        self.size = to_size(image_size)
        require_at_least(1, image_size=min(self.size))
        require_at_least(0, val_split=val_split, cache_mib=cache_mib)
        require_one_of(get_args(CropMode), preprocess=preprocess)
        require_one_of(("raise", "skip"), on_error=on_error)
        if channels not in (1, 3):
            raise ArgumentError("channels", f"must be 1 or 3, but is {channels}")
        self.files = find_images(root)
        self.class_names = tuple(self.files["train"])
        self.num_classes = len(self.class_names)
        self.image_shape = (channels, *self.size)
        self.preprocess, self.flip, self.val_split = preprocess, flip, val_split
        self.cache_mib, self.on_error = cache_mib, on_error
        self.is_read = False
        self.save_hyperparameters()

    def setup(self, stage: str | None = None) -> None:
        """Read the files once, and split them."""
        if not self.is_read:
            self._read()
        if stage in ("fit", None):
            self.require_a_batch()

    def describe(self) -> str:
        """Return classes, numbers of images, size and channels, and the folders of splits."""
        folders = [split for split in SPLITS if split in self.files]
        return join(
            super().describe(), f"split by folders ({', '.join(folders)})" * (len(folders) > 1)
        )

    def _read(self) -> None:
        labels = {
            path: (split, self.class_names.index(name))
            for split, classes in self.files.items()
            for name, paths in classes.items()
            for path in paths
        }
        read = partial(
            _read_record,
            size=self.size,
            channels=self.image_shape[0],
            center=self.preprocess == "resize_and_center_crop",
            signed_floats=_has_signed_floats(list(labels)),
        )
        source, paths, _ = read_all(FileImages(list(labels), read), self.cache_mib, self.on_error)
        y = torch.tensor([labels[path][1] for path in paths])
        parts = {
            split: torch.tensor(
                [k for k, path in enumerate(paths) if labels[path][0] == split]
            ).long()
            for split in self.files
        }
        if "val" not in parts:
            train, val = self.hold_out(len(parts["train"]), self.val_split)
            parts["train"], parts["val"] = parts["train"][train], parts["train"][val]
        sets = {
            split: CroppedImages(
                Crops(source, index, self.size, self.flip and split == "train"), y[index]
            )
            for split, index in parts.items()
        }
        self.train_set, self.val_set = sets["train"], sets["val"]
        self.test_set = sets.get("test", self.val_set)
        self.is_read = True


def read_resized(path: str, size: Size, channels: int, signed_floats: bool = False) -> Pixels:
    """Read an image (channels, h, w) uint8, resized with a Lanczos filter to cover `size`.

    Args:
        path: path of the file.
        size: height and width to cover.
        channels: 1 or 3.
        signed_floats: if True, floats are in [-1, 1] instead of [0, 1].

    Raises:
        DataError: the file cannot be read, or contains floats outside their range.
    """
    pixels = read_image(path, channels, min_side=2 * max(size), first_page=True)
    if pixels.dtype == np.float32:
        if signed_floats:
            pixels = (pixels + 1) / 2
        require_unit_floats(pixels, path)
    if pixels.dtype != np.uint8:
        white = np.float32(65535 if pixels.dtype == np.uint16 else 1)
        pixels = (pixels / white * 255).round().astype(np.uint8)
    planes = map(Image.fromarray, pixels)
    lanczos = Image.Resampling.LANCZOS
    return np.stack([np.asarray(ImageOps.cover(x, size[::-1], lanczos)) for x in planes])


def _read_record(path: str, size: Size, channels: int, center: bool, signed_floats: bool) -> Record:
    """Read one image as a record; with a crop in the center, only that crop."""
    pixels = read_resized(path, size, channels, signed_floats)
    return (np.ascontiguousarray(crop(pixels, size)) if center else pixels,)


def _has_signed_floats(paths: list[str]) -> bool:
    """Return True if a sample of the files contains negative floats: they lie in [-1, 1]."""
    deep = [path for path in paths if not path.lower().endswith(EIGHT_BITS)]
    try:
        return any(x.low < 0 for x in inspect_images(deep, first_page=True)) if deep else False
    except DataError:  # unreadable files are reported together
        return False
