"""What a training saves, and when, however it ends."""

import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
from lightning import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from lightning_gen import VAE
from lightning_gen.callbacks import RunCheckpoint
from tests.conftest import SHAPE, loader, small_gan

Fit = Callable[..., Trainer]


def small_vae() -> VAE:
    return VAE(SHAPE, latent_dim=2, hidden_dims=(8,))


def test_callbacks_may_monitor_metrics_logged_less_often_than_epochs_end(
    fit: Fit, tmp_path: Path
) -> None:
    saver = ModelCheckpoint(tmp_path / "best", monitor="train/g/loss")
    watch = {"callbacks": [saver, EarlyStopping("train/g/loss")], "enable_checkpointing": True}
    fit(small_gan(), log_every_n_steps=50, **watch)
    assert len(list((tmp_path / "best").iterdir())) == 1


def test_ctrl_c_is_unchanged_where_nothing_handles_sigterm(fit: Fit) -> None:
    seen = []

    class Look(Callback):
        def on_train_start(self, *_: Any) -> None:  # called before RunCheckpoint's
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

        def on_train_batch_start(self, *_: Any) -> None:
            seen.append(signal.getsignal(signal.SIGINT))

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


def test_an_error_is_saved_on_request(fit: Fit, tmp_path: Path) -> None:
    class Fail(Callback):
        def on_train_batch_start(self, trainer: Trainer, *args: Any) -> None:
            if trainer.global_step == 3:
                raise ValueError("an error")

    saver = RunCheckpoint(dirpath=str(tmp_path / "saved"), save_on_exception=True)
    with pytest.raises(ValueError, match="an error"):
        fit(small_gan(), callbacks=[saver, Fail()], enable_checkpointing=True)
    assert {path.name for path in (tmp_path / "saved").iterdir()} == {
        "epoch=0-step=3.ckpt",
        "last.ckpt",
    }


def test_a_validation_that_is_due_comes_before_the_checkpoint(fit: Fit, tmp_path: Path) -> None:
    validated: list[tuple[int, int]] = []

    class Watch(Callback):
        validations = 0

        def on_validation_end(self, *_: Any) -> None:
            self.validations += 1

        def on_save_checkpoint(self, trainer: Trainer, *_: Any) -> None:
            validated.append((trainer.global_step, self.validations))

    saver = RunCheckpoint(dirpath=str(tmp_path), every_n_train_steps=1)
    across = {"check_val_every_n_epoch": None, "val_check_interval": 3, "num_sanity_val_steps": 0}
    callbacks = [Watch(), saver]
    fit(small_gan(), val=loader(), callbacks=callbacks, enable_checkpointing=True, **across)
    assert validated == [(n, n // 3) for n in range(1, 9) for _ in range(2)]


SAVED: dict[str, tuple[dict[str, Any], dict[str, Any], list[int]]] = {  # steps of the files
    "every epoch": ({}, {}, [4, 8, 12]),
    "every 2 epochs": ({"every_n_epochs": 2}, {}, [8, 12]),
    "every 5 steps": ({"every_n_train_steps": 5}, {}, [5, 10, 12]),
    "steps and epochs": ({"every_n_train_steps": 5, "every_n_epochs": 2}, {}, [5, 8, 10, 12]),
    "every batch": ({"train_time_interval": timedelta(0)}, {}, list(range(1, 13))),
    "seldom": ({"train_time_interval": timedelta(days=1)}, {}, [12]),
    "max_steps": ({}, {"max_steps": 6}, [4, 6]),
    "after each validation": ({}, {"val_check_interval": 0.5}, [2, 4, 6, 8, 10, 12]),
    "after validations": ({}, {"check_val_every_n_epoch": 2}, [8, 12]),
    "without validation": (
        {},
        {"check_val_every_n_epoch": 2, "limit_val_batches": 0},
        [4, 8, 12],
    ),
    "at the end of epochs": (
        {"save_on_train_epoch_end": True},
        {"val_check_interval": 0.5},
        [4, 8, 12],
    ),
}


@pytest.mark.parametrize("key", SAVED)
@pytest.mark.parametrize("make", [small_gan, small_vae])
def test_checkpoints_come_at_their_intervals_and_at_the_end(
    key: str, make: Callable[[], Any], fit: Fit, tmp_path: Path
) -> None:
    arguments, flags, steps = SAVED[key]
    saver = RunCheckpoint(dirpath=str(tmp_path), save_top_k=-1, **arguments)
    settings = {"enable_checkpointing": True, "max_epochs": 3}
    trainer = fit(make(), val=loader(), callbacks=[saver], **settings | flags)
    saved = {path.name: torch.load(path, weights_only=True) for path in tmp_path.glob("*.ckpt")}
    assert saved.pop("last.ckpt")["global_step"] == steps[-1] == trainer.global_step
    assert sorted(checkpoint["global_step"] for checkpoint in saved.values()) == steps
    assert saver.last_model_path == str(tmp_path / "last.ckpt")


def test_the_end_competes_for_the_best_and_last_knows_them(fit: Fit, tmp_path: Path) -> None:
    class Score(Callback):
        def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
            pl_module.log("score", float(trainer.global_step))

    saver = RunCheckpoint(
        dirpath=str(tmp_path),
        monitor="score",
        mode="max",
        save_top_k=2,
        every_n_epochs=2,
        filename="{step}-{score:.0f}",
    )
    settings = {"enable_checkpointing": True, "max_epochs": 3}
    fit(small_gan(), val=loader(), callbacks=[Score(), saver], **settings)
    best = {"step=8-score=8.ckpt", "step=12-score=12.ckpt"}
    assert {path.name for path in tmp_path.glob("*.ckpt")} == {"last.ckpt", *best}
    states = torch.load(tmp_path / "last.ckpt", weights_only=True)["callbacks"]
    state = states[saver.state_key]
    assert Path(state["best_model_path"]).name == "step=12-score=12.ckpt"
    assert {Path(path).name for path in state["best_k_models"]} == best


def test_last_is_saved_before_the_monitored_metric_exists(fit: Fit, tmp_path: Path) -> None:
    saver = RunCheckpoint(dirpath=str(tmp_path), monitor="val/loss", every_n_train_steps=3)
    fit(small_vae(), callbacks=[saver], enable_checkpointing=True, max_steps=3)
    assert [path.name for path in tmp_path.glob("*.ckpt")] == ["last.ckpt"]


def test_callbacks_with_other_intervals_may_be_combined(fit: Fit, tmp_path: Path) -> None:
    savers = [RunCheckpoint(dirpath=str(tmp_path / str(n)), every_n_train_steps=n) for n in (3, 5)]
    fit(small_gan(), callbacks=savers, enable_checkpointing=True)
    for n in (3, 5):
        assert (tmp_path / str(n) / "last.ckpt").is_file()
