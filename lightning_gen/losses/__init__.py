"""Objectives as pure functions of raw scores."""

from lightning_gen.losses.adversarial import (
    ADVERSARIAL_LOSSES,
    Adversarial,
    AdversarialLoss,
)

__all__ = ["ADVERSARIAL_LOSSES", "Adversarial", "AdversarialLoss"]
