"""What is checked when a model is made, before it can go wrong: shapes, and own networks."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lightning_gen.errors import ArgumentError, DataError
from lightning_gen.sampling import eval_mode
from lightning_gen.types import ImageShape


def check_image_shape(image_shape: ImageShape) -> ImageShape:
    """Three positive integers (channels, height, base_channels), as a tuple.

    Raises:
        ArgumentError: it is something else.
    """
    shape = tuple(image_shape)
    if len(shape) != 3 or any(not isinstance(size, int) or size < 1 for size in shape):
        raise ArgumentError(
            "image_shape",
            f"must be (channels, height, base_channels), three positive integers, but is {shape}",
        )
    return shape


def packed(image_shape: ImageShape, images: int) -> ImageShape:
    """The shape of so many images joined along their channels."""
    channels, height, base_channels = image_shape
    return channels * images, height, base_channels


def require_default(network: str, own: nn.Module | None, **arguments: float) -> None:
    """Refuse what the model's own network would do, beside a user's, which does not know of it.

    Raises:
        ArgumentError: naming the first argument that asks for something.
    """
    for argument, value in arguments.items():
        if own is not None and value:
            raise ArgumentError(argument, f"has no effect on your own {network}: leave it out")


def own_players(
    generator: nn.Module | None,
    discriminator: nn.Module | None,
    default_generator: Callable[[], nn.Module],
    default_discriminator: Callable[[], nn.Module],
    latent_dim: int,
    image_shape: ImageShape,
    condition: int = 0,
    images: int = 1,
) -> tuple[nn.Module, nn.Module]:
    """The user's own networks where there are any, the model's defaults elsewhere.

    Own networks are tried on a few latents, to find what does not fit before training does, and
    are given back in training mode.

    Args:
        generator: an own network.
        discriminator: an own network.
        default_generator: makes the model's.
        default_discriminator: makes the model's.
        latent_dim: entries of z.
        image_shape: (channels, height, base_channels).
        condition: entries of the condition that both see besides.
        images: how many D judges at once, channel by channel.

    Raises:
        ArgumentError: naming the network, what it was given and what came out.
    """
    G = default_generator() if generator is None else generator
    D = default_discriminator() if discriminator is None else discriminator
    if generator is not None or discriminator is not None:
        with eval_mode(G, D):
            _check_players(G, D, latent_dim, image_shape, condition, images)
    return G.train(), D.train()


def _check_players(
    G: nn.Module,
    D: nn.Module,
    latent_dim: int,
    image_shape: ImageShape,
    condition: int,
    images: int,
) -> None:
    z = torch.zeros(2, latent_dim, device=_device_of(G))
    x = _attempt("generator", G, z, *([z.new_zeros(2, condition)] if condition else []))
    if x.shape != (2, *image_shape):
        raise ArgumentError(
            "generator",
            f"must map latents {tuple(z.shape)} to images {(2, *image_shape)}, "
            f"but gives {tuple(x.shape)}",
        )
    x = x.to(_device_of(D)).repeat(1, images, 1, 1)
    c = [x.new_zeros(2, images * condition)] if condition else []
    _check_scores("discriminator", D, _attempt("discriminator", D, x, *c))


def _check_scores(argument: str, D: nn.Module, scores: Tensor) -> None:
    """Refuse what gives anything but raw scores for two images."""
    if scores.ndim == 0 or len(scores) != 2:
        raise ArgumentError(
            argument,
            f"must give a score, or a map of scores, for each of 2 images, "
            f"but gives {tuple(scores.shape)}",
        )
    if isinstance(D, nn.Sequential) and isinstance(D[-1], nn.Sigmoid):
        raise ArgumentError(
            argument, "must give raw scores (logits): leave out the Sigmoid at its end"
        )


def own_network(
    argument: str,
    own: nn.Module | None,
    default: Callable[[], nn.Module],
    given: ImageShape,
    expected: ImageShape | None = None,
) -> nn.Module:
    """The user's own network from images to images or scores, or the default where there is none.

    An own network is tried on an image, to find what does not fit before training does, and is
    given back in training mode: published weights come in eval mode. Of a default one, only the
    image's size is checked.

    Args:
        argument: that it came by.
        own: the network, if there is one.
        default: makes the model's.
        given: (channels, height, base_channels) of what goes in.
        expected: the same of what comes out; None for scores.

    Raises:
        ArgumentError: naming the network, what it was given and what came out; or `image_shape`.
    """
    if own is None:
        _check_sides(argument, default, given)
        return default()
    with eval_mode(own):
        x = torch.zeros(2, *given, device=_device_of(own))
        output = _attempt(argument, own, x)
    if expected and output.shape != (2, *expected):
        raise ArgumentError(
            argument,
            f"must map {tuple(x.shape)} to {(2, *expected)}, but gives {tuple(output.shape)}",
        )
    if not expected:
        _check_scores(argument, own, output)
    return own.train()


def _check_sides(argument: str, default: Callable[[], nn.Module], given: ImageShape) -> None:
    """Refuse sizes that would fail in training, by a pass that computes nothing."""
    with torch.device("meta"), torch.no_grad():
        try:
            default()(torch.empty(2, *given))
        except DataError as error:
            raise ArgumentError("image_shape", f"does not suit {argument}: {error}") from error


def check_coders(
    encoder: nn.Module,
    decoder: nn.Module,
    image_shape: ImageShape,
    latent_dim: int,
    outputs: int,
    condition: int,
) -> None:
    """Try an encoder and a decoder on two images, to find what does not fit before training does.

    Raises:
        ArgumentError: naming the network, what it was given and what came out.
    """
    with eval_mode(encoder, decoder):
        for argument, network, given, expected in (
            ("encoder", encoder, image_shape, (outputs,)),
            ("decoder", decoder, (latent_dim,), image_shape),
        ):
            device = _device_of(network)
            inputs = torch.zeros(2, *given, device=device)
            c = [torch.zeros(2, condition, device=device)] if condition else []
            output = _attempt(argument, network, inputs, *c)
            if output.shape != (2, *expected):
                raise ArgumentError(
                    argument,
                    f"must map {tuple(inputs.shape)} to {(2, *expected)}, "
                    f"but gives {tuple(output.shape)}",
                )


def _attempt(argument: str, network: nn.Module, inputs: Tensor, *c: Tensor) -> Tensor:
    try:
        output = network(inputs, *c)
    except Exception as error:
        raise ArgumentError(
            argument, f"fails on an input of shape {tuple(inputs.shape)}: {error}"
        ) from error
    if not isinstance(output, Tensor):
        raise ArgumentError(argument, f"must give a tensor, but gives a {type(output).__name__}")
    return output


def _device_of(network: nn.Module) -> torch.device:
    return next((p.device for p in network.parameters()), torch.device("cpu"))
