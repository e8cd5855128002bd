"""Data modules in Lightning as people use them: several trainers, stages and loaders."""

import pickle
from collections.abc import Callable
from copy import deepcopy
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningDataModule, LightningModule, Trainer
from torch import Tensor, distributed, nn

from lightning_gen import (
    DigitPairsDataModule,
    GaussianMixtureDataModule,
    ImageFolderDataModule,
    MNISTDataModule,
    PairedImageDataModule,
    StackedMNISTDataModule,
    UnpairedImageDataModule,
)
from lightning_gen.errors import NotReadyError
from tests.conftest import one_of_two, picture
from tests.two_domains import write, write_pair


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for k in range(12):
        write(picture(k), root / "images" / "ab"[k % 2] / f"{k}.png")
        write_pair(k, root / "pairs" / ("train" if k < 10 else "test") / f"{k}.png")
        for side in "AB":
            write(picture(k), root / "domains" / side / f"{k}.png")
    return root


DATA: dict[str, Callable[..., Any]] = {
    "mnist": lambda root, **kwargs: MNISTDataModule("12k", batch_size=1000, **kwargs),
    "stacked": lambda root, **kwargs: StackedMNISTDataModule(
        "12k", batch_size=500, n=2000, **kwargs
    ),
    "points": lambda root, **kwargs: GaussianMixtureDataModule(n=1000, **kwargs),
    "digit pairs": lambda root, **kwargs: DigitPairsDataModule(batch_size=2000, **kwargs),
    "images": lambda root, **kwargs: ImageFolderDataModule(
        str(root / "images"), 4, 16, preprocess="resize_and_random_crop", flip=True, **kwargs
    ),
    "pairs": lambda root, **kwargs: PairedImageDataModule(
        str(root / "pairs"), batch_size=2, image_size=16, **kwargs
    ),
    "domains": lambda root, **kwargs: UnpairedImageDataModule(
        str(root / "domains"), batch_size=2, image_size=16, **kwargs
    ),
}
DESCRIPTIONS = {
    "mnist": "10 classes, 9,000 training, 1,000 validation and 2,000 test images, 28 x 28 pixels, "
    "1 channel",
    "stacked": "1,000 classes, 2,000 training, 200 validation and 200 test images, 28 x 28 pixels, "
    "3 channels",
    "points": "8 modes in 2 dimensions, 1,000 training, 100 validation and 100 test points",
    "digit pairs": "9,000 training, 1,000 validation and 2,000 test pairs, 32 x 32 pixels, "
    "3 channels",
    "images": "2 classes (a, b), 11 training and 1 validation image, 16 x 16 pixels, 3 channels",
    "pairs": "10 training and 2 validation pairs, 16 x 16 pixels, 3 channels of 8 bits",
    "domains": "11 + 11 training and 1 + 1 validation images (A + B), 16 x 16 pixels, 3 channels "
    "of 8 bits",
}


