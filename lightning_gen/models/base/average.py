"""Running average of a generator, which `GeneratorEMA` updates and checkpoints store."""

from collections.abc import MutableMapping
from copy import deepcopy
from warnings import warn

from lightning import Trainer
from torch import Tensor, nn

from lightning_gen.protocols import UpdatesAverage


def current_average(average: nn.Module | None, trainer: Trainer) -> nn.Module | None:
    """Return the average, or None with a warning if no callback of the run updates it."""
    callbacks: list[object] = list(trainer.callbacks)  # type: ignore[attr-defined]
    updated = any(isinstance(c, UpdatesAverage) and c.halflife for c in callbacks)
    if average is None or updated:
        return average
    warn(
        "the average of G is discarded, since no callback updates it: add GeneratorEMA to the "
        "callbacks of the Trainer, or --ema.halflife on the command line",
        stacklevel=3,
    )
    return None


def restored_average(
    average: nn.Module | None, generator: nn.Module, state_dict: MutableMapping[str, Tensor]
) -> nn.Module | None:
    """Return the average into which a state dict can be loaded, if any.

    If only the model has an average, add the generator's weights to the state dict as its average.
    """
    if any(name.startswith("average.") for name in state_dict):
        return average or deepcopy(generator).requires_grad_(False)
    if average is not None:
        saved = {name: x for name, x in state_dict.items() if name.startswith("generator.")}
        state_dict.update({f"average.{name.partition('.')[2]}": x for name, x in saved.items()})
    return average
