"""Generator of CycleGAN: Zhu et al. (2017), https://arxiv.org/abs/1703.10593, sec. 7.2."""

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


class ResNetGenerator(nn.Sequential):
    """ResNet from images (b, in_channels, h, w) to images (b, out_channels, h, w) in [-1, 1].

    Two downsamplings, residual blocks and two upsamplings, as in Johnson et al. (2016),
    https://arxiv.org/abs/1603.08155.

    Args:
        in_channels: channels of the input images.
        out_channels: channels of the output images.
        num_blocks: residual blocks, 9 for images of 256 pixels, 6 for 128.
        base_channels: channels at full size; residual blocks have 4 times as many.
        norm: "batch" or "instance".
        dropout: if ``True``, residual blocks have dropout of 0.5.

    Attributes:
        multiple: 4; height and width must be multiples of it, and at least 8.

    Raises:
        ArgumentError: If an argument is out of range.
    """

    multiple = 4

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        num_blocks: int = 9,
        base_channels: int = 64,
        norm: Norm = "instance",
        dropout: bool = False,
    ) -> None:
        require_at_least(
            1, in_channels=in_channels, out_channels=out_channels, base_channels=base_channels
        )
        require_at_least(1, num_blocks=num_blocks)
        require_norm(norm)
        bias = norm == "instance"

        def norm_relu(channels: int) -> list[nn.Module]:
            return [norm_layer(norm, channels), nn.ReLU(inplace=True)]

        layers = named(
            "model",
            nn.ReflectionPad2d(3),
            nn.Conv2d(in_channels, base_channels, 7, bias=bias),
            *norm_relu(base_channels),
            nn.Conv2d(base_channels, 2 * base_channels, 3, 2, 1, bias=bias),
            *norm_relu(2 * base_channels),
            nn.Conv2d(2 * base_channels, 4 * base_channels, 3, 2, 1, bias=bias),
            *norm_relu(4 * base_channels),
            *(Residual(4 * base_channels, norm, dropout) for _ in range(num_blocks)),
            nn.ConvTranspose2d(4 * base_channels, 2 * base_channels, 3, 2, 1, 1, bias=bias),
            *norm_relu(2 * base_channels),
            nn.ConvTranspose2d(2 * base_channels, base_channels, 3, 2, 1, 1, bias=bias),
            *norm_relu(base_channels),
            nn.ReflectionPad2d(3),
            nn.Conv2d(base_channels, out_channels, 7),
            nn.Tanh(),
        )
        super().__init__(layers)
        self.in_channels = in_channels
        init_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        check_images(
            x, self.in_channels, self.multiple, 8
        )  # residual blocks need 2 x 2 for their padding
        return super().forward(x)


class Residual(nn.Module):
    """Residual block x + F(x), without an activation after the sum."""

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
