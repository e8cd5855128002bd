"""Deep conditional generative models, Sohn et al. (2015), https://papers.nips.cc/paper/5775."""

from typing import Any

from lightning_gen.errors import require_at_least
from lightning_gen.models.base.variational import VariationalModel
from lightning_gen.types import ImageShape


class ConditionalVAE(VariationalModel):
    """A VAE of images given their labels, which encoder and decoder both see, one-hot.

    Args:
        image_shape: (channels, height, base_channels) of the images.
        num_classes: number of labels.
        variational: the arguments of `VariationalModel`, such as `latent_dim` and `beta`.

    Raises:
        ArgumentError: an argument is out of its range, or an own network does not fit.
    """

    def __init__(self, image_shape: ImageShape, num_classes: int = 10, **variational: Any) -> None:
        require_at_least(1, num_classes=num_classes)
        super().__init__(image_shape, num_classes=num_classes, **variational)
        self.save_hyperparameters(ignore=[*self.networks, *self.fixed])
