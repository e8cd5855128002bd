"""DCGAN, Radford et al. (2015), https://arxiv.org/abs/1511.06434."""

from typing import Any

from torch import nn

from lightning_gen.errors import require_at_least
from lightning_gen.models.base.checks import check_image_shape, own_players, packed, require_default
from lightning_gen.models.base.noise_game import NoiseGame
from lightning_gen.networks import DCGANDiscriminator, DCGANGenerator
from lightning_gen.types import ImageShape


class DCGAN(NoiseGame):
    """The game on strided convolutions with batch norm, initialised from N(0, 0.02) (sec. 3, 4).

    Learning rate and momentum are the paper's; its 5x5 kernels are 4x4 here, as is common since,
    and z is normal instead of uniform.

    Args:
        image_shape: (channels, height, base_channels) of the images; sides from 16 to 256 pixels that
            halve down to 4 to 7.
        latent_dim: entries of z ~ N(0, I).
        base_channels: channels next to the image; they double with each halving, up to 8 times.
        hidden_dim: units of a fully connected layer before D's score, 1024 in the authors' code for
            MNIST; the paper has none (sec. 3).
        batch_norm: whether D has batch norm, as in the paper; gradient penalties need it off.
        minibatch_std: whether D sees how much its batch varies (Karras et al., 2018).
        pack: images that D judges at once (PacGAN, Lin et al., 2018).
        generator: your own network instead: latents (b, latent_dim) to images (b, *image_shape).
        discriminator: your own network instead: images to raw scores (b, ...).
        training: `adversarial` and `k` of `AdversarialModel`; `lr`, `optimizer` and the rest of
            `Game`.

    Raises:
        ArgumentError: an argument is out of its range, or an own network does not fit.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int = 100,
        base_channels: int = 64,
        hidden_dim: int = 0,
        batch_norm: bool = True,
        minibatch_std: bool = False,
        pack: int = 1,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        **training: Any,
    ) -> None:
        image_shape = check_image_shape(image_shape)
        require_at_least(1, latent_dim=latent_dim, base_channels=base_channels, pack=pack)
        require_at_least(0, hidden_dim=hidden_dim)
        require_default(
            "discriminator", discriminator, minibatch_std=minibatch_std, hidden_dim=hidden_dim
        )
        players = own_players(
            generator,
            discriminator,
            lambda: DCGANGenerator(latent_dim, image_shape, base_channels),
            lambda: DCGANDiscriminator(
                packed(image_shape, pack),
                base_channels,
                batch_norm=batch_norm,
                minibatch_std=minibatch_std,
                hidden_dim=hidden_dim,
            ),
            latent_dim,
            image_shape,
            images=pack,
        )
        super().__init__(image_shape, latent_dim, *players, pack=pack, **training)
        self.save_hyperparameters(ignore=[*self.networks, *self.fixed])
