"""Autoencoder, Hinton and Salakhutdinov (2006), https://doi.org/10.1126/science.1127647."""

from lightning_gen.models import base


class Autoencoder(base.AutoencoderModel):
    """The plain autoencoder: encodes images as codes, and decodes codes to images."""
