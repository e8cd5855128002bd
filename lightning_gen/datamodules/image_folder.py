"""People's own pictures: files of any format and size, in class folders or in one."""

from functools import partial
from typing import Literal

import torch

from lightning_gen.datamodules.base import TensorDataModule
from lightning_gen.datamodules.crops import Crops, Squares, read_square, read_whole
from lightning_gen.datamodules.image_cache import FileImages, read_all
from lightning_gen.datamodules.image_files import find_images
from lightning_gen.errors import ArgumentError, require_at_least, require_one_of


class ImageFolderDataModule(TensorDataModule):
    """Pictures of your own, in any format that PIL reads, resized and cut to squares.

    Each folder in `root` is a class, in the order of their names, with the images in it and in its
    own folders; a `root` that holds images itself is one class. The shorter side of an image is
    resized, with a filter against aliasing, and a square is cut out of the middle or anywhere.
    Images are turned upright as their EXIF data say; transparent pixels become white; the first
    image of an animation is taken; greys of 16 bits keep their range.

    The images are read once and kept as bytes if they fit in `cache_mib`; otherwise they are read
    again in every epoch, which takes time, or workers. Training is bit-equal either way, whatever
    the workers: crops and flips follow from the seed and the epoch. There is no test split: test
    images are those of validation.

    Args:
        root: the folder.
        batch_size: images per batch and process.
        image_size: height and width of the squares.
        channels: 3 for colours, 1 for greys.
        crop: "center" cuts the square in the middle, "random" another one in every epoch of
            training, along the longer side.
        flip: whether half of the training images are flipped, left to right, others in every epoch.
        val_split: the share of the images that is held out for validation, or their number.
        cache_mib: MiB that the images may take in each process; 0 keeps none.
        on_error: whether files that cannot be read are left out with a warning.
        seed: of the split, of the order of the training images, and of crops and flips.
        num_workers: loader processes; 0 is fastest for images in memory.

    Attributes:
        image_shape: (channels, image_size, image_size).
        class_names: the folders' names, in the order of the labels.
        num_classes: their number; 1 if there are no class folders, where labels are 0.

    Raises:
        ArgumentError: an argument is out of its range, or `root` holds no images.
        DataError: files cannot be read.
    """

    def __init__(
        self,
        root: str,
        batch_size: int = 64,
        image_size: int = 64,
        channels: Literal[1, 3] = 3,
        crop: Literal["center", "random"] = "center",
        flip: bool = False,
        val_split: float = 0.1,
        cache_mib: int = 4096,
        on_error: bool = False,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        require_at_least(1, image_size=image_size)
        require_at_least(0, val_split=val_split, cache_mib=cache_mib)
        require_one_of(("center", "random"), crop=crop)
        if channels not in (1, 3):
            raise ArgumentError("channels", f"must be 1 or 3, but is {channels}")
        self.files = find_images(root)
        self.class_names = tuple(self.files)
        self.num_classes = len(self.class_names)
        self.image_shape = (channels, image_size, image_size)
        self.crop, self.flip, self.val_split = crop, flip, val_split
        self.cache_mib, self.on_error = cache_mib, on_error
        self.is_read = False
        self.save_hyperparameters()

    def setup(self, stage: str) -> None:
        """Read the files once, and split them."""
        if self.is_read:
            return
        channels, size, _ = self.image_shape
        read = partial(
            read_square if self.crop == "center" else read_whole, size=size, channels=channels
        )
        labels = {path: k for k, paths in enumerate(self.files.values()) for path in paths}
        files = FileImages(list(labels), read)
        mend = "leave them out with --data.on_error true"
        source, paths, _ = read_all(files, self.cache_mib, self.on_error, mend)
        train, val = self.hold_out(len(paths), self.val_split)
        y = torch.tensor([labels[path] for path in paths])
        self.train_set = Squares(Crops(source, train, size, self.flip), y[train])
        self.val_set = self.test_set = Squares(Crops(source, val, size), y[val])
        self.is_read = True
