"""Generative Adversarial Nets, Goodfellow et al. (2014), https://arxiv.org/abs/1406.2661."""

from torch import nn

from lightning_gen.errors import require_at_least
from lightning_gen.models import base
from lightning_gen.networks import MLPDiscriminator, MLPGenerator, packed
from lightning_gen.types import ImageShape, Unpack


class GAN(base.LatentSampling, base.AdversarialModel):
    """The original GAN: multilayer perceptrons that map noise z ~ N(0, I) to images.

    As in the paper (sec. 5), the generator has ReLU units, and the discriminator maxout units with
    dropout. Hidden layers have the sizes of the authors' configuration for MNIST. Unlike in the
    paper, G ends in tanh instead of a sigmoid, and the default optimizer is Adam instead of SGD.

    Args:
        image_shape: (channels, height, width) of the images, of any size.
        latent_dim: dimension of z.
        generator_hidden_dims: units of the hidden layers of G.
        discriminator_hidden_dims: units of the hidden layers of D.
        maxout: number of linear pieces of each unit of D; 1 for LeakyReLU 0.2.
        dropout: probability of dropping a unit of D.
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
        generator_hidden_dims: tuple[int, ...] = (1200, 1200),
        discriminator_hidden_dims: tuple[int, ...] = (240, 240),
        maxout: int = 5,
        dropout: float = 0.5,
        minibatch_std: bool = False,
        pack: int = 1,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        **settings: Unpack[base.GANArguments],
    ) -> None:
        image_shape = base.check_image_shape(image_shape)
        require_at_least(1, latent_dim=latent_dim, maxout=maxout, pack=pack)
        base.check_custom_network("discriminator", discriminator, minibatch_std=minibatch_std)
        G, D = base.make_players(
            generator,
            discriminator,
            lambda: MLPGenerator(latent_dim, image_shape, generator_hidden_dims),
            lambda: MLPDiscriminator(
                packed(image_shape, pack),
                discriminator_hidden_dims,
                maxout,
                dropout,
                minibatch_std=minibatch_std,
            ),
            latent_dim,
            image_shape,
            pack=pack,
        )
        super().__init__(image_shape, latent_dim, G, D, pack=pack, **settings)
        self.save_hyperparameters(ignore=self.networks)
