"""Autoencoder, Hinton and Salakhutdinov (2006), https://doi.org/10.1126/science.1127647."""

from lightning_gen.models.base import AutoencoderModel


class Autoencoder(AutoencoderModel):
    """The plain autoencoder: codes of images, and images of codes."""
