"""Manual optimization for players who move in turn: what no paper says and every model needs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any, cast, get_args
from warnings import filterwarnings

from lightning.fabric.utilities.apply_func import move_data_to_device
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.types import OptimizerConfig, OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lightning_gen.checkpoints import of_all_processes
from lightning_gen.errors import ArgumentError, require_at_least, require_one_of
from lightning_gen.models.base.generative_model import GenerativeModel
from lightning_gen.models.base.optimization import (
    OptimizerName,
    OptimizerSettings,
    Schedule,
    Terms,
    descend,
)
from lightning_gen.models.base.strategies import check_strategy
from lightning_gen.types import Batch, ImageShape

Minibatch = list[tuple[Any, ...]]  # of chunks, one unless batches are accumulated
CHUNKS_KEY = "lightning_gen/chunks"
NETWORKS = ["generator", "discriminator"]  # arguments that checkpoints hold as weights


class Game(GenerativeModel, ABC):
    """Players with networks and an optimizer each; a model says who they are and what they want.

    The training step lets each player `descend` in its turn. The first player moves at every
    minibatch, so that counting its steps makes `global_step` the number of minibatches.

    Args:
        image_shape: (channels, height, base_channels) of the images.
        optimizer: of every player: "adam", "rmsprop", "adadelta", or "sgd" with momentum.
        lr: learning rate; that of every player without one of its own.
        lr_d: learning rate of D (two time scales: Heusel et al., 2017).
        lr_g: learning rate of G.
        betas: Adam's momentum coefficients.
        momentum: SGD's momentum.
        schedule: how the learning rates fall over the training: "constant", "linear" or "cosine".
        decay_from: share of the training after which a linear schedule begins to fall.
        clip: largest norm of a player's gradient; 0 leaves gradients as they are.
        accumulate: batches that make up a minibatch: the steps of one batch as large as all of
            them, in the memory of one (batch norm still sees one at a time). `global_step` and
            `k` count minibatches.

    Raises:
        ArgumentError: an argument is out of its range.
    """

    networks = NETWORKS

    def __init__(
        self,
        image_shape: ImageShape,
        *,
        optimizer: OptimizerName = "adam",
        lr: float = 2e-4,
        lr_d: float | None = None,
        lr_g: float | None = None,
        betas: tuple[float, float] = (0.5, 0.999),
        momentum: float = 0.5,
        schedule: Schedule = "constant",
        decay_from: float = 0.0,
        clip: float = 0.0,
        accumulate: int = 1,
    ) -> None:
        super().__init__(image_shape)
        require_one_of(get_args(OptimizerName), optimizer=optimizer)
        require_one_of(get_args(Schedule), schedule=schedule)
        rates = {"d": lr if lr_d is None else lr_d, "g": lr if lr_g is None else lr_g}
        require_at_least(0, lr=lr, lr_d=rates["d"], lr_g=rates["g"], momentum=momentum, clip=clip)
        require_at_least(1, accumulate=accumulate)
        if not 0 <= decay_from < 1:
            raise ArgumentError("decay_from", f"must be in [0, 1), but is {decay_from}")
        self.save_hyperparameters(ignore=[*self.networks, *self.fixed])
        self.automatic_optimization = False
        self.rates, self.clip = rates, clip
        self.settings = OptimizerSettings(
            optimizer,
            schedule,
            betas,
            momentum,
            fused=not clip,
            decay_from=decay_from,
        )
        self.accumulate, self.chunks = accumulate, Minibatch()

    @property
    @abstractmethod
    def players(self) -> Mapping[str, nn.Module]:
        """Each player's networks by the player's name, in the order of their optimizers."""

    @abstractmethod
    def split(self, batch: Batch) -> tuple[Any, ...]:
        """What the players' terms are functions of."""

    def chunk(self, batch: Batch) -> tuple[Any, ...]:
        """The same, as training takes it; a game may leave out what it cannot use, even all."""
        return self.split(batch)

    @abstractmethod
    def play(self, minibatch: Minibatch) -> None:
        """The algorithm: whoever's turn it is descends on the minibatch."""

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Play, once enough batches have come for a minibatch; all else is bookkeeping."""
        if chunk := self.chunk(batch):
            self.chunks.append(chunk)
        whole = len(self.chunks) == self.accumulate or self.trainer.is_last_batch
        if not (whole and self.chunks):
            return
        minibatch = self.chunks.copy()
        self.chunks.clear()
        self.play(minibatch)
        # before any callback saves this step: the one must not save NaN, the other not be missing
        self.guard.watch(self, self.step_metrics)
        for scheduler in self._schedulers():
            scheduler.step()

    def descend(self, player: str, terms: Callable[..., Terms], minibatch: Minibatch) -> None:
        """One step of one player while the others rest; see `optimization.descend`."""
        names = list(self.players)
        optimizers = cast(list[LightningOptimizer], self.optimizers())
        resting = [network for name, network in self.players.items() if name != player]
        report = descend(
            self,
            optimizers[names.index(player)],
            terms,
            minibatch,
            resting=resting,
            counted=player == names[0],
        )
        self.step_metrics.update({f"train/{player}/{name}": term for name, term in report.items()})

    def observe(self, player: str, **scores: Tensor) -> None:
        """Have the means of these scores logged beside the player's terms."""
        for name, score in scores.items():
            self.step_metrics[f"train/{player}/{name}"] = score.detach().float().mean()

    def on_fit_start(self) -> None:
        """Refuse strategies that players who move in turn cannot train under."""
        check_strategy(self.trainer.strategy)
        super().on_fit_start()

    def on_train_start(self) -> None:
        """Begin a new minibatch, unless the training goes on within one."""
        super().on_train_start()
        resumed = self.trainer.ckpt_path is not None
        self.chunks = move_data_to_device(self.chunks, self.device) if resumed else []

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep every process's part of a minibatch that has been begun."""
        super().on_save_checkpoint(checkpoint)
        if self.accumulate > 1:
            checkpoint[CHUNKS_KEY] = of_all_processes(move_data_to_device(self.chunks, "cpu"))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Give each process its part back."""
        super().on_load_checkpoint(checkpoint)
        if saved := checkpoint.get(CHUNKS_KEY):
            self.chunks = saved[self.global_rank % len(saved)]

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip, after a GradScaler has given the gradients their true size."""
        if self.clip:
            self.clip_gradients(optimizer, self.clip, "norm")

    def configure_optimizers(self) -> list[OptimizerConfig | OptimizerLRSchedulerConfig]:
        """An optimizer for each player, with a schedule if it is not constant."""
        return [
            self._scheduled(self.settings.optimizer(network.parameters(), self.rates[player]))
            for player, network in self.players.items()
        ]

    def _scheduled(self, optimizer: Optimizer) -> OptimizerConfig | OptimizerLRSchedulerConfig:
        if self.settings.schedule == "constant":
            return {"optimizer": optimizer}
        # the players' schedules move together, also where G takes its first step later than D
        filterwarnings("ignore", "Detected call of `lr_scheduler.step")
        scheduler = self.settings.scheduler(optimizer, self.minibatches())
        return {"optimizer": optimizer, "lr_scheduler": scheduler}

    def _schedulers(self) -> list[LRScheduler]:
        return cast(list[LRScheduler], self.lr_schedulers() or [])

    def minibatches(self, argument: str = "schedule") -> int:
        """Minibatches of the whole training; Lightning knows only its batches."""
        steps, trainer = super().minibatches(argument), self.trainer
        if self.accumulate == 1:
            return steps
        limits = [trainer.max_steps]
        batches = trainer.num_training_batches
        if trainer.max_epochs and trainer.max_epochs > 0 and batches < float("inf"):
            limits.append(ceil(batches / self.accumulate) * trainer.max_epochs)
        return int(min(limit for limit in limits if limit > 0))
