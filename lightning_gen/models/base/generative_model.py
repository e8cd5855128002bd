"""Base class of all models."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, ClassVar, cast
from warnings import warn

import torch
from lightning import Callback, LightningModule
from lightning.pytorch.utilities.types import OptimizerConfig, OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.optim import Optimizer

from lightning_gen.checkpoints import (
    SEED_KEY,
    SETTINGS_KEY,
    STEP_METRICS_KEY,
    check_states,
    describe,
)
from lightning_gen.compat import batches_seen
from lightning_gen.errors import ArgumentError, DataError
from lightning_gen.models.base.batches import BatchReader, PairReader, check_images
from lightning_gen.models.base.nonfinite import NonFiniteGuard
from lightning_gen.models.base.settings import AlternatingOptimizerSettings, OptimizerSettings
from lightning_gen.models.base.trainer_checks import (
    check_classes,
    check_flags,
    check_namespace,
    check_optimizers,
    check_strategy,
    is_limited_by_time,
)
from lightning_gen.sampling import derive_seed, seed_generators
from lightning_gen.types import Batch, ImageShape, Labels, Scalar, to_images, to_labels


class GenerativeModel(LightningModule, ABC):
    """Base class of all models: batches, noise, logging, optimizers and checkpoints.

    Noise depends only on the seed of the run, the number of the batch and the process, so a
    resumed run repeats it, and processes differ. Metrics of a step are logged every
    ``log_every_n_steps`` batches. A NaN or infinite loss stops the run.

    Args:
        image_shape: (channels, height, width) of the images.
        settings: optimizer and learning rate schedule.
    """

    networks: ClassVar[Sequence[str]]  # arguments that checkpoints store as weights
    num_classes = 0  # 0 for unconditional models

    def __init__(self, image_shape: ImageShape, settings: OptimizerSettings) -> None:
        super().__init__()
        check_namespace()
        self.image_shape, self.settings = image_shape, settings
        self.automatic_optimization = not isinstance(settings, AlternatingOptimizerSettings)
        self.read: BatchReader | PairReader = BatchReader(image_shape)
        self.step_metrics: dict[str, Scalar] = {}
        self.observed: dict[str, Scalar] = {}
        self.nonfinite_guard = NonFiniteGuard()
        self.seed = 0
        self.labels_checked = False

    @property
    def players(self) -> Mapping[str, nn.Module]:
        """Networks of each optimizer, by name."""
        return {"model": self}

    def unpack(self, batch: Batch) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the images x and the condition c of a batch."""
        x, labels = self.read(batch)
        return self.to_device(x), self.condition(labels)

    def to_device(self, x: Tensor) -> Tensor:
        """Return a tensor on the device and in the precision of the model."""
        return x.to(self.device, cast(torch.dtype, self.dtype))

    def prepare(self, x: Tensor, check: bool = False) -> Tensor:
        """Return images on the device of the model; pixels in uint8 or uint16 are converted.

        Raises:
            DataError: If ``check`` is set, and shape or range are not those of training images.
        """
        x = self.to_device(to_images(x))
        if check:
            check_images(x, self.image_shape)
        return x

    def all_classes(self, n: int) -> Labels | None:
        """Return n labels, all classes in turn; None for unconditional models."""
        return torch.arange(n) % self.num_classes if self.num_classes else None

    def condition(self, labels: Any = None) -> tuple[Tensor, ...]:
        """Return one-hot labels (b, num_classes), or an empty tuple for unconditional models.

        Raises:
            DataError: If labels are missing.
            ArgumentError: If a label is not below ``num_classes``.
        """
        if not self.num_classes:
            return ()
        if labels is None:
            raise DataError(
                f"{type(self).__name__} needs labels, integers (b,): use batches (x, labels) or "
                '{"image": x, "label": labels}, and pass labels=... to its methods'
            )
        labels = to_labels(labels)
        if labels.device.type == "cpu" or not self.labels_checked:  # each check synchronizes a GPU
            self.labels_checked = True
            for label in map(int, labels.aminmax() if len(labels) else ()):
                if not 0 <= label < self.num_classes:
                    raise ArgumentError(
                        "num_classes", f"is {self.num_classes}, but the data have the label {label}"
                    )
        return (self.to_device(one_hot(labels, self.num_classes)),)

    def observe(self, **values: Tensor) -> None:
        """Log the means of these values alongside the terms of the loss."""
        self.observed.update({k: v.detach().float().mean() for k, v in values.items()})

    @abstractmethod
    def evaluation_step(self, batch: Batch, batch_idx: int, stage: str) -> None:
        """Log the metrics of a batch of validation or test images under ``stage/``."""

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Evaluate on validation images, with the same noise in every epoch."""
        self.evaluation_step(batch, batch_idx, "val")

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Evaluate on test images."""
        self.evaluation_step(batch, batch_idx, "test")

    def configure_callbacks(self) -> list[Callback]:
        """Check flags of the Trainer before Lightning does, whose errors name no argument.

        Raises:
            UserError: If a flag does not apply to this model.
        """
        check_flags(self)
        return []

    def on_fit_start(self) -> None:
        """Check the strategy and the data, and take the seed of the run unless it is resumed."""
        if not self.automatic_optimization:
            check_strategy(self.trainer.strategy)
            check_optimizers(self)
        self.train()  # loaded models are in eval mode
        check_classes(self)
        if self.trainer.ckpt_path is None:
            self.seed = self.trainer.strategy.broadcast(torch.initial_seed())

    def on_train_start(self) -> None:
        """Check the first batch, also if this model was trained before."""
        self.read.checked = self.labels_checked = False
        self.step_metrics, self.nonfinite_guard = {}, NonFiniteGuard()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed the noise of this batch."""
        index = batches_seen(self.trainer) - 1
        seed_generators(derive_seed(self.seed, index, self.global_rank), self.device)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Log the metrics of the step, at intervals because logging is slower than a small network.

        Callbacks get those of the last batch of each epoch, too.
        """
        if self.is_logging_step:
            for name, value in self.step_metrics.items():
                self.log(name, value, prog_bar=name.endswith("/loss"))

    def on_train_epoch_end(self) -> None:
        """Log the metrics of the last step, which Lightning only logs at intervals."""
        trainer: Any = self.trainer
        every = trainer.log_every_n_steps
        if self.step_metrics and every and batches_seen(trainer) % every:
            metrics = {name: value.item() for name, value in self.step_metrics.items()}
            for logger in self.loggers:
                logger.log_metrics({"epoch": self.current_epoch, **metrics}, self.global_step - 1)

    @property
    def is_logging_step(self) -> bool:
        """Whether the metrics of this batch are logged: at intervals, and at the end of epochs."""
        trainer: Any = self.trainer
        every, batches = trainer.log_every_n_steps, batches_seen(trainer)
        ends = trainer.is_last_batch or trainer.should_stop
        ends = ends or 0 < trainer.max_steps <= trainer.global_step
        return bool(trainer.fast_dev_run or (every and batches and (ends or batches % every == 0)))

    def on_train_end(self) -> None:
        """Check the losses of the last step."""
        self.nonfinite_guard.check(self)

    def on_fit_end(self) -> None:
        """Raise an error if the training loader was empty.

        Raises:
            DataError: If the training loader was empty.
        """
        if self.trainer.num_training_batches == 0:
            raise DataError(
                "the training loader is empty: check --data.batch_size, --data.val_split and "
                "--trainer.limit_train_batches, or drop_last of your own loader"
            )

    def configure_optimizers(self) -> list[OptimizerConfig | OptimizerLRSchedulerConfig]:
        """Return an optimizer for each player."""
        settings = self.settings
        clipped = settings.clip or (self.automatic_optimization and self.trainer.gradient_clip_val)
        if settings.schedule != "constant" and is_limited_by_time(self.trainer):
            warn(
                "the learning rate stays constant, since max_time does not tell the number of "
                "steps: set max_epochs or max_steps, too, for a schedule",
                stacklevel=2,
            )
            settings = replace(settings, schedule="constant")
        return settings.configure(self.players, not clipped, self.total_steps)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip gradients, after a GradScaler has unscaled them."""
        if self.settings.clip:
            self.clip_gradients(optimizer, self.settings.clip, "norm")

    def total_steps(self, argument: str = "schedule") -> int:
        """Return the number of training steps.

        Raises:
            ArgumentError: If the training has no end, naming the argument that needs one.
        """
        steps = self.trainer.estimated_stepping_batches
        if not 0 <= steps < float("inf"):
            raise ArgumentError(
                argument,
                "needs a training with an end: set max_epochs, or max_steps if the "
                "loader has no length",
            )
        return int(steps)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the class, so that the file is sufficient to load the model, and the seed.

        Lightning logs a step after saving it. Its metrics are saved, too, in case the run is killed
        in between.
        """
        self.nonfinite_guard.check(self)
        settings = {SETTINGS_KEY: asdict(self.settings)}
        checkpoint.update(describe(self), **settings, **{SEED_KEY: self.seed})
        if self.is_logging_step:
            metrics = {name: value.item() for name, value in self.step_metrics.items()}
            checkpoint[STEP_METRICS_KEY] = metrics

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Compare the networks, and let changed settings of the optimizers take effect."""
        check_states(self, checkpoint, self.networks)
        self.settings.apply_to(checkpoint, self.players)
        self.seed = checkpoint.get(SEED_KEY, 0)
