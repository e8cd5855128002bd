"""DCGAN, Radford et al. (2015), https://arxiv.org/abs/1511.06434."""

from torch import nn

from lightning_gen.errors import require_at_least
from lightning_gen.models import base
from lightning_gen.networks import DCGANDiscriminator, DCGANGenerator, packed
from lightning_gen.types import ImageShape, Unpack


class DCGAN(base.LatentSampling, base.AdversarialModel):
    """A GAN with strided convolutions and batch norm, initialized from N(0, 0.02) (sec. 3, 4).

    Learning rate and momentum are those of the paper. Kernels are 4x4 instead of 5x5, as is now
    common, and z is Gaussian instead of uniform.

    Args:
        image_shape: (channels, height, width); sides of 16 to 256 that halve down to 4 to 7 pixels.
        latent_dim: dimension of z ~ N(0, I).
        base_channels: channels of the outermost convolution; doubled inwards up to a factor of 8.
        hidden_dim: units of a hidden layer before the score of D; 0 for none, as in the paper.
        batch_norm: if ``True``, D has batch norm; gradient penalties need ``False``.
        minibatch_std: if ``True``, D has a `MinibatchStd` layer (Karras et al., 2018).
        pack: number of images that D scores jointly (PacGAN, Lin et al., 2018).
        generator: custom network from latents (b, latent_dim) to images (b, *image_shape).
        discriminator: custom network from images to raw scores (b, ...).
        settings: arguments of `AdversarialSettings`, such as ``adversarial``, ``k`` and ``lr``.

    Raises:
        ArgumentError: If an argument is out of range, or a custom network does not fit.
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
        **settings: Unpack[base.GANArguments],
    ) -> None:
        image_shape = base.check_image_shape(image_shape)
        require_at_least(1, latent_dim=latent_dim, base_channels=base_channels, pack=pack)
        require_at_least(0, hidden_dim=hidden_dim)
        base.check_custom_network(
            "discriminator", discriminator, minibatch_std=minibatch_std, hidden_dim=hidden_dim
        )
        G, D = base.make_players(
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
            pack=pack,
        )
        super().__init__(image_shape, latent_dim, G, D, pack=pack, **settings)
        self.save_hyperparameters(ignore=self.networks)
