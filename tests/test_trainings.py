"""Laws of trainings beyond the plain one: what else a Trainer, a model and its data are put to."""

import pickle
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
from lightning import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector
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
    GameHealth,
    GeneratorEMA,
    ImageGrid,
    LatentPlot,
    LossCurves,
    MNISTDataModule,
    Pix2Pix,
)
from lightning_gen.callbacks import RunCheckpoint
from lightning_gen.checkpoints import load_model
from lightning_gen.errors import ArgumentError
from lightning_gen.networks import DCGANDiscriminator
from lightning_gen.networks.cures import MinibatchStd, normalise_spectrally
from tests.conftest import SHAPE, images, loader, same, small_dcgan, small_gan, state

Fit = Callable[..., Trainer]
CODERS: dict[str, Any] = {"latent_dim": 3, "widths": (8,)}


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


def test_an_average_that_nothing_moves_on_ends(fit: Fit, tmp_path: Path) -> None:
    model = small_gan(lr=0.01)
    fit(model, callbacks=[GeneratorEMA()]).save_checkpoint(tmp_path / "a.ckpt")
    loaded = GAN.load_from_checkpoint(tmp_path / "a.ckpt")
    assert loaded.average is not None
    with pytest.warns(UserWarning, match="average ends here"):
        fit(loaded)
    assert loaded.average is None
    fit(model, callbacks=[GeneratorEMA()])
    assert model.average is not None


def test_no_rampup_is_the_whole_halflife(fit: Fit) -> None:
    model = small_gan(lr=0.01)
    fit(model, callbacks=[GeneratorEMA(halflife=1000, rampup=0)])
    assert not same(state(model.average), state(model.generator))


def test_minibatch_std_has_a_gradient_in_half_precision() -> None:
    x = torch.zeros(4, 3, dtype=torch.float16, requires_grad=True)
    MinibatchStd()(x).sum().backward()
    assert x.grad.isfinite().all()


def test_callbacks_may_watch_what_is_logged_less_often_than_epochs_end(
    fit: Fit, tmp_path: Path
) -> None:
    saver = ModelCheckpoint(tmp_path / "best", monitor="train/g/loss")
    watch = {"callbacks": [saver, EarlyStopping("train/g/loss")], "enable_checkpointing": True}
    fit(small_gan(), log_every_n_steps=50, **watch)
    assert len(list((tmp_path / "best").iterdir())) == 1


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
    assert DCGAN(SHAPE, width=4, discriminator=own).discriminator.training
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
    model = ContractiveAutoencoder(SHAPE, latent_dim=80, body="mlp", widths=(16,))
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
    (figures,) = trainer.test(model, loader(), verbose=False)
    assert figures["test/squared_jacobian_norm"] > 0


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_images_of_any_channels_are_drawn(fit: Fit, tmp_path: Path, channels: int) -> None:
    shape = (channels, 8, 8)
    model = VAE(shape, **CODERS)
    drawn = [ImageGrid(n=4), LatentPlot(n=8, pictures=True)]
    data = loader(images(shape=shape))
    fit(model, data, val=data, callbacks=drawn, max_epochs=1)
    assert len([*tmp_path.rglob("*.png")]) == 3


def test_a_map_of_too_few_images_is_left_out(fit: Fit, tmp_path: Path) -> None:
    fit(VAE(SHAPE, **CODERS), val=loader(images(2)), callbacks=[LatentPlot(n=8)], max_epochs=1)
    assert not [*tmp_path.rglob("*.png")]


def test_ctrl_c_stays_what_it_is_where_nobody_waits_for_sigterm(fit: Fit, monkeypatch: Any) -> None:
    seen = []

    class Look(Callback):
        def on_train_batch_start(self, *_: Any) -> None:
            seen.append(signal.getsignal(signal.SIGINT))

    monkeypatch.setattr(_SignalConnector, "register_signal_handlers", lambda _: None)
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    callbacks = [RunCheckpoint(), Look()]
    try:
        fit(small_gan(), max_steps=1, callbacks=callbacks, enable_checkpointing=True)
    finally:
        signal.signal(signal.SIGINT, usual)
    assert seen == [signal.default_int_handler]


def test_a_thread_may_train(fit: Fit) -> None:
    done = []

    def run() -> None:
        done.append(fit(small_gan(), callbacks=[RunCheckpoint()], enable_checkpointing=True))

    thread = Thread(target=run)
    thread.start()
    thread.join()
    assert done[0].global_step == 8


