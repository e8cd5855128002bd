"""Progress bar with images per second and the time left."""

import sys
from contextlib import suppress
from time import monotonic
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.utilities.data import extract_batch_size
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from tqdm import tqdm

from lightning_gen.compat import batches_seen

REFRESH = 0.1  # seconds; reading the losses after every batch would synchronize with the GPU


class Progress(TQDMProgressBar):
    """Lightning's progress bar with images per second over all processes, and the total time left.

    If the output is not a terminal, a line per epoch is printed instead.
    """

    def __init__(self) -> None:
        super().__init__(refresh_rate=int(sys.stdout.isatty()))  # 0 disables the bar
        self.images, self.epoch_start, self.refreshed = 0, 0.0, 0.0
        self.start, self.share_at_start = 0.0, 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock of the training."""
        super().on_train_start(trainer, pl_module)
        self.start, self.share_at_start = monotonic(), share_done(trainer)

    def on_train_epoch_start(self, trainer: Trainer, *args: Any) -> None:
        """Start the clock of the epoch."""
        super().on_train_epoch_start(trainer, *args)
        self.images, self.epoch_start = 0, monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the images, and update the bar ten times per second."""
        with suppress(MisconfigurationException):  # a batch without tensors
            self.images += extract_batch_size(batch) * trainer.world_size
        if trainer.is_last_batch or monotonic() - self.refreshed > REFRESH:
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
            self.refreshed = monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the epoch's line if there is no bar."""
        super().on_train_epoch_end(trainer, pl_module)
        if trainer.is_global_zero and not self.refresh_rate:
            metrics = self.get_metrics(trainer, pl_module)
            speed, left = metrics.pop("images/s", None), metrics.pop("left", None)
            facts = [f"{speed} images/s"] if speed else []
            facts += [f"{name} {value:.3g}" for name, value in metrics.items()]
            facts += [f"{left} left"] if left else []
            epochs = trainer.max_epochs if (trainer.max_epochs or -1) > 0 else "?"
            print(f"epoch {trainer.current_epoch + 1}/{epochs}: {', '.join(facts)}", flush=True)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Close the bar, so that the error is printed on a line of its own."""
        if self.start:
            self.train_progress_bar.close()

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Return images per second in this epoch, logged metrics, and the time left, if known."""
        now = monotonic()
        speed = self.images / max(now - self.epoch_start, 1e-9)
        metrics: dict[str, Any] = {"images/s": f"{speed:,.0f}"} if self.images else {}
        logged = trainer.progress_bar_metrics.items()
        metrics |= {name.removeprefix("train/"): value for name, value in logged}
        share = share_done(trainer)
        if share > self.share_at_start:
            left = (now - self.start) * (1 - share) / (share - self.share_at_start)
            metrics["left"] = tqdm.format_interval(left)
        return metrics


def share_done(trainer: Trainer) -> float:
    """Return the share of the training that is done; 0 if the training has no limit."""
    share = 0.0
    if trainer.max_epochs and trainer.max_epochs > 0:
        share = batches_seen(trainer) / (trainer.max_epochs * trainer.num_training_batches)
    if trainer.max_steps > 0:
        share = max(share, trainer.global_step / trainer.max_steps)
    return share
