"""Differentiable augmentation, Zhao et al. (2020), https://arxiv.org/abs/2006.10738.

D's input images, real and generated, are augmented. Gradients flow through to G.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from lightning_gen.types import Images

Augmentation = Literal["translation", "cutout", "color"]


def augment(x: Images, kinds: tuple[Augmentation, ...]) -> Images:
    """Apply augmentations in order, with different random numbers for each image."""
    for kind in kinds:
        x = AUGMENTATIONS[kind](x)
    return x


def translation(x: Images) -> Images:
    """Shift by up to 1/8 of each side, in whole pixels; fill with black."""
    b, _, h, w = x.shape
    dy, dx = (_integers(b, -(side // 8), side // 8, x.device) for side in (h, w))
    rows = torch.arange(h, device=x.device) + dy  # (b, h)
    columns = torch.arange(w, device=x.device) + dx
    inside = _within(rows, h)[:, None, :, None] & _within(columns, w)[:, None, None, :]
    rows, columns = rows.clamp(0, h - 1), columns.clamp(0, w - 1)
    image = torch.arange(b, device=x.device)[:, None, None]
    moved = x.movedim(1, 3)[image, rows[:, :, None], columns[:, None, :]].movedim(3, 1)
    return torch.where(inside, moved, -1.0)


def cutout(x: Images) -> Images:
    """Set a rectangle with half of each side to gray, at a random position."""
    b, _, h, w = x.shape
    inside = [
        (torch.arange(side, device=x.device) - _integers(b, 0, side, x.device)).abs() * 4 <= side
        for side in (h, w)
    ]
    return x.masked_fill(inside[0][:, None, :, None] & inside[1][:, None, None, :], 0.0)


def color(x: Images) -> Images:
    """Change brightness by up to 0.5, saturation by a factor in [0, 2], contrast in [0.5, 1.5]."""
    brightness, saturation, contrast = torch.rand(3, len(x), 1, 1, 1, device=x.device).to(x.dtype)
    x = x + brightness - 0.5
    gray = x.mean(1, keepdim=True)
    x = gray + (x - gray) * 2 * saturation
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (x - mean) * (contrast + 0.5)


AUGMENTATIONS: dict[Augmentation, Callable[[Images], Images]] = {
    "translation": translation,
    "cutout": cutout,
    "color": color,
}


def _integers(n: int, low: int, high: int, device: torch.device) -> Tensor:
    return torch.randint(low, high + 1, (n, 1), device=device)


def _within(index: Tensor, size: int) -> Tensor:
    return (index >= 0) & (index < size)
