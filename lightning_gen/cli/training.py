"""fit, validate, test and predict: Lightning's Trainer, configured by flags and YAML files."""

import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from inspect import signature
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any, Literal

import torch
from jsonargparse import Namespace
from lightning import Callback, LightningDataModule, LightningModule, Trainer, seed_everything
from lightning import __version__ as lightning_version
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.cli import LightningArgumentParser
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins import CheckpointIO

import lightning_gen.datamodules
import lightning_gen.models  # noqa: F401 -- --model finds imported classes by their names
from lightning_gen import registry
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
from lightning_gen.checkpoints import AtomicCheckpointIO
from lightning_gen.cli import runs
from lightning_gen.cli.memory import prepare_cpu_training
from lightning_gen.cli.messages import find_class, parse, silence_warnings
from lightning_gen.cli.names import KINDS, flat, given, positional
from lightning_gen.cli.overview import Overview
from lightning_gen.cli.private import Parser
from lightning_gen.cli.summary import duration, relative, saved_by, summary
from lightning_gen.cli.trained import SaveConfig, defaults_of_checkpoint
from lightning_gen.errors import UserError
from lightning_gen.files import atomic_write
from lightning_gen.protocols import HasTargetChannels
from lightning_gen.types import ImageShape

MAX_EPOCHS = 20  # if no flag limits the training
STRATEGY = "ddp_find_unused_parameters_true"  # each backward pass is that of one player
CALLBACKS: dict[str, type[Callback]] = {  # of every run, by the group of their flags
    "grid": ImageGrid,
    "curves": LossCurves,
    "ema": GeneratorEMA,
    "latents": LatentPlot,
    "density": DensityPlot,
    "gan_monitor": GANMonitor,
    "checkpoint": RunCheckpoint,
}
BATCHES = [f"limit_{split}_batches" for split in ("train", "val", "test", "predict")]
BATCHES += ["overfit_batches"]


def run(args: list[str]) -> None:
    """Parse and run a command line that begins with fit, validate, test or predict.

    Raises:
        UserError: the command line is wrong, or a file or the data are.
    """
    silence_warnings()
    sys.argv[1:] = args  # Lightning starts further processes with this command line
    try:
        _run(args[0], args[1:])
    finally:
        if "wandb" in sys.modules:
            sys.modules["wandb"].finish()


def _run(command: str, args: list[str]) -> None:
    start = monotonic()
    args = _checkpoint_as_flag(args)
    trained = defaults_of_checkpoint(given(args), merge=command != "fit")
    parser = _parser(command, given(args), trained)
    required = [group for group in KINDS if group not in trained]
    try:
        config = parse(parser, args, required)
    except UserError as error:
        if command == "fit" or not str(error).startswith("--model is missing"):
            raise
        raise UserError(f"no checkpoint: write train.py {command} CHECKPOINT") from error
    resumed = _find_checkpoint(command, parser, config)
    if config.seed_everything is not False:
        seed = config.seed_everything
        if seed is None or seed is True:
            seed = runs.random_seed()
        config.seed_everything = seed_everything(seed, workers=True)
    folder = resumed or runs.new_folder(command, config)
    try:
        settings = _write_to(folder, parser, config, save=not resumed)
        init = parser.instantiate(config)
        if command == "fit" and init.evaluate:
            _check_evaluate(init.evaluate, init)
        trainer = _trainer(init, settings)
        if resumed and runs.is_first_process():
            for logger in trainer.loggers:
                if isinstance(logger, CSVLogger):
                    runs.keep_rows(logger, config.ckpt_path)
    except Exception:
        if runs.is_first_process() and not resumed:  # the run has not begun
            shutil.rmtree(folder, ignore_errors=True)
        raise
    paths = {"ckpt_path": config.ckpt_path, "weights_only": True}  # never runs code of a file
    if command == "fit":
        for logger in trainer.loggers:
            logger.log_hyperparams(runs.description(settings, CALLBACKS, init.model))
        if isinstance(trainer.accelerator, CPUAccelerator):
            prepare_cpu_training()
        with _exit_code_of_interrupts():
            trainer.fit(init.model, datamodule=init.data, **paths)
        if trainer.is_global_zero:
            _after_fit(trainer, folder, init, monotonic() - start)
    elif command == "predict":
        _predict(trainer, folder, init, paths)
    else:
        measure = trainer.validate if command == "validate" else trainer.test
        measure(init.model, datamodule=init.data, verbose=config.verbose, **paths)


