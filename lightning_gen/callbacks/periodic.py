"""Base class of the callbacks that draw, and helpers for their files and loggers."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from lightning_gen.compat import batches_seen
from lightning_gen.errors import require_at_least


class PeriodicCallback(Callback, ABC):
    """Draw at the end of every n epochs, and after every n batches.

    Args:
        every_n_epochs: epochs between drawings; if 0, draw at no epoch's end.
        every_n_batches: batches between drawings; if 0, draw only at the end of epochs.

    Raises:
        ArgumentError: an argument is negative.
    """

    def __init__(self, every_n_epochs: int, every_n_batches: int = 0) -> None:
        require_at_least(0, every_n_epochs=every_n_epochs, every_n_batches=every_n_batches)
        self.every_n_epochs, self.every_n_batches = every_n_epochs, every_n_batches
        self.folder: Path | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find the run's folder; in every process, because `log_dir` is a broadcast."""
        self.folder = Path(trainer.log_dir or trainer.default_root_dir) / "images"

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Draw every n batches."""
        if self.every_n_batches and batches_seen(trainer) % self.every_n_batches == 0:
            self.draw(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw every n epochs."""
        if self.every_n_epochs and (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            self.draw(trainer, pl_module)

    @abstractmethod
    def draw(self, trainer: Trainer, model: LightningModule) -> None:
        """Write images into the run's folder and send them to the loggers."""


def logs_now(trainer: Trainer, batches: int) -> bool:
    """Return True if metrics are logged after this number of batches."""
    every = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return bool(every and batches and batches % every == 0)


def file_name(batches: int) -> str:
    """Return an image's file name; names sort by their number of batches."""
    return f"step-{batches:08}.png"


@runtime_checkable
class LogsImages(Protocol):
    """A logger that displays images, such as `WandbLogger`."""

    def log_image(self, key: str, images: list[Any], step: int | None = None) -> None:
        """Log images under a key, at a step."""


def show(trainer: Trainer, name: str, image: Tensor, batches: int) -> None:
    """Send an image (c, h, w) in [0, 1] to the loggers that display images."""
    for logger in trainer.loggers:
        if isinstance(logger, LogsImages):
            logger.log_image(f"images/{name}", [image], step=batches)
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(f"images/{name}", image, batches)
