"""Data sets of image files, cached in memory or read again in every epoch."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal
from warnings import warn

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from lightning_gen.errors import DataError, first_few
from lightning_gen.images.decoding import Pixels

Record = tuple[Pixels, ...]  # images that belong together: one, or the two of a pair
OnError = Literal["raise", "skip"]

MIB = 2**20


class FileImages:
    """Records in files, read again at each access.

    Args:
        paths: path, or pair of paths, of each record.
        read: function that reads a record.
    """

    def __init__(self, paths: Sequence[Any], read: Callable[[Any], Record]) -> None:
        self.paths, self.read = paths, read

    def records(self, indices: Tensor) -> Iterator[Record]:
        """Read the records at these indices (b,)."""
        return (self.read(self.paths[k]) for k in indices.tolist())


class CachedImages:
    """Records in memory, in a single tensor, which worker processes share.

    Args:
        pixels: (bytes,) uint8, the images of all records in any bit depth.
        shapes: (n, images per record, 3) int64, the shapes (c, h, w) of the images.
        dtypes: data types of the images of a record.
    """

    def __init__(self, pixels: Tensor, shapes: Tensor, dtypes: tuple[np.dtype[Any], ...]) -> None:
        self.pixels, self.shapes, self.dtypes = pixels, shapes, dtypes
        sizes = shapes.prod(2) * torch.tensor([dtype.itemsize for dtype in dtypes])
        self.ends = sizes.flatten().cumsum(0).view_as(sizes)
        self.starts = self.ends - sizes

    def records(self, indices: Tensor) -> Iterator[Record]:
        """Return the records at these indices (b,)."""
        pixels, shapes = self.pixels.numpy(), self.shapes[indices].tolist()
        starts, ends = self.starts[indices].tolist(), self.ends[indices].tolist()
        for record in zip(shapes, starts, ends, strict=True):
            yield tuple(
                pixels[start:end].view(dtype).reshape(shape)
                for shape, start, end, dtype in zip(*record, self.dtypes, strict=True)
            )


def read_all(
    files: FileImages, cache_mib: int, on_error: OnError, used: int = 0
) -> tuple[FileImages | CachedImages, list[Any], Tensor]:
    """Read every file once, in threads, and cache the records if all of them fit in memory.

    Args:
        files: files to read, with the same bit depths in all records.
        cache_mib: memory for images in MiB; 0 caches none, without a warning.
        on_error: "raise", or "skip" unreadable files with a warning.
        used: number of bytes of this memory already in use.

    Returns:
        The readable records, their paths, and the shapes (n, images per record, 3) of their images.

    Raises:
        DataError: files cannot be read.
    """
    pixels, shapes, failed = bytearray(), [], {}  # a bytearray grows without a second copy
    fit, dtypes = cache_mib > 0, ()
    with ThreadPoolExecutor() as pool:
        results = pool.map(lambda path: _try_to_read(files, path), files.paths)
        bar = tqdm(results, "Images", len(files.paths), leave=False, delay=2, disable=None)
        for path, record in zip(files.paths, bar, strict=True):
            if isinstance(record, DataError):
                failed[path] = str(record)
                continue
            shapes.append([image.shape for image in record])
            dtypes = tuple(image.dtype for image in record)
            fit = fit and used + len(pixels) + sum(x.nbytes for x in record) <= cache_mib * MIB
            if fit:
                for image in record:
                    pixels.extend(image.data.cast("B"))
            else:
                pixels.clear()
    if failed:
        problem = f"{len(failed)} of {len(files.paths)} files cannot be read"
        raise_or_warn(problem, list(failed.values()), on_error, "Repair or remove them")
    paths = [path for path in files.paths if path not in failed]
    table = torch.tensor(shapes)
    if pixels:
        cached = CachedImages(torch.frombuffer(pixels, dtype=torch.uint8), table, dtypes)
        return cached, paths, table
    if paths and cache_mib:
        warn(
            f"{len(paths)} images do not fit in cache_mib={cache_mib} MiB and are read again in "
            "every epoch; increase --data.cache_mib or --data.num_workers.",
            stacklevel=3,
        )
    return FileImages(paths, files.read), paths, table


def raise_or_warn(problem: str, lines: list[str], on_error: OnError, fix: str) -> None:
    """Report a problem with files, one in each line.

    Raises:
        DataError: `on_error` is "raise".
    """
    listed = "\n".join(first_few(lines))
    if on_error == "raise":
        raise DataError(f"{problem}:\n{listed}\n{fix}, or skip them with --data.on_error skip.")
    warn(f"{problem} and are skipped:\n{listed}", stacklevel=4)


def _try_to_read(files: FileImages, path: Any) -> Record | DataError:
    try:
        return files.read(path)
    except DataError as error:
        return error
