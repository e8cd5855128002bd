"""MNIST, LeCun et al. (1998): all handwritten digits, or a bundled subset of 12,000."""

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad
from torchvision.datasets import MNIST

from lightning_gen.datamodules.base import TensorDataModule, TensorImages
from lightning_gen.errors import ArgumentError, DataError, require_at_least, require_one_of

BUNDLE = Path(__file__).parent / "mnist_12k.npz"  # made by scripts/build_mnist_12k.py
BUNDLE_SHA256 = "0007dacebb5cdcaee8b70d514f0e2fd3a669afc1357d98a9eea69f8b0982da7d"


class MNISTDataModule(TensorDataModule):
    """MNIST: 60,000 training and 10,000 test digits, or a bundled 10,000 and 2,000 of them.

    Validation digits are held out from the training digits; the test digits are the official ones.

    Args:
        subset: "full", torchvision's MNIST in `root`, downloaded if it is missing; or "12k",
            bundled with the package, without a download.
        root: path of the folder that contains MNIST/raw.
        batch_size: number of images per batch and process.
        image_size: 28, or 32 with a black border of 2 pixels.
        val_split: share, or number, of the training digits for validation.
        seed: seed of the split and of the order of the training images.
        num_workers: number of loader processes; 0 is fastest, since the digits are in memory.

    Raises:
        ArgumentError: an argument is out of its range.
        DataError: the digits cannot be read or downloaded.
    """

    num_classes = 10
    train_set: TensorImages
    val_set: TensorImages
    test_set: TensorImages

    def __init__(
        self,
        subset: Literal["full", "12k"] = "full",
        root: str = "data",
        batch_size: int = 64,
        image_size: Literal[28, 32] = 28,
        val_split: float = 0.1,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        require_at_least(0, val_split=val_split)
        require_one_of(("full", "12k"), subset=subset)
        if image_size not in (28, 32):
            raise ArgumentError("image_size", f"must be 28 or 32, but is {image_size}")
        self.subset, self.root, self.val_split = subset, root, val_split
        self.image_shape = (1, image_size, image_size)
        self.is_read = False
        self.save_hyperparameters()

    def prepare_data(self) -> None:
        """Download the full set if it is missing; called in one process only."""
        if self.subset == "full":
            _download(self.root)

    def setup(self, stage: str | None = None) -> None:
        """Read the digits once, and split them."""
        if not self.is_read:
            self._read()
        if stage in ("fit", None):
            self.require_a_batch()

    def _read(self) -> None:
        (digits, labels), test = _bundle() if self.subset == "12k" else _full(self.root)
        train, val = self.hold_out(len(digits), self.val_split)
        data = TensorImages(self._padded(digits), labels)
        self.train_set = data.subset(train)
        self.val_set = data.subset(val)
        self.test_set = TensorImages(self._padded(test[0]), test[1])
        self.is_read = True

    def _padded(self, digits: Tensor) -> Tensor:
        border = (self.image_shape[1] - 28) // 2
        return pad(digits, [border] * 4).unsqueeze(1)  # (n, 28, 28) -> (n, 1, size, size)


Split = tuple[Tensor, Tensor]


def _bundle() -> tuple[Split, Split]:
    content = BUNDLE.read_bytes()
    if hashlib.sha256(content).hexdigest() != BUNDLE_SHA256:
        raise DataError(
            f"the bundled digits are damaged: {BUNDLE} does not have the expected checksum.\n"
            "Reinstall lightning_gen, or use --data.subset full."
        )
    arrays = {k: torch.from_numpy(v) for k, v in np.load(BytesIO(content)).items()}
    train, test = (
        (arrays[f"{split}_digits"], arrays[f"{split}_labels"].long()) for split in ("train", "test")
    )
    return train, test


def _full(root: str) -> tuple[Split, Split]:
    try:
        sets = [MNIST(root, train=train) for train in (True, False)]
    except (RuntimeError, ValueError, AssertionError, OSError) as error:
        raise DataError(
            f"cannot read MNIST in {Path(root) / 'MNIST' / 'raw'}: {error}\n"
            "Delete that folder to download MNIST again, or use --data.subset 12k."
        ) from error
    train, test = ((data.data, data.targets) for data in sets)
    return train, test


def _download(root: str) -> None:
    raw = Path(root, "MNIST", "raw")
    if all((raw / Path(name).stem).is_file() for name, _ in MNIST.resources):
        return
    try:
        MNIST(root, download=True)
    except (RuntimeError, OSError) as error:  # URLError is an OSError
        raise DataError(
            f"MNIST is not in {root}, and downloading it failed: {' '.join(str(error).split())}\n"
            "Use --data.subset 12k offline, or set --data.root to a folder that contains MNIST/raw."
        ) from error
