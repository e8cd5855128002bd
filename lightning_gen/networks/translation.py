"""What the networks of pix2pix and CycleGAN have in common.

Their layers have the names and places of the authors' PyTorch code, so that its weights fit: see
`load_reference_weights`. Memory stays contiguous: channels_last slows them down on CPUs.
"""

from collections import OrderedDict
from typing import Literal, get_args

from torch import Tensor, nn

from lightning_gen.errors import DataError, require_one_of

Norm = Literal["batch", "instance"]


def require_norm(norm: str) -> None:
    """Refuse any norm but those of batches, and of each image alone.

    Raises:
        ArgumentError: it is another.
    """
    require_one_of(get_args(Norm), norm=norm)


def norm_layer(norm: Norm, channels: int) -> nn.Module:
    """Batch norm with scale and shift, or instance norm without: then convolutions have a bias."""
    return nn.BatchNorm2d(channels) if norm == "batch" else nn.InstanceNorm2d(channels)


def named(name: str, *layers: nn.Module) -> "OrderedDict[str, nn.Module]":
    """Layers in sequence, under the name that their weights have in files."""
    return OrderedDict({name: nn.Sequential(*layers)})


def check_images(x: Tensor, channels: int, multiple: int = 1, smallest: int = 1) -> None:
    """Refuse images that would fail deep inside a network.

    Raises:
        DataError: the number of channels is another, or a side is no multiple, or too small.
    """
    given, *sides = x.shape[1:]
    if given != channels:
        raise DataError(f"the network takes images of {channels} channels, but these have {given}")
    if any(side % multiple or side < smallest for side in sides):
        h, w = sides
        multiples = f"multiples of {multiple}, " if multiple > 1 else ""
        raise DataError(
            f"images of {h} x {w} pixels do not fit this network: height and base_channels must be "
            f"{multiples}at least {smallest}. Resize, cut or pad them."
        )
