"""translate: images of any size, by a checkpoint or by published weights."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from lightning_gen.cli.gallery import write_gallery
from lightning_gen.cli.messages import command_parser, parse, refuse_existing
from lightning_gen.cli.sample import chosen_device, custom_class
from lightning_gen.errors import DataError, UserError, first_few, require_at_least
from lightning_gen.images.decoding import Pixels
from lightning_gen.images.inspection import has_unit_floats, inspect_images
from lightning_gen.images.reading import files_below, files_by_name, read_image
from lightning_gen.images.tiling import SMALLEST
from lightning_gen.images.writing import output_name, write_image
from lightning_gen.inference.paired_metrics import paired_image_metrics
from lightning_gen.inference.translator import Translator, load_translator
from lightning_gen.types import Direction


def translate(
    checkpoint: str,
    images: str,
    out: str = "translated",
    direction: Direction | None = None,
    tile: int = 1024,
    html: bool = False,
    target: str | None = None,
    seed: int = 0,
    dropout_at_test: bool | None = None,
    device: str | None = None,
    model: str | None = None,
    force: bool = False,
) -> None:
    """Translate an image, or all images in a folder and its subfolders, of any sizes.

    Names, sizes and depths are kept. TIFF and .npy (c, h, w) keep their format; other formats
    become PNG, with 16 bits if the image had them. Images that cannot be read, or with a number
    of channels that the network or the format does not support, are skipped and listed at the end.

    Args:
        checkpoint: file that training wrote, or published weights.
        images: file or folder.
        out: folder to write to, outside of the folder of the images.
        direction: "AtoB" or "BtoA"; by default the first one of the checkpoint.
        tile: largest side of an image that the network translates at once; larger images are split
            into overlapping tiles of this size, to bound the memory.
        html: if True, also write OUT/index.html, which shows inputs next to outputs.
        target: folder of target images with the same names: PSNR, SSIM and L1 distance of each
            translation are printed, and shown on the page with the targets.
        seed: seed of the dropout, the same for each image.
        dropout_at_test: if True, draw translations with dropout; by default as in training, and
            False for published weights.
        device: "cpu", "cuda" or "mps"; the fastest available one by default.
        model: class of a custom model, such as my_file.MyModel; the checkpoint names the others.
        force: if True, replace existing files.

    Raises:
        UserError: the checkpoint cannot be read, the model does not translate, images cannot be
            read, or files exist.
    """
    require_at_least(SMALLEST, tile=tile)
    require_at_least(0, seed=seed)
    files = _files(Path(images), Path(out), html, force)
    targets = _targets(list(files), Path(images), Path(target)) if target else {}
    translator = load_translator(checkpoint, direction, custom_class(model), dropout_at_test)
    print(f"Translating with dropout {'on' if translator.dropout_at_test else 'off'}.")
    translator.network.to(chosen_device(device))
    output = Path(out)
    with _large_images():
        unit = _has_unit_floats(list(files), translator.channels)
        if unit:
            print("No float image has negative values: floats are read and written in [0, 1].")
        failed = _translate(translator, files, tile, seed, unit)
        problems = [*failed.values()]
        done = {source: path for source, path in files.items() if source not in failed}
        metrics = _metrics(done, targets, problems, unit)
        if html:
            name = partial(_name, out=output)
            rows = {
                name(path): [source, path, *targets.get(source, [])]
                for source, path in done.items()
            }
            notes = {name(done[source]): _line(values) for source, values in metrics.items()}
            if metrics:
                notes[""] = f"Mean of {len(metrics)}: {_line(_mean(metrics))}"
            title = f"Translated by {Path(checkpoint).name}"
            output /= "index.html"
            problems += write_gallery(output, title, rows, notes)
    if metrics:
        print(_table({_name(done[source], out): values for source, values in metrics.items()}))
    print(f"{len(done)} image{'' if len(done) == 1 else 's'}: {output}")
    if problems:
        problems = list(dict.fromkeys(problems))
        summary = f"{len(problems)} of {len(files) + len(targets)} skipped:"
        raise DataError("\n".join([summary, *first_few(problems)]))


@contextmanager
def _large_images() -> Iterator[None]:
    """Let PIL read images of up to 2^32 pixels; tiles bound the memory of the network."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, 2**31  # PIL raises at twice as many
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def run(args: list[str]) -> None:
    """Parse and run a command line that begins with `translate`."""
    parser = command_parser(translate)
    parser.add_argument("images", type=str, help="file or folder")
    parser.add_function_arguments(translate, skip={"checkpoint", "images"})
    translate(**vars(parse(parser, args[1:])))


