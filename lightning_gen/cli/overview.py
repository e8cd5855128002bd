"""Summary of data, model and device at the beginning of a training."""

import sys
from time import monotonic
from typing import Any, Protocol, runtime_checkable

import torch
from lightning import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.callbacks import TQDMProgressBar

from lightning_gen.callbacks.progress import share_done
from lightning_gen.cli.summary import duration
from lightning_gen.protocols import HasPlayers

WAIT = 10.0  # seconds of training after which its duration is estimated


@runtime_checkable
class Describes(Protocol):
    """Data that describe their images, classes and splits."""

    def describe(self) -> str:
        """Return the number of images, their classes, splits, sizes and channels."""
        ...


class Overview(Callback):
    """Print data, model and device before the training, and its duration as soon as it is known."""

    def __init__(self) -> None:
        self.start, self.share_at_start = 0.0, 0.0
        self.estimated = False

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print data, model and device."""
        if trainer.is_global_zero:
            data: Any = trainer.datamodule  # type: ignore[attr-defined]
            print(f"\nData: {describe_data(data)}")
            print(f"Model: {describe_model(pl_module)}")
            print(f"Device: {describe_device(trainer)}")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the length of the training."""
        self.start, self.share_at_start = monotonic(), share_done(trainer)
        if trainer.is_global_zero:
            batches: float = trainer.num_training_batches
            length = f", {batches:,} batches per epoch" if batches < float("inf") else ""
            limits = {"epochs": trainer.max_epochs, "optimizer steps": trainer.max_steps}
            ends = [f"{n:,} {name}" for name, n in limits.items() if n is not None and n >= 0]
            print(f"Training: {' or '.join(ends) or 'until it is stopped'}{length}")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Print how long the training will take, once."""
        seconds = monotonic() - self.start
        if self.estimated or seconds < WAIT or not trainer.is_global_zero:
            return
        self.estimated = True
        share = share_done(trainer) - self.share_at_start
        if share > 0:
            left = seconds * (1 - share - self.share_at_start) / share
            if left > WAIT:
                _print(trainer, f"The training will take about {duration(left)} more.")


def describe_data(data: LightningDataModule) -> str:
    """Return a description of the data."""
    if isinstance(data, Describes):
        return f"{type(data).__name__}: {data.describe()}"
    shape = getattr(data, "image_shape", None)
    return f"{type(data).__name__}{f', images {tuple(shape)}' if shape else ''}"


def describe_model(model: LightningModule) -> str:
    """Return the name of a model and the number of parameters of each of its networks."""
    networks = {name: module for name, module in model.named_children() if count(module)}
    if isinstance(model, HasPlayers) and not networks:
        networks = dict(model.players)
    parts = ", ".join(f"{name} {count(module):,}" for name, module in networks.items())
    return f"{type(model).__name__} with {count(model):,} trainable parameters ({parts})"


def count(module: torch.nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def describe_device(trainer: Trainer) -> str:
    """Return device, number of processes or threads, and precision."""
    n, precision = trainer.world_size, trainer.precision
    if isinstance(trainer.accelerator, CPUAccelerator):
        name, threads = "CPU", torch.get_num_threads()
        name += f", {threads} thread{'' if threads == 1 else 's'}"
    else:
        device = trainer.strategy.root_device
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return f"{name}, {n} process{'' if n == 1 else 'es'}, precision {precision}"


def _print(trainer: Trainer, line: str) -> None:
    bar = trainer.progress_bar_callback
    if isinstance(bar, TQDMProgressBar) and sys.stdout.isatty():
        bar.print(line)
    else:
        print(line, flush=True)
