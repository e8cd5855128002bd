"""sample: images from a checkpoint, as a grid, as files, or as a folder to train on."""

import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import jsonargparse
import torch
from lightning import LightningModule
from torchvision.utils import make_grid, save_image
from tqdm import tqdm

from lightning_gen.checkpoints import load_model
from lightning_gen.cli.messages import flags_of, parsing, refuse_existing
from lightning_gen.errors import CheckpointError, UserError, require_at_least
from lightning_gen.files import atomic_write
from lightning_gen.inference.latents import Walk
from lightning_gen.inference.latents import walk as walk_through
from lightning_gen.protocols import Decodes, Samples, classes_of
from lightning_gen.sampling import derive_seed, sampling_mode
from lightning_gen.types import Images, to_pixels, to_rgb

Layout = Literal["grid", "files", "folder"]
LABEL = "generated"
CHUNK = 100  # images drawn at once: the i-th image depends on the seed and i, not on n


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
        checkpoint: the file that training wrote.
        n: number of images.
        out: file of the grid, or folder of the files; `samples.png` and `samples` by default.
        layout: "grid" writes one picture; "files" one file per image, OUT/<seed>-<number>.png;
            "folder" the layout of torchvision's ImageFolder, OUT/<label>/<seed>-<number>.png, so
            that a data set can be extended with them.
        label: name of the class folder in the layout "folder".
        columns: images in a row of the grid; a square grid by default.
        walk: a walk through the codes instead, in as many rows as hold `n`
            images: "interpolation" from one random code to another in each row, "traversal" of an
            entry of the code in each row, as far as there are entries, "manifold" of codes that
            have two entries, in as many rows as columns.
        seed: the same seed draws the same images.
        device: cpu, cuda or mps; the fastest there is by default.
        model: class of a model of your own, as my_file.MyClass; ours are named in the checkpoint.
        force: replace files that exist.

    Raises:
        UserError: the checkpoint cannot be read, cannot draw, or files would be replaced.
    """
    require_at_least(1, n=n)
    require_at_least(0, seed=seed)
    require_at_least(1, columns=columns or 1)
    if walk and layout != "grid":
        raise UserError("--walk is a grid: leave out --layout")
    if label != LABEL and layout != "folder":
        raise UserError("--label names a folder: add --layout folder")
    target = Path(out or ("samples.png" if layout == "grid" else "samples"))
    paths = _paths(target, layout, label, seed, n)
    refuse_existing(paths, force)
    drawn = _load(checkpoint, model, device)
    columns = columns or round(n**0.5)
    chunks = [_walk(drawn, walk, n, columns, seed)] if walk else draw(drawn, n, seed)
    if layout == "grid":
        n = _write_grid(target, chunks, columns)
    else:
        _write_files(paths, chunks)
    print(f"{n} images: {target}")


def run(args: list[str]) -> None:
    """Parse and run a command line that begins with `sample`."""
    with parsing(lambda: flags_of(sample)):
        jsonargparse.auto_cli(
            sample, args=args[1:], prog="train.py sample", exit_on_error=False, allow_abbrev=False
        )


def own_class(class_path: str | None) -> type[LightningModule] | None:
    """The class that --model names, of a module that can be imported from here.

    Raises:
        UserError: it is no path.
    """
    if not class_path:
        return None
    module, _, name = class_path.rpartition(".")
    if not module:
        raise UserError(f"--model {class_path} must be a path, as my_file.MyClass")
    return getattr(import_module(module), name)


def draw(model: Samples, n: int, seed: int) -> Iterator[Images]:
    """Draw n images chunk by chunk; of a model with classes, all of them in turn."""
    classes = classes_of(model)
    for start in range(0, n, CHUNK):
        labels = [torch.arange(start, start + CHUNK) % classes] if classes else []
        yield model.sample(CHUNK, derive_seed(seed, start), *labels)[: n - start]


def _paths(target: Path, layout: Layout, label: str, seed: int, n: int) -> list[Path]:
    """The files to write."""
    if layout == "grid":
        if target.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
            raise UserError(f"--out {target} must end in .png, .jpg or .webp")
        return [target]
    folder = target / label if layout == "folder" else target
    return [folder / f"{seed}-{number:06}.png" for number in range(n)]


def _load(checkpoint: str, model: str | None, device: str | None) -> Any:
    """The model that a checkpoint holds, if it draws pictures."""
    drawn = load_model(checkpoint, own_class(model)).to(chosen_device(device))
    if not isinstance(drawn, Samples):
        raise CheckpointError(f"{checkpoint} holds {type(drawn).__name__}, which cannot draw")
    if drawn.sample(1, seed=0).shape[2:] == (1, 1):
        raise UserError(
            f"{checkpoint} draws points, which make no pictures; in Python, sample(n) gives them"
        )
    return drawn


def _write_grid(target: Path, chunks: Iterable[Images], columns: int) -> int:
    """Write images as one picture; how many they are, which a walk decides itself."""
    pixels = torch.cat([to_pixels(to_rgb(x)).cpu() for x in chunks])
    with atomic_write(target) as path:
        save_image(make_grid(pixels, columns) / 255, path)
    return len(pixels)


def _write_files(paths: list[Path], chunks: Iterable[Images]) -> None:
    numbered = iter(paths)
    for x in tqdm(chunks, total=-(-len(paths) // CHUNK), disable=not sys.stderr.isatty()):
        for image in to_pixels(to_rgb(x)).cpu() / 255:
            with atomic_write(next(numbered)) as path:
                save_image(image, path)


def _walk(model: Any, kind: Walk, n: int, columns: int, seed: int) -> Images:
    if not isinstance(model, Decodes):
        raise UserError(f"--walk goes through codes, and {type(model).__name__} decodes none")
    with sampling_mode(model, model.device, seed):  # type: ignore[attr-defined, arg-type]
        return walk_through(model, kind, -(-n // columns), columns)


def chosen_device(name: str | None = None) -> torch.device:
    """The device of this name, or the fastest there is.

    Raises:
        UserError: there is no such device.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    name = name or next((device for device, is_there in there.items() if is_there), "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, ImportError) as error:
        gist = str(error).partition("\n")[0]
        raise UserError(f"--device {name} cannot be used here, but cpu can: {gist}") from error
