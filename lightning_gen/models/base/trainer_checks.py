"""Checks of the Trainer and its data before a model is trained."""

import sys
from typing import TYPE_CHECKING
from warnings import warn

from lightning import Trainer
from lightning.pytorch.callbacks import Timer
from lightning.pytorch.strategies import (
    DDPStrategy,
    DeepSpeedStrategy,
    FSDPStrategy,
    ModelParallelStrategy,
    Strategy,
)

from lightning_gen.errors import UserError

if TYPE_CHECKING:
    from lightning_gen.models.base.generative_model import GenerativeModel

ALTERNATING_DDP = "ddp_find_unused_parameters_true"


def check_strategy(strategy: Strategy) -> None:
    """Reject strategies that would fail or hang with alternating optimizers.

    Raises:
        UserError: If the strategy does not support them, naming one that does.
    """
    name, remedy = type(strategy).__name__, f'use strategy="{ALTERNATING_DDP}"'
    if isinstance(strategy, DeepSpeedStrategy | FSDPStrategy | ModelParallelStrategy):
        raise UserError(f"{name} does not support alternating optimizers: {remedy}")
    if isinstance(strategy, DDPStrategy):
        wrapped = strategy.model
        find_unused = getattr(wrapped, "find_unused_parameters", True)
        if not find_unused or getattr(wrapped, "static_graph", False):
            raise UserError(
                "this DDP strategy expects gradients of all parameters in every backward pass, "
                f"which alternating optimizers do not give: {remedy}"
            )


def check_flags(model: "GenerativeModel") -> None:
    """Reject flags of the Trainer for which models with alternating optimizers have arguments.

    Raises:
        UserError: naming the flag and the argument.
    """
    trainer, name = model.trainer, type(model).__name__
    for flag, is_set, argument in (
        ("gradient_clip_val", trainer.gradient_clip_val, "clip"),
        ("accumulate_grad_batches", trainer.accumulate_grad_batches > 1, "micro_batch_size"),
    ):
        if is_set and not model.automatic_optimization:
            raise UserError(
                f"Trainer({flag}=...) does not support the alternating optimizers of {name}: use "
                f"{name}({argument}=...)"
            )


def check_optimizers(model: "GenerativeModel") -> None:
    """Reject a single optimizer for several networks, as LightningCLI's --optimizer makes it.

    Raises:
        UserError: naming the arguments of the model that choose its optimizers.
    """
    players, optimizers = list(model.players), model.trainer.optimizers
    if len(optimizers) != len(players):
        raise UserError(
            f"{type(model).__name__} trains {' and '.join(players)} in turn, each with its own "
            f"optimizer, but there is {len(optimizers)} in all: instead of --optimizer and "
            "--lr_scheduler of LightningCLI, use --model.optimizer, --model.lr and --model.schedule"
        )


def check_classes(model: "GenerativeModel") -> None:
    """Warn if the data have fewer classes than a conditional model."""
    classes = getattr(getattr(model.trainer, "datamodule", None), "num_classes", None)
    if isinstance(classes, int) and 0 < classes < model.num_classes:
        warn(
            f"the data have {classes} classes, but num_classes={model.num_classes}: the other "
            "classes are never trained",
            stacklevel=2,
        )


def is_limited_by_time(trainer: Trainer) -> bool:
    """Return if only ``max_time`` ends the training."""
    callbacks: list[object] = list(trainer.callbacks)  # type: ignore[attr-defined]
    timed = any(isinstance(callback, Timer) for callback in callbacks)
    return timed and trainer.max_steps == -1 and trainer.max_epochs in (None, -1)


def check_namespace() -> None:
    """Warn if `pytorch_lightning` is imported, whose Trainer rejects models of `lightning`."""
    if "pytorch_lightning" in sys.modules:
        warn(
            "pytorch_lightning is imported, but its Trainer does not accept models of lightning: "
            "replace `import pytorch_lightning as pl` by `import lightning as pl`",
            stacklevel=3,
        )
