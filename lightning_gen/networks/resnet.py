"""The generator of CycleGAN: Zhu et al. (2017), https://arxiv.org/abs/1703.10593, sec. 7.2."""

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


class ResNetGenerator(nn.Sequential):
    """Images (b, in_channels, h, w) to images (b, out_channels, h, w) in [-1, 1].

    The sides are halved twice, the features changed by residual blocks, the sides doubled twice, as
    in Johnson et al. (2016), https://arxiv.org/abs/1603.08155.

    Args:
        in_channels: of the images that come in.
        out_channels: of the images that go out.
        blocks: 9 for images of 256 pixels, 6 for 128.
        width: channels at full size; the blocks have 4 times as many.
        norm: of batches, or of each image alone.
        dropout: whether each block drops half of its features.

    Attributes:
        multiple: height and width must be multiples of it, 4, and at least 8.

    Raises:
        ArgumentError: an argument is out of its range.
    """

    multiple = 4

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        blocks: int = 9,
        width: int = 64,
        norm: Norm = "instance",
        dropout: bool = False,
    ) -> None:
        require_at_least(1, in_channels=in_channels, out_channels=out_channels, width=width)
        require_at_least(1, blocks=blocks)
        require_norm(norm)
        bias = norm == "instance"

        def then(channels: int) -> list[nn.Module]:
            return [norm_layer(norm, channels), nn.ReLU(inplace=True)]

        layers = named(
            "model",
            nn.ReflectionPad2d(3),
            nn.Conv2d(in_channels, width, 7, bias=bias),
            *then(width),
            nn.Conv2d(width, 2 * width, 3, 2, 1, bias=bias),
            *then(2 * width),
            nn.Conv2d(2 * width, 4 * width, 3, 2, 1, bias=bias),
            *then(4 * width),
            *(Residual(4 * width, norm, dropout) for _ in range(blocks)),
            nn.ConvTranspose2d(4 * width, 2 * width, 3, 2, 1, 1, bias=bias),
            *then(2 * width),
            nn.ConvTranspose2d(2 * width, width, 3, 2, 1, 1, bias=bias),
            *then(width),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, out_channels, 7),
            nn.Tanh(),
        )
        super().__init__(layers)
        self.in_channels = in_channels
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        check_images(x, self.in_channels, self.multiple, 8)  # 2 x 2 in a block, for its padding
        return super().forward(x)


class Residual(nn.Module):
    """x + F(x), with nothing after the sum."""

    def __init__(self, channels: int, norm: Norm, dropout: bool) -> None:
        super().__init__()
        bias = norm == "instance"
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm_layer(norm, channels),
            nn.ReLU(inplace=True),
            *([nn.Dropout(0.5)] if dropout else []),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm_layer(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)
