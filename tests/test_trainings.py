"""Laws of trainings beyond the plain one: what else a Trainer, a model and its data are put to."""

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
    GAN,
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
CODERS: dict[str, Any] = {"latent_dim": 3, "hidden_dims": (8,)}


class Counts(Callback):
    """The batches of each epoch, and the learning rate after each."""

    def __init__(self) -> None:
        self.batches: dict[int, int] = {}
        self.rates: list[float] = []

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self.batches[trainer.current_epoch] = self.batches.get(trainer.current_epoch, 0) + 1

    def on_train_epoch_end(self, trainer: Trainer, *_: Any) -> None:
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])


class Unsized(IterableDataset[Tensor]):
    """A loader of it has no length."""

    def __iter__(self) -> Iterator[Tensor]:
        return iter(images(32))


def digits() -> MNISTDataModule:
    return MNISTDataModule("12k", batch_size=1000)


def test_data_that_a_test_has_restored_begin_anew(fit: Fit, tmp_path: Path) -> None:
    data, shape = digits(), (1, 28, 28)
    saver = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
    kept = {"callbacks": [saver], "enable_checkpointing": True, "limit_val_batches": 0}
    trainer = fit(small_gan(image_shape=shape), data, max_epochs=1, **kept)
    trainer.test(ckpt_path=tmp_path / "epoch=0.ckpt", datamodule=data, verbose=False)
    counts = Counts()
    fit(small_gan(image_shape=shape), data, callbacks=[counts], limit_val_batches=0)
    assert counts.batches == {0: 9, 1: 9}


def test_overfitting_a_few_batches_works(fit: Fit) -> None:
    counts = Counts()
    model = VAE((1, 28, 28), **CODERS)
    fit(model, digits(), callbacks=[counts], overfit_batches=2, limit_val_batches=0)
    assert counts.batches == {0: 2, 1: 2}


@pytest.mark.parametrize(
    ("model", "argument"),
    [
        (lambda: small_gan(schedule="linear"), "schedule"),
        (lambda: small_gan(schedule="cosine", accumulate=2), "schedule"),
        (lambda: small_gan(instance_noise=0.1), "instance_noise"),
        (lambda: VAE(SHAPE, kl_warmup=1.0, **CODERS), "kl_warmup"),
    ],
)
def test_what_needs_an_end_asks_for_one(fit: Fit, model: Callable[[], Any], argument: str) -> None:
    with pytest.raises(ArgumentError, match=argument):
        fit(model(), DataLoader(Unsized(), batch_size=8))


def test_a_number_of_steps_is_an_end(fit: Fit) -> None:
    counts = Counts()
    model = small_gan(schedule="linear", accumulate=2, lr=1.0, optimizer="sgd")
    data = DataLoader(Unsized(), batch_size=8)
    fit(model, data, callbacks=[counts], max_steps=4, max_epochs=-1)
    assert counts.rates == pytest.approx([0.5, 0.0])


@pytest.mark.parametrize("make", [small_gan, lambda **k: VAE(SHAPE, **CODERS, **k)])
@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_longer_training_learns_on(fit: Fit, tmp_path: Path, make: Any, schedule: str) -> None:
    counts = Counts()
    short = fit(make(schedule=schedule, lr=1e-3), callbacks=[counts])
    short.save_checkpoint(tmp_path / "short.ckpt")
    assert counts.rates == pytest.approx([5e-4, 0])
    counts = Counts()
    model = make(schedule=schedule, lr=1e-3)
    fit(model, callbacks=[counts], max_epochs=4, ckpt_path=tmp_path / "short.ckpt")
    assert counts.rates[0] > 0
    assert counts.rates[1] == pytest.approx(0)


def test_a_trained_decoder_is_not_begun_again(fit: Fit, tmp_path: Path) -> None:
    model = VAE(SHAPE, lr=0.0, **CODERS)
    fit(model, max_epochs=1).save_checkpoint(tmp_path / "a.ckpt")
    begun = state(model.decoder)
    assert begun["layers.2.bias"].any()
    other = loader(images() * 0 - 1)
    fit(model, other, max_epochs=1)
    assert same(begun, state(model.decoder))
    loaded = VAE.load_from_checkpoint(tmp_path / "a.ckpt")
    fit(loaded, other, max_epochs=1)
    assert same(begun, state(loaded.decoder))
    own = VAE(SHAPE, lr=0.0, decoder=model.decoder, **CODERS)
    fit(own, other, max_epochs=1)
    assert same(begun, state(own.decoder))


