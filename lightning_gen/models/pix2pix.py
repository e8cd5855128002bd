"""pix2pix, Isola et al. (2017), https://arxiv.org/abs/1611.07004."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from lightning_gen.errors import ArgumentError, DataError, require_at_least, require_one_of
from lightning_gen.losses import Adversarial
from lightning_gen.models.base.adversarial import AdversarialModel
from lightning_gen.models.base.batches import PairReader
from lightning_gen.models.base.checks import check_image_shape, own_network
from lightning_gen.models.base.optimization import Schedule, Terms
from lightning_gen.models.base.translation import PairedImageMetrics, reference_losses
from lightning_gen.networks import Norm, PatchDiscriminator, UNetGenerator
from lightning_gen.sampling import eval_mode, keep_dropout, sampling_mode
from lightning_gen.types import Batch, Direction, Images, ImageShape, Logits, Translations


class Pix2Pix(AdversarialModel):
    """Translation learnt from pairs of images: a conditional GAN with an L1 term.

    The condition is the source image a. G is a U-Net, whose only noise is dropout; D judges
    patches of 70 x 70 pixels of a beside its translation. Update order, initial weights and
    weights of the losses are the authors' (https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix):
    one G(a) a step serves both players, D moves first, its loss is halved, and the learning rate is
    constant for the first half of the training, then falls linearly after each minibatch, to 0 at
    the end, without the off-by-one of the authors' epochs.

    Args:
        image_shape: (channels, height, base_channels) of domain A's images; the sides are what training
            sees.
        target_channels: channels of domain B's images; as many as A's by default.
        direction: which domain is translated: "AtoB" or "BtoA".
        num_downs: halvings of the U-Net; sides must be multiples of 2^num_downs.
        base_channels: channels of both players next to the image.
        num_layers: of D with stride 2; 3 gives patches of 70 x 70 pixels, 0 single pixels.
        norm: "batch" or "instance", of both players.
        dropout: whether G drops units of its inner num_downs in training, of which there are
            `num_downs` - 5.
        dropout_at_test: whether it also does when it translates, as the authors have it; translations are
            then drawn rather than computed.
        lambda_l1: weight lambda of |b - G(a)|.
        adversarial: the two players' losses, a key of `ADVERSARIAL_LOSSES`.
        schedule: of the learning rates; see `Game`.
        decay_from: share of the training after which they begin to fall.
        generator: your own network instead: images of the one domain to images of the other.
        discriminator: your own network instead: both images, joined along their channels, to raw
            scores (b, ...).
        training: penalties and the rest of `AdversarialModel`; `lr` and the rest of `Game`.

    Raises:
        ArgumentError: an argument is out of its range, an own network does not fit, or
            `augmentations` holds "color", which would mix the colours of both images.
    """

    fixed = ["latent_dim", "share_fakes", "pack"]
    read: PairReader

    def __init__(
        self,
        image_shape: ImageShape,
        target_channels: int | None = None,
        direction: Direction = "AtoB",
        num_downs: int = 8,
        base_channels: int = 64,
        num_layers: int = 3,
        norm: Norm = "batch",
        dropout: bool = True,
        dropout_at_test: bool = False,
        lambda_l1: float = 100.0,
        adversarial: Adversarial = "non_saturating",
        schedule: Schedule = "linear",
        decay_from: float = 0.5,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        **training: Any,
    ) -> None:
        channels, h, w = check_image_shape(image_shape)
        require_one_of(("AtoB", "BtoA"), direction=direction)
        require_at_least(0, lambda_l1=lambda_l1)
        if "color" in training.get("augmentations", ()):
            raise ArgumentError("augmentations", "of pairs cannot be 'color': it would mix them")
        channels_a, channels_b = channels, channels if target_channels is None else target_channels
        require_at_least(1, target_channels=channels_b)
        source, target = (
            (channels_a, channels_b) if direction == "AtoB" else (channels_b, channels_a)
        )
        if generator is None and (h % 2**num_downs or w % 2**num_downs):
            raise ArgumentError(
                "num_downs",
                f"{num_downs} halve the sides {num_downs} times, but {h} x {w} pixels are "
                f"no multiples of {2**num_downs}: take fewer num_downs, or another image size",
            )
        G = own_network(
            "generator",
            generator,
            lambda: UNetGenerator(source, target, num_downs, base_channels, norm, dropout),
            (source, h, w),
            (target, h, w),
        )
        D = own_network(
            "discriminator",
            discriminator,
            lambda: PatchDiscriminator(source + target, num_layers, base_channels, norm),
            (source + target, h, w),
        )
        super().__init__(
            image_shape,
            0,  # no z
            G,
            D,
            adversarial=adversarial,
            share_fakes=True,
            pack=1,
            schedule=schedule,
            decay_from=decay_from,
            **training,
        )
        self.save_hyperparameters(ignore=[*self.networks, *self.fixed])
        self.adversarial = reference_losses(adversarial)
        self.read = PairReader(channels_a, channels_b)
        self.direction, self.lambda_l1, self.dropout_at_test = direction, lambda_l1, dropout_at_test
        self.likeness = PairedImageMetrics()

    @property
    def translators(self) -> dict[Direction, nn.Module]:
        """G, by the direction that it has learnt."""
        return {self.direction: self.generator if self.average is None else self.average}

    def split(self, batch: Batch) -> tuple[Images, tuple[Tensor, ...]]:
        """The target image b, and the source image a as the condition."""
        a, b = map(self.place, self.read(batch))
        return (b, (a,)) if self.direction == "AtoB" else (a, (b,))

    def condition(self, a: Tensor | None = None) -> tuple[Tensor, ...]:
        """The source image a, where it lies with the model.

        Raises:
            DataError: it is missing.
        """
        if a is None:
            raise DataError("Pix2Pix judges translations beside their source images: score(b, a)")
        return (self.place(a),)

    def generate(self, n: int, *c: Tensor) -> Images:
        """G(a), which takes the place of z."""
        return self(*c)

    def judge(self, x: Images, c: tuple[Tensor, ...] = ()) -> Logits:
        """D's raw scores of a's patches beside b's, or beside its translation's."""
        return super().judge(torch.cat([*c, x], 1))

    def generator_terms(self, x: Images, c: tuple[Tensor, ...]) -> Terms:
        """Eq. 4: D shall take G(a) for b, and G(a) shall be near b."""
        return super().generator_terms(x, c) | {
            "l1": self.lambda_l1 * l1_loss(self.fakes(len(x), *c), x)
        }

    def predict_step(self, batch: Batch, batch_idx: int) -> Translations:
        """Translations of the batch's images."""
        _, (a,) = self.split(batch)
        return self.translate(a, seed=batch_idx)

    def measure(self, batch: Batch, batch_idx: int, stage: str) -> None:
        """Log how near held-out translations are to the truth; see `PairedImageMetrics`."""
        b, (a,) = self.split(batch)
        for name, value in self.likeness(self.translate(a, seed=batch_idx), b).items():
            self.log(f"{stage}/{name}", value, batch_size=len(b), sync_dist=True)

    def translate(
        self, x: Images, direction: Direction | None = None, seed: int | None = None
    ) -> Translations:
        """Images (b, c, h, w) of the one domain in the manner of the other, in [-1, 1].

        Args:
            x: sides must be multiples of 2^num_downs; `tiling` takes any.
            direction: that of the training.
            seed: of the dropout, where it is kept (`noise`); without one, torch's own random state
                goes on.

        Raises:
            ArgumentError: the model was trained in the other direction.
        """
        if direction not in (None, self.direction):
            raise ArgumentError("direction", f"of this model is {self.direction}, not {direction}")
        with eval_mode(self) if seed is None else sampling_mode(self, self.device, seed):
            keep_dropout(self, self.dropout_at_test)
            return self(self.place(x))

    def visualize(self, batch: Batch) -> Mapping[Direction, tuple[Images, ...]]:
        """What a picture of this model shows: sources, their translations, the truth."""
        b, (a,) = self.split(batch)
        return {self.direction: (a, self.translate(a), b)}
