"""The adversarial game of Goodfellow et al. (2014), https://arxiv.org/abs/1406.2661."""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gen.errors import ArgumentError, require_at_least, require_one_of
from lightning_gen.losses import ADVERSARIAL_LOSSES, Adversarial
from lightning_gen.models.game import NETWORKS, Game, Minibatch
from lightning_gen.optimization import Terms
from lightning_gen.sampling import derive_seed, drawing, evaluating
from lightning_gen.types import Batch, Images, ImageShape, Latents, Logits


class AdversarialModel(Game):
    """Algorithm 1 of the paper, for any networks, losses and condition.

    A variant passes its networks here, and may say what a batch holds (`split`) and how fakes are
    drawn (`generate`). The condition `c` is what both players see besides their input: nothing
    for a GAN, the labels for a conditional GAN, the source image for image translation.

    Args:
        image_shape: (channels, height, width) of the images.
        latent_dim: entries of z ~ N(0, I).
        generator: maps latents (b, latent_dim) and c to images (b, *image_shape) in [-1, 1].
        discriminator: maps images and c to raw scores, one per image or one per patch.
        adversarial: the two players' losses, a key of `ADVERSARIAL_LOSSES`.
        k: discriminator steps per generator step, each on a fresh minibatch.
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
        share_fakes: bool = False,
        **training: Any,
    ) -> None:
        super().__init__(image_shape, **training)
        require_at_least(1, k=k)
        require_one_of(tuple(ADVERSARIAL_LOSSES), adversarial=adversarial)
        if share_fakes and self.accumulate > 1:
            raise ArgumentError("share_fakes", "does not go with accumulate: leave one of them out")
        self.save_hyperparameters(ignore=NETWORKS)
        self.generator, self.discriminator = generator, discriminator
        self.average: nn.Module | None = None
        self.adversarial = ADVERSARIAL_LOSSES[adversarial]
        self.latent_dim, self.k, self.share_fakes = latent_dim, k, share_fakes
        self.shared: Images | None = None

    @property
    def players(self) -> dict[str, nn.Module]:
        """D moves first, and at every batch."""
        return {"d": self.discriminator, "g": self.generator}

    def split(self, batch: Batch) -> tuple[Images, tuple[Tensor, ...]]:
        """Real images x and their condition c."""
        x, _ = self.read(batch)
        return self.place(x), ()

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
        if generator_moves:
            self.descend("g", self.generator_terms, minibatch)
        self.shared = None

    def discriminator_terms(self, x: Images, c: tuple[Tensor, ...]) -> Terms:
        """What D minimises: it tells x from G(z)."""
        real_score = self.discriminator(x, *c)
        fake_score = self.discriminator(self.fakes(len(x), *c).detach(), *c)
        self.observe("d", real_score=real_score, fake_score=fake_score)
        return {"adversarial": self.adversarial.discriminator(real_score, fake_score)}

    def generator_terms(self, x: Images, c: tuple[Tensor, ...]) -> Terms:
        """What G minimises: D shall take G(z) for real."""
        fake_score = self.discriminator(self.fakes(len(x), *c), *c)
        return {"adversarial": self.adversarial.generator(fake_score)}

    def fakes(self, n: int, *c: Tensor) -> Images:
        """What a player's terms take for G(z, c): new draws, unless both players share them."""
        return self.generate(n, *c) if self.shared is None else self.shared

    def _share(self, minibatch: Minibatch) -> Images:
        ((x, c),) = minibatch
        return self.generate(len(x), *c)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """D's loss and scores on held-out images, with the same noise in every epoch."""
        self._evaluate(batch, batch_idx, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """The same on the test images."""
        self._evaluate(batch, batch_idx, "test")

    def _evaluate(self, batch: Batch, batch_idx: int, stage: str) -> None:
        x, c = self.split(batch)
        with drawing(self, self.device, derive_seed(batch_idx, self.global_rank)):
            real = self.discriminator(x, *c)
            fake = self.discriminator(self.generate(len(x), *c), *c)
        values = {
            "adversarial": self.adversarial.discriminator(real, fake),
            "real_score": real.float().mean(),
            "fake_score": fake.float().mean(),
        }
        named = {f"{stage}/d/{name}": value for name, value in values.items()}
        self.log_dict(named, batch_size=len(x), sync_dist=True)

    def features(self, x: Images) -> Latents:
        """What D's last layer sees of images (b, *image_shape): (b, d), in eval mode."""
        seen: list[Tensor] = []
        *_, last = (m for m in self.discriminator.modules() if next(m.children(), None) is None)
        hook = last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        with hook, evaluating(self):
            self.discriminator(self.place(x))
        return seen[0].flatten(1)

    def predict_step(self, batch: Batch, batch_idx: int) -> Logits:
        """D's raw scores of the batch's images; sigmoid(score) is the paper's D(x)."""
        x, c = self.split(batch)
        return self.discriminator(x, *c)

    def forward(self, z: Latents, *c: Tensor) -> Images:
        """G(z, c); outside of training by G's average, if there is one."""
        G = self.generator if self.training or self.average is None else self.average
        return G(z, *c)

    def start_average(self) -> None:
        """Begin an average of G with a copy of it; `GeneratorEMA` goes on from there."""
        if self.average is None:
            self.average = deepcopy(self.generator).requires_grad_(False)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Make room for a saved average; let one that was not saved begin with the saved G."""
        super().on_load_checkpoint(checkpoint)
        weights = checkpoint["state_dict"]
        saved = {name: tensor for name, tensor in weights.items() if name.startswith("generator.")}
        if any(name.startswith("average.") for name in weights):
            self.start_average()
        elif self.average is not None:
            weights |= {f"average.{name.partition('.')[2]}": saved[name] for name in saved}
