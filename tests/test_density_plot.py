"""Density plots: right curves, and no effect on the training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Callback, Trainer, seed_everything
from PIL import Image
from torch import Tensor, nn

from lightning_gen import GAN, ConditionalGAN, DensityPlot, GaussianMixtureDataModule, ImageGrid
from lightning_gen.callbacks.density_plot import log_density_grid, plot_1d, plot_2d
from lightning_gen.cli import main
from lightning_gen.compat import batches_seen
from lightning_gen.datamodules.mixtures import make_mixture
from lightning_gen.errors import ArgumentError, NotReadyError
from tests.command_line import only
from tests.conftest import loader, same, small_gan, state
from tests.test_callbacks import ImageLogger

Fit = Callable[..., Trainer]
CPU = torch.device("cpu")


class BareGAN(GAN):
    """A GAN without care for modes and devices."""

    def sample(self, n: int, seed: int | None = None) -> Tensor:
        assert not self.training
        return self.generate(n)

    scores_are_logits = True

    def score(self, x: Tensor) -> Tensor:
        return self.discriminator(x.to(self.device))


class Slope:
    """D(x) = sigmoid(3 x), with four scores per point."""

    scores_are_logits = True
    threshold = 0.0

    def score(self, x: Tensor) -> Tensor:
        return (3 * x).expand(-1, 1, 2, 2)


def data(kind: Any = "1d", **kwargs: Any) -> GaussianMixtureDataModule:
    return GaussianMixtureDataModule(kind, **{"n": 200, "batch_size": 50} | kwargs)


def point_gan(dimensions: int = 1) -> BareGAN:
    return BareGAN(
        (dimensions, 1, 1), 2, generator_hidden_dims=(8,), discriminator_hidden_dims=(8,)
    )


def plot(**kwargs: Any) -> DensityPlot:
    return DensityPlot(**{"samples": 100} | kwargs)


def frames(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("images/density/*"))


def curves(figure: Any) -> dict[str, Any]:
    return {curve.get_label(): curve for axes in figure.axes for curve in axes.get_lines()}


def test_training_is_bit_equal_with_and_without(fit: Fit, tmp_path: Path) -> None:
    runs = []
    for callbacks in ([], [plot(every_n_batches=3)]):
        seed_everything(0)
        model = point_gan()
        fit(model, data(), callbacks=callbacks)
        runs.append(state(model))
    assert same(*runs)
    steps = [f"step-{batches:08}.png" for batches in (3, 4, 6, 8)]
    assert frames(tmp_path) == ["density.gif", *steps]


@pytest.mark.parametrize(("kind", "size"), [("1d", (700, 600)), ("ring", (700, 700))])
def test_frames_become_an_animation(kind: Any, size: Any, fit: Fit, tmp_path: Path) -> None:
    points = data(kind)
    logger = ImageLogger(tmp_path)
    fit(
        point_gan(points.image_shape[0]),
        points,
        callbacks=[plot()],
        max_epochs=3,
        logger=logger,
    )
    folder = Path(logger.log_dir)
    gif = Image.open(folder / "images" / "density" / "density.gif")
    assert (gif.n_frames, gif.size) == (3, size)
    for i, name in enumerate(frames(folder)[1:]):
        gif.seek(i)
        frame = Image.open(folder / "images" / "density" / name).convert("RGB")
        assert np.abs(np.asarray(gif.convert("RGB"), float) - np.asarray(frame)).mean() < 3
    assert logger.shown == [("images/density", batches) for batches in (4, 8, 12)]


def test_the_curves_have_their_closed_forms() -> None:
    points, mixture = data(), make_mixture("1d")
    x, _ = mixture.sample(200_000, torch.Generator().manual_seed(0))
    figure = plot_1d(points, x + 0.1, Slope(), CPU)
    drawn = {name: np.asarray(curve.get_data()) for name, curve in curves(figure).items()}
    grid, p = drawn["data, p"]
    centers = torch.tensor(grid, dtype=torch.float32)[:, None, None, None]
    assert np.allclose(p, mixture.log_density(centers).exp(), rtol=1e-3)
    q = mixture.log_density(centers - 0.1).exp().numpy()
    (histogram,) = figure.axes[0].patches
    assert np.abs(histogram.get_data().values - q).max() < 0.1
    assert histogram.get_data().values.mean() * 2 == pytest.approx(1)
    optimal = drawn["D*(x) = p / (p + q)"][1]
    defined = p + q > 0.1
    assert np.abs(optimal[defined] - p[defined] / (p + q)[defined]).max() < 0.03
    assert np.isnan(optimal[p + q < 0.01]).all()
    assert np.allclose(drawn["D(x)"][1], 1 / (1 + np.exp(-3 * grid)), atol=1e-5)


@pytest.mark.parametrize(
    ("model", "drawn"),
    [
        (None, False),
        (GAN((1, 1, 1)), True),
        (GAN((1, 1, 1), discriminator=nn.Sequential(nn.Flatten(0), nn.Identity())), True),  # (b,)
        (GAN((1, 1, 1), pack=2), False),
        (GAN((1, 1, 1), adversarial="hinge"), False),
        (ConditionalGAN((1, 1, 1), 2, architecture="mlp"), False),
    ],
)
def test_d_is_drawn_where_single_points_have_a_probability(model: Any, drawn: bool) -> None:
    x, _ = make_mixture("1d").sample(100, torch.Generator().manual_seed(0))
    assert ("D(x)" in curves(plot_1d(data(), x, model, CPU))) is drawn


def test_contours_are_circles_of_1_2_and_3_sigma() -> None:
    mixture = make_mixture("ring", 1, 0.03)
    x, _ = mixture.sample(50, torch.Generator().manual_seed(0))
    log_p = log_density_grid(data("ring", modes=1, sigma=0.03))
    axes = plot_2d(log_p, x).axes[0]
    dots, contours = axes.collections
    assert np.allclose(dots.get_offsets(), x.flatten(1))
    radii = []
    for path in contours.get_paths():
        sigmas = np.linalg.norm(path.vertices - mixture.means.numpy(), axis=1) / mixture.sigma
        assert sigmas.std() < 0.03
        radii.append(sigmas.mean())
    assert radii == pytest.approx([3, 2, 1], abs=0.05)


def test_a_resumed_run_animates_the_frames_on_disk(fit: Fit, tmp_path: Path) -> None:
    fit(point_gan(), data(), callbacks=[plot()]).save_checkpoint(path := tmp_path / "a.ckpt")
    folder = tmp_path / "images" / "density"
    late = folder / "step-00000999.png"  # written after the checkpoint
    late.write_bytes((folder / "step-00000004.png").read_bytes())
    fit(point_gan(), data(), callbacks=[plot()], max_epochs=3, ckpt_path=path)
    assert Image.open(folder / "density.gif").n_frames == 3


class Interrupt(Callback):
    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        if batches_seen(trainer) == 6:
            raise RuntimeError("stop")


def test_an_interrupted_run_is_animated(fit: Fit, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="stop"):
        fit(point_gan(), data(), callbacks=[plot(), Interrupt()])
    assert frames(tmp_path) == ["density.gif", "step-00000004.png"]


def test_only_the_first_process_draws(fit: Fit, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(Trainer, "is_global_zero", False)
    fit(point_gan(), data(), callbacks=[plot()])
    assert not (tmp_path / "images").exists()


def test_data_without_a_density_are_ignored(fit: Fit, tmp_path: Path) -> None:
    fit(small_gan(), loader(), callbacks=[plot()])
    assert not (tmp_path / "images").exists()


def test_a_model_that_cannot_sample_yet_is_ignored(fit: Fit, tmp_path: Path) -> None:
    class NotYet(BareGAN):
        def sample(self, n: int, seed: int | None = None) -> Tensor:
            raise NotReadyError("no samples before the first validation")

    fit(NotYet((1, 1, 1), 2), data(), callbacks=[plot()])
    assert not (tmp_path / "images").exists()


def test_points_make_no_grid_of_images(fit: Fit, tmp_path: Path) -> None:
    fit(point_gan(2), data("ring"), callbacks=[ImageGrid(n=4)])
    assert not (tmp_path / "images").exists()


@pytest.mark.parametrize("wrong", [{"samples": 0}, {"every_n_epochs": -1}], ids=str)
def test_an_argument_out_of_range_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        DensityPlot(**wrong)


@pytest.mark.usefixtures("in_an_empty_folder")
def test_the_command_line_plots_points_by_default(capsys: Any) -> None:
    flags = ["--data.n", "300", "--data.batch_size", "100", "--density.every_n_batches", "2"]
    flags += ["--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"]
    assert main(["fit", "--model", "GAN", "--data", "GaussianMixtureDataModule", *flags]) == 0
    folder = only("runs/gan-gaussianmixture/*")
    assert frames(folder) == ["density.gif", "step-00000002.png", "step-00000003.png"]
    assert {path.name for path in (folder / "images").iterdir()} == {"density"}
    assert "density.gif" in capsys.readouterr().out
    assert main(["sample", str(folder / "checkpoints" / "last.ckpt")]) == 2
    assert "of points" in capsys.readouterr().err


@pytest.mark.usefixtures("in_an_empty_folder")
@pytest.mark.parametrize("every", ["0", "1"])
def test_no_command_is_suggested_that_rejects_points(every: str, capsys: Any) -> None:
    flags = ["--data.n", "300", "--trainer.max_epochs", "1", "--density.every_n_epochs", every]
    assert main(["fit", "--model", "GAN", "--data", "GaussianMixtureDataModule", *flags]) == 0
    said = capsys.readouterr().out
    assert "last.ckpt" in said
    assert "Draw more samples" not in said
