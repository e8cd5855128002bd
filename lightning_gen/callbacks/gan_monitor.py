"""Diagnostics of GAN training, and warnings of common failures."""

from collections import defaultdict, deque
from math import log
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch import Tensor, nn
from torch.nn.functional import softplus

from lightning_gen.callbacks.periodic import logs_now, warn_on_error
from lightning_gen.compat import batches_seen
from lightning_gen.errors import require_at_least
from lightning_gen.protocols import Discriminates, HasPlayers, Samples, labels_for
from lightning_gen.sampling import sampling_mode
from lightning_gen.types import Images, to_images, unpack_batch

PATIENCE = 5  # consecutive observations of a failure before the warning
FEW_STEPS = 1000  # with fewer, a GAN generates little but noise
DIAGNOSES = {
    "saturated": "The discriminator is almost always right, so the generator learns little from "
    "it: weaken D with --model.r1 1, --model.instance_noise 0.1, or a smaller --model.lr_d.",
    "vanished": "The generator's gradient has vanished and D rejects all its images: use "
    "--model.adversarial non_saturating, or wasserstein with --model.gradient_penalty 10.",
    "collapsed": "Generated images are much more alike than real ones (mode collapse): show D "
    "several images at once with --model.pack 2 or --model.minibatch_std true, or use "
    "--model.adversarial relativistic with --model.r1 1 and --model.r2 1.",
}


class GANMonitor(Callback):
    """Log GAN diagnostics at every logging step, and warn of common failures.

    Logged under `gan/`:

    - `accuracy_real`, `accuracy_fake`: D's accuracies, by the threshold of the loss (0.5 for
      `least_squares`, else 0). The scores of `wasserstein` and `relativistic` have none: both are
      the share of pairs of a real and a generated image with the higher score for the real one.
    - `mean_real`, `mean_fake`: mean D(x) and D(G(z)); raw scores if they are not logits.
    - `gradient_d`, `gradient_g`: norms of each player's latest gradient.
    - `jensen_shannon`: for logits, the estimate (log 4 - loss of D) / 2 in nats, a lower bound up
      to noise (Goodfellow et al., 2014, theorem 1).
    - `diversity`: mean distance between generated images over that between real ones.

    D is evaluated in eval mode. Training is bit-equal with and without this callback. Models
    without a discriminator are ignored. A training of fewer than 1,000 steps begins with a message.

    Args:
        n: number of real and of generated images per observation; if 0, log nothing.

    Raises:
        ArgumentError: n is negative.
    """

    def __init__(self, n: int = 64) -> None:
        require_at_least(0, n=n)
        self.n = n
        self._reset()

    def _reset(self) -> None:
        self.failures: dict[str, deque[bool]] = defaultdict(lambda: deque(maxlen=PATIENCE))
        self.largest_gradient = 0.0  # of G so far
        self.warned: set[str] = set()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Discard the observations of a previous training."""
        self._reset()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell if the training is too short."""
        if not (self.n and isinstance(pl_module, HasPlayers) and len(pl_module.players) > 1):
            return
        steps = trainer.estimated_stepping_batches
        if 0 < steps < FEW_STEPS and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            rank_zero_info(
                f"This training has only {steps} steps, but {type(pl_module).__name__} needs "
                "thousands for good images: increase max_epochs or max_steps."
            )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Observe at every logging step."""
        batches = batches_seen(trainer)
        if not (isinstance(pl_module, HasPlayers) and isinstance(pl_module, Discriminates)):
            return
        for name in [name for name in pl_module.step_metrics if name.startswith("gan/")]:
            del pl_module.step_metrics[name]  # of an earlier step
        if self.n and logs_now(trainer, batches):
            with warn_on_error(self, pl_module):
                metrics = self.observe(pl_module, batch, batches)
                self.diagnose(metrics, relative=pl_module.threshold is None)
                # logged, and saved in checkpoints, with the step's own metrics
                pl_module.step_metrics.update(
                    {f"gan/{name}": torch.tensor(value) for name, value in metrics.items()}
                )

    def observe(self, model: Any, batch: Any, seed: int) -> dict[str, float]:
        """Return the diagnostics at this batch."""
        metrics = {
            f"gradient_{name}": gradient_norm(player) for name, player in model.players.items()
        }
        can_sample = isinstance(model, Samples)  # mypy would narrow `model` to Samples
        if not can_sample:
            return metrics
        x, labels = unpack_batch(batch)
        x, labels = to_images(x[: self.n]), None if labels is None else labels[: self.n]
        c = labels_for(model, labels)
        with sampling_mode(model, model.device, seed):
            fake = model.sample(len(x), seed, *c)
            real_score, fake_score = (model.score(images, *c).float().cpu() for images in (x, fake))
        if model.threshold is None:
            limits = fake_score, real_score
        else:
            limits = (torch.tensor(model.threshold),) * 2
        metrics["accuracy_real"] = share_above(real_score, limits[0])
        metrics["accuracy_fake"] = share_above(limits[1], fake_score)
        if len(x) > 1:
            diversity = mean_distance(fake) / mean_distance(x).clamp(min=1e-12)
            metrics["diversity"] = diversity.item()
        if model.scores_are_logits:
            loss = softplus(-real_score).mean() + softplus(fake_score).mean()
            metrics["jensen_shannon"] = (log(4) - loss.item()) / 2
            real_score, fake_score = real_score.sigmoid(), fake_score.sigmoid()
        return metrics | {
            "mean_real": real_score.mean().item(),
            "mean_fake": fake_score.mean().item(),
        }

    def diagnose(self, metrics: dict[str, float], relative: bool = False) -> None:
        """Warn once of each failure after several consecutive observations of it.

        Args:
            metrics: observed metrics.
            relative: if True, scores have no threshold. D may then rank all images right, as WGAN
                intends, while G still learns.
        """
        if "diversity" not in metrics:
            return
        gradient = metrics.get("gradient_g", 0.0)
        self.largest_gradient = max(self.largest_gradient, gradient)
        rejects = metrics["accuracy_fake"] > 0.99
        observed = {
            "saturated": not relative and rejects and metrics["accuracy_real"] > 0.99,
            "vanished": rejects and gradient < 1e-3 * self.largest_gradient,
            "collapsed": metrics["diversity"] < 0.3,
        }
        for failure, present in observed.items():
            self.failures[failure].append(present)
            if sum(self.failures[failure]) == PATIENCE and failure not in self.warned:
                self.warned.add(failure)
                rank_zero_warn(DIAGNOSES[failure])


def gradient_norm(network: nn.Module) -> float:
    """Return the norm of the network's latest gradient."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return torch.nn.utils.get_total_norm(gradients).item() if gradients else 0.0


def share_above(a: Tensor, b: Tensor) -> float:
    """Return the share of pairs of entries with a > b; equal entries count half."""
    a, b = a.flatten(), b.flatten().sort().values
    below, not_above = torch.searchsorted(b, a), torch.searchsorted(b, a, right=True)
    return ((below + not_above).double().mean() / 2 / len(b)).item()


def mean_distance(x: Images) -> Tensor:
    """Return the mean distance between two of the images."""
    return torch.pdist(x.flatten(1).float().cpu()).mean()  # MPS lacks pdist
