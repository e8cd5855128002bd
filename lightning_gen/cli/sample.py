"""sample: images drawn from a checkpoint, as a grid, as files, or as a data set."""

import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import torch
from lightning import LightningModule
from torchvision.utils import make_grid, save_image
from tqdm import tqdm

from lightning_gen.checkpoints import load_model
from lightning_gen.cli.messages import command_parser, parse, refuse_existing
from lightning_gen.errors import CheckpointError, UserError, require_at_least
from lightning_gen.files import atomic_write
from lightning_gen.inference.latents import Walk
from lightning_gen.inference.latents import walk as walk_through
from lightning_gen.protocols import Decodes, Samples, classes_of
from lightning_gen.sampling import derive_seed, sampling_mode
from lightning_gen.types import Images, to_pixels, to_rgb

Layout = Literal["grid", "files", "folder"]
LABEL = "generated"
BATCH_SIZE = 100  # constant, so that image i depends on the seed and i, but not on n


def sample(
    checkpoint: str,
    n: int = 64,
    out: str | None = None,
    layout: Layout = "grid",
    label: str = LABEL,
    columns: int | None = None,
    walk: Walk | None = None,
    seed: int = 0,
    device: str | None = None,
    model: str | None = None,
    force: bool = False,
) -> None:
    """Draw images from a trained model and write them as PNG.

    Args:
        checkpoint: file that training wrote.
        n: number of images.
        out: file of the grid (default: samples.png) or folder of the files (default: samples).
        layout: "grid" writes one image; "files" one file per sample, OUT/<seed>-<number>.png;
            "folder" the layout of torchvision's ImageFolder, OUT/<label>/<seed>-<number>.png, to
            extend a data set.
        label: name of the class folder in the layout "folder".
        columns: images in a row of the grid; a square grid by default.
        walk: draw a grid of about `n` images along a walk in latent space instead:
            "interpolation" between two random codes in each row, "traversal" of one dimension in
            each row, or "manifold", all codes of a model with two dimensions, as a square.
        seed: seed of the images.
        device: "cpu", "cuda" or "mps"; the fastest available one by default.
        model: class of a custom model, such as my_file.MyModel; the checkpoint names the others.
        force: if True, replace existing files.

    Raises:
        UserError: the checkpoint cannot be read, the model draws no images, or files exist.
    """
    require_at_least(1, n=n)
    require_at_least(0, seed=seed)
    require_at_least(1, columns=columns or 1)
    if walk and layout != "grid":
        raise UserError(f"--walk writes a grid, but --layout is {layout}; remove one of them")
    if label != LABEL and layout != "folder":
        raise UserError("--label is the name of a folder: add --layout folder")
    target = Path(out or ("samples.png" if layout == "grid" else "samples"))
    paths = _paths(target, layout, label, seed, n)
    refuse_existing(paths, force)
    drawn = _load(checkpoint, model, device)
    columns = columns or round(n**0.5)
    batches = [_walk(drawn, walk, n, columns, seed)] if walk else draw(drawn, n, seed)
    if layout == "grid":
        n = _write_grid(target, batches, columns)
    else:
        _write_files(paths, batches)
    print(f"{n} images: {target}")


def run(args: list[str]) -> None:
    """Parse and run a command line that begins with `sample`."""
    parser = command_parser(sample)
    parser.add_function_arguments(sample, skip={"checkpoint"})
    sample(**vars(parse(parser, args[1:])))


def custom_class(class_path: str | None) -> type[LightningModule] | None:
    """Import the class that --model names.

    Raises:
        UserError: the path has no module, or the class cannot be imported.
    """
    if not class_path:
        return None
    module, _, name = class_path.rpartition(".")
    if not module:
        raise UserError(f"--model {class_path} must be a path, such as my_file.MyModel")
    try:
        return getattr(import_module(module), name)
    except (ModuleNotFoundError, AttributeError) as error:
        raise UserError(f"--model {class_path}: {error}") from error


def draw(model: Samples, n: int, seed: int) -> Iterator[Images]:
    """Yield n images in batches; those of a conditional model show all classes in turn."""
    classes = classes_of(model)
    for start in range(0, n, BATCH_SIZE):
        labels = [torch.arange(start, start + BATCH_SIZE) % classes] if classes else []
        yield model.sample(BATCH_SIZE, derive_seed(seed, start), *labels)[: n - start]


def _paths(target: Path, layout: Layout, label: str, seed: int, n: int) -> list[Path]:
    """Return the files to write."""
    if layout == "grid":
        if target.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
            raise UserError(f"--out {target} must end in .png, .jpg or .webp")
        return [target]
    folder = target / label if layout == "folder" else target
    return [folder / f"{seed}-{number:06}.png" for number in range(n)]


def _load(checkpoint: str, model: str | None, device: str | None) -> Any:
    """Load a model that draws images."""
    drawn = load_model(checkpoint, custom_class(model)).to(chosen_device(device))
    if not isinstance(drawn, Samples):
        raise CheckpointError(f"{checkpoint} holds {type(drawn).__name__}, which draws no samples")
    if drawn.sample(1, seed=0).shape[2:] == (1, 1):
        raise UserError(
            f"{checkpoint} holds a model of points, not of images; call its sample(n) in Python"
        )
    return drawn


def _write_grid(target: Path, batches: Iterable[Images], columns: int) -> int:
    """Write images as one; return their number, which a walk may round."""
    pixels = torch.cat([to_pixels(to_rgb(x)).cpu() for x in batches])
    with atomic_write(target) as path:
        save_image(make_grid(pixels, columns) / 255, path)
    return len(pixels)


def _write_files(paths: list[Path], batches: Iterable[Images]) -> None:
    numbered = iter(paths)
    for x in tqdm(batches, total=-(-len(paths) // BATCH_SIZE), disable=not sys.stderr.isatty()):
        for image in to_pixels(to_rgb(x)).cpu() / 255:
            with atomic_write(next(numbered)) as path:
                save_image(image, path)


def _walk(model: Any, kind: Walk, n: int, columns: int, seed: int) -> Images:
    if not isinstance(model, Decodes):
        raise UserError(
            f"--walk requires a model with a decoder, which {type(model).__name__} has not"
        )
    with sampling_mode(model, model.device, seed):  # type: ignore[attr-defined, arg-type]
        return walk_through(model, kind, -(-n // columns), columns)


def chosen_device(name: str | None = None) -> torch.device:
    """Return the device of this name, or the fastest one available.

    Raises:
        UserError: the device is not available.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    name = name or next((device for device, found in available.items() if found), "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"--device {name} is not available ({reason}); use --device cpu") from error
