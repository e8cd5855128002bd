"""Manual optimization said once: a step of gradient descent, and what takes it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from math import cos, pi
from operator import add
from typing import Any, Literal

from lightning import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.parametrize import cached
from torch.optim import SGD, Adadelta, Adam, Optimizer, RMSprop
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from lightning_gen.types import Scalar

Terms = dict[str, Scalar]
OptimizerName = Literal["adam", "sgd", "rmsprop", "adadelta"]
Schedule = Literal["constant", "linear", "cosine"]


def descend(
    model: LightningModule,
    optimizer: LightningOptimizer,
    terms: Callable[..., Terms],
    chunks: Sequence[tuple[Any, ...]],
    *,
    resting: Iterable[nn.Module],
    counted: bool,
) -> Terms:
    """Take one step down the sum of `terms`, averaged over the chunks of a minibatch.

    Meanwhile only the optimizer's parameters require gradients, so what the other players compute
    needs no `detach`, and the `resting` networks' batch norms keep their statistics: a player out
    of its turn stays as it is, to the bit. Afterwards, even after an error, all is as before.

    Exactly one descent per minibatch is `counted`: `trainer.global_step` is then the number of
    minibatches, and so are `max_steps` and the steps of checkpoints. The others go through the
    strategy, where precision and clipping treat them alike but nobody counts them.

    Args:
        model: the module in training, in manual optimization.
        optimizer: one of `model.optimizers()`.
        terms: gives the named terms of the loss for the contents of a chunk.
        chunks: the minibatch, in parts that fit into memory one at a time; each weighs as many
            images as its first entry has.
        resting: the networks of the players that are not to move.
        counted: whether this step is the minibatch's one counted step.

    Returns:
        The terms, and their sum as `loss`; detached, averaged over the chunks.
    """
    totals: Terms = {}
    images = sum(len(chunk[0]) for chunk in chunks)
    with model.toggled_optimizer(optimizer), _statistics_kept(resting):
        optimizer.zero_grad()
        for chunk in chunks:
            with cached():  # D's normalised weights are the same for real images and fakes
                named = terms(*chunk)
            loss = reduce(add, named.values())
            weight = len(chunk[0]) / images
            model.manual_backward(loss if len(chunks) == 1 else weight * loss)
            for name, term in {**named, "loss": loss}.items():
                share = weight * term.detach()
                totals[name] = totals[name] + share if name in totals else share
        if counted:
            optimizer.step()
        else:
            model.trainer.strategy.optimizer_step(optimizer.optimizer, _nothing)
    return totals


@contextmanager
def _statistics_kept(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Let norms work as in training without remembering what they have seen.

    Batch norms normalise by the batch; spectral norms do not go on with their power iteration.
    """
    modules = [module for network in networks for module in network.modules()]
    batch = [m for m in modules if isinstance(m, _BatchNorm) and m.track_running_stats]
    spectral = [m for m in modules if isinstance(m, _SpectralNorm) and m.training]
    for batch_norm in batch:
        batch_norm.track_running_stats = False
    for spectral_norm in spectral:
        spectral_norm.training = False
    try:
        yield
    finally:
        for batch_norm in batch:
            batch_norm.track_running_stats = True
        for spectral_norm in spectral:
            spectral_norm.training = True


def _nothing() -> None:
    """A closure for gradients that are there already."""


@dataclass(frozen=True)
class OptimizerSettings:
    """How every player's optimizer and its schedule are made.

    Attributes:
        name: "adam", "rmsprop", "adadelta", or "sgd" with momentum.
        schedule: "constant"; "linear" or "cosine" fall to 0 at the end of the training.
        betas: Adam's momentum coefficients.
        momentum: SGD's momentum.
        weight_decay: of the L2 penalty on weights, as a share of them added to their gradients.
        fused: whether to take one kernel for all parameters where the device has it; faster on
            CPUs, too, but its gradients cannot be clipped under mixed precision.
        decay_from: share of the training after which a linear schedule begins to fall.
    """

    name: OptimizerName
    schedule: Schedule = "constant"
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.9
    weight_decay: float = 0.0
    fused: bool = True
    decay_from: float = 0.0

    def optimizer(self, parameters: Iterable[Tensor], lr: float) -> Optimizer:
        """One player's optimizer."""
        parameters, decay = list(parameters), self.weight_decay
        devices = {parameter.device.type for parameter in parameters}
        fused = self.fused and devices <= {"cpu", "cuda"}
        match self.name:
            case "adam":
                return Adam(parameters, lr, self.betas, weight_decay=decay, fused=fused)
            case "sgd":
                return SGD(parameters, lr, self.momentum, weight_decay=decay, fused=fused)
            case "rmsprop":
                return RMSprop(parameters, lr, weight_decay=decay)
            case "adadelta":
                return Adadelta(parameters, lr, weight_decay=decay)

    def scheduler(self, optimizer: Optimizer, steps: int) -> LRScheduler:
        """Its schedule over a training of so many steps, which no checkpoint holds on to."""
        falling = max(steps - round(self.decay_from * steps), 1)

        def linear(step: int) -> float:
            return min(1.0, max(steps - step, 0) / falling)

        def cosine(step: int) -> float:
            return (1 + cos(pi * min(step / max(steps, 1), 1))) / 2

        return LambdaLR(optimizer, cosine if self.schedule == "cosine" else linear)
