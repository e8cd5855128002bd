"""Laws of what Lightning leaves to manual optimization: clipping, accumulation, schedules, NaN."""

from collections.abc import Callable
from math import cos, pi
from typing import Any

import pytest
import torch
from lightning import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn

from lightning_gen import GAN
from lightning_gen.errors import ArgumentError
from lightning_gen.models.base.nonfinite import NonFiniteLossError
from tests.conftest import SHAPE, images, loader, same, small_dcgan, small_gan, state

Fit = Callable[..., Trainer]


class Watch(Callback):
    """Remembers gradient norms and learning rates at every optimizer step."""

    def on_fit_start(self, trainer: Trainer, pl_module: Any) -> None:
        self.norms: list[list[float]] = [[], []]
        self.rates: list[list[float]] = [[], []]
        for i, optimizer in enumerate(trainer.optimizers):
            optimizer.register_step_post_hook(lambda opt, *_, i=i: self.look(opt, i))

    def look(self, optimizer: torch.optim.Optimizer, i: int) -> None:
        parameters = optimizer.param_groups[0]["params"]
        norm = nn.utils.get_total_norm([p.grad for p in parameters])
        self.norms[i].append(norm.item())
        self.rates[i].append(optimizer.param_groups[0]["lr"])


class FromImages(GAN):
    """Its noise is made from the images, so that it does not depend on how they are batched."""

    def split(self, batch: Any) -> Any:
        x, c = super().split(batch)
        return x, (x.flatten(1)[:, :4],)

    def discriminator_terms(self, x: Tensor, c: Any) -> Any:
        self.z = c[0]
        return super().discriminator_terms(x, ())

    def generator_terms(self, x: Tensor, c: Any) -> Any:
        self.z = c[0]
        return super().generator_terms(x, ())

    def latents(self, n: int) -> Tensor:
        return self.z


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_clipping_bounds_every_player_s_gradient(fit: Fit, precision: Any) -> None:
    free, clipped = Watch(), Watch()
    fit(small_gan(), callbacks=[free], precision=precision, max_epochs=1)
    fit(small_gan(clip=1e-3), callbacks=[clipped], precision=precision, max_epochs=1)
    assert all(norm > 2e-3 for norms in free.norms for norm in norms)
    assert all(norm <= 1.001e-3 for norms in clipped.norms for norm in norms)


@pytest.mark.parametrize("k", [1, 2])
def test_accumulating_over_m_batches_is_one_batch_m_times_larger(fit: Fit, k: int) -> None:
    models = []
    for batch_size, accumulate in ((8, 1), (2, 4)):
        seed_everything(0)
        model = FromImages(
            SHAPE,
            latent_dim=4,
            generator_hidden_dims=(16,),
            discriminator_hidden_dims=(16,),
            dropout=0.0,
            optimizer="sgd",
            lr=0.1,
            k=k,
            accumulate=accumulate,
        )
        trainer = fit(model, loader(images(), batch_size))
        assert trainer.global_step == 8
        models.append(state(model))
    for name, weights in models[0].items():
        assert torch.allclose(weights, models[1][name], rtol=0, atol=1e-6), name


def test_an_epoch_s_last_batches_are_not_left_over(fit: Fit) -> None:
    model = small_gan(accumulate=3)
    trainer = fit(model)  # 4 batches: a minibatch of 3 and one of 1
    assert trainer.global_step == 4
    assert not model.chunks


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
    fit(small_gan(schedule=schedule, lr_d=0.04, lr_g=0.01), callbacks=[watch])  # 8 minibatches
    for rates, start in zip(watch.rates, (0.04, 0.01), strict=True):
        assert rates == pytest.approx([start * factor(step / 8) for step in range(8)])


def test_a_schedule_needs_an_end(fit: Fit) -> None:
    with pytest.raises(ArgumentError, match="schedule needs a training whose end is known"):
        fit(small_gan(schedule="linear"), max_epochs=-1)


@pytest.mark.parametrize("make", [small_gan, small_dcgan])
def test_bf16_trains_float32_weights_with_float32_losses(fit: Fit, make: Any) -> None:
    model, before = make(), None
    before = state(model)
    fit(model, precision="bf16-mixed")
    assert not same(before, state(model))
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model.reports["train/d/loss"].dtype == torch.float32
    assert all(p.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("precision", ["64-true", "bf16-true"])
def test_true_precisions_train_and_draw(fit: Fit, precision: Any) -> None:
    model = small_gan()
    fit(model, precision=precision, max_epochs=1, val=loader())
    assert model.sample(2).isfinite().all()


def test_a_loss_that_is_no_number_stops_within_the_step(fit: Fit, tmp_path: Any) -> None:
    x = images()
    x[20] = float("nan")  # in the third batch; the first is checked on its own
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
    """Per minibatch: G twice, or once with shared fakes, D three times, two backward passes."""
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


def test_a_step_reads_no_value_back_from_the_device(fit: Fit, monkeypatch: Any) -> None:
    """Between log steps nothing calls `.item()`, which would wait for a GPU."""
    seen = []
    model = small_gan()
    play = model.play

    def watched(minibatch: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Tensor, "item", lambda *_: seen.append("item"))
            patch.setattr(Tensor, "__bool__", lambda *_: seen.append("bool"))
            play(minibatch)

    model.play = watched
    fit(model, max_epochs=1)
    assert not seen
