"""When a callback draws, where its pictures lie, and which loggers show them."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from lightning_gen.errors import require_at_least


class PeriodicCallback(Callback, ABC):
    """Draws at the end of every n epochs, and after every n batches.

    Args:
        every_n_epochs: epochs between pictures; 0 draws none at the end of epochs.
        every_n_batches: batches between pictures; 0 draws none within epochs.

    Raises:
        ArgumentError: an argument is negative.
    """

    def __init__(self, every_n_epochs: int, every_n_batches: int = 0) -> None:
        require_at_least(0, every_n_epochs=every_n_epochs, every_n_batches=every_n_batches)
        self.every_n_epochs, self.every_n_batches = every_n_epochs, every_n_batches
        self.folder: Path | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find the run's folder, in every process, because Lightning's answer is a broadcast."""
        self.folder = Path(trainer.log_dir or trainer.default_root_dir) / "images"

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Draw every n batches."""
        batches = trainer.fit_loop.total_batch_idx + 1
        if self.every_n_batches and batches % self.every_n_batches == 0:
            self.draw(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw every n epochs."""
        if self.every_n_epochs and (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            self.draw(trainer, pl_module)

    @abstractmethod
    def draw(self, trainer: Trainer, model: LightningModule) -> None:
        """Draw now: write pictures into the run's folder, and hand them to the loggers."""


def file_name(batches: int) -> str:
    """The name of a picture; names sort as their batches do."""
    return f"step-{batches:08}.png"


@runtime_checkable
class LogsImages(Protocol):
    """A logger with a panel for pictures, such as W&B's."""

    def log_image(self, key: str, images: list[Any], step: int | None = None) -> None:
        """Show pictures under a name, at a step."""


def show(trainer: Trainer, name: str, picture: Tensor, batches: int) -> None:
    """Hand a picture (c, h, w) in [0, 1] to the loggers that have a panel for pictures."""
    for logger in trainer.loggers:
        if isinstance(logger, LogsImages):
            logger.log_image(f"images/{name}", [picture], step=batches)
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(f"images/{name}", picture, batches)
