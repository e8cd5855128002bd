"""Public data sets: atomic and resumable downloads, safe extraction."""

import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lightning_gen import PairedImageDataModule, UnpairedImageDataModule
from lightning_gen.datamodules import downloads
from lightning_gen.datamodules.downloads import extract, fetch_folder
from lightning_gen.errors import DataError
from tests.conftest import picture

PAIRS = "pix2pix/datasets/facades.tar.gz"
DOMAINS = "cyclegan/datasets/horse2zebra.zip"


def jpeg(number: int, width: int) -> bytes:
    file = io.BytesIO()
    picture(number, (width, 32)).save(file, "JPEG")
    return file.getvalue()


def tar(files: dict[str, bytes], link: str = "") -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        if link:
            entry = tarfile.TarInfo("facades/link")
            entry.type, entry.linkname = tarfile.SYMTYPE, link
            archive.addfile(entry)
    return content.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


FACADES = {
    f"facades/{split}/{k}.jpg": jpeg(k, 64)
    for split, n in (("train", 3), ("val", 2), ("test", 1))
    for k in range(n)
}
HORSES = {
    f"horse2zebra/{split}/{k}.jpg": jpeg(k, 32)
    for split, n in (("trainA", 3), ("trainB", 2), ("testA", 2), ("testB", 1))
    for k in range(n)
}


