"""What data of two domains have in common, in pairs or not."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch

from lightning_gen.datamodules.base import BatchedImages, TensorDataModule, split_off
from lightning_gen.datamodules.crops import Crops
from lightning_gen.datamodules.domain_folders import Paths
from lightning_gen.datamodules.domain_readers import find_domain
from lightning_gen.datamodules.downloads import fetch_folder
from lightning_gen.datamodules.image_cache import CachedImages, FileImages, Record, read_all
from lightning_gen.errors import ArgumentError, require_at_least, require_one_of
from lightning_gen.images.resizing import Preprocess, Resizing

STAGES = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",), "predict": ("test",)}
SKIP = "leave them out with --data.on_error skip"


class TranslationDataModule(TensorDataModule, ABC):
    """Pictures of two domains A and B, in any format that `read_image` reads.

    Batches are {"A": x, "B": x}. Pictures keep their depth, 8 or 16 bits or float, and their
    channels, which are those of a domain's first picture unless a flag says otherwise.

    They are read once, resized, and kept in that depth if they fit in `cache_mib`; otherwise they are
    read again in every epoch, which takes time, or workers. Training is bit-equal either way,
    whatever the workers: order, crops and flips follow from the seed and the epoch. PIL resizes
    them, which is bit-equal to what the authors' code sees; torchvision's filter is not.

    Validation has the folder of its own, if there is one; with `val_split`, a share of the training
    pictures; else the test pictures, if there are any; else a tenth of the training pictures. The
    test pictures are those of validation where there are no others. Both are resized to
    `image_size`, cut in the middle where that leaves more, and neither flipped nor shuffled.

    Args:
        root: the folder, or with `name`, the one that holds it.
        name: a public set, of that name in `root`, and downloaded there if it is missing; those
            that exist in pairs and not (facades, maps) need a `root` for each.
        batch_size: images of each domain per batch and process.
        image_size: height and width of the squares that are cut.
        load_size: the size before they are, in training; 286 for 256 by default, and in proportion.
        preprocess: "resize_and_crop" resizes to squares of `load_size` and cuts one anywhere;
            "crop" only cuts; "scale_width" resizes to the width `load_size`, in proportion, and
            "scale_width_and_crop" cuts as well; "none" rounds both sides to multiples of 4.
        flip: whether half of the training images are flipped, left to right.
        channels_a: of the pictures of A; 1 makes greys, 3 colours, 2 and 4 have opacity besides.
        channels_b: the same of B.
        val_split: the share of the training pictures that is held out for validation, or their
            number, where they have no folder.
        cache_mib: MiB that the pictures may take in each process; 0 keeps none.
        on_error: "raise", or "skip" leaves out, with a warning, files that cannot be read or have
            no partner.
        seed: of the split, and of the order, the crops and the flips of the training images.
        num_workers: loader processes; 0 is fastest for pictures in memory.

    Attributes:
        image_shape: (channels of A, image_size, image_size).
        target_channels: those of B.
    """

    archive: str  # where the server has a public set, by its name

    def __init__(
        self,
        root: str,
        name: str | None,
        batch_size: int = 1,
        image_size: int = 256,
        load_size: int | None = None,
        preprocess: Preprocess = "resize_and_crop",
        flip: bool = True,
        channels_a: int | None = None,
        channels_b: int | None = None,
        val_split: float | None = None,
        cache_mib: int = 4096,
        on_error: Literal["raise", "skip"] = "raise",
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        load_size = round(image_size * 286 / 256) if load_size is None else load_size
        require_at_least(1, image_size=image_size)
        require_at_least(0, cache_mib=cache_mib)
        require_at_least(image_size if preprocess.endswith("_and_crop") else 1, load_size=load_size)
        require_one_of(get_args(Preprocess), preprocess=preprocess)
        require_one_of(("raise", "skip"), on_error=on_error)
        given = {"channels_a": channels_a, "channels_b": channels_b}
        require_at_least(1, **{flag: n for flag, n in given.items() if n is not None})
        require_at_least(0, val_split=0 if val_split is None else val_split)
        self.name, self.folder = name, str(Path(root, name)) if name else root
        self.training = Resizing(preprocess, load_size, image_size)
        self.evaluation = Resizing(preprocess, image_size, image_size)
        self.flip, self.val_split = flip, val_split
        self.cache_mib, self.skip = cache_mib, on_error == "skip"
        self.used = 0  # bytes of memory that pictures take
        self.opened: dict[int, BatchedImages] = {}
        self.parts: dict[str, Paths] = {}
        self.asked = (channels_a or 3, channels_b or 3) if name else (channels_a, channels_b)
        if not name:
            self._look()
            channels_a, channels_b = (domain.channels for domain in self.domains)
        self.image_shape = (channels_a or 3, image_size, image_size)
        self.target_channels = channels_b or 3

    @abstractmethod
    def find(self) -> dict[str, Paths]:
        """The pictures of each split that there is, train among them."""

    @abstractmethod
    def images(self, paths: Paths, resizing: Resizing, flip: bool) -> BatchedImages:
        """The images in these files."""

    def prepare_data(self) -> None:
        """Download a public set that is not there; called in one process only."""
        if self.name:
            fetch_folder(self.archive.format(self.name), Path(self.folder))

    def setup(self, stage: str) -> None:
        """Read the pictures of a stage once."""
        if not self.parts:
            self._look()
        for part in STAGES[stage]:
            paths = self.parts[part]
            if id(paths) not in self.opened:
                training = part == "train"
                resizing = self.training if training else self.evaluation
                self.opened[id(paths)] = self.images(paths, resizing, training and self.flip)
            setattr(self, f"{part}_set", self.opened[id(paths)])
        if stage == "fit":
            self.require_a_batch(len(self.train_set))

    def crops(
        self, paths: Sequence[Any], read: Callable[[Any], Record], resizing: Resizing, flip: bool
    ) -> Crops:
        """Read records from files, for `images`."""
        files = FileImages(paths, read)
        source, left, shapes = read_all(files, self.cache_mib, self.skip, SKIP, self.used)
        if isinstance(source, CachedImages):
            self.used += len(source.pixels)
        differs = (shapes != shapes[:1]).flatten(1).any(1) if left else torch.zeros(0)
        if not resizing.crop and self.batch_size > 1 and differs.any():
            one, other = (np.ravel(left[k])[0] for k in (0, int(differs.nonzero()[0])))
            raise ArgumentError(
                "batch_size",
                f"must be 1 where --data.preprocess {resizing.preprocess} leaves pictures of "
                f"several sizes, such as {one} and {other}",
            )
        return Crops(source, torch.arange(len(left)), resizing.crop, flip)

    def _look(self) -> None:
        """Find the pictures, and what those of a domain have in common."""
        parts = self.find()
        (paths_a, paths_b), (asked_a, asked_b) = parts["train"], self.asked
        self.domains = (
            find_domain(paths_a, "channels_a", asked_a, self.skip),
            find_domain(paths_b, "channels_b", asked_b, self.skip),
        )
        if "val" not in parts and "test" in parts and self.val_split is None:
            parts["val"] = parts["test"]
        elif "val" not in parts:
            (train_a, val_a), (train_b, val_b) = map(self._split, parts["train"])
            parts["train"], parts["val"] = (train_a, train_b), (val_a, val_b)
        parts.setdefault("test", parts["val"])
        self.parts = parts

    def _split(self, paths: list[str]) -> tuple[list[str], list[str]]:
        share = 0.1 if self.val_split is None else self.val_split
        train, val = (
            places.sort().values for places in split_off(len(paths), share, self.seed)
        )  # alike for A and B, if they are pairs
        return [paths[k] for k in train], [paths[k] for k in val]
