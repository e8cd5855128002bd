"""Interpolations, traversals and manifolds in latent space."""

from typing import Literal

import torch
from torch import Tensor

from lightning_gen.errors import UserError
from lightning_gen.protocols import Decodes, classes_of
from lightning_gen.types import Images, Latents

Walk = Literal["interpolation", "traversal", "manifold"]
REACH = 3.0  # end of a traversal, in standard deviations of the prior
FLAT = 1e-4  # sine below which codes are collinear in float32


def lerp(a: Latents, b: Latents, steps: int) -> Tensor:
    """Return linear interpolations (n, steps, d) from codes a (n, d) to codes b (n, d)."""
    t = torch.linspace(0, 1, steps, device=a.device, dtype=a.dtype)[:, None]
    return torch.lerp(a[:, None], b[:, None], t)


def slerp(a: Latents, b: Latents, steps: int) -> Tensor:
    """Return spherical interpolations (n, steps, d) from codes a (n, d) to codes b (n, d).

    They keep the typical length of Gaussian codes: White (2016), https://arxiv.org/abs/1609.04468.
    """
    t = torch.linspace(0, 1, steps, device=a.device, dtype=a.dtype)[:, None]
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=1).clamp(-1, 1)
    angle = cosine.arccos()[:, None, None]
    arcs = ((1 - t) * angle).sin() * a[:, None] + (t * angle).sin() * b[:, None]
    return torch.where(angle.sin() > FLAT, arcs / angle.sin(), lerp(a, b, steps))


def traversal(z: Latents, steps: int) -> Tensor:
    """Return traversals (d, steps, d) of each entry of a code z (1, d) from -3 to 3."""
    d = z.shape[1]
    walks = z.expand(d, steps, d).clone()
    entry = torch.arange(d)
    walks[entry, :, entry] = torch.linspace(-REACH, REACH, steps, dtype=z.dtype, device=z.device)
    return walks


def manifold(steps: int) -> Tensor:
    """Return two-dimensional codes (steps, steps, 2), equally spaced in prior probability.

    Kingma and Welling (2014), app. A: the inverse Gaussian CDF of a grid.
    """
    quantiles = (torch.arange(steps) + 0.5) / steps
    line = torch.distributions.Normal(0.0, 1.0).icdf(quantiles)
    return torch.cartesian_prod(line, line).view(steps, steps, 2).flip(2)


def walk(model: Decodes, kind: Walk, rows: int, steps: int) -> Images:
    """Decode codes along a walk; return images (n, c, h, w), row by row.

    Args:
        model: model with a prior and a decoder; a conditional one decodes one class per row.
        kind: "interpolation", spherical, between random codes, n = rows * steps; "traversal" of the
            entries of one code, n = min(rows, latent_dim) * steps; or "manifold" of
            two-dimensional codes, n = steps * steps.
        rows: number of interpolations, or largest number of traversals.
        steps: number of images in a row.

    Raises:
        UserError: "manifold" for codes that are not two-dimensional.
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
            f"a manifold requires latent_dim 2, but the model has {z.shape[1]}; "
            "train one with --model.latent_dim 2"
        )
    classes = classes_of(model)
    labels = [torch.arange(len(codes)).repeat_interleave(steps) % classes] if classes else []
    return model.decode(codes.flatten(0, 1).to(z), *labels)
