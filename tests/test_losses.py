"""Adversarial losses: closed forms, the gradients of sec. 3, precision."""

from math import log
from typing import get_args

import pytest
import torch

from lightning_gen.losses import ADVERSARIAL_LOSSES, Adversarial

AT_ZERO = {  # losses of (D, G) if all scores are 0, so D(x) = 1/2
    "non_saturating": (2 * log(2), log(2)),
    "minimax": (2 * log(2), -log(2)),
    "least_squares": (0.5, 0.5),
    "hinge": (2.0, 0.0),
    "wasserstein": (0.0, 0.0),
    "relativistic": (log(2), log(2)),
}
ALL = pytest.mark.parametrize("name", AT_ZERO)


def test_every_loss_is_an_argument_and_is_tested() -> None:
    assert set(get_args(Adversarial)) == ADVERSARIAL_LOSSES.keys() == AT_ZERO.keys()


@ALL
def test_closed_form_at_zero(name: str) -> None:
    loss, zero = ADVERSARIAL_LOSSES[name], torch.zeros(4, 1)
    values = [loss.discriminator(zero, zero).item(), loss.generator(zero, zero).item()]
    assert values == pytest.approx(AT_ZERO[name])


def test_losses_equal_equation_1() -> None:
    real, fake = torch.randn(2, 100, 1, dtype=torch.float64)
    d_real, d_fake = real.sigmoid(), fake.sigmoid()
    value = (d_real.log() + (1 - d_fake).log()).mean()
    minimax, non_saturating = ADVERSARIAL_LOSSES["minimax"], ADVERSARIAL_LOSSES["non_saturating"]
    assert torch.allclose(minimax.discriminator(real, fake), -value)
    assert torch.allclose(minimax.generator(fake), (1 - d_fake).log().mean())
    assert torch.allclose(non_saturating.generator(fake), -d_fake.log().mean())


def test_the_other_losses_equal_those_of_their_papers() -> None:
    real, fake = torch.randn(2, 100, 1, dtype=torch.float64)
    references = {
        "least_squares": (
            0.5 * ((real - 1) ** 2).mean() + 0.5 * (fake**2).mean(),
            0.5 * ((fake - 1) ** 2).mean(),
        ),
        "hinge": (
            -torch.minimum(torch.zeros(1), real - 1).mean()
            - torch.minimum(torch.zeros(1), -fake - 1).mean(),
            -fake.mean(),
        ),
        "wasserstein": (-(real.mean() - fake.mean()), -fake.mean()),
        "relativistic": (
            -(real - fake).sigmoid().log().mean(),
            -(fake - real).sigmoid().log().mean(),
        ),
    }
    for name, (of_d, of_g) in references.items():
        loss = ADVERSARIAL_LOSSES[name]
        assert torch.allclose(loss.discriminator(real, fake), of_d)
        assert torch.allclose(loss.generator(fake, real), of_g)


def slope(name: str, score: float) -> float:
    fake = torch.tensor([float(score)], requires_grad=True)
    ADVERSARIAL_LOSSES[name].generator(fake).backward()
    return fake.grad.item()


def test_only_the_minimax_gradient_vanishes_where_d_is_confident() -> None:
    assert -1e-8 < slope("minimax", -20) < 0
    assert slope("non_saturating", -20) == pytest.approx(-1)


def test_both_generator_losses_have_the_same_gradient_at_one_half() -> None:
    assert slope("minimax", 0) == slope("non_saturating", 0) == -0.5


@ALL
def test_the_players_have_opposite_gradients_for_fake_scores(name: str) -> None:
    loss, real, fake = (
        ADVERSARIAL_LOSSES[name],
        torch.zeros(4),
        torch.full((4,), 0.5, requires_grad=True),
    )
    (of_d,) = torch.autograd.grad(loss.discriminator(real, fake), fake)
    (of_g,) = torch.autograd.grad(loss.generator(fake, real), fake)
    assert (of_d > 0).all()
    assert (of_g < 0).all()


@ALL
def test_gradients_are_correct(name: str) -> None:
    loss = ADVERSARIAL_LOSSES[name]
    real, fake = (torch.randn(5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(loss.discriminator, (real, fake))
    assert torch.autograd.gradcheck(loss.generator, (fake, real if loss.relativistic else None))


@ALL
def test_losses_of_large_scores_are_finite(name: str) -> None:
    loss, high = ADVERSARIAL_LOSSES[name], torch.full((4,), 1e4)
    values = [
        loss.discriminator(-high, high),
        loss.generator(high, -high),
        loss.generator(-high, high),
    ]
    assert torch.stack(values).isfinite().all()


@ALL
def test_losses_of_half_precision_scores_are_in_float32(name: str) -> None:
    loss, scores = ADVERSARIAL_LOSSES[name], torch.ones(3, dtype=torch.bfloat16)
    assert loss.discriminator(scores, scores).dtype == torch.float32
    assert loss.generator(scores, scores).dtype == torch.float32
