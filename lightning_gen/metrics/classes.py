"""Distribution of classes."""

import torch
from torch import Tensor
from torchmetrics.functional.regression import kl_divergence

from lightning_gen.types import Labels


def class_shares(labels: Labels, num_classes: int) -> Tensor:
    """Return the share (num_classes,) of each class among labels from 0 to num_classes - 1."""
    return torch.bincount(labels.cpu(), minlength=num_classes) / len(labels)


def class_divergence(shares: Tensor, reference: Tensor) -> float:
    """Return KL(shares || reference) in nats of two class distributions (num_classes,)."""
    return kl_divergence(shares[None].cpu().double(), reference[None].cpu().double()).item()
