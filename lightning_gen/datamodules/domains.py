"""Data sets of images of two domains A and B, paired or unpaired."""

import torch
from torch import Tensor

from lightning_gen.datamodules.base import BatchedImages
from lightning_gen.datamodules.crops import Crops, add_random_numbers

Domains = dict[str, Tensor]  # {"A": x, "B": y}


class Pairs(BatchedImages):
    """Pairs of images, cropped and flipped alike.

    Args:
        crops: crops of records of A and B.
    """

    def __init__(self, crops: Crops) -> None:
        self.crops = crops

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: int | Tensor) -> Domains:
        return dict(zip("AB", self.crops.take(index), strict=True))

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """Return shuffled indices and random numbers, (2, n)."""
        return add_random_numbers(super().shuffled(generator), generator)


class Unpaired(BatchedImages):
    """Images of A, each with a random image of B; as many as the larger domain has.

    Args:
        a: crops of A.
        b: crops of B.
        serial: if True, train on both domains in order instead of at random.
    """

    def __init__(self, a: Crops, b: Crops, serial: bool = False) -> None:
        self.a, self.b, self.serial = a, b, serial

    def __len__(self) -> int:
        return max(len(self.a), len(self.b)) if len(self.a) and len(self.b) else 0

    def __getitem__(self, index: int | Tensor) -> Domains:
        if isinstance(index, int):
            return {domain: x[0] for domain, x in self[torch.tensor([index])].items()}
        index = self._of_both(index) if index.ndim == 1 else index
        return {"A": self.a.take(index[0::2])[0], "B": self.b.take(index[1::2])[0]}

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """Return indices of A and of B, and random numbers for both, (4, n)."""
        order = torch.arange(len(self)) if self.serial else super().shuffled(generator)
        indices = self._of_both(order)
        if not self.serial:
            indices[1] = torch.randint(len(self.b), order.shape, generator=generator)
        return add_random_numbers(indices, generator).flatten(0, 1)

    def _of_both(self, indices: Tensor) -> Tensor:
        return torch.stack([indices % len(self.a), indices % len(self.b)])
