"""Penalties on the gradient of D with respect to its input images."""

from collections.abc import Callable

import torch
from torch import Tensor

from lightning_gen.types import Images, Logits, Scalar


def squared_gradient(scores: Logits, x: Images) -> Scalar:
    """Return E ||grad D(x)||^2 for images x and their scores, differentiable.

    R1 on real images, R2 on generated ones (Mescheder et al., 2018, eqs. 9 and 10, without
    gamma / 2).
    """
    return _gradients(scores, x).square().sum(1).mean()


def gradient_penalty(D: Callable[[Images], Logits], x: Images, fake: Images) -> Scalar:
    """Return E (||grad D||_2 - 1)^2 at random points between real and generated images.

    Gulrajani et al. (2017), eq. 3, without lambda.
    """
    epsilon = torch.rand(len(x), 1, 1, 1, device=x.device, dtype=x.dtype)
    between = (epsilon * x + (1 - epsilon) * fake).detach().requires_grad_()
    return (_gradients(D(between), between).norm(dim=1) - 1).square().mean()


def _gradients(scores: Logits, x: Images) -> Tensor:
    """Return the gradient (scores, pixels) of each score with respect to its images.

    A score may depend on several images (Lin et al., 2018). Scores of patches are summed.
    """
    (gradients,) = torch.autograd.grad(scores.float().sum(), x, create_graph=True)
    return gradients.reshape(len(scores), -1)
