"""How far the training is, how fast it goes and how long it will take."""

import sys
from math import ceil, inf
from time import monotonic
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.utilities.data import extract_batch_size
from tqdm import tqdm

from lightning_gen.protocols import Accumulates


class Progress(ProgressBar):
    """One bar over the whole training: losses, images per second over all processes, time left.

    Where the output is no terminal, a line per epoch says the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.enabled = True
        self.bar: tqdm[Any] | None = None
        self.images, self.started = 0, 0.0
        self.train_started, self.resumed_at = 0.0, 0

    def disable(self) -> None:
        """Lightning calls this in all processes but the first."""
        self.enabled = False

    def enable(self) -> None:
        """Undo `disable`."""
        self.enabled = True

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Print above the bar."""
        tqdm.write(" ".join(map(str, args)), **kwargs)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar at the number of batches that are done already."""
        self.train_started = monotonic()
        self.resumed_at = trainer.fit_loop.total_batch_idx + 1
        self.bar = tqdm(
            total=total_batches(trainer, pl_module),
            initial=self.resumed_at,
            unit="batch",
            dynamic_ncols=True,
            disable=not (self.enabled and sys.stderr.isatty()),
            bar_format="{desc}{percentage:3.0f}%|{bar}| {elapsed}, {remaining} left{postfix}",
        )

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to measure."""
        self.images, self.started = 0, monotonic()
        if self.bar is not None:
            self.bar.set_description_str(f"{_epochs(trainer)} ", refresh=False)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count; the text is made anew only when the bar is due to be drawn again."""
        self.images += extract_batch_size(batch) * trainer.world_size
        if self.bar is not None and self.bar.update(1):
            self.bar.set_postfix_str(", ".join(self.facts(trainer)), refresh=False)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Without a terminal: the line of this epoch."""
        if self.enabled and self.bar is not None and self.bar.disable:
            facts = [*self.facts(trainer), *self.time_left(trainer)]
            print(f"{_epochs(trainer)}: {', '.join(facts)}", flush=True)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar."""
        if self.bar is not None:
            self.bar.set_postfix_str(", ".join(self.facts(trainer)))
            self.bar.close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Close the bar, so that the error stands on a line of its own."""
        if self.bar is not None:
            self.bar.close()

    def facts(self, trainer: Trainer) -> list[str]:
        """Images per second in this epoch, and what the model logged for the bar."""
        speed = self.images / max(monotonic() - self.started, 1e-9)
        metrics = trainer.progress_bar_metrics.items()
        return [
            f"{speed:,.0f} images/s",
            *(f"{name.removeprefix('train/')} {value:.3g}" for name, value in metrics),
        ]

    def time_left(self, trainer: Trainer) -> list[str]:
        """How long the rest will take at the pace so far; nothing for a training without end."""
        if self.bar is None or self.bar.total is None:
            return []
        done = trainer.fit_loop.total_batch_idx + 1
        pace = (monotonic() - self.train_started) / max(done - self.resumed_at, 1)
        return [f"{tqdm.format_interval(pace * max(self.bar.total - done, 0))} left"]


def total_batches(trainer: Trainer, model: LightningModule) -> int | None:
    """Batches of the whole training, as far as its epochs or steps are limited; None elsewhere."""
    epoch = trainer.num_training_batches  # infinite where the data do not say
    limits = []
    if trainer.max_epochs and trainer.max_epochs > 0:
        limits.append(trainer.max_epochs * epoch)
    if trainer.max_steps > 0:
        own = model.accumulate if isinstance(model, Accumulates) else 1
        step = own * trainer.accumulate_grad_batches
        epoch = min(epoch, trainer.max_steps * step)  # whose last step may be shorter
        epochs, steps = divmod(trainer.max_steps, ceil(epoch / step))
        limits.append(epochs * epoch + steps * step)
    total = min(limits, default=inf)
    return None if total == inf else int(total)


def _epochs(trainer: Trainer) -> str:
    total = trainer.max_epochs if (trainer.max_epochs or -1) > 0 else "?"
    return f"epoch {trainer.current_epoch + 1}/{total}"
