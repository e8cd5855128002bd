"""Less common trainings: other options of the Trainer, repeated and resumed runs, other data."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from lightning_gen import (
    DCGAN,
    VAE,
    Autoencoder,
    ConditionalGAN,
    ContractiveAutoencoder,
    CycleGAN,
    GeneratorEMA,
    MNISTDataModule,
    Pix2Pix,
)
from lightning_gen.checkpoints import load_model
from lightning_gen.errors import ArgumentError
from lightning_gen.networks import DCGANDiscriminator
from tests.conftest import SHAPE, images, loader, same, small_dcgan, small_gan, state

Fit = Callable[..., Trainer]
SMALL: dict[str, Any] = {"latent_dim": 3, "hidden_dims": (8,)}


class Counts(Callback):
    """Count the batches of each epoch, and record the learning rate after it."""

    def __init__(self) -> None:
        self.batches: dict[int, int] = {}
        self.rates: list[float] = []

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self.batches[trainer.current_epoch] = self.batches.get(trainer.current_epoch, 0) + 1

    def on_train_epoch_end(self, trainer: Trainer, *_: Any) -> None:
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])


class Unsized(IterableDataset[Tensor]):
    """A dataset without a length."""

    def __iter__(self) -> Iterator[Tensor]:
        return iter(images(32))


def digits() -> MNISTDataModule:
    return MNISTDataModule("12k", batch_size=1000)


def test_data_restored_by_a_test_start_a_new_training_from_the_beginning(
    fit: Fit, tmp_path: Path
) -> None:
    data, shape = digits(), (1, 28, 28)
    saver = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
    options = {"callbacks": [saver], "enable_checkpointing": True, "limit_val_batches": 0}
    trainer = fit(small_gan(image_shape=shape), data, max_epochs=1, **options)
    trainer.test(ckpt_path=tmp_path / "epoch=0.ckpt", datamodule=data, verbose=False)
    counts = Counts()
    fit(small_gan(image_shape=shape), data, callbacks=[counts], limit_val_batches=0)
    assert counts.batches == {0: 9, 1: 9}


def test_overfitting_a_few_batches_works(fit: Fit) -> None:
    counts = Counts()
    model = VAE((1, 28, 28), **SMALL)
    fit(model, digits(), callbacks=[counts], overfit_batches=2, limit_val_batches=0)
    assert counts.batches == {0: 2, 1: 2}


@pytest.mark.parametrize(
    ("model", "argument"),
    [
        (lambda: small_gan(schedule="linear"), "schedule"),
        (lambda: small_gan(schedule="cosine", micro_batch_size=2), "schedule"),
        (lambda: small_gan(instance_noise=0.1), "instance_noise"),
        (lambda: VAE(SHAPE, kl_warmup=1.0, **SMALL), "kl_warmup"),
    ],
)
def test_an_error_names_the_argument_that_needs_an_end(
    fit: Fit, model: Callable[[], Any], argument: str
) -> None:
    with pytest.raises(ArgumentError, match=argument):
        fit(model(), DataLoader(Unsized(), batch_size=8))


def test_a_number_of_steps_is_an_end(fit: Fit) -> None:
    counts = Counts()
    model = small_gan(schedule="linear", micro_batch_size=2, lr=1.0, optimizer="sgd")
    data = DataLoader(Unsized(), batch_size=8)
    fit(model, data, callbacks=[counts], max_steps=8, max_epochs=-1)
    assert counts.rates == pytest.approx([0.5, 0.0])  # after 4 batches each


@pytest.mark.parametrize("make", [small_gan, lambda **k: VAE(SHAPE, **SMALL, **k)])
@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_finished_training_can_be_extended(
    fit: Fit, tmp_path: Path, make: Any, schedule: str
) -> None:
    counts = Counts()
    short = fit(make(schedule=schedule, lr=1e-3), callbacks=[counts])
    short.save_checkpoint(tmp_path / "short.ckpt")
    assert counts.rates == pytest.approx([5e-4, 0])
    counts = Counts()
    model = make(schedule=schedule, lr=1e-3)
    fit(model, callbacks=[counts], max_epochs=4, ckpt_path=tmp_path / "short.ckpt")
    assert counts.rates[0] > 0
    assert counts.rates[1] == pytest.approx(0)


def test_a_trained_decoder_is_not_initialized_again(fit: Fit, tmp_path: Path) -> None:
    model = VAE(SHAPE, lr=0.0, **SMALL)
    fit(model, max_epochs=1).save_checkpoint(tmp_path / "a.ckpt")
    initial = state(model.decoder)
    assert initial["layers.2.bias"].any()
    other = loader(images() * 0 - 1)
    fit(model, other, max_epochs=1)
    assert same(initial, state(model.decoder))
    loaded = VAE.load_from_checkpoint(tmp_path / "a.ckpt")
    fit(loaded, other, max_epochs=1)
    assert same(initial, state(loaded.decoder))
    custom = VAE(SHAPE, lr=0.0, decoder=model.decoder, **SMALL)
    fit(custom, other, max_epochs=1)
    assert same(initial, state(custom.decoder))


def test_models_and_networks_in_eval_mode_can_be_trained(fit: Fit, tmp_path: Path) -> None:
    custom = DCGANDiscriminator(SHAPE, 4).eval()
    assert DCGAN(SHAPE, base_channels=4, discriminator=custom).discriminator.training
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(256, 3), nn.BatchNorm1d(3)).eval()
    assert Autoencoder(SHAPE, encoder=encoder, **SMALL).encoder.training
    fit(small_dcgan(), callbacks=[GeneratorEMA()]).save_checkpoint(tmp_path / "a.ckpt")
    model = load_model(tmp_path / "a.ckpt")
    before = state(model.generator)
    fit(model, callbacks=[GeneratorEMA()])
    after = state(model.generator)
    assert all(not torch.equal(before[name], after[name]) for name in before)


def test_autoencoders_support_clipping_with_mixed_precision(fit: Fit) -> None:
    trainer = fit(VAE(SHAPE, **SMALL), precision="bf16-mixed", gradient_clip_val=1.0)
    assert trainer.global_step == 8


def test_the_contraction_can_be_evaluated_without_gradients(fit: Fit) -> None:
    model = ContractiveAutoencoder(SHAPE, latent_dim=80, architecture="mlp", hidden_dims=(16,))
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
    (metrics,) = trainer.test(model, loader(), verbose=False)
    assert metrics["test/squared_jacobian_norm"] > 0


@pytest.mark.parametrize("label", [-1, 10])
def test_an_error_names_a_label_that_is_not_a_class(fit: Fit, label: int) -> None:
    model = ConditionalGAN(SHAPE, architecture="mlp")
    data = DataLoader(TensorDataset(images(8), torch.full((8,), label)), batch_size=8)
    with pytest.raises(ArgumentError, match=rf"num_classes is 10, but .* the label {label}"):
        fit(model, data)


def test_a_decoder_of_odd_sides_starts_at_the_mean_image(fit: Fit) -> None:
    model = VAE((1, 4, 4), architecture="conv", lr=0.0, **SMALL)
    x = images(shape=(1, 4, 4))
    fit(model, loader(x, 32), max_steps=1)
    bias = model.decoder.layers[-1].bias.unflatten(0, (1, 4, 4))
    assert torch.allclose(bias.sigmoid(), (x.mean(0) + 1) / 2, atol=1e-6)


@pytest.mark.parametrize("model", [Pix2Pix, CycleGAN])
def test_translation_models_can_be_pickled(model: Any) -> None:
    kwargs = {"num_downs": 4} if model is Pix2Pix else {"num_blocks": 1}
    original = model(image_shape=(3, 16, 16), base_channels=2, num_layers=1, **kwargs)
    assert same(state(original), state(pickle.loads(pickle.dumps(original))))  # noqa: S301
