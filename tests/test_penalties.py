"""Penalties, normalization, augmentation and noise of D."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from lightning_gen import GAN, GaussianMixtureDataModule
from lightning_gen.errors import ArgumentError
from lightning_gen.losses import ADVERSARIAL_LOSSES, gradient_penalty, squared_gradient
from lightning_gen.networks import MinibatchStd, apply_spectral_norm, augment, clip_weights, pack
from tests.conftest import SHAPE, images, same, small_dcgan, small_gan, state

Fit = Callable[..., Trainer]


def linear(slope: float) -> Callable[[Tensor], Tensor]:
    """Return D(x) = slope * mean(x) * sqrt(entries); the norm of its gradient is the slope."""
    return lambda x: slope * x.flatten(1).mean(1, keepdim=True) * math.sqrt(x[0].numel())


@pytest.mark.parametrize("slope", [0.5, 1.0, 3.0])
def test_penalties_of_a_linear_discriminator(slope: float) -> None:
    x = images().requires_grad_()
    D = linear(slope)
    assert squared_gradient(D(x), x).item() == pytest.approx(slope**2, rel=1e-5)
    penalty = gradient_penalty(D, x, images().flip(0))
    assert penalty.item() == pytest.approx((slope - 1) ** 2, abs=1e-5)


def test_penalties_equal_a_loop_over_images() -> None:
    torch.manual_seed(0)
    D = nn.Sequential(nn.Flatten(), nn.Linear(256, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    x, fake = images(5).double(), images(10)[5:].double()
    torch.manual_seed(1)
    penalty = gradient_penalty(D, x, fake)
    torch.manual_seed(1)
    between = torch.rand(5, 1, 1, 1, dtype=torch.float64)
    between = between * x + (1 - between) * fake
    norms = torch.stack(
        [torch.func.grad(lambda y: D(y[None]).squeeze())(y).norm() for y in between]
    )
    assert torch.allclose(penalty, ((norms - 1) ** 2).mean())
    x.requires_grad_()
    squares = [torch.func.grad(lambda y: D(y[None]).squeeze())(y).square().sum() for y in x]
    assert torch.allclose(squared_gradient(D(x), x), torch.stack(squares).mean())


def test_gradients_of_penalties_are_correct() -> None:
    x, fake = images(3, (1, 2, 2)).double(), images(6, (1, 2, 2))[3:].double()

    def network(weight: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda images: torch.tanh(images.flatten(1) @ weight).sum(1, keepdim=True)

    def r1(weight: Tensor) -> Tensor:
        inputs = x.clone().requires_grad_()
        return squared_gradient(network(weight)(inputs), inputs)

    def wgan_gp(weight: Tensor) -> Tensor:
        torch.manual_seed(0)
        return gradient_penalty(network(weight), x, fake)

    weight = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(r1, (weight,))
    assert torch.autograd.gradcheck(wgan_gp, (weight,))


@pytest.mark.parametrize("name", ["gradient_penalty", "r1", "r2"])
def test_penalties_are_weighted_terms_of_the_loss_of_d(name: str) -> None:
    terms = []
    for weight in (1.0, 3.0):
        torch.manual_seed(0)
        model = small_gan(dropout=0.0, maxout=1, **{name: weight})
        torch.manual_seed(1)
        terms.append(model.discriminator_terms(images(), None)[name])
    assert terms[0] > 0
    assert torch.allclose(3 * terms[0], terms[1])


def test_a_packed_score_has_one_gradient() -> None:
    model = small_gan(pack=4, dropout=0.0, r1=2.0)
    x, _ = model.unpack(images(10))
    assert model.discriminate(x).shape == (2, 1)
    joined = x.view(2, 4, *SHAPE[1:]).requires_grad_()
    expected = squared_gradient(model.discriminator(joined), joined)
    assert torch.allclose(model.discriminator_terms(x, None)["r1"], expected)


def test_images_of_an_incomplete_pack_are_dropped(fit: Fit) -> None:
    model, x = small_gan(pack=3, dropout=0.0, r1=2.0, gradient_penalty=1.0), images(8)
    torch.manual_seed(0)
    cut, c = model.unpack(x)
    terms = model.discriminator_terms(cut, None, *c)
    torch.manual_seed(0)
    expected = model.discriminator_terms(x[:6], None)
    assert all(torch.equal(terms[name], expected[name]) for name in expected)
    fit(model, max_epochs=1)
    with pytest.raises(ArgumentError, match="pack is 9, but the batch has fewer images"):
        fit(small_gan(pack=9))


def test_packing_joins_successive_images_and_drops_the_rest() -> None:
    x = torch.arange(7.0).view(7, 1, 1, 1).expand(7, 2, 3, 3)
    packed = pack(x, 3)
    assert packed.shape == (2, 6, 3, 3)
    assert packed[:, :, 0, 0].tolist() == [[0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5]]
    labels = torch.eye(4)
    assert pack(labels, 2).tolist() == [[1, 0, 0, 0, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0, 0, 1]]


def test_spectral_norm_of_every_layer_is_one() -> None:
    D = small_dcgan(spectral_norm=True).discriminator
    for _ in range(50):
        D(images())
    weights = [m.weight.flatten(1) for m in D.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    norms = torch.stack([torch.linalg.matrix_norm(weight, 2) for weight in weights])
    assert torch.allclose(norms, torch.ones_like(norms), atol=0.05)


def test_an_update_of_g_keeps_the_power_iteration_of_d(fit: Fit) -> None:
    seen = []

    class Watched(type(small_gan())):
        def generator_terms(self, x: Any, fake: Any, *c: Any) -> Any:
            before = state(self.discriminator)
            terms = super().generator_terms(x, fake, *c)
            seen.append(same(before, state(self.discriminator)))
            return terms

    fit(
        Watched(
            SHAPE,
            latent_dim=4,
            generator_hidden_dims=(8,),
            discriminator_hidden_dims=(8,),
            spectral_norm=True,
        ),
        max_epochs=1,
    )
    assert seen == [True] * 4


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_a_micro_batch_normalizes_each_weight_once(fit: Fit, micro_batches: int) -> None:
    """An update, which has one power iteration, normalizes in training mode once."""
    model = small_gan(spectral_norm=True, micro_batch_size=8 // micro_batches)
    lists = [m for m in model.modules() if isinstance(m, ParametrizationList)]
    norms, calls = [norm for parametrizations in lists for norm in parametrizations], []
    for norm in norms:
        norm.register_forward_hook(lambda norm, *_: calls.append(norm.training))
    fit(model, max_epochs=1, limit_val_batches=0)
    steps, players = 4, 2
    assert len(norms) == 2
    assert len(calls) == len(norms) * players * micro_batches * steps
    assert sum(calls) == len(norms) * steps


def test_clipped_weights_are_within_the_bound(fit: Fit) -> None:
    model = small_gan(weight_clip=0.01, adversarial="wasserstein", optimizer="rmsprop", lr=1e-2)
    fit(model, max_epochs=1)
    largest = max(p.detach().abs().max() for p in model.discriminator.parameters())
    assert largest == pytest.approx(0.01)
    D = nn.Linear(2, 2)
    clip_weights(D, 0.0)
    assert not any(p.any() for p in D.parameters())


def test_label_smoothing_equals_a_lower_target() -> None:
    """-(1 - s) log D - s log(1 - D) differs from -log D by s times the score."""
    for loss in ("non_saturating", "least_squares"):
        model = small_gan(dropout=0.0, adversarial=loss, label_smoothing=0.1)
        torch.manual_seed(0)
        terms = model.discriminator_terms(images(), None)
        real = model.discriminate(images())
        assert torch.allclose(terms["label_smoothing"], 0.1 * real.mean())
        if loss == "non_saturating":
            D = real.sigmoid()
            smooth = -(0.9 * D.log() + 0.1 * (1 - D).log()).mean()
            assert torch.allclose(-D.log().mean() + terms["label_smoothing"], smooth)


def test_instance_noise_decays_to_zero(fit: Fit) -> None:
    deviations = []

    class Watched(type(small_gan())):
        def discriminate(self, x: Any, *c: Any) -> Any:
            hook = self.discriminator.register_forward_pre_hook(
                lambda _, inputs: deviations.append((inputs[0] - x).std().item())
            )
            with hook:
                return super().discriminate(x, *c)

    model = Watched(
        SHAPE,
        latent_dim=4,
        generator_hidden_dims=(8,),
        discriminator_hidden_dims=(8,),
        instance_noise=0.2,
    )
    fit(model, max_epochs=2)
    expected = [0.2 * (1 - batch / 8) for batch in range(8) for _ in range(2)]
    assert deviations[0::3] == pytest.approx(expected[0::2], rel=0.05)
    assert torch.equal(model.score(images()), model.score(images()))


def test_instance_noise_needs_an_end(fit: Fit) -> None:
    with pytest.raises(ArgumentError, match="instance_noise needs a training with an end"):
        fit(small_gan(instance_noise=0.2), max_epochs=-1)


def test_minibatch_std_is_the_deviation_over_the_batch() -> None:
    layer = MinibatchStd()
    x = torch.randn(1000, 3, 4, 4)
    assert layer(x).shape == (1000, 4, 4, 4)
    assert torch.allclose(layer(2 * x)[:, 3], torch.tensor(2.0), atol=0.05)
    assert torch.allclose(layer(x[:1].expand(8, 3, 4, 4))[:, 3], torch.zeros(1), atol=1e-3)
    collapsed = layer(torch.ones(4, 3, requires_grad=True))
    (slope,) = torch.autograd.grad(collapsed.sum(), collapsed)
    assert slope.isfinite().all()


@pytest.mark.parametrize("kind", ["translation", "cutout", "color"])
def test_augmentations_change_images_and_have_gradients(kind: Any) -> None:
    x = images(64, (3, 16, 16)).requires_grad_()
    torch.manual_seed(0)
    seen = augment(x, (kind,))
    assert seen.shape == x.shape
    assert (seen != x).flatten(1).any(1).float().mean() > 0.8
    (slope,) = torch.autograd.grad(seen.sum(), x)
    assert slope.isfinite().all() and slope.any()
    if kind == "translation":
        assert set(slope.unique().tolist()) == {0.0, 1.0}
        assert set(seen[0].flatten().tolist()) <= {-1.0, *x[0].flatten().tolist()}
    if kind == "cutout":
        hidden = (seen == 0).float().mean((1, 2, 3))
        assert 0.1 < hidden.mean() < 0.25 + 1e-6 + 0.07


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"adversarial": "hinge", "label_smoothing": 0.1}, "label_smoothing"),
        ({"r1": -1.0}, "r1"),
        ({"pack": 0}, "pack"),
        ({"dropout": 1.5}, "dropout"),
        ({"discriminator_hidden_dims": (0,)}, "discriminator_hidden_dims"),
        ({"instance_noise": -0.1}, "instance_noise"),
    ],
)
def test_an_error_names_the_argument_that_is_out_of_range(wrong: dict[str, Any], name: str) -> None:
    with pytest.raises(ArgumentError, match=name):
        small_gan(**wrong)


def test_unstable_settings_cause_a_warning() -> None:
    with pytest.warns(UserWarning, match="Lipschitz"):
        small_gan(adversarial="wasserstein")
    with pytest.warns(UserWarning, match="batch_norm"):
        small_dcgan(r1=1.0)


def test_spectral_norm_includes_transposed_convolutions() -> None:
    D = nn.Sequential(nn.ConvTranspose2d(1, 2, 3), nn.Flatten(), nn.LazyLinear(1))
    D(images())
    apply_spectral_norm(D)
    assert sum(name.endswith("original") for name in D.state_dict()) == 2


REGULARIZATION: dict[str, dict[str, Any]] = {
    **{loss: {"adversarial": loss} for loss in ADVERSARIAL_LOSSES},
    "gradient_penalty": {"adversarial": "wasserstein", "gradient_penalty": 0.1},
    "r1": {"r1": 0.1},
    "r2": {"r2": 0.1},
    "spectral_norm": {"adversarial": "hinge", "spectral_norm": True},
    "weight_clip": {"adversarial": "wasserstein", "weight_clip": 0.1},
    "pack": {"pack": 4},
    "minibatch_std": {"minibatch_std": True},
    "label_smoothing": {"label_smoothing": 0.1},
    "instance_noise": {"instance_noise": 0.1},
}


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("name", REGULARIZATION)
def test_every_loss_and_regularization_learns_the_ring(fit: Fit, name: str, precision: str) -> None:
    """Losses stay finite, and samples come closer to the ring."""
    data = GaussianMixtureDataModule("ring", n=2048, batch_size=128)
    model = GAN(
        data.image_shape,
        latent_dim=2,
        generator_hidden_dims=(32, 32),
        discriminator_hidden_dims=(32, 32),
        maxout=1,
        dropout=0.0,
        lr=5e-3,
        **REGULARIZATION[name],
    )
    distance = [(model.sample(500, seed=0).flatten(1).norm(dim=1) - 0.8).abs().mean()]
    trainer = fit(model, data, max_epochs=4, precision=precision, limit_val_batches=0)
    assert trainer.global_step == 64
    distance.append((model.sample(500, seed=0).flatten(1).norm(dim=1) - 0.8).abs().mean())
    assert distance[1] < 0.75 * distance[0]
    assert trainer.callback_metrics["train/d/loss"].isfinite()
