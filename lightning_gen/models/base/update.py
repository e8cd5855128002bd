"""Update of one player in manual optimization."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, cast
from warnings import catch_warnings, filterwarnings

from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList, cached
from torch.optim.lr_scheduler import LRScheduler

from lightning_gen.types import Scalar

if TYPE_CHECKING:
    from lightning_gen.models.base.generative_model import GenerativeModel
    from lightning_gen.models.base.settings import AlternatingOptimizerSettings

Terms = dict[str, Scalar]
BATCH_NORMS = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm


def update(
    model: "GenerativeModel", player: str, terms: Callable[..., Terms], *batch: Tensor | None
) -> None:
    """Take one optimizer step of one player on the sum of its terms.

    Meanwhile, only the player's parameters require gradients, and the normalization layers of the
    other players keep their statistics: the other players stay the same to the bit. Only the
    step of the first player is counted, so ``trainer.global_step`` is the number of batches.

    Args:
        model: model in training, in manual optimization.
        player: key of ``model.players``.
        terms: function of the batch that returns the named terms of the loss.
        batch: tensors (b, ...), or None. They are split into micro-batches of
            ``micro_batch_size`` images, and gradients are accumulated over these.
    """
    names = list(model.players)
    optimizer = cast(list[LightningOptimizer], model.optimizers())[names.index(player)]
    others = [network for name, network in model.players.items() if name != player]
    settings = cast("AlternatingOptimizerSettings", model.settings)
    totals: Terms = {}
    with model.toggled_optimizer(optimizer), frozen_statistics(others):
        optimizer.zero_grad()
        for micro_batch, weight in split(batch, settings.micro_batch_size):
            model.observed = {}
            with cached():  # spectral norm is computed once for real and generated images
                named = terms(*micro_batch)
            loss = reduce(add, named.values())
            model.manual_backward(loss if weight == 1 else weight * loss)
            for name, value in {**model.observed, **named, "loss": loss}.items():
                share = weight * value.detach()
                totals[name] = totals[name] + share if name in totals else share
        if player == names[0]:
            optimizer.step()
        else:  # the strategy handles precision and clipping, and does not count the step
            model.trainer.strategy.optimizer_step(optimizer.optimizer, lambda: None)
    model.step_metrics |= {f"train/{player}/{name}": value for name, value in totals.items()}


def split(
    batch: tuple[Tensor | None, ...], size: int
) -> Iterator[tuple[tuple[Tensor | None, ...], float]]:
    """Yield micro-batches of at most ``size`` images, each with its share of the batch."""
    n = next(len(x) for x in batch if x is not None)
    if not 0 < size < n:
        yield batch, 1
        return
    for start in range(0, n, size):
        yield (
            tuple(None if x is None else x[start : start + size] for x in batch),
            min(size, n - start) / n,
        )


@contextmanager
def frozen_statistics(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Keep the statistics of batch norms, and the power iteration of spectral norms, as they are.

    Batch norms still normalize by the batch.
    """
    modules = [module for network in networks for module in network.modules()]
    batch = [m for m in modules if isinstance(m, BATCH_NORMS) and m.track_running_stats]
    lists = [module for module in modules if isinstance(module, ParametrizationList)]
    spectral = [
        module for parametrizations in lists for module in parametrizations if module.training
    ]
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


def finish_step(model: "GenerativeModel") -> None:
    """Check the losses, and advance the learning rates, before a callback can save the step.

    Raises:
        NonFiniteLossError: If a loss is NaN or infinite.
    """
    model.nonfinite_guard.watch(model, model.step_metrics)
    with catch_warnings():  # the first step of G may come after that of its scheduler
        filterwarnings("ignore", "Detected call of `lr_scheduler.step")
        for scheduler in cast(list[LRScheduler], model.lr_schedulers() or []):
            scheduler.step()