class Sums(LightningModule):
    """The sum of all training images, in order, and of those of each other stage."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.sums = nn.Parameter(torch.zeros(())), dict[str, list[float]]()

    def measure(self, stage: str, batch: Any) -> Tensor:
        images = list(batch.values()) if isinstance(batch, dict) else [batch[0]]
        if images[0].is_floating_point():
            assert all(-1.001 <= x.min() <= x.max() <= 1.001 for x in images)
        total = torch.stack([x.double().sum() for x in images]).sum().item()
        self.sums.setdefault(stage, []).append(total)
        return self.weight * 0

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.measure("train", batch)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.measure("val", batch)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.measure("test", batch)

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.measure("predict", batch)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 1)


def run(stage: str, data: Any, **flags: Any) -> dict[str, list[float]]:
    """Run a stage with a new model and a new trainer."""
    model = Sums()
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False}
    quiet |= {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    trainer = Trainer(
        **quiet | {"max_epochs": 2, "num_sanity_val_steps": 0, "limit_train_batches": 5} | flags
    )
    is_module = isinstance(data, LightningDataModule)
    getattr(trainer, stage)(model, **{"datamodule" if is_module else "train_dataloaders": data})
    return model.sums


@pytest.mark.parametrize("key", DATA)
def test_a_data_module_may_be_used_again(key: str, folders: Path) -> None:
    fresh = {s: run(s, DATA[key](folders)) for s in ("fit", "validate", "test", "predict")}
    data = DATA[key](folders)
    for stage in ("validate", "fit", "test", "fit", "predict", "validate"):
        assert run(stage, data) == fresh[stage], stage
    assert fresh["fit"]["train"][: len(fresh["fit"]["train"]) // 2]
    assert data.describe() == DESCRIPTIONS[key]


@pytest.mark.parametrize("key", DATA)
def test_loaders_work_without_a_trainer(key: str, folders: Path) -> None:
    expected = run("fit", DATA[key](folders))["train"]
    data = DATA[key](folders)
    for _ in range(2):
        data.prepare_data()
        data.setup()
    pixels = run("fit", data.train_dataloader())["train"]
    assert len(pixels) == len(expected)
    on_device = [
        sum(
            float(x.double().sum())
            for x in (moved.values() if isinstance(moved, dict) else moved[:1])
        )
        for batch in islice(data.train_dataloader(), 5)
        for moved in [data.on_after_batch_transfer(batch, 0)]
    ]
    assert on_device == pytest.approx(expected[: len(on_device)])


@pytest.mark.parametrize("key", DATA)
def test_a_split_is_read_whole_and_in_order(key: str, folders: Path) -> None:
    data = DATA[key](folders)
    data.setup()
    for split in ("train", "val", "test"):
        first, second = (list(data.split_dataloader(split)) for _ in range(2))
        count = sum(len(next(iter(x.values())) if isinstance(x, dict) else x[0]) for x in first)
        assert count == len(getattr(data, f"{split}_set"))
        for a, b in zip(first, second, strict=True):
            values = (x.values() if isinstance(x, dict) else x for x in (a, b))
            assert all(torch.equal(x, y) for x, y in zip(*values, strict=True))


@pytest.mark.parametrize("key", [key for key in DATA if key != "digit pairs"])  # as MNIST
def test_a_data_module_may_be_copied_and_pickled(key: str, folders: Path) -> None:
    data = DATA[key](folders)
    for moment in ("before", "after"):
        copies = deepcopy(data), pickle.loads(pickle.dumps(data))
        sums = [run("fit", copy)["train"] for copy in copies]
        assert sums[0] == sums[1], moment
        data.setup()
    assert data.describe() == copies[0].describe()


SPAWN = pytest.param("images", "spawn", marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("key", "start"),
    [("images", "fork"), ("pairs", "fork"), ("domains", "fork"), SPAWN],
)
def test_workers_of_any_kind_give_the_same(start: str, key: str, folders: Path) -> None:
    expected = run("fit", DATA[key](folders), limit_val_batches=0)
    data = DATA[key](folders, num_workers=2)
    data.setup()
    settings = data._loader_settings
    data._loader_settings = lambda: (
        settings()
        | {
            "persistent_workers": True,
            "multiprocessing_context": start,
        }
    )
    assert run("fit", data, limit_val_batches=0) == expected


def test_loaders_before_setup_name_the_call(folders: Path) -> None:
    data = DATA["images"](folders)
    for split in ("train", "val", "test"):
        with pytest.raises(NotReadyError, match=f"no {split} images before .* call prepare_data"):
            getattr(data, f"{split}_dataloader")()


@pytest.mark.parametrize("attached", [True, False])
def test_two_processes_share_the_images(attached: bool, folders: Path, monkeypatch: Any) -> None:
    whole = DATA["images"](folders)
    whole.batch_size = 2
    whole.setup()
    seen = [x for x, _ in whole.train_dataloader()]
    monkeypatch.setattr(distributed, "is_initialized", lambda: not attached)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    shares = []
    for rank in (0, 1):
        monkeypatch.setattr(distributed, "get_rank", lambda rank=rank: rank)
        data = DATA["images"](folders)
        data.batch_size = 1
        if attached:
            data.trainer = one_of_two(rank)
        data.setup()
        shares.append([x for x, _ in data.train_dataloader()])
    n = min(map(len, (*shares, seen)))
    for k in range(n):
        assert torch.equal(torch.cat([shares[0][k], shares[1][k]]), seen[k])
