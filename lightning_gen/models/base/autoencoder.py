"""Autoencoders without a prior: plain, denoising and contractive."""

from abc import ABC
from typing import Literal, cast, get_args
from warnings import warn

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from lightning_gen.errors import NotReadyError, require_at_least, require_one_of
from lightning_gen.losses.contraction import exact
from lightning_gen.models.base.arguments import ScheduledArguments
from lightning_gen.models.base.checks import check_arguments, check_image_shape
from lightning_gen.models.base.encoder_decoder import (
    EncoderDecoder,
    build_encoder_decoder,
    log_terms,
    training_loss,
)
from lightning_gen.models.base.generative_model import GenerativeModel
from lightning_gen.models.base.mixture import CodeMixture
from lightning_gen.models.base.settings import OptimizerSettings
from lightning_gen.models.base.update import Terms
from lightning_gen.networks import Activation, Architecture
from lightning_gen.sampling import eval_mode
from lightning_gen.types import (
    Batch,
    Images,
    ImageShape,
    Latents,
    Scalar,
    Unpack,
    from_unit,
    to_unit,
)

Reconstruction = Literal["mse", "bce"]
MAX_CODES = 5000  # validation codes to which the mixture is fitted


class AutoencoderModel(EncoderDecoder, GenerativeModel, ABC):
    """Base class of autoencoders that minimize a distance between images and reconstructions.

    Distances are means over pixels, of intensities in [0, 1]. After each validation, a Gaussian
    mixture is fitted to the codes of the validation images. `sample` draws from it, since the model
    itself has no prior.

    Args:
        image_shape: (channels, height, width) of the images.
        latent_dim: dimension of a code.
        architecture: "conv" with a single hidden layer, or "mlp".
        hidden_dims: units of the hidden layers of the encoder; reversed in the decoder.
        base_channels: channels of the outermost convolution, for "conv".
        activation: "leaky_relu" (0.2), "relu", "tanh" or "sigmoid".
        loss: "mse", or "bce", the cross-entropy of intensities taken as probabilities.
        sparsity: weight of the L1 norm of the code.
        mixture_components: number of Gaussians of the mixture; 0 for no mixture.
        weight_decay: weight of the L2 penalty on the parameters.
        encoder: custom network from images to codes (b, latent_dim).
        decoder: custom network from codes to logits of intensities (b, *image_shape).
        optimizer_settings: arguments of `OptimizerSettings`.

    Raises:
        ArgumentError: If an argument is out of range, or a custom network does not fit.
    """

    networks = ["encoder", "decoder"]
    is_regularized = False  # whether a large code is kept from copying the image

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int = 4,
        architecture: Architecture = "conv",
        hidden_dims: tuple[int, ...] = (128,),
        base_channels: int = 8,
        activation: Activation = "relu",
        loss: Reconstruction = "mse",
        sparsity: float = 0.0,
        mixture_components: int = 10,
        weight_decay: float = 1e-5,
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
        **optimizer_settings: Unpack[ScheduledArguments],
    ) -> None:
        check_arguments(self, optimizer_settings, OptimizerSettings)
        image_shape = check_image_shape(image_shape)
        require_one_of(get_args(Reconstruction), loss=loss)
        require_at_least(0, sparsity=sparsity, mixture_components=mixture_components)
        super().__init__(
            image_shape, OptimizerSettings(weight_decay=weight_decay, **optimizer_settings)
        )
        self.encoder, self.decoder = build_encoder_decoder(
            image_shape,
            latent_dim,
            architecture=architecture,
            hidden_dims=tuple(hidden_dims),
            base_channels=base_channels,
            activation=activation,
            encoder=encoder,
            decoder=decoder,
        )
        self.save_hyperparameters(ignore=self.networks)
        pixels = torch.Size(image_shape).numel()
        if latent_dim >= pixels and not (sparsity or self.is_regularized):
            warn(
                f"a code of {latent_dim} numbers can copy {pixels} pixels: set `sparsity`, or use "
                "a denoising or contractive autoencoder",
                stacklevel=2,
            )
        self.latent_dim, self.sparsity = latent_dim, sparsity
        self.distance = {"mse": squared_error, "bce": cross_entropy}[loss]
        self.codes: list[Latents] = []
        self.mixture = CodeMixture(mixture_components, latent_dim)

    def training_step(self, batch: Batch, batch_idx: int) -> Scalar:
        """Return the sum of the terms; Lightning takes the optimizer step."""
        return training_loss(self, batch)

    def evaluation_step(self, batch: Batch, batch_idx: int, stage: str) -> None:
        """Log the terms."""
        log_terms(self, batch, batch_idx, stage)

    def terms(self, x: Images, *c: Tensor) -> Terms:
        """Distance from the targets, and penalty on the codes."""
        inputs, targets = self.inputs_and_targets(x)
        z = self.encoder(inputs)
        named = {"reconstruction": self.distance(self.decoder(z), targets)}
        if self.sparsity:
            named["sparsity"] = self.sparsity * z.abs().sum(1).mean()
        return named

    def inputs_and_targets(self, x: Images) -> tuple[Images, Images]:
        """Return the inputs of the encoder in training, and the targets of the decoder."""
        return x, x

    def code(self, x: Images, *c: Tensor) -> Latents:
        """Return the codes of images."""
        return self.encoder(x, *c)

    def to_images(self, output: Tensor) -> Images:
        """Return the images that the decoder gives as logits of intensities."""
        return from_unit(output.sigmoid())

    def jacobian_norm(self, x: Tensor) -> Tensor:
        """Return ||dh/dx||_F (b,) of the code h of each image, per unit of intensity in [0, 1]."""
        with eval_mode(self):
            x = self.prepare(x, check=True)
            norm = exact(lambda p: self.encoder(from_unit(p)), to_unit(x))
        return norm.sqrt()

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Evaluate, and collect codes for the mixture."""
        super().validation_step(batch, batch_idx, dataloader_idx)
        if sum(map(len, self.codes)) < MAX_CODES:
            self.codes.append(self.encode(*self.read(batch)))

    def on_validation_epoch_end(self) -> None:
        """Fit the mixture to the codes of all processes, with the same result in all of them."""
        codes = [cast(Tensor, self.all_gather(z)).flatten(0, -2) for z in self.codes]
        self.codes = []
        if codes and not self.trainer.sanity_checking:
            self.mixture.fit(torch.cat(codes)[:MAX_CODES])

    def prior(self, n: int) -> Latents:
        """Draw n codes from the mixture.

        Raises:
            NotReadyError: If no mixture was fitted.
        """
        if not self.mixture.is_fitted:
            raise NotReadyError(
                f"{type(self).__name__} draws codes from a Gaussian mixture, which is fitted after "
                "each validation, or by model.mixture.fit(model.encode(images))"
            )
        return self.mixture.draw(n)


def squared_error(output: Tensor, x: Images) -> Scalar:
    """Return the mean squared error over pixels, of intensities in [0, 1]."""
    return mse_loss(output.float().sigmoid(), to_unit(x))


def cross_entropy(output: Tensor, x: Images) -> Scalar:
    """Return the mean cross-entropy over pixels in nats, of intensities taken as probabilities."""
    return binary_cross_entropy_with_logits(output.float(), to_unit(x))
