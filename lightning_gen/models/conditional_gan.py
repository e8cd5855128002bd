"""Conditional GANs, Mirza and Osindero (2014), https://arxiv.org/abs/1411.1784."""

from typing import Any, Literal

from torch import nn

from lightning_gen.errors import require_at_least, require_one_of
from lightning_gen.models import base
from lightning_gen.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
    conditioned,
    packed,
)
from lightning_gen.types import ImageShape, Unpack


class ConditionalGAN(base.LatentSampling, base.AdversarialModel):
    """A GAN whose networks take the labels of the images as a condition (eq. 2).

    Args:
        image_shape: (channels, height, width) of the images.
        num_classes: number of classes.
        latent_dim: dimension of z ~ N(0, I).
        architecture: "dcgan" for the networks of `DCGAN`, "mlp" for those of `GAN`.
        embedding_dim: dimension of a learned embedding of the labels; 0 for one-hot labels.
        projection: if ``True``, D is a projection discriminator (Miyato and Koyama, 2018).
        base_channels: channels of the outermost convolution, for "dcgan".
        hidden_dim: units of a hidden layer before the score of D, for "dcgan"; 0 for none.
        batch_norm: if ``True``, D has batch norm, for "dcgan"; gradient penalties need ``False``.
        generator_hidden_dims: units of the hidden layers of G, for "mlp".
        discriminator_hidden_dims: units of the hidden layers of D, for "mlp".
        maxout: number of linear pieces of each unit of D, for "mlp"; 1 for LeakyReLU 0.2.
        dropout: probability of dropping a unit of D, for "mlp".
        minibatch_std: if ``True``, D has a `MinibatchStd` layer (Karras et al., 2018).
        pack: number of images that D scores jointly (PacGAN, Lin et al., 2018).
        generator: custom network from latents and one-hot labels (b, num_classes) to images.
        discriminator: custom network from images and one-hot labels to raw scores (b, ...).
        settings: arguments of `AdversarialSettings`, such as ``adversarial``, ``k`` and ``lr``.

    Raises:
        ArgumentError: If an argument is out of range, or a custom network does not fit.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        num_classes: int = 10,
        latent_dim: int = 100,
        architecture: Literal["dcgan", "mlp"] = "dcgan",
        embedding_dim: int = 0,
        projection: bool = False,
        base_channels: int = 64,
        hidden_dim: int = 0,
        batch_norm: bool = True,
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
        require_one_of(("dcgan", "mlp"), architecture=architecture)
        require_at_least(1, num_classes=num_classes, latent_dim=latent_dim, pack=pack)
        require_at_least(1, base_channels=base_channels, maxout=maxout)
        require_at_least(0, embedding_dim=embedding_dim, hidden_dim=hidden_dim)
        options: Any = {"minibatch_std": minibatch_std, "hidden_dim": hidden_dim}
        base.check_custom_network("discriminator", discriminator, projection=projection, **options)
        both = generator if discriminator is not None else None
        base.check_custom_network("pair of networks", both, embedding_dim=embedding_dim)

        def make_G(c: int) -> nn.Module:
            if architecture == "dcgan":
                return DCGANGenerator(latent_dim, image_shape, base_channels, c)
            return MLPGenerator(latent_dim, image_shape, generator_hidden_dims, c)

        def make_D(c: int) -> nn.Sequential:
            shape = packed(image_shape, pack)
            if architecture == "dcgan":
                return DCGANDiscriminator(shape, base_channels, c, batch_norm, **options)
            sizes = discriminator_hidden_dims
            return MLPDiscriminator(shape, sizes, maxout, dropout, c, minibatch_std)

        G, D = base.make_players(
            generator,
            discriminator,
            lambda: conditioned(make_G, num_classes, embedding_dim),
            lambda: conditioned(make_D, num_classes, embedding_dim, pack, projection),
            *(latent_dim, image_shape, num_classes, pack),
        )
        super().__init__(image_shape, latent_dim, G, D, pack=pack, **settings)
        self.save_hyperparameters(ignore=self.networks)
        self.num_classes = num_classes
