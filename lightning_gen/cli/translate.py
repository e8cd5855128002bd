"""translate: pictures of any size, by a model's checkpoint or by published weights."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jsonargparse
import torch
from PIL import Image
from tqdm import tqdm

from lightning_gen.cli.gallery import write_gallery
from lightning_gen.cli.messages import flags_of, parsing, refuse_existing
from lightning_gen.cli.sample import chosen_device, own_class
from lightning_gen.errors import DataError, UserError, first_few, require_at_least
from lightning_gen.images.reading import files_below, files_by_name, read_image
from lightning_gen.images.tiling import SMALLEST
from lightning_gen.images.writing import output_name, write_image
from lightning_gen.inference.translator import Translator, load_translator
from lightning_gen.types import Direction


def translate(
    checkpoint: str,
    pictures: str,
    out: str = "translated",
    direction: Direction | None = None,
    tile: int = 1024,
    html: bool = False,
    target: str | None = None,
    seed: int = 0,
    noise: bool | None = None,
    device: str | None = None,
    model: str | None = None,
    force: bool = False,
) -> None:
    """Translate a picture, or all pictures in a folder and in its own, of any sizes.

    Names, sizes and depths are kept: TIFF and .npy (c, h, w) stay what they are, all else becomes
    PNG, of 16 bits where the picture had them. What cannot be read, or has other channels than
    its network or format can hold, is passed over, and named at the end.

    Args:
        checkpoint: the file that training wrote, or published weights.
        pictures: a file or a folder.
        out: the folder to write to, outside of that of the pictures.
        direction: "AtoB" or "BtoA", where a checkpoint knows both; its first by default.
        tile: pictures with more pixels a side go through the network in overlapping tiles of so
            many, so that its memory stays bounded; besides, a picture takes a few times its size.
        html: whether to write OUT/index.html besides, which shows input and output side by side.
        target: a folder of what is wanted, with the names of the pictures, for a third column.
        seed: of the noise, if the model has any; each picture begins with it.
        noise: whether dropout goes on, so that translations are drawn; as the checkpoint has it by
            default, and not with published weights.
        device: cpu, cuda or mps; the fastest there is by default.
        model: class of a model of your own, as my_file.MyClass; ours are named in the checkpoint.
        force: replace files that exist.

    Raises:
        UserError: the checkpoint cannot be read or translates nothing, pictures cannot be read, or
            files would be replaced.
    """
    require_at_least(SMALLEST, tile=tile)
    require_at_least(0, seed=seed)
    if target and not html:
        raise UserError("--target is shown in the page: add --html true")
    files = _files(Path(pictures), Path(out), html, force)
    wanted = _targets(list(files), Path(pictures), Path(target)) if target else {}
    translator = load_translator(checkpoint, direction, own_class(model), noise)
    print(f"Translating with dropout {'on' if translator.noise else 'off'}.")
    translator.network.to(chosen_device(device))
    place = Path(out)
    with _large_pictures():
        failed = _translate(translator, files, tile, seed)
        problems = [*failed.values()]
        done = {source: path for source, path in files.items() if source not in failed}
        if html:
            rows = {
                path.relative_to(out).as_posix(): [source, path, *wanted.get(source, [])]
                for source, path in done.items()
            }
            place /= "index.html"
            problems += write_gallery(place, f"Translated by {Path(checkpoint).name}", rows)
    print(f"{len(done)} picture{'' if len(done) == 1 else 's'}: {place}")
    if problems:
        summary = f"{len(problems)} of {len(files) + len(wanted)} left out:"
        raise DataError("\n".join([summary, *first_few(problems)]))


@contextmanager
def _large_pictures() -> Iterator[None]:
    """Read pictures of up to 2^32 pixels: tiles bound the memory of the network."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, 2**31  # twice as many are an error
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def run(args: list[str]) -> None:
    """Parse and run a command line that begins with `translate`."""
    with parsing(lambda: flags_of(translate)):
        jsonargparse.auto_cli(
            translate,
            args=args[1:],
            prog="train.py translate",
            exit_on_error=False,
            allow_abbrev=False,
        )


def _translate(
    translator: Translator, files: dict[Path, Path], tile: int, seed: int
) -> dict[Path, str]:
    """Write the translation of each picture; what is wrong with those for which it fails."""
    failed = {}
    for source, path in tqdm(files.items(), disable=not sys.stderr.isatty()):
        try:
            pixels = torch.tensor(read_image(source, translator.channels))
            write_image(translator(pixels, tile, seed).numpy(), path)
        except DataError as error:
            failed[source] = str(error)
    return failed


def _files(pictures: Path, out: Path, html: bool, force: bool) -> dict[Path, Path]:
    """Where each picture is written, if nothing is in the way."""
    if not pictures.exists():
        raise UserError(f"there is no file or folder {pictures}")
    there = next(place for place in (out, *out.parents) if place.exists())
    if not there.is_dir():
        raise UserError(f"--out {out} cannot be a folder: {there} is a file")
    if pictures.is_dir() and out.resolve().is_relative_to(pictures.resolve()):
        raise UserError(
            f"--out {out} lies within {pictures}: the next run would translate what this one "
            "writes. Choose a folder outside of it"
        )
    folder = pictures if pictures.is_dir() else pictures.parent
    sources = list(map(Path, files_below(pictures))) if pictures.is_dir() else [pictures]
    if not sources:
        raise UserError(f"{pictures} holds no pictures: no file with a name such as .png or .npy")
    files: dict[Path, Path] = {}
    for source in sources:
        written = out / output_name(source.relative_to(folder))
        if written in files.values():
            raise UserError(f"{source} and another picture would both become {written}: rename one")
        files[source] = written
    originals = {source.resolve() for source in sources}
    places = [*files.values(), *([out / "index.html"] if html else [])]
    for path in places:
        if path.resolve() in originals:
            raise UserError(f"{path} is one of the pictures themselves: choose another --out")
    refuse_existing(places, force)
    return files


def _targets(sources: list[Path], pictures: Path, target: Path) -> dict[Path, list[Path]]:
    """The picture of the same name for each source, whatever its format."""
    if not target.is_dir():
        raise UserError(f"--target {target} must be a folder, with pictures of the same names")
    folder = pictures if pictures.is_dir() else pictures.parent
    wanted = files_by_name(files_below(target), target)
    found = {}
    for source in sources:
        name = source.relative_to(folder).with_suffix("").as_posix()
        if name not in wanted:
            raise UserError(f"--target {target} has no picture {name}")
        found[source] = [Path(wanted[name])]
    return found
