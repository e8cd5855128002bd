"""Data sets that fit in memory: one tensor of bytes, one indexing operation a batch."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning import LightningDataModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from lightning_gen.types import to_images

Batch = tuple[Tensor, Tensor]


class TensorImages(Dataset[Batch]):
    """Images and labels that are indexed a batch at a time.

    Args:
        pixels: (n, c, h, w) uint8.
        labels: (n,) int64.
    """

    def __init__(self, pixels: Tensor, labels: Tensor) -> None:
        self.pixels, self.labels = pixels, labels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Batch:
        return self.pixels[index], self.labels[index]

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        index = torch.tensor(indices)
        return self.pixels[index], self.labels[index]

    def subset(self, index: Tensor) -> "TensorImages":
        """The images at these places, as a data set of its own."""
        return TensorImages(self.pixels[index], self.labels[index])


def as_it_is(batch: Any) -> Any:
    """The collate function of a data set that makes whole batches."""
    return batch


class TensorDataModule(LightningDataModule):
    """Loaders over three data sets in memory, which `setup` of a subclass provides.

    Batches are (x, labels): x (b, c, h, w) float in [-1, 1], made from bytes after their transfer
    to the device; labels (b,) int64. The order of the training images follows from the seed and
    the epoch alone, and each process gets its share of it.

    Args:
        batch_size: images per batch and process.
        num_workers: loader processes; 0 is fastest, since a batch costs microseconds.
        seed: of the split and of the order of the training images.
    """

    train_set: TensorImages
    val_set: TensorImages
    test_set: TensorImages

    def __init__(self, batch_size: int, num_workers: int, seed: int) -> None:
        super().__init__()
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled anew in every epoch; an incomplete last batch is left out."""
        trainer: Trainer | None = self.trainer
        processes, rank = (trainer.world_size, trainer.global_rank) if trainer else (1, 0)
        order: DistributedSampler[Batch] = DistributedSampler(
            self.train_set, processes, rank, seed=self.seed, drop_last=True
        )
        if trainer:  # a resumed run starts with its own epoch's order; Lightning sets later ones
            epochs = trainer.fit_loop.epoch_progress.current
            order.set_epoch(epochs.processed)  # type: ignore[attr-defined]
        return self._loader(self.train_set, sampler=order, drop_last=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """In order; Lightning shares them out among several processes."""
        return self._loader(self.val_set)

    def test_dataloader(self) -> DataLoader[Batch]:
        """In order; Lightning shares them out among several processes."""
        return self._loader(self.test_set)

    def predict_dataloader(self) -> DataLoader[Batch]:
        """The test images."""
        return self.test_dataloader()

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Bytes become images on the device: a quarter of the traffic, and no time of a worker."""
        pixels, labels = batch
        return to_images(pixels), labels

    def _loader(self, data: TensorImages, **kwargs: Any) -> DataLoader[Batch]:
        return DataLoader(
            data,
            batch_size=self.batch_size,
            collate_fn=as_it_is,
            num_workers=self.num_workers,
            pin_memory=torch.cuda.is_available(),
            **kwargs,
        )
