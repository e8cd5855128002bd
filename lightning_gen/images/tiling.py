"""Pictures of any size through a network that takes multiples, within a bound on memory."""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from lightning_gen.errors import ArgumentError, require_at_least
from lightning_gen.types import Images

SMALLEST = 16  # pixels; of fewer, the innermost layers of a network see nothing


def translate_tiled(
    G: Callable[[Tensor], Images],
    x: Tensor,
    multiple: int = 1,
    tile: int = 1024,
    overlap: int = 128,
    keep: Callable[[Images], Tensor] = lambda strip: strip,
) -> Tensor:
    """G(x), whatever the sides of x are.

    The picture is mirrored at its right and lower edges up to multiples, which are cut off again.
    A larger one goes through G tile by tile; where tiles overlap, one fades into the next in the
    inner half of the overlap. The result is G(x) if G maps each pixel alone, and the same but for
    rounding if G sees no farther than a quarter of the overlap. Norms of each image see a tile.

    Args:
        G: gives images of the size of the pictures that it is given.
        x: pictures (b, c, h, w) of one size, in whatever form G takes them.
        multiple: height and width of what G takes are multiples of it.
        tile: sides of the tiles in pixels, rounded up to multiples, of which there are two at
            least.
        overlap: pixels that neighbours share, at least.
        keep: what is kept of a strip of finished rows; pixels, say, which are smaller than images.

    Raises:
        ArgumentError: an argument is out of its range.
    """
    require_at_least(1, multiple=multiple)
    require_at_least(0, overlap=overlap)
    if tile < max(2 * overlap, SMALLEST):
        least = max(2 * overlap, SMALLEST)
        raise ArgumentError("tile", f"must be at least {least}, but is {tile}")
    (rows, down), (columns, right) = (
        _windows(side, multiple, tile, overlap) for side in x.shape[2:]
    )
    h, w = x.shape[2:]
    strips = (
        torch.cat([*_join((G(x[:, :, row[:, None], column]) for column in columns), right, 3)], 3)
        for row in rows
    )
    return torch.cat([keep(strip[..., :w]) for strip in _join(strips, down, 2)], 2)[:, :, :h]


def _windows(side: int, multiple: int, tile: int, overlap: int) -> tuple[list[Tensor], list[int]]:
    """The places along one side that each tile shows, and the steps from tile to tile."""
    padded = _up(max(side, SMALLEST), multiple)
    tile = min(padded, max(_up(tile, multiple), 2 * multiple))
    step = max(tile - overlap, multiple) // multiple * multiple
    starts = [*range(0, padded - tile, step), padded - tile]
    period = max(2 * side - 2, 1)  # there and back
    places = torch.arange(padded) % period
    places = torch.minimum(places, period - places)
    return [places[start : start + tile] for start in starts], [b - a for a, b in pairwise(starts)]


def _up(side: int, multiple: int) -> int:
    return -(-side // multiple) * multiple


def _join(pieces: Iterable[Tensor], steps: list[int], dim: int) -> Iterator[Tensor]:
    """Lay pieces along an axis, each a step after the one before, and let it fade into the next."""
    pieces = iter(pieces)
    last = next(pieces)
    for piece, step in zip(pieces, steps, strict=True):
        alone, old = last.tensor_split([step], dim)
        new, after = piece.tensor_split([old.shape[dim]], dim)
        yield alone
        last = torch.cat([torch.lerp(old, new, _fade(old, dim)), after], dim)
    yield last


def _fade(overlap: Tensor, dim: int) -> Tensor:
    """From 0 to 1 along an axis, smoothly, in the inner half of an overlap."""
    n = overlap.shape[dim]
    u = (torch.arange(n, device=overlap.device, dtype=overlap.dtype) + 0.5) / n
    u = (2 * u - 0.5).clamp(0, 1)
    return (u * u * (3 - 2 * u)).view([-1 if axis == dim else 1 for axis in range(overlap.ndim)])
