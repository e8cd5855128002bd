"""Variational autoencoders: the ELBO, the weight of its KL term, and the log-likelihood."""

import math
from collections.abc import Callable

import pytest
import torch
from lightning import Trainer, seed_everything
from torch import Tensor, nn

from lightning_gen import IWAE, VAE, ConditionalVAE
from tests.conftest import SHAPE, images, loader
from tests.test_autoencoders import SMALL

Fit = Callable[..., Trainer]


def test_iwae_has_no_weight_of_the_kl_term() -> None:
    assert not {"beta", "kl_warmup", "free_bits"} & set(IWAE(SHAPE, **SMALL).hparams)
    with pytest.raises(TypeError, match="beta"):
        IWAE(SHAPE, beta=2.0, **SMALL)


def test_the_elbo_is_in_nats_per_image_in_every_stage(fit: Fit) -> None:
    model = VAE(SHAPE, beta=4.0, kl_warmup=100.0, free_bits=0.5, lr=0.0, **SMALL)
    trainer = fit(model, max_epochs=1, val=loader())
    trained = dict(trainer.callback_metrics)
    trainer.test(model, loader(), verbose=False)
    metrics = trained | trainer.callback_metrics
    for stage in ("train", "val", "test"):
        value = {n: metrics[f"{stage}/{n}"] for n in ("elbo", "reconstruction", "kl", "loss")}
        assert torch.isclose(value["elbo"], -(value["reconstruction"] + value["kl"]), rtol=1e-5)
        assert 100 < value["reconstruction"] < 250  # initially log 2 for each of 256 pixels
    assert torch.isclose(metrics["val/elbo"], metrics["test/elbo"])
    assert abs(metrics["train/elbo"] - metrics["val/elbo"]) < 10


def test_beta_and_free_bits_change_the_weighted_kl_term() -> None:
    x = images()
    losses = {}
    for name, kwargs in {
        "plain": {},
        "beta": {"beta": 4.0},
        "free": {"free_bits": 1.0},
    }.items():
        seed_everything(0)
        model = VAE(SHAPE, **SMALL, **kwargs)
        torch.manual_seed(1)
        losses[name] = {**model.terms(x), **model.observed}
    kl = losses["plain"]["kl"]
    assert torch.isclose(losses["plain"]["weighted_kl"], kl)
    assert torch.isclose(losses["beta"]["weighted_kl"], 4 * kl)
    assert losses["free"]["weighted_kl"] >= 3  # a nat for each of three dimensions
    assert torch.isclose(losses["plain"]["reconstruction"], losses["beta"]["reconstruction"])


def test_the_warmup_counts_epochs(fit: Fit) -> None:
    weights, ratios = [], []

    class Watched(VAE):
        def terms(self, x: Tensor, *c: Tensor) -> dict[str, Tensor]:
            terms = super().terms(x, *c)
            weights.append(self.warmup)
            ratios.append((terms["weighted_kl"] / self.observed["kl"]).item())
            return terms

    fit(Watched(SHAPE, kl_warmup=2.0, beta=3.0, **SMALL), max_epochs=3)
    assert weights == pytest.approx([min((i + 1) / 8, 1) for i in range(12)])
    assert ratios == pytest.approx([3 * weight for weight in weights])


def test_binarization() -> None:
    x = images()
    dynamic, fixed, none = (
        VAE(SHAPE, binarization=b, **SMALL) for b in ("dynamic", "fixed", "none")
    )
    assert none.binarize(x) is x
    for model in (dynamic, fixed):
        assert set(model.binarize(x).unique().tolist()) == {-1.0, 1.0}
        means = model.binarize(images(400)).mean()
        assert abs(means - images(400).mean()) < 0.02
    assert not torch.equal(dynamic.binarize(x), dynamic.binarize(x))
    assert torch.equal(fixed.binarize(x), fixed.binarize(x.flip(0)).flip(0))
    black, white = -torch.ones(1, *SHAPE), torch.ones(1, *SHAPE)
    assert torch.equal(dynamic.binarize(black), black)
    assert torch.equal(fixed.binarize(white), white)


