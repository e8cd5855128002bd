"""What crosses module boundaries, and the one place that says what an image is.

An image is channels first, float, in [-1, 1]; data sets hold the same image as uint8 in [0, 255],
or deep ones as uint16 in [0, 65535].
The shapes are checked where jaxtyping is installed, as in the tests; elsewhere they cost nothing.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float, Int
else:
    try:
        from jaxtyping import Float, Int
    except ImportError:

        class Float:  # noqa: D101
            def __class_getitem__(cls, item: tuple[type, str]) -> type:
                return item[0]

        Int = Float

Images = Float[Tensor, "b c h w"]
Counterparts = Float[Tensor, "b k u v"]  # images of another domain, with sizes of their own
Translations = Float[Tensor, "b k h w"]  # images of as many channels as another domain has
Latents = Float[Tensor, "b d"]
Labels = Int[Tensor, " b"]
OtherImages = Float[Tensor, "m c h w"]  # such images, latents and labels in another number
OtherLatents = Float[Tensor, "m d"]
OtherLabels = Int[Tensor, " m"]
Logits = Float[Tensor, "scores *patches"]  # a raw score for each image, or for each patch
Scalar = Float[Tensor, ""]
Batch = Tensor | Sequence[Tensor] | Mapping[str, Tensor]  # x, (x, y) or {"image": x, "label": y}
ImageShape = tuple[int, int, int]  # channels, height, width
Direction = Literal["AtoB", "BtoA"]  # of translation, between the domains A and B

_BLACK = torch.tensor(-1.0)
_SHADES = {  # 2 / white, in float32 rounded down, so that white does not pass 1
    torch.uint8: 0.007843137,
    torch.uint16: 3.0518044e-5,
}


def to_images(pixels: Tensor) -> Images:
    """Pixels to images in [-1, 1]: -1 + pixels / (white / 2), in one pass over memory.

    White is 255 of uint8, and 65,535 of uint16; floats are images, and stay as they are.
    """
    if pixels.is_floating_point():
        return pixels
    return torch.add(_BLACK, pixels, alpha=_SHADES[pixels.dtype])


def to_pixels(x: Tensor, dtype: torch.dtype = torch.uint8) -> Tensor:
    """Images in [-1, 1] to pixels of a depth, rounded and clamped; inverse of `to_images`."""
    if dtype.is_floating_point:
        return x.to(dtype)
    white = torch.iinfo(dtype).max
    return x.float().add(1).mul(white / 2).round().clamp(0, white).to(dtype)


def to_rgb(x: Images) -> Translations:
    """Images of any channels as a picture shows them: three, greys in each, the first of many."""
    return x[:, :3] if x.shape[1] > 2 else x[:, :1].expand(-1, 3, -1, -1)


def to_unit(x: Tensor) -> Tensor:
    """Images in [-1, 1] to intensities in [0, 1], which may stand for probabilities."""
    return (x + 1) / 2


def from_unit(p: Tensor) -> Tensor:
    """Intensities in [0, 1] to images in [-1, 1]; inverse of `to_unit`."""
    return 2 * p - 1


def to_float32(x: Tensor) -> Tensor:
    """In float32, where mixed precision has made it less."""
    return x if x.dtype.itemsize >= 4 else x.float()


def to_float64(x: Tensor) -> Tensor:
    """In float64, on the CPU where the device, Apple's GPU, has none."""
    return (x.cpu() if x.device.type == "mps" else x).double()


def unpack_batch(batch: Any) -> tuple[Tensor, Tensor | None]:
    """Images and labels of a batch in any of the usual forms; labels are None where it has none.

    Raises:
        TypeError: the batch is neither x, nor (x, ...), nor a mapping with the key "image".
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
        f"a batch must be images x, (x, y) or {{'image': x, 'label': y}}, but is {_outline(batch)}"
    )


def _labels(y: Any) -> Tensor | None:
    return y if isinstance(y, Tensor) else None


def _outline(batch: Any) -> str:
    if isinstance(batch, Mapping):
        return f"a mapping with the keys {', '.join(map(repr, batch))}"
    if isinstance(batch, Sequence):
        return f"a {type(batch).__name__} of {', '.join(type(item).__name__ for item in batch)}"
    return f"a {type(batch).__name__}"
