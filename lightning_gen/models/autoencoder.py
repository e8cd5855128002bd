"""Reducing the dimensionality of data with neural networks, Hinton and Salakhutdinov (2006)."""

from lightning_gen.models.base.autoencoder import AutoencoderModel


class Autoencoder(AutoencoderModel):
    """The plain autoencoder: codes of images, and images from codes."""
