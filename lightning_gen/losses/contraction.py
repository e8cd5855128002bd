"""The contractive penalty ||dh/dx||_F^2 of Rifai et al. (2011), https://icml.cc/2011/papers/455_icmlpaper.pdf.

Three ways to compute it for each image: in closed form for one sigmoid layer, exactly for any
encoder, and as an unbiased estimate from random projections for long codes.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import jacrev, vmap

Encoder = Callable[[Tensor], Tensor]


def closed_form(h: Tensor, weight: Tensor) -> Tensor:
    """Return the penalty for h = sigmoid(W x + b): sum_j (h_j (1 - h_j))^2 sum_i W_ji^2 (eq. 5).

    Args:
        h: codes (b, d).
        weight: W, (d, inputs).

    Returns:
        (b,).
    """
    return (h * (1 - h)).square() @ weight.square().sum(1)


def exact(encoder: Encoder, x: Tensor) -> Tensor:
    """Return the penalty for any encoder without batch norm, with one backward pass per dimension.

    Args:
        encoder: function from (b, ...) to codes (b, d).
        x: (b, ...).

    Returns:
        (b,).
    """
    jacobian = vmap(jacrev(lambda one: encoder(one.unsqueeze(0)).squeeze(0)))(x)  # (b, d, ...)
    return jacobian.square().flatten(1).sum(1)


def projected(encoder: Encoder, x: Tensor, projections: int) -> Tensor:
    """Return an unbiased estimate, E_v ||v^T dh/dx||^2 over random signs v (Hutchinson, 1990).

    Takes the same arguments as `exact`, with one backward pass per projection.
    """
    with torch.inference_mode(False), torch.enable_grad():
        x = x.clone() if x.is_inference() else x
        x = x if x.requires_grad else x.detach().requires_grad_()
        h = encoder(x)
        total = torch.zeros(len(x), device=x.device, dtype=h.dtype)
        for _ in range(projections):
            v = torch.randint_like(h, 2) * 2 - 1
            (row,) = torch.autograd.grad(h, x, v, create_graph=True)
            total = total + row.square().flatten(1).sum(1)
    return total / projections
