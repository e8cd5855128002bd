"""Base class of the callbacks that draw, and helpers for their files and loggers."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_warn
from PIL import Image

from lightning_gen.compat import batches_seen
from lightning_gen.errors import require_at_least
from lightning_gen.files import atomic_write


class PeriodicCallback(Callback, ABC):
    """Draw at the end of every n epochs, and after every n batches.

    Only the first process draws. An error in a drawing gives a warning and does not end the
    training.

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

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Warn if there is nothing to draw."""
        reason = self.why_nothing(trainer, pl_module)
        if reason and (self.every_n_epochs or self.every_n_batches):
            rank_zero_warn(f"{type(self).__name__} {reason}")

    def why_nothing(self, trainer: Trainer, model: LightningModule) -> str:
        """Return the reason why something is not drawn in this training, or an empty string."""
        return ""

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Draw every n batches."""
        if self.every_n_batches and batches_seen(trainer) % self.every_n_batches == 0:
            self._draw(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw every n epochs."""
        if self.every_n_epochs and (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            self._draw(trainer, pl_module)

    def _draw(self, trainer: Trainer, model: LightningModule) -> None:
        if trainer.is_global_zero:
            with warn_on_error(self, model):
                self.draw(trainer, model)

    @abstractmethod
    def draw(self, trainer: Trainer, model: LightningModule) -> None:
        """Draw images and publish them."""

    def publish(self, trainer: Trainer, name: str, image: Image.Image) -> None:
        """Write an RGB image into the run's folder; send it to the loggers that display images."""
        assert self.folder is not None
        batches = batches_seen(trainer)
        with atomic_write(self.folder / name / file_name(batches)) as path:
            image.save(path)
        key, caption = f"images/{name}", f"epoch {trainer.current_epoch + 1}, batch {batches:,}"
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image(key, [image], step=batches, caption=[caption])
            elif isinstance(logger, LogsImages):
                logger.log_image(key, [image], step=batches)
            elif isinstance(logger, TensorBoardLogger):
                pixels = np.asarray(image)
                logger.experiment.add_image(key, pixels, batches, dataformats="HWC")


@contextmanager
def warn_on_error(callback: Callback, model: LightningModule) -> Iterator[None]:
    """Turn an error into a warning, because a callback that draws must not end a training."""
    try:
        yield
    except Exception as error:
        names = f"{type(callback).__name__} does not work with {type(model).__name__}"
        rank_zero_warn(f"{names}: {type(error).__name__}: {error}")


def has_validation(trainer: Trainer) -> bool:
    """Return True if the training has validation batches."""
    return trainer.enable_validation and trainer.num_val_batches not in (0, [0])


def logs_now(trainer: Trainer, batches: int) -> bool:
    """Return True if metrics are logged after this number of batches."""
    every = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return bool(every and batches and batches % every == 0)


def file_name(batches: int) -> str:
    """Return an image's file name; names sort by their number of batches."""
    return f"step-{batches:08}.png"


@runtime_checkable
class LogsImages(Protocol):
    """A logger that displays images, with the interface of `WandbLogger`."""

    def log_image(self, key: str, images: list[Any], step: int | None = None) -> None:
        """Log RGB images of PIL under a key, at a step."""
