"""pix2pix, Isola et al. (2017), https://arxiv.org/abs/1611.07004."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from lightning_gen.errors import (
    ArgumentError,
    DataError,
    reject_unknown,
    require_at_least,
    require_one_of,
)
from lightning_gen.losses import Adversarial
from lightning_gen.models import base
from lightning_gen.networks import Norm, PatchDiscriminator, UNetGenerator
from lightning_gen.types import Batch, Direction, Images, ImageShape, Logits, Translations, Unpack


class Pix2Pix(base.ImageTranslation, base.AdversarialModel):
    """Paired image-to-image translation: a conditional GAN with an L1 term.

    The condition is the source image a. G is a U-Net, with dropout as its only noise. D scores
    patches of 70 x 70 pixels of a and its translation. Update order, initialization and loss
    weights are those of the authors
    (https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix): both networks learn from the same
    G(a), D is updated first, and its loss is halved. The learning rate is constant for the first
    half of training, then decays linearly to 0 with each batch; in the authors' code, it decays
    with each epoch, off by one.

    Args:
        image_shape: (channels, height, width) of the images of domain A in training.
        target_channels: channels of the images of domain B; by default those of A.
        direction: "AtoB" or "BtoA".
        num_downs: number of downsamplings of the U-Net; sides must be multiples of 2^num_downs.
        base_channels: channels of the outermost convolution of both networks.
        num_layers: stride-2 convolutions of D: 3 for patches of 70 x 70 pixels, 0 for pixels.
        norm: "batch" or "instance" norm, of both networks.
        dropout: if ``True``, the inner num_downs - 5 levels of G have dropout in training.
        dropout_at_test: if ``True``, dropout stays on in translations, as in the authors' code;
            they are then random.
        lambda_l1: weight of |b - G(a)|.
        adversarial: adversarial loss, a key of `ADVERSARIAL_LOSSES`.
        schedule: "constant", or "linear" or "cosine" decay of the learning rates to 0.
        decay_from: fraction of training after which a linear schedule starts to decay.
        generator: custom network from images of one domain to images of the other.
        discriminator: custom network from both images, concatenated along the channels, to raw
            scores (b, ...).
        settings: other arguments of `AdversarialSettings`, such as ``lr`` and ``r1``.

    Raises:
        ArgumentError: If an argument is out of range, a custom network does not fit, or
            ``augmentations`` contains "color", which would mix the colors of both images.
    """

    read: base.PairReader

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
        schedule: base.Schedule = "linear",
        decay_from: float = 0.5,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        **settings: Unpack[base.RegularizationArguments],
    ) -> None:
        reject_unknown(type(self), settings, base.RegularizationArguments.__annotations__)
        channels_a, h, w = base.check_image_shape(image_shape)
        channels_b = channels_a if target_channels is None else target_channels
        require_one_of(("AtoB", "BtoA"), direction=direction)
        require_at_least(0, lambda_l1=lambda_l1)
        require_at_least(1, target_channels=channels_b)
        if "color" in settings.get("augmentations", ()):
            raise ArgumentError("augmentations", "of pairs must not contain 'color'")
        if generator is None and (h % 2**num_downs or w % 2**num_downs):
            raise ArgumentError(
                "num_downs",
                f"is {num_downs}, but {h} x {w} pixels are not multiples of {2**num_downs}: use "
                "fewer downsamplings, or another image size",
            )
        source, target = (
            (channels_a, channels_b) if direction == "AtoB" else (channels_b, channels_a)
        )
        G = base.make_network(
            "generator",
            generator,
            lambda: UNetGenerator(source, target, num_downs, base_channels, norm, dropout),
            (source, h, w),
            (target, h, w),
        )
        D = base.make_network(
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
            schedule=schedule,
            decay_from=decay_from,
            micro_batch_size=0,
            pack=1,
            **settings,
        )
        self.save_hyperparameters(ignore=self.networks)
        self.adversarial = base.reference_losses(adversarial)
        self.read = base.PairReader(channels_a, channels_b)
        self.direction, self.lambda_l1 = direction, lambda_l1
        self.dropout_at_test = dropout_at_test

    def unpack(self, batch: Batch) -> tuple[Images, tuple[Tensor, ...]]:
        """Return the target image b, and the source image a as the condition."""
        a, b = map(self.to_device, self.read(batch))
        return (b, (a,)) if self.direction == "AtoB" else (a, (b,))

    def condition(self, a: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the source image a on the device of the model.

        Raises:
            DataError: If it is missing.
        """
        if a is None:
            raise DataError("Pix2Pix scores translations with their source images: score(b, a)")
        return (self.prepare(a),)

    def generate(self, n: int, *c: Tensor) -> Images:
        """Return G(a)."""
        return self(*c)

    def discriminate(self, x: Images, *c: Tensor) -> Logits:
        """Return the raw scores of D for patches of both images."""
        return super().discriminate(torch.cat([*c, x], 1))

    def generator_terms(self, x: Images, fake: Images | None, *c: Tensor) -> base.Terms:
        """Loss of G: adversarial loss and L1 distance (eq. 4)."""
        fake = self.generate(len(x), *c) if fake is None else fake
        terms = super().generator_terms(x, fake, *c)
        return terms | {"l1": self.lambda_l1 * l1_loss(fake, x)}

    def evaluation_step(self, batch: Batch, batch_idx: int, stage: str) -> None:
        """Log PSNR, SSIM and L1 distance of translations and targets."""
        b, (a,) = self.unpack(batch)
        for name, value in base.paired_image_metrics(self.translate(a, seed=batch_idx), b).items():
            self.log(f"{stage}/{name}", value, batch_size=len(b), sync_dist=True)

    def predict_step(self, batch: Batch, batch_idx: int) -> Translations:
        """Return the translations of a batch."""
        _, (a,) = self.unpack(batch)
        return self.translate(a, seed=batch_idx)

    def visualize(self, batch: Batch) -> Mapping[Direction, tuple[Images, ...]]:
        """Return source images, their translations and targets, by direction."""
        b, (a,) = self.unpack(batch)
        return {self.direction: (a, self.translate(a), b)}

    @property
    def translators(self) -> dict[Direction, nn.Module]:  # type: ignore[override]
        """The network that translates, by direction."""
        return {self.direction: self.generator if self.average is None else self.average}
