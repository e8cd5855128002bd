"""Metrics of real images as samples equal those of real images; mistakes give errors."""

import json
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningDataModule
from PIL import Image

from lightning_gen import (
    DCGAN,
    GaussianMixtureDataModule,
    MNISTDataModule,
    StackedMNISTDataModule,
)
from lightning_gen.cli import main
from lightning_gen.cli.sample import draw
from lightning_gen.errors import DataError
from lightning_gen.inference.evaluation import compare
from lightning_gen.types import to_images
from tests.command_line import BRIEF, DATA, FIT, trained

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")
N = ["--n", "40"]
CONDITIONAL = ["fit", "--model", "ConditionalVAE", *DATA, "--model.latent_dim", "4", *BRIEF]
POINTS = ["fit", "--model", "GAN", "--data", "GaussianMixtureDataModule", "--data.kind", "grid"]
POINTS += ["--data.n", "2000", *BRIEF]
PLAIN = ["fit", "--model", "Autoencoder", *DATA, "--model.mixture_components", "0", *BRIEF]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("trained")
    runs = {"gan": FIT, "conditional": CONDITIONAL, "points": POINTS, "plain": PLAIN}
    return {name: trained(folder / name, command) for name, command in runs.items()}


@pytest.fixture(scope="module")
def mnist() -> MNISTDataModule:
    """The bundled digits, with fewer test images, which is faster."""
    data = MNISTDataModule("12k")
    data.setup("fit")
    data.test_set = data.test_set.subset(torch.arange(300))
    return data


def test_real_images_score_as_real_images(mnist: MNISTDataModule) -> None:
    x, labels = to_images(mnist.train_set.pixels[:60]), mnist.train_set.labels[:60]
    result = compare(mnist, x, labels, False, 0)
    assert result.samples.keys() == result.real.keys()
    copied = [name for name in result.samples if name.startswith("training_distance")]
    assert len(copied) == 3
    for name, value in result.samples.items():
        if name in copied:
            assert value == 0 < result.real[name]
        else:
            assert value == result.real[name], name
    assert result.samples["label_accuracy(digits, 60)"] > 0.95
    above, below = result.neighbours.chunk(2)
    assert torch.equal(above, below)


