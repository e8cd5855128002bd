"""Running average of a generator, which `GeneratorEMA` updates and checkpoints store."""

from collections.abc import MutableMapping
from copy import deepcopy
from typing import TYPE_CHECKING
from warnings import warn

from torch import Tensor

from lightning_gen.protocols import UpdatesAverage

if TYPE_CHECKING:
    from lightning_gen.models.base.adversarial import AdversarialModel


def discard_average(model: "AdversarialModel") -> None:
    """Remove an average that no callback of the run updates, since G moves away from it."""
    callbacks: list[object] = list(model.trainer.callbacks)  # type: ignore[attr-defined]
    updated = any(isinstance(c, UpdatesAverage) and c.halflife for c in callbacks)
    if model.average is not None and not updated:
        warn(
            "the average of G is discarded, since no callback updates it: add GeneratorEMA to the "
            "callbacks of the Trainer, or --ema.halflife on the command line",
            stacklevel=2,
        )
        model.average = None


def restore_average(model: "AdversarialModel", state_dict: MutableMapping[str, Tensor]) -> None:
    """Add an average to the model if the state dict has one, and the reverse."""
    saved = {name: x for name, x in state_dict.items() if name.startswith("generator.")}
    if any(name.startswith("average.") for name in state_dict):
        model.average = model.average or deepcopy(model.generator).requires_grad_(False)
    elif model.average is not None:
        state_dict.update({f"average.{name.partition('.')[2]}": x for name, x in saved.items()})
