"""Discriminators of pix2pix: Isola et al. (2017), https://arxiv.org/abs/1611.07004."""

import torch
from torch import Tensor, nn

from lightning_gen.errors import require_at_least
from lightning_gen.networks.initialization import init_weights
from lightning_gen.networks.translation import (
    Norm,
    check_images,
    named,
    norm_layer,
    require_norm,
)


class PatchDiscriminator(nn.Sequential):
    """Discriminator from images (b, c, h, w) to a logit per patch (b, 1, h', w').

    Patches have 70 x 70 pixels with 3 layers, 34 with 2, 16 with 1, and one pixel with 0 (sec.
    3.2.2). A condition (b, c', h, w) is concatenated before the image.

    Args:
        in_channels: channels of condition and image together.
        num_layers: number of downsamplings; 0 for single pixels.
        base_channels: channels of the first layer; doubled in each layer, up to a factor of 8.
        norm: "batch" or "instance".

    Raises:
        ArgumentError: If an argument is out of range.
    """

    def __init__(
        self,
        in_channels: int = 6,
        num_layers: int = 3,
        base_channels: int = 64,
        norm: Norm = "batch",
    ) -> None:
        require_at_least(1, in_channels=in_channels, base_channels=base_channels)
        require_at_least(0, num_layers=num_layers)
        require_norm(norm)
        super().__init__(
            named("model", *_patches(in_channels, num_layers, base_channels, norm))
            if num_layers
            else named("net", *_pixels(in_channels, base_channels, norm))
        )
        self.in_channels = in_channels
        self.smallest = 3 << num_layers if num_layers else 1  # the last two layers need 3 x 3
        init_weights(self)

    def forward(self, x: Tensor, *c: Tensor) -> Tensor:
        x = torch.cat([*c, x], 1) if c else x
        check_images(x, self.in_channels, smallest=self.smallest)
        return super().forward(x)


def _patches(in_channels: int, num_layers: int, base_channels: int, norm: Norm) -> list[nn.Module]:
    channels = [base_channels * min(2**n, 8) for n in range(num_layers + 1)]
    stack = [nn.Conv2d(in_channels, base_channels, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
    for n in range(1, num_layers + 1):
        stride = 2 if n < num_layers else 1
        stack += [
            nn.Conv2d(channels[n - 1], channels[n], 4, stride, 1, bias=norm == "instance"),
            norm_layer(norm, channels[n]),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    return [*stack, nn.Conv2d(channels[-1], 1, 4, 1, 1)]


def _pixels(in_channels: int, base_channels: int, norm: Norm) -> list[nn.Module]:
    bias = norm == "instance"
    return [
        nn.Conv2d(in_channels, base_channels, 1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(base_channels, 2 * base_channels, 1, bias=bias),
        norm_layer(norm, 2 * base_channels),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(2 * base_channels, 1, 1, bias=bias),
    ]
