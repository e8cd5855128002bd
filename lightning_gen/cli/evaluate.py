"""evaluate: metrics of the samples of a checkpoint, next to those of real images."""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule, LightningModule
from torch import Tensor
from torchvision.utils import make_grid, save_image
from tqdm import tqdm

from lightning_gen import __version__
from lightning_gen.checkpoints import build_model, read_checkpoint
from lightning_gen.cli.messages import command_parser, parse, refuse_existing
from lightning_gen.cli.sample import BATCH_SIZE, chosen_device, custom_class, draw
from lightning_gen.cli.trained import add_data_of_training
from lightning_gen.errors import UserError, require_at_least
from lightning_gen.files import atomic_write
from lightning_gen.inference.evaluation import CLOSEST, Comparison, compare, require_comparable
from lightning_gen.protocols import Samples, classes_of
from lightning_gen.types import Labels, to_pixels

MINIMUM = 10  # samples


def evaluate(
    checkpoint: str,
    data: LightningDataModule,
    n: int = 10_000,
    seed: int = 0,
    out: str | None = None,
    cas: bool = False,
    device: str | None = None,
    model: str | None = None,
    force: bool = False,
    saved: dict[str, Any] | None = None,
) -> None:
    """Compare samples with test images; print the metrics and write them as JSON.

    The same metrics of as many training images show the values of a perfect model. An image shows
    the samples nearest to training images, each above its neighbor.

    Args:
        checkpoint: file that training wrote.
        data: data module with the test images; that of the training by default.
        n: number of samples.
        seed: seed of the samples; `train.py sample` draws the same ones.
        out: file to write, *.json; by default CHECKPOINT-evaluation.json, next to the checkpoint.
            The image has the same name and ends in -neighbours.png.
        cas: if True, compute the classification accuracy score of a conditional model, which
            trains two classifiers for some minutes.
        device: "cpu", "cuda" or "mps"; the fastest available one by default.
        model: class of a custom model, such as my_file.MyModel; the checkpoint names the others.
        force: if True, replace existing files.
        saved: content of the checkpoint, if it has been read.

    Raises:
        UserError: the checkpoint cannot be read, the model draws no samples or none that compare
            with this data, or files exist.
    """
    require_at_least(MINIMUM, n=n)
    require_at_least(0, seed=seed)
    target = _target(checkpoint, out, force)
    saved = read_checkpoint(checkpoint) if saved is None else saved
    trained = build_model(saved, checkpoint, custom_class(model)).to(chosen_device(device))
    require_samples(trained, data, cas)
    data.prepare_data()
    data.setup("fit")
    report(checkpoint, trained, data, target, n, seed, cas)


def report(
    checkpoint: str,
    model: LightningModule,
    data: LightningDataModule,
    target: Path,
    n: int,
    seed: int = 0,
    cas: bool = False,
) -> None:
    """Evaluate a model that is in memory; see `evaluate`."""
    x, labels = _samples(model, n, seed)
    result = compare(data, x, labels, cas, seed)
    facts = {
        "checkpoint": checkpoint,
        "model": type(model).__name__,
        "data": {"class": type(data).__name__, **data.hparams},
        "n": n,
        "seed": seed,
        "lightning_gen": __version__,
    }
    _write(target, facts, result)
    print(f"{n} samples of {facts['model']}, and as many real images:")
    print(_table(result))
    print(target)


def run(args: list[str]) -> None:
    """Parse and run a command line that begins with `evaluate`."""
    parser = command_parser(evaluate)
    saved = add_data_of_training(parser, args[1:], "data module with the test images")
    parser.add_function_arguments(evaluate, skip={"checkpoint", "data", "saved"})
    evaluate(**parser.instantiate(parse(parser, args[1:])), saved=saved)


def _target(checkpoint: str, out: str | None, force: bool) -> Path:
    source = Path(checkpoint)
    target = Path(out) if out else source.with_name(f"{source.stem}-evaluation.json")
    if target.suffix != ".json":
        raise UserError(f"--out {target} must end in .json")
    refuse_existing([target, _image_path(target)], force)
    return target


def _image_path(target: Path) -> Path:
    return target.with_name(f"{target.stem}-neighbours.png")


def require_samples(model: object, data: LightningDataModule, cas: bool = False) -> None:
    """Check that the samples of a model can be compared with the data.

    Raises:
        UserError: the model draws no samples, or without classes for `cas`; or this data has no
            metrics.
    """
    require_comparable(data)
    name = type(model).__name__
    if not isinstance(model, Samples):
        raise UserError(f"{name} draws no samples")
    if cas and not classes_of(model):
        raise UserError(f"--cas true requires a conditional model, but {name} has no classes")


def _samples(model: Any, n: int, seed: int) -> tuple[Tensor, Labels | None]:
    """Return samples (n, ...) and, of a conditional model, their labels: all classes in turn."""
    batches, classes = draw(model, n, seed), classes_of(model)
    x = torch.cat(list(tqdm(batches, total=-(-n // BATCH_SIZE), disable=not sys.stderr.isatty())))
    return x.float(), torch.arange(n, device=x.device) % classes if classes else None


def _write(target: Path, facts: dict[str, Any], result: Comparison) -> None:
    metrics = {"samples": result.samples, "real": result.real}
    if result.neighbours is not None:
        with atomic_write(_image_path(target)) as path:
            save_image(make_grid(to_pixels(result.neighbours).cpu(), CLOSEST) / 255, path)
    with atomic_write(target) as path:
        path.write_text(json.dumps(facts | result.facts | metrics, indent=2) + "\n")


def _table(result: Comparison) -> str:
    rows = [("", "samples", "real")]
    for (name, value), real in zip(result.samples.items(), result.real.values(), strict=True):
        rows.append((name, f"{value:.4g}", f"{real:.4g}"))
    width = max(len(name) for name, _, _ in rows)
    return "\n".join(f"  {name:{width}}{value:>12}{real:>12}" for name, value, real in rows)
