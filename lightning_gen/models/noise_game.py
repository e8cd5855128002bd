"""The game in which images come from noise alone."""

from abc import ABC

from lightning_gen.models.adversarial import AdversarialModel
from lightning_gen.sampling import drawing
from lightning_gen.types import Images


class NoiseGame(AdversarialModel, ABC):
    """A GAN without a condition: images are drawn, and that is all."""

    def sample(self, n: int, seed: int | None = None) -> Images:
        """Draw n images (n, *image_shape) in [-1, 1], in eval mode.

        The same seed gives the same images; without one, every call gives new ones. Training is
        not disturbed: modes and torch's random state are as before.
        """
        with drawing(self, self.device, seed):
            return self.generate(n)
