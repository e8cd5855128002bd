"""How often each class occurs."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.regression import kl_divergence

from lightning_gen.errors import require_at_least
from lightning_gen.types import Labels


class ClassHistogram(Metric):
    """Shares (num_classes,) of the classes among the labels seen so far.

    Of a model's images, the labels are those that a classifier gives them.

    Args:
        num_classes: labels are 0 to num_classes - 1.

    Raises:
        ArgumentError: there is no class.
    """

    full_state_update = False
    counts: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        require_at_least(1, num_classes=num_classes)
        self.num_classes = num_classes
        self.add_state("counts", torch.zeros(num_classes, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, labels: Labels) -> None:
        """Count the labels of a batch."""
        self.counts += torch.bincount(labels, minlength=self.num_classes)

    def compute(self) -> Tensor:
        """Shares, which sum to one."""
        return self.counts / self.counts.sum()


def class_divergence(shares: Tensor, reference: Tensor) -> float:
    """KL(shares || reference) in nats, of two histograms (num_classes,); 0 where they agree."""
    return kl_divergence(shares[None].cpu().double(), reference[None].cpu().double()).item()
