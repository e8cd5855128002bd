"""Small models and data that all test files use; no access to the internet."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import install_import_hook
from lightning import LightningModule, Trainer, seed_everything
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import tests.typecheck  # noqa: F401 -- the hook below imports it by name

install_import_hook("lightning_gen", "tests.typecheck.check")  # checks shapes and types of calls

from lightning_gen import DCGAN, GAN  # noqa: E402

if "PYTEST_XDIST_WORKER" in os.environ:  # threads of several workers would compete for the cores
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)

SHAPE = (1, 16, 16)


def small_gan(**kwargs: Any) -> GAN:
    return GAN(
        **{
            "image_shape": SHAPE,
            "latent_dim": 4,
            "generator_hidden_dims": (16,),
            "discriminator_hidden_dims": (16,),
        }
        | kwargs
    )


def small_dcgan(**kwargs: Any) -> DCGAN:
    return DCGAN(**{"image_shape": SHAPE, "latent_dim": 4, "base_channels": 4} | kwargs)


MODELS = {"gan": small_gan, "dcgan": small_dcgan}


def images(n: int = 32, shape: tuple[int, int, int] = SHAPE) -> Tensor:
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


def picture(number: int, size: tuple[int, int] = (24, 16)) -> Image.Image:
    """A smooth image, different for each number."""
    colors = np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(colors).resize(size, Image.Resampling.BICUBIC)


def loader(x: Tensor | None = None, batch_size: int = 8) -> DataLoader:
    x = images() if x is None else x
    return DataLoader(TensorDataset(x, torch.arange(len(x)) % 4), batch_size=batch_size)


def one_of_two(rank: int) -> Any:
    """Attributes that data modules read from a trainer, in one of two processes."""
    return SimpleNamespace(world_size=2, global_rank=rank, overfit_batches=0, ckpt_path=None)


def state(model: nn.Module) -> dict[str, Tensor]:
    """A copy of all parameters and buffers."""
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def fit(tmp_path: Path) -> Callable[..., Trainer]:
    """Train on random images; write files only if the arguments of the Trainer enable it."""

    def fit(model: LightningModule, data: Any = None, **flags: Any) -> Trainer:
        defaults = {
            "accelerator": "cpu",
            "max_epochs": 2,
            "default_root_dir": tmp_path,
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "log_every_n_steps": 1,
        }
        val, ckpt_path = flags.pop("val", None), flags.pop("ckpt_path", None)
        trainer = Trainer(**defaults | flags)
        trainer.fit(model, loader() if data is None else data, val, ckpt_path=ckpt_path)
        return trainer

    return fit


@pytest.fixture
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.command_line import move_into  # tests of models do not import the command line

    move_into(tmp_path, monkeypatch)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    seed_everything(0)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise an error if a test connects to another machine."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "localhost", "::1"):
            raise OSError(f"a test tried to connect to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)
