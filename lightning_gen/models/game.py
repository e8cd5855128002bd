"""Manual optimization for players who move in turn: what no paper says and every model needs."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch
from lightning import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import nn
from torch.optim import Optimizer

from lightning_gen.checkpoints import SEED_KEY, check_states, describe
from lightning_gen.checks import BatchReader
from lightning_gen.errors import require_at_least
from lightning_gen.optimization import Objective, OptimizerName, descent, make_optimizer
from lightning_gen.sampling import entropy
from lightning_gen.types import Batch, ImageShape, Scalar


class Game(LightningModule, ABC):
    """Players with networks and an optimizer each; a model says who they are and what they do.

    The training step opens a `descent` for each player in its turn. The first player moves at
    every batch, so that counting its steps makes `global_step` the number of batches.

    Args:
        image_shape: (channels, height, width) of the images.
        optimizer: "adam" or "sgd", for every player.
        lr: learning rate of every player.
        betas: Adam's momentum coefficients.
        momentum: SGD's momentum.

    Raises:
        ArgumentError: an argument is out of its range.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        *,
        optimizer: OptimizerName,
        lr: float,
        betas: tuple[float, float],
        momentum: float,
    ) -> None:
        super().__init__()
        require_at_least(0, lr=lr, momentum=momentum)
        self.automatic_optimization = False
        self.read = BatchReader(image_shape)
        self.optimizer_settings = (optimizer, lr, betas, momentum)
        self.reports: dict[str, Scalar] = {}
        self.seed = 0

    @property
    @abstractmethod
    def players(self) -> Mapping[str, nn.Module]:
        """Each player's networks by the player's name, in the order of their optimizers."""

    @property
    def batches(self) -> int:
        """Training batches begun so far, over all epochs and resumes."""
        return self.trainer.fit_loop.total_batch_idx + 1

    @contextmanager
    def descent(self, player: str) -> Iterator[Objective]:
        """One step of one player while the others rest; see `optimization.descent`."""
        names = list(self.players)
        optimizers = cast(list[LightningOptimizer], self.optimizers())
        resting = [network for name, network in self.players.items() if name != player]
        with descent(
            self, optimizers[names.index(player)], resting=resting, counted=player == names[0]
        ) as objective:
            yield objective
        for name, term in objective.report().items():
            self.reports[f"train/{player}/{name}"] = term

    def on_fit_start(self) -> None:
        """Take the run's seed, one for all processes; a resumed run goes on with its own."""
        if self.trainer.ckpt_path is None:
            self.seed = self.trainer.strategy.broadcast(torch.initial_seed())

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Let the noise depend on nothing but the seed, the batch's number and the process."""
        torch.manual_seed(entropy(self.seed, self.batches, self.global_rank))

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Log the latest terms every n steps: at every step, it would cost more than a small D."""
        trainer: Any = self.trainer
        every = trainer.log_every_n_steps
        if trainer.fast_dev_run or (every and self.batches % every == 0):
            for name, value in self.reports.items():
                self.log(name, value, prog_bar=name.endswith("/loss"))

    def configure_optimizers(self) -> list[Optimizer]:
        """One optimizer a player."""
        return [
            make_optimizer(player.parameters(), *self.optimizer_settings)
            for player in self.players.values()
        ]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Name the class in the file, so that the file alone says how to load it; keep the seed."""
        checkpoint.update(describe(self), **{SEED_KEY: self.seed})

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say which network differs, before torch lists every tensor that does."""
        check_states(self, checkpoint, [name for name, _ in self.named_children()])
        self.seed = checkpoint[SEED_KEY]
