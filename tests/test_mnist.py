"""MNIST: disjoint splits, a reproducible order, one indexing operation per batch."""

import gzip
import hashlib
import struct
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.datasets import MNIST

from lightning_gen import MNISTDataModule
from lightning_gen.datamodules import mnist
from lightning_gen.errors import ArgumentError, DataError
from lightning_gen.types import to_images, to_pixels
from tests.conftest import one_of_two


def bundled(**kwargs: Any) -> MNISTDataModule:
    data = MNISTDataModule("12k", **kwargs)
    data.prepare_data()
    data.setup("fit")
    return data


def order(data: MNISTDataModule) -> Tensor:
    return torch.cat([pixels for pixels, _ in data.train_dataloader()])


def test_the_bundle_is_the_one_that_was_built() -> None:
    content = mnist.BUNDLE.read_bytes()
    assert len(content) <= 2_000_000
    assert hashlib.sha256(content).hexdigest() == mnist.BUNDLE_SHA256


def test_the_bundle_holds_10000_and_2000_digits_of_all_classes() -> None:
    data = bundled(val_split=0.0)
    assert (len(data.train_set), len(data.test_set)) == (10_000, 2_000)
    for part, least in ((data.train_set, 850), (data.test_set, 160)):
        assert torch.bincount(part.labels, minlength=10).min() >= least
    assert data.train_set.pixels.float().mean() / 255 == pytest.approx(0.1307, abs=0.002)


def test_training_validation_and_test_digits_are_disjoint() -> None:
    data = bundled(val_split=0.2)
    parts = [
        {digit.numpy().tobytes() for digit in part.pixels}
        for part in (data.train_set, data.val_set, data.test_set)
    ]
    assert sum(map(len, parts)) == 12_000  # no digit occurs twice ...
    assert len(set.union(*parts)) == 12_000  # ... in one part or in two


@pytest.mark.parametrize(("val_split", "held_out"), [(0.1, 1000), (400, 400), (0.0, 0)])
def test_the_validation_split_is_a_share_or_a_number(val_split: float, held_out: int) -> None:
    data = bundled(val_split=val_split)
    assert (len(data.val_set), len(data.train_set)) == (held_out, 10_000 - held_out)


def test_the_seed_alone_decides_split_and_order() -> None:
    a, b, c = bundled(seed=1), bundled(seed=1), bundled(seed=2)
    torch.manual_seed(5)  # the global random state has no say
    assert torch.equal(order(a), order(b))
    assert not torch.equal(a.val_set.pixels, c.val_set.pixels)


def test_workers_do_not_change_the_order() -> None:
    assert torch.equal(order(bundled()), order(bundled(num_workers=2)))


def test_every_epoch_has_its_own_order() -> None:
    loader = bundled().train_dataloader()
    orders = []
    for epoch in (0, 1, 1):
        loader.sampler.set_epoch(epoch)
        orders.append(torch.cat([pixels for pixels, _ in loader]))
    assert not torch.equal(orders[0], orders[1])
    assert torch.equal(orders[1], orders[2])


def test_a_loader_goes_on_where_another_has_stopped() -> None:
    whole = list(bundled().train_dataloader())
    data, batches = bundled(), []
    for batch in data.train_dataloader():
        batches.append(batch)
        if len(batches) == 3:
            break
    again = bundled()
    again.load_state_dict(data.state_dict())
    batches += list(again.train_dataloader())
    assert len(batches) == len(whole)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(batches, whole, strict=True))


def test_processes_share_the_digits_out() -> None:
    shares = []
    for rank in (0, 1):
        data = bundled(batch_size=50)
        data.trainer = one_of_two(rank)
        shares.append({digit.numpy().tobytes() for digit in order(data)})
    assert [len(share) for share in shares] == [4500, 4500]
    assert not shares[0] & shares[1]


