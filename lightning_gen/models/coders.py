"""The encoder and the decoder of an autoencoder: a body's, or the user's own."""

from typing import get_args

from torch import nn

from lightning_gen.checks import check_coders
from lightning_gen.errors import ArgumentError, require_at_least, require_one_of
from lightning_gen.networks import (
    Activation,
    Body,
    ConvDecoder,
    ConvEncoder,
    MLPDecoder,
    MLPEncoder,
)
from lightning_gen.types import ImageShape


def coders(
    image_shape: ImageShape,
    latent_dim: int,
    *,
    body: Body,
    widths: tuple[int, ...],
    width: int,
    activation: Activation,
    outputs: int | None = None,
    condition: int = 0,
    encoder: nn.Module | None = None,
    decoder: nn.Module | None = None,
) -> tuple[nn.Module, nn.Module]:
    """The user's own encoder and decoder where there are any, a body's elsewhere.

    Args:
        image_shape: (channels, height, width).
        latent_dim: entries of a code.
        body: "mlp", or "conv", whose hidden layer has the first of the widths.
        widths: units of the hidden layers, from the image to the code.
        width: channels of the convolutions next to the image.
        activation: between layers.
        outputs: of the encoder; `latent_dim` by default.
        condition: entries of the condition.
        encoder: an own network.
        decoder: an own network.

    Raises:
        ArgumentError: an argument is out of its range, or an own network does not fit.
    """
    require_one_of(get_args(Body), body=body)
    require_one_of(get_args(Activation), activation=activation)
    require_at_least(1, latent_dim=latent_dim, widths=min(widths, default=1), width=width)
    outputs = outputs or latent_dim
    if body == "conv" and len(widths) != 1:
        raise ArgumentError("widths", f"must be one number for a conv body, but is {widths}")
    E, D = encoder, decoder
    if E is None:
        E = (
            MLPEncoder(image_shape, widths, outputs, activation, condition)
            if body == "mlp"
            else ConvEncoder(image_shape, width, widths[0], outputs, activation, condition)
        )
    if D is None:
        D = (
            MLPDecoder(latent_dim, widths[::-1], image_shape, activation, condition)
            if body == "mlp"
            else ConvDecoder(latent_dim, image_shape, width, widths[0], activation, condition)
        )
    if encoder is not None or decoder is not None:
        check_coders(E, D, image_shape, latent_dim, outputs, condition)
    return E.train(), D.train()
