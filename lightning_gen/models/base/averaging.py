"""A generator, and the average of its weights that may stand in for it."""

from abc import ABC
from copy import deepcopy
from typing import Any
from warnings import warn

from torch import Tensor, nn

from lightning_gen.models.base.game import Game
from lightning_gen.types import Images, ImageShape


class AveragedGenerator(Game, ABC):
    """A game whose G may have an average, which `GeneratorEMA` keeps and checkpoints hold.

    Attributes:
        generator: G.
        average: its average, once there is one.
    """

    generator: nn.Module

    def __init__(self, image_shape: ImageShape, **training: Any) -> None:
        super().__init__(image_shape, **training)
        self.average: nn.Module | None = None
        self.moves_average = False  # whether this training does

    def forward(self, z: Tensor, *c: Tensor) -> Images:
        """G(z, c) of latents z; outside of training by G's average, if there is one."""
        G = self.generator if self.training or self.average is None else self.average
        return G(z, *c)

    def start_average(self) -> None:
        """Begin an average of G with a copy of it; `GeneratorEMA` goes on from there."""
        self.moves_average = True
        self._make_average()

    def _make_average(self) -> None:
        if self.average is None:
            self.average = deepcopy(self.generator).requires_grad_(False)

    def on_fit_start(self) -> None:
        """Do not go on drawing from an average that stays behind."""
        super().on_fit_start()
        if self.average is not None and not self.moves_average:
            warn(
                "G's average ends here, since nothing moves it on: add GeneratorEMA to the "
                "Trainer's callbacks, --ema.halflife on the command line.",
                stacklevel=2,
            )
            self.average = None

    def on_fit_end(self) -> None:
        """Leave it to the next training whether the average goes on."""
        super().on_fit_end()
        self.moves_average = False

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Make room for a saved average; let one that was not saved begin with the saved G."""
        super().on_load_checkpoint(checkpoint)
        weights = checkpoint["state_dict"]
        saved = {name: tensor for name, tensor in weights.items() if name.startswith("generator.")}
        if any(name.startswith("average.") for name in weights):
            self._make_average()
        elif self.average is not None:
            weights |= {f"average.{name.partition('.')[2]}": saved[name] for name in saved}
