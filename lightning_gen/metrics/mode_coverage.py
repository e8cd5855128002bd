"""How many modes of the data a generator has found, and how evenly it visits them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_gen.errors import ArgumentError, DataError, require_at_least
from lightning_gen.types import Labels


class ModeCoverage(Metric):
    """Modes found, share of samples of high quality, and KL from the data's histogram of modes.

    The protocol of PacGAN (Lin et al., 2018, https://arxiv.org/abs/1712.04086) and of its code:
    only samples of high quality enter the histogram; a mode is found if one of them falls to it;
    the divergence is the "reverse" one, KL(p_generated || p_data), in nats. It is finite where
    modes are missing, 0 at best, log(num_modes) where all samples are in one of equal modes, and
    inf if no sample is of high quality. State the number of samples beside it: finitely many
    samples of a perfect generator have a KL of about (num_modes - 1) / (2 samples).

    For points, `GaussianMixture.nearest` gives both arguments of `update`; for Stacked MNIST, the
    modes are the labels that a classifier of digits gives to the three channels.

    Args:
        num_modes: modes of the data.
        weights: of the modes in the data, up to a factor; equal by default.
        metric: of `torchmetrics.Metric`.

    Raises:
        ArgumentError: there is no mode, or weights are not one positive number a mode.
    """

    is_differentiable = False
    full_state_update = False

    found: Tensor
    samples: Tensor

    def __init__(
        self, num_modes: int, weights: Sequence[float] | Tensor | None = None, **metric: Any
    ) -> None:
        super().__init__(**metric)
        require_at_least(1, num_modes=num_modes)
        w = torch.as_tensor([1.0] * num_modes if weights is None else weights)
        if w.shape != (num_modes,) or not (w > 0).all():
            raise ArgumentError("weights", f"must be {num_modes} positive numbers, one for a mode")
        self.num_modes, self.weights = num_modes, w / w.sum()
        self.add_state("found", torch.zeros(num_modes, dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("samples", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, modes: Labels, high_quality: Tensor | None = None) -> None:
        """Count samples.

        Args:
            modes: the mode (b,) each sample falls to, from 0 to num_modes - 1.
            high_quality: whether it is close enough to count for it, (b,) bool; all are by default.

        Raises:
            DataError: a mode is out of range.
        """
        if len(modes) and not 0 <= modes.min() <= modes.max() < self.num_modes:
            raise DataError(
                f"modes must lie from 0 to {self.num_modes - 1}, but span "
                f"[{modes.min()}, {modes.max()}]: see ModeCoverage(num_modes={self.num_modes})"
            )
        good = modes if high_quality is None else modes[high_quality]
        self.found += torch.bincount(good, minlength=self.num_modes)
        self.samples += len(modes)

    def compute(self) -> dict[str, Tensor]:
        """The figures so far: `modes` found, share of `high_quality`, `kl` in nats."""
        good = self.found.sum()
        p = self.found / good
        kl = torch.special.xlogy(p, p / self.weights.to(p)).sum()
        return {
            "modes": (self.found > 0).sum().float(),
            "high_quality": good / self.samples,
            "kl": torch.where(good > 0, kl, torch.inf),
        }
