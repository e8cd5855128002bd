"""What every model here does besides learning: noise that repeats, logs that cost nothing."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, cast

import torch
from lightning import LightningModule
from torch import Tensor
from torch.nn.functional import one_hot

from lightning_gen.checkpoints import REPORTS_KEY, SEED_KEY, check_states, describe
from lightning_gen.errors import ArgumentError, DataError
from lightning_gen.models.base.batches import BatchReader, PairReader
from lightning_gen.models.base.nonfinite import NonFiniteGuard
from lightning_gen.models.base.optimization import OptimizerSettings
from lightning_gen.sampling import derive_seed, seed_generators
from lightning_gen.types import Batch, ImageShape, Labels, Scalar


class GenerativeModel(LightningModule, ABC):
    """A model of images: the plumbing of training, validation and checkpoints.

    Noise depends on nothing but the run's seed, the batch's number and the process, so that a
    resumed run repeats it and several processes differ. What a step reports is logged every n
    steps, and a loss that is no number ends the run.

    Args:
        image_shape: (channels, height, base_channels) of the images.
    """

    networks: ClassVar[Sequence[str]]  # attributes and arguments that checkpoints hold as weights
    fixed: ClassVar[Sequence[str]] = ()  # arguments of base classes that are the model's to give
    settings: OptimizerSettings
    num_classes = 0  # of the labels that the networks see besides their input; 0 for none

    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__()
        self.read: BatchReader | PairReader = BatchReader(image_shape)
        self.image_shape = image_shape
        self.step_metrics: dict[str, Scalar] = {}
        self.guard = NonFiniteGuard()
        self.seed = 0
        self.knows_labels = False  # whether labels have been looked at

    def place(self, x: Tensor) -> Tensor:
        """Images or codes where the model lives, in its precision."""
        return x.to(self.device, cast(torch.dtype, self.dtype))

    def condition(self, labels: Labels | None = None) -> tuple[Tensor, ...]:
        """What the networks see besides their input: nothing, or one-hot labels (b, num_classes).

        Raises:
            DataError: labels are missing.
            ArgumentError: there is a label beyond `num_classes`.
        """
        if not self.num_classes:
            return ()
        if labels is None:
            raise DataError(
                f"{type(self).__name__} needs labels: batches must be (x, labels) or "
                '{"image": x, "label": labels}, and labels=... must be given to its methods.'
            )
        labels = labels.long()
        if labels.device.type == "cpu" or not self.knows_labels:  # a GPU would wait for each look
            self.knows_labels = True
            for label in map(int, labels.aminmax() if len(labels) else ()):
                if not 0 <= label < self.num_classes:
                    raise ArgumentError(
                        "num_classes", f"is {self.num_classes}, but there is the label {label}"
                    )
        return (self.place(one_hot(labels, self.num_classes)),)

    def on_fit_start(self) -> None:
        """Be in training; take the run's seed, one for all processes, or go on with the saved."""
        if not self.training:  # as `load_model` gives it
            self.train()
        if self.trainer.ckpt_path is None:
            self.seed = self.trainer.strategy.broadcast(torch.initial_seed())

    def on_train_start(self) -> None:
        """Begin anew: what a former fit or the sanity check has seen says nothing of this one."""
        self.read.checked = self.knows_labels = False
        self.step_metrics, self.guard = {}, NonFiniteGuard()

    def on_train_end(self) -> None:
        """Look at the last step, too, which on a GPU no further step does."""
        self.guard.look(self)

    def on_fit_end(self) -> None:
        """Refuse to pass off a training without images for one; Lightning calls it done.

        Raises:
            DataError: the training loader gave no batch.
        """
        if self.trainer.num_training_batches == 0:
            raise DataError(
                "there is nothing to train on: the training loader is empty.\n"
                "See --data.batch_size and --data.val_split, or your own loader's drop_last, and "
                "--trainer.limit_train_batches."
            )

    @abstractmethod
    def measure(self, batch: Batch, batch_idx: int, stage: str) -> None:
        """Log what there is to know of held-out images, under the stage's name."""

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Measure on the validation images, with the same noise in every epoch."""
        self.measure(batch, batch_idx, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """The same on the test images."""
        self.measure(batch, batch_idx, "test")

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed the noise of this batch."""
        batches = self.trainer.fit_loop.total_batch_idx
        seed_generators(derive_seed(self.seed, batches, self.global_rank), self.device)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Log the latest reports every n steps, and let callbacks know those of an epoch's end.

        Logging at every step would cost more than a small network.
        """
        if self.is_logging_step or self.trainer.is_last_batch:
            for name, value in self.step_metrics.items():
                self.log(name, value, prog_bar=name.endswith("/loss"))

    @property
    def is_logging_step(self) -> bool:
        """Whether the reports of the batch that was trained on last are to be logged."""
        trainer: Any = self.trainer
        every = trainer.log_every_n_steps
        batches = trainer.fit_loop.total_batch_idx + 1
        return bool(trainer.fast_dev_run or (every and batches and batches % every == 0))

    def minibatches(self, argument: str = "schedule") -> int:
        """Minibatches of the whole training, over which what the argument sets extends.

        Raises:
            ArgumentError: the training has no end.
        """
        steps = self.trainer.estimated_stepping_batches
        if not 0 <= steps < float("inf"):
            raise ArgumentError(
                argument,
                "needs a training whose end is known: set max_epochs, or where the loader has no "
                "length max_steps",
            )
        return int(steps)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Name the class in the file, so that the file alone says how to load it; keep the seed.

        Lightning logs a step after it has saved it: the step's reports are saved as well, in case
        that the run is killed in between.
        """
        self.guard.look(self)
        checkpoint.update(describe(self), **{SEED_KEY: self.seed})
        if self._trainer is not None and self.is_logging_step:
            checkpoint[REPORTS_KEY] = {name: value.item() for name, value in self.step_metrics.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say which network differs, before torch lists every tensor that does."""
        check_states(self, checkpoint, self.networks)
        self.seed = checkpoint.get(SEED_KEY, 0)
