"""Generator of pix2pix: Isola et al. (2017), https://arxiv.org/abs/1611.07004, sec. 3.2.1."""

from collections import OrderedDict

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


class UNetGenerator(nn.Sequential):
    """U-Net from images (b, in_channels, h, w) to images (b, out_channels, h, w) in [-1, 1].

    Each level downsamples, applies the next level, upsamples, and concatenates the result with its
    input.

    Args:
        in_channels: channels of the input images.
        out_channels: channels of the output images.
        num_downs: number of downsamplings, 8 for images of 256 pixels, 7 for 128.
        base_channels: channels of the outermost level; doubled inward, up to a factor of 8.
        norm: "batch" or "instance".
        dropout: if ``True``, the levels between the innermost and the outer four have dropout of
            0.5, which is the only noise of pix2pix.

    Attributes:
        multiple: height and width must be multiples of it, 2^num_downs.

    Raises:
        ArgumentError: If an argument is out of range.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        num_downs: int = 8,
        base_channels: int = 64,
        norm: Norm = "batch",
        dropout: bool = True,
    ) -> None:
        require_at_least(
            1, in_channels=in_channels, out_channels=out_channels, base_channels=base_channels
        )
        require_at_least(2, num_downs=num_downs)
        require_norm(norm)
        channels = [base_channels * min(2**level, 8) for level in range(num_downs)]
        level = Level(channels[-2], channels[-1], norm)
        for n in range(num_downs - 2, 0, -1):
            level = Level(channels[n - 1], channels[n], norm, level, dropout and n >= 4)
        layers = named(
            "model",
            nn.Conv2d(in_channels, base_channels, 4, 2, 1, bias=norm == "instance"),
            level,
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(2 * base_channels, out_channels, 4, 2, 1),
            nn.Tanh(),
        )
        super().__init__(OrderedDict(model=nn.Sequential(layers)))
        self.in_channels, self.multiple = in_channels, 2**num_downs
        init_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        check_images(x, self.in_channels, self.multiple, self.multiple)
        return super().forward(x)


class Level(nn.Module):
    """Level of a U-Net: ``outer`` channels, concatenated with features of ``inner`` channels."""

    def __init__(
        self,
        outer: int,
        inner: int,
        norm: Norm,
        submodule: nn.Module | None = None,
        dropout: bool = False,
    ) -> None:
        super().__init__()
        bias = norm == "instance"
        below = [norm_layer(norm, inner), submodule] if submodule else []
        self.model = nn.Sequential(
            nn.LeakyReLU(0.2, inplace=True),  # in place, so it also rectifies the skip connection
            nn.Conv2d(outer, inner, 4, 2, 1, bias=bias),
            *below,
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(2 * inner if below else inner, outer, 4, 2, 1, bias=bias),
            norm_layer(norm, outer),
            *([nn.Dropout(0.5)] if dropout else []),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.model(x)], 1)
