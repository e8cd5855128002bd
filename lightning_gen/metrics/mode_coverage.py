"""Number of modes found by a generator, and their distribution."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_gen.errors import ArgumentError, DataError, require_at_least
from lightning_gen.types import Labels


class ModeCoverage(Metric):
    """Number of modes found, share of high-quality samples, and KL from the data's modes.

    The protocol of PacGAN (Lin et al., 2018, https://arxiv.org/abs/1712.04086) and its code: only
    high-quality samples count; a mode is found if it has at least one of them; the divergence is
    the "reverse" one, KL(p_generated || p_data), in nats. It is 0 at best, finite if modes are
    missing, log(num_modes) if all samples are in one of equal modes, and inf if no sample is of
    high quality. Also report the number of samples: a perfect generator has a KL of about
    (num_modes - 1) / (2 samples).

    For points, `GaussianMixture.nearest` returns both arguments of `update`; for Stacked MNIST, the
    modes are the predictions of a digit classifier for the three channels.

    Args:
        num_modes: number of modes of the data.
        weights: relative frequencies of the modes in the data; equal by default.
        metric: arguments of `torchmetrics.Metric`.

    Raises:
        ArgumentError: If num_modes is not positive, or weights are not num_modes positive numbers.
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
            raise ArgumentError("weights", f"must be {num_modes} positive numbers, one per mode")
        self.num_modes, self.weights = num_modes, w / w.sum()
        self.add_state("found", torch.zeros(num_modes, dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("samples", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, modes: Labels, high_quality: Tensor | None = None) -> None:
        """Add samples.

        Args:
            modes: mode (b,) of each sample, from 0 to num_modes - 1.
            high_quality: (b,) bool, True if the sample counts; by default all do.

        Raises:
            DataError: If a mode is out of range.
        """
        if len(modes) and not 0 <= modes.min() <= modes.max() < self.num_modes:
            raise DataError(
                f"modes must be between 0 and {self.num_modes - 1}, but are between {modes.min()} "
                f"and {modes.max()}; see ModeCoverage(num_modes={self.num_modes})"
            )
        good = modes if high_quality is None else modes[high_quality]
        self.found += torch.bincount(good, minlength=self.num_modes)
        self.samples += len(modes)

    def compute(self) -> dict[str, Tensor]:
        """Return the number of `modes` found, share of `high_quality` samples, and `kl` in nats."""
        good = self.found.sum()
        p = self.found / good
        kl = torch.special.xlogy(p, p / self.weights.to(p)).sum()
        return {
            "modes": (self.found > 0).sum().float(),
            "high_quality": good / self.samples,
            "kl": torch.where(good > 0, kl, torch.inf),
        }
