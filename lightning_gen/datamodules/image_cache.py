"""Images in files, which lie in memory or are read again and again."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from warnings import warn

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from lightning_gen.errors import DataError, first_few
from lightning_gen.images.decoding import Pixels

Record = tuple[Pixels, ...]  # the images that belong together: one, or the two of a pair

MIB = 2**20


class FileImages:
    """Records that are read anew whenever they are asked for.

    Args:
        paths: of the records: one, or what `read` makes one of.
        read: reads one of them.
    """

    def __init__(self, paths: Sequence[Any], read: Callable[[Any], Record]) -> None:
        self.paths, self.read = paths, read

    def records(self, places: Tensor) -> Iterator[Record]:
        """The records at these places (b,)."""
        return (self.read(self.paths[place]) for place in places.tolist())


class CachedImages:
    """Records in cache_mib, in one tensor, which worker processes share.

    Args:
        pixels: (bytes,) uint8, whatever their depth.
        shapes: (n, images of a record, 3) int64, the images' c, h and w.
        dtypes: of the images of a record.
    """

    def __init__(self, pixels: Tensor, shapes: Tensor, dtypes: tuple[np.dtype[Any], ...]) -> None:
        self.pixels, self.shapes, self.dtypes = pixels, shapes, dtypes
        sizes = shapes.prod(2) * torch.tensor([dtype.itemsize for dtype in dtypes])
        self.ends = sizes.flatten().cumsum(0).view_as(sizes)
        self.starts = self.ends - sizes

    def records(self, places: Tensor) -> Iterator[Record]:
        """The records at these places (b,)."""
        pixels, shapes = self.pixels.numpy(), self.shapes[places].tolist()
        starts, ends = self.starts[places].tolist(), self.ends[places].tolist()
        for record in zip(shapes, starts, ends, strict=True):
            yield tuple(
                pixels[start:end].view(dtype).reshape(shape)
                for shape, start, end, dtype in zip(*record, self.dtypes, strict=True)
            )


class Reading(NamedTuple):
    """Records whose files have been read once.

    Attributes:
        source: of the records.
        paths: of those that can be read.
        shapes: of their images, (n, images of a record, 3).
    """

    source: FileImages | CachedImages
    paths: list[Any]
    shapes: Tensor


def read_all(files: FileImages, cache_mib: int, skip: bool, mend: str, used: int = 0) -> Reading:
    """Read every file once, in threads, and keep the records if all of them fit in memory.

    Args:
        files: to be read; the images of all records have the same depths.
        cache_mib: MiB that the images may take; 0 keeps none, and warns of nothing.
        skip: whether files that cannot be read are left out, with a warning.
        mend: how to have them left out.
        used: bytes of them that others take.

    Raises:
        DataError: files cannot be read.
    """
    pixels, shapes, wrong = bytearray(), [], {}  # the first grows without a second copy
    fit, dtypes = cache_mib > 0, ()
    with ThreadPoolExecutor() as pool:
        results = pool.map(lambda path: _attempt(files, path), files.paths)
        bar = tqdm(results, "Images", len(files.paths), leave=False, delay=2, disable=None)
        for path, record in zip(files.paths, bar, strict=True):
            if isinstance(record, DataError):
                wrong[path] = str(record)
                continue
            shapes.append([image.shape for image in record])
            dtypes = tuple(image.dtype for image in record)
            fit = fit and used + len(pixels) + sum(x.nbytes for x in record) <= cache_mib * MIB
            if fit:
                for image in record:
                    pixels.extend(image.data.cast("B"))
            else:
                pixels.clear()
    if wrong:
        problem = f"{len(wrong)} of {len(files.paths)} files cannot be read"
        leave_out(problem, list(wrong.values()), skip, f"Remove or mend them, or {mend}.")
    paths = [path for path in files.paths if path not in wrong]
    if pixels:
        table = torch.tensor(shapes)
        kept = CachedImages(torch.frombuffer(pixels, dtype=torch.uint8), table, dtypes)
        return Reading(kept, paths, table)
    if paths and cache_mib:
        warn(
            f"{len(paths)} images take more than cache_mib={cache_mib} MiB and are read again "
            "in every epoch: raise --data.cache_mib, or spread the work with --data.num_workers.",
            stacklevel=3,
        )
    return Reading(FileImages(paths, files.read), paths, torch.tensor(shapes))


def leave_out(problem: str, lines: list[str], skip: bool, mend: str) -> None:
    """Say what is wrong with the files of these lines, as a warning if they are skipped.

    Raises:
        DataError: they are not.
    """
    listed = "\n".join(first_few(lines))
    if not skip:
        raise DataError(f"{problem}:\n{listed}\n{mend}")
    warn(f"{problem} and are left out:\n{listed}", stacklevel=4)


def _attempt(files: FileImages, path: Any) -> Record | DataError:
    try:
        return files.read(path)
    except DataError as error:
        return error
