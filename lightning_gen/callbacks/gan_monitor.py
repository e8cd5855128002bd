"""How a game between two networks goes: who is ahead, and what usually helps."""

from collections import defaultdict, deque
from math import log
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.nn.functional import softplus

from lightning_gen.errors import require_at_least
from lightning_gen.protocols import Discriminates, HasPlayers, Samples, labels_for
from lightning_gen.sampling import sampling_mode
from lightning_gen.types import Images, unpack_batch

WINDOW = 5  # observations in a row that make a diagnosis
DIAGNOSES = {
    "saturated": "D tells all generated images from real ones, so that G learns little from it: "
    "hold D back with --model.r1 1, --model.instance_noise 0.1, or a smaller --model.lr_d.",
    "vanished": "G's gradient has vanished while D is sure of itself: take --model.adversarial "
    "non_saturating, or wasserstein with --model.gradient_penalty 10.",
    "collapsed": "generated images are much more alike than real ones: let D see several at once "
    "with --model.pack 2 or --model.minibatch_std true, or take --model.adversarial relativistic "
    "with --model.r1 1 and --model.r2 1.",
}


class GANMonitor(Callback):
    """Measures the game whenever training logs, and says in plain words when it is ill.

    Logged under `gan/`: D's `accuracy_real` and `accuracy_fake`; `mean_real` and `mean_fake`,
    D(x) and D(G(z)) as probabilities where the loss makes them such, raw scores elsewhere;
    `gradient_d` and `gradient_g`, the norms of the players' last gradients; `jensen_shannon`, the
    estimate (log 4 - loss of D) / 2 in nats where the loss is the original one (Goodfellow et al.,
    2014, theorem 1), a lower bound up to noise; `diversity`, the mean distance between generated
    images over that between real ones. D judges in eval mode.

    Training is bit-equal with and without. Models that play no game are left alone.

    Args:
        n: images of the batch, and generated ones, that are looked at; 0 looks at none.

    Raises:
        ArgumentError: n is negative.
    """

    def __init__(self, n: int = 64) -> None:
        require_at_least(0, n=n)
        self.n = n
        self._begin()

    def _begin(self) -> None:
        self.signs: dict[str, deque[bool]] = defaultdict(lambda: deque(maxlen=WINDOW))
        self.strongest = 0.0  # gradient of G so far
        self.told: set[str] = set()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget what was seen of another game."""
        self._begin()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the game where this batch is one of those that log."""
        every = trainer.log_every_n_steps  # type: ignore[attr-defined]
        batches = trainer.fit_loop.total_batch_idx + 1
        if not (self.n and every and batches % every == 0):
            return
        if isinstance(pl_module, HasPlayers) and isinstance(pl_module, Discriminates):
            facts = self.observe(pl_module, batch, batches)
            self.diagnose(facts)
            named = {f"gan/{name}": torch.tensor(value) for name, value in facts.items()}
            pl_module.reports.update(named)  # logged, and saved, with what the step itself reports

    def observe(self, model: Any, batch: Any, seed: int) -> dict[str, float]:
        """What there is to know of the game at this batch."""
        facts = {
            f"gradient_{name}": gradient_norm(player) for name, player in model.players.items()
        }
        draws = isinstance(model, Samples)
        if not draws:
            return facts
        x, labels = unpack_batch(batch)
        x, c = x[: self.n], labels_for(model, None if labels is None else labels[: self.n])
        with sampling_mode(model, model.device, seed):
            fake = model.sample(len(x), seed, *c)
            real_score, fake_score = (model.score(images, *c).float() for images in (x, fake))
        facts |= {
            "accuracy_real": (real_score > 0).float().mean().item(),
            "accuracy_fake": (fake_score < 0).float().mean().item(),
            "diversity": (spread(fake) / spread(x).clamp(min=1e-12)).item(),
        }
        if model.scores_are_logits:
            loss = softplus(-real_score).mean() + softplus(fake_score).mean()
            facts["jensen_shannon"] = (log(4) - loss.item()) / 2
            real_score, fake_score = real_score.sigmoid(), fake_score.sigmoid()
        return facts | {
            "mean_real": real_score.mean().item(),
            "mean_fake": fake_score.mean().item(),
        }

    def diagnose(self, facts: dict[str, float]) -> None:
        """Warn once of each disease whose signs have been there for several observations."""
        if "diversity" not in facts:
            return
        g = facts.get("gradient_g", 0.0)
        self.strongest = max(self.strongest, g)
        sure = facts["accuracy_fake"] > 0.99
        signs = {
            "saturated": sure and facts["accuracy_real"] > 0.99,
            "vanished": sure and g < 1e-3 * self.strongest,
            "collapsed": facts["diversity"] < 0.3,
        }
        for disease, is_there in signs.items():
            self.signs[disease].append(is_there)
            if sum(self.signs[disease]) == WINDOW and disease not in self.told:
                self.told.add(disease)
                rank_zero_warn(DIAGNOSES[disease])


def gradient_norm(network: nn.Module) -> float:
    """The norm of the gradient that the network's last step has left."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return torch.nn.utils.get_total_norm(gradients).item() if gradients else 0.0


def spread(x: Images) -> Tensor:
    """The mean distance between two images."""
    return torch.pdist(x.flatten(1).float().cpu()).mean()  # Apple's GPUs have no pdist
