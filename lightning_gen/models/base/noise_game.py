"""The game in which images come from noise alone."""

from abc import ABC

from lightning_gen.models.base.adversarial import AdversarialModel
from lightning_gen.sampling import eval_mode, sampling_mode
from lightning_gen.types import Images, Labels, Latents


class NoiseGame(AdversarialModel, ABC):
    """A GAN whose images are drawn, and that is all; a conditional one says of which class."""

    def sample(self, n: int, seed: int | None = None) -> Images:
        """Draw n images (n, *image_shape) in [-1, 1], in eval mode.

        The same seed gives the same images; without one, every call gives new ones. Training is
        not disturbed: modes and torch's random state are as before.
        """
        with sampling_mode(self, self.device, seed):
            return self.generate(n)

    def prior(self, n: int) -> Latents:
        """Draw z ~ N(0, I), n times."""
        return self.latents(n)

    def decode(self, z: Latents, labels: Labels | None = None) -> Images:
        """The images (b, *image_shape) in [-1, 1] of latents z, in eval mode and without gradients.

        Args:
            z: latents (b, latent_dim).
            labels: (b,), for conditional models.
        """
        with eval_mode(self):
            return self(self.place(z), *self.condition(labels))