def _has_unit_floats(paths: list[Path], channels: int | None) -> bool:
    """Return whether float images are in [0, 1], by the rule of the data modules."""
    floats = [str(path) for path in paths if path.suffix.lower() in (".npy", ".tif", ".tiff")]
    try:
        return bool(floats) and has_unit_floats(inspect_images(floats, channels))
    except DataError:
        return False  # each unreadable file is listed at the end


def _read(path: Path, channels: int | None, unit: bool) -> Pixels:
    """Read pixels, with floats in [-1, 1]."""
    pixels = read_image(path, channels)
    return 2 * pixels - 1 if unit and pixels.dtype == np.float32 else pixels


def _translate(
    translator: Translator, files: dict[Path, Path], tile: int, seed: int, unit: bool
) -> dict[Path, str]:
    """Write the translation of each image; return the errors of those that fail."""
    failed = {}
    for source, path in tqdm(files.items(), disable=not sys.stderr.isatty()):
        try:
            pixels = torch.tensor(_read(source, translator.channels, unit))
            output = translator(pixels, tile, seed).numpy()
            if unit and output.dtype == np.float32 and path.suffix.lower() != ".png":
                output = (output + 1) / 2
            write_image(output, path)
        except DataError as error:
            failed[source] = str(error)
    return failed


def _metrics(
    done: dict[Path, Path], targets: dict[Path, list[Path]], problems: list[str], unit: bool
) -> dict[Path, dict[str, float]]:
    """Return the metrics of each translation with a target, and add to the list of problems."""
    metrics = {}
    for source, path in done.items():
        for target in targets.get(source, []):
            try:
                output = _read(path, None, unit)
                metrics[source] = paired_image_metrics(output, _read(target, len(output), unit))
            except DataError as error:
                problems.append(str(error) if str(target) in str(error) else f"{target}: {error}")
    return metrics


def _mean(metrics: Mapping[Any, dict[str, float]]) -> dict[str, float]:
    rows = list(metrics.values())
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def _line(values: dict[str, float]) -> str:
    return "PSNR {PSNR:.2f} dB, SSIM {SSIM:.3f}, L1 {L1:.4f}".format(**values)


def _table(metrics: dict[str, dict[str, float]]) -> str:
    """Return the metrics of each image and their mean, as lines."""
    metrics = {os.fsencode(name).decode(errors="replace"): row for name, row in metrics.items()}
    width = max(map(len, [*metrics, "mean"])) + 2
    rows = [f"  {'':{width}}{'PSNR (dB)':>10}{'SSIM':>8}{'L1':>9}"]
    for name, values in [*metrics.items(), ("mean", _mean(metrics))]:
        psnr, ssim, l1 = values.values()
        rows.append(f"  {name:{width}}{psnr:10.2f}{ssim:8.3f}{l1:9.4f}")
    return "\n".join(rows)


def _name(path: Path, out: str | Path) -> str:
    return path.relative_to(out).as_posix()


def _files(images: Path, out: Path, html: bool, force: bool) -> dict[Path, Path]:
    """Return the output of each image, after checking that it can be written."""
    if not images.exists():
        raise UserError(f"file or folder {images} does not exist")
    existing = next(path for path in (out, *out.parents) if path.exists())
    if not existing.is_dir():
        raise UserError(f"--out {out} cannot be a folder: {existing} is a file")
    if images.is_dir() and out.resolve().is_relative_to(images.resolve()):
        raise UserError(
            f"--out {out} is inside {images}, so that the next run would translate the output of "
            "this one; choose a folder outside of it"
        )
    folder = images if images.is_dir() else images.parent
    sources = list(map(Path, files_below(images))) if images.is_dir() else [images]
    if not sources:
        raise UserError(f"{images} has no images: no file name ends in .png, .npy or the like")
    files: dict[Path, Path] = {}
    for source in sources:
        written = out / output_name(source.relative_to(folder))
        if written in files.values():
            raise UserError(f"{source} and another image would both become {written}: rename one")
        files[source] = written
    originals = {source.resolve() for source in sources}
    outputs = [*files.values(), *([out / "index.html"] if html else [])]
    for path in outputs:
        if path.resolve() in originals:
            raise UserError(f"{path} is one of the input images: choose another --out")
    refuse_existing(outputs, force)
    return files


def _targets(sources: list[Path], images: Path, target: Path) -> dict[Path, list[Path]]:
    """Return the target of each source: the image of the same name, in any format."""
    if not target.is_dir():
        raise UserError(f"--target {target} must be a folder of images with the same names")
    folder = images if images.is_dir() else images.parent
    wanted = files_by_name(files_below(target), target)
    found = {}
    for source in sources:
        name = source.relative_to(folder).with_suffix("").as_posix()
        if name not in wanted:
            raise UserError(f"--target {target} has no image {name}")
        found[source] = [Path(wanted[name])]
    return found
