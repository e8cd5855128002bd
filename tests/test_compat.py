"""Undocumented parts of Lightning that the package relies on; see lightning_gen/compat.py."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from torch import nn

from lightning_gen import VAE
from lightning_gen.compat import batches_seen
from tests.conftest import SHAPE, small_gan

Fit = Callable[..., Trainer]
CHANGED = (
    "batches_seen() in lightning_gen/compat.py does not count batches with this release of "
    "Lightning, which no longer has Trainer.fit_loop.total_batch_idx or has changed it. Find "
    "another count of training batches over all epochs and resumed runs (not "
    "Trainer.global_step, which counts optimizer steps), or require an older release in "
    "pyproject.toml."
)


class TwoSteps(LightningModule):
    """A model of another package with two optimizer steps for each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.weights = nn.ParameterList(torch.ones(1) for _ in range(2))

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.SGD([weight], 0.1) for weight in self.weights]

    def training_step(self, batch: Any, batch_idx: int) -> None:
        for optimizer, weight in zip(self.optimizers(), self.weights, strict=True):
            optimizer.zero_grad()
            self.manual_backward(weight.sum())
            optimizer.step()


class Counts(Callback):
    """Record the number of batches at the beginning and at the end of each batch."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        self.starts.append(count(trainer))

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self.ends.append(count(trainer))


def count(trainer: Trainer) -> int:
    try:
        return batches_seen(trainer)
    except AttributeError as error:
        raise AssertionError(CHANGED) from error


@pytest.mark.parametrize(
    ("make", "steps"),
    [
        (lambda: VAE(SHAPE, latent_dim=2, hidden_dims=(8,)), 1),
        (small_gan, 1),
        (lambda: small_gan(k=2, micro_batch_size=3), 1),
        (TwoSteps, 2),
    ],
    ids=["VAE", "GAN", "micro-batches", "two steps"],
)
def test_batches_are_counted_over_epochs_and_after_a_resume(
    fit: Fit, tmp_path: Path, make: Callable[[], LightningModule], steps: int
) -> None:
    counts = Counts()
    trainer = fit(make(), callbacks=[counts])  # 2 epochs of 4 batches
    assert trainer.global_step == 8 * steps
    assert counts.starts == counts.ends == list(range(1, 9)), CHANGED
    assert count(trainer) == 8, CHANGED
    trainer.save_checkpoint(path := tmp_path / "a.ckpt")
    resumed = Counts()
    fit(make(), callbacks=[resumed], max_epochs=4, ckpt_path=path)
    assert resumed.starts == resumed.ends == list(range(9, 17)), CHANGED


def test_batches_are_counted_after_a_stop_within_an_epoch(fit: Fit, tmp_path: Path) -> None:
    fit(TwoSteps(), max_steps=12).save_checkpoint(path := tmp_path / "a.ckpt")  # 6 batches
    resumed = Counts()
    fit(TwoSteps(), callbacks=[resumed], max_epochs=3, ckpt_path=path)
    assert resumed.starts
    assert resumed.starts == resumed.ends == list(range(7, 7 + len(resumed.starts))), CHANGED
