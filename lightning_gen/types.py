"""Shared types and the image convention.

An image is a float tensor in [-1, 1], channels first. Data sets hold the same image as uint8 in
[0, 255], or as uint16 in [0, 65535]. Annotated shapes are checked if jaxtyping is installed, as in
the tests; otherwise, they have no cost.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from lightning_gen.errors import DataError

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from typing_extensions import Unpack as Unpack
else:

    class Unpack:
        """Keyword arguments of a TypedDict; at run time Any.

        The command line then follows them to the constructor that has defaults and descriptions.
        """

        def __class_getitem__(cls, item: type) -> Any:
            return Any

    try:
        from jaxtyping import Float, Int
    except ImportError:

        class Float:  # noqa: D101
            def __class_getitem__(cls, item: tuple[type, str]) -> type:
                return item[0]

        Int = Float

Images = Float[Tensor, "b c h w"]
Counterparts = Float[Tensor, "b k u v"]  # images of another domain and size
Translations = Float[Tensor, "b k h w"]  # images of another domain, of the same size
Latents = Float[Tensor, "b d"]
Labels = Int[Tensor, " b"]
OtherImages = Float[Tensor, "m c h w"]  # as above, with another number of images
OtherLatents = Float[Tensor, "m d"]
OtherLabels = Int[Tensor, " m"]
Logits = Float[Tensor, "scores *patches"]  # one raw score per image, or per patch
Scalar = Float[Tensor, ""]
Batch = Tensor | Sequence[Any] | Mapping[str, Any]  # x, (x, y) or {"image": x, "label": y}
ImageShape = tuple[int, int, int]  # channels, height, width
Direction = Literal["AtoB", "BtoA"]  # of a translation between domains A and B

_BLACK = torch.tensor(-1.0)
_SCALES = {  # 2 / white, rounded down in float32, so that white does not exceed 1
    torch.uint8: 0.007843137,
    torch.uint16: 3.0518044e-5,
}


def to_images(pixels: Tensor) -> Tensor:
    """Convert pixels to images in [-1, 1], in one pass over memory.

    White is 255 in uint8 and 65,535 in uint16. Floats are returned unchanged.

    Raises:
        DataError: If the pixels have another type.
    """
    if pixels.is_floating_point():
        return pixels
    if pixels.dtype not in _SCALES:
        raise DataError(
            f"images must be float in [-1, 1], or pixels in uint8 or uint16, but are {pixels.dtype}"
        )
    return torch.add(_BLACK, pixels, alpha=_SCALES[pixels.dtype])


def to_pixels(x: Tensor, dtype: torch.dtype = torch.uint8) -> Tensor:
    """Convert images in [-1, 1] to pixels, rounded and clamped; the inverse of `to_images`."""
    if dtype.is_floating_point:
        return x.to(dtype)
    white = torch.iinfo(dtype).max
    return x.float().add(1).mul(white / 2).round().clamp(0, white).to(dtype)


def to_rgb(x: Images) -> Translations:
    """Convert images to RGB: repeat the first of one or two channels, keep the first three."""
    return x[:, :3] if x.shape[1] > 2 else x[:, :1].expand(-1, 3, -1, -1)


def to_unit(x: Tensor) -> Tensor:
    """Convert images in [-1, 1] to intensities in [0, 1]."""
    return (x + 1) / 2


def from_unit(p: Tensor) -> Tensor:
    """Convert intensities in [0, 1] to images in [-1, 1]; the inverse of `to_unit`."""
    return 2 * p - 1


def to_float32(x: Tensor) -> Tensor:
    """Convert half precision to float32; keep float32 and float64."""
    return x if x.dtype.itemsize >= 4 else x.float()


def to_float64(x: Tensor) -> Tensor:
    """Convert to float64, on the CPU if the device (Apple's GPU) does not support it."""
    return (x.cpu() if x.device.type == "mps" else x).double()


def unpack_batch(batch: Any) -> tuple[Tensor, Tensor | None]:
    """Return images and labels of a batch; labels are None if there are none.

    Raises:
        TypeError: If the batch is not x, (x, ...), or a mapping with the key "image".
    """
    match batch:
        case Tensor():
            return batch, None
        case {"image": Tensor() as x}:
            return x, _labels(batch.get("label"))
        case [Tensor() as x]:
            return x, None
        case [Tensor() as x, y, *_]:
            return x, _labels(y)
    raise TypeError(
        f"a batch must be images x, (x, y) or {{'image': x, 'label': y}}, but is {_describe(batch)}"
    )


def to_labels(y: Any) -> Labels:
    """Convert class labels to a tensor (b,) of int64.

    Args:
        y: integers: a tensor (b,) or (b, 1) of any type, an array, a sequence or a number.

    Raises:
        DataError: If they are not integers, or have another shape.
    """
    try:
        labels = torch.as_tensor(y)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"labels must be integers (b,), but are {_describe(y)}") from error
    labels = labels[None] if labels.ndim == 0 else labels
    labels = labels.squeeze(1) if labels.ndim == 2 and labels.shape[1] == 1 else labels
    whole = not labels.is_floating_point() or bool((labels == labels.round()).all())
    if labels.ndim != 1 or labels.is_complex() or not whole:
        raise DataError(
            "labels must be integers (b,), but are "
            f"{str(labels.dtype).removeprefix('torch.')} {tuple(labels.shape)}"
        )
    return labels.long()


def _labels(y: Any) -> Tensor | None:
    """Return the labels of a batch, or None if its second entry is something else."""
    try:
        return None if y is None else to_labels(y)
    except DataError:
        return None


def _describe(batch: Any) -> str:
    if isinstance(batch, Mapping):
        return f"a mapping with the keys {', '.join(map(repr, batch))}"
    if isinstance(batch, Sequence):
        return f"a {type(batch).__name__} of {', '.join(type(item).__name__ for item in batch)}"
    return f"a {type(batch).__name__}"
