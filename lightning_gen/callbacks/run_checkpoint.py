"""Checkpoints of a run that may be stopped at any time."""

import signal
from datetime import timedelta
from functools import partial
from threading import current_thread, main_thread
from time import monotonic
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.exceptions import SIGTERMException
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from lightning_gen.compat import batches_seen
from lightning_gen.errors import require_at_least


class RunCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint, which also saves at the end and when the run is stopped.

    SIGTERM and Ctrl-C stop the run after the current batch; a second Ctrl-C stops it immediately.
    If a validation is due after a batch, the checkpoint is saved after the validation, which a
    resumed run would otherwise skip.

    Args:
        save_last: if True, also write each checkpoint to `last.ckpt`.
        every_n_train_steps: number of optimizer steps between checkpoints.
        every_n_epochs: number of epochs between checkpoints; 1 if no interval is given.
        train_time_interval: time between checkpoints.
        save_on_train_epoch_end: if True, save every n epochs at the end of the epoch; if False,
            after each of its validations. The default is False if validations run more or less
            often than once per epoch.
        enable_version_counter: if True, keep the files of an earlier run, except `last.ckpt`.
        kwargs: further arguments of ModelCheckpoint.
    """

    def __init__(
        self,
        save_last: bool = True,
        every_n_train_steps: int | None = None,
        every_n_epochs: int | None = None,
        train_time_interval: timedelta | None = None,
        save_on_train_epoch_end: bool | None = None,
        enable_version_counter: bool = False,
        **kwargs: Any,
    ) -> None:
        # the base class saves whenever its on_train_epoch_end is called; this class decides when
        super().__init__(
            save_last=False,
            every_n_epochs=1,
            save_on_train_epoch_end=True,
            enable_version_counter=enable_version_counter,
            **kwargs,
        )
        require_at_least(
            0, every_n_train_steps=every_n_train_steps or 0, every_n_epochs=every_n_epochs or 0
        )
        if (every_n_train_steps, every_n_epochs, train_time_interval) == (None, None, None):
            every_n_epochs = 1
        self.steps, self.epochs = every_n_train_steps, every_n_epochs
        self.time = train_time_interval
        self.at_epoch_end, self.writes_last = save_on_train_epoch_end, save_last
        self.due = False
        self.saved_step, self.saved_time = 0, 0.0
        self.stopped_by = signal.SIGTERM

    @property
    def every_n_epochs(self) -> int | None:
        """Number of epochs between checkpoints."""
        return self.epochs

    @property
    def state_key(self) -> str:
        """Key of the state in checkpoints, different for callbacks with other intervals."""
        return f"{super().state_key}, {self.steps}, {self.epochs}, {self.time}"

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Treat Ctrl-C as SIGTERM, for which Lightning waits until the batch ends."""
        super().on_train_start(trainer, pl_module)
        self.saved_time = monotonic()
        handled = signal.getsignal(signal.SIGTERM) not in (None, signal.SIG_DFL)  # not on Windows
        default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if handled and default and current_thread() is main_thread():
            signal.signal(signal.SIGINT, partial(_terminate, self))

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Restore Ctrl-C."""
        super().teardown(trainer, pl_module, stage)
        _release()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save after every n steps or a time interval, but not before a validation that is due."""
        if self.steps and trainer.global_step % self.steps == 0:
            self.due = True
        if self.time is not None:
            late = monotonic() - self.saved_time >= self.time.total_seconds()
            if trainer.strategy.broadcast(late):  # the same decision in all processes
                self.due, self.saved_time = True, monotonic()
        interval = trainer.val_check_batch or 1
        across = trainer.check_val_every_n_epoch is None  # the interval runs across epochs
        batches = batches_seen(trainer) if across else batch_idx + 1
        if not (trainer.is_last_batch or batches % interval == 0):
            self._save_if_due(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save if due; at the end of an epoch, `on_train_epoch_end` does."""
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        if self._after_validations(trainer):
            self._check_epoch(trainer)
        if not trainer.is_last_batch:
            self._save_if_due(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save if due."""
        if not self._after_validations(trainer):
            self._check_epoch(trainer)
        self._save_if_due(trainer, pl_module)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Save if due and no validation has run, for lack of data."""
        self._save_if_due(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the end of the training, whatever the intervals."""
        self._save(trainer, pl_module)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Save after SIGTERM, which ends a run between batches; after an error only on request.

        The program then exits with the code of the signal, 143, or 130 after Ctrl-C.
        """
        _release()
        if isinstance(exception, SIGTERMException):
            exception.code = 128 + self.stopped_by
            self._write_last(trainer)
            path = self.last_model_path
            rank_zero_info(f"\nStopped and saved: {path}\nResume with --ckpt_path last.")
        else:
            super().on_exception(trainer, pl_module, exception)
            unsaved = trainer.global_step != self.saved_step
            if self.save_on_exception and self.writes_last and unsaved:
                self._write_last(trainer)

    def _after_validations(self, trainer: Trainer) -> bool:
        """Return True if checkpoints of epochs are saved after validations."""
        if self.at_epoch_end is not None:
            return not self.at_epoch_end
        once = trainer.check_val_every_n_epoch == 1 and trainer.val_check_interval == 1.0
        return trainer.enable_validation and not once

    def _check_epoch(self, trainer: Trainer) -> None:
        if self.epochs and (trainer.current_epoch + 1) % self.epochs == 0:
            self.due = True

    def _save_if_due(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.due:
            self._save(trainer, pl_module)

    def _save(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.due = False
        if trainer.fast_dev_run or trainer.global_step == self.saved_step:  # type: ignore[attr-defined]
            return
        self.saved_step = trainer.global_step
        known = self.monitor in {None, "epoch", "step", *trainer.callback_metrics}
        if known or self.epochs:  # an epoch's end without the metric is an error
            super().on_train_epoch_end(trainer, pl_module)
        if self.writes_last:
            self._write_last(trainer)

    def _write_last(self, trainer: Trainer) -> None:
        self.last_model_path = self.format_checkpoint_name({}, self.CHECKPOINT_NAME_LAST)
        trainer.save_checkpoint(self.last_model_path, self.save_weights_only)


def _terminate(callback: RunCheckpoint, *_: Any) -> None:
    _release()
    callback.stopped_by = signal.SIGINT
    signal.raise_signal(signal.SIGTERM)


def _release() -> None:
    if getattr(signal.getsignal(signal.SIGINT), "func", None) is _terminate:
        signal.signal(signal.SIGINT, signal.default_int_handler)
