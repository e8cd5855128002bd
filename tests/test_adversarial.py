"""Algorithm 1 under Lightning: order of the updates, step counts, networks that stay the same."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.utils.data import DataLoader

from lightning_gen import GAN
from lightning_gen.errors import ArgumentError, CheckpointError, DataError
from lightning_gen.models.base import AdversarialModel, adversarial, update
from lightning_gen.protocols import Encodes, Reconstructs, Samples, Translates
from lightning_gen.sampling import derive_seed
from tests.conftest import MODELS, SHAPE, images, loader, same, small_dcgan, small_gan, state

Fit = Callable[..., Trainer]
ALL = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


class Steps(Callback):
    """Count the steps of each optimizer, and the calls of the hook that clips gradients."""

    def on_fit_start(self, trainer: Trainer, pl_module: Any) -> None:
        self.taken, self.hook_calls = [0] * len(trainer.optimizers), 0
        for i, optimizer in enumerate(trainer.optimizers):
            optimizer.register_step_post_hook(lambda *_, i=i: self.count(i))

    def count(self, i: int) -> None:
        self.taken[i] += 1

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: Any, optimizer: Any) -> None:
        self.hook_calls += 1


def algorithm_1(
    G: nn.Module, D: nn.Module, batches: list[Tensor], k: int, minimax: bool, share: bool
) -> None:
    """The pseudo-code of the paper in plain torch, as a reference."""
    opt_d, opt_g = (torch.optim.Adam(p.parameters(), 2e-4, (0.5, 0.999)) for p in (D, G))
    for i, x in enumerate(batches):
        torch.manual_seed(derive_seed(0, i, 0))
        z = torch.randn(len(x), 4)
        fake = G(z).detach()
        one = torch.ones(len(x), 1)
        loss = bce(D(x), one) + bce(D(fake), 0 * one)
        opt_d.zero_grad()
        loss.backward()
        opt_d.step()
        if (i + 1) % k == 0:
            score = D(G(z if share else torch.randn(len(x), 4)))
            loss = -bce(score, 0 * one) if minimax else bce(score, one)
            opt_g.zero_grad()
            loss.backward()
            opt_g.step()


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("adversarial", ["non_saturating", "minimax"])
@pytest.mark.parametrize("share", [False, True])
def test_training_is_algorithm_1(fit: Fit, k: int, adversarial: Any, share: bool) -> None:
    model = small_gan(k=k, adversarial=adversarial, share_fakes=share, dropout=0.0)
    reference = small_gan(dropout=0.0)
    reference.load_state_dict(model.state_dict())
    batches = [x for x, _ in loader()] * 2
    players = reference.generator, reference.discriminator
    algorithm_1(*players, batches, k, adversarial == "minimax", share)
    seed_everything(0)
    fit(model, DataLoader(batches, batch_size=None), max_epochs=1)
    for name, weights in reference.state_dict().items():
        assert torch.allclose(model.state_dict()[name], weights, atol=1e-6), name


@pytest.mark.parametrize("k", [1, 2, 5])
@ALL
def test_global_step_is_the_number_of_batches(fit: Fit, make: Any, k: int) -> None:
    steps = Steps()
    trainer = fit(make(k=k), max_steps=7, max_epochs=-1, callbacks=[steps])
    assert trainer.global_step == trainer.fit_loop.total_batch_idx + 1 == 7
    assert steps.taken == [7, 7 // k]
    assert steps.hook_calls == sum(steps.taken)


def test_k_counts_batches_across_epochs(fit: Fit) -> None:
    steps = Steps()
    fit(small_gan(k=3), max_epochs=3, callbacks=[steps])  # 3 epochs of 4 batches
    assert steps.taken == [12, 4]


def test_every_discriminator_step_uses_a_new_batch(fit: Fit) -> None:
    class Watched(GAN):
        def unpack(self, batch: Any) -> Any:
            seen.append(batch[0][0, 0, 0, 0].item())
            return super().unpack(batch)

    seen: list[float] = []
    fit(Watched(SHAPE, k=2), max_epochs=1)
    assert seen == [x[0, 0, 0, 0].item() for x, _ in loader()]


def test_fast_dev_run_counts_batches(fit: Fit) -> None:
    assert fit(small_gan(), fast_dev_run=3).fit_loop.total_batch_idx + 1 == 3


def test_checkpoints_are_saved_every_n_batches(fit: Fit, tmp_path: Path) -> None:
    checkpoint = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=3, save_top_k=-1)
    fit(small_gan(k=2), callbacks=[checkpoint], enable_checkpointing=True)
    assert {path.stem for path in tmp_path.glob("*.ckpt")} == {"step=3", "step=6"}


@ALL
def test_an_update_changes_one_player_and_no_bit_of_the_other(
    fit: Fit, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its parameters nor its batch statistics."""
    model, turns = make(), []

    def watched(model: Any, player: str, *args: Any) -> None:
        before = {name: state(network) for name, network in model.players.items()}
        update(model, player, *args)
        changed = {n for n, net in model.players.items() if not same(before[n], state(net))}
        turns.append((player, changed))

    monkeypatch.setattr(adversarial, "update", watched)
    fit(model, max_epochs=1)
    assert turns == [("d", {"d"}), ("g", {"g"})] * 4


