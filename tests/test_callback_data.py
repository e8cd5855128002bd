"""Callbacks with every kind of model and batch: they draw what they can, and explain the rest."""

import csv
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from lightning_gen import (
    GAN,
    VAE,
    Autoencoder,
    ConditionalGAN,
    ConditionalVAE,
    CycleGAN,
    DenoisingAutoencoder,
    GANMonitor,
    GeneratorEMA,
    ImageGrid,
    LatentPlot,
    LossCurves,
    Pix2Pix,
    Progress,
)
from tests.conftest import SHAPE, images, loader, small_gan

Fit = Callable[..., Trainer]
CODER: dict[str, Any] = {"latent_dim": 3, "hidden_dims": (8,)}
HIDDEN: dict[str, Any] = {"generator_hidden_dims": (8,), "discriminator_hidden_dims": (8,)}
SMALL: dict[str, Any] = {"base_channels": 2, "num_layers": 1}
MODELS: dict[str, Callable[..., LightningModule]] = {
    "GAN": lambda shape: GAN(shape, 4, **HIDDEN),
    "ConditionalGAN": lambda shape: ConditionalGAN(shape, 4, 4, architecture="mlp", **HIDDEN),
    "Autoencoder": lambda shape: Autoencoder(shape, **CODER),
    "DenoisingAutoencoder": lambda shape: DenoisingAutoencoder(shape, **CODER),
    "VAE": lambda shape: VAE(shape, **CODER),
    "ConditionalVAE": lambda shape: ConditionalVAE(shape, num_classes=4, **CODER),
    "Pix2Pix": lambda shape: Pix2Pix(shape, num_downs=2, **SMALL),
    "CycleGAN": lambda shape: CycleGAN(shape, num_blocks=1, **SMALL),
}
PAIRED = "Pix2Pix", "CycleGAN"
GRIDS = {
    "GAN": {"samples", "latents"},
    "ConditionalGAN": {"samples", "latents"},
    "Pix2Pix": {"translations-AtoB"},
    "CycleGAN": {"translations-AtoB", "translations-BtoA"},
}
Y, NAMES = torch.arange(8) % 4, [f"{i}.png" for i in range(8)]
BATCHES: dict[str, Callable[[Tensor], Any]] = {
    "images": lambda x: x,
    "list": lambda x: [x],
    "labels": lambda x: (x, Y),
    "labels in a list": lambda x: (x, Y.tolist()),
    "paths": lambda x: (x, Y, NAMES),
    "dict": lambda x: {"image": x, "label": Y},
    "dict without labels": lambda x: {"image": x},
    "dict with paths": lambda x: {"path": NAMES, "image": x, "label": Y},
    "pixels": lambda x: (((x + 1) * 127.5).byte(), Y),
    "float64": lambda x: (x.double(), Y),
}
PAIRS: dict[str, Callable[[Tensor], Any]] = {
    "dict": lambda x: {"A": x, "B": x.flip(-1)},
    "dict with paths": lambda x: {"A": x, "B": x.flip(-1), "A_paths": NAMES},
    "tuple": lambda x: (x, x.flip(-1)),
    "pixels": lambda x: {"A": ((x + 1) * 127.5).byte(), "B": ((x + 1) * 127.5).byte()},
}
WITHOUT_LABELS = {"images", "list", "dict without labels"}


def callbacks(**plot: Any) -> list[Any]:
    drawing = [ImageGrid(8, 4), LatentPlot(n=20, method="pca", **plot)]
    return [*drawing, GANMonitor(8), GeneratorEMA()]


def batches(kind: Callable[[Tensor], Any], shape: Any = SHAPE, n: int = 24) -> DataLoader:
    return DataLoader([kind(x) for x in images(n, shape).split(8)], batch_size=None)


def drawn(folder: Path) -> set[str]:
    return {path.parent.name for path in folder.glob("images/*/*.png")}


def expected(name: str) -> set[str]:
    return GRIDS.get(name, {"samples", "reconstructions", "latents"})


def kinds(name: str) -> dict[str, Callable[[Tensor], Any]]:
    return PAIRS if name in PAIRED else BATCHES


def pixels(path: Path) -> Any:
    return np.asarray(Image.open(path))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (name, kind)
        for name in ("GAN", "ConditionalGAN", "DenoisingAutoencoder", "ConditionalVAE", *PAIRED)
        for kind in kinds(name)
        if not ("Conditional" in name and kind in WITHOUT_LABELS)
    ],
)
def test_every_model_is_drawn_with_every_batch(
    fit: Fit, tmp_path: Path, name: str, kind: str
) -> None:
    data = batches(kinds(name)[kind])
    fit(MODELS[name](SHAPE), data, val=data, callbacks=callbacks(), max_epochs=1)
    assert drawn(tmp_path) == expected(name)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("shape", "flags"),
    [
        ((2, 16, 16), {"precision": "64-true"}),
        ((4, 16, 16), {"precision": "bf16-true"}),
    ],
    ids=str,
)
def test_channels_and_precision(
    fit: Fit, tmp_path: Path, name: str, shape: Any, flags: dict[str, Any]
) -> None:
    data = batches(kinds(name)["dict"], shape)
    drawing = callbacks(thumbnails=True, pixels=True)
    fit(MODELS[name](shape), data, val=data, callbacks=drawing, max_epochs=1, **flags)
    assert drawn(tmp_path) == expected(name)


