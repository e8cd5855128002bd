"""Generative Adversarial Nets, Goodfellow et al. (2014), https://arxiv.org/abs/1406.2661."""

from typing import Any

from torch import nn

from lightning_gen.errors import require_at_least
from lightning_gen.models.base.checks import check_image_shape, own_players, packed, require_default
from lightning_gen.models.base.noise_game import NoiseGame
from lightning_gen.networks import MLPDiscriminator, MLPGenerator
from lightning_gen.types import ImageShape


class GAN(NoiseGame):
    """The original game on multilayer perceptrons: images from noise z ~ N(0, I).

    As in the paper (sec. 5), the generator is rectified, the discriminator maxout with dropout;
    the hidden_dims are those of the authors' published configuration for MNIST. Images end in tanh
    instead of a sigmoid, and Adam, which needs less care, stands before the paper's SGD.

    Args:
        image_shape: (channels, height, base_channels) of the images, of any size.
        latent_dim: entries of z.
        generator_hidden_dims: units of the generator's hidden layers.
        discriminator_hidden_dims: units of the discriminator's hidden layers.
        maxout: affine pieces of each of those units; 1 stands for LeakyReLU 0.2.
        dropout: share of those units dropped at each step.
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
        generator_hidden_dims: tuple[int, ...] = (1200, 1200),
        discriminator_hidden_dims: tuple[int, ...] = (240, 240),
        maxout: int = 5,
        dropout: float = 0.5,
        minibatch_std: bool = False,
        pack: int = 1,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        **training: Any,
    ) -> None:
        image_shape = check_image_shape(image_shape)
        require_at_least(
            1,
            latent_dim=latent_dim,
            maxout=maxout,
            pack=pack,
            generator_hidden_dims=min(generator_hidden_dims, default=1),
            discriminator_hidden_dims=min(discriminator_hidden_dims, default=1),
        )
        require_default("discriminator", discriminator, minibatch_std=minibatch_std)
        players = own_players(
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
            images=pack,
        )
        super().__init__(image_shape, latent_dim, *players, pack=pack, **training)
        self.save_hyperparameters(ignore=[*self.networks, *self.fixed])
