"""Autoencoders: their methods, their losses, and invalid arguments."""

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer, seed_everything
from torch import nn
from torch.nn.functional import binary_cross_entropy, mse_loss
from torch.utils.data import DataLoader, TensorDataset

from lightning_gen import (
    IWAE,
    VAE,
    Autoencoder,
    ConditionalVAE,
    ContractiveAutoencoder,
    DenoisingAutoencoder,
    ImageGrid,
)
from lightning_gen.checkpoints import load_model
from lightning_gen.errors import ArgumentError, DataError, NotReadyError, UserError
from lightning_gen.models.base import AutoencoderModel, VariationalModel
from lightning_gen.models.base.nonfinite import NonFiniteLossError
from lightning_gen.protocols import Encodes, Reconstructs, Samples
from lightning_gen.types import to_unit
from tests.conftest import SHAPE, images, loader, same, state

Fit = Callable[..., Trainer]
SMALL: dict[str, Any] = {"latent_dim": 3, "hidden_dims": (8,)}
MODELS: dict[str, Callable[..., AutoencoderModel | VariationalModel]] = {
    "ae": lambda **kw: Autoencoder(SHAPE, **SMALL | kw),
    "dae": lambda **kw: DenoisingAutoencoder(SHAPE, **SMALL | kw),
    "cae": lambda **kw: ContractiveAutoencoder(SHAPE, **SMALL | kw),
    "vae": lambda **kw: VAE(SHAPE, **SMALL | kw),
    "cvae": lambda **kw: ConditionalVAE(SHAPE, num_classes=4, **SMALL | kw),
    "iwae": lambda **kw: IWAE(SHAPE, k=3, **SMALL | kw),
    "conditional iwae": lambda **kw: IWAE(SHAPE, k=3, num_classes=4, **SMALL | kw),
}
ALL = pytest.mark.parametrize("name", MODELS)
PROTOCOLS = Encodes, Reconstructs, Samples


@ALL
def test_every_model_implements_its_protocols(fit: Fit, name: str) -> None:
    model = MODELS[name]()
    assert all(isinstance(model, protocol) for protocol in PROTOCOLS)
    labels = torch.arange(32) % 4 if model.num_classes else None
    fit(model, max_epochs=1, val=loader())
    x = images()
    before = state(model)
    z = model.encode(x, labels)
    assert z.shape == (32, 3)
    assert model.decode(z, labels).shape == (32, *SHAPE)
    assert torch.equal(model.reconstruct(x, labels), model.decode(z, labels))
    draws = model.sample(5, seed=1)
    assert draws.shape == (5, *SHAPE)
    assert draws.min() >= -1 and draws.max() <= 1
    assert torch.equal(draws, model.sample(5, seed=1))
    assert not torch.equal(draws, model.sample(5))
    assert same(before, state(model)) and model.training


@ALL
def test_training_lowers_the_loss_and_is_repeatable(fit: Fit, name: str) -> None:
    runs = []
    for val in (None, loader()):  # validation does not affect training
        seed_everything(0)
        model = MODELS[name]()
        trainer = fit(model, max_epochs=12, val=val, check_val_every_n_epoch=4)
        weights = {k: v for k, v in state(model).items() if not k.startswith("mixture.")}
        runs.append((weights, trainer.callback_metrics["train/loss"]))
    assert same(runs[0][0], runs[1][0])
    fresh = fit(MODELS[name](lr=0.0), max_epochs=1).callback_metrics["train/loss"]
    assert runs[0][1] < fresh


@ALL
def test_a_checkpoint_is_sufficient_to_load_the_model(fit: Fit, name: str, tmp_path: Path) -> None:
    model = MODELS[name]()
    trainer = fit(model, max_epochs=1, val=loader())
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = load_model(tmp_path / "a.ckpt")
    assert same(state(model), state(again))
    assert torch.equal(again.sample(3, seed=0), model.sample(3, seed=0))


