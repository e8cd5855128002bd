"""Autoencoders without a density: what the plain, the denoising and the contractive one share."""

from abc import ABC
from typing import Any, Literal, cast, get_args
from warnings import warn

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from lightning_gen.errors import NotReadyError, require_at_least, require_one_of
from lightning_gen.losses.contraction import exact
from lightning_gen.models.base.autoencoding import AutoencodingModel
from lightning_gen.models.base.checks import check_image_shape
from lightning_gen.models.base.encoder_decoder import coders
from lightning_gen.models.base.mixture import CodeMixture
from lightning_gen.models.base.optimization import Terms
from lightning_gen.networks import Activation, Body
from lightning_gen.sampling import eval_mode, sampling_mode
from lightning_gen.types import Batch, Images, ImageShape, Latents, from_unit, to_unit

Reconstruction = Literal["mse", "bce"]
CODES = 5000  # validation codes that the mixture is fitted to, at most


class AutoencoderModel(AutoencodingModel, ABC):
    """A code for each image, and the distance between the image and what is decoded from it.

    Distances are means over pixels, of intensities in [0, 1]. After each validation, a Gaussian
    mixture is fitted to the validation images' codes: `sample` draws from it, since the model
    itself says nothing of how codes are distributed.

    Args:
        image_shape: (channels, height, base_channels) of the images.
        latent_dim: entries of a code.
        architecture: "conv", whose hidden layer has the only one of the `hidden_dims`, or "mlp".
        hidden_dims: units of the hidden num_layers, from the image to the code and backwards.
        base_channels: channels of the convolutions next to the image; unused by the MLP.
        activation: "leaky_relu" (0.2), "relu", "tanh" or "sigmoid".
        loss: "mse", or "bce", the cross-entropy of intensities taken as probabilities.
        sparsity: weight of the L1 norm of the code.
        mixture_components: components of the Gaussian mixture; 0 fits none.
        weight_decay: of the L2 penalty on weights.
        encoder: your own network instead: images to codes (b, latent_dim).
        decoder: your own network instead: codes to the logits of intensities (b, *image_shape).
        training: `lr`, `optimizer` and the rest of `AutoencodingModel`.

    Raises:
        ArgumentError: an argument is out of its range, or an own network does not fit.
    """

    is_regularised = False  # whether something else than a short code keeps it from copying

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int = 4,
        architecture: Body = "conv",
        hidden_dims: tuple[int, ...] = (128,),
        base_channels: int = 8,
        activation: Activation = "relu",
        loss: Reconstruction = "mse",
        sparsity: float = 0.0,
        mixture_components: int = 10,
        weight_decay: float = 1e-5,
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
        **training: Any,
    ) -> None:
        image_shape = check_image_shape(image_shape)
        require_one_of(get_args(Reconstruction), loss=loss)
        require_at_least(0, sparsity=sparsity, mixture_components=mixture_components)
        pair = coders(
            image_shape,
            latent_dim,
            architecture=architecture,
            hidden_dims=tuple(hidden_dims),
            base_channels=base_channels,
            activation=activation,
            encoder=encoder,
            decoder=decoder,
        )
        super().__init__(image_shape, latent_dim, *pair, weight_decay=weight_decay, **training)
        self.save_hyperparameters(ignore=[*self.networks, *self.fixed])
        pixels = torch.Size(image_shape).numel()
        if latent_dim >= pixels and not (sparsity or self.is_regularised):
            warn(
                f"a code of {latent_dim} entries can copy {pixels} pixels: give `sparsity` a "
                "weight, or take a denoising or contractive autoencoder.",
                stacklevel=2,
            )
        self.distance = {"mse": squared_error, "bce": cross_entropy}[loss]
        self.sparsity = sparsity
        self.codes: list[Latents] = []
        self.mixture = CodeMixture(mixture_components, latent_dim)

    def terms(self, x: Images, *c: Tensor) -> Terms:
        """The distance from the target, and the weight of the code."""
        seen, target = self.view(x)
        z = self.encoder(seen)
        named = {"reconstruction": self.distance(self.decoder(z), target)}
        if self.sparsity:
            named["sparsity"] = self.sparsity * z.abs().sum(1).mean()
        return named

    def view(self, x: Images) -> tuple[Images, Images]:
        """What the encoder sees of x in training, and what it is to be decoded to."""
        return x, x

    def picture(self, raw: Tensor) -> Images:
        """Sigmoids of what the decoder gives."""
        return from_unit(raw.sigmoid())

    def jacobian_norm(self, x: Images) -> Tensor:
        """||dh/dx||_F of the code h at each image, (b,), per unit of intensity in [0, 1]."""
        with eval_mode(self):
            norm = exact(lambda p: self.encoder(from_unit(p)), to_unit(self.place(x)))
        return norm.sqrt()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Besides, keep codes for the mixture."""
        super().validation_step(batch, batch_idx)
        if sum(map(len, self.codes)) < CODES:
            self.codes.append(self.encode(*self.read(batch)))

    def on_validation_epoch_end(self) -> None:
        """Fit the mixture_components, from all processes' codes and therefore alike in all of them."""
        codes = [cast(Tensor, self.all_gather(z)).flatten(0, -2) for z in self.codes]
        self.codes = []
        if codes and not self.trainer.sanity_checking:
            self.mixture.fit(torch.cat(codes)[:CODES])

    def sample(self, n: int, seed: int | None = None) -> Images:
        """Draw n images in [-1, 1]: codes from the Gaussian mixture that was fitted to them.

        The same seed gives the same images; without one, every call gives new ones.

        Raises:
            NotReadyError: no mixture has been fitted.
        """
        with sampling_mode(self, self.device, seed):
            return self.decode(self.prior(n))

    def prior(self, n: int) -> Latents:
        """Draw n codes from the mixture; raises as `sample` does."""
        if not self.mixture.is_fitted:
            raise NotReadyError(
                f"{type(self).__name__} draws from a Gaussian mixture of its codes, which is "
                "fitted after a validation, or by model.mixture.fit(model.encode(images))."
            )
        return self.mixture.draw(n)


def squared_error(raw: Tensor, x: Images) -> Tensor:
    """Mean over pixels, of intensities in [0, 1]."""
    return mse_loss(raw.float().sigmoid(), to_unit(x))


def cross_entropy(raw: Tensor, x: Images) -> Tensor:
    """Mean over pixels in nats, of intensities taken as probabilities."""
    return binary_cross_entropy_with_logits(raw.float(), to_unit(x))
