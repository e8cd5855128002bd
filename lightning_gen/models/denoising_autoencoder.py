"""Stacked denoising autoencoders, Vincent et al. (2010), https://jmlr.org/papers/v11/vincent10a.html."""

from typing import Any, Literal, get_args

import torch

from lightning_gen.errors import ArgumentError, require_at_least, require_one_of
from lightning_gen.models.base.autoencoder import AutoencoderModel
from lightning_gen.types import Images, ImageShape, from_unit, to_unit

Noise = Literal["gaussian", "masking", "salt_and_pepper"]


class DenoisingAutoencoder(AutoencoderModel):
    """Recovers images from corrupted ones (sec. 3.2), and so learns what images look like.

    Args:
        image_shape: (channels, height, base_channels) of the images.
        noise: "gaussian" adds to intensities and clips them to [0, 1]; "masking" blackens pixels;
            "salt_and_pepper" makes them black or white.
        noise_factor: the Gaussian's standard deviation, or the share of pixels that are hit.
        noisy_target: whether the corrupted image is the target, as some textbooks have it, instead
            of the clean one.
        autoencoder: the arguments of `AutoencoderModel`, such as `latent_dim`.

    Raises:
        ArgumentError: an argument is out of its range, or an own network does not fit.
    """

    is_regularised = True

    def __init__(
        self,
        image_shape: ImageShape,
        noise: Noise = "gaussian",
        noise_factor: float = 0.3,
        noisy_target: bool = False,
        **autoencoder: Any,
    ) -> None:
        require_one_of(get_args(Noise), noise=noise)
        require_at_least(0, noise_factor=noise_factor)
        if noise != "gaussian" and noise_factor > 1:
            raise ArgumentError("noise_factor", f"is a share of pixels, but is {noise_factor}")
        super().__init__(image_shape, **autoencoder)
        self.save_hyperparameters(ignore=[*self.networks, *self.fixed])
        self.noise, self.noise_factor, self.noisy_target = noise, noise_factor, noisy_target

    def view(self, x: Images) -> tuple[Images, Images]:
        """A corrupted image, and the clean one as its target."""
        corrupted = self.corrupt(x)
        return corrupted, corrupted if self.noisy_target else x

    def corrupt(self, x: Images) -> Images:
        """Images with new noise at every call."""
        p = to_unit(x)
        if self.noise == "gaussian":
            return from_unit((p + self.noise_factor * torch.randn_like(p)).clamp(0, 1))
        hit = torch.rand_like(p) < self.noise_factor
        value = torch.zeros_like(p) if self.noise == "masking" else torch.randint_like(p, 2)
        return from_unit(torch.where(hit, value, p))
