"""Images of two domains A and B, in pairs or not."""

import torch
from torch import Tensor

from lightning_gen.datamodules.base import BatchedImages
from lightning_gen.datamodules.crops import Crops, numbered

Domains = dict[str, Tensor]  # {"A": x, "B": y}


class Pairs(BatchedImages):
    """Pairs of images, cropped and flipped alike.

    Args:
        crops: of records of A and B.
    """

    def __init__(self, crops: Crops) -> None:
        self.crops = crops

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: int | Tensor) -> Domains:
        if isinstance(index, int):
            return {domain: x[0] for domain, x in self[torch.tensor([index])].items()}
        return dict(zip("AB", self.crops.take(index), strict=True))

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """Places, and a random number below each, (2, n)."""
        return numbered(super().shuffled(generator), generator)


class Unpaired(BatchedImages):
    """Images of A, each with any of B; as many as the larger domain has.

    Args:
        a: crops of A.
        b: crops of B.
        serial: whether training goes through both in order, instead of at random.
    """

    def __init__(self, a: Crops, b: Crops, serial: bool = False) -> None:
        self.a, self.b, self.serial = a, b, serial

    def __len__(self) -> int:
        return max(len(self.a), len(self.b)) if len(self.a) and len(self.b) else 0

    def __getitem__(self, index: int | Tensor) -> Domains:
        if isinstance(index, int):
            return {domain: x[0] for domain, x in self[torch.tensor([index])].items()}
        index = self._both(index) if index.ndim == 1 else index
        return {"A": self.a.take(index[0::2])[0], "B": self.b.take(index[1::2])[0]}

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """Places in A and in B, and a random number below each, (4, n)."""
        order = torch.arange(len(self)) if self.serial else super().shuffled(generator)
        places = self._both(order)
        if not self.serial:
            places[1] = torch.randint(len(self.b), order.shape, generator=generator)
        return numbered(places, generator).flatten(0, 1)

    def _both(self, places: Tensor) -> Tensor:
        return torch.stack([places % len(self.a), places % len(self.b)])
