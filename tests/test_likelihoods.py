"""Likelihoods, fixed binarization and the contractive penalty."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from lightning_gen.losses import (
    bernoulli_log_likelihood,
    gaussian_log_likelihood,
    kl_to_standard_normal,
    log_mean_exp,
    log_normal,
    log_standard_normal,
)
from lightning_gen.losses.contraction import closed_form, exact, projected
from lightning_gen.networks import SigmoidEncoder
from lightning_gen.sampling import fixed_uniform
from lightning_gen.types import from_unit, to_unit

SHAPE = (3, 2, 1, 4, 5)  # codes, images, c, h, w


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def test_likelihoods_equal_those_of_torch() -> None:
    output, black_white = random(*SHAPE), from_unit((random(*SHAPE[1:]) > 0).double())
    expected = Independent(Bernoulli(logits=output), 3).log_prob(to_unit(black_white))
    assert torch.allclose(bernoulli_log_likelihood(black_white, output), expected)
    x, log_sigma = random(*SHAPE[1:]), torch.tensor(-0.7, dtype=torch.float64)
    expected = Independent(Normal(output, log_sigma.exp()), 3).log_prob(x)
    assert torch.allclose(gaussian_log_likelihood(x, output, log_sigma), expected)


def test_the_bernoulli_likelihood_sums_to_one_over_black_and_white_images() -> None:
    logits = random(1, 1, 1, 3)
    every = from_unit(torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)).double()
    total = bernoulli_log_likelihood(every.view(8, 1, 1, 3), logits).exp().sum()
    assert torch.allclose(total, torch.ones_like(total))


def test_densities_of_codes_equal_those_of_torch() -> None:
    mean, log_variance, z = (random(4, 6) for _ in range(3))
    q = Normal(mean, (log_variance / 2).exp())
    p = Normal(torch.zeros_like(mean), 1.0)
    assert torch.allclose(log_normal(z, mean, log_variance), q.log_prob(z).sum(-1))
    assert torch.allclose(log_standard_normal(z), p.log_prob(z).sum(-1))
    assert torch.allclose(kl_to_standard_normal(mean, log_variance), kl_divergence(q, p))


def test_log_mean_exp_does_not_overflow() -> None:
    values = torch.tensor([[1000.0, 1000.0], [1000.0, -1000.0]])
    expected = torch.tensor([1000.0, 1000.0 - math.log(2)])
    assert torch.allclose(log_mean_exp(values, 0), expected)


def test_fixed_noise_is_uniform_and_depends_only_on_the_image() -> None:
    p = torch.rand(64, 1, 28, 28)
    u = fixed_uniform(p)
    assert torch.equal(fixed_uniform(p[7:9]), u[7:9])
    assert not torch.equal(u[0], u[1])
    assert u.min() >= 0 and u.max() < 1
    assert abs(u.mean() - 0.5) < 0.005 and abs(u.var() - 1 / 12) < 0.002
    flat = u.flatten(1)
    for shifted in (flat[:, 1:] * flat[:, :-1], flat[1:] * flat[:-1]):
        assert abs(shifted.mean() - 0.25) < 0.005  # neighbors are uncorrelated


def test_the_three_estimates_of_the_contraction_agree() -> None:
    encoder = SigmoidEncoder((1, 4, 4), 7).double()
    p = torch.rand(5, 1, 4, 4, dtype=torch.float64)

    def encode(p: Tensor) -> Tensor:
        return encoder(from_unit(p))

    expected = closed_form(encode(p), encoder.weight)
    assert torch.allclose(expected, exact(encode, p), rtol=1e-12)
    estimate = projected(encode, p, 4000)
    assert torch.allclose(expected, estimate, rtol=0.1)
    # with a single output, the projection is exact
    one = nn.Sequential(nn.Flatten(), nn.Linear(16, 1), nn.Tanh()).double()
    assert torch.allclose(projected(one, p, 1), exact(one, p), rtol=1e-12)


@pytest.mark.parametrize("method", ["closed_form", "exact", "projected"])
def test_the_contraction_has_a_gradient(method: str) -> None:
    encoder = SigmoidEncoder((1, 2, 2), 3).double()
    p = torch.rand(2, 1, 2, 2, dtype=torch.float64)

    def penalty(weight: Tensor) -> Tensor:
        def encode(p: Tensor) -> Tensor:
            return torch.func.functional_call(encoder, {"weight": weight}, from_unit(p))

        torch.manual_seed(0)
        if method == "closed_form":
            return closed_form(encode(p), weight)
        return exact(encode, p) if method == "exact" else projected(encode, p, 2)

    assert torch.autograd.gradcheck(penalty, encoder.weight.detach().requires_grad_())
