"""A running average of the generator's weights, Karras et al. (2018), app. A.1.

Theirs decays by 0.999 a step; a half-life in images that grows at first is that of StyleGAN2-ADA,
Karras et al. (2020), https://arxiv.org/abs/2006.06676.
"""

from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.data import extract_batch_size

from lightning_gen.errors import require_at_least
from lightning_gen.protocols import HasAverage


class GeneratorEMA(Callback):
    """HasAverage the generator, and only it; samples and validation then come from the average.

    The half-life is counted in images, so that it means the same at every batch size, number of
    processes and k. At first it is a share of the images seen so far, so that the average does
    not drag the untrained beginning along. The average is part of the model's weights: it is
    saved, restored and loaded with them. Buffers, such as batch statistics, are copied.

    Args:
        halflife: images after which a weight counts half; 0 switches the average off.
        rampup: largest half-life as a share of the images seen so far; 0 for no such limit.

    Raises:
        ArgumentError: an argument is negative.
    """

    def __init__(self, halflife: float = 10_000, rampup: float = 0.05) -> None:
        require_at_least(0, halflife=halflife, rampup=rampup)
        self.halflife, self.rampup = halflife, rampup

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Add the average to the model, before its weights move to a device or are restored."""
        if stage != "fit" or not self.halflife:
            return
        if isinstance(pl_module, HasAverage):
            pl_module.start_average()
        else:
            name = type(pl_module).__name__
            rank_zero_warn(f"{name} has no generator to average: ema.halflife does nothing here.")

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the average towards the generator by as much as the batch's images weigh."""
        if not self.halflife or not isinstance(pl_module, HasAverage) or pl_module.average is None:
            return
        images = extract_batch_size(batch) * trainer.world_size
        seen = images * (trainer.fit_loop.total_batch_idx + 1)
        halflife = min(self.halflife, self.rampup * seen) if self.rampup else self.halflife
        keep = 0.5 ** (images / halflife)
        average, generator = pl_module.average, pl_module.generator
        for mean, weight in zip(average.parameters(), generator.parameters(), strict=True):
            mean.lerp_(weight, 1 - keep)
        for kept, buffer in zip(average.buffers(), generator.buffers(), strict=True):
            kept.copy_(buffer)
