"""Base of data modules with data in memory: a batch is one indexing operation."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

import torch
from lightning import LightningDataModule, Trainer
from torch import Tensor, distributed
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from lightning_gen.datamodules.descriptions import (
    count,
    describe_classes,
    describe_numbers,
    describe_size,
    join,
)
from lightning_gen.datamodules.split_names import SPLITS, Split
from lightning_gen.errors import ArgumentError, NotReadyError, require_at_least
from lightning_gen.types import to_images

LabelledBatch = tuple[Tensor, Tensor]


class BatchedImages(Dataset[Any], ABC):
    """Data set of images that is indexed by one image or by a whole batch."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int | Tensor) -> Any: ...

    def __getitems__(self, indices: Sequence[int]) -> Any:
        return self[torch.tensor(indices)]

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """Return the index of a training epoch, (n,) or (rows, n), to be split into batches."""
        return torch.randperm(len(self), generator=generator)


class TensorImages(BatchedImages):
    """Data set of images and labels in memory.

    Args:
        pixels: (n, c, h, w) uint8, or float in [-1, 1].
        labels: (n,) int64.
    """

    def __init__(self, pixels: Tensor, labels: Tensor) -> None:
        self.pixels, self.labels = pixels, labels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int | Tensor) -> LabelledBatch:
        if isinstance(index, Tensor):  # several times as fast as pixels[index]
            return self.pixels.index_select(0, index), self.labels.index_select(0, index)
        return self.pixels[index], self.labels[index]

    def subset(self, indices: Tensor) -> "TensorImages":
        """Return the images at these indices as a new data set."""
        return TensorImages(self.pixels[indices], self.labels[indices])


def identity(batch: Any) -> Any:
    """Collate function for data sets that return whole batches."""
    return batch


def random_split(n: int, val_split: float, seed: int) -> tuple[Tensor, Tensor]:
    """Split n indices in random order into training and validation, by a share or a number.

    A share above 0 holds out at least one index, unless there is only one.
    """
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    held_out = int(val_split if val_split >= 1 else val_split * n) or int(val_split > 0 and n > 1)
    return order[held_out:], order[:held_out]


