"""Conditional GANs, Mirza and Osindero (2014), https://arxiv.org/abs/1411.1784."""

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from lightning_gen.checks import check_image_shape, own_players, packed, require_default
from lightning_gen.errors import require_at_least, require_one_of
from lightning_gen.models.noise_game import NoiseGame
from lightning_gen.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    Embedded,
    MLPDiscriminator,
    MLPGenerator,
    ProjectionDiscriminator,
)
from lightning_gen.sampling import drawing
from lightning_gen.types import Batch, Images, ImageShape, Labels

PlayersBody = Literal["dcgan", "mlp"]


class ConditionalGAN(NoiseGame):
    """The game of images given their labels, which both players see (eq. 2).

    Args:
        image_shape: (channels, height, width) of the images.
        num_classes: number of labels.
        latent_dim: entries of z ~ N(0, I).
        body: networks of `DCGAN`, or of `GAN` ("mlp").
        embedding: entries of a learned embedding of the labels in each player; 0 shows them
            one-hot.
        projection: whether D takes the inner product of the labels' embedding and its features
            (Miyato and Koyama, 2018) instead of seeing labels beside the pixels.
        width: channels of DCGAN's players next to the image.
        hidden: units of a fully connected layer before DCGAN's D decides; 0 for none.
        batch_norm: whether DCGAN's D has batch norm; gradient penalties need it off.
        generator_widths: units of the MLP generator's hidden layers.
        discriminator_widths: units of the MLP discriminator's hidden layers.
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
        body: PlayersBody = "dcgan",
        embedding: int = 0,
        projection: bool = False,
        width: int = 64,
        hidden: int = 0,
        batch_norm: bool = True,
        generator_widths: tuple[int, ...] = (1200, 1200),
        discriminator_widths: tuple[int, ...] = (240, 240),
        maxout: int = 5,
        dropout: float = 0.5,
        minibatch_std: bool = False,
        pack: int = 1,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        **training: Any,
    ) -> None:
        image_shape = check_image_shape(image_shape)
        require_one_of(get_args(PlayersBody), body=body)
        require_at_least(
            1,
            num_classes=num_classes,
            latent_dim=latent_dim,
            width=width,
            maxout=maxout,
            pack=pack,
            generator_widths=min(generator_widths, default=1),
            discriminator_widths=min(discriminator_widths, default=1),
        )
        require_at_least(0, embedding=embedding, hidden=hidden)
        require_default(
            "discriminator",
            discriminator,
            minibatch_std=minibatch_std,
            hidden=hidden,
            projection=projection,
        )
        both = generator if discriminator is not None else None
        require_default("networks", both, embedding=embedding)
        condition = embedding or num_classes

        def G() -> nn.Module:
            G = (
                DCGANGenerator(latent_dim, image_shape, width, condition)
                if body == "dcgan"
                else MLPGenerator(latent_dim, image_shape, generator_widths, condition)
            )
            return Embedded(G, num_classes, embedding) if embedding else G

        def D() -> nn.Module:
            shape, seen = packed(image_shape, pack), 0 if projection else condition * pack
            D: nn.Sequential = (
                DCGANDiscriminator(shape, width, seen, batch_norm, minibatch_std, hidden)
                if body == "dcgan"
                else MLPDiscriminator(
                    shape, discriminator_widths, maxout, dropout, seen, minibatch_std
                )
            )
            if projection:  # whose V is an embedding
                return ProjectionDiscriminator(D, num_classes * pack)
            return Embedded(D, num_classes * pack, condition * pack) if embedding else D

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
        with drawing(self, self.device, seed):
            return self.generate(n, *self.condition(labels))
