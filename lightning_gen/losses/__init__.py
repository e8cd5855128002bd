"""Losses, likelihoods and penalties as pure functions."""

from lightning_gen.losses.adversarial import (
    ADVERSARIAL_LOSSES,
    Adversarial,
    AdversarialLoss,
    cross_entropy,
)
from lightning_gen.losses.likelihoods import (
    Likelihood,
    bernoulli_log_likelihood,
    gaussian_log_likelihood,
    kl_to_standard_normal,
    log_mean_exp,
    log_normal,
    log_standard_normal,
)
from lightning_gen.losses.penalties import gradient_penalty, squared_gradient

__all__ = [
    "ADVERSARIAL_LOSSES",
    "Adversarial",
    "AdversarialLoss",
    "Likelihood",
    "bernoulli_log_likelihood",
    "gradient_penalty",
    "cross_entropy",
    "gaussian_log_likelihood",
    "kl_to_standard_normal",
    "log_mean_exp",
    "log_normal",
    "log_standard_normal",
    "squared_gradient",
]