class ResumableSampler(DistributedSampler[Tensor]):
    """Sampler of the index batches of one process, in a new order in every epoch.

    A resumed epoch starts after the batches that it has already returned. Images that do not fill
    a batch in every process are dropped.

    Args:
        data: data set to shuffle.
        batch_size: number of images per batch and process.
        seed: seed of the order.
        process: number of processes and rank of this one; None for those of torch.distributed.
    """

    resumed: Mapping[int, int] = {}  # number of batches to skip, by epoch

    def __init__(
        self, data: BatchedImages, batch_size: int, seed: int, process: tuple[int, int] | None
    ) -> None:
        processes, rank = process or (1, 0)
        super().__init__(data, processes, rank, seed=seed, drop_last=True)
        self.batch_size, self.process = batch_size, process

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        order = cast(BatchedImages, self.dataset).shuffled(generator)
        processes, rank = self._process()
        share = order[..., rank : order.shape[-1] // processes * processes : processes]
        skip = self.resumed.get(self.epoch, 0)
        return islice(share.split(self.batch_size, -1), skip, len(self))

    def __len__(self) -> int:
        processes, _ = self._process()
        return len(cast(BatchedImages, self.dataset)) // processes // self.batch_size

    def _process(self) -> tuple[int, int]:
        if self.process:
            return self.process
        if distributed.is_available() and distributed.is_initialized():
            return distributed.get_world_size(), distributed.get_rank()
        return 1, 0


class ResumableLoader(DataLoader[Any]):
    """Loader with its position in the epoch in Lightning's checkpoints."""

    sampler: ResumableSampler
    position = (0, 0)  # the epoch, and the number of batches that it has returned

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Start at the first request for a batch, after Lightning has set the epoch."""
        batches = self.sampler.resumed.get(self.sampler.epoch, 0)
        for batch in super().__iter__():
            batches += 1
            self.position = self.sampler.epoch, batches
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Return the position."""
        epoch, batches = self.position
        return {"epoch": epoch, "batches": batches}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Resume at the position of another loader."""
        self.sampler.resumed = {state["epoch"]: state["batches"]}


class TensorDataModule(LightningDataModule, ABC):
    """Data module for data sets in memory: shuffled, distributed and resumed within an epoch.

    In `setup`, a subclass assigns `train_set`, `val_set` and `test_set`, for example
    `TensorImages`; `image_shape` and `num_classes`, if it has them, are passed to models by the
    command line. Batches are (x, labels), or dictionaries of x: x (b, c, h, w) float in [-1, 1],
    converted from pixels after the transfer to the device; labels (b,) int64. The order of the
    training images depends only on the seed and the epoch; each process gets its share.

    Args:
        batch_size: number of images per batch and process.
        num_workers: number of loader processes; 0 is fastest for data in memory.
        seed: seed of the split and of the order of the training images.

    Raises:
        ArgumentError: an argument is out of its range.
    """

    train_set: BatchedImages
    val_set: BatchedImages
    test_set: BatchedImages

    def __init__(self, batch_size: int = 64, num_workers: int = 0, seed: int = 0) -> None:
        super().__init__()
        require_at_least(1, batch_size=batch_size)
        require_at_least(0, num_workers=num_workers, seed=seed)
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self.loader: ResumableLoader | None = None
        self.restored: dict[str, int] = {}
        self.held_out = ""  # reason for few training images, for messages

    def hold_out(self, n: int, val_split: float) -> tuple[Tensor, Tensor]:
        """Split n indices at random into training and validation; the seed determines the split.

        Args:
            n: number of images.
            val_split: share, or number, of the images for validation.
        """
        train, val = random_split(n, val_split, self.seed)
        if len(val):
            self.held_out = f": val_split={val_split} holds out {len(val)} of {n} images"
        return train, val

    def require_a_batch(self) -> None:
        """Raise if the training images do not fill a batch in every process.

        Raises:
            ArgumentError: names batch_size and the reason.
        """
        n, processes = len(self.train_set), self.trainer.world_size if self.trainer else 1
        if n < self.batch_size * processes:
            each = f" in each of {processes} processes" if processes > 1 else ""
            fix = "; decrease val_split" if self.held_out else ""
            if n >= processes:
                fix = f"; use {n // processes} or less"
            raise ArgumentError(
                "batch_size",
                f"is {self.batch_size}{each}, but there {'is' if n == 1 else 'are'} only "
                f"{count(n, 'training image')}{self.held_out}{fix}",
            )

    def describe(self) -> str:
        """Return what was understood of the data: classes, and after `setup`, numbers of images.

        For example: 3 classes (cat, dog, owl), 120 training and 30 validation images, 64 x 64
        pixels, 3 channels.
        """
        classes = getattr(self, "num_classes", 0), getattr(self, "class_names", ())
        channels, *size = getattr(self, "image_shape", (0,))
        return join(
            describe_classes(*classes),
            describe_numbers(self._numbers(), "image"),
            join(describe_size(*size), count(channels, "channel")) if size else "",
        )

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the training loader, shuffled in every epoch, without an incomplete last batch.

        Raises:
            ArgumentError: the training images do not fill a batch in every process.
        """
        trainer: Trainer | None = self.trainer
        if trainer and trainer.overfit_batches:  # type: ignore[attr-defined]
            return self.split_dataloader("train")
        self._require_setup("train")
        self.require_a_batch()
        process = (trainer.world_size, trainer.global_rank) if trainer else None
        sampler = ResumableSampler(self.train_set, self.batch_size, self.seed, process)
        settings = self._loader_settings() | {"batch_size": None}  # the sampler returns batches
        self.loader = ResumableLoader(self.train_set, sampler=sampler, **settings)
        resumes = trainer is None or trainer.ckpt_path is not None
        if self.restored and resumes:  # a position restored by an earlier test does not count
            self.loader.load_state_dict(self.restored)
        return self.loader

    def state_dict(self) -> dict[str, int]:
        """Return the position of the training loader."""
        return self.loader.state_dict() if self.loader else {}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Resume the next training loader at this position.

        Lightning restores loaders, too, but not if the model has requested the number of training
        batches before, as for a learning rate schedule.
        """
        self.restored = state_dict

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the validation loader, in order; Lightning distributes it among processes."""
        return self.split_dataloader("val")

    def test_dataloader(self) -> DataLoader[Any]:
        """Return the test loader, in order; Lightning distributes it among processes."""
        return self.split_dataloader("test")

    def predict_dataloader(self) -> DataLoader[Any]:
        """Return the test loader."""
        return self.test_dataloader()

    def split_dataloader(self, split: Split) -> DataLoader[Any]:
        """Return a loader of all images of a split, in order, without random crops and flips.

        Raises:
            NotReadyError: `setup` has not read this split.
        """
        self._require_setup(split)
        return DataLoader(getattr(self, f"{split}_set"), **self._loader_settings())

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Convert pixels to images on the device, after a transfer of a quarter of the bytes."""
        if isinstance(batch, Mapping):
            return {domain: to_images(pixels) for domain, pixels in batch.items()}
        pixels, labels = batch
        return to_images(pixels), labels

    def _loader_settings(self) -> dict[str, Any]:
        return {
            "batch_size": self.batch_size,
            "collate_fn": identity,
            "num_workers": self.num_workers,
            "pin_memory": torch.cuda.is_available(),
        }

    def _require_setup(self, split: Split) -> None:
        if getattr(self, f"{split}_set", None) is None:
            stage = "test" if split == "test" else "fit"
            raise NotReadyError(
                f"{type(self).__name__} has no {split} images before its setup: call "
                f'prepare_data() and setup("{stage}"), or pass the data module to a Trainer'
            )

    def _numbers(self) -> dict[Split, tuple[int, ...]]:
        """Return the number of images in each split after `setup`."""
        sets = {split: getattr(self, f"{split}_set", None) for split in SPLITS}
        if sets["test"] is sets["val"]:
            del sets["test"]
        return {split: (len(data),) for split, data in sets.items() if data is not None}