@ALL
@pytest.mark.parametrize("shape", [(3, 20, 15), (1, 4, 4)], ids=str)
def test_any_image_size_and_architecture(name: str, shape: tuple[int, int, int]) -> None:
    cls = type(MODELS[name]())
    for architecture in ("mlp", "conv"):
        model = cls(shape, architecture=architecture, latent_dim=2)
        labels = torch.zeros(2).long() if model.num_classes else None
        x = torch.rand(2, *shape) * 2 - 1
        assert model.reconstruct(x, labels).shape == x.shape
        assert sum(model.terms(x, *model.condition(labels)).values()).isfinite()


def test_the_loss_of_an_autoencoder_is_a_mean_over_pixels() -> None:
    x = images()
    for loss, distance in (("mse", mse_loss), ("bce", binary_cross_entropy)):
        model = Autoencoder(SHAPE, loss=loss, sparsity=0.5, **SMALL)
        terms = model.terms(x)
        expected = distance(to_unit(model.reconstruct(x)), to_unit(x))
        assert torch.allclose(terms["reconstruction"], expected, rtol=1e-4)
        assert torch.allclose(terms["sparsity"], 0.5 * model.encode(x).abs().sum(1).mean())


@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        ("gaussian", lambda p, q: abs((q - p)[(p > 0.4) & (p < 0.6)].std() - 0.1) < 0.01),
        ("masking", lambda p, q: abs((q == 0).float().mean() - 0.1) < 0.01),
        ("salt_and_pepper", lambda p, q: abs((q == 1).float().mean() - 0.05) < 0.01),
    ],
)
def test_corruption_has_the_named_distribution(noise: Any, expected: Callable[..., bool]) -> None:
    model = DenoisingAutoencoder(SHAPE, noise=noise, noise_factor=0.1, **SMALL)
    x = images(200)
    p, q = to_unit(x), to_unit(model.corrupt(x))
    assert q.min() >= 0 and q.max() <= 1
    assert expected(p, q)
    if noise != "gaussian":
        assert abs((p == q).float().mean() - 0.9) < 0.01


def test_the_target_is_the_clean_image_unless_noisy_target_is_set() -> None:
    model = DenoisingAutoencoder(SHAPE, noise="masking", noise_factor=1.0, **SMALL)
    x = images()
    black = torch.full_like(x, -1)
    output = model.reconstruct(black)
    assert torch.allclose(model.terms(x)["reconstruction"], mse_loss(output, x) / 4, rtol=1e-4)
    model.noisy_target, model.sparsity = True, 2.0
    terms = model.terms(x)
    assert torch.allclose(terms["reconstruction"], mse_loss(output, black) / 4, rtol=1e-4)
    assert torch.allclose(terms["sparsity"], 2 * model.encode(black).abs().sum(1).mean())


@pytest.mark.parametrize("architecture", ["tied", "mlp"])
def test_contraction_reduces_the_jacobian_of_codes(fit: Fit, architecture: Any) -> None:
    norms = []
    for weight in (0.0, 10.0):
        seed_everything(0)
        model = ContractiveAutoencoder(
            SHAPE, latent_dim=8, architecture=architecture, contraction=weight, lr=1e-2
        )
        fit(model, max_epochs=20)
        norms.append(model.jacobian_norm(images()).mean())
        norm = model.penalty(images()).sqrt()
        assert torch.allclose(norm, model.jacobian_norm(images()), rtol=1e-3)
    assert norms[1] < norms[0] / 2


def test_an_overcomplete_code_without_regularization_causes_a_warning() -> None:
    with pytest.warns(UserWarning, match="sparsity"):
        Autoencoder(SHAPE, latent_dim=256)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Autoencoder(SHAPE, latent_dim=256, sparsity=0.1)
        DenoisingAutoencoder(SHAPE, latent_dim=256)
        ContractiveAutoencoder(SHAPE, latent_dim=256)


