"""The adversarial game of Goodfellow et al. (2014), https://arxiv.org/abs/1406.2661."""

from abc import ABC
from collections.abc import Callable
from functools import partial
from typing import Any, get_args
from warnings import warn

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lightning_gen.errors import ArgumentError, require_at_least, require_one_of
from lightning_gen.losses import (
    ADVERSARIAL_LOSSES,
    Adversarial,
    gradient_penalty,
    squared_gradient,
)
from lightning_gen.models.base.averaging import AveragedGenerator
from lightning_gen.models.base.game import Minibatch
from lightning_gen.models.base.optimization import Terms
from lightning_gen.networks import Augmentation, apply_spectral_norm, augment, clip_weights, pack
from lightning_gen.sampling import derive_seed, eval_mode, sampling_mode
from lightning_gen.types import Batch, Images, ImageShape, Latents, Logits

Critic = Callable[[Images], Logits]  # D, bound to the condition


class AdversarialModel(AveragedGenerator, ABC):
    """Algorithm 1 of the paper, for any networks, losses, penalties and condition.

    A variant passes its networks here, and may say what a batch holds (`split`) and how fakes are
    drawn (`generate`). The condition `c` is what both players see besides their input: nothing
    for a GAN, the labels for a conditional GAN, the source image for image translation.

    Args:
        image_shape: (channels, height, base_channels) of the images.
        latent_dim: entries of z ~ N(0, I).
        generator: maps latents (b, latent_dim) and c to images (b, *image_shape) in [-1, 1].
        discriminator: maps images and c to raw scores, one per image or one per patch.
        adversarial: the two players' losses, a key of `ADVERSARIAL_LOSSES`.
        k: discriminator steps per generator step, each on a fresh minibatch.
        gradient_penalty: weight of (||grad D|| - 1)^2 between real images and fakes (WGAN-GP,
            Gulrajani et al., 2017: 10).
        r1: weight gamma of ||grad D||^2 / 2 on real images (Mescheder et al., 2018).
        r2: the same on fakes.
        spectral_norm: whether every layer of D is divided by its spectral norm (Miyato et al.,
            2018).
        weight_clip: bound of D's weights after each of its steps (WGAN, Arjovsky et al., 2017:
            0.01); 0 leaves them as they are.
        pack: images that D judges at once, so that it sees how alike fakes are (PacGAN, Lin et
            al., 2018); batches are cut to a multiple of it.
        label_smoothing: by how much D's target for real images lies below 1 (Salimans et al.,
            2016, sec. 3.4); for losses with a target.
        instance_noise: standard deviation of noise on all that D sees, at the beginning; it falls
            linearly to 0 over the training (Sønderby et al., 2017).
        augmentations: "translation", "cutout", "color" of all that D sees (Zhao et al., 2020).
        share_fakes: whether G learns from the fakes that D has just seen; Algorithm 1 draws new
            ones, which costs a pass of G more.
        training: how both players are optimized; see `Game`.

    Raises:
        ArgumentError: an argument is out of its range.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        adversarial: Adversarial = "non_saturating",
        k: int = 1,
        gradient_penalty: float = 0.0,
        r1: float = 0.0,
        r2: float = 0.0,
        spectral_norm: bool = False,
        weight_clip: float = 0.0,
        pack: int = 1,
        label_smoothing: float = 0.0,
        instance_noise: float = 0.0,
        augmentations: tuple[Augmentation, ...] = (),
        share_fakes: bool = False,
        **training: Any,
    ) -> None:
        super().__init__(image_shape, **training)
        require_at_least(1, k=k, pack=pack)
        require_at_least(
            0,
            gradient_penalty=gradient_penalty,
            r1=r1,
            r2=r2,
            weight_clip=weight_clip,
            label_smoothing=label_smoothing,
            instance_noise=instance_noise,
        )
        require_one_of(tuple(ADVERSARIAL_LOSSES), adversarial=adversarial)
        for kind in augmentations:
            require_one_of(get_args(Augmentation), augmentations=kind)
        if share_fakes and self.accumulate > 1:
            raise ArgumentError("accumulate", "must be 1 where both players share fakes")
        self.adversarial = ADVERSARIAL_LOSSES[adversarial]
        if label_smoothing and not self.adversarial.has_targets:
            raise ArgumentError("label_smoothing", f"does not go with adversarial={adversarial}")
        if adversarial == "wasserstein" and not (gradient_penalty or weight_clip or spectral_norm):
            warn(
                "nothing keeps D Lipschitz, so its loss has no bound: give gradient_penalty (10) "
                "or weight_clip (0.01), or turn spectral_norm on.",
                stacklevel=2,
            )
        norms = [m for m in discriminator.modules() if isinstance(m, _BatchNorm)]
        if norms and (gradient_penalty or r1 or r2):
            warn(
                "D has batch norm, so the penalty on a score's gradient acts on the whole batch: "
                "turn batch_norm off (of Pix2Pix: norm='instance'), or give a D without it.",
                stacklevel=2,
            )
        self.save_hyperparameters(ignore=[*self.networks, *self.fixed])
        self.generator, self.discriminator = generator, discriminator
        if spectral_norm:
            apply_spectral_norm(discriminator)
        self.latent_dim, self.k, self.share_fakes = latent_dim, k, share_fakes
        self.gradient_penalty, self.r1, self.r2 = gradient_penalty, r1, r2
        self.weight_clip, self.label_smoothing = weight_clip, label_smoothing
        self.pack, self.augmentations = pack, tuple(augmentations)
        self.instance_noise = instance_noise
        self.shared: Images | None = None

    @property
    def players(self) -> dict[str, nn.Module]:
        """D moves first, and at every batch."""
        return {"d": self.discriminator, "g": self.generator}

    def split(self, batch: Batch) -> tuple[Images, tuple[Tensor, ...]]:
        """Real images x and their condition c."""
        x, _ = self.read(batch)
        return self.place(x), ()

    def chunk(self, batch: Batch) -> tuple[Any, ...]:
        """The same, cut to a multiple of `pack`; nothing of an epoch's last batch without one.

        Raises:
            ArgumentError: another batch has not as many images.
        """
        x, c = self.split(batch)
        n = len(x) // self.pack * self.pack
        if not n and self.trainer.is_last_batch and self.trainer.global_step:
            return ()
        if not n:
            raise ArgumentError("pack", f"is {self.pack}, but the batch has {len(x)} images")
        return x[:n], tuple(entry[:n] for entry in c)

    def generate(self, n: int, *c: Tensor) -> Images:
        """Draw n fakes G(z, c), new ones at every call."""
        return self(self.latents(n), *c)

    def latents(self, n: int) -> Latents:
        """Draw z ~ N(0, I), n times."""
        return self.place(torch.randn(n, self.latent_dim, device=self.device))

    def play(self, minibatch: Minibatch) -> None:
        """Algorithm 1; its inner loop "for k steps" runs over successive minibatches."""
        generator_moves = (self.trainer.global_step + 1) % self.k == 0
        self.shared = self._share(minibatch) if self.share_fakes and generator_moves else None
        self.descend("d", self.discriminator_terms, minibatch)
        if self.weight_clip:
            clip_weights(self.discriminator, self.weight_clip)
        if generator_moves:
            self.descend("g", self.generator_terms, minibatch)
        self.shared = None

    def discriminator_terms(self, x: Images, c: tuple[Tensor, ...]) -> Terms:
        """What D minimises: it tells x from G(z), and the penalties hold it back."""
        D, fake = self.critic(c), self.fakes(len(x), *c).detach()
        x, fake = (images.detach().requires_grad_() if r else images
                   for images, r in ((x, self.r1), (fake, self.r2)))  # fmt: skip
        real_score, fake_score = D(x), D(fake)
        self.observe("d", real_score=real_score, fake_score=fake_score)
        terms = {"adversarial": self.adversarial.discriminator(real_score, fake_score)}
        if self.label_smoothing:  # what lowering the target of real scores adds to the loss
            weight = self.adversarial.scale * self.label_smoothing
            terms["label_smoothing"] = weight * real_score.float().mean()
        if self.gradient_penalty:
            terms["gradient_penalty"] = self.gradient_penalty * gradient_penalty(D, x, fake)
        if self.r1:
            terms["r1"] = self.r1 / 2 * squared_gradient(real_score, x)
        if self.r2:
            terms["r2"] = self.r2 / 2 * squared_gradient(fake_score, fake)
        return terms

    def generator_terms(self, x: Images, c: tuple[Tensor, ...]) -> Terms:
        """What G minimises: D shall take G(z) for real."""
        D = self.critic(c)
        fake_score = D(self.fakes(len(x), *c))
        real_score = D(x) if self.adversarial.compares else None
        return {"adversarial": self.adversarial.generator(fake_score, real_score)}

    def critic(self, c: tuple[Tensor, ...]) -> Critic:
        """D of images under the condition c."""
        return partial(self.judge, c=c)

    def judge(self, x: Images, c: tuple[Tensor, ...] = ()) -> Logits:
        """D's raw scores; what D sees in training is augmented and noisy, and always packed."""
        if self.training and self.augmentations:
            x = augment(x, self.augmentations)
        if self.training and self.instance_noise:
            rest = 1 - self.trainer.global_step / self.minibatches("instance_noise")
            x = x + self.instance_noise * rest * torch.randn_like(x)
        return self.discriminator(*(pack(entry, self.pack) for entry in (x, *c)))

    def fakes(self, n: int, *c: Tensor) -> Images:
        """What a player's terms take for G(z, c): new draws, unless both players share them."""
        return self.generate(n, *c) if self.shared is None else self.shared

    def _share(self, minibatch: Minibatch) -> Images:
        ((x, c),) = minibatch
        return self.generate(len(x), *c)

    def measure(self, batch: Batch, batch_idx: int, stage: str) -> None:
        """Log D's loss and scores on held-out images."""
        x, c = self.split(batch)
        if len(x) < self.pack:
            return
        with sampling_mode(self, self.device, derive_seed(batch_idx, self.global_rank)):
            D = self.critic(c)
            real, fake = D(x), D(self.generate(len(x), *c))
        values = {
            "adversarial": self.adversarial.discriminator(real, fake),
            "real_score": real.float().mean(),
            "fake_score": fake.float().mean(),
        }
        named = {f"{stage}/d/{name}": value for name, value in values.items()}
        self.log_dict(named, batch_size=len(x), sync_dist=True)

    def features(self, x: Images, *c: Tensor) -> Tensor:
        """What D's last layer sees of images (b, *image_shape): (b, d), in eval mode.

        With `pack`, (b // pack, d).
        """
        seen: list[Tensor] = []
        *_, last = (
            module
            for name, module in self.discriminator.named_modules()
            if "parametrizations" not in name
            and not {child for child, _ in module.named_children()} - {"parametrizations"}
        )
        with last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])):
            self.score(x, *c)
        return seen[0].flatten(1)

    def score(self, x: Images, *c: Tensor) -> Logits:
        """D's raw scores of images, in eval mode and without gradients.

        Under the losses of Goodfellow et al. (2014), the paper's D(x) is sigmoid(score). With
        `pack`, each score is one of so many images.

        Args:
            x: images (b, *image_shape).
            c: what D sees besides: labels (b,), or source images.
        """
        with eval_mode(self):
            return self.judge(self.place(x), self.condition(*c))

    @property
    def scores_are_logits(self) -> bool:
        """Whether sigmoid(score) is the paper's D(x)."""
        return self.adversarial.of_logits

    def predict_step(self, batch: Batch, batch_idx: int) -> Logits:
        """D's raw scores of the batch's images."""
        return self.judge(*self.split(batch))
