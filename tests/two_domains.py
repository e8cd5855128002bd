"""Images of two domains and their data modules, shared by test files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lightning_gen import PairedImageDataModule, UnpairedImageDataModule
from tests.conftest import picture

Data = PairedImageDataModule | UnpairedImageDataModule


def both(number: int, size: tuple[int, int] = (24, 20)) -> tuple[Image.Image, Image.Image]:
    """An image, and its inverse."""
    a = picture(number, size)
    return a, Image.fromarray(255 - np.asarray(a))


def write(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def write_pair(number: int, path: Path, size: tuple[int, int] = (24, 20)) -> None:
    """Write A|B in one image."""
    write(Image.fromarray(np.concatenate([np.asarray(x) for x in both(number, size)], 1)), path)


@pytest.fixture(scope="module", name="root")
def _root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training, validation and test pairs of two sizes, in numbers of 20, 4 and 3."""
    folder, number = tmp_path_factory.mktemp("pairs"), 0
    for split, n in (("train", 20), ("val", 4), ("test", 3)):
        for _ in range(n):
            size = ((24, 20), (17, 31))[number % 2]
            write_pair(number, folder / split / f"{number:02}.png", size)
            number += 1
    return folder


@pytest.fixture(scope="module", name="domains")
def _domains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """9 training images of A, 5 of B, and 2 and 3 for the test."""
    folder, number = tmp_path_factory.mktemp("domains"), 0
    for split, n in (("trainA", 9), ("trainB", 5), ("testA", 2), ("testB", 3)):
        for _ in range(n):
            write(picture(number), folder / split / f"{number:02}.png")
            number += 1
    return folder


def set_up(data: Data, *stages: str) -> Any:
    data.prepare_data()
    for stage in stages or ("fit", "test"):
        data.setup(stage)
    return data


def paired(root: Path, **kwargs: Any) -> Any:
    return set_up(PairedImageDataModule(str(root), **{"image_size": 16, "batch_size": 4} | kwargs))


def unpaired(root: Path, **kwargs: Any) -> Any:
    return set_up(UnpairedImageDataModule(str(root), **{"image_size": 16} | kwargs))


MODULES: dict[str, Callable[..., Any]] = {"paired": paired, "unpaired": unpaired}


@pytest.fixture(params=MODULES, name="make")
def _make(request: Any, root: Path, domains: Path) -> Callable[..., Any]:
    """Either module with its images."""
    folder = root if request.param == "paired" else domains
    return lambda **kwargs: MODULES[request.param](folder, **{"batch_size": 2} | kwargs)


def epoch(data: Any, number: int = 0) -> Tensor:
    """A and B of all training batches, (2, n, c, h, w), in the order of an epoch."""
    loader = data.train_dataloader()
    loader.sampler.set_epoch(number)
    batches = list(loader)
    return torch.stack([torch.cat([batch[domain] for batch in batches]) for domain in "AB"])


LAYOUTS = {
    "train/A train/B": "{split}/{side}/{name}",
    "A/train B/train": "{side}/{split}/{name}",
    "trainA trainB": "{split}{side}/{name}",
}


def lay_out(folder: Path, pattern: str, splits: tuple[str, ...] = ("train", "val", "test")) -> None:
    for k, split in enumerate(splits):
        for number in range(3 * k, 3 * k + 3):
            for side, image, end in zip("AB", both(number), (".png", ".bmp"), strict=True):
                name = f"deep/{number}{end}"
                write(image, folder / pattern.format(split=split, side=side, name=name))