def test_samples_come_from_a_mixture_of_codes(fit: Fit) -> None:
    model = Autoencoder(SHAPE, mixture_components=2, **SMALL)
    with pytest.raises(NotReadyError, match="mixture"):
        model.sample(1)
    centers = torch.tensor([[-5.0, 0, 0], [5.0, 0, 0]])
    codes = centers.repeat(200, 1) + torch.randn(400, 3) * torch.tensor([1.0, 0.1, 2.0])
    model.mixture.fit(codes)
    draws = model.mixture.draw(4000)
    assert torch.allclose(draws.mean(0), codes.mean(0), atol=0.3)
    assert torch.allclose(draws.std(0), codes.std(0), atol=0.2)
    assert model.sample(3).shape == (3, *SHAPE)


def test_training_without_validation_continues_without_samples(fit: Fit) -> None:
    fit(Autoencoder(SHAPE, **SMALL), max_epochs=1, callbacks=[ImageGrid(n=4)])


def test_a_conditional_model_needs_labels(fit: Fit) -> None:
    with pytest.raises(DataError, match="ConditionalVAE needs labels"):
        fit(MODELS["cvae"](), DataLoader(images(), batch_size=8))
    with pytest.raises(ArgumentError, match="num_classes"):
        fit(MODELS["cvae"](), DataLoader(TensorDataset(images(), torch.arange(32))))
    draws = MODELS["cvae"]().sample(8, seed=0)
    assert draws.shape == (8, *SHAPE)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("ae", {"latent_dim": 0}),
        ("ae", {"hidden_dims": (8, 8), "architecture": "conv"}),
        ("ae", {"sparsity": -1.0}),
        ("dae", {"noise_factor": 1.5, "noise": "masking"}),
        ("cae", {"jacobian": "closed_form", "architecture": "mlp"}),
        ("vae", {"latent_dim": 0}),
        ("vae", {"beta": -1.0}),
        ("iwae", {"k": 0}),
        ("cvae", {"encoder": nn.Flatten()}),
        ("vae", {"decoder": nn.Linear(3, 7)}),
    ],
    ids=str,
)
def test_an_error_names_the_argument_that_is_out_of_range(name: str, wrong: dict[str, Any]) -> None:
    cls = type(MODELS[name]())
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        cls(SHAPE, **SMALL | wrong)


def test_an_empty_loader_is_rejected(fit: Fit) -> None:
    few = DataLoader(TensorDataset(images(4)), batch_size=8, drop_last=True)
    with pytest.raises(DataError, match="empty: check --data.batch_size"):
        fit(VAE(SHAPE, **SMALL), few)


def test_a_nan_stops_the_run(fit: Fit) -> None:
    bad = images()
    bad[20, 0, 3, 3] = math.nan
    with pytest.raises(NonFiniteLossError, match="train/.*epoch 0, batch 2"):
        fit(VAE(SHAPE, **SMALL), DataLoader(TensorDataset(bad), batch_size=8))
    with pytest.raises(UserError, match=r"\[-1, 1\]"):
        fit(VAE(SHAPE, **SMALL), DataLoader(images() * 255, batch_size=8))


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true"])
@pytest.mark.parametrize("name", ["cae", "iwae", "cvae"])
def test_precisions(fit: Fit, name: str, precision: str) -> None:
    model = MODELS[name]()
    trainer = fit(model, max_epochs=1, val=loader(), precision=precision)
    assert trainer.callback_metrics["val/loss"].isfinite()
    assert model.sample(2).shape == (2, *SHAPE)
    if name != "cae":
        assert model.log_likelihood(images(2), torch.zeros(2).long(), samples=5).isfinite().all()


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop", "adadelta"])
def test_every_optimizer_and_schedule(fit: Fit, optimizer: Any) -> None:
    model = Autoencoder(SHAPE, optimizer=optimizer, schedule="linear", **SMALL)
    trainer = fit(model, max_epochs=2)
    group = trainer.optimizers[0].param_groups[0]
    assert group["weight_decay"] == 1e-5
    assert group["lr"] == pytest.approx(0, abs=1e-9)