def test_more_samples_raise_the_importance_weighted_bound() -> None:
    seed_everything(0)
    vae = VAE(SHAPE, **SMALL).double()
    x = images(4).double()
    x = vae.binarize(x)
    with torch.no_grad():
        weights = vae.log_weights(x, 20_000)
    bounds = [(weights.view(-1, k, 4).logsumexp(1) - math.log(k)).mean() for k in (1, 5, 50, 500)]
    assert bounds == sorted(bounds)
    assert bounds[0] < bounds[1] - 0.01
    iwae = IWAE(SHAPE, k=1, **SMALL).double()
    iwae.load_state_dict(vae.state_dict())
    with torch.no_grad():  # with one sample, the bound is the ELBO
        bound = torch.stack([-iwae.terms(x)["negative_bound"] for _ in range(300)]).mean()
        elbo = torch.stack([-sum(vae.terms(x).values()) for _ in range(300)]).mean()
    assert torch.isclose(bound, elbo, atol=0.3)


class Linear(nn.Module):
    """Linear map to or from images."""

    def __init__(self, weight: Tensor, bias: Tensor, shape: tuple[int, ...], tail: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)
        self.shape, self.tail = shape, nn.Parameter(tail)

    def forward(self, x: Tensor) -> Tensor:
        y = x.flatten(1) @ self.weight.T + self.bias
        return torch.cat([y, self.tail.expand(len(y), -1)], 1).unflatten(1, self.shape)


def test_the_log_likelihood_equals_the_closed_form_of_a_linear_gaussian_model() -> None:
    """With x = W z + b + sigma e: log N(x; b, W W^T + sigma^2 I), for any q."""
    seed_everything(0)
    shape, d, sigma = (1, 3, 4), 2, 0.6
    W, b = torch.randn(12, d).double(), torch.randn(12).double()
    model = VAE(
        shape,
        latent_dim=d,
        likelihood="gaussian",
        encoder=Linear(0.2 * torch.randn(d, 12), torch.zeros(d), (2 * d,), torch.zeros(d)),
        decoder=Linear(W.float(), b.float(), shape, torch.zeros(0)),
    ).double()
    with torch.no_grad():
        posterior = torch.linalg.inv(torch.eye(d).double() + W.T @ W / sigma**2)
        model.encoder.weight.copy_(posterior @ W.T / sigma**2)  # the mean of the true posterior
        model.encoder.bias.copy_(-model.encoder.weight @ b + 0.2)  # with a small error
        model.encoder.tail.copy_((1.5 * posterior.diagonal()).log())
        model.log_sigma.fill_(math.log(sigma))
    z = torch.randn(6, d).double()
    x = (z @ W.T + b + sigma * torch.randn(6, 12)).view(6, *shape)
    x = x / x.abs().max()  # images are in [-1, 1]; the equation holds for any x
    exact = torch.distributions.MultivariateNormal(
        b, W @ W.T + sigma**2 * torch.eye(12).double()
    ).log_prob(x.flatten(1))
    estimates = torch.stack([model.log_likelihood(x, samples=2000, seed=s) for s in range(30)])
    error = estimates.std(0) / 30**0.5
    assert ((estimates.mean(0) - exact).abs() < 3 * error + 1e-4).all()
    assert (error < 0.05).all()


def test_the_log_likelihood_does_not_depend_on_the_memory_limit() -> None:
    model = ConditionalVAE(SHAPE, num_classes=4, **SMALL)
    x, labels = images(5), torch.tensor([0, 1, 2, 3, 0])
    at_once = model.log_likelihood(x, labels, samples=3000)
    in_parts = model.log_likelihood(x, labels, samples=3000, max_memory_mib=1)
    assert at_once.shape == (5,)
    assert torch.allclose(at_once, in_parts, atol=0.5)  # with different noise


def test_a_test_estimates_the_log_likelihood_if_samples_are_set(fit: Fit) -> None:
    model = VAE(SHAPE, likelihood_samples=200, binarization="fixed", **SMALL)
    trainer = fit(model, max_epochs=1)
    trainer.test(model, loader(), verbose=False)
    metrics = trainer.callback_metrics
    assert metrics["test/log_likelihood"] > metrics["test/elbo"]