def test_a_bug_is_saved_by_request(fit: Fit, tmp_path: Path) -> None:
    class Bug(Callback):
        def on_train_batch_start(self, trainer: Trainer, *args: Any) -> None:
            if trainer.global_step == 3:
                raise ValueError("a bug")

    saver = RunCheckpoint(dirpath=str(tmp_path / "saved"), save_on_exception=True)
    with pytest.raises(ValueError, match="a bug"):
        fit(small_gan(), callbacks=[saver, Bug()], enable_checkpointing=True)
    assert [*(tmp_path / "saved").iterdir()]


def test_steps_that_a_validation_is_due_after_are_saved_after_it(fit: Fit, tmp_path: Path) -> None:
    validated: list[tuple[int, int]] = []

    class Watched(RunCheckpoint):
        validations = 0

        def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
            self.validations += 1
            super().on_validation_end(trainer, pl_module)

        def _save_checkpoint(self, trainer: Trainer, filepath: str) -> None:
            validated.append((trainer.global_step, self.validations))
            super()._save_checkpoint(trainer, filepath)

    saver = Watched(dirpath=str(tmp_path), every_n_train_steps=1, save_last=False)
    across = {"check_val_every_n_epoch": None, "val_check_interval": 3, "num_sanity_val_steps": 0}
    fit(small_gan(), val=loader(), callbacks=[saver], enable_checkpointing=True, **across)
    assert {step: n for step, n in validated} == {n: n // 3 for n in range(1, 9)}


@pytest.mark.parametrize("label", [-1, 10])
def test_a_label_beyond_the_classes_is_named(fit: Fit, label: int) -> None:
    model = ConditionalGAN(SHAPE, body="mlp")
    data = DataLoader(TensorDataset(images(8), torch.full((8,), label)), batch_size=8)
    with pytest.raises(ArgumentError, match=rf"num_classes is 10, but .* the label {label}"):
        fit(model, data)


def test_a_last_batch_that_fills_no_pack_is_left_out(fit: Fit) -> None:
    assert fit(small_gan(pack=4), loader(images(34))).global_step == 8
    with pytest.raises(ArgumentError, match="pack is 4, but the batch has 2 images"):
        fit(small_gan(pack=4), loader(images(2)))


def test_sides_that_cannot_be_halved_begin_at_the_mean_image_too(fit: Fit) -> None:
    model = VAE((1, 4, 4), body="conv", lr=0.0, **CODERS)
    x = images(shape=(1, 4, 4))
    fit(model, loader(x, 32), max_steps=1)
    bias = model.decoder.layers[-1].bias.unflatten(0, (1, 4, 4))
    assert torch.allclose(bias.sigmoid(), (x.mean(0) + 1) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "argument"),
    [
        (lambda D: small_gan(discriminator=D, minibatch_std=True), "minibatch_std"),
        (lambda D: small_dcgan(discriminator=D, hidden=8), "hidden"),
        (lambda D: ConditionalGAN(SHAPE, discriminator=D, projection=True), "projection"),
    ],
)
def test_what_own_networks_would_have_to_do_is_refused(model: Any, argument: str) -> None:
    own = nn.Sequential(nn.Flatten(), nn.Linear(256, 1))
    with pytest.raises(ArgumentError, match=f"{argument} has no effect on your own"):
        model(own)


def test_callbacks_begin_anew_with_a_training(fit: Fit) -> None:
    curves, health = LossCurves(), GameHealth()
    fit(small_gan(), callbacks=[curves, health])
    points = len(curves.curves["train/d/loss"])
    health.told.add("collapsed")
    fit(small_gan(), callbacks=[curves, health], max_epochs=1)
    assert len(curves.curves["train/d/loss"]) == points // 2
    assert not health.told


@pytest.mark.parametrize("model", [Pix2Pix, CycleGAN])
def test_translations_can_be_pickled(model: Any) -> None:
    kwargs = {"levels": 4} if model is Pix2Pix else {"blocks": 1}
    made = model(image_shape=(3, 16, 16), width=2, layers=1, **kwargs)
    assert same(state(made), state(pickle.loads(pickle.dumps(made))))  # noqa: S301


def test_what_is_normalised_is_not_normalised_again() -> None:
    D = DCGANDiscriminator(SHAPE, 4)
    normalise_spectrally(D)
    names = set(D.state_dict())
    normalise_spectrally(D)
    assert set(D.state_dict()) == names