def test_noise_scores_worse_than_real_images(mnist: MNISTDataModule) -> None:
    x = torch.rand(60, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    result = compare(mnist, x, None, False, 0)
    assert not [name for name in result.samples if "label" in name or "error" in name]
    for name in ("frechet_distance", "kernel_distance", "kl_to_data"):
        assert result.samples[f"{name}(digits, 60)"] > 2 * result.real[f"{name}(digits, 60)"]
    for name in ("density", "coverage"):
        assert result.samples[f"{name}(digits, 60)"] < result.real[f"{name}(digits, 60)"]


def test_a_model_is_evaluated_on_the_data_of_its_training(
    checkpoints: dict[str, str], capsys: Any
) -> None:
    assert main(["evaluate", checkpoints["gan"], *N, "--out", "a.json"]) == 0
    out = capsys.readouterr().out
    result = json.loads(Path("a.json").read_text())
    assert (result["model"], result["n"], result["test_images"]) == ("DCGAN", 40, 2000)
    assert result["data"]["class"] == "MNISTDataModule"
    assert result["data"]["subset"] == "12k"
    assert result["classifier_accuracy"] >= 0.993
    for name, value in result["samples"].items():
        assert f"{value:.4g}" in next(line for line in out.splitlines() if name in line)
    assert Image.open("a-neighbours.png").size == (10 * 30 + 2, 2 * 30 + 2)
    assert main(["evaluate", checkpoints["gan"], *N, "--out", "b.json"]) == 0
    assert Path("a.json").read_bytes() == Path("b.json").read_bytes()


def test_a_conditional_model_is_also_evaluated_by_its_labels(checkpoints: dict[str, str]) -> None:
    checkpoint = Path(checkpoints["conditional"])
    assert main(["evaluate", str(checkpoint), *N]) == 0
    file = checkpoint.with_name("last-evaluation.json")
    result = json.loads(file.read_text())
    assert result["samples"].keys() == result["real"].keys()
    for name in ("label_accuracy(digits, 40)", "nearest_neighbour_error(pixels, 40)"):
        assert 0 <= result["samples"][name] <= 1
        assert 0 < result["real"][name] <= 1
    assert Image.open(file.with_name("last-evaluation-neighbours.png"))
    assert {path.suffix for path in checkpoint.parent.iterdir()} == {".ckpt", ".json", ".png"}


def test_wrong_labels_cost_the_scores_of_classifiers(mnist: MNISTDataModule) -> None:
    x, labels = to_images(mnist.train_set.pixels[:200]), mnist.train_set.labels[:200]
    result = compare(mnist, x, (labels + 1) % 10, True, 0)
    score, error = "classification_accuracy_score(cnn, 200)", "nearest_neighbour_error(pixels, 200)"
    assert result.samples[score] < 0.2 < 0.5 < result.real[score]
    assert result.real[error] < 0.5 < 0.8 < result.samples[error]
    assert result.samples["label_accuracy(digits, 200)"] < 0.1


def test_stacked_digits_are_compared_by_channels() -> None:
    data = StackedMNISTDataModule("12k", n=200)
    data.setup("fit")
    x, _ = data.on_after_batch_transfer(data.train_set[torch.arange(60)], 0)
    result = compare(data, x, None, False, 0)
    assert result.samples == result.real
    assert 50 < result.samples["modes(digits, 60)"] <= 60
    collapsed = compare(data, x[:1].expand(60, -1, -1, -1), None, False, 0)
    assert collapsed.samples["modes(digits, 60)"] == 1
    assert collapsed.samples["kl(digits, 60)"] == pytest.approx(log(1000))


def test_points_are_compared_by_modes() -> None:
    data = GaussianMixtureDataModule("ring", n=2000)
    data.setup("fit")
    result = compare(
        data, data.mixture.means[:1, :, None, None].repeat(50, 1, 1, 1), None, False, 0
    )
    assert result.samples == {
        "modes(mixture, 50)": 1,
        "high_quality(mixture, 50)": 1,
        "kl(mixture, 50)": pytest.approx(log(8)),
    }
    assert result.real["modes(mixture, 50)"] == 8
    assert result.real["high_quality(mixture, 50)"] > 0.9


def test_a_model_of_points_is_evaluated_on_its_own_mixture(checkpoints: dict[str, str]) -> None:
    assert main(["evaluate", checkpoints["points"], *N, "--out", "points.json"]) == 0
    result = json.loads(Path("points.json").read_text())
    assert (result["data"]["class"], result["data"]["kind"]) == (
        "GaussianMixtureDataModule",
        "grid",
    )
    assert 20 < result["real"]["modes(mixture, 40)"] <= 25
    assert {path.name for path in Path.cwd().iterdir()} == {"points.json"}


def test_classes_come_in_turn() -> None:
    class Labelled(DCGAN):
        num_classes = 7

        def sample(self, n: int, seed: int | None = None, *labels: torch.Tensor) -> torch.Tensor:
            return labels[0].view(n, 1, 1, 1).expand(n, 1, 28, 28) / 10

    model = Labelled((1, 28, 28), base_channels=2)
    drawn = torch.cat(list(draw(model, 250, 0)))[:, 0, 0, 0]
    assert torch.equal((10 * drawn).round().long(), torch.arange(250) % 7)


def test_data_of_another_kind_is_refused(mnist: MNISTDataModule) -> None:
    x = torch.zeros(20, 1, 28, 28)
    with pytest.raises(DataError, match="LightningDataModule, only with .*MNISTDataModule"):
        compare(LightningDataModule(), x, None, False, 0)
    with pytest.raises(DataError, match=r"\(1, 32, 32\).*\(1, 28, 28\)"):
        compare(mnist, torch.zeros(20, 1, 32, 32), None, False, 0)


WRONG: dict[str, tuple[list[str], str]] = {
    "few": (["gan", "--n", "9"], "n must be at least 10"),
    "text": (["gan", "--n", "many"], "--n"),
    "format": (["gan", "--out", "a.txt"], "must end in .json"),
    "labels": (["gan", "--cas", "true", *N], "--cas true requires a conditional model, but DCGAN"),
    "flag": (["gan", "--samples", "3"], "--samples"),
    "data flag": (["gan", "--data.subset", "13k"], "--data.subset"),
    "data": (["gan", "--data", "MNISTDat"], "nearest: MNISTDataModule"),
    "size": (["gan", *N, "--data.image_size", "32"], "(1, 32, 32)"),
    "missing": (["none.ckpt"], "checkpoint not found: none.ckpt"),
    "no checkpoint": ([__file__], "is not a checkpoint"),
    "not ready": (["plain", *N], "Gaussian mixture"),
}


@pytest.mark.parametrize("key", WRONG)
def test_mistakes_give_short_errors(key: str, checkpoints: dict[str, str], capsys: Any) -> None:
    args, words = WRONG[key]
    assert main(["evaluate", *(checkpoints.get(arg, arg) for arg in args)]) == 2
    error = capsys.readouterr().err.partition("error: ")[2]
    assert words in error
    assert len(error.strip().splitlines()) <= 3
    assert not list(Path.cwd().iterdir())


def test_nothing_is_overwritten_unless_asked(checkpoints: dict[str, str], capsys: Any) -> None:
    args = ["evaluate", checkpoints["gan"], *N, "--out", "mine.json"]
    for name in ("mine.json", "mine-neighbours.png"):
        Path(name).write_text("mine")
        assert main(args) == 2
        assert f"{name} exists" in capsys.readouterr().err
        assert Path(name).read_text() == "mine"
        Path(name).unlink()
    Path("mine.json").write_text("mine")
    assert main([*args, "--force", "true"]) == 0
    assert json.loads(Path("mine.json").read_text())


def test_help_lists_the_flags(capsys: Any) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    for flag in ("--n", "--cas", "--data", "--out", "--force"):
        assert flag in out
