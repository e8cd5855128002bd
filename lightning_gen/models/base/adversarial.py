"""Generative adversarial nets, Goodfellow et al. (2014), https://arxiv.org/abs/1406.2661."""

from abc import ABC
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gen.losses import ADVERSARIAL_LOSSES, gradient_penalty, squared_gradient
from lightning_gen.models.base.arguments import AdversarialArguments
from lightning_gen.models.base.average import current_average, restored_average
from lightning_gen.models.base.checks import check_arguments, check_batch_norm, check_pack
from lightning_gen.models.base.generative_model import GenerativeModel
from lightning_gen.models.base.settings import AdversarialSettings
from lightning_gen.models.base.update import Terms, finish_step, update
from lightning_gen.networks import apply_spectral_norm, augment, clip_weights, last_inputs, pack
from lightning_gen.sampling import derive_seed, eval_mode, sampling_mode
from lightning_gen.types import Batch, Images, ImageShape, Latents, Logits, Unpack


class AdversarialModel(GenerativeModel, ABC):
    """Base class of GANs: Algorithm 1, for any networks, losses, penalties and condition.

    The condition c is the input of both networks in addition to z or x: nothing for a GAN, labels
    for a conditional GAN, the source image for pix2pix.

    Args:
        image_shape: (channels, height, width) of the images.
        latent_dim: dimension of z ~ N(0, I).
        generator: network from latents (b, latent_dim) and c to images (b, *image_shape).
        discriminator: network from images and c to raw scores, one per image or per patch.
        settings: arguments of `AdversarialSettings`.
    """

    networks = ["generator", "discriminator"]
    settings: AdversarialSettings

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int,
        generator: nn.Module,
        discriminator: nn.Module,
        **settings: Unpack[AdversarialArguments],
    ) -> None:
        check_arguments(self, settings, AdversarialSettings)
        super().__init__(image_shape, AdversarialSettings(**settings))
        check_batch_norm(discriminator, self.settings)
        self.latent_dim = latent_dim
        self.average: nn.Module | None = None  # of G, if `GeneratorEMA` maintains one
        self.generator, self.discriminator = generator, discriminator
        self.adversarial = ADVERSARIAL_LOSSES[self.settings.adversarial]
        if self.settings.spectral_norm:
            apply_spectral_norm(discriminator)

    @property
    def players(self) -> dict[str, nn.Module]:
        """D and G, in the order of Algorithm 1."""
        return {"d": self.discriminator, "g": self.generator}

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Algorithm 1; its inner loop "for k steps" runs over successive batches."""
        x, c = self.unpack(batch)
        if not len(x):
            check_pack(self.settings.pack, self.trainer)
            return
        generator_turn = (self.trainer.global_step + 1) % self.settings.k == 0
        fake = self.generate(len(x), *c) if self.settings.share_fakes and generator_turn else None
        update(self, "d", self.discriminator_terms, x, fake, *c)
        if self.settings.weight_clip:
            clip_weights(self.discriminator, self.settings.weight_clip)
        if generator_turn:
            update(self, "g", self.generator_terms, x, fake, *c)
        finish_step(self)

    def discriminator_terms(self, x: Images, fake: Images | None, *c: Tensor) -> Terms:
        """Loss of D on real images x; fakes are generated unless both players share them."""
        s = self.settings
        fake = (self.generate(len(x), *c) if fake is None else fake).detach()
        x, fake = (images.detach().requires_grad_() if r else images
                   for images, r in ((x, s.r1), (fake, s.r2)))  # fmt: skip
        real_score, fake_score = self.discriminate(x, *c), self.discriminate(fake, *c)
        self.observe(real_score=real_score, fake_score=fake_score)
        terms = {"adversarial": self.adversarial.discriminator(real_score, fake_score)}
        if s.label_smoothing:  # the loss is linear in the target
            weight = self.adversarial.scale * s.label_smoothing
            terms["label_smoothing"] = weight * real_score.float().mean()
        if s.gradient_penalty:
            penalty = gradient_penalty(lambda images: self.discriminate(images, *c), x, fake)
            terms["gradient_penalty"] = s.gradient_penalty * penalty
        if s.r1:
            terms["r1"] = s.r1 / 2 * squared_gradient(real_score, x)
        if s.r2:
            terms["r2"] = s.r2 / 2 * squared_gradient(fake_score, fake)
        return terms

    def generator_terms(self, x: Images, fake: Images | None, *c: Tensor) -> Terms:
        """Loss of G; fakes are generated unless both players share them."""
        fake = self.generate(len(x), *c) if fake is None else fake
        fake_score = self.discriminate(fake, *c)
        real_score = self.discriminate(x, *c) if self.adversarial.relativistic else None
        return {"adversarial": self.adversarial.generator(fake_score, real_score)}

    def unpack(self, batch: Batch) -> tuple[Images, tuple[Tensor, ...]]:
        """Return real images x and their condition c, cut to a multiple of `pack`."""
        x, c = super().unpack(batch)
        n = len(x) // self.settings.pack * self.settings.pack
        return x[:n], tuple(entry[:n] for entry in c)

    def generate(self, n: int, *c: Tensor) -> Images:
        """Generate n images G(z, c) from new latents."""
        return self(self.latents(n), *c)

    def latents(self, n: int) -> Latents:
        """Draw n latents z ~ N(0, I)."""
        return self.to_device(torch.randn(n, self.latent_dim, device=self.device))

    def forward(self, z: Tensor, *c: Tensor) -> Images:
        """Return G(z, c); in eval mode, from the average of G if there is one."""
        G = self.generator if self.training or self.average is None else self.average
        return G(z, *c)

    def discriminate(self, x: Images, *c: Tensor) -> Logits:
        """Return the raw scores of D; in training, of augmented and noisy images."""
        if self.training and self.settings.augmentations:
            x = augment(x, self.settings.augmentations)
        if self.training and self.settings.instance_noise:
            remaining = 1 - self.trainer.global_step / self.total_steps("instance_noise")
            x = x + self.settings.instance_noise * remaining * torch.randn_like(x)
        return self.discriminator(*(pack(entry, self.settings.pack) for entry in (x, *c)))

    def evaluation_step(self, batch: Batch, batch_idx: int, stage: str) -> None:
        """Log the loss and the scores of D."""
        x, c = self.unpack(batch)
        if not len(x):
            return
        with sampling_mode(self, self.device, derive_seed(batch_idx, self.global_rank)):
            real, fake = (self.discriminate(i, *c) for i in (x, self.generate(len(x), *c)))
        for name, value in (
            ("adversarial", self.adversarial.discriminator(real, fake)),
            ("real_score", real.float().mean()),
            ("fake_score", fake.float().mean()),
        ):
            self.log(f"{stage}/d/{name}", value, batch_size=len(x), sync_dist=True)

    def predict_step(self, batch: Batch, batch_idx: int) -> Logits:
        """Return the raw scores of D."""
        x, c = self.unpack(batch)
        return self.discriminate(x, *c)

    def score(self, x: Tensor, *c: Tensor) -> Logits:
        """Return the raw scores of D in eval mode; c are labels (b,) or source images."""
        with eval_mode(self):
            return self.discriminate(self.prepare(x), *self.condition(*c))

    @property
    def scores_are_logits(self) -> bool:
        """Whether sigmoid(score) is D(x) of Goodfellow et al. (2014)."""
        return self.adversarial.scores_are_logits

    @property
    def threshold(self) -> float | None:
        """Score above which D takes an image for real; None if only differences have a meaning."""
        return self.adversarial.threshold

    def features(self, x: Tensor, *c: Tensor) -> Tensor:
        """Return the inputs (b, d) of the last layer of D, in eval mode; b // pack with `pack`."""
        return last_inputs(self.discriminator, lambda: self.score(x, *c))

    def on_fit_start(self) -> None:
        """Discard an average that `GeneratorEMA` does not update in this run."""
        super().on_fit_start()
        self.average = current_average(self.average, self.trainer)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Load the average of G, if the checkpoint has one."""
        super().on_load_checkpoint(checkpoint)
        weights = checkpoint["state_dict"]
        self.average = restored_average(self.average, self.generator, weights)
