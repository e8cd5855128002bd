"""Callbacks show the training and do not change it."""

import csv
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, LightningModule, Trainer, seed_everything
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from lightning_gen import GeneratorEMA, ImageGrid, LossCurves, Progress
from lightning_gen.callbacks.progress import share_done
from lightning_gen.compat import batches_seen
from lightning_gen.errors import ArgumentError
from tests.conftest import images, loader, same, small_dcgan, small_gan, state

Fit = Callable[..., Trainer]


class Mirror(LightningModule):
    """A foreign model: inverts images and learns nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.shown = 0

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.weight.square()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        pass

    def reconstruct(self, x: Tensor) -> Tensor:
        assert not self.training
        return -x + 0 * torch.rand(())

    def visualize(self, batch: Any) -> dict[str, tuple[Tensor, Tensor]]:
        self.shown += 1
        return {"AtoB": (batch[0], batch[0].flip(-1))}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class TwoSteps(Mirror):
    """Takes two optimizer steps per batch."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        for optimizer in self.optimizers():
            optimizer.step()

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(self.parameters(), 0.1) for _ in range(2)]


class ImageLogger(CSVLogger):
    """Keeps images as `WandbLogger` would log them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.shown: list[tuple[str, int | None]] = []

    def log_image(self, key: str, images: list[Any], step: int | None = None) -> None:
        self.shown.append((key, step))


def pixels(path: Path) -> Tensor:
    return torch.frombuffer(bytearray(Image.open(path).convert("L").tobytes()), dtype=torch.uint8)


@pytest.mark.parametrize("make", [small_gan, small_dcgan])
def test_training_is_bit_equal_with_and_without_callbacks(fit: Fit, make: Any) -> None:
    runs = []
    for callbacks in ([], [ImageGrid(n=4, every_n_batches=1), LossCurves()]):
        seed_everything(0)
        model = make()
        fit(model, callbacks=callbacks)
        runs.append(state(model))
    assert same(*runs)


def test_the_same_latents_are_drawn_each_time(fit: Fit, tmp_path: Path) -> None:
    fit(small_gan(lr=0.0), callbacks=[ImageGrid(n=6, columns=3)])
    paths = sorted((tmp_path / "images" / "samples").iterdir())
    assert [path.name for path in paths] == ["step-00000004.png", "step-00000008.png"]
    assert torch.equal(*map(pixels, paths))
    assert Image.open(paths[0]).size == (3 * (16 + 2) + 2, 2 * (16 + 2) + 2)


def test_grids_come_every_n_batches(fit: Fit, tmp_path: Path) -> None:
    fit(small_gan(), callbacks=[ImageGrid(n=1, every_n_batches=3, every_n_epochs=0)])
    names = {path.name for path in (tmp_path / "images" / "samples").iterdir()}
    assert names == {"step-00000003.png", "step-00000006.png"}


def test_grids_follow_the_capabilities_of_foreign_models(fit: Fit, tmp_path: Path) -> None:
    grid = ImageGrid(n=10, columns=4)  # more than a batch, and the sanity check comes first
    model = Mirror()
    fit(model, callbacks=[grid], val=loader(), max_epochs=1)
    assert model.shown == 2  # batches of 8, as many as hold ten images
    assert {path.name for path in (tmp_path / "images").iterdir()} == {
        "reconstructions",
        "translations-AtoB",
    }
    assert torch.equal(grid.x, images()[:10])
    rows = {name: images for name, images, _ in grid.grids(Mirror().eval())}[
        "reconstructions"
    ].split(4)
    assert torch.equal(rows[0], images()[:4])
    assert torch.allclose(rows[1], -images()[:4])
    assert torch.equal(rows[2], images()[4:8])
    assert len(rows) == 4


def test_num_classes_alone_does_not_make_a_model_conditional(fit: Fit, tmp_path: Path) -> None:
    class Foreign(Mirror):
        num_classes = 10

        def sample(self, n: int, seed: int | None = None) -> Tensor:
            return torch.zeros(n, 1, 16, 16)

    fit(Foreign(), callbacks=[ImageGrid(n=4)], val=loader(), max_epochs=1)
    assert len([*tmp_path.glob("images/samples/*.png")]) == 1
    assert len([*tmp_path.glob("images/reconstructions/*.png")]) == 1


def test_a_grid_of_few_images_has_as_few_columns(fit: Fit, tmp_path: Path) -> None:
    fit(Mirror(), callbacks=[ImageGrid(n=3, columns=8)], val=loader(), max_epochs=1)
    for path in (tmp_path / "images").glob("*/*.png"):
        assert Image.open(path).size == (3 * 18 + 2, 2 * 18 + 2)  # 16 pixels and a border


def test_images_reach_loggers_at_their_batch(fit: Fit, tmp_path: Path) -> None:
    kept, boards = ImageLogger(tmp_path), TensorBoardLogger(tmp_path)
    fit(small_gan(k=2), callbacks=[ImageGrid(n=2)], logger=[kept, boards])
    assert kept.shown == [("images/samples", 4), ("images/samples", 8)]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(boards.log_dir).Reload()
    assert [event.step for event in events.Images("images/samples")] == [4, 8]


def test_only_the_first_process_draws(fit: Fit, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(Trainer, "is_global_zero", False)
    fit(small_gan(), callbacks=[ImageGrid(n=2), LossCurves()])
    assert not (tmp_path / "images").exists()
    assert not (tmp_path / "losses.png").exists()


def test_a_grid_without_images_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="n must be at least 1"):
        ImageGrid(n=0)


def test_curves_hold_every_logged_value(fit: Fit, tmp_path: Path) -> None:
    curves, logger = LossCurves(), CSVLogger(tmp_path, name="", version="")
    fit(small_gan(), callbacks=[curves], logger=logger, log_every_n_steps=2)
    assert [batches for batches, _ in curves.curves["train/d/loss"]] == [2, 4, 6, 8]
    assert curves.curves["train/d/loss"] != curves.curves["train/g/loss"]
    rows = csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines())
    logged = [float(row["train/d/loss"]) for row in rows if row["train/d/loss"]]
    assert [value for _, value in curves.curves["train/d/loss"]] == pytest.approx(logged)
    assert Image.open(tmp_path / "losses.png").size[0] == 800


def test_curves_continue_after_resuming(fit: Fit, tmp_path: Path) -> None:
    fit(small_gan(), callbacks=[LossCurves()]).save_checkpoint(path := tmp_path / "a.ckpt")
    curves = LossCurves()
    fit(small_gan(), callbacks=[curves], max_epochs=3, ckpt_path=path)
    assert [batches for batches, _ in curves.curves["train/g/loss"]] == list(range(1, 13))


def test_curves_stay_short(fit: Fit, monkeypatch: Any) -> None:
    monkeypatch.setattr("lightning_gen.callbacks.loss_curves.MAX_POINTS", 10)
    curves = LossCurves()
    fit(small_gan(), callbacks=[curves], max_epochs=12)
    batches = [batches for batches, _ in curves.curves["train/d/loss"]]
    assert batches == list(range(8, 49, 8))  # equally far apart, from the beginning


def test_without_a_terminal_every_epoch_is_a_line(fit: Fit, capsys: Any) -> None:
    fit(small_gan(), callbacks=[Progress()], enable_progress_bar=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all(word in lines[0] for word in ("images/s", "d/loss", "g/loss", "left"))
    assert lines[1].endswith("00:00 left")


class Stream(IterableDataset):
    """Endless images; the loader has no length."""

    def __iter__(self) -> Iterator[Tensor]:
        return cycle(images())


STEPS = {"max_steps": 3, "max_epochs": -1}
ACCUMULATED = {"accumulate_grad_batches": 3}
TRAININGS: dict[str, tuple[Callable[[], LightningModule], dict[str, Any]]] = {
    "epochs": (small_gan, {}),
    "steps": (lambda: small_gan(k=2), {"max_steps": 3}),
    "steps alone": (small_gan, STEPS),
    "accumulated batches": (Mirror, ACCUMULATED),
    "accumulated batches, steps": (Mirror, ACCUMULATED | STEPS),
    "two optimizers": (TwoSteps, {}),
    "a stream": (Mirror, {"data": DataLoader(Stream(), 8)} | ACCUMULATED | STEPS),
}


@pytest.mark.parametrize("key", TRAININGS)
def test_no_time_is_left_when_the_training_ends(key: str, fit: Fit, capsys: Any) -> None:
    make, flags = TRAININGS[key]
    trainer = fit(make(), callbacks=[Progress()], enable_progress_bar=True, **flags)
    assert share_done(trainer) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("00:00 left")


def test_a_resumed_training_has_the_rest_left(fit: Fit, tmp_path: Path) -> None:
    class Look(Progress):
        def on_train_start(self, *args: Any) -> None:
            super().on_train_start(*args)
            shares.append(self.share_at_start)

    shares: list[float] = []
    flags = {"callbacks": [Look()], "enable_progress_bar": True}
    fit(small_gan(), max_steps=5, **flags).save_checkpoint(path := tmp_path / "a.ckpt")
    fit(small_gan(), max_epochs=4, ckpt_path=path, **flags)
    assert shares == [0, 5 / 16]


def test_a_terminal_shows_lightning_s_bar(fit: Fit, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    fit(small_gan(), callbacks=[Progress()], enable_progress_bar=True)
    last = capsys.readouterr().out.split("\r")[-1]
    assert last.startswith("Epoch 1: 100%|")
    assert all(word in last for word in ("4/4", "images/s=", "d/loss=", "g/loss=", "left=00:00"))


def test_an_error_is_printed_below_the_bar(fit: Fit, monkeypatch: Any, capsys: Any) -> None:
    class Fail(Callback):
        def on_train_batch_start(self, *_: Any) -> None:
            raise RuntimeError

    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with pytest.raises(RuntimeError):
        fit(small_gan(), callbacks=[Progress(), Fail()], enable_progress_bar=True)
    assert capsys.readouterr().out.endswith("\n")


@pytest.mark.parametrize("make", [small_gan, Mirror, TwoSteps])
def test_batches_are_counted_through_lightning(make: Any, fit: Fit, tmp_path: Path) -> None:
    class Count(Callback):
        def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
            begun.append(batches_seen(trainer))

        def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
            ended.append(batches_seen(trainer))

    begun: list[int] = []
    ended: list[int] = []
    fit(make(), callbacks=[Count()]).save_checkpoint(path := tmp_path / "a.ckpt")
    fit(make(), callbacks=[Count()], max_epochs=3, ckpt_path=path)
    assert begun == ended == list(range(1, 13)), (
        "This release of Lightning counts batches in another way: batches_seen() in "
        "compat.py must return 1 at the first batch of a training, increase by 1 with "
        "each batch, whatever the number of optimizer steps, and continue after resuming."
    )


class Record(Callback):
    """Records the generator's weights after every batch."""

    def __init__(self) -> None:
        self.weights: list[dict[str, Tensor]] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        self.weights.append(state(pl_module.generator))


