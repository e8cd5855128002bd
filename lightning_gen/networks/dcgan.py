"""Networks of DCGAN: Radford et al. (2015), https://arxiv.org/abs/1511.06434."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from lightning_gen.errors import ArgumentError
from lightning_gen.networks.initialization import init_weights
from lightning_gen.networks.regularization import MinibatchStd
from lightning_gen.types import ImageShape

SIZES = tuple(base << n for n in range(2, 7) for base in (4, 5, 6, 7) if base << n <= 256)


class DCGANGenerator(nn.Sequential):
    """Generator from latents (b, latent_dim) to images (b, *image_shape).

    The outermost convolution has ``base_channels`` channels; doubled with each halving of the
    image, up to a factor of 8. A condition (b, condition) is concatenated with the latents.
    """

    def __init__(
        self, latent_dim: int, image_shape: ImageShape, base_channels: int, condition: int = 0
    ) -> None:
        (h, w), channels = _pyramid(image_shape, base_channels)
        channels.reverse()  # from the smallest feature map to the image
        super().__init__(
            nn.Linear(latent_dim + condition, channels[0] * h * w, bias=False),
            nn.Unflatten(1, (channels[0], h, w)),
            nn.BatchNorm2d(channels[0]),
            nn.ReLU(inplace=True),
            *(
                layer
                for before, after in pairwise(channels)
                for layer in (
                    nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False),
                    nn.BatchNorm2d(after),
                    nn.ReLU(inplace=True),
                )
            ),
            nn.ConvTranspose2d(channels[-1], image_shape[0], 4, 2, 1),
            nn.Tanh(),
        )
        _init_weights(self)

    def forward(self, z: Tensor, *c: Tensor) -> Tensor:
        return super().forward(torch.cat([z, *c], 1) if c else z)


class DCGANDiscriminator(nn.Sequential):
    """Discriminator from images (b, c, h, w) to logits (b, 1).

    A condition (b, condition) is concatenated with the pixels as constant channels. Gradient
    penalties need ``batch_norm=False``, since batch norm makes scores depend on the whole batch.
    Without a hidden layer, the score of a small image is a sum over its parts, and D cannot tell if
    they fit together.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        base_channels: int,
        condition: int = 0,
        batch_norm: bool = True,
        minibatch_std: bool = False,
        hidden_dim: int = 0,
    ) -> None:
        (h, w), channels = _pyramid(image_shape, base_channels)
        features = (channels[-1] + minibatch_std) * h * w
        super().__init__(
            nn.Conv2d(image_shape[0] + condition, channels[0], 4, 2, 1),
            nn.LeakyReLU(0.2, inplace=True),
            *(
                layer
                for before, after in pairwise(channels)
                for layer in (
                    nn.Conv2d(before, after, 4, 2, 1, bias=not batch_norm),
                    *([nn.BatchNorm2d(after)] if batch_norm else []),
                    nn.LeakyReLU(0.2, inplace=True),
                )
            ),
            *([MinibatchStd()] if minibatch_std else []),
            nn.Flatten(),
            *(
                [nn.Linear(features, hidden_dim), nn.LeakyReLU(0.2, inplace=True)]
                if hidden_dim
                else []
            ),
            nn.Linear(hidden_dim or features, 1),
        )
        _init_weights(self)

    def forward(self, x: Tensor, *c: Tensor) -> Tensor:
        maps = [entry[..., None, None].expand(-1, -1, *x.shape[2:]) for entry in c]
        return super().forward(torch.cat([x, *maps], 1) if maps else x)


def _pyramid(image_shape: ImageShape, base_channels: int) -> tuple[tuple[int, int], list[int]]:
    """Return the size of the smallest feature map, and the channels from the image inward."""
    _, *sides = image_shape
    halvings = min(sides).bit_length() - 3  # leaves 4 to 7 pixels on the shorter side
    if not 16 <= min(sides) <= max(sides) <= 256 or any(side % 2**halvings for side in sides):
        raise ArgumentError(
            "image_shape",
            f"is {tuple(image_shape)}, but DCGAN halves the sides down to 4 to 7 pixels.\n"
            f"Supported sizes: {', '.join(map(str, SIZES))}. Resize or pad the images.",
        )
    h, w = (side >> halvings for side in sides)
    return (h, w), [base_channels * min(2**i, 8) for i in range(halvings)]


def _init_weights(network: nn.Module) -> None:
    """Use channels_last, which is a third faster on CPUs, and initialize the weights."""
    network.to(memory_format=torch.channels_last)
    init_weights(network)
