"""fit, validate, test and predict: Lightning's own command line, with our defaults."""

import shutil
import sys
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any, Literal

import torch
from jsonargparse import Namespace
from lightning import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins import CheckpointIO

from lightning_gen import datamodules, models  # an imported class is known to --model by its name
from lightning_gen.callbacks import (
    DensityPlot,
    GANMonitor,
    GeneratorEMA,
    ImageGrid,
    LatentPlot,
    LossCurves,
    Progress,
    RunCheckpoint,
)
from lightning_gen.checkpoints import WholeCheckpointIO
from lightning_gen.cli import runs
from lightning_gen.cli.messages import arguments, error_context, hush, parsing
from lightning_gen.cli.names import gives
from lightning_gen.cli.parser import Parser
from lightning_gen.cli.summary import duration, relative, saved_by, summary
from lightning_gen.errors import UserError
from lightning_gen.files import atomic_write
from lightning_gen.models.base.game import Game
from lightning_gen.models.base.trainer_checks import IN_TURN
from lightning_gen.protocols import HasTargetChannels
from lightning_gen.types import ImageShape

MAX_EPOCHS = 20  # where no flag says when to stop; Lightning's own 1,000 never end
CALLBACKS: dict[str, type[Callback]] = {  # of every run, by the group of their flags
    "grid": ImageGrid,
    "curves": LossCurves,
    "ema": GeneratorEMA,
    "latents": LatentPlot,
    "density": DensityPlot,
    "gan_monitor": GANMonitor,
    "checkpoint": RunCheckpoint,
}
GROUPS: dict[str, type] = {"model": LightningModule, "data": LightningDataModule, **CALLBACKS}


