"""The discriminators of pix2pix: Isola et al. (2017), https://arxiv.org/abs/1611.07004."""

import torch
from torch import Tensor, nn

from lightning_gen.errors import require_at_least
from lightning_gen.networks.initial import initialise
from lightning_gen.networks.translation import (
    Norm,
    check_images,
    named,
    norm_layer,
    require_norm,
)


class PatchDiscriminator(nn.Sequential):
    """Images (b, c, h, w) to a logit for each of their patches, (b, 1, h', w').

    A patch has 70 x 70 pixels with 3 layers, 34 with 2, 16 with 1, and one pixel with none: sec.
    3.2.2. A condition (b, c', h, w) stands before the image as further channels.

    Args:
        in_channels: of condition and image together.
        layers: how often the sides are halved; 0 judges pixels.
        width: channels of the first layer; they double, up to 8 times the width.
        norm: of batches, or of each image alone.

    Raises:
        ArgumentError: an argument is out of its range.
    """

    def __init__(
        self, in_channels: int = 6, layers: int = 3, width: int = 64, norm: Norm = "batch"
    ) -> None:
        require_at_least(1, in_channels=in_channels, width=width)
        require_at_least(0, layers=layers)
        require_norm(norm)
        super().__init__(
            named("model", *_patches(in_channels, layers, width, norm))
            if layers
            else named("net", *_pixels(in_channels, width, norm))
        )
        self.in_channels = in_channels
        self.smallest = 3 << layers if layers else 1  # 3 x 3 for the last two layers
        initialise(self)

    def forward(self, x: Tensor, *c: Tensor) -> Tensor:
        x = torch.cat([*c, x], 1) if c else x
        check_images(x, self.in_channels, smallest=self.smallest)
        return super().forward(x)


def _patches(in_channels: int, layers: int, width: int, norm: Norm) -> list[nn.Module]:
    channels = [width * min(2**n, 8) for n in range(layers + 1)]
    stack = [nn.Conv2d(in_channels, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
    for n in range(1, layers + 1):
        stride = 2 if n < layers else 1
        stack += [
            nn.Conv2d(channels[n - 1], channels[n], 4, stride, 1, bias=norm == "instance"),
            norm_layer(norm, channels[n]),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    return [*stack, nn.Conv2d(channels[-1], 1, 4, 1, 1)]


def _pixels(in_channels: int, width: int, norm: Norm) -> list[nn.Module]:
    bias = norm == "instance"
    return [
        nn.Conv2d(in_channels, width, 1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(width, 2 * width, 1, bias=bias),
        norm_layer(norm, 2 * width),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(2 * width, 1, 1, bias=bias),
    ]
