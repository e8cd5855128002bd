"""Walks through the space of codes, and what a model decodes along them."""

from typing import Literal

import torch
from torch import Tensor

from lightning_gen.errors import UserError
from lightning_gen.protocols import Decodes, classes_of
from lightning_gen.types import Images, Latents

Walk = Literal["interpolation", "traversal", "manifold"]
REACH = 3.0  # a traversal's ends, in standard deviations of the prior
FLAT = 1e-4  # codes at a smaller angle lie on a line, for all that float32 can tell


def lerp(a: Latents, b: Latents, steps: int) -> Tensor:
    """Straight lines from codes a to codes b, both (n, d): (n, steps, d)."""
    t = torch.linspace(0, 1, steps, device=a.device, dtype=a.dtype)[:, None]
    return torch.lerp(a[:, None], b[:, None], t)


def slerp(a: Latents, b: Latents, steps: int) -> Tensor:
    """Arcs from codes a to codes b, both (n, d), along which Gaussian codes keep their length.

    White (2016), https://arxiv.org/abs/1609.04468; (n, steps, d).
    """
    t = torch.linspace(0, 1, steps, device=a.device, dtype=a.dtype)[:, None]
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=1).clamp(-1, 1)
    angle = cosine.arccos()[:, None, None]
    arcs = ((1 - t) * angle).sin() * a[:, None] + (t * angle).sin() * b[:, None]
    return torch.where(angle.sin() > FLAT, arcs / angle.sin(), lerp(a, b, steps))


def traversal(z: Latents, steps: int) -> Tensor:
    """A code z (1, d), each entry in its turn taken from -3 to 3: (d, steps, d)."""
    d = z.shape[1]
    walks = z.expand(d, steps, d).clone()
    entry = torch.arange(d)
    walks[entry, :, entry] = torch.linspace(-REACH, REACH, steps, dtype=z.dtype, device=z.device)
    return walks


def manifold(steps: int) -> Tensor:
    """Codes of two entries in rows and columns of equal probability under the prior.

    Kingma and Welling (2014), app. A: the inverse Gaussian CDF of a grid; (steps, steps, 2).
    """
    quantiles = (torch.arange(steps) + 0.5) / steps
    line = torch.distributions.Normal(0.0, 1.0).icdf(quantiles)
    return torch.cartesian_prod(line, line).view(steps, steps, 2).flip(2)


def walk(model: Decodes, kind: Walk, rows: int, steps: int) -> Images:
    """What a model decodes along a walk: images (n, c, h, w), row after row.

    Args:
        model: draws and decodes codes; a conditional one shows a class in each row.
        kind: "interpolation" by arcs between random codes, n = rows * steps; "traversal" of the
            entries of one code, n = min(rows, latent_dim) * steps; "manifold" of the codes of a
            model that has two entries, n = steps * steps.
        rows: of the first two; of a traversal, at most.
        steps: images in a row.

    Raises:
        UserError: the model's codes do not have two entries.
    """
    z = model.prior(2 * rows)
    if kind == "interpolation":
        codes = slerp(z[:rows], z[rows:], steps)
    elif kind == "traversal":
        codes = traversal(z[:1], steps)[:rows]
    elif z.shape[1] == 2:
        codes = manifold(steps)
    else:
        raise UserError(
            f"a manifold has codes of 2 entries, the model's have {z.shape[1]}: "
            "train one with --model.latent_dim 2"
        )
    classes = classes_of(model)
    labels = [torch.arange(len(codes)).repeat_interleave(steps) % classes] if classes else []
    return model.decode(codes.flatten(0, 1).to(z), *labels)
