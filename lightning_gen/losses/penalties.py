"""Penalties on D's gradient with respect to the images it judges."""

from collections.abc import Callable

import torch
from torch import Tensor

from lightning_gen.types import Images, Logits, Scalar


def squared_gradient(scores: Logits, x: Images) -> Scalar:
    """E ||grad D(x)||^2 of the images x that gave these scores, differentiable.

    On real images it is R1, on fakes R2 (Mescheder et al., 2018, eqs. 9 and 10, without gamma / 2).
    """
    return _gradients(scores, x).square().sum(1).mean()


def gradient_penalty(D: Callable[[Images], Logits], x: Images, fake: Images) -> Scalar:
    """E (||grad D||_2 - 1)^2 at points between pairs of real images and fakes.

    Gulrajani et al. (2017), eq. 3, without lambda.
    """
    epsilon = torch.rand(len(x), 1, 1, 1, device=x.device, dtype=x.dtype)
    between = (epsilon * x + (1 - epsilon) * fake).detach().requires_grad_()
    return (_gradients(D(between), between).norm(dim=1) - 1).square().mean()


def _gradients(scores: Logits, x: Images) -> Tensor:
    """Of each score with respect to all that it judged: (scores, entries).

    A score may judge several images at once (Lin et al., 2018); scores of patches are summed.
    """
    (gradients,) = torch.autograd.grad(scores.float().sum(), x, create_graph=True)
    return gradients.reshape(len(scores), -1)
