"""GAN diagnostics: right metrics, warnings in time, no effect on the training."""

import logging
import warnings
from collections.abc import Callable
from math import log
from typing import Any

import pytest
import torch
from lightning import Trainer, seed_everything
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_gen import GAN, Autoencoder, GANMonitor
from lightning_gen.callbacks.gan_monitor import gradient_norm
from lightning_gen.types import to_images
from tests.conftest import SHAPE, images, same, small_dcgan, small_gan, state

Fit = Callable[..., Trainer]
ALWAYS = {"accuracy_real", "accuracy_fake", "mean_real", "mean_fake", "diversity"}


def test_metrics_are_logged_when_training_logs(fit: Fit) -> None:
    trainer = fit(small_gan(), max_epochs=1, callbacks=[GANMonitor()], log_every_n_steps=4)
    metrics = {
        name.removeprefix("gan/"): value.item()
        for name, value in trainer.callback_metrics.items()
        if name.startswith("gan/")
    }
    assert metrics.keys() == ALWAYS | {"gradient_d", "gradient_g", "jensen_shannon"}
    assert metrics["gradient_d"] > 0 and metrics["gradient_g"] > 0
    assert 0 <= metrics["mean_fake"] <= 1 and 0 <= metrics["accuracy_real"] <= 1
    assert metrics["jensen_shannon"] <= log(2)


def test_training_is_bit_equal_with_and_without(fit: Fit) -> None:
    weights = []
    for callbacks in ([], [GANMonitor()]):
        seed_everything(0)
        model = small_dcgan(pack=2)
        fit(model, max_epochs=2, callbacks=callbacks)
        weights.append(state(model))
    assert same(*weights)


def test_a_generator_that_copies_the_data_is_as_diverse_as_they_are() -> None:
    model, x = small_gan(), images()
    model.sample = lambda n, seed=None: x
    metrics = GANMonitor().observe(model, x, 0)
    assert metrics["diversity"] == pytest.approx(1)
    assert metrics["jensen_shannon"] <= 1e-6  # equal images cannot be told apart
    assert metrics["accuracy_real"] + metrics["accuracy_fake"] == pytest.approx(1)
    model.discriminator[-1].weight.data.zero_()
    model.discriminator[-1].bias.data.zero_()
    metrics = GANMonitor().observe(model, x, 0)
    assert metrics["jensen_shannon"] == pytest.approx(0, abs=1e-6)
    assert metrics["mean_real"] == metrics["mean_fake"] == 0.5


def test_the_gradient_norm_is_that_of_all_parameters() -> None:
    model = small_gan()
    assert gradient_norm(model.discriminator) == 0
    model.discriminator(images()).sum().backward()
    parts = [p.grad.flatten() for p in model.discriminator.parameters()]
    assert gradient_norm(model.discriminator) == pytest.approx(torch.cat(parts).norm().item())


def test_other_losses_have_raw_scores_and_no_divergence() -> None:
    metrics = GANMonitor().observe(small_gan(adversarial="hinge"), images(), 0)
    assert metrics.keys() == ALWAYS | {"gradient_d", "gradient_g"}


@pytest.mark.parametrize(
    ("failing", "flag"),
    [
        ({"accuracy_real": 1.0, "accuracy_fake": 1.0}, "--model.r1"),
        ({"accuracy_fake": 1.0, "gradient_g": 1e-6}, "--model.adversarial non_saturating"),
        ({"diversity": 0.1}, "--model.pack"),
    ],
)
def test_a_failure_is_reported_once_with_its_flag(failing: dict[str, float], flag: str) -> None:
    healthy = {
        "accuracy_real": 0.7,
        "accuracy_fake": 0.7,
        "diversity": 0.9,
        "gradient_g": 1.0,
        "gradient_d": 1.0,
    }
    monitor = GANMonitor()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monitor.diagnose(healthy)
        for metrics in [healthy | failing] * 4 + [healthy] + [healthy | failing] * 4:
            monitor.diagnose(metrics)
    with pytest.warns(UserWarning, match=flag):
        monitor.diagnose(healthy | failing)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monitor.diagnose(healthy | failing)


RELATIVE = {"wasserstein", "relativistic"}
REAL_AND_FAKE = {  # scores of a perfect D, by the minimum of its loss
    "non_saturating": (3.0, -3.0),
    "minimax": (3.0, -3.0),
    "least_squares": (1.0, 0.0),
    "hinge": (1.0, -1.0),
    "wasserstein": (1003.0, 1000.0),  # any offset is as good
    "relativistic": (-1000.0, -1003.0),
}


def observed(loss: Any, real: Tensor, fake: Tensor, monitor: GANMonitor) -> dict[str, float]:
    """Metrics of a GAN with these scores, after five observations."""
    lipschitz = {"weight_clip": 1.0} if loss == "wasserstein" else {}
    model, x = small_gan(adversarial=loss, **lipschitz), images()
    model.score = lambda images, *c: real if torch.equal(images, x) else fake
    for _ in range(5):
        metrics = monitor.observe(model, x, 0) | {"diversity": 1.0}
        monitor.diagnose(metrics, relative=model.threshold is None)
    return metrics


