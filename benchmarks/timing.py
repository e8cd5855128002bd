"""Seconds per step: with the Trainer, by hand, and of a public script."""

import statistics
import sys
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any

from lightning import Callback, Trainer
from torch import Tensor

from lightning_gen.callbacks.periodic import batches_seen

WARMUP = 5
first_steps: list[float] = []  # seconds from `fit` to the start of the second step


class Clock(Callback):
    """Measure seconds per step after a warm-up."""

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, i: int) -> None:
        if batches_seen(trainer) == 2:
            self.first = time.perf_counter()
        if batches_seen(trainer) == WARMUP + 1:
            self.start = time.perf_counter()

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        steps = trainer.global_step - WARMUP
        self.seconds = (time.perf_counter() - self.start) / steps


def through_trainer(model: Any, data: Any, steps: int, precision: str) -> float:
    """Return seconds per step with Trainer, data module, and logging every 50 steps."""
    clock = Clock()
    trainer = Trainer(
        accelerator="cpu",
        precision=precision,  # type: ignore[arg-type]
        max_steps=steps + WARMUP,
        max_epochs=-1,
        limit_val_batches=0,
        callbacks=[clock],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    start = time.perf_counter()
    trainer.fit(model, data)
    first_steps.append(clock.first - start)
    return clock.seconds


def by_hand(step: Callable[..., None], batches: Iterable[tuple[Tensor, ...]], steps: int) -> float:
    """Return seconds per step in plain PyTorch."""
    for number, batch in enumerate(islice(batches, steps + WARMUP)):
        if number == WARMUP:
            start = time.perf_counter()
        step(*batch)
    return (time.perf_counter() - start) / steps


def by_script(script: Path, steps: int) -> float:
    """Return seconds per step of a public script, which prints a line per step."""
    command = [sys.executable, "-u", script.name]
    with Popen(command, cwd=script.parent, stdout=PIPE, stderr=DEVNULL, text=True) as process:
        lines = (line for line in process.stdout or () if "[Batch" in line)
        start = [time.perf_counter() for _ in islice(lines, WARMUP)][-1]
        last = [time.perf_counter() for _ in islice(lines, steps)][-1]
        process.kill()
    return (last - start) / steps


def spread(values: list[float], digits: int) -> str:
    """Format the median and the range."""
    if not values:
        return ""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
