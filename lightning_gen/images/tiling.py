"""Apply a network to images of any size, tile by tile."""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from lightning_gen.errors import ArgumentError, require_at_least
from lightning_gen.types import Images

SMALLEST = 16  # pixels; for smaller inputs, the innermost layers of a network see only padding


def translate_tiled(
    G: Callable[[Tensor], Images],
    x: Tensor,
    multiple: int = 1,
    tile: int = 1024,
    overlap: int = 128,
    keep: Callable[[Images], Tensor] = lambda strip: strip,
) -> Tensor:
    """Compute G(x) for x of any height and width.

    The image is padded by reflection at its right and lower edges to multiples, and the result
    is cropped. A larger image is processed in overlapping tiles, blended in the inner half of the
    overlap. The result equals G(x) if G acts on each pixel alone, and up to rounding if the
    receptive field of G reaches no farther than a quarter of the overlap. Instance normalization
    is computed per tile.

    Args:
        G: network with outputs of the size of its inputs.
        x: images (b, c, h, w), in any form that G accepts.
        multiple: divisor of the heights and widths that G accepts.
        tile: height and width of the tiles in pixels, rounded up to at least two multiples.
        overlap: minimum overlap of adjacent tiles in pixels.
        keep: applied to each finished strip of rows, for example to convert it to pixels, which
            need less memory.

    Raises:
        ArgumentError: an argument is out of its range.
    """
    require_at_least(1, multiple=multiple)
    require_at_least(0, overlap=overlap)
    if tile < max(2 * overlap, SMALLEST):
        least = max(2 * overlap, SMALLEST)
        raise ArgumentError("tile", f"must be at least {least}, but is {tile}")
    (rows, row_steps), (columns, column_steps) = (
        _tiles(side, multiple, tile, overlap) for side in x.shape[2:]
    )
    h, w = x.shape[2:]
    strips = (
        torch.cat([*_blend((G(x[:, :, row[:, None], col]) for col in columns), column_steps, 3)], 3)
        for row in rows
    )
    return torch.cat([keep(strip[..., :w]) for strip in _blend(strips, row_steps, 2)], 2)[:, :, :h]


def _tiles(side: int, multiple: int, tile: int, overlap: int) -> tuple[list[Tensor], list[int]]:
    """Return the pixel indices of each tile along one side, and the steps between the tiles."""
    padded = _round_up(max(side, SMALLEST), multiple)
    tile = min(padded, max(_round_up(tile, multiple), 2 * multiple))
    step = max(tile - overlap, multiple) // multiple * multiple
    starts = [*range(0, padded - tile, step), padded - tile]
    period = max(2 * side - 2, 1)  # of the reflection
    index = torch.arange(padded) % period
    index = torch.minimum(index, period - index)
    return [index[start : start + tile] for start in starts], [b - a for a, b in pairwise(starts)]


def _round_up(side: int, multiple: int) -> int:
    return -(-side // multiple) * multiple


def _blend(pieces: Iterable[Tensor], steps: list[int], dim: int) -> Iterator[Tensor]:
    """Yield pieces to concatenate along a dimension, with the overlaps blended."""
    pieces = iter(pieces)
    last = next(pieces)
    for piece, step in zip(pieces, steps, strict=True):
        finished, old = last.tensor_split([step], dim)
        new, rest = piece.tensor_split([old.shape[dim]], dim)
        yield finished
        last = torch.cat([torch.lerp(old, new, _weights(old, dim)), rest], dim)
    yield last


def _weights(overlap: Tensor, dim: int) -> Tensor:
    """Blending weights from 0 to 1 along a dimension, rising smoothly in the inner half."""
    n = overlap.shape[dim]
    u = (torch.arange(n, device=overlap.device, dtype=overlap.dtype) + 0.5) / n
    u = (2 * u - 0.5).clamp(0, 1)
    return (u * u * (3 - 2 * u)).view([-1 if axis == dim else 1 for axis in range(overlap.ndim)])
