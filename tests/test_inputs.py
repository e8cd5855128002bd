"""Images, labels and settings mean the same in training, in methods, and after a checkpoint."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import LearningRateMonitor
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_gen import (
    VAE,
    Autoencoder,
    ConditionalGAN,
    ConditionalVAE,
    CycleGAN,
    DenoisingAutoencoder,
    Pix2Pix,
)
from lightning_gen.errors import CheckpointError, DataError, UserError
from lightning_gen.types import to_images, to_labels
from tests.conftest import SHAPE, images, same, small_dcgan, small_gan, state

Fit = Callable[..., Trainer]
CODES: dict[str, Any] = {"latent_dim": 3, "hidden_dims": (8,)}


def pixels(n: int = 8) -> Tensor:
    return ((images(n) + 1) * 127.5).round().byte()


def pix2pix() -> Pix2Pix:
    return Pix2Pix(SHAPE, num_downs=3, base_channels=4, num_layers=1)


def cyclegan() -> CycleGAN:
    return CycleGAN(SHAPE, num_blocks=1, base_channels=4, num_layers=1, paired_validation=True)


METHODS: dict[str, tuple[Callable[[], Any], str]] = {
    "encode": (lambda: VAE(SHAPE, **CODES), "encode"),
    "reconstruct": (lambda: Autoencoder(SHAPE, **CODES), "reconstruct"),
    "log_likelihood": (lambda: VAE(SHAPE, **CODES), "log_likelihood"),
    "jacobian_norm": (lambda: Autoencoder(SHAPE, **CODES), "jacobian_norm"),
    "score": (small_dcgan, "score"),
    "features": (small_gan, "features"),
    "translate": (pix2pix, "translate"),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_pixels_are_converted_by_every_method(name: str, dtype: torch.dtype) -> None:
    make, method = METHODS[name]
    x = pixels(4).to(dtype)
    call = getattr(make().eval(), method)
    assert torch.equal(call(x), call(to_images(x)))


@pytest.mark.parametrize("name", [name for name in METHODS if name not in ("score", "features")])
@pytest.mark.parametrize("scale", [127.5, float("nan")])
def test_images_out_of_range_are_rejected_by_every_method(name: str, scale: float) -> None:
    make, method = METHODS[name]
    with pytest.raises(DataError, match=r"must be in \[-1, 1\]"):
        getattr(make(), method)(images(4) * scale)


def test_a_training_on_pixels_is_one_on_images(fit: Fit) -> None:
    weights = []
    for x in (pixels(16), to_images(pixels(16))):
        torch.manual_seed(0)
        model = small_gan()
        fit(model, DataLoader(x, batch_size=8))
        weights.append(state(model))
    assert same(*weights)


@pytest.mark.parametrize(
    ("x", "remedy"),
    [
        (images(4)[:, 0], r"x\.unsqueeze\(1\)"),
        (images(4).permute(0, 2, 3, 1), r"x\.permute\(0, 3, 1, 2\)"),
        (images(4).flatten(1), r"x\.unflatten\(1, \(1, 16, 16\)\)"),
        (images(4, (1, 20, 20)), r"image_shape=\(1, 20, 20\)"),
        (images(4)[0, 0, 0], "axes"),
    ],
)
def test_a_wrong_shape_names_a_remedy_that_works(x: Tensor, remedy: str) -> None:
    model = VAE(SHAPE, **CODES)
    with pytest.raises(DataError, match=remedy):
        type(model).encode.__wrapped__(model, x)
    if x.shape[-1] != 20 and x.ndim > 1:
        fixed = {3: lambda: x.unsqueeze(1), 2: lambda: x.unflatten(1, SHAPE)}
        fixed[4] = lambda: x.permute(0, 3, 1, 2)
        assert model.encode(fixed[x.ndim]()).shape == (4, 3)


def test_statistics_of_a_data_set_are_named_as_the_mistake() -> None:
    x = (images(4) / 2 + 0.5 - 0.1307) / 0.3081
    with pytest.raises(DataError, match=r"Normalize\(0\.5, 0\.5\), not with mean"):
        VAE(SHAPE, **CODES).encode(x)


@pytest.mark.parametrize(
    "labels",
    [
        torch.tensor([0, 1, 2, 0]),
        torch.tensor([0, 1, 2, 0], dtype=torch.uint8),
        torch.tensor([[0], [1], [2], [0]]),
        torch.tensor([0.0, 1.0, 2.0, 0.0]),
        [0, 1, 2, 0],
        torch.tensor([0, 1, 2, 0]).numpy(),
    ],
)
def test_labels_in_any_usual_form_are_the_same(labels: Any) -> None:
    model, x = ConditionalVAE(SHAPE, 3, **CODES), images(4)
    expected = model.encode(x, torch.tensor([0, 1, 2, 0]))
    assert torch.equal(model.encode(x, labels), expected)
    gan = ConditionalGAN(SHAPE, 3, base_channels=4)
    assert torch.equal(
        gan.sample(4, seed=0, labels=labels), gan.sample(4, seed=0, labels=[0, 1, 2, 0])
    )
    assert torch.equal(to_labels(labels), torch.tensor([0, 1, 2, 0]))


@pytest.mark.parametrize("labels", [torch.tensor([0.5, 1.0]), torch.zeros(4, 2), "cats", {1: 2}])
def test_other_labels_are_rejected(labels: Any) -> None:
    with pytest.raises(DataError, match="labels must be integers"):
        to_labels(labels)


ORDERS = ["validate fit", "test validate fit fit", "fit validate predict fit test"]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("make", [pix2pix, cyclegan, small_dcgan, lambda: VAE(SHAPE, **CODES)])
def test_stages_run_in_any_order(make: Callable[[], LightningModule], order: str) -> None:
    model = make()
    pairs = isinstance(model, Pix2Pix | CycleGAN)
    loader: Any = DataLoader([{"A": x, "B": -x} if pairs else x for x in images(4)], batch_size=2)
    for stage in order.split():
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        if stage == "fit":
            trainer.fit(model, loader, loader)
        else:
            getattr(trainer, stage)(model, loader)


@pytest.mark.parametrize("cls", [VAE, Autoencoder, ConditionalVAE])
def test_calling_an_autoencoder_reconstructs_with_gradients(cls: Any) -> None:
    model, x = cls(SHAPE, **CODES), images(4)
    c = model.condition([0, 1, 2, 3]) if model.num_classes else ()
    labels = [0, 1, 2, 3] if model.num_classes else None
    y = model(x, *c)
    assert y.requires_grad
    assert torch.equal(y.detach(), model.reconstruct(x, labels))


def test_a_changed_learning_rate_takes_effect_when_resuming(fit: Fit, tmp_path: Path) -> None:
    fit(small_gan(), max_epochs=1).save_checkpoint(path := tmp_path / "a.ckpt")
    trainer = fit(small_gan(lr=1e-6, betas=(0.0, 0.9)), ckpt_path=path)
    groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
    assert [group["lr"] for group in groups] == [1e-6, 1e-6]
    assert [tuple(group["betas"]) for group in groups] == [(0.0, 0.9)] * 2


def test_a_changed_rate_is_that_of_the_schedule_too(fit: Fit, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"schedule": "linear", "optimizer": "sgd"}
    fit(small_gan(**settings, lr=1.0), max_epochs=2).save_checkpoint(path := tmp_path / "a.ckpt")
    trainer = fit(small_gan(**settings, lr=1.0, lr_d=0.5), max_epochs=4, ckpt_path=path)
    d, g = (config.scheduler.base_lrs for config in trainer.lr_scheduler_configs)
    assert (d, g) == ([0.5], [1.0])


@pytest.mark.parametrize("change", [{"optimizer": "rmsprop"}, {"schedule": "cosine"}])
def test_another_optimizer_or_schedule_is_rejected_when_resuming(
    fit: Fit, tmp_path: Path, change: dict[str, Any]
) -> None:
    fit(small_gan(), max_epochs=1).save_checkpoint(path := tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match=f"{next(iter(change))}=.*cannot be changed"):
        fit(small_gan(**change), ckpt_path=path)


@pytest.mark.parametrize(
    ("flag", "argument"),
    [
        ({"gradient_clip_val": 1.0}, "clip"),
        ({"accumulate_grad_batches": 2}, "micro_batch_size"),
    ],
)
def test_flags_of_the_trainer_name_the_argument(
    fit: Fit, flag: dict[str, Any], argument: str
) -> None:
    with pytest.raises(UserError, match=rf"GAN\({argument}=\.\.\.\)"):
        fit(small_gan(), **flag)
    fit(VAE(SHAPE, **CODES), **flag)  # automatic optimization supports both


def test_learning_rates_are_logged_by_player(fit: Fit) -> None:
    monitor = LearningRateMonitor()
    trainer = fit(small_gan(lr_d=1e-3), callbacks=[monitor], logger=True)
    names = {name.rpartition("/")[2] for name in monitor.lrs}
    assert names == {"d", "g"}
    assert trainer.callback_metrics["lr-Adam/d"] == pytest.approx(1e-3)


@pytest.mark.parametrize("noise", ["masking", "salt_and_pepper"])
def test_noise_sets_whole_pixels(noise: Any) -> None:
    model = DenoisingAutoencoder((3, 16, 16), noise=noise, noise_factor=0.5, **CODES)
    x = torch.rand(4, 3, 16, 16) - 0.5
    changed = (model.corrupt(x) - x).abs() > 1e-5  # intensities are rounded
    assert torch.equal(changed.any(1), changed.all(1))
    assert 0.4 < changed.float().mean() < 0.6


def test_features_of_a_projection_discriminator_are_those_before_its_score() -> None:
    model = ConditionalGAN(SHAPE, 3, projection=True, base_channels=4)
    x, labels = images(6), torch.arange(6) % 3
    assert torch.equal(model.features(x, labels), model.discriminator.eval().phi(x))


def test_translations_may_be_limited_by_time_alone(fit: Fit) -> None:
    loader: Any = DataLoader([{"A": x, "B": -x} for x in images(4)])
    with pytest.warns(UserWarning, match="learning rate stays constant"):
        fit(pix2pix(), loader, max_epochs=-1, max_time={"seconds": 1})
