"""Checks of arguments and custom networks when a model is created."""

from collections.abc import Callable, Iterable
from inspect import signature
from warnings import warn

import torch
from lightning import Trainer
from torch import Tensor, nn

from lightning_gen.errors import ArgumentError, DataError, reject_unknown
from lightning_gen.models.base.settings import AdversarialSettings
from lightning_gen.networks import BATCH_NORMS
from lightning_gen.sampling import eval_mode
from lightning_gen.types import ImageShape


def check_arguments(model: object, given: Iterable[str], settings: type) -> None:
    """Check keyword arguments of a model that are fields of its settings.

    Raises:
        TypeError: naming the class of the model, and the closest argument.
    """
    reject_unknown(type(model), given, signature(settings).parameters)


def check_image_shape(image_shape: ImageShape) -> ImageShape:
    """Return (channels, height, width), three positive integers, as a tuple.

    Raises:
        ArgumentError: If it is something else.
    """
    shape = tuple(image_shape)
    if len(shape) != 3 or any(not isinstance(size, int) or size < 1 for size in shape):
        raise ArgumentError(
            "image_shape",
            f"must be (channels, height, width), three positive integers, but is {shape}",
        )
    return shape


def check_batch_norm(discriminator: nn.Module, settings: AdversarialSettings) -> None:
    """Warn if gradient penalties are combined with batch norm in D: scores depend on the batch."""
    penalized = settings.gradient_penalty or settings.r1 or settings.r2
    if penalized and any(isinstance(module, BATCH_NORMS) for module in discriminator.modules()):
        warn(
            "D has batch norm, so gradient penalties apply to the whole batch: set "
            "batch_norm=False (Pix2Pix: norm='instance'), or pass a D without batch norm",
            stacklevel=4,
        )


def check_pack(pack: int, trainer: Trainer) -> None:
    """Reject batches smaller than a pack, except the last one of an epoch.

    Raises:
        ArgumentError: If another batch is too small.
    """
    if not (trainer.is_last_batch and trainer.global_step):
        raise ArgumentError("pack", f"is {pack}, but the batch has fewer images")


def check_custom_network(network: str, custom: nn.Module | None, **arguments: float) -> None:
    """Reject options that only affect the default network.

    Raises:
        ArgumentError: naming the first such option.
    """
    for argument, value in arguments.items():
        if custom is not None and value:
            raise ArgumentError(argument, f"has no effect on a custom {network}: remove it")


def make_players(
    generator: nn.Module | None,
    discriminator: nn.Module | None,
    default_generator: Callable[[], nn.Module],
    default_discriminator: Callable[[], nn.Module],
    latent_dim: int,
    image_shape: ImageShape,
    condition: int = 0,
    pack: int = 1,
) -> tuple[nn.Module, nn.Module]:
    """Return the custom networks, or the defaults where there are none, in training mode.

    Custom networks are run on two latents, so that a mismatch is found before training.

    Args:
        generator: custom generator.
        discriminator: custom discriminator.
        default_generator: makes the default generator.
        default_discriminator: makes the default discriminator.
        latent_dim: dimension of z.
        image_shape: (channels, height, width).
        condition: dimension of the condition of both networks.
        pack: number of images that D scores jointly, concatenated along the channels.

    Raises:
        ArgumentError: naming the network, its input and its output.
    """
    G = default_generator() if generator is None else generator
    D = default_discriminator() if discriminator is None else discriminator
    if generator is not None or discriminator is not None:
        with eval_mode(G, D):
            z = torch.zeros(2, latent_dim, device=_device_of(G))
            x = _run("generator", G, z, *([z.new_zeros(2, condition)] if condition else []))
            _check_shape("generator", z, x, image_shape)
            x = x.to(_device_of(D)).repeat(1, pack, 1, 1)
            c = [x.new_zeros(2, pack * condition)] if condition else []
            _check_scores("discriminator", D, _run("discriminator", D, x, *c))
    return G.train(), D.train()


def make_network(
    argument: str,
    custom: nn.Module | None,
    default: Callable[[], nn.Module],
    input_shape: ImageShape,
    output_shape: ImageShape | None = None,
) -> nn.Module:
    """Return a custom network from images to images or scores, or the default, in training mode.

    A custom network is run on two images, so that a mismatch is found before training.

    Args:
        argument: name of the network.
        custom: custom network.
        default: makes the default network.
        input_shape: (channels, height, width) of the input.
        output_shape: (channels, height, width) of the output; None for scores.

    Raises:
        ArgumentError: naming the network, its input and its output; or ``image_shape``, if the
            default network does not take images of this size.
    """
    if custom is None:
        _check_sides(argument, default, input_shape)
        return default()
    with eval_mode(custom):
        x = torch.zeros(2, *input_shape, device=_device_of(custom))
        output = _run(argument, custom, x)
    if output_shape:
        _check_shape(argument, x, output, output_shape)
    else:
        _check_scores(argument, custom, output)
    return custom.train()


def check_encoder_decoder(
    encoder: nn.Module,
    decoder: nn.Module,
    image_shape: ImageShape,
    latent_dim: int,
    outputs: int,
    condition: int,
) -> None:
    """Run an encoder and a decoder on two images, so that a mismatch is found before training.

    Raises:
        ArgumentError: naming the network, its input and its output.
    """
    with eval_mode(encoder, decoder):
        for argument, network, input_shape, output_shape in (
            ("encoder", encoder, image_shape, (outputs,)),
            ("decoder", decoder, (latent_dim,), image_shape),
        ):
            x = torch.zeros(2, *input_shape, device=_device_of(network))
            output = _run(argument, network, x, *([x.new_zeros(2, condition)] if condition else []))
            _check_shape(argument, x, output, output_shape)


def _check_shape(argument: str, x: Tensor, output: Tensor, expected: tuple[int, ...]) -> None:
    if output.shape != (2, *expected):
        raise ArgumentError(
            argument,
            f"must map {tuple(x.shape)} to {(2, *expected)}, but returns {tuple(output.shape)}",
        )


def _check_scores(argument: str, D: nn.Module, scores: Tensor) -> None:
    if scores.ndim == 0 or len(scores) != 2:
        raise ArgumentError(
            argument,
            "must return a score, or a map of scores, for each of 2 images, "
            f"but returns {tuple(scores.shape)}",
        )
    if isinstance(D, nn.Sequential) and isinstance(D[-1], nn.Sigmoid):
        raise ArgumentError(argument, "must return raw scores (logits): remove the final Sigmoid")


def _check_sides(argument: str, default: Callable[[], nn.Module], shape: ImageShape) -> None:
    """Run the default network on the meta device, which computes nothing."""
    with torch.device("meta"), torch.no_grad():
        try:
            default()(torch.empty(2, *shape))
        except DataError as error:
            raise ArgumentError("image_shape", f"does not fit {argument}: {error}") from error


def _run(argument: str, network: nn.Module, x: Tensor, *c: Tensor) -> Tensor:
    try:
        output = network(x, *c)
    except Exception as error:
        raise ArgumentError(
            argument, f"fails on an input of shape {tuple(x.shape)}: {error}"
        ) from error
    if not isinstance(output, Tensor):
        raise ArgumentError(argument, f"must return a tensor, but returns {type(output).__name__}")
    return output


def _device_of(network: nn.Module) -> torch.device:
    return next((p.device for p in network.parameters()), torch.device("cpu"))