@contextmanager
def _exit_code_of_interrupts() -> Iterator[None]:
    """Exit with 130 after Ctrl-C, where Lightning exits with 1."""
    try:
        yield
    except SystemExit as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise SystemExit(128 + signal.SIGINT) from stop
        raise


def _checkpoint_as_flag(args: list[str]) -> list[str]:
    """Replace `test CHECKPOINT` by `test --ckpt_path CHECKPOINT`.

    Raises:
        UserError: there are several such arguments, or one is the name of a recipe.
    """
    extra = positional(args)
    for name in extra:
        if name in registry.entries("recipes") or name.endswith((".yaml", ".yml")):
            raise UserError(f"{name} is not a checkpoint: write --config {name}")
    if len(extra) > 1:
        raise UserError(f"more than one checkpoint: {', '.join(extra)}; each flag has one value")
    if not extra:
        return args
    index = args.index(extra[0])
    return [*args[:index], "--ckpt_path", *args[index:]]


def _parser(
    command: str, found: Mapping[str, Any], trained: Mapping[str, Any]
) -> LightningArgumentParser:
    """Return the parser of a command.

    Args:
        command: fit, validate, test or predict.
        found: value of each flag, see `given`.
        trained: default model, data and further groups, see `defaults_of_checkpoint`.
    """
    what = "[--config RECIPE] --model MODEL --data DATA" if command == "fit" else "CHECKPOINT"
    parser = Parser(
        prog=f"train.py {command}",
        usage=f"train.py {command} {what} [FLAGS]",
        description="Flags override those of a configuration file before them.",
        dump_header=[f"lightning.pytorch=={lightning_version}"],
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument(
        "-c", "--config", action="config", help="name of a recipe, or path of a YAML file"
    )
    for cls, group in ((LightningModule, "model"), (LightningDataModule, "data")):
        parser.add_subclass_arguments(
            cls,
            group,
            as_group=False,
            fail_untyped=False,
            required=True,
            **({"default": trained[group]} if group in trained else {}),
            metavar="CLASS",
            help=f"class of `train.py list`, or a custom one, such as my_file.MyClass; "
            f"--{group}.help CLASS lists its arguments; set them with --{group}.NAME",
        )
    parser.add_argument(
        "--ckpt_path",
        type=str | None,
        default=None,
        help='checkpoint to start from; "last" finds the newest one of a run with these flags',
    )
    parser.add_argument(
        "--seed_everything",
        "--seed",
        type=bool | int | None,
        default=0,
        help="seed of weights and noise; on a CPU, runs with the same seed are bit-equal; "
        "true or null for a random one",
    )
    parser.add_argument(
        "--logger",
        type=Literal["csv", "tensorboard", "wandb"],
        default="csv",
        help="destination of metrics; for other loggers of Lightning, use --trainer.logger",
    )
    parser.add_argument(
        "--evaluate",
        type=int,
        default=0,
        help="number of samples to compare with test images after the training; 0 for none",
    )
    if command in ("validate", "test"):
        parser.add_argument("--verbose", type=bool, default=True, help="whether to print metrics")
    for group, callback in CALLBACKS.items():
        parser.add_lightning_class_args(callback, group)
    parser.set_defaults({"ema.halflife": 0.0, "latents.every_n_epochs": 0})
    parser.add_class_arguments(
        Trainer,
        "trainer",
        skip={*BATCHES},
        instantiate=False,
        fail_untyped=False,
        sub_configs=True,
    )
    parser.set_defaults({"trainer.enable_autolog_hparams": False})  # see runs.description
    trainer = (parser.groups or {})["trainer"]
    for name in BATCHES:  # typing may cache Lightning's type as float | int: 1 would be 1.0, all
        trainer.add_argument(
            f"--trainer.{name}",
            type=int | float | None,
            default=signature(Trainer).parameters[name].default,
            help="number of batches (int), or fraction of all batches (float)",
        )
    for group in trained.keys() - KINDS:
        parser.set_defaults(flat(group, trained[group]))
    given_or_saved = {*found, *flat("model", trained.get("model"))}
    for name, link in _links(find_class(found.get("model"), "model")).items():
        if f"model.{name}" not in given_or_saved:
            parser.link_arguments("data", f"model.init_args.{name}", link, apply_on="instantiate")
    return parser


def _links(model: type | None) -> dict[str, Callable[[LightningDataModule], Any]]:
    """Return the functions that compute arguments of a model from the data."""
    links: dict[str, Callable[[LightningDataModule], Any]] = {
        "image_shape": _image_shape,
        "target_channels": _target_channels,
    }
    classes = signature(model).parameters.get("num_classes") if model else None
    if model and classes and classes.default:  # 0 for models that may be conditional
        links["num_classes"] = partial(_num_classes, model=model.__name__, default=classes.default)
    return links


def _image_shape(data: LightningDataModule) -> ImageShape:
    try:
        return data.image_shape  # type: ignore[attr-defined]
    except AttributeError as error:
        raise UserError(
            f"{type(data).__name__} has no attribute image_shape: "
            "add --model.image_shape '[channels, height, width]'"
        ) from error


def _num_classes(data: LightningDataModule, model: str, default: int) -> int:
    """Return the number of classes of the data, or else the default of the model."""
    classes = getattr(data, "num_classes", default)
    if classes == 1:
        raise UserError(
            f"{model} learns classes, but the data have a single one: put the images of each class "
            "in a folder of its own, or use a model without classes"
        )
    return classes


def _target_channels(data: LightningDataModule) -> int | None:
    return data.target_channels if isinstance(data, HasTargetChannels) else None


def _find_checkpoint(
    command: str, parser: LightningArgumentParser, config: Namespace
) -> Path | None:
    """Find and read the checkpoint before anything is built.

    Returns:
        Folder of the run that continues, if any.
    """
    if config.ckpt_path == "last":
        settings = parser.dump(config, skip_unset=False)
        required = command != "fit"
        config.ckpt_path, folder = runs.last_checkpoint(config, settings, required)
        return None if required else folder
    if config.ckpt_path:
        runs.read_checkpoint_of_run(config.ckpt_path)
    elif command != "fit" and runs.is_first_process():
        print(f"No --ckpt_path: {command} uses the initial weights of the model.")
    return None


def _write_to(folder: Path, parser: LightningArgumentParser, config: Namespace, save: bool) -> str:
    """Save the configuration, and direct all output to the folder of the run.

    Returns:
        The configuration as YAML.
    """
    flags = config.trainer
    if (flags.max_epochs, flags.max_steps, flags.max_time) == (None, -1, None):
        flags.max_epochs = MAX_EPOCHS
    settings = parser.dump(config, skip_unset=False)
    if save and runs.is_first_process():
        with atomic_write(folder / "config.yaml") as path:
            path.write_text(settings, encoding="utf-8")
    flags.default_root_dir = str(folder)
    config.checkpoint.dirpath = config.checkpoint.dirpath or str(folder / "checkpoints")
    if flags.logger in (None, True) and not flags.barebones:
        flags.logger = runs.logger(config.logger, folder)
    return settings


def _trainer(init: Namespace, settings: str) -> Trainer:
    """Build the trainer, with defaults for the strategy, the progress bar and the checkpoints.

    Args:
        init: the configuration, instantiated.
        settings: the same as YAML, for the checkpoints.

    Raises:
        UserError: a flag only applies to automatic optimization.
    """
    flags = vars(init.trainer)
    if not init.model.automatic_optimization:
        _refuse_flags_of_automatic_optimization(init.trainer)
        if runs.uses_ddp(init.trainer):
            flags["strategy"] = STRATEGY
            if runs.is_first_process():
                print(f"Several processes: using --trainer.strategy {STRATEGY}.")
    bare = flags["barebones"]  # Lightning's mode to measure speed: nothing is logged or saved
    saves = flags["enable_checkpointing"] is not False and not bare
    callbacks = _as_list(flags["callbacks"])
    if flags["enable_progress_bar"] is not False and not bare and not _any(callbacks, ProgressBar):
        callbacks += [Progress()]
    plugins = _as_list(flags["plugins"])
    if not _any(plugins, CheckpointIO):
        plugins += [AtomicCheckpointIO()]
    groups = {group for group in CALLBACKS if saves or group != "checkpoint"}
    callbacks += [init[group] for group in CALLBACKS if group in ({"ema"} if bare else groups)]
    callbacks += [SaveConfig(settings), Overview()]
    return Trainer(**flags | {"callbacks": callbacks, "plugins": plugins})


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [] if value is None else [value]


def _any(values: list[Any], cls: type) -> bool:
    return any(isinstance(value, cls) for value in values)


def _refuse_flags_of_automatic_optimization(flags: Namespace) -> None:
    for flag, unused, own in (
        ("gradient_clip_val", (None, 0), "clip"),
        ("accumulate_grad_batches", (1,), "micro_batch_size, which splits the batch"),
    ):
        if flags[flag] not in unused:
            raise UserError(f"--trainer.{flag} requires automatic optimization; use --model.{own}")


def _check_evaluate(n: int, init: Namespace) -> None:
    """Check that samples can be evaluated after the training.

    Raises:
        UserError: there are too few, or the model draws none that compare with this data.
    """
    from lightning_gen.cli.evaluate import MINIMUM, require_samples  # slow to import

    if n < MINIMUM:
        raise UserError(f"--evaluate must be 0, or at least {MINIMUM}, but is {n}")
    require_samples(init.model, init.data)


def _after_fit(trainer: Trainer, folder: Path, init: Namespace, seconds: float) -> None:
    """Print the results, where they are, and the next command."""
    unit = "batches" if trainer.accumulate_grad_batches == 1 else "steps"
    print(f"\nTrained for {trainer.global_step:,} {unit} in {duration(seconds)}.")
    checkpoint = saved_by(trainer)
    print(summary(folder, checkpoint, init.model, trainer.callback_metrics))
    if n := init.evaluate:
        from lightning_gen.cli.evaluate import report

        target = Path(relative(folder / "evaluation.json"))
        print(f"\nComparing {n:,} samples with real images (--evaluate 0 skips this) ...")
        report(str(checkpoint or folder), init.model, init.data, target, n)


def _predict(trainer: Trainer, folder: Path, init: Namespace, paths: dict[str, Any]) -> None:
    """Save the predictions, in the order of the images; as a list if their sizes differ.

    Raises:
        UserError: there are several processes, each with a part of the predictions.
    """
    if trainer.world_size > 1:
        raise UserError("predict runs in one process only: add --trainer.devices 1")
    predictions: Any = trainer.predict(init.model, datamodule=init.data, **paths)
    same_size = len({batch.shape[1:] for batch in predictions}) == 1
    with atomic_write(folder / "predictions.pt") as path:
        torch.save(torch.cat(predictions) if same_size else [*chain(*predictions)], path)
    print(f"\nPredictions: {folder / 'predictions.pt'}")