@pytest.mark.parametrize("name", MODELS)
def test_images_come_from_the_first_of_several_loaders(fit: Fit, tmp_path: Path, name: str) -> None:
    kind, drawing = kinds(name)["dict"], callbacks()
    loaders = [batches(kind), DataLoader([kind(-images(8))], batch_size=None)]
    trainer = fit(MODELS[name](SHAPE), batches(kind), val=loaders, callbacks=drawing, max_epochs=1)
    assert drawn(tmp_path) == expected(name)
    grid, plot = drawing[:2]
    if grid.x is not None:
        assert torch.equal(grid.x, images(24)[:8])
    if plot.chosen:
        assert len(plot.chosen[0]) == 20
    assert any(key.endswith("/dataloader_idx_1") for key in trainer.callback_metrics)


def test_metrics_of_pairs_are_those_of_each_loader() -> None:
    model = Pix2Pix(SHAPE, num_downs=2, **SMALL)
    model.translate = lambda a, **_: a
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)

    def measured(*errors: float) -> list[float]:
        a = torch.zeros(8, *SHAPE)
        data = [DataLoader([{"A": a, "B": a + error}], batch_size=None) for error in errors]
        metrics = trainer.validate(model, data, verbose=False)
        return [value for part in metrics for key, value in part.items() if "psnr" in key]

    assert measured(0.1, 0.9) == pytest.approx([*measured(0.1), *measured(0.9)])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("flags", [{"limit_val_batches": 0}, {"val": None}], ids=str)
