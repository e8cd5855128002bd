"""Adversarial losses: pairs of functions of raw scores, which D and G minimize.

For cross-entropy losses, D(x) of the papers is sigmoid(score), so each logarithm is a softplus.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch.nn.functional import relu, softplus

from lightning_gen.types import Logits, Scalar, to_float32

Adversarial = Literal[
    "non_saturating", "minimax", "least_squares", "hinge", "wasserstein", "relativistic"
]


@dataclass(frozen=True)
class AdversarialLoss:
    """Losses of D and G as functions of the scores of real and generated images, in float32.

    Attributes:
        of_discriminator: loss of D from real and fake scores.
        of_generator: loss of G from fake scores; from real and fake scores if ``relativistic``.
        relativistic: whether the loss of G depends on real scores.
        has_targets: whether D regresses real scores to a target, which can be smoothed.
        scores_are_logits: whether sigmoid(score) is D(x) of the paper.
        threshold: score that separates real from fake; None if only differences count.
        scale: weight of the loss of D, and of terms that are part of it.
        generator_scale: weight of the loss of G.
    """

    of_discriminator: Callable[[Logits, Logits], Scalar]
    of_generator: Callable[..., Scalar]
    relativistic: bool = False
    has_targets: bool = False
    scores_are_logits: bool = False
    threshold: float | None = 0.0
    scale: float = 1.0
    generator_scale: float = 1.0

    def discriminator(self, real: Logits, fake: Logits) -> Scalar:
        """Return the loss of D, averaged over real and over fake scores."""
        return self.scale * self.of_discriminator(to_float32(real), to_float32(fake))

    def generator(self, fake: Logits, real: Logits | None = None) -> Scalar:
        """Return the loss of G, averaged over scores; relativistic losses need real scores."""
        scores = [fake] if real is None or not self.relativistic else [real, fake]
        return self.generator_scale * self.of_generator(*map(to_float32, scores))


def cross_entropy(real: Logits, fake: Logits) -> Scalar:
    """-log D(x) - log(1 - D(G(z))): negative of Goodfellow et al. (2014), eq. 1."""
    return softplus(-real).mean() + softplus(fake).mean()


def minimax(fake: Logits) -> Scalar:
    """log(1 - D(G(z))): eq. 1. The gradient vanishes where D is confident."""
    return -softplus(fake).mean()


def non_saturating(fake: Logits) -> Scalar:
    """-log D(G(z)): the same fixed point, with a strong gradient early in training (sec. 3)."""
    return softplus(-fake).mean()


def least_squares(real: Logits, fake: Logits) -> Scalar:
    """(D(x) - 1)^2 / 2 + D(G(z))^2 / 2: Mao et al. (2017), eq. 9, in raw scores."""
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def least_squares_g(fake: Logits) -> Scalar:
    """(D(G(z)) - 1)^2 / 2: eq. 9."""
    return (fake - 1).square().mean() / 2


def hinge(real: Logits, fake: Logits) -> Scalar:
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))): Miyato et al. (2018), eq. 16."""
    return relu(1 - real).mean() + relu(1 + fake).mean()


def wasserstein(real: Logits, fake: Logits) -> Scalar:
    """D(G(z)) - D(x): Arjovsky et al. (2017), eq. 3; D must be kept Lipschitz separately."""
    return fake.mean() - real.mean()


def wasserstein_g(fake: Logits) -> Scalar:
    """-D(G(z)): the loss of G for `hinge` and `wasserstein`."""
    return -fake.mean()


def relativistic(real: Logits, fake: Logits) -> Scalar:
    """-log sigmoid(D(x) - D(G(z))) for pairs (RpGAN): Jolicoeur-Martineau (2018), sec. 4.1."""
    return softplus(fake - real).mean()


def relativistic_g(real: Logits, fake: Logits) -> Scalar:
    """-log sigmoid(D(G(z)) - D(x)): the same with the roles swapped."""
    return softplus(real - fake).mean()


ADVERSARIAL_LOSSES: dict[Adversarial, AdversarialLoss] = {
    "non_saturating": AdversarialLoss(
        cross_entropy, non_saturating, has_targets=True, scores_are_logits=True
    ),
    "minimax": AdversarialLoss(cross_entropy, minimax, has_targets=True, scores_are_logits=True),
    "least_squares": AdversarialLoss(
        least_squares, least_squares_g, has_targets=True, threshold=0.5
    ),
    "hinge": AdversarialLoss(hinge, wasserstein_g),
    "wasserstein": AdversarialLoss(wasserstein, wasserstein_g, threshold=None),
    "relativistic": AdversarialLoss(
        relativistic, relativistic_g, relativistic=True, threshold=None
    ),
}
