"""Exponential moving average of a generator's weights, Karras et al. (2018), app. A.1.

The paper decays by 0.999 per step. The half-life in images and its ramp-up are those of
StyleGAN2-ADA, Karras et al. (2020), https://arxiv.org/abs/2006.06676.
"""

from copy import deepcopy
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.data import extract_batch_size

from lightning_gen.compat import batches_seen
from lightning_gen.errors import require_at_least
from lightning_gen.protocols import HasAverage


class GeneratorEMA(Callback):
    """Average the generator's weights; samples and validation then use the average.

    The half-life is counted in images, so it does not depend on the batch size, the number of
    processes or k. At first, it is a share of the images seen so far, so the untrained generator
    is soon forgotten. The average is saved, restored and loaded with the model's weights. Buffers,
    such as batch statistics, are copied.

    Args:
        halflife: number of images after which a weight counts half; if 0, do not average.
        rampup: largest half-life as a share of the images seen so far; if 0, there is no limit.

    Raises:
        ArgumentError: an argument is negative.
    """

    def __init__(self, halflife: float = 10_000, rampup: float = 0.05) -> None:
        require_at_least(0, halflife=halflife, rampup=rampup)
        self.halflife, self.rampup = halflife, rampup

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Add the average to the model before its weights are moved to a device or restored."""
        if stage != "fit" or not self.halflife:
            return
        if isinstance(pl_module, HasAverage):
            if pl_module.average is None:
                pl_module.average = deepcopy(pl_module.generator).requires_grad_(False)
        else:
            name = type(pl_module).__name__
            rank_zero_warn(f"{name} has no generator to average: GeneratorEMA has no effect")

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Update the average, with the batch's number of images as weight."""
        if not self.halflife or not isinstance(pl_module, HasAverage) or pl_module.average is None:
            return
        images = extract_batch_size(batch) * trainer.world_size
        seen = images * batches_seen(trainer)
        halflife = min(self.halflife, self.rampup * seen) if self.rampup else self.halflife
        decay = 0.5 ** (images / halflife)
        average, generator = pl_module.average, pl_module.generator
        for mean, weight in zip(average.parameters(), generator.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)
        for copy, buffer in zip(average.buffers(), generator.buffers(), strict=True):
            copy.copy_(buffer)
