"""Image pool, Shrivastava et al. (2017), https://arxiv.org/abs/1612.07828."""

import torch
from torch import Tensor


class ImagePool:
    """Store generated images, and replace some new ones with stored ones.

    Until the pool is full, images are stored and returned. After that, each image is replaced
    with probability 1/2 by a stored one, and takes its slot. Random numbers come from torch's
    global generator.

    Args:
        size: number of images stored; 0 returns all images unchanged.

    Attributes:
        images: stored images, (c, h, w) each.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[Tensor] = []

    def query(self, x: Tensor) -> Tensor:
        """Return images (b, c, h, w), some replaced by stored ones."""
        return torch.stack([self._query_one(image) for image in x])

    def _query_one(self, image: Tensor) -> Tensor:
        if len(self.images) < self.size:
            self.images.append(image.clone())
        elif self.size and torch.rand(()) < 0.5:
            slot = int(torch.randint(self.size, ()))
            # images from a checkpoint are on the CPU
            image, self.images[slot] = self.images[slot].to(image), image.clone()
        return image