def test_drawings_without_validation_images_are_explained(
    fit: Fit, tmp_path: Path, name: str, flags: dict[str, Any]
) -> None:
    data = batches(kinds(name)["dict"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(MODELS[name](SHAPE), data, callbacks=callbacks(), **{"val": data} | flags)
    text = "\n".join(str(warning.message) for warning in caught)
    assert drawn(tmp_path) <= {"samples"}
    for grid in expected(name) & {"reconstructions"}:
        assert f"ImageGrid draws no {grid}, because there are no validation images" in text
    if "latents" in expected(name):
        assert "LatentPlot draws no map: there are no validation images" in text


@pytest.mark.parametrize("name", PAIRED)
def test_a_map_of_a_translation_model_is_explained(fit: Fit, name: str) -> None:
    data = batches(PAIRS["dict"])
    with pytest.warns(UserWarning, match=f"LatentPlot has no effect, because {name}"):
        fit(MODELS[name](SHAPE), data, val=data, callbacks=[LatentPlot()], max_epochs=1)


@pytest.mark.parametrize("model", [small_gan(), small_gan(pack=3)], ids=["gan", "pack"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_validation_images(fit: Fit, model: Any, n: int) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, val=loader(images(n)), callbacks=callbacks(), max_epochs=1)
    assert not [w for w in caught if "does not work" in str(w.message)]


def test_images_of_several_sizes(fit: Fit, tmp_path: Path) -> None:
    class Foreign(Plain):
        def reconstruct(self, x: Tensor) -> Tensor:
            return x

        def encode(self, x: Tensor) -> Tensor:
            return x.mean((2, 3))

        def decode(self, z: Tensor) -> Tensor:
            return z

    data = DataLoader([images(4), images(4, (1, 20, 12)), images(2)], batch_size=None)
    drawing = [ImageGrid(8, 6), LatentPlot(n=8, method="pca")]
    fit(Foreign(), data, val=data, callbacks=drawing, max_epochs=1)
    assert drawn(tmp_path) == {"reconstructions", "latents"}
    assert len(drawing[0].x) == len(drawing[1].chosen[0]) == 6


# Models of other packages


class Plain(LightningModule):
    """Has no capability."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        self.log("train/loss", loss := self.weight.square())
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        pass

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class OtherSignatures(Plain):
    """Methods with the names of the protocols and other arguments or results."""

    num_classes = 10

    def sample(self, num_samples: int, current_device: torch.device) -> Tensor:
        return torch.zeros(num_samples, 1, 16, 16, device=torch.device(current_device.type))

    def encode(self, x: Tensor) -> list[Tensor]:
        return [x.flatten(1), x.flatten(1)]

    def decode(self, z: Tensor) -> Tensor:
        return z

    def reconstruct(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize(
    "kind", [*BATCHES.values(), lambda x: NAMES, lambda x: {"pixel_values": x}]
)
def test_models_without_capabilities_are_left_alone(fit: Fit, tmp_path: Path, kind: Any) -> None:
    data = batches(kind)
    fit(
        Plain(),
        data,
        val=data,
        callbacks=[*callbacks(), LossCurves(), Progress()],
        max_epochs=1,
        enable_progress_bar=True,
    )
    assert not drawn(tmp_path)
    assert (tmp_path / "losses.png").exists()


def test_methods_with_other_signatures_do_not_end_a_training(fit: Fit, tmp_path: Path) -> None:
    with pytest.warns(UserWarning) as caught:
        fit(OtherSignatures(), val=loader(), callbacks=callbacks())
    text = "\n".join(str(warning.message) for warning in caught)
    assert "ImageGrid does not work with OtherSignatures: AttributeError" in text
    assert "LatentPlot does not work with OtherSignatures: TypeError" in text
    assert drawn(tmp_path) == {"reconstructions"}  # the other grids come


def test_batches_of_other_packages_do_not_end_a_training(fit: Fit) -> None:
    data = batches(lambda x: {"pixel_values": x})
    with pytest.warns(UserWarning, match="ImageGrid does not work with .*'pixel_values'"):
        fit(OtherSignatures(), data, val=data, callbacks=callbacks(), max_epochs=1)


# Pixels


def test_bytes_and_floats_are_drawn_alike(fit: Fit, tmp_path: Path) -> None:
    grids = []
    for kind in ("pixels", "float64"):
        data = batches(lambda x, kind=kind: BATCHES[kind]((x + 1).mul(127.5).byte() / 127.5 - 1))
        fit(OtherSignatures(), data, val=data, callbacks=[ImageGrid(8, 4)], max_epochs=1)
        (path,) = tmp_path.glob("images/reconstructions/*.png")
        grids.append(pixels(path))
    assert np.abs(grids[0].astype(int) - grids[1]).max() <= 1


def test_tensorboard_stores_the_pixels_on_disk(fit: Fit, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = TensorBoardLogger(tmp_path)
    drawing = [ImageGrid(8, 4), LatentPlot(n=16)]
    fit(VAE(SHAPE, **CODER), val=loader(), callbacks=drawing, logger=board, max_epochs=1)
    events = EventAccumulator(board.log_dir).Reload()
    for name in ("samples", "reconstructions", "latents"):
        (event,) = events.Images(f"images/{name}")
        (path,) = Path(board.log_dir).glob(f"images/{name}/*.png")
        stored = tmp_path / "stored.png"
        stored.write_bytes(event.encoded_image_string)
        assert np.array_equal(pixels(stored), pixels(path))
        assert event.step == 4


# Trainings of few batches


class Stream(IterableDataset):
    """Images without a length."""

    def __iter__(self) -> Any:
        return iter(images(24))


@pytest.mark.parametrize("make", [MODELS["GAN"], MODELS["VAE"]], ids=["gan", "vae"])
@pytest.mark.parametrize(
    ("data", "flags", "steps"),
    [
        (lambda: loader(images(24)), {"max_epochs": 3}, [3, 6, 9]),
        (lambda: DataLoader(Stream(), 8), {"max_epochs": 2}, [3, 6]),
        (loader, {"max_steps": 6}, [4, 6]),  # of 4 batches per epoch
        (
            lambda: loader(batch_size=1),
            {"max_epochs": 2, "log_every_n_steps": 30},
            [30, 32, 60, 64],
        ),
    ],
    ids=["epochs", "stream", "steps", "interval"],
)
def test_every_epoch_is_logged(
    fit: Fit, tmp_path: Path, make: Any, data: Any, flags: dict[str, Any], steps: list[int]
) -> None:
    curves, logger = LossCurves(), CSVLogger(tmp_path, name="", version="")
    flags = {"log_every_n_steps": 50, "logger": logger} | flags
    model = make(SHAPE)
    fit(model, data(), callbacks=[curves], **flags)
    (name,) = {"train/loss", "train/d/loss"} & curves.curves.keys()
    assert [batches for batches, _ in curves.curves[name]] == steps
    rows = list(csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines()))
    logged = [(int(row["step"]) + 1, float(row[name])) for row in rows if row[name]]
    assert np.allclose(logged, curves.curves[name])
    assert curves.curves[name][-1][1] == pytest.approx(model.step_metrics[name].item())
    assert (tmp_path / "losses.png").exists()


def test_a_trainer_that_logs_nothing_logs_nothing(fit: Fit, tmp_path: Path) -> None:
    fit(small_gan(), callbacks=[LossCurves()], log_every_n_steps=0)
    assert not (tmp_path / "losses.png").exists()
