"""Conditional GANs, Mirza and Osindero (2014), https://arxiv.org/abs/1411.1784."""

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from lightning_gen.errors import require_at_least, require_one_of
from lightning_gen.models.base.checks import check_image_shape, own_players, packed, require_default
from lightning_gen.models.base.noise_game import NoiseGame
from lightning_gen.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    Embedded,
    MLPDiscriminator,
    MLPGenerator,
    ProjectionDiscriminator,
)
from lightning_gen.sampling import sampling_mode
from lightning_gen.types import Batch, Images, ImageShape, Labels

PlayersBody = Literal["dcgan", "mlp"]


class ConditionalGAN(NoiseGame):
    """The game of images given their labels, which both players see (eq. 2).

    Args:
        image_shape: (channels, height, base_channels) of the images.
        num_classes: number of labels.
        latent_dim: entries of z ~ N(0, I).
        architecture: networks of `DCGAN`, or of `GAN` ("mlp").
        embedding_dim: entries of a learned embedding of the labels in each player; 0 shows them
            one-hot.
        projection: whether D takes the inner product of the labels' embedding and its features
            (Miyato and Koyama, 2018) instead of seeing labels beside the pixels.
        base_channels: channels of DCGAN's players next to the image.
        hidden_dim: units of a fully connected layer before DCGAN's D decides; 0 for none.
        batch_norm: whether DCGAN's D has batch norm; gradient penalties need it off.
        generator_hidden_dims: units of the MLP generator's hidden layers.
        discriminator_hidden_dims: units of the MLP discriminator's hidden layers.
        maxout: affine pieces of each of those units; 1 stands for LeakyReLU 0.2.
        dropout: share of those units dropped at each step.
        minibatch_std: whether D sees how much its batch varies (Karras et al., 2018).
        pack: images that D judges at once (PacGAN, Lin et al., 2018).
        generator: your own network instead: latents (b, latent_dim) and one-hot labels
            (b, num_classes) to images (b, *image_shape).
        discriminator: your own network instead: images and one-hot labels to raw scores (b, ...).
        training: `adversarial` and the rest of `AdversarialModel`; `lr`, `optimizer` and the rest
            of `Game`.

    Raises:
        ArgumentError: an argument is out of its range, or an own network does not fit.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        num_classes: int = 10,
        latent_dim: int = 100,
        architecture: PlayersBody = "dcgan",
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
        **training: Any,
    ) -> None:
        image_shape = check_image_shape(image_shape)
        require_one_of(get_args(PlayersBody), architecture=architecture)
        require_at_least(
            1,
            num_classes=num_classes,
            latent_dim=latent_dim,
            base_channels=base_channels,
            maxout=maxout,
            pack=pack,
            generator_hidden_dims=min(generator_hidden_dims, default=1),
            discriminator_hidden_dims=min(discriminator_hidden_dims, default=1),
        )
        require_at_least(0, embedding_dim=embedding_dim, hidden_dim=hidden_dim)
        require_default(
            "discriminator",
            discriminator,
            minibatch_std=minibatch_std,
            hidden_dim=hidden_dim,
            projection=projection,
        )
        both = generator if discriminator is not None else None
        require_default("networks", both, embedding_dim=embedding_dim)
        condition = embedding_dim or num_classes

        def G() -> nn.Module:
            G = (
                DCGANGenerator(latent_dim, image_shape, base_channels, condition)
                if architecture == "dcgan"
                else MLPGenerator(latent_dim, image_shape, generator_hidden_dims, condition)
            )
            return Embedded(G, num_classes, embedding_dim) if embedding_dim else G

        def D() -> nn.Module:
            shape, seen = packed(image_shape, pack), 0 if projection else condition * pack
            D: nn.Sequential = (
                DCGANDiscriminator(
                    shape, base_channels, seen, batch_norm, minibatch_std, hidden_dim
                )
                if architecture == "dcgan"
                else MLPDiscriminator(
                    shape, discriminator_hidden_dims, maxout, dropout, seen, minibatch_std
                )
            )
            if projection:  # whose V is an embedding
                return ProjectionDiscriminator(D, num_classes * pack)
            return Embedded(D, num_classes * pack, condition * pack) if embedding_dim else D

        players = own_players(
            generator, discriminator, G, D, latent_dim, image_shape, num_classes, pack
        )
        super().__init__(image_shape, latent_dim, *players, pack=pack, **training)
        self.save_hyperparameters(ignore=[*self.networks, *self.fixed])
        self.num_classes = num_classes

    def split(self, batch: Batch) -> tuple[Images, tuple[Tensor, ...]]:
        """Real images x and their labels, one-hot."""
        x, labels = self.read(batch)
        return self.place(x), self.condition(labels)

    def sample(self, n: int, seed: int | None = None, labels: Labels | None = None) -> Images:
        """Draw n images (n, *image_shape) in [-1, 1], in eval mode.

        The same seed gives the same images; without one, every call gives new ones. Training is
        not disturbed: modes and torch's random state are as before.

        Args:
            n: number of images.
            seed: of z.
            labels: (n,); all classes in turn by default.
        """
        if labels is None:
            labels = torch.arange(n) % self.num_classes
        with sampling_mode(self, self.device, seed):
            return self.generate(n, *self.condition(labels))
