"""Shared parts of the networks of pix2pix and CycleGAN.

Layers have the names and order of the authors' PyTorch code, whose weights can be loaded with
`load_reference_weights`. Memory is contiguous: channels_last is slower on CPUs.
"""

from collections import OrderedDict
from typing import Literal, get_args

from torch import Tensor, nn

from lightning_gen.errors import DataError, require_one_of

Norm = Literal["batch", "instance"]


def require_norm(norm: str) -> None:
    """Check the name of a norm.

    Raises:
        ArgumentError: If it is not "batch" or "instance".
    """
    require_one_of(get_args(Norm), norm=norm)


def norm_layer(norm: Norm, channels: int) -> nn.Module:
    """Return batch norm, or instance norm without scale and shift."""
    return nn.BatchNorm2d(channels) if norm == "batch" else nn.InstanceNorm2d(channels)


def named(name: str, *layers: nn.Module) -> "OrderedDict[str, nn.Module]":
    """Return layers in sequence, under their name in weight files."""
    return OrderedDict({name: nn.Sequential(*layers)})


def check_images(x: Tensor, channels: int, multiple: int = 1, smallest: int = 1) -> None:
    """Reject images that would fail inside a network.

    Raises:
        DataError: If the channels differ, or a side is not a multiple, or too small.
    """
    given, *sides = x.shape[1:]
    if given != channels:
        raise DataError(
            f"the network takes images with {channels} channels, but these have {given}"
        )
    if any(side % multiple or side < smallest for side in sides):
        h, w = sides
        multiples = f"multiples of {multiple}, " if multiple > 1 else ""
        raise DataError(
            f"images of {h} x {w} pixels do not fit this network: height and width must be "
            f"{multiples}at least {smallest}. Resize, crop or pad them."
        )
