"""Denoising autoencoder, Vincent et al. (2010), https://jmlr.org/papers/v11/vincent10a.html."""

from typing import Literal, get_args

import torch

from lightning_gen.errors import ArgumentError, require_at_least, require_one_of
from lightning_gen.models import base
from lightning_gen.types import Images, ImageShape, Unpack, from_unit, to_unit

Noise = Literal["gaussian", "masking", "salt_and_pepper"]


class DenoisingAutoencoder(base.AutoencoderModel):
    """An autoencoder that reconstructs clean images from corrupted ones (sec. 3.2).

    Args:
        image_shape: (channels, height, width) of the images.
        noise: "gaussian" noise on intensities, clipped to [0, 1]; "masking", which sets pixels to
            black; or "salt_and_pepper", which sets pixels to black or white.
        noise_factor: standard deviation of the Gaussian noise, or fraction of corrupted pixels.
        noisy_target: if ``True``, the target is the corrupted image, as in some textbooks, instead
            of the clean one.
        autoencoder: arguments of `AutoencoderModel`, such as ``latent_dim``.

    Raises:
        ArgumentError: If an argument is out of range, or a custom network does not fit.
    """

    is_regularized = True

    def __init__(
        self,
        image_shape: ImageShape,
        noise: Noise = "gaussian",
        noise_factor: float = 0.3,
        noisy_target: bool = False,
        **autoencoder: Unpack[base.AutoencoderArguments],
    ) -> None:
        require_one_of(get_args(Noise), noise=noise)
        require_at_least(0, noise_factor=noise_factor)
        if noise != "gaussian" and noise_factor > 1:
            raise ArgumentError(
                "noise_factor", f"must be a fraction of the pixels in [0, 1], but is {noise_factor}"
            )
        super().__init__(image_shape, **autoencoder)
        self.save_hyperparameters(ignore=self.networks)
        self.noise, self.noise_factor, self.noisy_target = noise, noise_factor, noisy_target

    def inputs_and_targets(self, x: Images) -> tuple[Images, Images]:
        """Return corrupted images, and the clean ones as their targets."""
        corrupted = self.corrupt(x)
        return corrupted, corrupted if self.noisy_target else x

    def corrupt(self, x: Images) -> Images:
        """Return images with new noise at every call."""
        p = to_unit(x)
        if self.noise == "gaussian":
            return from_unit((p + self.noise_factor * torch.randn_like(p)).clamp(0, 1))
        pixels = p[:, :1]  # all channels of a pixel are set together
        hit = torch.rand_like(pixels) < self.noise_factor
        masking = self.noise == "masking"
        value = torch.zeros_like(pixels) if masking else torch.randint_like(pixels, 2)
        return from_unit(torch.where(hit, value, p))
