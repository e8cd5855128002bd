"""CycleGAN, Zhu et al. (2017), https://arxiv.org/abs/1703.10593."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from lightning_gen.checks import check_image_shape, own_translators
from lightning_gen.errors import require_at_least
from lightning_gen.losses import Adversarial
from lightning_gen.models.game import Game, Minibatch
from lightning_gen.models.translation import Direction, PairReader, Pools, reference_losses
from lightning_gen.networks import Norm, PatchDiscriminator, ResNetGenerator
from lightning_gen.optimization import Schedule, Terms
from lightning_gen.sampling import evaluating
from lightning_gen.types import Batch, Images, ImageShape


class CycleGAN(Game):
    """Translation learnt from two sets of images without pairs, there and back.

    G translates A's images into B's, F back; D_B and D_A judge what comes out. Update order,
    initial weights and weights of the losses are the authors'
    (https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix): G and F move first, then both
    discriminators, each with half its loss, on fakes of before that move, some of them exchanged
    for former ones; the learning rate is constant for the first half of the training, then falls
    linearly to 0.

    Args:
        image_shape: (channels, height, width) of domain A's images; sides that are multiples of 4.
        target_channels: channels of domain B's images; as many as A's by default.
        blocks: residual blocks of G and F; the authors take 9 for 256 pixels, 6 for 128.
        width: channels of all networks next to the image.
        layers: of the discriminators with stride 2; 3 gives patches of 70 x 70 pixels, 0 pixels.
        norm: "instance" or "batch", of all networks.
        dropout: whether G and F drop units within their blocks.
        cycle: weight lambda of |F(G(a)) - a| and |G(F(b)) - b|.
        identity: weight of |G(b) - b| and |F(a) - a| as a share of `cycle`; it needs as many
            channels in B as in A.
        pool: former fakes that each discriminator may see again; 0 for none.
        adversarial: the losses of the games, a key of `ADVERSARIAL_LOSSES`.
        schedule: of the learning rates; see `Game`.
        decay_from: share of the training after which they begin to fall.
        generator_ab: your own G instead: A's images to B's.
        generator_ba: your own F instead: B's images to A's.
        discriminator_a: your own D_A instead: A's images to raw scores (b, ...).
        discriminator_b: your own D_B instead: B's images to raw scores (b, ...).
        training: `lr`, `optimizer` and the rest of `Game`.

    Raises:
        ArgumentError: an argument is out of its range, or an own network does not fit.
    """

    networks = ["generator_ab", "generator_ba", "discriminator_a", "discriminator_b"]

    def __init__(
        self,
        image_shape: ImageShape,
        target_channels: int | None = None,
        blocks: int = 9,
        width: int = 64,
        layers: int = 3,
        norm: Norm = "instance",
        dropout: bool = False,
        cycle: float = 10.0,
        identity: float = 0.5,
        pool: int = 50,
        adversarial: Adversarial = "least_squares",
        schedule: Schedule = "linear",
        decay_from: float = 0.5,
        generator_ab: nn.Module | None = None,
        generator_ba: nn.Module | None = None,
        discriminator_a: nn.Module | None = None,
        discriminator_b: nn.Module | None = None,
        **training: Any,
    ) -> None:
        channels, *sides = check_image_shape(image_shape)
        require_at_least(0, cycle=cycle, identity=identity, pool=pool)
        a, b = (channels, *sides), (target_channels or channels, *sides)
        super().__init__(image_shape, schedule=schedule, decay_from=decay_from, **training)
        self.save_hyperparameters(ignore=self.networks)
        self.generator_ab, self.discriminator_b = own_translators(
            generator_ab,
            discriminator_b,
            lambda: ResNetGenerator(a[0], b[0], blocks, width, norm, dropout),
            lambda: PatchDiscriminator(b[0], layers, width, norm),
            a,
            b,
            unconditional=True
        )
        self.generator_ba, self.discriminator_a = ...
        self.adversarial = reference_losses(adversarial)
