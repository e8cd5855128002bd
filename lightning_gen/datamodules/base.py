"""Data sets that fit in memory: one tensor, one indexing operation a batch."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

import torch
from lightning import LightningDataModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from lightning_gen.errors import ArgumentError, require_at_least
from lightning_gen.types import to_images

LabelledBatch = tuple[Tensor, Tensor]


class BatchedImages(Dataset[Any], ABC):
    """Images, with labels or in domains, that are indexed an image or a batch at a time."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int | Tensor) -> Any: ...

    def __getitems__(self, indices: Sequence[int]) -> Any:
        return self[torch.tensor(indices)]

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """The index of an epoch of training, (n,) or (rows, n): its columns make up batches."""
        return torch.randperm(len(self), generator=generator)


class TensorImages(BatchedImages):
    """Images and labels in memory.

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

    def subset(self, index: Tensor) -> "TensorImages":
        """The images at these places, as a data set of its own."""
        return TensorImages(self.pixels[index], self.labels[index])


def as_it_is(batch: Any) -> Any:
    """The collate function of a data set that makes whole batches."""
    return batch


def split_off(n: int, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """N places in random order, without a share or a number of them, and these; 1 at least."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    number = int(share if share >= 1 else share * n) or int(share > 0 and n > 1)
    return order[number:], order[:number]


class EpochOrder(DistributedSampler[Tensor]):
    """A process's batches of places in the data, in an order of its own in every epoch.

    An epoch that a stopped run has begun goes on after the batches it has seen. Images that do not
    fill a batch on every process are left out.
    """

    seen: tuple[int, int] = (-1, 0)  # an epoch, and how many batches of it to pass over

    def __init__(
        self, data: BatchedImages, batch_size: int, processes: int, rank: int, seed: int
    ) -> None:
        super().__init__(data, processes, rank, seed=seed, drop_last=True)
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        order = cast(BatchedImages, self.dataset).shuffled(generator)
        share = order[..., : self.total_size][..., self.rank :: self.num_replicas]
        return islice(iter(share.split(self.batch_size, -1)), self.passed, len(self))

    def __len__(self) -> int:
        return self.num_samples // self.batch_size

    @property
    def passed(self) -> int:
        """Batches of this epoch that a stopped run has seen."""
        epoch, batches = self.seen
        return batches if epoch == self.epoch else 0


class ResumableLoader(DataLoader[Any]):
    """A loader whose place in the epoch is part of Lightning's checkpoints."""

    place = (0, 0)  # the epoch, and the batches of it that were handed out

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Begins when the first batch is asked for: by then, Lightning has set the epoch."""
        batches = self.order.passed
        for batch in super().__iter__():
            batches += 1
            self.place = self.order.epoch, batches
            yield batch

    @property
    def order(self) -> EpochOrder:
        """The order of the images."""
        return cast(EpochOrder, self.sampler)

    def state_dict(self) -> dict[str, int]:
        """The place in the data."""
        epoch, batches = self.place
        return {"epoch": epoch, "batches": batches}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on where a loader with this state has stopped."""
        self.order.seen = state["epoch"], state["batches"]


class TensorDataModule(LightningDataModule, ABC):
    """Loaders over three data sets in memory, which `setup` of a subclass provides.

    Batches are (x, labels), or mappings of x: x (b, c, h, w) float in [-1, 1], made after their
    transfer to the device where the data are pixels; labels (b,) int64. The order of the training
    images follows from the seed and the epoch alone, and each process gets its share of it.

    Args:
        batch_size: images per batch and process.
        num_workers: loader processes; 0 is fastest, since a batch costs microseconds.
        seed: of the split and of the order of the training images.

    Raises:
        ArgumentError: an argument is out of its range.
    """

    train_set: BatchedImages
    val_set: BatchedImages
    test_set: BatchedImages

    def __init__(self, batch_size: int, num_workers: int, seed: int) -> None:
        super().__init__()
        require_at_least(1, batch_size=batch_size)
        require_at_least(0, num_workers=num_workers, seed=seed)
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self.loader: ResumableLoader | None = None
        self.restored: dict[str, int] = {}

    def hold_out(self, n: int, val_split: float) -> tuple[Tensor, Tensor]:
        """Places of the training and of the validation images, among n, by the seed alone.

        Args:
            n: images that there are.
            val_split: the share of them that is held out, or their number.

        Raises:
            ArgumentError: what is left does not fill a batch in every process.
        """
        train, val = split_off(n, val_split, self.seed)
        self.require_a_batch(
            len(train), f": {len(val)} of {n} are held out by val_split={val_split}"
        )
        return train, val

    def require_a_batch(self, n: int, reason: str = "") -> None:
        """Refuse n training images that do not fill a batch in every process.

        Raises:
            ArgumentError: naming batch_size, and the reason.
        """
        processes = self.trainer.world_size if self.trainer else 1
        if n < self.batch_size * processes:
            each = f" in each of {processes} processes" if processes > 1 else ""
            raise ArgumentError(
                "batch_size",
                f"is {self.batch_size}{each}, but there are {max(n, 0)} training images{reason}"
                + (f"; take {n // processes} or fewer" if n >= processes else ""),
            )

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled anew in every epoch; an incomplete last batch is left out."""
        trainer: Trainer | None = self.trainer
        if trainer and trainer.overfit_batches:  # type: ignore[attr-defined]
            return DataLoader(self.train_set, **self._loader_settings())
        processes, rank = (trainer.world_size, trainer.global_rank) if trainer else (1, 0)
        order = EpochOrder(self.train_set, self.batch_size, processes, rank, self.seed)
        settings = self._loader_settings() | {"batch_size": None}  # the order comes in batches
        self.loader = ResumableLoader(self.train_set, sampler=order, **settings)
        resumes = trainer is None or trainer.ckpt_path is not None
        if self.restored and resumes:  # what a test has restored, say, is no place to go on from
            self.loader.load_state_dict(self.restored)
        return self.loader

    def state_dict(self) -> dict[str, int]:
        """The training's place in the data."""
        return self.loader.state_dict() if self.loader else {}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Have the next training loader go on there.

        Lightning restores loaders, too, but not those of a model that has asked for the number of
        training batches before, as a learning rate schedule does.
        """
        self.restored = state_dict

    def val_dataloader(self) -> DataLoader[Any]:
        """In order; Lightning shares them out among several processes."""
        return DataLoader(self.val_set, **self._loader_settings())

    def test_dataloader(self) -> DataLoader[Any]:
        """In order; Lightning shares them out among several processes."""
        return DataLoader(self.test_set, **self._loader_settings())

    def predict_dataloader(self) -> DataLoader[Any]:
        """The test images."""
        return self.test_dataloader()

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Bytes become images on the device: a quarter of the traffic, and no time of a worker."""
        if isinstance(batch, Mapping):
            return {domain: to_images(pixels) for domain, pixels in batch.items()}
        pixels, labels = batch
        return to_images(pixels), labels

    def _loader_settings(self) -> dict[str, Any]:
        return {
            "batch_size": self.batch_size,
            "collate_fn": as_it_is,
            "num_workers": self.num_workers,
            "pin_memory": torch.cuda.is_available(),
        }
