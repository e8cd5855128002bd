"""evaluate: what a checkpoint's samples are worth, beside real images in their place."""

import json
import sys
from pathlib import Path
from typing import Any

import jsonargparse
import torch
from lightning import LightningDataModule, LightningModule
from torch import Tensor
from torchvision.utils import make_grid, save_image
from tqdm import tqdm

from lightning_gen import __version__, registry
from lightning_gen.checkpoints import load_model, read_checkpoint
from lightning_gen.cli.messages import flags_of, parsing, refuse_existing
from lightning_gen.cli.sample import CHUNK, chosen_device, draw, own_class
from lightning_gen.errors import UserError, require_at_least
from lightning_gen.files import atomic_write
from lightning_gen.inference.evaluation import CLOSEST, Comparison, compare, require_comparable
from lightning_gen.protocols import Samples, classes_of
from lightning_gen.types import Labels, to_pixels

FEWEST = 10  # samples of which there is anything to say


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
) -> None:
    """Draw samples, compare them with the test images, print the figures and write them as JSON.

    Beside them stand the figures of as many real training images, which a perfect model would
    reach. The samples that are nearest to training images are shown above those, in a picture.

    Args:
        checkpoint: the file that training wrote.
        data: a data module, that of the training by default.
        n: number of samples.
        seed: the same seed draws the same samples, those of `train.py sample`.
        out: the file to write, *.json; CHECKPOINT-evaluation.json, beside it, by default. The
            picture has its name and ends in -neighbours.png.
        cas: whether to give the classification accuracy score of a conditional model; two
            classifiers are trained, in minutes.
        device: cpu, cuda or mps; the fastest there is by default.
        model: class of a model of your own, as my_file.MyClass; ours are named in the checkpoint.
        force: replace files that exist.

    Raises:
        UserError: the checkpoint cannot be read or cannot draw, samples cannot be compared with
            this data, or files would be replaced.
    """
    require_at_least(FEWEST, n=n)
    require_at_least(0, seed=seed)
    target = _target(checkpoint, out, force)
    trained = load_model(checkpoint, own_class(model)).to(chosen_device(device))
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
    """Draw from a model, compare, print, and write the file and its picture; see `evaluate`."""
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
    print(f"{n} samples of {facts['model']}, and real images in their place:")
    print(_table(result))
    print(target)


def run(args: list[str]) -> None:
    """Parse and run a command line that begins with `evaluate`."""
    parser = jsonargparse.ArgumentParser(
        prog="train.py evaluate", exit_on_error=False, allow_abbrev=False
    )
    parser.add_argument("checkpoint", type=str, help="the file that training wrote")
    parser.add_subclass_arguments(
        LightningDataModule,
        "data",
        as_group=False,
        default=_trained_on(*(arg for arg in args[1:2] if not arg.startswith("-"))),
        required=False,
        help="a data module, that of the training by default",
    )
    parser.add_function_arguments(evaluate, skip={"checkpoint", "data"})
    with parsing(lambda: flags_of(evaluate)):
        evaluate(**parser.instantiate(parser.parse_args(args[1:])))


def _trained_on(checkpoint: str | None = None) -> dict[str, Any]:
    """The data module of the training with its arguments, as far as the checkpoint tells."""
    saved = read_checkpoint(checkpoint) if checkpoint else {}
    for name in registry.entries("datamodules"):
        if name in saved:  # its place in the data
            return {"class_path": name, "init_args": saved.get("datamodule_hyper_parameters", {})}
    return {"class_path": "MNISTDataModule"}


def _target(checkpoint: str, out: str | None, force: bool) -> Path:
    source = Path(checkpoint)
    target = Path(out) if out else source.with_name(f"{source.stem}-evaluation.json")
    if target.suffix != ".json":
        raise UserError(f"--out {target} must end in .json")
    refuse_existing([target, _picture(target)], force)
    return target


def _picture(target: Path) -> Path:
    return target.with_name(f"{target.stem}-neighbours.png")


def require_samples(model: object, data: LightningDataModule, cas: bool = False) -> None:
    """Refuse a model whose samples cannot be compared with the data.

    Raises:
        UserError: it draws none, or none of a class for `cas`; or there is no comparison.
    """
    require_comparable(data)
    name = type(model).__name__
    if not isinstance(model, Samples):
        raise UserError(f"{name} draws no samples that could be compared")
    if cas and not classes_of(model):
        raise UserError(f"--cas is for conditional models: {name} draws without labels")


def _samples(model: Any, n: int, seed: int) -> tuple[Tensor, Labels | None]:
    """Samples (n, ...) and, of a conditional model, what they are meant to show: all in turn."""
    chunks, classes = draw(model, n, seed), classes_of(model)
    x = torch.cat(list(tqdm(chunks, total=-(-n // CHUNK), disable=not sys.stderr.isatty())))
    return x.float(), torch.arange(n, device=x.device) % classes if classes else None


def _write(target: Path, facts: dict[str, Any], result: Comparison) -> None:
    figures = {"samples": result.samples, "real": result.real}
    if result.neighbours is not None:
        with atomic_write(_picture(target)) as path:
            save_image(make_grid(to_pixels(result.neighbours).cpu(), CLOSEST) / 255, path)
    with atomic_write(target) as path:
        path.write_text(json.dumps(facts | result.facts | figures, indent=2) + "\n")


def _table(result: Comparison) -> str:
    rows = [("", "samples", "real")]
    for (name, value), floor in zip(result.samples.items(), result.real.values(), strict=True):
        rows.append((name, f"{value:.4g}", f"{floor:.4g}"))
    width = max(len(name) for name, _, _ in rows)
    return "\n".join(f"  {name:{width}}{value:>12}{floor:>12}" for name, value, floor in rows)
