"""A checkpoint knows its model and data: commands find them, and flags override them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning import LightningDataModule, Trainer
from torch.utils.data import DataLoader, TensorDataset

from lightning_gen import DCGAN, MNISTDataModule
from lightning_gen.cli import main
from lightning_gen.cli.names import positional
from tests.command_line import BRIEF, DATA, FIT, only, trained
from tests.conftest import images, small_gan

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")
POINTS = ["fit", "--model", "GAN", "--data", "GaussianMixtureDataModule", "--data.kind", "grid"]
POINTS += ["--data.n", "2000", *BRIEF]
CUSTOM = """
from lightning_gen import DCGAN, MNISTDataModule
class MyGAN(DCGAN):
    pass
class MyData(MNISTDataModule):
    def __init__(self, n: int = 3, batch_size: int = 64):
        super().__init__("12k", batch_size=batch_size)
"""


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trained(tmp_path_factory.mktemp("points"), POINTS)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trained(tmp_path_factory.mktemp("digits"), FIT)


ORDERS = {
    "first": ["{}", "--n", "20", "--out", "a.json"],
    "last": ["--n", "20", "--out", "a.json", "{}"],
    "between": ["--n=20", "{}", "--out", "a.json"],
    "after a boolean": ["--force", "true", "--n", "20", "{}", "--out=a.json"],
    "negative": ["--out", "a.json", "--n", "20", "--seed", "3", "{}"],
}


@pytest.mark.parametrize("order", ORDERS)
def test_evaluate_finds_the_data_wherever_the_checkpoint_stands(order: str, points: str) -> None:
    assert main(["evaluate", *(arg.replace("{}", points) for arg in ORDERS[order])]) == 0
    data = json.loads(Path("a.json").read_text())["data"]
    assert (data["class"], data["kind"], data["n"]) == ("GaussianMixtureDataModule", "grid", 2000)


def test_values_of_flags_are_not_positional() -> None:
    assert positional(["--n", "20", "a", "--x=1", "b", "--seed", "-1"]) == ["a", "b"]


def test_a_moved_checkpoint_still_knows_its_data(points: str) -> None:
    shutil.copy(points, "moved.ckpt")
    assert main(["evaluate", "--n", "20", "moved.ckpt"]) == 0
    data = json.loads(Path("moved-evaluation.json").read_text())["data"]
    assert data["kind"] == "grid"


def test_data_of_a_checkpoint_without_a_data_module_are_asked_for(capsys: Any) -> None:
    trainer = Trainer(max_steps=1, logger=False, accelerator="cpu", enable_progress_bar=False)
    trainer.fit(small_gan(), DataLoader(TensorDataset(images()), 8))
    trainer.save_checkpoint("mine.ckpt")
    capsys.readouterr()
    assert main(["evaluate", "mine.ckpt"]) == 2
    error = capsys.readouterr().err
    assert "mine.ckpt does not name the data of its training: add --data CLASS" in error


class Unknown(LightningDataModule):
    """Data that evaluate cannot compare with."""

    image_shape = (1, 16, 16)

    def train_dataloader(self) -> DataLoader:
        return DataLoader(TensorDataset(images()), 8)


def test_foreign_data_are_named_but_not_imported(capsys: Any) -> None:
    trainer = Trainer(max_steps=1, logger=False, accelerator="cpu", enable_progress_bar=False)
    trainer.fit(small_gan(), datamodule=Unknown())
    trainer.save_checkpoint("foreign.ckpt")
    capsys.readouterr()
    assert main(["evaluate", "foreign.ckpt", "--n", "20"]) == 2
    name = f"{__name__}.Unknown"
    assert f"names {name} as the data of its training: add --data {name}" in capsys.readouterr().err
    assert main(["evaluate", "foreign.ckpt", "--n", "20", "--data", name]) == 2
    assert "samples cannot be compared with Unknown" in capsys.readouterr().err


def test_a_run_of_custom_classes_is_tested_by_its_checkpoint_alone(capsys: Any) -> None:
    Path("my_module.py").write_text(CUSTOM)
    model = ["--model", "my_module.MyGAN", "--model.base_channels", "2"]
    assert main(["fit", *model, "--data", "my_module.MyData", "--data.n", "5", *BRIEF]) == 0
    saved = str(only("runs/*/*/checkpoints/last.ckpt"))
    limit = ["--trainer.limit_test_batches", "1"]
    assert main(["test", saved, *limit]) == 0
    config = yaml.safe_load(only("runs/*/*-test/config.yaml").read_text())
    assert config["data"]["init_args"]["n"] == 5
    assert main(["evaluate", "--n", "20", "--out", "a.json", "--model=my_module.MyGAN", saved]) == 0
    assert json.loads(Path("a.json").read_text())["data"]["class"] == "MyData"

    shutil.copy(saved, "moved.ckpt")  # code is not imported because a file names it
    capsys.readouterr()
    assert main(["test", "moved.ckpt", *limit]) == 2
    assert "moved.ckpt names my_module.MyGAN as the model: add --model" in capsys.readouterr().err
    named = ["--model", "my_module.MyGAN", "--data", "my_module.MyData"]
    assert main(["test", "moved.ckpt", *limit, *named]) == 0


@pytest.mark.parametrize("command", ["test", "validate", "predict"])
def test_a_checkpoint_is_enough(command: str, digits: str, capsys: Any) -> None:
    split = {"test": "test", "validate": "val", "predict": "predict"}[command]
    flags = [f"--trainer.limit_{split}_batches", "2", "--data.batch_size", "10"]
    shutil.copy(digits, "a.ckpt")
    assert main([command, *flags, "a.ckpt"]) == 0
    config = yaml.safe_load(only(f"runs/dcgan-mnist/*-{command}/config.yaml").read_text())
    assert config["model"]["init_args"]["base_channels"] == 2
    assert config["data"]["init_args"]["subset"] == "12k"
    if command == "predict":
        saved = torch.load(only("runs/*/*/predictions.pt"), weights_only=True)
        assert saved.shape == (20, 1)
    else:
        assert f"{split}/d/adversarial" in capsys.readouterr().out


def test_results_are_those_of_all_flags(digits: str, capsys: Any) -> None:
    shown = []
    limit = ["--trainer.limit_test_batches", "2"]
    flags = [*FIT[1 : FIT.index("--trainer.max_epochs")], "--ckpt_path", digits]
    for args in ([digits], flags):
        capsys.readouterr()
        assert main(["test", *args, *limit]) == 0
        shown.append([x for x in capsys.readouterr().out.splitlines() if "test/" in x])
    assert shown[0] == shown[1] != []


def test_fit_continues_from_a_checkpoint_alone(digits: str, capsys: Any) -> None:
    assert main(["fit", "--ckpt_path", digits, "--trainer.max_steps", "5", *BRIEF[2:]]) == 0
    saved = torch.load(only("runs/*/*/checkpoints/last.ckpt"), weights_only=True)
    assert saved["global_step"] == 5
    assert saved["hyper_parameters"]["base_channels"] == 2


def test_mistakes_with_checkpoints_are_explained(digits: str, capsys: Any) -> None:
    for args, message in (
        (["test"], "no checkpoint: write train.py test CHECKPOINT"),
        (["test", "none.ckpt"], "checkpoint not found: none.ckpt"),
        (["fit", "quickstart"], "quickstart is not a checkpoint: write --config quickstart"),
        (["test", digits, digits], "more than one checkpoint"),
        (["test", digits, "--data.image_size", "32"], "(1, 32, 32)"),
        (["test", digits, "--data.subst", "full"], "nearest: --data.subset"),
    ):
        assert main(args) == 2
        assert message in capsys.readouterr().err


def test_only_a_file_of_the_same_run_is_offered(capsys: Any) -> None:
    torch.save({"weight": torch.zeros(1)}, "latest_net_G.pth")
    torch.save({"state_dict": {}}, "unrelated.ckpt")
    assert main([*FIT, "--ckpt_path", "latest_net_G.pth"]) == 2
    error = capsys.readouterr().err
    assert "unrelated" not in error
    assert "load_reference_weights" in error


def test_a_checkpoint_is_read_once(digits: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reads, load = [], torch.load
    monkeypatch.setattr(torch, "load", lambda *args, **kw: reads.append(1) or load(*args, **kw))
    assert main(["evaluate", "--n", "20", "--out", "a.json", digits]) == 0
    assert len(reads) == 1
    assert main(["encode", digits]) == 2  # no encoder
    assert len(reads) == 2


def test_a_loaded_model_is_that_of_lightning(digits: str) -> None:
    from lightning_gen.checkpoints import load_model

    ours, theirs = load_model(digits), DCGAN.load_from_checkpoint(digits, weights_only=True)
    assert ours.hparams == theirs.hparams
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], tensor)


def test_checkpoints_may_be_at_urls(capsys: Any) -> None:
    run = [*FIT, "--checkpoint.dirpath", "memory://bucket/run"]
    assert main(run) == 0
    saved = "memory://bucket/run/last.ckpt"
    assert f"checkpoint     {saved}".split() == next(
        line.split() for line in capsys.readouterr().out.splitlines() if "  checkpoint" in line
    )
    assert not Path("memory:").exists()
    more = ["--trainer.max_epochs", "2", "--ckpt_path", "last"]
    assert main([*run, *more]) == 0
    assert f"Resuming from {saved}" in capsys.readouterr().out
    assert main(["sample", saved, "--n", "4"]) == 0
    assert main(["test", saved, "--trainer.limit_test_batches", "1"]) == 0
    assert main(["sample", "memory://bucket/none.ckpt", "--out", "b.png"]) == 2
    assert "checkpoint not found: memory://bucket/none.ckpt" in capsys.readouterr().err
    assert main([*FIT, "--trainer.default_root_dir", "memory://bucket"]) == 2
    assert "--checkpoint.dirpath" in capsys.readouterr().err


class Watched(MNISTDataModule):
    """Bundled digits that record the hooks."""

    calls: list[tuple[str, int]] = []

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        self.calls.append(("before", dataloader_idx))
        return batch

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        self.calls.append(("after", dataloader_idx))
        return super().on_after_batch_transfer(batch, dataloader_idx)


@pytest.mark.parametrize("split", ["train", "test"])
def test_encode_calls_every_hook_and_keeps_every_image(split: str) -> None:
    import numpy as np

    saved = trained(
        Path("vae"), ["fit", "--model", "VAE", *DATA, "--model.latent_dim", "2", *BRIEF]
    )
    data = ["--data", f"{__name__}.Watched", "--data.subset", "12k", "--data.batch_size", "700"]
    Watched.calls = []
    assert main(["encode", *data, "--split", split, saved]) == 0
    with np.load("codes.npz") as file:
        assert file["codes"].shape == ({"train": 9000, "test": 2000}[split], 2)
        assert np.bincount(file["labels"]).min() > 100
    batches = {"train": 13, "test": 3}[split]
    assert Watched.calls == [("before", 0), ("after", 0)] * batches


class Plain(LightningDataModule):
    """Custom data with two loaders; one drops the last batch in training."""

    image_shape = (1, 28, 28)

    def train_dataloader(self) -> DataLoader:
        x = images(10, self.image_shape)
        return DataLoader(TensorDataset(x, torch.arange(10)), 4, shuffle=True, drop_last=True)

    def test_dataloader(self) -> list[DataLoader]:
        x = images(10, self.image_shape)
        return [DataLoader(TensorDataset(part), 4) for part in (x[:3], x[3:])]


def test_encode_takes_foreign_loaders() -> None:
    import numpy as np

    saved = trained(
        Path("vae"), ["fit", "--model", "VAE", *DATA, "--model.latent_dim", "2", *BRIEF]
    )
    data = ["--data", f"{__name__}.Plain"]
    assert main(["encode", saved, *data, "--split", "train", "--out", "train.npz"]) == 0
    assert main(["encode", saved, *data, "--split", "test", "--out", "test.npz"]) == 0
    with np.load("train.npz") as train, np.load("test.npz") as test:
        assert sorted(train["labels"]) == list(range(10))
        by_label = train["codes"][train["labels"].argsort()]
        assert np.allclose(by_label, test["codes"], atol=1e-5)
