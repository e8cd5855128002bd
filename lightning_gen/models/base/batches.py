"""Reading and checking batches: images with labels, or images of two domains."""

from collections.abc import Mapping
from math import isnan
from typing import Any
from warnings import warn

from torch import Tensor

from lightning_gen.errors import DataError
from lightning_gen.types import (
    Batch,
    Counterparts,
    Images,
    ImageShape,
    Labels,
    to_images,
    unpack_batch,
)


class BatchReader:
    """Read images and labels from a batch, and check the first one.

    Args:
        image_shape: (channels, height, width) of the images of the model.
    """

    def __init__(self, image_shape: ImageShape) -> None:
        self.image_shape = image_shape
        self.checked = False

    def __call__(self, batch: Any) -> tuple[Images, Labels | None]:
        """Return images (b, c, h, w) in [-1, 1], converted from pixels, and labels (b,) or None.

        Raises:
            DataError: If the first batch has images of another shape, type or range.
        """
        x, labels = unpack_batch(batch)
        x = to_images(x)
        if not self.checked:
            check_images(x, self.image_shape)
            self.checked = True
        return x, labels


class PairReader:
    """Read the images of both domains from a batch {"A": a, "B": b}, and check the first one.

    Args:
        channels: number of channels of A's and of B's images.
    """

    def __init__(self, *channels: int) -> None:
        self.channels = channels
        self.checked = False

    def __call__(self, batch: Batch) -> tuple[Images, Counterparts]:
        """Return as many images of A as of B, in [-1, 1]; their channels and sizes may differ.

        Raises:
            DataError: If the batch contains something else.
        """
        match batch:
            case {"A": Tensor() as a, "B": Tensor() as b}:
                pass
            case [Tensor() as a, Tensor() as b] if b.ndim == 4:
                pass
            case _:
                keys = ", ".join(map(repr, batch)) if isinstance(batch, Mapping) else type(batch)
                raise DataError(
                    f'a batch must be {{"A": images, "B": images}} or (images, images), not {keys}'
                )
        a, b = to_images(a), to_images(b)
        if not self.checked:
            for x, name, channels in zip((a, b), "AB", self.channels, strict=True):
                if x.shape[1] != channels:
                    raise DataError(
                        f"images of {name} have {x.shape[1]} channels, but the model expects "
                        f"{channels}: set image_shape and target_channels of the model"
                    )
            check_range(a, b)
            self.checked = True
        return a, b


def check_images(x: Tensor, image_shape: ImageShape) -> None:
    """Reject images that do not fit the model.

    Raises:
        DataError: If they are not float images (b, *image_shape) in [-1, 1].
    """
    if x.shape[1:] != image_shape:
        raise DataError(
            f"images must have the shape (b, {', '.join(map(str, image_shape))}), but have "
            f"{tuple(x.shape)}: {_shape_remedy(x, image_shape)}"
        )
    check_range(x)


def _shape_remedy(x: Tensor, image_shape: ImageShape) -> str:
    channels, *size = image_shape
    if x.ndim == 3 and list(x.shape[1:]) == size and channels == 1:
        return "add a channel axis with x.unsqueeze(1)"
    if x.ndim == 4 and [*x.shape[1:3], x.shape[3]] == [*size, channels]:
        return "move the channels to the front with x.permute(0, 3, 1, 2)"
    if x.ndim == 2 and x.shape[1] == channels * size[0] * size[1]:
        return f"restore the axes with x.unflatten(1, {tuple(image_shape)})"
    if x.ndim == 4:
        return f"resize the images, or make the model with image_shape={tuple(x.shape[1:])}"
    return "batches must have the axes (b, channels, height, width)"


def check_range(*batches: Tensor) -> None:
    """Reject images that are not floats in [-1, 1]; warn if all of them seem to be in [0, 1].

    Raises:
        DataError: If type or range differ.
    """
    lowest = 1.0
    for x in batches:
        if not x.is_floating_point():
            raise DataError(
                f"images must be float in [-1, 1], but are {x.dtype}: scale them with x / 127.5 - 1"
            )
        low, high = (limit.item() for limit in x.detach().aminmax())
        if isnan(low) or isnan(high):
            raise DataError("images must be in [-1, 1], but the first batch contains NaN")
        if low < -1.001 or high > 1.001:
            remedy = (
                "scale pixels in [0, 255] with x / 127.5 - 1"
                if low >= 0 and high > 2
                else "scale images in [0, 1] with 2 * x - 1 or torchvision's Normalize(0.5, 0.5), "
                "not with mean and standard deviation of a data set"
            )
            first = f"but the first batch is in [{low:g}, {high:g}]"
            raise DataError(f"images must be in [-1, 1], {first}: {remedy}")
        lowest = min(lowest, low if high > 0 else -1.0)
    if lowest >= 0:
        warn(
            f"no value of the first batch is below {lowest:g}: scale images in [0, 1] to [-1, 1] "
            "with 2 * x - 1",
            stacklevel=2,
        )
