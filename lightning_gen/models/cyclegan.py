"""CycleGAN, Zhu et al. (2017), https://arxiv.org/abs/1703.10593."""

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import l1_loss
from torchmetrics import Metric

from lightning_gen.checkpoints import of_all_processes
from lightning_gen.errors import ArgumentError, require_at_least, require_one_of
from lightning_gen.losses import Adversarial
from lightning_gen.models.base.batches import PairReader
from lightning_gen.models.base.checks import check_image_shape, own_network
from lightning_gen.models.base.game import Game, Minibatch
from lightning_gen.models.base.optimization import Schedule, Terms
from lightning_gen.models.base.pool import ImagePool
from lightning_gen.models.base.translation import (
    PairedImageMetrics,
    reference_losses,
)
from lightning_gen.networks import Norm, PatchDiscriminator, ResNetGenerator
from lightning_gen.sampling import eval_mode
from lightning_gen.types import (
    Batch,
    Counterparts,
    Direction,
    Images,
    ImageShape,
    Scalar,
    Translations,
)

POOLS_KEY = "lightning_gen/pools"


class CycleGAN(Game):
    """Translation learnt from two sets of images without paired_validation, there and back.

    G translates A's images into B's, F back; D_B and D_A judge what comes out. Update order,
    initial weights and weights of the losses are the authors'
    (https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix): G and F move first, then both
    discriminators, each with half its loss, on fakes of before that move, some of them exchanged
    for former ones; the learning rate is constant for the first half of the training, then falls
    linearly after each minibatch, to 0 at the end, without the off-by-one of the authors' epochs.

    Of the authors' files, latest_net_G_A.pth holds G, G_B F, D_A our D_B, and D_B our D_A: theirs
    are named after the generator that they judge, ours after the domain.

    Args:
        image_shape: (channels, height, base_channels) of domain A's images; sides that are multiples of 4.
        target_channels: channels of domain B's images; as many as A's by default.
        num_blocks: residual num_blocks of G and F; the authors take 9 for 256 pixels, 6 for 128.
        base_channels: channels of all networks next to the image.
        num_layers: of the discriminators with stride 2; 3 gives patches of 70 x 70 pixels, 0 pixels.
        norm: "instance" or "batch", of all networks.
        dropout: whether G and F drop units within their num_blocks.
        lambda_cycle: weight lambda of |F(G(a)) - a| and |G(F(b)) - b|.
        lambda_identity: weight of |G(b) - b| and |F(a) - a| as a share of `cycle`; it must be 0 where B
            has other channels than A.
        pool_size: former fakes that each discriminator may see again; 0 for none.
        paired_validation: whether the images of a validation batch are true paired_validation, by which translations can
            be measured besides.
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
    read: PairReader

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
        schedule: Schedule = "linear",
        decay_from: float = 0.5,
        generator_ab: nn.Module | None = None,
        generator_ba: nn.Module | None = None,
        discriminator_a: nn.Module | None = None,
        discriminator_b: nn.Module | None = None,
        **training: Any,
    ) -> None:
        a = check_image_shape(image_shape)
        b = a[0] if target_channels is None else target_channels, *a[1:]
        require_at_least(1, target_channels=b[0])
        require_at_least(
            0, lambda_cycle=lambda_cycle, lambda_identity=lambda_identity, pool_size=pool_size
        )
        if lambda_identity and a[0] != b[0]:
            raise ArgumentError(
                "lambda_identity",
                f"must be 0 where A has {a[0]} channels and B {b[0]}, but is {lambda_identity}",
            )
        super().__init__(image_shape, schedule=schedule, decay_from=decay_from, **training)
        self.save_hyperparameters(ignore=[*self.networks, *self.fixed])

        def G(x: ImageShape, y: ImageShape) -> nn.Module:
            return ResNetGenerator(x[0], y[0], num_blocks, base_channels, norm, dropout)

        def D(x: ImageShape) -> nn.Module:
            return PatchDiscriminator(x[0], num_layers, base_channels, norm)

        self.generator_ab = own_network("generator_ab", generator_ab, lambda: G(a, b), a, b)
        self.generator_ba = own_network("generator_ba", generator_ba, lambda: G(b, a), b, a)
        self.discriminator_a = own_network("discriminator_a", discriminator_a, lambda: D(a), a)
        self.discriminator_b = own_network("discriminator_b", discriminator_b, lambda: D(b), b)
        self.adversarial = reference_losses(adversarial)
        self.read = PairReader(a[0], b[0])
        self.lambda_cycle, self.lambda_identity = lambda_cycle, lambda_identity * lambda_cycle
        self.pools = ImagePool(pool_size), ImagePool(pool_size)
        self.paired_validation, self.likeness = (
            paired_validation,
            nn.ModuleDict({"a": PairedImageMetrics(), "b": PairedImageMetrics()}),
        )
        self.made: list[tuple[Tensor, Tensor]] = []  # fakes of a and b, of the minibatch's chunks

    @property
    def translators(self) -> dict[Direction, nn.Module]:
        """G and F, by their directions."""
        return {"AtoB": self.generator_ab, "BtoA": self.generator_ba}

    @property
    def players(self) -> dict[str, nn.Module]:
        """Both discriminators are one player, and so are G and F."""
        return {
            "d": nn.ModuleList([self.discriminator_a, self.discriminator_b]),
            "g": nn.ModuleList([self.generator_ab, self.generator_ba]),
        }

    def split(self, batch: Batch) -> tuple[Images, Counterparts]:
        """Images a and b of the two domains."""
        a, b = map(self.place, self.read(batch))
        return a, b

    def play(self, minibatch: Minibatch) -> None:
        """G and F move, then D_A and D_B, who see what G and F made before their move."""
        self.made = []
        self.descend("g", self.generator_terms, minibatch)
        judged = [
            (a, b, *(pool.exchange(x) for pool, x in zip(self.pools, fakes, strict=True)))
            for (a, b), fakes in zip(minibatch, self.made, strict=True)
        ]
        self.descend("d", self.discriminator_terms, judged)

    def generator_terms(self, a: Images, b: Counterparts) -> Terms:
        """Eq. 3, and sec. 5.2 for the lambda_identity: what G and F minimise."""
        G, F = self.generator_ab, self.generator_ba
        fake_b = G(a)
        back_a = F(fake_b)
        fake_a = F(b)
        back_b = G(fake_a)
        self.made.append((fake_a.detach(), fake_b.detach()))
        # before D looks, as the authors do: gradients are summed in the order of the passes
        same_b, same_a = (G(b), F(a)) if self.lambda_identity else (b, a)
        terms = {
            "adversarial_b": self.deceive(self.discriminator_b, fake_b, b),
            "adversarial_a": self.deceive(self.discriminator_a, fake_a, a),
            "cycle_a": self.lambda_cycle * l1_loss(back_a, a),
            "cycle_b": self.lambda_cycle * l1_loss(back_b, b),
        }
        if self.lambda_identity:
            terms["identity_b"] = self.lambda_identity * l1_loss(same_b, b)
            terms["identity_a"] = self.lambda_identity * l1_loss(same_a, a)
        return terms

    def deceive(self, D: nn.Module, fake: Images, x: Counterparts) -> Scalar:
        """What a generator minimises: D shall take the fake for real."""
        real_score = D(x) if self.adversarial.compares else None
        return self.adversarial.generator(D(fake), real_score)

    def discriminator_terms(
        self, a: Images, b: Counterparts, fake_a: Tensor, fake_b: Tensor
    ) -> Terms:
        """What D_A and D_B minimise: they tell images from translations."""
        D_A, D_B = self.discriminator_a, self.discriminator_b
        tell = self.adversarial.discriminator
        return {
            "adversarial_a": tell(D_A(a), D_A(fake_a)),
            "adversarial_b": tell(D_B(b), D_B(fake_b)),
        }

    def measure(self, batch: Batch, batch_idx: int, stage: str) -> None:
        """Log the mean errors |F(G(a)) - a| and |G(F(b)) - b|, in pixels in [-1, 1]."""
        (a, fake_b, back_a), (b, fake_a, back_b) = self.visualize(batch).values()
        values: dict[str, Metric | Tensor] = {
            "cycle_a": l1_loss(back_a.float(), a.float()),
            "cycle_b": l1_loss(back_b.float(), b.float()),
        }
        if self.paired_validation:
            for domain, fake, truth in (("a", fake_a, a), ("b", fake_b, b)):
                near = self.likeness[domain](fake, truth)
                values |= {f"{name}_{domain}": value for name, value in near.items()}
        for name, value in values.items():
            self.log(f"{stage}/{name}", value, batch_size=len(a), sync_dist=True)

    def predict_step(self, batch: Batch, batch_idx: int) -> Translations:
        """Translations of A's images."""
        return self.translate(self.split(batch)[0])

    def translate(self, x: Images, direction: Direction | None = None) -> Translations:
        """Images (b, c, h, w) of the one domain in the manner of the other, in [-1, 1].

        Args:
            x: sides must be multiples of 4; `tiling` takes any.
            direction: "AtoB", the default, or "BtoA".

        Raises:
            ArgumentError: it is neither.
        """
        direction = direction or "AtoB"
        require_one_of(tuple(self.translators), direction=direction)
        with eval_mode(self):
            return self(self.place(x), direction)

    def forward(self, x: Images, direction: Direction = "AtoB") -> Translations:
        """G(x), or F(x) in the direction "BtoA"."""
        return self.translators[direction](x)

    def visualize(self, batch: Batch) -> dict[Direction, tuple[Images, ...]]:
        """What a picture of this model shows: images, their translations, what comes back."""
        a, b = self.split(batch)
        fake_b, fake_a = self.translate(a, "AtoB"), self.translate(b, "BtoA")
        return {
            "AtoB": (a, fake_b, self.translate(fake_b, "BtoA")),
            "BtoA": (b, fake_a, self.translate(fake_a, "AtoB")),
        }

    def on_fit_start(self) -> None:
        """Begin with empty pools, unless the training goes on."""
        super().on_fit_start()
        if self.trainer.ckpt_path is None:
            self.pools[0].images, self.pools[1].images = [], []

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep every process's pools."""
        super().on_save_checkpoint(checkpoint)
        pools = [[x.cpu() for x in pool.images] for pool in self.pools]
        checkpoint[POOLS_KEY] = of_all_processes(pools)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Give each process its pools back."""
        super().on_load_checkpoint(checkpoint)
        if saved := checkpoint.get(POOLS_KEY):
            for pool, images in zip(self.pools, saved[self.global_rank % len(saved)], strict=True):
                pool.images = list(images)
