"""Download archives, resuming interrupted downloads, and extract them safely."""

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
TIMEOUT = 30  # seconds without data
CHUNK = 2**18


def fetch_folder(archive: str, folder: Path) -> None:
    """Download and extract an archive of `SERVER` to a folder, unless the folder exists.

    An archive of the same name next to the folder is used instead of a download, and kept.

    Args:
        archive: path of a .zip or .tar.gz file on the server.
        folder: target of the archive's folder of the same name, or of all files if there is none.

    Raises:
        DataError: the archive cannot be downloaded or extracted.
    """
    if folder.is_dir():
        return
    path = folder.parent / PurePosixPath(archive).name
    is_missing = not path.exists()
    if is_missing:
        download(f"{SERVER}/{archive}", path, f"or extract it to {folder}")
    extract(path, folder)
    if is_missing:
        path.unlink()


def download(url: str, path: Path, alternative: str) -> None:
    """Download a file, resuming an interrupted download.

    Raises:
        DataError: no more data arrive.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    while True:
        begun, error = _size(part), "the connection was interrupted"
        try:
            if _receive(url, part):
                part.replace(path)
                return
        except HTTPError as refusal:
            error = str(refusal)
            if refusal.code == 416 and begun:  # longer than the file: a part of another file
                part.unlink()
                continue
        except (OSError, HTTPException) as failure:  # URLError is an OSError
            error = str(failure)
        if _size(part) <= begun:
            raise DataError(
                f"cannot download {url}: {error}\n"
                f"Try again to resume the download; or put the file at {path}, {alternative}."
            )


def _receive(url: str, part: Path) -> bool:
    """Append the missing bytes; return True if the file is complete."""
    begun = _size(part)
    request = Request(url, headers={"Range": f"bytes={begun}-"} if begun else {})
    with urlopen(request, timeout=TIMEOUT) as response:
        if response.status != 206:  # the whole file
            begun = 0
        length = response.headers.get("Content-Length")
        total = None if length is None else begun + int(length)
        name = PurePosixPath(url).name
        with (
            part.open("ab" if begun else "wb") as file,
            tqdm(None, name, total, initial=begun, unit="B", unit_scale=True, disable=None) as bar,
        ):
            while chunk := response.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    return total is None or _size(part) == total


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def extract(archive: Path, folder: Path) -> None:
    """Extract an archive to `folder`, which does not exist until all files are extracted.

    Raises:
        DataError: the archive is damaged, or contains paths outside the folder.
    """
    with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        content = Path(temporary) / "content"
        try:
            if zipfile.is_zipfile(archive):
                _unzip(archive, content)
            else:
                with tarfile.open(archive) as file:
                    file.extractall(content, filter="data")
        except Exception as error:  # damaged archives raise all sorts of errors
            raise DataError(
                f"cannot extract {archive}: {error}\nRemove it to download it again."
            ) from error
        named = content / folder.name
        (named if named.is_dir() else content).rename(folder)


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        for name in file.namelist():
            path = PurePosixPath(name.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"{name!r} would be written outside the folder")
        file.extractall(folder)
