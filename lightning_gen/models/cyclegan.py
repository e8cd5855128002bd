"""CycleGAN, Zhu et al. (2017), https://arxiv.org/abs/1703.10593."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from lightning_gen.checkpoints import of_all_processes
from lightning_gen.errors import ArgumentError, require_at_least
from lightning_gen.losses import Adversarial
from lightning_gen.models import base
from lightning_gen.networks import Norm, PatchDiscriminator, ResNetGenerator
from lightning_gen.types import Batch, Counterparts, Direction, Images, ImageShape, Unpack

POOLS_KEY = "lightning_gen/pools"
Fakes = list[tuple[Tensor, Tensor]]  # detached translations of b and a, of each micro-batch


class CycleGAN(base.ImageTranslation, base.GenerativeModel):
    """Unpaired image-to-image translation between two domains, in both directions.

    G translates images of A to B, F images of B to A; D_B and D_A score the translations. Update
    order, initialization and loss weights are those of the authors
    (https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix): G and F are updated first. Then both
    discriminators, with half their loss, learn from images generated before that update, some
    replaced by images from a pool. The learning rate decays in the second half of training.

    Args:
        image_shape: (channels, height, width) of the images of A, multiples of 4 pixels.
        target_channels: channels of the images of domain B; by default those of A.
        num_blocks: residual blocks of G and F; the authors use 9 for 256 pixels, 6 for 128.
        base_channels: channels of the outermost convolution of all networks.
        num_layers: stride-2 convolutions of D: 3 for patches of 70 x 70 pixels, 0 for pixels.
        norm: "instance" or "batch" norm, of all networks.
        dropout: if ``True``, the residual blocks have dropout.
        lambda_cycle: weight of |F(G(a)) - a| and |G(F(b)) - b|.
        lambda_identity: weight of |G(b) - b| and |F(a) - a|, relative to ``lambda_cycle``.
        pool_size: number of earlier generated images in the pool of each discriminator; 0 for none.
        paired_validation: if ``True``, validation batches are pairs; translations are compared
            with them.
        adversarial: adversarial loss, a key of `ADVERSARIAL_LOSSES`.
        generator_ab: custom G, from images of A to images of B.
        generator_ba: custom F, from images of B to images of A.
        discriminator_a: custom D_A, from images of A to raw scores (b, ...).
        discriminator_b: custom D_B, from images of B to raw scores (b, ...).
        settings: arguments of `TranslationSettings`, such as ``lr`` and ``micro_batch_size``.

    Raises:
        ArgumentError: If an argument is out of range, or a custom network does not fit.
    """

    networks = ["generator_ab", "generator_ba", "discriminator_a", "discriminator_b"]
    read: base.PairReader

    def __init__(
        self,
        image_shape: ImageShape,
        target_channels: int | None = None,
        num_blocks: int = 9,
        base_channels: int = 64,
        num_layers: int = 3,
        norm: Norm = "instance",
        dropout: bool = False,
        lambda_cycle: float = 10.0,
        lambda_identity: float = 0.5,
        pool_size: int = 50,
        paired_validation: bool = False,
        adversarial: Adversarial = "least_squares",
        generator_ab: nn.Module | None = None,
        generator_ba: nn.Module | None = None,
        discriminator_a: nn.Module | None = None,
        discriminator_b: nn.Module | None = None,
        **settings: Unpack[base.TranslationArguments],
    ) -> None:
        base.check_arguments(self, settings, base.TranslationSettings)
        a = base.check_image_shape(image_shape)
        b = a[0] if target_channels is None else target_channels, *a[1:]
        require_at_least(1, target_channels=b[0])
        require_at_least(0, lambda_cycle=lambda_cycle, pool_size=pool_size)
        require_at_least(0, lambda_identity=lambda_identity)
        if lambda_identity and a[0] != b[0]:
            raise ArgumentError("lambda_identity", f"must be 0: A has {a[0]} channels, B {b[0]}")
        super().__init__(image_shape, base.TranslationSettings(**settings))
        make = base.make_network

        def G(x: ImageShape, y: ImageShape) -> nn.Module:
            return ResNetGenerator(x[0], y[0], num_blocks, base_channels, norm, dropout)

        def D(x: ImageShape) -> nn.Module:
            return PatchDiscriminator(x[0], num_layers, base_channels, norm)

        self.generator_ab = make("generator_ab", generator_ab, lambda: G(a, b), a, b)
        self.generator_ba = make("generator_ba", generator_ba, lambda: G(b, a), b, a)
        self.discriminator_a = make("discriminator_a", discriminator_a, lambda: D(a), a)
        self.discriminator_b = make("discriminator_b", discriminator_b, lambda: D(b), b)
        self.save_hyperparameters(ignore=self.networks)
        self.adversarial = base.reference_losses(adversarial)
        self.read = base.PairReader(a[0], b[0])
        self.lambda_cycle, self.lambda_identity = lambda_cycle, lambda_identity * lambda_cycle
        self.pools = base.ImagePool(pool_size), base.ImagePool(pool_size)

    @property
    def players(self) -> dict[str, nn.Module]:
        """Both discriminators share an optimizer, and so do G and F."""
        return {
            "d": nn.ModuleList([self.discriminator_a, self.discriminator_b]),
            "g": nn.ModuleList([self.generator_ab, self.generator_ba]),
        }

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Update G and F, then D_A and D_B on images generated before that update."""
        a, b = map(self.to_device, self.read(batch))
        fakes: Fakes = []
        base.update(self, "g", lambda a, b: self.generator_terms(a, b, fakes), a, b)
        fake_a, fake_b = map(torch.cat, zip(*fakes, strict=True))
        fake_a, fake_b = self.pools[0].query(fake_a), self.pools[1].query(fake_b)
        base.update(self, "d", self.discriminator_terms, a, b, fake_a, fake_b)
        base.finish_step(self)

    def generator_terms(self, a: Images, b: Counterparts, fakes: Fakes) -> base.Terms:
        """Loss of G and F (eq. 3; sec. 5.2 for the identity); append the detached translations."""
        G, F = self.generator_ab, self.generator_ba
        fake_b = G(a)
        rec_a = F(fake_b)
        fake_a = F(b)
        rec_b = G(fake_a)
        fakes.append((fake_a.detach(), fake_b.detach()))
        # before D, as in the authors' code: gradients are summed in the order of the passes
        same_b, same_a = (G(b), F(a)) if self.lambda_identity else (b, a)
        D_A, D_B, loss = self.discriminator_a, self.discriminator_b, self.adversarial
        terms = {
            "adversarial_b": loss.generator(D_B(fake_b), D_B(b) if loss.relativistic else None),
            "adversarial_a": loss.generator(D_A(fake_a), D_A(a) if loss.relativistic else None),
            "cycle_a": self.lambda_cycle * l1_loss(rec_a, a),
            "cycle_b": self.lambda_cycle * l1_loss(rec_b, b),
        }
        if self.lambda_identity:
            terms["identity_b"] = self.lambda_identity * l1_loss(same_b, b)
            terms["identity_a"] = self.lambda_identity * l1_loss(same_a, a)
        return terms

    def discriminator_terms(
        self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor
    ) -> base.Terms:
        """Loss of D_A and D_B."""
        D_A, D_B, loss = self.discriminator_a, self.discriminator_b, self.adversarial
        return {
            "adversarial_a": loss.discriminator(D_A(a), D_A(fake_a)),
            "adversarial_b": loss.discriminator(D_B(b), D_B(fake_b)),
        }

    def evaluation_step(self, batch: Batch, batch_idx: int, stage: str) -> None:
        """Log the mean errors |F(G(a)) - a| and |G(F(b)) - b| of images in [-1, 1]."""
        (a, fake_b, rec_a), (b, fake_a, rec_b) = self.visualize(batch).values()
        metrics = {
            "cycle_a": l1_loss(rec_a.float(), a.float()),
            "cycle_b": l1_loss(rec_b.float(), b.float()),
        }
        if self.hparams["paired_validation"]:
            metrics |= base.paired_image_metrics(fake_a, a, "_a")
            metrics |= base.paired_image_metrics(fake_b, b, "_b")
        for name, value in metrics.items():
            self.log(f"{stage}/{name}", value, batch_size=len(a), sync_dist=True)

    def forward(self, x: Images, direction: Direction = "AtoB") -> Images:
        """Return G(x), or F(x) for "BtoA"."""
        return self.translators[direction](x)

    @property
    def translators(self) -> dict[Direction, nn.Module]:  # type: ignore[override]
        """G and F, by direction."""
        return {"AtoB": self.generator_ab, "BtoA": self.generator_ba}

    def visualize(self, batch: Batch) -> dict[Direction, tuple[Images, ...]]:
        """Return images, their translations and their reconstructions, by direction."""
        a, b = map(self.to_device, self.read(batch))
        fake_b, fake_a = self.translate(a, "AtoB"), self.translate(b, "BtoA")
        rec_a, rec_b = self.translate(fake_b, "BtoA"), self.translate(fake_a, "AtoB")
        return {"AtoB": (a, fake_b, rec_a), "BtoA": (b, fake_a, rec_b)}

    def on_fit_start(self) -> None:
        """Empty the pools, unless the run is resumed."""
        super().on_fit_start()
        if self.trainer.ckpt_path is None:
            self.pools[0].images, self.pools[1].images = [], []

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the pools of all processes."""
        super().on_save_checkpoint(checkpoint)
        checkpoint[POOLS_KEY] = of_all_processes([[x.cpu() for x in p.images] for p in self.pools])

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Load the pools of this process."""
        super().on_load_checkpoint(checkpoint)
        if saved := checkpoint.get(POOLS_KEY):
            for pool, images in zip(self.pools, saved[self.global_rank % len(saved)], strict=True):
                pool.images = list(images)
