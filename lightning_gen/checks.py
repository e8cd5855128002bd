"""What is checked before it can go wrong: own networks when a model is made, the first batch."""

from collections.abc import Callable, Mapping
from typing import Any
from warnings import warn

import torch
from torch import Tensor, nn

from lightning_gen.errors import ArgumentError, DataError
from lightning_gen.sampling import evaluating
from lightning_gen.types import Batch, Counterparts, Images, ImageShape, Labels, unpack


def check_image_shape(image_shape: ImageShape) -> ImageShape:
    """Three positive integers (channels, height, width), as a tuple.

    Raises:
        ArgumentError: it is something else.
    """
    shape = tuple(image_shape)
    if len(shape) != 3 or any(not isinstance(size, int) or size < 1 for size in shape):
        raise ArgumentError(
            "image_shape",
            f"must be (channels, height, width), three positive integers, but is {shape}",
        )
    return shape


def packed(image_shape: ImageShape, images: int) -> ImageShape:
    """The shape of so many images joined along their channels."""
    channels, height, width = image_shape
    return channels * images, height, width


class BatchReader:
    """Takes images and labels out of a batch, and checks the first one it sees.

    Args:
        image_shape: (channels, height, width) of the images the model was made for.
    """

    def __init__(self, image_shape: ImageShape) -> None:
        self.image_shape = image_shape
        self.checked = False

    def __call__(self, batch: Any) -> tuple[Images, Labels | None]:
        """Images (b, c, h, w) in [-1, 1], and labels (b,) or None.

        Raises:
            DataError: the first batch holds images of another shape, type or range.
        """
        x, labels = unpack(batch)
        if not self.checked:
            check_images(x, self.image_shape)
            self.checked = True
        return x, labels


class PairReader:
    """Takes the images of both domains out of a batch {"A": a, "B": b}, and checks the first.

    Args:
        channels: of A's and of B's images.
    """

    def __init__(self, *channels: int) -> None:
        self.channels = channels
        self.checked = False

    def __call__(self, batch: Batch) -> tuple[Images, Counterparts]:
        """A's and B's images, in [-1, 1]; as many, but channels and sizes may differ.

        Raises:
            DataError: the batch holds something else.
        """
        match batch:
            case {"A": Tensor() as a, "B": Tensor() as b}:
                pass
            case [Tensor() as a, Tensor() as b] if b.ndim == 4:
                pass
            case _:
                held = ", ".join(map(repr, batch)) if isinstance(batch, Mapping) else type(batch)
                raise DataError(
                    f'a batch must be {{"A": images, "B": images}} or (images, images), not {held}'
                )
        if not self.checked:
            for x, name, channels in zip((a, b), "AB", self.channels, strict=True):
                if x.shape[1] != channels:
                    raise DataError(
                        f"{name}'s images have {x.shape[1]} channels, but the model was made for "
                        f"{channels}: make it with image_shape and target_channels that fit"
                    )
                check_range(x)
            self.checked = True
        return a, b


def check_images(x: Tensor, image_shape: ImageShape) -> None:
    """Refuse images that the model was not made for, and say what to change.

    Raises:
        DataError: shape, type or range differ from float images (b, *image_shape) in [-1, 1].
    """
    if x.shape[1:] != image_shape:
        raise DataError(
            f"the data's images have the shape {tuple(x.shape[1:])} (channels, height, width), "
            f"the model's {tuple(image_shape)}.\n"
            f"Resize the images, or make the model with image_shape={tuple(x.shape[1:])}."
        )
    check_range(x)


def check_range(x: Tensor) -> None:
    """Refuse images that are no floats in [-1, 1], and say how to scale them.

    Raises:
        DataError: type or range differ.
    """
    if not x.is_floating_point():
        raise DataError(
            f"images must be float in [-1, 1], but are {x.dtype}: scale them with x / 127.5 - 1."
        )
    low, high = (limit.item() for limit in x.detach().aminmax())
    if not (low >= -1.001 and high <= 1.001):  # NaN fails every comparison
        remedy = "x / 127.5 - 1" if low >= 0 and high > 2 else "Normalize(mean, std)"
        raise DataError(
            f"images must lie in [-1, 1], but the first batch spans [{low:g}, {high:g}]: "
            f"scale them with {remedy}."
        )
    if low >= 0 and high > 0:
        warn(
            f"the first batch spans [{low:g}, {high:g}]; images in [0, 1] should be scaled to "
            "[-1, 1] with 2 * x - 1, or the generator has to learn the offset.",
            stacklevel=2,
        )


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

    Own networks are tried on a few latents, to find what does not fit before training does.

    Args:
        generator: an own network.
        discriminator: an own network.
        default_generator: makes the model's.
        default_discriminator: makes the model's.
        latent_dim: entries of z.
        image_shape: (channels, height, width).
        condition: entries of the condition that both see besides.
        images: how many D judges at once, channel by channel.

    Raises:
        ArgumentError: naming the network, what it was given and what came out.
    """
    G = default_generator() if generator is None else generator
    D = default_discriminator() if discriminator is None else discriminator
    if generator is not None or discriminator is not None:
        with evaluating(G, D):
            _check_players(G, D, latent_dim, image_shape, condition, images)
    return G, D


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
        given: (channels, height, width) of what goes in.
        expected: the same of what comes out; None for scores.

    Raises:
        ArgumentError: naming the network, what it was given and what came out; or `image_shape`.
    """
    if own is None:
        _check_sides(argument, default, given)
        return default()
    with evaluating(own):
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
    with evaluating(encoder, decoder):
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
