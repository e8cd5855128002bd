"""A run whose losses are no numbers any more ends at once, in every process."""

from collections.abc import Mapping

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from lightning_gen.errors import UserError


class NonFiniteLossError(UserError):
    """A loss is NaN or infinite."""


class NonFiniteGuard:
    """Looks at the losses of each step: on a GPU at the end of the next one, so that nothing waits.

    All processes look at the same flag, so all of them stop at the same step.
    """

    def __init__(self) -> None:
        self.pending: tuple[Tensor, dict[str, Tensor], str] | None = None

    def watch(self, model: LightningModule, reports: Mapping[str, Tensor]) -> None:
        """Take the losses among a step's reports, and look at those that are due.

        Raises:
            NonFiniteLossError: naming the term, the place and the last checkpoint.
        """
        losses = {name: value for name, value in reports.items() if name.endswith("/loss")}
        finite = torch.stack(list(losses.values())).isfinite().all().float()
        if model.trainer.world_size > 1:
            torch.distributed.all_reduce(finite, torch.distributed.ReduceOp.MIN)
        self.look(model)
        place = f"epoch {model.current_epoch}, batch {model.trainer.fit_loop.total_batch_idx}"
        self.pending = finite, dict(reports), place
        if finite.device.type == "cpu":
            self.look(model)

    def look(self, model: LightningModule) -> None:
        """Look at what has not been looked at yet; called before a checkpoint is written, too.

        Raises:
            NonFiniteLossError: see `watch`.
        """
        if self.pending is None:
            return
        (finite, reports, place), self.pending = self.pending, None
        if finite:
            return
        terms = [name for name, value in reports.items() if not value.isfinite()]
        clip = "--trainer.gradient_clip_val" if model.automatic_optimization else "--model.clip"
        raise NonFiniteLossError(
            f"{', '.join(terms) or 'a loss in another process'} is no number in {place} "
            f"(counted from 0).\nThe last good checkpoint: {_last_checkpoint(model.trainer)}. "
            f"A lower --model.lr or a {clip} may help."
        )


def _last_checkpoint(trainer: Trainer) -> str:
    savers = [saver for saver in trainer.checkpoint_callbacks if isinstance(saver, ModelCheckpoint)]
    paths = [saver.last_model_path or saver.best_model_path for saver in savers]
    return next(filter(None, paths), "none")
