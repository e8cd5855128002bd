"""Update of one player in manual optimization."""

from collections.abc import Callable, Iterator
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, cast
from warnings import catch_warnings, filterwarnings

from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.nn.utils.parametrize import cached
from torch.optim.lr_scheduler import LRScheduler

from lightning_gen.networks import frozen_power_iteration, frozen_statistics
from lightning_gen.types import Scalar

if TYPE_CHECKING:
    from lightning_gen.models.base.generative_model import GenerativeModel
    from lightning_gen.models.base.settings import AlternatingOptimizerSettings

Terms = dict[str, Scalar]


def update(
    model: "GenerativeModel", player: str, terms: Callable[..., Terms], *batch: Tensor | None
) -> None:
    """Take one optimizer step of one player on the sum of its terms.

    The other players remain bit-identical: their parameters do not require gradients, and their
    normalization layers keep their statistics. Only steps of the first player are counted, so
    ``trainer.global_step`` is the number of batches.

    Args:
        model: model in manual optimization.
        player: key of ``model.players``.
        terms: function of the batch that returns the named terms of the loss.
        batch: tensors (b, ...), or None, which are split into micro-batches.
    """
    names = list(model.players)
    optimizer = cast(list[LightningOptimizer], model.optimizers())[names.index(player)]
    others = [network for name, network in model.players.items() if name != player]
    settings = cast("AlternatingOptimizerSettings", model.settings)
    totals: Terms = {}
    with model.toggled_optimizer(optimizer), frozen_statistics(others):
        optimizer.zero_grad()
        for i, (micro_batch, weight) in enumerate(split(batch, settings.micro_batch_size)):
            model.observed = {}
            # one power iteration per update, one spectral norm for real and generated images
            with frozen_power_iteration([model.players[player]] if i else []), cached():
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
    n = len(cast(Tensor, batch[0]))
    if not 0 < size < n:
        yield batch, 1
        return
    for start in range(0, n, size):
        end = min(start + size, n)
        yield tuple(x if x is None else x[start:end] for x in batch), (end - start) / n


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
