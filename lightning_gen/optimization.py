"""Manual optimization said once: a step of gradient descent as a `with` block."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import reduce
from operator import add
from typing import Literal

from lightning import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import SGD, Adam, Optimizer

from lightning_gen.types import Logits, Scalar

OptimizerName = Literal["adam", "sgd"]


class Objective(dict[str, Scalar]):
    """The named terms of one player's loss; their sum is minimised."""

    def __init__(self) -> None:
        self.observed: dict[str, Scalar] = {}

    def observe(self, **scores: Logits) -> None:
        """Have the means of these scores logged beside the terms."""
        self.observed |= {name: score.detach().float().mean() for name, score in scores.items()}

    def report(self) -> dict[str, Scalar]:
        """Every term, their sum as `loss`, and what was observed, all detached."""
        terms = {name: term.detach() for name, term in self.items()}
        return {**terms, "loss": self.total().detach(), **self.observed}

    def total(self) -> Scalar:
        """What is minimised."""
        return reduce(add, self.values())


@contextmanager
def descent(
    model: LightningModule,
    optimizer: LightningOptimizer,
    *,
    resting: Iterable[nn.Module],
    counted: bool,
) -> Iterator[Objective]:
    """Take one step down the sum of the terms that are written into the objective inside.

    Inside the block only the optimizer's parameters require gradients, so what the other player
    computes needs no `detach`, and the `resting` networks keep their batch statistics: a player
    out of its turn stays as it is, to the bit. Leaving the block, even by an error, thaws both.

    Exactly one descent per batch is `counted`: `trainer.global_step` is then the number of
    batches, and so are `max_steps` and the steps of checkpoints. The others go through the
    strategy, where precision and clipping treat them alike but nobody counts them.

    Args:
        model: the module in training, in manual optimization.
        optimizer: one of `model.optimizers()`.
        resting: the networks of the players that are not to move.
        counted: whether this step counts as the batch's one step.
    """
    objective = Objective()
    with model.toggled_optimizer(optimizer), _statistics_kept(resting):
        yield objective
        optimizer.zero_grad()
        model.manual_backward(objective.total())
        if counted:
            optimizer.step()
        else:
            model.trainer.strategy.optimizer_step(optimizer.optimizer, _nothing)


@contextmanager
def _statistics_kept(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Let batch norms normalise by the batch, as in training, without remembering it."""
    norms = [
        module
        for network in networks
        for module in network.modules()
        if isinstance(module, _BatchNorm) and module.track_running_stats
    ]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True


def _nothing() -> None:
    """A closure for gradients that are there already."""


def make_optimizer(
    parameters: Iterable[Tensor],
    name: OptimizerName,
    lr: float,
    betas: tuple[float, float],
    momentum: float,
) -> Optimizer:
    """Adam or SGD with momentum, fused where the device has it: faster on CPUs, too."""
    parameters = list(parameters)
    fused = {parameter.device.type for parameter in parameters} <= {"cpu", "cuda"}
    if name == "sgd":
        return SGD(parameters, lr, momentum=momentum, fused=fused)
    return Adam(parameters, lr, betas=betas, fused=fused)
