"""Manual optimization: clipping, micro-batches, schedules, precision, NaN."""

from collections.abc import Callable
from math import cos, pi
from typing import Any

import pytest
import torch
from lightning import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader, StackDataset

from lightning_gen import CycleGAN
from lightning_gen.errors import ArgumentError
from lightning_gen.models.base.nonfinite import NonFiniteGuard, NonFiniteLossError
from tests.conftest import SHAPE, images, loader, same, small_dcgan, small_gan, state
from tests.in_processes import NoiseFromImages

Fit = Callable[..., Trainer]


class Watch(Callback):
    """Record gradient norms and learning rates at every optimizer step."""

    def on_fit_start(self, trainer: Trainer, pl_module: Any) -> None:
        self.norms: list[list[float]] = [[], []]
        self.rates: list[list[float]] = [[], []]
        for i, optimizer in enumerate(trainer.optimizers):
            optimizer.register_step_post_hook(lambda opt, *_, i=i: self.record(opt, i))

    def record(self, optimizer: torch.optim.Optimizer, i: int) -> None:
        parameters = optimizer.param_groups[0]["params"]
        norm = nn.utils.get_total_norm([p.grad for p in parameters])
        self.norms[i].append(norm.item())
        self.rates[i].append(optimizer.param_groups[0]["lr"])


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_clipping_bounds_the_gradients_of_both_players(fit: Fit, precision: Any) -> None:
    free, clipped = Watch(), Watch()
    fit(small_gan(), callbacks=[free], precision=precision, max_epochs=1)
    fit(small_gan(clip=1e-3), callbacks=[clipped], precision=precision, max_epochs=1)
    assert all(norm > 2e-3 for norms in free.norms for norm in norms)
    assert all(norm <= 1.001e-3 for norms in clipped.norms for norm in norms)


def whole_and_split(
    fit: Fit, make: Callable[..., Any], data: Any, micro_batch_size: int
) -> tuple[Any, Any]:
    """Train with whole batches and with micro-batches, and check the number of steps."""
    models = []
    for size in (0, micro_batch_size):
        seed_everything(0)
        models.append(make(micro_batch_size=size))
        assert fit(models[-1], data).global_step == 2 * len(data)
    return models[0], models[1]


SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "k": {"k": 2},
    "r1 and r2": {"r1": 0.5, "r2": 0.5},
    "spectral norm": {"spectral_norm": True},
    "relativistic": {"adversarial": "relativistic"},
    "label smoothing": {"label_smoothing": 0.1},
    "pack": {"pack": 2},
    "weight clipping": {"weight_clip": 0.05, "adversarial": "wasserstein"},
}


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("micro_batch_size", [2, 6, 8, 10])  # of 8 images; the last batch has 2
def test_micro_batches_give_the_update_of_the_whole_batch(
    fit: Fit, settings: str, micro_batch_size: int
) -> None:
    def make(**kwargs: Any) -> NoiseFromImages:
        return NoiseFromImages(
            SHAPE,
            latent_dim=4,
            generator_hidden_dims=(16,),
            discriminator_hidden_dims=(16,),
            dropout=0.0,
            optimizer="sgd",
            lr=0.1,
            **SETTINGS[settings],
            **kwargs,
        )

    whole, split = whole_and_split(fit, make, loader(images(34)), micro_batch_size)
    for name, weights in whole.state_dict().items():
        assert torch.allclose(weights, split.state_dict()[name], rtol=0, atol=1e-6), name
    for name, value in whole.step_metrics.items():
        assert torch.allclose(value, split.step_metrics[name], rtol=0, atol=1e-5), name


@pytest.mark.parametrize("micro_batch_size", [1, 2])
def test_micro_batches_give_the_update_of_the_whole_batch_in_both_directions(
    fit: Fit, micro_batch_size: int
) -> None:
    """CycleGAN, with images from the pools."""

    def make(**kwargs: Any) -> CycleGAN:
        small: dict[str, Any] = {"base_channels": 2, "num_blocks": 1, "num_layers": 1}
        return CycleGAN((3, 16, 16), pool_size=3, optimizer="sgd", lr=1e-3, **small, **kwargs)

    a, b = images(14, (3, 16, 16)).split(7)
    data = DataLoader(StackDataset(A=a, B=b), batch_size=3)
    whole, split = whole_and_split(fit, make, data, micro_batch_size)
    for name, weights in whole.state_dict().items():
        assert torch.allclose(weights, split.state_dict()[name], rtol=0, atol=1e-5), name
    for pool, other in zip(whole.pools, split.pools, strict=True):
        assert torch.allclose(torch.stack(pool.images), torch.stack(other.images), atol=1e-4)


