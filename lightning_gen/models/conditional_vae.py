"""Conditional VAE, Sohn et al. (2015), https://papers.nips.cc/paper/5775."""

from lightning_gen.errors import require_at_least
from lightning_gen.models import base
from lightning_gen.types import ImageShape, Unpack


class ConditionalVAE(base.VariationalModel):
    """A VAE whose encoder and decoder take one-hot labels of the images.

    Args:
        image_shape: (channels, height, width) of the images.
        num_classes: number of classes.
        variational: arguments of `VariationalModel`, such as ``latent_dim`` and ``beta``.

    Raises:
        ArgumentError: If an argument is out of range, or a custom network does not fit.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        num_classes: int = 10,
        **variational: Unpack[base.VariationalArguments],
    ) -> None:
        require_at_least(1, num_classes=num_classes)
        super().__init__(image_shape, num_classes=num_classes, **variational)
        self.save_hyperparameters(ignore=self.networks)