@pytest.mark.parametrize("loss", REAL_AND_FAKE)
def test_a_perfect_discriminator_is_always_right(loss: str) -> None:
    real, fake = (torch.full((32, 1), score) for score in REAL_AND_FAKE[loss])
    monitor = GANMonitor()
    if loss in RELATIVE:  # WGAN trains D to the optimum
        metrics = observed(loss, real, fake, monitor)
        assert not monitor.warned
    else:
        with pytest.warns(UserWarning, match="almost always right"):
            metrics = observed(loss, real, fake, monitor)
    assert metrics["accuracy_real"] == metrics["accuracy_fake"] == 1


@pytest.mark.parametrize("loss", REAL_AND_FAKE)
def test_a_discriminator_that_confuses_both_is_always_wrong(loss: str) -> None:
    fake, real = (torch.full((32, 1), score) for score in REAL_AND_FAKE[loss])
    monitor = GANMonitor()
    metrics = observed(loss, real, fake, monitor)
    assert metrics["accuracy_real"] == metrics["accuracy_fake"] == 0
    assert not monitor.warned


@pytest.mark.parametrize("loss", REAL_AND_FAKE)
@pytest.mark.parametrize("spread", [0.0, 0.1], ids=["constant", "random"])
def test_a_discriminator_that_guesses_is_right_in_half_of_the_cases(
    loss: str, spread: float
) -> None:
    center = sum(REAL_AND_FAKE[loss]) / 2
    real, fake = center + spread * torch.randn(2, 4000, 1)
    monitor = GANMonitor()
    metrics = observed(loss, real, fake, monitor)
    assert metrics["accuracy_real"] == pytest.approx(0.5, abs=0.03)
    assert metrics["accuracy_fake"] == pytest.approx(0.5, abs=0.03)
    assert not monitor.warned


def test_without_a_threshold_the_accuracy_is_that_of_pairs() -> None:
    real, fake = torch.tensor([[1.0, 2.0], [2.0, 4.0]]), torch.tensor([[0.0, 2.0], [3.0, 3.0]])
    metrics = observed("relativistic", real, fake, GANMonitor())
    pairs = [(r > f) + (r == f) / 2 for r in real.flatten() for f in fake.flatten()]
    assert metrics["accuracy_real"] == pytest.approx(sum(map(float, pairs)) / 16)


def test_a_vanished_gradient_is_a_failure_under_any_loss() -> None:
    monitor, healthy = GANMonitor(), {"accuracy_real": 1.0, "accuracy_fake": 1.0, "diversity": 1.0}
    monitor.diagnose(healthy | {"gradient_g": 1.0}, relative=True)
    with pytest.warns(UserWarning, match="gradient has vanished"):
        for _ in range(5):
            monitor.diagnose(healthy | {"gradient_g": 1e-6}, relative=True)


def test_pixels_are_as_diverse_as_their_images() -> None:
    model = small_gan()
    pixels = ((images() + 1) * 127.5).round().byte()
    expected = GANMonitor().observe(model, to_images(pixels), 0)
    assert GANMonitor().observe(model, pixels, 0) == pytest.approx(expected)


def test_metrics_are_those_of_the_step_that_is_logged(fit: Fit) -> None:
    model = small_gan()
    fit(model, max_epochs=1, callbacks=[GANMonitor()], log_every_n_steps=3)  # of 4 batches
    assert not [name for name in model.step_metrics if name.startswith("gan/")]


@pytest.mark.parametrize(("epochs", "short"), [(2, True), (250, False)])
def test_a_training_that_is_too_short_says_so(
    fit: Fit, caplog: Any, monkeypatch: Any, epochs: int, short: bool
) -> None:
    monkeypatch.setattr(GAN, "training_step", lambda *_: None)
    logging.getLogger("lightning.pytorch").addHandler(caplog.handler)  # does not propagate
    fit(small_gan(), max_epochs=epochs, callbacks=[GANMonitor()], log_every_n_steps=1000)
    assert ("only 8 steps, but GAN needs thousands" in caplog.text) == short


def test_a_collapsed_generator_is_found_in_training(fit: Fit) -> None:
    class Collapsed(type(small_gan())):
        def forward(self, z: Any, *c: Any) -> Any:
            return super().forward(0 * z, *c)

    small: dict[str, Any] = {"generator_hidden_dims": (8,), "discriminator_hidden_dims": (8,)}
    with pytest.warns(UserWarning, match="alike"):
        fit(Collapsed(SHAPE, latent_dim=4, **small), max_epochs=2, callbacks=[GANMonitor()])


def test_models_without_players_are_ignored(fit: Fit) -> None:
    model = Autoencoder(SHAPE, latent_dim=2, hidden_dims=(8,))
    trainer = fit(model, max_epochs=1, callbacks=[GANMonitor()])
    assert not [name for name in trainer.callback_metrics if name.startswith("gan/")]
    fit(small_gan(), DataLoader(images(8), batch_size=8), max_epochs=1, callbacks=[GANMonitor(0)])
