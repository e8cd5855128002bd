"""Checkpoints of a run that may be told to stop at any time."""

import signal
from threading import current_thread, main_thread
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException
from lightning.pytorch.utilities.rank_zero import rank_zero_info


class RunCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint, which also saves at the end, and when the run is told to stop.

    SIGTERM and Ctrl-C end it after the batch at work; a second Ctrl-C ends it at once.

    Args:
        kwargs: arguments of ModelCheckpoint; here `last.ckpt` is always written, and a resumed run
            writes over its own files.
    """

    def __init__(self, save_last: bool = True, enable_version_counter: bool = False, **kwargs: Any):
        super().__init__(
            save_last=save_last, enable_version_counter=enable_version_counter, **kwargs
        )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Have Ctrl-C do what SIGTERM does, for which Lightning waits for the batch's end."""
        super().on_train_start(trainer, pl_module)
        handled = signal.getsignal(signal.SIGTERM) not in (None, signal.SIG_DFL)  # not on Windows
        usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if handled and usual and current_thread() is main_thread():
            signal.signal(signal.SIGINT, _terminate)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let Ctrl-C be Ctrl-C again."""
        super().teardown(trainer, pl_module, stage)
        _release()

    waits = False  # whether the state is to be saved once the validation has run

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save, but not before a validation that is due: a run going on would leave it out."""
        interval = trainer.val_check_batch or 1
        across = trainer.check_val_every_n_epoch is None  # the interval goes on from epoch to epoch
        batches = trainer.fit_loop.total_batch_idx if across else batch_idx
        if trainer.is_last_batch or (batches + 1) % interval == 0:
            self.waits = True
        else:
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save what has waited, unless the epoch ends here."""
        super().on_validation_end(trainer, pl_module)
        if not trainer.is_last_batch:
            self._catch_up(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save what has waited for the epoch's end."""
        self._catch_up(trainer, pl_module)
        super().on_train_epoch_end(trainer, pl_module)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Save what has waited for a validation that there was no data for."""
        self._catch_up(trainer, pl_module)

    def _catch_up(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.waits:
            self.waits = False
            super().on_train_batch_end(trainer, pl_module, None, None, 0)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the end of the training, on which an interval of batches need not fall."""
        if not self._should_skip_saving_checkpoint(trainer):
            candidates = self._monitor_candidates(trainer)
            self._save_topk_checkpoint(trainer, candidates)
            self._save_last_checkpoint(trainer, candidates)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Save after SIGTERM, which ends a run between batches; after a bug only by request."""
        _release()
        if isinstance(exception, SIGTERMException):
            path = self.format_checkpoint_name({}, self.CHECKPOINT_NAME_LAST)
            trainer.save_checkpoint(path)
            rank_zero_info(f"\nStopped and saved: {path}\n--ckpt_path last goes on from there.")
        else:
            super().on_exception(trainer, pl_module, exception)


def _terminate(*_: Any) -> None:
    _release()
    signal.raise_signal(signal.SIGTERM)


def _release() -> None:
    if signal.getsignal(signal.SIGINT) is _terminate:
        signal.signal(signal.SIGINT, signal.default_int_handler)
