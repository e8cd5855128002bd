"""Laws of what a training saves, and when, whoever stops it."""

import signal
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from lightning import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector

from lightning_gen.callbacks import RunCheckpoint
from tests.conftest import loader, small_gan

Fit = Callable[..., Trainer]


def test_callbacks_may_watch_what_is_logged_less_often_than_epochs_end(
    fit: Fit, tmp_path: Path
) -> None:
    saver = ModelCheckpoint(tmp_path / "best", monitor="train/g/loss")
    watch = {"callbacks": [saver, EarlyStopping("train/g/loss")], "enable_checkpointing": True}
    fit(small_gan(), log_every_n_steps=50, **watch)
    assert len(list((tmp_path / "best").iterdir())) == 1


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