class Server(ThreadingHTTPServer):
    """Serves archives; `most` are the bytes that each answer has, though it promises all."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.archives = {f"/{PAIRS}": tar(FACADES), f"/{DOMAINS}": zipped(HORSES)}
        self.most: list[int] = []
        self.ranges = True
        self.ranges_requested: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        content, requested = self.server.archives.get(self.path), self.headers["Range"]
        self.server.ranges_requested.append(requested)
        if content is None:
            self.send_error(404)
            return
        begin = 0
        if requested and self.server.ranges:
            begin = int(requested.removeprefix("bytes=").removesuffix("-"))
            if begin >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        most = self.server.most.pop(0) if self.server.most else len(content)
        self.wfile.write(content[begin : begin + most])

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(downloads, "SERVER", f"http://127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_public_sets_are_downloaded_on_demand(server: Server, tmp_path: Path) -> None:
    kwargs: dict[str, Any] = {"image_size": 16, "batch_size": 2}
    pairs = PairedImageDataModule(str(tmp_path), "facades", **kwargs)
    domains = UnpairedImageDataModule(str(tmp_path), "horse2zebra", **kwargs)
    for data, sizes in ((pairs, (3, 2, 1)), (domains, (3, 2, 2))):
        assert (data.image_shape, data.target_channels) == ((3, 16, 16), 3)
        for _ in range(2):
            data.prepare_data()
        data.setup("fit")
        data.setup("test")
        assert (len(data.train_set), len(data.val_set), len(data.test_set)) == sizes
        assert next(iter(data.train_dataloader()))["B"].shape == (2, 3, 16, 16)
    assert server.ranges_requested == [None, None]  # once each
    assert sorted(path.name for path in tmp_path.iterdir()) == ["facades", "horse2zebra"]


def test_grayscale_of_a_public_set_become_colors(server: Server, tmp_path: Path) -> None:
    gray = io.BytesIO()
    Image.new("L", (64, 32)).save(gray, "JPEG")
    server.archives[f"/{PAIRS}"] = tar(FACADES | {"facades/train/0.jpg": gray.getvalue()})
    data = PairedImageDataModule(str(tmp_path), "facades", image_size=16)
    data.prepare_data()
    data.setup("fit")
    assert data.train_set[0]["A"].shape == (3, 16, 16)


@pytest.mark.parametrize("most", [[500], [500, 1], [1, 500, 300]])
def test_a_download_that_breaks_off_goes_on(
    most: list[int], server: Server, tmp_path: Path
) -> None:
    begun = [sum(most[:k]) for k in range(1, len(most) + 1)]
    server.most = list(most)
    fetch_folder(PAIRS, tmp_path / "facades")
    assert server.ranges_requested == [None, *(f"bytes={k}-" for k in begun)]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {str(path.relative_to(tmp_path)): path.read_bytes() for path in files} == FACADES


def test_a_stopped_download_goes_on_in_the_next_run(server: Server, tmp_path: Path) -> None:
    server.most = [500, 0]
    with pytest.raises(DataError, match=r"cannot download http:.*facades.tar.gz: .* interrupted"):
        fetch_folder(PAIRS, tmp_path / "facades")
    assert [path.name for path in tmp_path.iterdir()] == ["facades.tar.gz.part"]
    fetch_folder(PAIRS, tmp_path / "facades")
    assert server.ranges_requested[-1] == "bytes=500-"
    assert len(list(tmp_path.rglob("*.jpg"))) == len(FACADES)


def test_a_server_without_ranges_begins_anew(server: Server, tmp_path: Path) -> None:
    server.most, server.ranges = [500], False
    fetch_folder(PAIRS, tmp_path / "facades")
    assert len(list(tmp_path.rglob("*.jpg"))) == len(FACADES)


def test_a_part_of_another_file_is_given_up(server: Server, tmp_path: Path) -> None:
    (tmp_path / "facades.tar.gz.part").write_bytes(bytes(10**6))
    fetch_folder(PAIRS, tmp_path / "facades")
    assert len(list(tmp_path.rglob("*.jpg"))) == len(FACADES)


@pytest.mark.parametrize("case", ["no server", "no file"])
def test_without_a_download_the_way_by_hand_is_named(
    case: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if case == "no server":
        monkeypatch.setattr(downloads, "SERVER", "http://127.0.0.1:1")
    archives, server.archives = server.archives, {}
    data = PairedImageDataModule(str(tmp_path), "facades")
    with pytest.raises(DataError) as error:
        data.prepare_data()
    address, place = f"{downloads.SERVER}/{PAIRS}", tmp_path / "facades.tar.gz"
    for part in (f"cannot download {address}: ", f"put the file at {place}"):
        assert part in str(error.value)
    assert not list(tmp_path.iterdir())
    place.write_bytes(archives[f"/{PAIRS}"])
    data.prepare_data()
    data.setup("fit")
    assert len(data.train_set) == 3
    assert place.exists()  # what others have placed is left alone


OUTSIDE = {"../outside.jpg": b"x"}
UNSAFE = {
    "tar beside": ("a.tar.gz", tar(FACADES | OUTSIDE)),
    "tar link": ("a.tar.gz", tar(FACADES, link="/etc")),
    "tar deep link": ("a.tar.gz", tar(FACADES, link="../../..")),
    "zip beside": ("a.zip", zipped(HORSES | OUTSIDE)),
    "zip root": ("a.zip", zipped(HORSES | {"/outside.jpg": b"x"})),
    "zip backslash": ("a.zip", zipped(HORSES | {"..\\outside.jpg": b"x"})),
    "cut tar": ("a.tar.gz", tar(FACADES)[:-500]),
    "cut zip": ("a.zip", zipped(HORSES)[:-500]),
    "no archive": ("a.zip", b"<html>"),
}


@pytest.mark.parametrize("key", UNSAFE)
def test_nothing_is_left_of_an_unsafe_archive(key: str, tmp_path: Path) -> None:
    name, content = UNSAFE[key]
    (tmp_path / "in").mkdir()
    archive = tmp_path / "in" / name
    archive.write_bytes(content)
    with pytest.raises(DataError, match=rf"cannot extract .*{name}: (?s:.*)Remove it"):
        extract(archive, tmp_path / "in" / "set")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [archive]
    assert list((tmp_path / "in").iterdir()) == [archive]


def test_an_archive_without_a_folder_of_its_name_is_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"train/0.jpg": b"x", "val/0.jpg": b"x"}))
    extract(tmp_path / "a.zip", tmp_path / "a")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["train", "val"]
