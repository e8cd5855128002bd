"""Checkpoints of a run that may be told to stop at any time."""

from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException


class RunCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint, which also saves when the run is told to stop by SIGTERM.

    Args:
        kwargs: arguments of ModelCheckpoint; here `last.ckpt` is always written, and a resumed run
            writes over its own files.
    """

    def __init__(self, save_last: bool = True, enable_version_counter: bool = False, **kwargs: Any):
        super().__init__(
            save_last=save_last, enable_version_counter=enable_version_counter, **kwargs
        )

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Save after SIGTERM, which ends a run between batches; not after a bug."""
        if isinstance(exception, SIGTERMException):
            trainer.save_checkpoint(self.format_checkpoint_name({}, self.CHECKPOINT_NAME_LAST))
