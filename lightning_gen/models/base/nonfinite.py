"""Stop a run whose loss is NaN or infinite, in all processes at the same step."""

from collections.abc import Mapping

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from lightning_gen.compat import batches_seen
from lightning_gen.errors import UserError


class NonFiniteLossError(UserError):
    """A loss is NaN or infinite."""


class NonFiniteGuard:
    """Check the losses of each step, on a GPU one step later so that the host does not wait."""

    def __init__(self) -> None:
        self.pending: tuple[Tensor, dict[str, Tensor], str] | None = None

    def watch(self, model: LightningModule, metrics: Mapping[str, Tensor]) -> None:
        """Record the losses among the metrics of a step, and check those of the step before.

        Raises:
            NonFiniteLossError: naming the term, the batch and the last checkpoint.
        """
        losses = [value for name, value in metrics.items() if name.endswith("/loss")]
        finite = torch.stack(losses).isfinite().all().float()
        if model.trainer.world_size > 1:
            torch.distributed.all_reduce(finite, torch.distributed.ReduceOp.MIN)
        self.check(model)
        step = f"epoch {model.current_epoch}, batch {batches_seen(model.trainer) - 1}"
        self.pending = finite, dict(metrics), step
        if finite.device.type == "cpu":
            self.check(model)

    def check(self, model: LightningModule) -> None:
        """Check the recorded losses; also called before a checkpoint is saved.

        Raises:
            NonFiniteLossError: see `watch`.
        """
        if self.pending is None:
            return
        (finite, metrics, step), self.pending = self.pending, None
        if finite:
            return
        terms = [name for name, value in metrics.items() if not value.isfinite()]
        clip = "--trainer.gradient_clip_val" if model.automatic_optimization else "--model.clip"
        raise NonFiniteLossError(
            f"{', '.join(terms) or 'a loss in another process'} is NaN or infinite in {step} "
            f"(counted from 0).\nLast good checkpoint: {_last_checkpoint(model.trainer)}. "
            f"Try a lower --model.lr, or {clip} 1."
        )


def _last_checkpoint(trainer: Trainer) -> str:
    callbacks = [c for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint)]
    paths = [callback.last_model_path or callback.best_model_path for callback in callbacks]
    return next(filter(None, paths), "none")
