"""What a batch holds, images and labels or images of two domains; the first one is checked."""

from collections.abc import Mapping
from typing import Any
from warnings import warn

from torch import Tensor

from lightning_gen.errors import DataError
from lightning_gen.types import Batch, Counterparts, Images, ImageShape, Labels, unpack_batch


class BatchReader:
    """Takes images and labels out of a batch, and checks the first one it sees.

    Args:
        image_shape: (channels, height, base_channels) of the images the model was made for.
    """

    def __init__(self, image_shape: ImageShape) -> None:
        self.image_shape = image_shape
        self.checked = False

    def __call__(self, batch: Any) -> tuple[Images, Labels | None]:
        """Images (b, c, h, w) in [-1, 1], and labels (b,) or None.

        Raises:
            DataError: the first batch holds images of another shape, type or range.
        """
        x, labels = unpack_batch(batch)
        if not self.checked:
            check_images(x, self.image_shape)
            self.checked = True
        return x, labels


class PairReader:
    """Takes the images of both domains out of a batch {"A": a, "B": b}, and checks the first.

    Args:
        channels: of A's and of B's images.
    """

    def __init__(self, *channels: int) -> None:
        self.channels = channels
        self.checked = False

    def __call__(self, batch: Batch) -> tuple[Images, Counterparts]:
        """A's and B's images, in [-1, 1]; as many, but channels and sizes may differ.

        Raises:
            DataError: the batch holds something else.
        """
        match batch:
            case {"A": Tensor() as a, "B": Tensor() as b}:
                pass
            case [Tensor() as a, Tensor() as b] if b.ndim == 4:
                pass
            case _:
                held = ", ".join(map(repr, batch)) if isinstance(batch, Mapping) else type(batch)
                raise DataError(
                    f'a batch must be {{"A": images, "B": images}} or (images, images), not {held}'
                )
        if not self.checked:
            for x, name, channels in zip((a, b), "AB", self.channels, strict=True):
                if x.shape[1] != channels:
                    raise DataError(
                        f"{name}'s images have {x.shape[1]} channels, but the model was made for "
                        f"{channels}: make it with image_shape and target_channels that fit"
                    )
            check_range(a, b)
            self.checked = True
        return a, b


def check_images(x: Tensor, image_shape: ImageShape) -> None:
    """Refuse images that the model was not made for, and say what to change.

    Raises:
        DataError: shape, type or range differ from float images (b, *image_shape) in [-1, 1].
    """
    if x.shape[1:] != image_shape:
        raise DataError(
            f"the data's images have the shape {tuple(x.shape[1:])} (channels, height, base_channels), "
            f"the model's {tuple(image_shape)}.\n"
            f"Resize the images, or make the model with image_shape={tuple(x.shape[1:])}."
        )
    check_range(x)


def check_range(*batches: Tensor) -> None:
    """Refuse images that are no floats in [-1, 1], and say how to scale them.

    Where none of them has anything dark, they might be in [0, 1], which is only warned of.

    Raises:
        DataError: type or range differ.
    """
    lowest = 1.0
    for x in batches:
        if not x.is_floating_point():
            raise DataError(
                f"images must be float in [-1, 1], but are {x.dtype}: scale them with "
                "x / 127.5 - 1."
            )
        low, high = (limit.item() for limit in x.detach().aminmax())
        if not (low >= -1.001 and high <= 1.001):  # NaN fails every comparison
            remedy = "x / 127.5 - 1" if low >= 0 and high > 2 else "Normalize(mean, std)"
            raise DataError(
                f"images must lie in [-1, 1], but the first batch spans [{low:g}, {high:g}]: "
                f"scale them with {remedy}."
            )
        lowest = min(lowest, low if high > 0 else -1.0)
    if lowest >= 0:
        warn(
            f"nothing in the first batch is below {lowest:g}; images in [0, 1] should be scaled to "
            "[-1, 1] with 2 * x - 1, or the generator has to learn the offset.",
            stacklevel=2,
        )