@pytest.mark.parametrize("make", [small_gan, small_dcgan])
def test_a_pass_has_no_more_images_than_a_micro_batch(fit: Fit, make: Any) -> None:
    model, sizes = make(micro_batch_size=3), []
    for network in model.players.values():
        network.register_forward_hook(lambda _, args, output: sizes.append(len(output)))
    assert fit(model, max_epochs=1).global_step == 4
    assert set(sizes) == {3, 2}


@pytest.mark.parametrize(
    ("schedule", "factor"),
    [
        ("constant", lambda t: 1.0),
        ("linear", lambda t: 1 - t),
        ("cosine", lambda t: 0.5 * (1 + cos(pi * t))),
    ],
)
def test_learning_rates_follow_their_schedule(fit: Fit, schedule: Any, factor: Any) -> None:
    watch = Watch()
    fit(small_gan(schedule=schedule, lr_d=0.04, lr_g=0.01), callbacks=[watch])  # 8 batches
    for rates, start in zip(watch.rates, (0.04, 0.01), strict=True):
        assert rates == pytest.approx([start * factor(step / 8) for step in range(8)])


def test_a_schedule_needs_an_end(fit: Fit) -> None:
    with pytest.raises(ArgumentError, match="schedule needs a training with an end"):
        fit(small_gan(schedule="linear"), max_epochs=-1)


@pytest.mark.parametrize("make", [small_gan, small_dcgan])
def test_bf16_trains_float32_weights_with_float32_losses(fit: Fit, make: Any) -> None:
    model, before = make(), None
    before = state(model)
    fit(model, precision="bf16-mixed")
    assert not same(before, state(model))
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model.step_metrics["train/d/loss"].dtype == torch.float32
    assert all(p.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("precision", ["64-true", "bf16-true"])
def test_true_precisions_train_and_sample(fit: Fit, precision: Any) -> None:
    model = small_gan()
    fit(model, precision=precision, max_epochs=1, val=loader())
    assert model.sample(2).isfinite().all()


def test_a_nan_loss_stops_within_the_step(fit: Fit, tmp_path: Any) -> None:
    x = images()
    x[20] = float("nan")  # in the third batch; the first one has other checks
    saver = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1)
    model = small_gan()
    with pytest.raises(NonFiniteLossError) as error:
        fit(model, loader(x), callbacks=[saver], enable_checkpointing=True)
    text = str(error.value)
    assert "train/d/adversarial" in text
    assert "epoch 0, batch 2" in text
    assert "step=2.ckpt" in text
    assert not list(tmp_path.glob("*step=3*"))


@pytest.mark.parametrize("share", [False, True])
def test_forwards_and_backwards_are_counted(fit: Fit, share: bool) -> None:
    """Per batch: G twice, or once with shared fakes, D three times, two backward passes."""
    model, calls = small_gan(share_fakes=share), {"g": 0, "d": 0, "backward": 0}
    for player, network in model.players.items():
        network.register_forward_hook(lambda *_, p=player: calls.__setitem__(p, calls[p] + 1))
    backward = model.manual_backward

    def counted(loss: Tensor) -> None:
        calls["backward"] += 1
        model.zero_grad()
        backward(loss)
        reached.append(
            {
                name
                for name, net in model.players.items()
                if any(p.grad is not None for p in net.parameters())
            }
        )

    reached: list[set[str]] = []
    model.manual_backward = counted
    fit(model, max_epochs=1)
    assert calls == {"g": (1 if share else 2) * 4, "d": 3 * 4, "backward": 2 * 4}
    assert reached == [{"d"}, {"g"}] * 4


@pytest.mark.parametrize("settings", [{}, {"k": 2, "r1": 1.0, "spectral_norm": True}], ids=str)
def test_a_step_does_not_synchronize_with_the_device(
    fit: Fit, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the checks of the first batch, a step reads no value of a tensor.

    The guard against NaN is excluded: on a GPU, it reads the losses of the step before.
    """
    calls, batches = [], []
    model = small_gan(**settings)
    step = model.training_step

    def watched(batch: Any, batch_idx: int) -> None:
        batches.append(batch_idx)
        with monkeypatch.context() as patch:
            if batch_idx:
                patch.setattr(Tensor, "item", lambda *_: calls.append("item"))
                patch.setattr(Tensor, "__bool__", lambda *_: calls.append("bool"))
            step(batch, batch_idx)

    model.training_step = watched
    monkeypatch.setattr(NonFiniteGuard, "check", lambda *_: None)
    fit(model, max_epochs=1)
    assert batches == [0, 1, 2, 3]
    assert not calls