def test_a_batch_is_one_indexing_operation() -> None:
    data = bundled().train_set
    pixels, labels = data.__getitems__([5, 3, 5])
    assert pixels.dtype == torch.uint8
    assert torch.equal(pixels, torch.stack([data[i][0] for i in (5, 3, 5)]))
    assert torch.equal(labels, torch.stack([data[i][1] for i in (5, 3, 5)]))


def test_images_are_float_in_minus_1_to_1_after_the_transfer() -> None:
    data = bundled(image_size=32)
    x, labels = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert x.shape == (64, *data.image_shape) == (64, 1, 32, 32)
    assert (x.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert x.min() == -1
    assert 1 - 1e-6 < x.max() <= 1
    border = torch.cat([x[..., :2, :].flatten(), x[..., -2:].flatten()])
    assert (border == -1).all()


def test_a_batch_of_bytes_is_left_as_it_is() -> None:
    pixels = torch.zeros(1, 1, 2, 2, dtype=torch.uint8)
    to_images(pixels)
    assert not pixels.any()


def test_bytes_survive_the_way_to_images_and_back() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(to_pixels(to_images(pixels)), pixels)
    assert to_pixels(torch.tensor([-1.7, 1.7])).tolist() == [0, 255]


def test_a_damaged_bundle_is_named(tmp_path: Path, monkeypatch: Any) -> None:
    damaged = tmp_path / "mnist_12k.npz"
    content = bytearray(mnist.BUNDLE.read_bytes())
    content[1000] ^= 1
    damaged.write_bytes(content)
    monkeypatch.setattr(mnist, "BUNDLE", damaged)
    with pytest.raises(DataError, match=r"mnist_12k.npz.*checksum(?s:.*)Reinstall"):
        bundled()


@pytest.mark.parametrize(
    "wrong",
    [{"image_size": 30}, {"batch_size": 0}, {"subset": "13k"}, {"batch_size": 9001}],
    ids=str,
)
def test_an_argument_out_of_range_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises((ArgumentError, TypeError), match=next(iter(wrong))):
        bundled(**wrong)


def idx(array: np.ndarray) -> bytes:
    """The format of MNIST's files: a magic number, the sizes, the bytes."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A server on this machine with an MNIST of 100 + 20 digits; torchvision downloads from it."""
    folder, resources = tmp_path / "mirror", []
    folder.mkdir()
    for (name, _), (kind, n) in zip(
        MNIST.resources,
        [("images", 100), ("labels", 100), ("images", 20), ("labels", 20)],
        strict=True,
    ):
        shape = (n, 28, 28) if kind == "images" else (n,)
        content = idx(np.random.default_rng(n).integers(0, 10, shape, dtype=np.uint8))
        (folder / name).write_bytes(content)
        resources.append((name, hashlib.md5(content).hexdigest()))
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(MNIST, "resources", resources)
    monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    yield str(tmp_path / "data")
    server.shutdown()


def full(root: str) -> MNISTDataModule:
    data = MNISTDataModule("full", root, batch_size=10)
    data.prepare_data()
    data.setup("fit")
    return data


def test_the_full_set_is_downloaded_once(mirror: str, monkeypatch: Any) -> None:
    data = full(mirror)
    assert [len(p) for p in (data.train_set, data.val_set, data.test_set)] == [90, 10, 20]
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])  # nobody answers there
    assert torch.equal(full(mirror).train_set.pixels, data.train_set.pixels)


def test_a_failed_download_suggests_the_bundled_digits(mirror: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(DataError, match=r"refused(?s:.*)--data.subset 12k") as error:
        full(mirror)
    assert len(str(error.value).splitlines()) == 2


def test_a_truncated_file_of_the_full_set_is_named(mirror: str) -> None:
    full(mirror)
    path = Path(mirror, "MNIST", "raw", "train-images-idx3-ubyte")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"cannot read MNIST in .*raw(?s:.*)Delete"):
        full(mirror)
