"""Archives from the network: whole or not at all, unpacked without trust."""

import tarfile
import zipfile
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm

from lightning_gen.errors import DataError

SERVER = "http://efrosgans.eecs.berkeley.edu"
TIMEOUT = 30  # seconds without a byte
CHUNK = 2**18


def fetch_folder(archive: str, folder: Path) -> None:
    """Have a folder, from an archive of `SERVER` or beside it, unless it is there.

    Args:
        archive: the address on the server, of a .zip or .tar.gz file.
        folder: takes the archive's folder of this name, or all that it holds. The archive is
            taken from beside it if one of its own name is there; a downloaded one is removed.

    Raises:
        DataError: the archive cannot be downloaded, or not be unpacked.
    """
    if folder.is_dir():
        return
    path = folder.parent / PurePosixPath(archive).name
    ours = not path.exists()
    if ours:
        download(f"{SERVER}/{archive}", path, f"or unpack it to {folder}")
    unpack(path, folder)
    if ours:
        path.unlink()


def download(address: str, path: Path, otherwise: str) -> None:
    """Download a file; one that a stop has left incomplete is gone on with.

    Raises:
        DataError: nothing arrives any more.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    while True:
        begun, error = _size(part), "the connection broke off"
        try:
            if _receive(address, part):
                part.replace(path)
                return
        except HTTPError as refusal:
            error = str(refusal)
            if refusal.code == 416 and begun:  # there is nothing beyond: not a part of this file
                part.unlink()
                continue
        except (OSError, HTTPException) as failure:  # URLError is an OSError
            error = str(failure)
        if _size(part) <= begun:
            raise DataError(
                f"cannot download {address}: {error}\n"
                f"Try again, which goes on where this has stopped; or place the file at {path}, "
                f"{otherwise}."
            )


def _receive(address: str, part: Path) -> bool:
    """Append what is missing; whether that was all."""
    begun = _size(part)
    request = Request(address, headers={"Range": f"bytes={begun}-"} if begun else {})
    with urlopen(request, timeout=TIMEOUT) as answer:
        if answer.status != 206:  # the whole file
            begun = 0
        length = answer.headers.get("Content-Length")
        total = None if length is None else begun + int(length)
        name = PurePosixPath(address).name
        with (
            part.open("ab" if begun else "wb") as file,
            tqdm(None, name, total, initial=begun, unit="B", unit_scale=True, disable=None) as bar,
        ):
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    return total is None or _size(part) == total


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def unpack(archive: Path, folder: Path) -> None:
    """Unpack to `folder`, which appears when all is there.

    Raises:
        DataError: the archive is damaged, or would write elsewhere.
    """
    with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as place:
        content = Path(place) / "content"
        try:
            if zipfile.is_zipfile(archive):
                _unzip(archive, content)
            else:
                with tarfile.open(archive) as file:
                    file.extractall(content, filter="data")
        except Exception as error:  # damaged archives raise whatever comes
            raise DataError(
                f"cannot unpack {archive}: {error}\nRemove it to have it downloaded again."
            ) from error
        named = content / folder.name
        (named if named.is_dir() else content).rename(folder)


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        for name in file.namelist():
            path = PurePosixPath(name.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"{name!r} would be written elsewhere")
        file.extractall(folder)
