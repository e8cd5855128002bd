"""The theorems of Goodfellow et al. (2014), sec. 4, measured on trained networks."""

from collections.abc import Callable
from math import log

import pytest
import torch
from lightning import Trainer, seed_everything
from torch import Tensor, nn
from torch.distributions import Normal
from torch.utils.data import DataLoader

from lightning_gen import GAN
from lightning_gen.losses import ADVERSARIAL_LOSSES

Fit = Callable[..., Trainer]
LOSS = ADVERSARIAL_LOSSES["non_saturating"]
GRID = torch.linspace(-12, 14, 20_001, dtype=torch.float64)


def density(distribution: Normal) -> Tensor:
    return distribution.log_prob(GRID).exp()


def jensen_shannon(p: Tensor, q: Tensor) -> float:
    m = (p + q) / 2
    halves = [torch.where(r > 0, r * (r / m).log(), 0).nan_to_num() for r in (p, q)]
    return float(torch.trapezoid(sum(halves) / 2, GRID))


def train_discriminator(D: nn.Module, p: Normal, q: Normal, lr: float, steps: int) -> float:
    """Train D on two fixed densities; return its loss on new samples."""
    optimizer = torch.optim.Adam(D.parameters(), lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        loss = LOSS.discriminator(D(p.sample((1024, 1))), D(q.sample((1024, 1))))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return LOSS.discriminator(D(p.sample((400_000, 1))), D(q.sample((400_000, 1)))).item()


def test_a_logistic_discriminator_learns_the_optimal_one() -> None:
    """Proposition 1: D* = p / (p + q); its logit is 2 - 2x for N(0, 1) and N(2, 1)."""
    seed_everything(0)
    D = nn.Linear(1, 1)
    loss = train_discriminator(D, Normal(0.0, 1.0), Normal(2.0, 1.0), 0.03, 1500)
    assert D.weight.item() == pytest.approx(-2, abs=0.03)
    assert D.bias.item() == pytest.approx(2, abs=0.03)
    assert loss == pytest.approx(0.7126, abs=0.005)


def test_an_mlp_learns_the_optimal_discriminator() -> None:
    seed_everything(0)
    p, q = Normal(0.0, 1.0), Normal(0.0, 2.0)
    layers = nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
    D = nn.Sequential(*layers)
    train_discriminator(D, p, q, 3e-3, 1500)
    x = torch.linspace(-3, 3, 601)[:, None]
    optimum = (p.log_prob(x) - q.log_prob(x)).sigmoid()
    with torch.no_grad():
        distance = (D(x).sigmoid() - optimum).abs()
    assert distance.mean() <= 0.01


@pytest.mark.parametrize("far", [0.0, 1.0, 2.0, 6.0])
def test_the_loss_of_the_optimal_discriminator_is_the_jensen_shannon_divergence(far: float) -> None:
    """Theorem 1: C(G) = 2 JSD(p, q) - log 4, by quadrature."""
    p, q = (density(Normal(torch.tensor(m, dtype=torch.float64), 1.0)) for m in (0.0, far))
    score = (p.log() - q.log()).nan_to_num()
    integrand = p * torch.nn.functional.softplus(-score) + q * torch.nn.functional.softplus(score)
    value = -float(torch.trapezoid(integrand, GRID))
    assert value == pytest.approx(2 * jensen_shannon(p, q) - log(4), abs=1e-5)
    if far == 0:
        assert value == pytest.approx(-log(4), abs=1e-8)
    if far == 2:
        assert -value == pytest.approx(0.71263, abs=1e-5)


def test_only_the_saturating_gradient_vanishes_where_d_is_confident() -> None:
    """Sec. 3: generated samples are far from the data, and D is confident."""
    seed_everything(0)
    D = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
    train_discriminator(D, Normal(0.0, 0.5), Normal(4.0, 0.5), 0.02, 500)
    slopes = {}
    for name in ("minimax", "non_saturating"):
        shift = torch.tensor(4.0, requires_grad=True)
        fakes = shift + 0.5 * torch.randn(1000, 1, generator=torch.Generator().manual_seed(0))
        ADVERSARIAL_LOSSES[name].generator(D(fakes)).backward()
        slopes[name] = shift.grad.item()
    assert slopes["non_saturating"] > 100 * abs(slopes["minimax"]) > 0


class Affine(nn.Module):
    """G(z) = a z + b."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(0.05)), nn.Parameter(torch.tensor(0.0))

    def forward(self, z: Tensor) -> Tensor:
        return (self.a * z + self.b)[..., None, None]


def test_training_converges_to_the_density_of_the_data_and_d_to_one_half(fit: Fit) -> None:
    """Algorithm 1 in one dimension: N(0.3, 0.1^2), within the range of images."""
    seed_everything(0)
    mean, sigma = 0.3, 0.1
    batches = list((mean + sigma * torch.randn(40, 500, 1, 1, 1)).clamp(-1, 1))
    D = nn.Sequential(
        nn.Flatten(), nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)
    )
    model = GAN(
        (1, 1, 1),
        latent_dim=1,
        generator=Affine(),
        discriminator=D,
        lr=5e-3,
        lr_g=2e-3,
        r1=0.02,
        schedule="linear",
    )
    fit(model, DataLoader(batches, batch_size=None, shuffle=True), max_epochs=15)
    G = model.generator
    assert G.b.item() == pytest.approx(mean, abs=0.02)
    assert abs(G.a.item()) == pytest.approx(sigma, abs=0.02)
    support = torch.linspace(mean - 2 * sigma, mean + 2 * sigma, 101).view(-1, 1, 1, 1)
    assert (model.score(support).sigmoid() - 0.5).abs().max() < 0.05