def test_the_average_has_its_closed_form(fit: Fit) -> None:
    model, record = small_dcgan(k=2), Record()
    start = state(model.generator)
    fit(model, callbacks=[record, GeneratorEMA(halflife=20, rampup=1e9)], val=loader())
    mean = start["0.weight"].double()
    for weights in record.weights:
        decay = 0.5 ** (8 / 20)
        mean = decay * mean + (1 - decay) * weights["0.weight"]
    assert torch.allclose(model.average[0].weight.double(), mean, atol=1e-6)
    assert torch.equal(model.average[2].running_mean, model.generator[2].running_mean)


def test_the_average_begins_without_the_untrained_generator(fit: Fit) -> None:
    model = small_gan()
    fit(model, callbacks=[GeneratorEMA(halflife=1e9, rampup=1e-9)])  # a half-life of no images
    assert same(state(model.average), state(model.generator))


def test_samples_come_from_the_average_and_training_does_not(fit: Fit) -> None:
    runs = []
    for callbacks in ([], [GeneratorEMA(halflife=1000, rampup=1e9)]):
        seed_everything(0)
        model = small_gan(lr=0.01)
        fit(model, callbacks=callbacks)
        runs.append(model)
    plain, averaged = runs
    assert same(state(plain.generator), state(averaged.generator))
    assert not torch.equal(plain.sample(4, seed=0), averaged.sample(4, seed=0))
    averaged.generator.load_state_dict(averaged.average.state_dict())
    averaged.average = None
    assert not torch.equal(plain.sample(4, seed=0), averaged.sample(4, seed=0))


def test_the_average_is_saved_restored_and_can_start_late(fit: Fit, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Mirror has no generator to average"):
        GeneratorEMA().setup(Trainer(logger=False), Mirror(), "fit")
    ema = GeneratorEMA(halflife=100, rampup=1e9)
    model = small_gan()
    fit(model, callbacks=[ema], max_epochs=1).save_checkpoint(path := tmp_path / "a.ckpt")
    again = type(model).load_from_checkpoint(path)
    assert same(state(model), state(again))
    assert torch.equal(model.sample(2, seed=1), again.sample(2, seed=1))

    fit(small_gan(), max_epochs=1).save_checkpoint(late := tmp_path / "late.ckpt")
    model = small_gan()
    fit(model, callbacks=[ema], ckpt_path=late)
    assert not same(state(model.average), state(model.generator))
