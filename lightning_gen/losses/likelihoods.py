"""Log-densities in nats: of images given codes, and of codes under Gaussians.

Functions sum over the pixels of an image, or the dimensions of a code. Leading dimensions, such as
several codes per image, broadcast.
"""

from math import log, pi
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from lightning_gen.types import to_unit

Likelihood = Literal["bernoulli", "gaussian"]
PIXELS = (-3, -2, -1)  # channels, height, width


def bernoulli_log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    """Return log p(x | z) of images (..., c, h, w) in [-1, 1], with intensities as probabilities.

    Kingma and Welling (2014), app. C.1, for logits l: sum over pixels of p l - log(1 + exp(l)).
    """
    return (to_unit(x) * logits - softplus(logits)).sum(PIXELS)


def gaussian_log_likelihood(x: Tensor, mean: Tensor, log_sigma: Tensor) -> Tensor:
    """Return log p(x | z) of images (..., c, h, w), a density over [-1, 1] with a single sigma.

    Kingma and Welling (2014), app. C.2, with a learned sigma as in Rybkin et al. (2021).
    """
    normal = ((x - mean) / log_sigma.exp()).square() + 2 * log_sigma + log(2 * pi)
    return -normal.sum(PIXELS) / 2


def log_normal(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return log N(z; mean, diag exp(log_variance)) of codes (..., d)."""
    squares = (z - mean).square() / log_variance.exp()
    return -(squares + log_variance + log(2 * pi)).sum(-1) / 2


def log_standard_normal(z: Tensor) -> Tensor:
    """Return log N(z; 0, I) of codes (..., d)."""
    return -(z.square() + log(2 * pi)).sum(-1) / 2


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, diag exp(log_variance)) || N(0, I)) of each dimension of codes (..., d).

    Kingma and Welling (2014), app. B.
    """
    return (mean.square() + log_variance.exp() - 1 - log_variance) / 2


def log_mean_exp(values: Tensor, dim: int) -> Tensor:
    """Return log mean exp(values), without overflow."""
    return torch.logsumexp(values, dim) - log(values.shape[dim])
