"""Sampling of GANs whose images come from noise alone."""

from typing import TYPE_CHECKING, Any

from lightning_gen.sampling import eval_mode, sampling_mode
from lightning_gen.types import Images, Latents

if TYPE_CHECKING:
    from lightning_gen.models.base.adversarial import AdversarialModel as Base
else:
    Base = object


class LatentSampling(Base):
    """Mixin of AdversarialModel: sampling from the prior z ~ N(0, I)."""

    def sample(self, n: int, seed: int | None = None, labels: Any = None) -> Images:
        """Generate n images (n, *image_shape) in [-1, 1], in eval mode.

        The random state of torch and the mode of the model are restored.

        Args:
            n: number of images.
            seed: seed of z; by default, every call generates new images.
            labels: labels (n,) for conditional models; by default, all classes in turn.
        """
        labels = self.all_classes(n) if labels is None else labels
        with sampling_mode(self, self.device, seed):
            return self.decode(self.prior(n), labels)

    def prior(self, n: int) -> Latents:
        """Draw n latents z ~ N(0, I)."""
        return self.latents(n)

    def decode(self, z: Latents, labels: Any = None) -> Images:
        """Return the images (b, *image_shape) in [-1, 1] of latents z (b, latent_dim).

        In eval mode, without gradients.

        Args:
            z: latents (b, latent_dim).
            labels: labels (b,) for conditional models.
        """
        with eval_mode(self):
            return self(self.to_device(z), *self.condition(labels))