def test_an_error_in_an_update_unfreezes_the_other_player(fit: Fit) -> None:
    class Broken(AdversarialModel):
        def manual_backward(self, *args: Any, **kwargs: Any) -> None:
            raise ArithmeticError

    parts = small_dcgan()
    model = Broken(SHAPE, 4, parts.generator, parts.discriminator)
    with pytest.raises(ArithmeticError):
        fit(model)
    assert all(parameter.requires_grad for parameter in model.parameters())
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert all(norm.track_running_stats for norm in norms)


def test_terms_are_logged_every_n_steps_under_stable_names(fit: Fit, monkeypatch: Any) -> None:
    model, logged = small_gan(), []
    monkeypatch.setattr(model, "log", lambda name, value, **_: logged.append((name, value)))
    fit(model, max_epochs=2, log_every_n_steps=4)  # 8 batches
    assert sorted(name for name, _ in logged) == sorted(
        2
        * [
            "train/d/adversarial",
            "train/d/fake_score",
            "train/d/loss",
            "train/d/real_score",
            "train/g/adversarial",
            "train/g/loss",
        ]
    )
    assert not any(value.requires_grad for _, value in logged)


def test_sgd_has_the_momentum_of_the_arguments(fit: Fit) -> None:
    optimizers = fit(small_gan(optimizer="sgd", lr=0.1, momentum=0.7), max_steps=1).optimizers
    assert [type(optimizer) for optimizer in optimizers] == [torch.optim.SGD] * 2
    assert all(o.param_groups[0]["momentum"] == 0.7 for o in optimizers)


@ALL
def test_a_checkpoint_is_sufficient_to_load_the_model(fit: Fit, make: Any, tmp_path: Path) -> None:
    model = make(k=2, lr=3e-4)
    fit(model).save_checkpoint(path := tmp_path / "model.ckpt")
    json.dumps(dict(model.hparams))  # plain values only
    again = type(model).load_from_checkpoint(path, weights_only=True)
    assert same(state(model), state(again))
    assert again.hparams == model.hparams
    assert torch.equal(model.sample(3, seed=1), again.sample(3, seed=1))


def test_a_checkpoint_with_a_custom_network_needs_it_again(fit: Fit, tmp_path: Path) -> None:
    def custom() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(256, 1))

    model = small_gan(discriminator=custom())
    fit(model).save_checkpoint(path := tmp_path / "model.ckpt")
    with pytest.raises(CheckpointError, match="pass your custom network as discriminator=..."):
        GAN.load_from_checkpoint(path)
    again = GAN.load_from_checkpoint(path, discriminator=custom())
    assert same(state(model), state(again))


@ALL
def test_sampling_changes_neither_model_nor_random_state(make: Any) -> None:
    model = make()
    model.discriminator.eval()  # the mode of each submodule is restored
    modes = [module.training for module in model.modules()]
    before, weights = torch.get_rng_state(), state(model)
    x = model.sample(5)
    assert x.shape == (5, *SHAPE)
    assert not x.requires_grad
    assert x.abs().max() <= 1
    assert torch.equal(before, torch.get_rng_state())
    assert [module.training for module in model.modules()] == modes
    assert same(weights, state(model))


def test_equal_seeds_give_equal_samples() -> None:
    model = small_gan()
    assert torch.equal(model.sample(4, seed=7), model.sample(4, seed=7))
    assert not torch.equal(model.sample(4, seed=7), model.sample(4, seed=8))
    assert not torch.equal(model.sample(4), model.sample(4))


