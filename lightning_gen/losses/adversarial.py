"""Adversarial losses as pairs of functions of raw scores, each to be minimised.

D's scores are logits: D(x) in the papers is sigmoid(score) here where the loss is a cross-entropy,
so that every logarithm is a softplus and stays finite where sigmoid(score) rounds to 0 or 1.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from torch.nn.functional import relu, softplus

from lightning_gen.types import Logits, Scalar, to_float32

Adversarial = Literal[
    "non_saturating", "minimax", "least_squares", "hinge", "wasserstein", "relativistic"
]


@dataclass(frozen=True)
class AdversarialLoss:
    """What each player minimises, given the scores of real and of fake images.

    Scores are taken to float32 first: under `bf16-mixed` they arrive with three digits.

    Attributes:
        of_discriminator: D's loss from the scores of real and of fake images.
        of_generator: G's loss from the scores of fakes; of real images and fakes if `compares`.
        compares: whether G's loss needs the real images' scores, too.
        has_targets: whether D pulls real scores to a target, which can be smoothed.
        of_logits: whether sigmoid(score) is the paper's D(x).
        scale: the constant by which D's loss is weighted, and by which what is added to it must be.
    """

    of_discriminator: Callable[[Logits, Logits], Scalar]
    of_generator: Callable[..., Scalar]
    compares: bool = False
    has_targets: bool = False
    of_logits: bool = False
    scale: float = 1.0

    def discriminator(self, real: Logits, fake: Logits) -> Scalar:
        """D's loss from the scores of real and of fake images, each averaged over its batch."""
        return self.of_discriminator(to_float32(real), to_float32(fake))

    def generator(self, fake: Logits, real: Logits | None = None) -> Scalar:
        """G's loss from the scores of its images, averaged over the batch.

        Args:
            fake: scores of G's images.
            real: scores of real images, as many; only a loss that `compares` looks at them.
        """
        if self.compares and real is not None:
            return self.of_generator(to_float32(real), to_float32(fake))
        return self.of_generator(to_float32(fake))

    def weighted(self, discriminator: float, generator: float) -> "AdversarialLoss":
        """The same game with each player's loss times a constant."""
        return replace(
            self,
            of_discriminator=partial(_times, discriminator, self.of_discriminator),
            of_generator=partial(_times, generator, self.of_generator),
            scale=discriminator * self.scale,
        )


def _times(weight: float, loss: Callable[..., Scalar], *scores: Logits) -> Scalar:
    return weight * loss(*scores)


def cross_entropy(real: Logits, fake: Logits) -> Scalar:
    """-log D(x) - log(1 - D(G(z))): Goodfellow et al. (2014), eq. 1, with its sign turned."""
    return softplus(-real).mean() + softplus(fake).mean()


def minimax(fake: Logits) -> Scalar:
    """log(1 - D(G(z))): eq. 1; its gradient vanishes where D is sure of itself."""
    return -softplus(fake).mean()


def non_saturating(fake: Logits) -> Scalar:
    """-log D(G(z)): the same fixed point with a strong gradient early on (sec. 3)."""
    return softplus(-fake).mean()


def least_squares(real: Logits, fake: Logits) -> Scalar:
    """(D(x) - 1)^2 / 2 + D(G(z))^2 / 2: Mao et al. (2017), eq. 9, in raw scores."""
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def least_squares_of_generator(fake: Logits) -> Scalar:
    """(D(G(z)) - 1)^2 / 2: eq. 9."""
    return (fake - 1).square().mean() / 2


def hinge(real: Logits, fake: Logits) -> Scalar:
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))): Miyato et al. (2018), eq. 16."""
    return relu(1 - real).mean() + relu(1 + fake).mean()


def wasserstein(real: Logits, fake: Logits) -> Scalar:
    """D(G(z)) - D(x): Arjovsky et al. (2017), eq. 3; D must be kept Lipschitz by other means."""
    return fake.mean() - real.mean()


def wasserstein_of_generator(fake: Logits) -> Scalar:
    """-D(G(z)): what G minimises under `hinge` and `wasserstein`."""
    return -fake.mean()


def relativistic(real: Logits, fake: Logits) -> Scalar:
    """-log sigmoid(D(x) - D(G(z))) for pairs: Jolicoeur-Martineau (2018), sec. 4.1.

    With a non-saturating G this is RpGAN, which Huang et al. (2024) train with R1 and R2.
    """
    return softplus(fake - real).mean()


def relativistic_of_generator(real: Logits, fake: Logits) -> Scalar:
    """-log sigmoid(D(G(z)) - D(x)): the same with the roles exchanged."""
    return softplus(real - fake).mean()


ADVERSARIAL_LOSSES: dict[Adversarial, AdversarialLoss] = {
    "non_saturating": AdversarialLoss(
        cross_entropy, non_saturating, has_targets=True, of_logits=True
    ),
    "minimax": AdversarialLoss(cross_entropy, minimax, has_targets=True, of_logits=True),
    "least_squares": AdversarialLoss(least_squares, least_squares_of_generator, has_targets=True),
    "hinge": AdversarialLoss(hinge, wasserstein_of_generator),
    "wasserstein": AdversarialLoss(wasserstein, wasserstein_of_generator),
    "relativistic": AdversarialLoss(relativistic, relativistic_of_generator, compares=True),
}