class Echo(GAN):
    """Takes its noise from the images, so that chunks draw what the whole batch would."""

    def split(self, batch: Any) -> Any:
        x, _ = super().split(batch)
        return x, (x.flatten(1)[:, :4],)

    def generate(self, n: int, z: Tensor) -> Tensor:
        return self(z)

    def judge(self, x: Tensor, c: tuple[Tensor, ...] = ()) -> Tensor:
        return super().judge(x)


def test_chunks_weigh_as_many_images_as_they_have(fit: Fit) -> None:
    weights = []
    for batch_size in (34, 16):  # 16, 16 and 2 images
        torch.manual_seed(0)
        model = Echo(SHAPE, 4, (16,), (16,), dropout=0.0, optimizer="sgd", lr=0.1, accumulate=3)
        assert fit(model, loader(images(34), batch_size), max_epochs=1).global_step == 1
        weights.append(state(model))
    for name, weight in weights[0].items():
        assert torch.allclose(weight, weights[1][name], rtol=0, atol=1e-6), name


def test_models_and_networks_in_eval_mode_are_trained_all_the_same(
    fit: Fit, tmp_path: Path
) -> None:
    own = DCGANDiscriminator(SHAPE, 4).eval()
    assert DCGAN(SHAPE, base_channels=4, discriminator=own).discriminator.training
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(256, 3), nn.BatchNorm1d(3)).eval()
    assert Autoencoder(SHAPE, encoder=encoder, **CODERS).encoder.training
    fit(small_dcgan(), callbacks=[GeneratorEMA()]).save_checkpoint(tmp_path / "a.ckpt")
    model = load_model(tmp_path / "a.ckpt")
    before = state(model.generator)
    fit(model, callbacks=[GeneratorEMA()])
    after = state(model.generator)
    assert all(not torch.equal(before[name], after[name]) for name in before)


def test_autoencoders_are_clipped_under_mixed_precision(fit: Fit) -> None:
    trainer = fit(VAE(SHAPE, **CODERS), precision="bf16-mixed", gradient_clip_val=1.0)
    assert trainer.global_step == 8


def test_the_contraction_is_measured_on_its_own(fit: Fit) -> None:
    model = ContractiveAutoencoder(SHAPE, latent_dim=80, architecture="mlp", hidden_dims=(16,))
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
    (figures,) = trainer.test(model, loader(), verbose=False)
    assert figures["test/squared_jacobian_norm"] > 0


@pytest.mark.parametrize("label", [-1, 10])
def test_a_label_beyond_the_classes_is_named(fit: Fit, label: int) -> None:
    model = ConditionalGAN(SHAPE, architecture="mlp")
    data = DataLoader(TensorDataset(images(8), torch.full((8,), label)), batch_size=8)
    with pytest.raises(ArgumentError, match=rf"num_classes is 10, but .* the label {label}"):
        fit(model, data)


def test_sides_that_cannot_be_halved_begin_at_the_mean_image_too(fit: Fit) -> None:
    model = VAE((1, 4, 4), architecture="conv", lr=0.0, **CODERS)
    x = images(shape=(1, 4, 4))
    fit(model, loader(x, 32), max_steps=1)
    bias = model.decoder.layers[-1].bias.unflatten(0, (1, 4, 4))
    assert torch.allclose(bias.sigmoid(), (x.mean(0) + 1) / 2, atol=1e-6)


@pytest.mark.parametrize("model", [Pix2Pix, CycleGAN])
def test_translations_can_be_pickled(model: Any) -> None:
    kwargs = {"num_downs": 4} if model is Pix2Pix else {"num_blocks": 1}
    made = model(image_shape=(3, 16, 16), base_channels=2, num_layers=1, **kwargs)
    assert same(state(made), state(pickle.loads(pickle.dumps(made))))  # noqa: S301
