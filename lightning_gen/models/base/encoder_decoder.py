"""Encoders and decoders of autoencoders, and their methods."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

import torch
from torch import Tensor, nn

from lightning_gen.errors import ArgumentError, require_at_least, require_one_of
from lightning_gen.models.base.checks import check_encoder_decoder
from lightning_gen.models.base.update import Terms
from lightning_gen.networks import (
    Activation,
    Architecture,
    ConvDecoder,
    ConvEncoder,
    MLPDecoder,
    MLPEncoder,
)
from lightning_gen.sampling import derive_seed, eval_mode, sampling_mode
from lightning_gen.types import Batch, Images, ImageShape, Latents, Scalar

if TYPE_CHECKING:
    from lightning_gen.models.base.generative_model import GenerativeModel as Base
else:
    Base = object


class EncoderDecoder(Base):
    """Mixin of autoencoders: images and codes (b, latent_dim), in eval mode without gradients."""

    encoder: nn.Module
    decoder: nn.Module
    code: Callable[..., Latents]
    to_images: Callable[[Tensor], Images]
    prior: Callable[[int], Latents]
    terms: Callable[..., Terms]

    def forward(self, x: Images, *c: Tensor) -> Images:
        """Return the reconstructions of images, with gradients."""
        return self.to_images(self.decoder(self.code(x, *c), *c))

    def encode(self, x: Tensor, labels: Any = None) -> Latents:
        """Return the codes of images; conditional models need labels (b,)."""
        with eval_mode(self):
            return self.code(self.prepare(x, check=True), *self.condition(labels))

    def decode(self, z: Latents, labels: Any = None) -> Images:
        """Return the images (b, *image_shape) in [-1, 1] of codes."""
        with eval_mode(self):
            return self.to_images(self.decoder(self.to_device(z), *self.condition(labels)))

    def reconstruct(self, x: Tensor, labels: Any = None) -> Images:
        """Return the reconstructions of images."""
        return self.decode(self.encode(x, labels), labels)

    def sample(self, n: int, seed: int | None = None, labels: Any = None) -> Images:
        """Decode n codes of the prior; by default, labels are all classes in turn."""
        labels = self.all_classes(n) if labels is None else labels
        with sampling_mode(self, self.device, seed):
            return self.decode(self.prior(n), labels)

    def predict_step(self, batch: Batch, batch_idx: int) -> Latents:
        """Return the codes of a batch."""
        return self.encode(*self.read(batch))


def training_loss(model: EncoderDecoder, batch: Batch) -> Scalar:
    """Return the sum of the terms of a training batch, and keep the terms for logging.

    Raises:
        NonFiniteLossError: If the loss is NaN or infinite.
    """
    values = named_terms(model, batch)
    model.step_metrics = {f"train/{name}": value.detach() for name, value in values.items()}
    model.nonfinite_guard.watch(model, model.step_metrics)
    return values["loss"]


def log_terms(model: EncoderDecoder, batch: Batch, batch_idx: int, stage: str) -> None:
    """Log the terms of a batch of validation or test images."""
    with sampling_mode(model, model.device, derive_seed(batch_idx, model.global_rank)):
        values = named_terms(model, batch)
    named = {f"{stage}/{name}": value for name, value in values.items()}
    model.log_dict(named, batch_size=len(model.read(batch)[0]), sync_dist=True)


def named_terms(model: EncoderDecoder, batch: Batch) -> dict[str, Tensor]:
    """Return the terms of a batch, their sum as ``loss``, and the observed values."""
    x, c = model.unpack(batch)
    model.observed = {}
    terms = model.terms(x, *c)
    return {**terms, "loss": torch.stack(list(terms.values())).sum(), **model.observed}


def build_encoder_decoder(
    image_shape: ImageShape,
    latent_dim: int,
    *,
    architecture: Architecture,
    hidden_dims: tuple[int, ...],
    base_channels: int,
    activation: Activation,
    outputs: int | None = None,
    condition: int = 0,
    encoder: nn.Module | None = None,
    decoder: nn.Module | None = None,
) -> tuple[nn.Module, nn.Module]:
    """Return the custom encoder and decoder, or the defaults where there are none.

    Args:
        image_shape: (channels, height, width).
        latent_dim: dimension of a code.
        architecture: "mlp", or "conv" with a single hidden layer.
        hidden_dims: units of the hidden layers of the encoder; reversed in the decoder.
        base_channels: channels of the outermost convolution.
        activation: activation between layers.
        outputs: outputs of the encoder; ``latent_dim`` by default.
        condition: dimension of the condition.
        encoder: custom encoder.
        decoder: custom decoder.

    Raises:
        ArgumentError: If an argument is out of range, or a custom network does not fit.
    """
    require_one_of(get_args(Architecture), architecture=architecture)
    require_one_of(get_args(Activation), activation=activation)
    require_at_least(1, latent_dim=latent_dim, base_channels=base_channels)
    require_at_least(1, hidden_dims=min(hidden_dims, default=1))
    outputs, options = outputs or latent_dim, (activation, condition)
    if architecture == "conv" and len(hidden_dims) != 1:
        raise ArgumentError("hidden_dims", f"must be one number for conv, but is {hidden_dims}")
    E, D = encoder, decoder
    if E is None:
        E = (
            MLPEncoder(image_shape, hidden_dims, outputs, *options)
            if architecture == "mlp"
            else ConvEncoder(image_shape, base_channels, hidden_dims[0], outputs, *options)
        )
    if D is None:
        D = (
            MLPDecoder(latent_dim, hidden_dims[::-1], image_shape, *options)
            if architecture == "mlp"
            else ConvDecoder(latent_dim, image_shape, base_channels, hidden_dims[0], *options)
        )
    if encoder is not None or decoder is not None:
        check_encoder_decoder(E, D, image_shape, latent_dim, outputs, condition)
    return E.train(), D.train()
