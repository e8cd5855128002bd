"""A memory of generated images, Shrivastava et al. (2017), https://arxiv.org/abs/1612.07828."""

import torch
from torch import Tensor


class ImagePool:
    """Former fakes, some of which D sees again in the place of new ones.

    While there is room, every image is kept and given back. Then, one by one, half of them are
    exchanged for one of those kept. Random numbers are torch's own.

    Args:
        size: images that are kept; 0 gives back every image at once.

    Attributes:
        images: those kept, (c, h, w) each.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[Tensor] = []

    def exchange(self, x: Tensor) -> Tensor:
        """Images (b, c, h, w), some of them exchanged for former ones."""
        return torch.stack([self._exchange_one(image) for image in x])

    def _exchange_one(self, image: Tensor) -> Tensor:
        if len(self.images) < self.size:
            self.images.append(image.clone())
        elif self.size and torch.rand(()) < 0.5:
            place = int(torch.randint(self.size, ()))
            # those of a checkpoint lie on the CPU
            image, self.images[place] = self.images[place].to(image), image.clone()
        return image
