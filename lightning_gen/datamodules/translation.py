"""Base of the data modules with image files of two domains, paired or unpaired."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, get_args

import numpy as np
import torch

from lightning_gen.datamodules.base import BatchedImages, TensorDataModule
from lightning_gen.datamodules.crops import Crops
from lightning_gen.datamodules.descriptions import count, describe_numbers, describe_size, join
from lightning_gen.datamodules.domain_folders import Paths, find_domains
from lightning_gen.datamodules.domain_readers import inspect_domain
from lightning_gen.datamodules.downloads import fetch_folder
from lightning_gen.datamodules.image_cache import (
    CachedImages,
    FileImages,
    OnError,
    Record,
    read_all,
)
from lightning_gen.datamodules.split_names import SPLITS, Split
from lightning_gen.errors import ArgumentError, require_at_least, require_one_of
from lightning_gen.images.resizing import Preprocess, Resizing, to_size

STAGES: dict[str, tuple[Split, ...]] = {
    "fit": ("train", "val"),
    "validate": ("val",),
    "test": ("test",),
    "predict": ("test",),
}


class TranslationArguments(TypedDict, total=False):
    """Keyword arguments of `TranslationDataModule`, for type checkers."""

    batch_size: int
    image_size: int | tuple[int, int]
    load_size: int | tuple[int, int] | None
    preprocess: Preprocess
    flip: bool
    channels_a: int | None
    channels_b: int | None
    val_split: float | None
    cache_mib: int
    on_error: OnError
    seed: int
    num_workers: int


class TranslationDataModule(TensorDataModule, ABC):
    """Image files of two domains A and B, in any format that `read_image` reads.

    Batches are {"A": x, "B": y}. Images keep the bit depth, 8 or 16 bits or float, and the number
    of channels of most images in a sample of their domain, unless an argument sets another.
    Grayscale images among color images become color, and 8 bits among 16 bits become 16; other
    differences raise. Floats are in [0, 1], where 0 is black, if no float in the sample is
    negative; otherwise in [-1, 1].

    Images are read once, resized, and cached in that depth if they fit in `cache_mib`; otherwise
    they are read again in every epoch, which takes time, or workers. Training is bit-identical
    either way, with any number of workers: order, crops and flips depend only on the seed and the
    epoch. PIL resizes the images, with the same bits as the authors' code; torchvision's filter
    differs.

    Validation uses its own folder if there is one; with `val_split`, a share of the training
    images; otherwise the test images if there are any, or a tenth of the training images. Without
    test images, the test uses those of validation. Both are resized to `image_size`, cropped in
    the center if they are larger, and neither flipped nor shuffled.

    Args:
        root: path of the folder, or with `name`, of its parent folder.
        name: name of a public data set, downloaded to `root` if it is missing; the data sets with
            both a paired and an unpaired version (facades, maps) need separate roots.
        batch_size: number of images of each domain per batch and process.
        image_size: height and width of the crops; an int is both.
        load_size: height and width before the crop in training; an int is both. By default
            286/256 of `image_size`.
        preprocess: "resize_and_crop" resizes to `load_size` and crops at random; "crop" only crops;
            "scale_width" resizes to the width of `load_size`, keeping the aspect ratio, and
            "scale_width_and_crop" also crops; "none" rounds both sides to multiples of 4.
        flip: if True, flip half of the training images horizontally.
        channels_a: number of channels of A; 1 for grayscale, 3 for RGB, 2 and 4 with alpha; by
            default that of most images, without alpha.
        channels_b: number of channels of B.
        val_split: share, or number, of the training images for validation if it has no folder.
        cache_mib: memory for images in MiB in each process; 0 caches none.
        on_error: "raise", or "skip" unreadable files and images without a partner with a warning.
        seed: seed of the split, of the order of the training images, and of crops and flips.
        num_workers: number of loader processes; 0 is fastest for cached images.

    Attributes:
        image_shape: (channels of A, height, width).
        target_channels: number of channels of B.
    """

    paired: bool
    archive: str  # path of the public data sets on the server, with {} for the name

    def __init__(
        self,
        root: str,
        name: str | None,
        batch_size: int = 1,
        image_size: int | tuple[int, int] = 256,
        load_size: int | tuple[int, int] | None = None,
        preprocess: Preprocess = "resize_and_crop",
        flip: bool = True,
        channels_a: int | None = None,
        channels_b: int | None = None,
        val_split: float | None = None,
        cache_mib: int = 4096,
        on_error: OnError = "raise",
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        height, width = size = to_size(image_size)
        default = round(height * 286 / 256), round(width * 286 / 256)
        load = default if load_size is None else to_size(load_size)
        require_at_least(1, image_size=min(size), load_size=min(load))
        require_at_least(0, cache_mib=cache_mib)
        require_one_of(get_args(Preprocess), preprocess=preprocess)
        if preprocess.endswith("_and_crop") and (load[0] < height or load[1] < width):
            raise ArgumentError(
                "load_size", f"must be at least image_size {image_size}, but is {load_size}"
            )
        require_one_of(get_args(OnError), on_error=on_error)
        channels = {"channels_a": channels_a, "channels_b": channels_b}
        require_at_least(1, **{flag: n for flag, n in channels.items() if n is not None})
        require_at_least(0, val_split=0 if val_split is None else val_split)
        self.name, self.folder = name, str(Path(root, name)) if name else root
        self.training = Resizing(preprocess, load, size)
        self.evaluation = Resizing(preprocess, size, size)
        self.flip, self.val_split = flip, val_split
        self.cache_mib, self.on_error = cache_mib, on_error
        self.used = 0  # bytes of cached images
        self.opened: dict[int, BatchedImages] = {}
        self.parts: dict[Split, Paths] = {}
        self.channels = (channels_a or 3, channels_b or 3) if name else (channels_a, channels_b)
        if not name:
            self._find()
            channels_a, channels_b = (domain.channels for domain in self.domains)
        self.image_shape = (channels_a or 3, height, width)
        self.target_channels = channels_b or 3

    @abstractmethod
    def images(self, paths: Paths, resizing: Resizing, flip: bool) -> BatchedImages:
        """Return the data set of the images in these files."""

    def prepare_data(self) -> None:
        """Download a missing public data set; called in one process only."""
        if self.name:
            fetch_folder(self.archive.format(self.name), Path(self.folder))

    def setup(self, stage: str | None = None) -> None:
        """Read the images of a stage, by default of all stages, once."""
        if not self.parts:
            self._find()
        for part in STAGES[stage] if stage else SPLITS:
            paths = self.parts[part]
            if id(paths) not in self.opened:
                training = part == "train"
                resizing = self.training if training else self.evaluation
                self.opened[id(paths)] = self.images(paths, resizing, training and self.flip)
            setattr(self, f"{part}_set", self.opened[id(paths)])
        if stage in ("fit", None):
            self.require_a_batch()

    def describe(self) -> str:
        """Return numbers of images or pairs, size, channels and bit depth, and conversions."""
        if not self.parts:  # not yet downloaded
            return f"{self.name}, {describe_size(*self.image_shape[1:])}"
        n = {split: tuple(map(len, self.parts[split])) for split in SPLITS}
        if self.parts["test"] is self.parts["val"]:
            del n["test"]
        numbers = (
            describe_numbers({split: pair[:1] for split, pair in n.items()}, "pair")
            if self.paired
            else f"{describe_numbers(n, 'image')} (A + B)"
        )
        a, b = (domain.describe() for domain in self.domains)
        gray = len(set.union(*(domain.converted for domain in self.domains)))
        return join(
            numbers,
            describe_size(*self.image_shape[1:]),
            a if a == b else f"{a} (A) and {b} (B)",
            f"{count(gray, 'grayscale image')} converted to color" if gray else "",
        )

    def crops(
        self, paths: Sequence[Any], read: Callable[[Any], Record], resizing: Resizing, flip: bool
    ) -> Crops:
        """Read records from files; for subclasses' `images`."""
        files = FileImages(paths, read)
        source, readable, shapes = read_all(files, self.cache_mib, self.on_error, self.used)
        if isinstance(source, CachedImages):
            self.used += len(source.pixels)
        differs = (shapes != shapes[:1]).flatten(1).any(1) if readable else torch.zeros(0)
        if not resizing.crop and self.batch_size > 1 and differs.any():
            one, other = (np.ravel(readable[k])[0] for k in (0, int(differs.nonzero()[0])))
            raise ArgumentError(
                "batch_size",
                f"must be 1 with --data.preprocess {resizing.preprocess}, since the images differ "
                f"in size, such as {one} and {other}",
            )
        return Crops(source, torch.arange(len(readable)), resizing.crop, flip)

    def _find(self) -> None:
        """Find the images of each split, and the properties of both domains."""
        parts = find_domains(self.folder, self.paired, self.on_error)
        (paths_a, paths_b), (channels_a, channels_b) = parts["train"], self.channels
        a = inspect_domain(paths_a, "channels_a", channels_a)
        is_one = paths_a is paths_b and channels_a == channels_b  # side by side in the same files
        self.domains = (
            a,
            replace(a, flag="channels_b")
            if is_one
            else inspect_domain(paths_b, "channels_b", channels_b),
        )
        if "val" not in parts and "test" in parts and self.val_split is None:
            parts["val"] = parts["test"]
        elif "val" not in parts:
            (train_a, val_a), (train_b, val_b) = map(self._split, parts["train"])
            parts["train"], parts["val"] = (train_a, train_b), (val_a, val_b)
        parts.setdefault("test", parts["val"])
        self.parts = parts

    def _split(self, paths: list[str]) -> tuple[list[str], list[str]]:
        """Split paths into training and validation, both sorted; alike for the A and B of pairs."""
        val_split = 0.1 if self.val_split is None else self.val_split
        train, val = (x.sort().values for x in self.hold_out(len(paths), val_split))
        return [paths[k] for k in train], [paths[k] for k in val]