class TrainingCLI(LightningCLI):
    """Lightning's command line, with a folder for each run and errors that name the flag."""

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        """Every mistake is an exception, and no flag may be abbreviated."""
        hints = Trainer.__init__.__annotations__
        for name, hint in hints.items():  # typing's cache may give Lightning float before int ...
            if hint == (int | float | None):
                hints[name] = int | float | None  # ... and limit_val_batches=1 would be all batches
        return super().init_parser(**kwargs, exit_on_error=False, allow_abbrev=False)

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """The one that is asked for; to describe the others takes time."""
        command = sys.argv[1]
        return {command: LightningCLI.subcommands()[command]}

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """`--seed` beside Lightning's longer name for it."""
        parser.add_argument(
            "--seed_everything",
            "--seed",
            type=bool | int,
            default=self.seed_everything_default,
            help="Seed of weights and noise; two runs on a CPU with the same one are bit-equal.",
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """What every run has: pictures, checkpoints, a logger by its short name."""
        parser.add_argument(
            "--logger",
            type=Literal["csv", "tensorboard", "wandb"],
            default="csv",
            help="Where metrics go; --trainer.logger takes any logger of Lightning's instead.",
        )
        parser.add_argument(
            "--evaluate",
            type=int,
            default=0,
            help="Samples that are compared with test images after the training; 0 for none.",
        )
        for group, callback in CALLBACKS.items():
            parser.add_lightning_class_args(callback, group)
        parser.set_defaults({"ema.halflife": 0.0, "latents.every_n_epochs": 0})
        if not gives(sys.argv[1:], "model.image_shape"):
            parser.link_arguments(
                "data", "model.init_args.image_shape", _image_shape, apply_on="instantiate"
            )
        if not gives(sys.argv[1:], "model.target_channels"):  # models without it leave it out
            parser.link_arguments(
                "data", "model.init_args.target_channels", _target_channels, apply_on="instantiate"
            )

    def _parse_ckpt_path(self) -> None:
        """Find and read the checkpoint before anything is built; it does not override any flag."""
        command = self.config.subcommand
        config = self.config[command]
        self.resumed: Path | None = None
        if config.ckpt_path == "last":
            settings = self._parser(command).dump(config, skip_unset=False)
            config.ckpt_path = runs.last_checkpoint(config, settings, begins=command == "fit")
            if config.ckpt_path and command == "fit":
                self.resumed = runs.folder_of(config.ckpt_path)
        elif config.ckpt_path:
            runs.check_checkpoint(config.ckpt_path)
        elif command != "fit" and runs.is_first_process():
            print(f"No --ckpt_path: {command} takes the weights that the model begins with.")
        config.weights_only = True  # a checkpoint is data and never runs code

    def before_instantiate_classes(self) -> None:
        """Make the run's folder, and have everything that writes write there."""
        self.started = monotonic()
        config = self.config[self.subcommand]
        flags = config.trainer
        logger = runs.logger(config.logger) if flags.logger in (None, True) else None
        if (flags.max_epochs, flags.max_steps, flags.max_time) == (None, -1, None):
            flags.max_epochs = MAX_EPOCHS
        self.folder: Path = self.resumed or runs.new_folder(str(self.subcommand), config)
        if runs.is_first_process() and not self.resumed:
            with atomic_write(self.folder / "config.yaml") as path:
                self._parser(self.subcommand).save(config, path, skip_unset=False)
        flags.default_root_dir = str(self.folder)
        config.checkpoint.dirpath = config.checkpoint.dirpath or str(self.folder / "checkpoints")
        if logger:
            logger.init_args.update(Namespace(runs.logger_place(config.logger, self.folder)))
            flags.logger = logger

    def instantiate_classes(self) -> None:
        """Build everything; if that fails, the run has not begun and leaves no folder behind."""
        try:
            with error_context(GROUPS):
                super().instantiate_classes()
        except Exception:
            if runs.is_first_process() and not self.resumed:
                shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _run_subcommand(self, subcommand: str) -> None:
        with error_context(GROUPS):
            super()._run_subcommand(subcommand)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Choose what the flags leave open: the strategy, the progress bar."""
        trainer_config = self.config_init[self.subcommand].trainer
        self._refuse_flags_of_automatic_optimization(trainer_config)
        if isinstance(self.model, Game) and runs.several_processes(trainer_config):
            trainer_config.strategy = IN_TURN
            if runs.is_first_process():
                print(f"Several processes: --trainer.strategy {IN_TURN}, for two optimizers.")
        callbacks = trainer_config.callbacks or []
        callbacks = callbacks if isinstance(callbacks, list) else [callbacks]
        bars = [callback for callback in callbacks if isinstance(callback, ProgressBar)]
        if trainer_config.enable_progress_bar is not False and not bars:
            trainer_config.callbacks = [*callbacks, Progress()]
        plugins = trainer_config.plugins or []
        plugins = plugins if isinstance(plugins, list) else [plugins]
        if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
            trainer_config.plugins = [*plugins, WholeCheckpointIO()]
        trainer = super().instantiate_trainer(**kwargs)
        if self.resumed and runs.is_first_process():
            for logger in trainer.loggers:
                if isinstance(logger, CSVLogger):
                    runs.keep_rows(logger, self.config[self.subcommand].ckpt_path)
        return trainer

    def _refuse_flags_of_automatic_optimization(self, flags: Any) -> None:
        for flag, idle, own in (
            ("gradient_clip_val", (None, 0), "clip"),
            ("accumulate_grad_batches", (1,), "accumulate"),
        ):
            if isinstance(self.model, Game) and flags[flag] not in idle:
                raise UserError(f"--trainer.{flag} is for a single optimizer: take --model.{own}")

    def before_fit(self) -> None:
        """Let the loggers know what their run is, beside the arguments of model and data."""
        if n := self.config.fit.evaluate:
            from lightning_gen.cli.evaluate import FEWEST, require_samples  # slow to import

            if n < FEWEST:
                raise UserError(f"--evaluate must be 0, or at least {FEWEST}, but is {n}")
            require_samples(self.model, self.datamodule)
        facts = runs.facts(self.config[self.subcommand])
        for logger in self.trainer.loggers:
            logger.log_hyperparams(facts)

    def after_fit(self) -> None:
        """Say where everything lies, and how to go on."""
        if self.trainer.is_global_zero:
            time = duration(monotonic() - self.started)
            batches = self.trainer.fit_loop.total_batch_idx + 1
            print(f"\nTrained for {batches:,} batches in {time}.")
            checkpoint = saved_by(self.trainer)
            print(summary(self.folder, checkpoint, self.model, self.trainer.callback_metrics))
            if n := self.config.fit.evaluate:
                from lightning_gen.cli.evaluate import report

                target = relative(self.folder / "evaluation.json")
                print(
                    f"\nComparing {n:,} samples with real images (--evaluate 0 leaves it out) ..."
                )
                report(str(checkpoint), self.model, self.datamodule, target, n)

    def before_predict(self) -> None:
        """Refuse several processes, each of which would hold a share of the answers."""
        if self.trainer.world_size > 1:
            raise UserError("predict keeps the images' order in one process: --trainer.devices 1")

    def after_predict(self) -> None:
        """Save the predictions, in the order of the images; as a list, if their sizes differ."""
        predictions = self.trainer.predict_loop.predictions
        alike = len({answer.shape[1:] for answer in predictions}) == 1
        with atomic_write(self.folder / "predictions.pt") as path:
            torch.save(torch.cat(predictions) if alike else [*chain(*predictions)], path)
        print(f"\nPredictions: {self.folder / 'predictions.pt'}")


def run(args: list[str]) -> None:
    """Parse and run a command line that begins with fit, validate, test or predict.

    Raises:
        UserError: the command line is wrong, or something outside the code is.
    """
    hush()
    try:
        sys.argv[1:] = args  # Lightning starts further processes with this command line
        with parsing(_flags):
            TrainingCLI(
                LightningModule,
                LightningDataModule,
                parser_class=Parser,
                subclass_mode_model=True,
                subclass_mode_data=True,
                save_config_callback=None,
                seed_everything_default=0,
                auto_configure_optimizers=False,  # --optimizer would replace the models' own pair
                load_from_checkpoint_support=False,  # checkpoints hold plain arguments instead
            )
    finally:
        if "wandb" in sys.modules:
            sys.modules["wandb"].finish()


def _flags() -> list[str]:
    """Those of the models and data modules that ship, of the callbacks and of the trainer."""
    groups: list[tuple[str, type]] = [*CALLBACKS.items(), ("trainer", Trainer)]
    for group, shipped in (("model", models), ("data", datamodules)):
        groups += [(group, getattr(shipped, name)) for name in shipped.__all__]
    return sorted({f"--{group}.{name}" for group, cls in groups for name in arguments(cls)})


def _image_shape(data: LightningDataModule) -> ImageShape:
    try:
        return data.image_shape  # type: ignore[attr-defined]
    except AttributeError as error:
        raise UserError(
            f"{type(data).__name__} has no attribute image_shape: "
            "give the model --model.image_shape '[channels, height, width]'"
        ) from error


def _target_channels(data: LightningDataModule) -> int | None:
    return data.target_channels if isinstance(data, HasTargetChannels) else None
