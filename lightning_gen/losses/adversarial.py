"""Adversarial losses as pairs of functions of raw scores, each to be minimised.

D's scores are logits: D(x) in the paper is sigmoid(score) here, so that every logarithm is a
softplus and stays finite where sigmoid(score) rounds to 0 or 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch.nn.functional import softplus

from lightning_gen.types import Logits, Scalar

Adversarial = Literal["non_saturating", "minimax"]


@dataclass(frozen=True)
class AdversarialLoss:
    """What each player minimises, given the scores of real and of fake images.

    Scores are taken to float32 first: under `bf16-mixed` they arrive with three digits.
    """

    of_discriminator: Callable[[Logits, Logits], Scalar]
    of_generator: Callable[[Logits], Scalar]

    def discriminator(self, real: Logits, fake: Logits) -> Scalar:
        """D's loss from the scores of real and of fake images, each averaged over its batch."""
        return self.of_discriminator(_lift(real), _lift(fake))

    def generator(self, fake: Logits) -> Scalar:
        """G's loss from the scores of its images, averaged over the batch."""
        return self.of_generator(_lift(fake))


def _lift(scores: Logits) -> Logits:
    return scores if scores.dtype.itemsize >= 4 else scores.float()


def cross_entropy(real: Logits, fake: Logits) -> Scalar:
    """-log D(x) - log(1 - D(G(z))): Goodfellow et al. (2014), eq. 1, with its sign turned."""
    return softplus(-real).mean() + softplus(fake).mean()


def minimax(fake: Logits) -> Scalar:
    """log(1 - D(G(z))): eq. 1; its gradient vanishes where D is sure of itself."""
    return -softplus(fake).mean()


def non_saturating(fake: Logits) -> Scalar:
    """-log D(G(z)): the same fixed point with a strong gradient early on (sec. 3)."""
    return softplus(-fake).mean()


ADVERSARIAL_LOSSES: dict[Adversarial, AdversarialLoss] = {
    "non_saturating": AdversarialLoss(cross_entropy, non_saturating),
    "minimax": AdversarialLoss(cross_entropy, minimax),
}