@ALL
def test_a_gan_implements_sampling_only(make: Any) -> None:
    abilities = (Samples, Encodes, Reconstructs, Translates)
    assert [a for a in abilities if isinstance(make(), a)] == [Samples]


FORMS: dict[str, Callable[[Tensor], Any]] = {
    "x": lambda x: x,
    "(x, y)": lambda x: (x, torch.arange(len(x))),
    "[x]": lambda x: [x],
    "mapping": lambda x: {"image": x, "label": torch.arange(len(x))},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_common_batch_formats_are_accepted(fit: Fit, form: Callable[[Tensor], Any]) -> None:
    data = DataLoader([form(images(8)), form(images(8))], batch_size=None)
    assert fit(small_gan(), data, val=data).global_step == 4


BATCHES: dict[str, tuple[Any, type[Exception], str]] = {
    "integers": ((images() * 127 + 128).long(), DataError, "uint8 or uint16, but are torch.int64"),
    "0 to 255": (images() * 127 + 128, DataError, r"\[-1, 1\].*x / 127.5 - 1"),
    "standardized": (images() * 3, DataError, r"must be in \[-1, 1\]"),
    "NaN": (images() * float("nan"), DataError, "NaN"),
    "size": (images(shape=(1, 30, 30)), DataError, r"\(b, 1, 16, 16\).*\(32, 1, 30, 30\)"),
    "channels": (images(shape=(3, 16, 16)), DataError, r"image_shape=\(3, 16, 16\)"),
    "keys": ({"pixels": images()}, TypeError, "mapping with the keys 'pixels'"),
}


@pytest.mark.parametrize("key", BATCHES)
def test_an_invalid_first_batch_is_rejected(fit: Fit, key: str) -> None:
    batch, error, message = BATCHES[key]
    with pytest.raises(error, match=f"(?s){message}"):
        fit(small_gan(), DataLoader([batch], batch_size=None))


def test_images_in_0_to_1_cause_a_warning(fit: Fit) -> None:
    with pytest.warns(UserWarning, match=r"2 \* x - 1"):
        fit(small_gan(), loader((images() + 1) / 2), max_steps=1)


NETWORKS: dict[str, tuple[str, nn.Module, str]] = {
    "shape": ("generator", nn.Linear(4, 10), r"generator must map .*\(2, 1, 16, 16\).*\(2, 10\)"),
    "inputs": ("generator", nn.Linear(5, 256), r"generator fails on .*\(2, 4\)"),
    "scores": ("discriminator", nn.Flatten(0), r"discriminator must return a score"),
    "sigmoid": (
        "discriminator",
        nn.Sequential(nn.Flatten(), nn.Linear(256, 1), nn.Sigmoid()),
        "remove the final Sigmoid",
    ),
}


@pytest.mark.parametrize("key", NETWORKS)
def test_a_custom_network_that_does_not_fit_is_rejected(key: str) -> None:
    argument, network, message = NETWORKS[key]
    with pytest.raises(ArgumentError, match=f"(?s){message}"):
        small_gan(**{argument: network})


@pytest.mark.parametrize(
    "wrong",
    [
        {"latent_dim": -3},
        {"k": 0},
        {"lr": -1.0},
        {"image_shape": (1, 0, 28)},
        {"maxout": 0},
        {"micro_batch_size": 2, "share_fakes": True},
        {"micro_batch_size": 3, "pack": 2},
        {"micro_batch_size": -1},
    ],
    ids=str,
)
def test_an_error_names_the_argument_that_is_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        small_gan(**wrong)


def test_validation_is_repeatable_and_does_not_affect_training(fit: Fit) -> None:
    runs = []
    for val in (None, loader()):
        seed_everything(0)
        model = small_gan()
        trainer = fit(model, val=val)
        runs.append(state(model))
    assert same(*runs)
    first = trainer.validate(model, loader(), verbose=False)
    assert first == trainer.validate(model, loader(), verbose=False)
    assert first[0].keys() == {f"val/d/{n}" for n in ("adversarial", "real_score", "fake_score")}


def test_a_gan_learns_a_bright_constant_image(fit: Fit) -> None:
    x = (0.5 + 0.05 * torch.randn(512, *SHAPE)).clamp(-1, 1)
    model = small_gan(lr=1e-3, dropout=0.0, discriminator_hidden_dims=(32,))
    assert abs(model.sample(256, seed=0).mean() - 0.5) > 0.3
    fit(model, loader(x, 64), max_epochs=40)
    assert abs(model.sample(256, seed=0).mean() - 0.5) < 0.1
