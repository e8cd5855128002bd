"""The encoder and the decoder of an autoencoder: a body's, or the user's own."""

from typing import get_args

from torch import nn

from lightning_gen.errors import ArgumentError, require_at_least, require_one_of
from lightning_gen.models.base.checks import check_coders
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
    architecture: Body,
    hidden_dims: tuple[int, ...],
    base_channels: int,
    activation: Activation,
    outputs: int | None = None,
    condition: int = 0,
    encoder: nn.Module | None = None,
    decoder: nn.Module | None = None,
) -> tuple[nn.Module, nn.Module]:
    """The user's own encoder and decoder where there are any, a body's elsewhere.

    Args:
        image_shape: (channels, height, base_channels).
        latent_dim: entries of a code.
        architecture: "mlp", or "conv", whose hidden layer has the first of the hidden_dims.
        hidden_dims: units of the hidden num_layers, from the image to the code.
        base_channels: channels of the convolutions next to the image.
        activation: between layers.
        outputs: of the encoder; `latent_dim` by default.
        condition: entries of the condition.
        encoder: an own network.
        decoder: an own network.

    Raises:
        ArgumentError: an argument is out of its range, or an own network does not fit.
    """
    require_one_of(get_args(Body), architecture=architecture)
    require_one_of(get_args(Activation), activation=activation)
    require_at_least(
        1,
        latent_dim=latent_dim,
        hidden_dims=min(hidden_dims, default=1),
        base_channels=base_channels,
    )
    outputs = outputs or latent_dim
    if architecture == "conv" and len(hidden_dims) != 1:
        raise ArgumentError(
            "hidden_dims", f"must be one number for a conv architecture, but is {hidden_dims}"
        )
    E, D = encoder, decoder
    if E is None:
        E = (
            MLPEncoder(image_shape, hidden_dims, outputs, activation, condition)
            if architecture == "mlp"
            else ConvEncoder(
                image_shape, base_channels, hidden_dims[0], outputs, activation, condition
            )
        )
    if D is None:
        D = (
            MLPDecoder(latent_dim, hidden_dims[::-1], image_shape, activation, condition)
            if architecture == "mlp"
            else ConvDecoder(
                latent_dim, image_shape, base_channels, hidden_dims[0], activation, condition
            )
        )
    if encoder is not None or decoder is not None:
        check_coders(E, D, image_shape, latent_dim, outputs, condition)
    return E.train(), D.train()
