"""Values as sweeps write them, every switch of the Trainer, and what a training understood."""

import logging
import os
import signal
import subprocess
import sys
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning import Trainer
from PIL import Image

from lightning_gen.cli import main
from tests.command_line import DATA, FIT, ROOT, SMALL, only

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")
STEP = ["--trainer.max_steps", "1", "--trainer.limit_val_batches", "1"]
QUICK = ["fit", "--model", "DCGAN", *DATA, *SMALL, *STEP, "--trainer.accelerator", "cpu"]

SPELLINGS: dict[str, tuple[list[str], str, Any]] = {  # flags, key in config.yaml, value
    "None": (["--model.lr_d=None"], "model.init_args.lr_d", None),
    "None apart": (["--model.lr_g", "None"], "model.init_args.lr_g", None),
    "None of a text": (["--ckpt_path=None"], "ckpt_path", None),
    "2.0": (["--model.k=2.0"], "model.init_args.k", 2),
    "32.0 apart": (["--data.batch_size", "32.0"], "data.init_args.batch_size", 32),
    "1e-3": (["--model.lr=1e-3"], "model.init_args.lr", 1e-3),
    "2E-04": (["--model.lr=2E-04"], "model.init_args.lr", 2e-4),
    "1e1": (["--trainer.log_every_n_steps=1e1"], "trainer.log_every_n_steps", 10),
    "True": (["--model.spectral_norm=True"], "model.init_args.spectral_norm", True),
    "False": (["--model.share_fakes", "False"], "model.init_args.share_fakes", False),
    "list": (["--model.betas=[0.5, 0.99]"], "model.init_args.betas", [0.5, 0.99]),
    "tuple": (["--model.betas=(0.5, 0.99)"], "model.init_args.betas", [0.5, 0.99]),
    "names": (["--model.augmentations=['color']"], "model.init_args.augmentations", ["color"]),
    "all batches": (["--trainer.limit_val_batches=1.0"], "trainer.limit_val_batches", 1.0),
    "seed 3.0": (["--seed=3.0"], "seed_everything", 3),
    "text": (["--data.root=2.0"], "data.init_args.root", "2.0"),
    "several": (["--model.k=2.0", "--model.hidden_dim=0.0"], "model.init_args.k", 2),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_values_of_sweeps_are_accepted(name: str, capsys: Any) -> None:
    flags, key, expected = SPELLINGS[name]
    with pytest.raises(SystemExit) as stop:
        main([*QUICK, *flags, "--print_config"])
    assert not stop.value.code
    value = yaml.safe_load(capsys.readouterr().out)
    for part in key.split("."):
        value = value[part]
    assert value == expected
    assert type(value) is type(expected)


def test_whole_numbers_in_lists_are_accepted(capsys: Any) -> None:
    dims = ["--model.generator_hidden_dims=[16.0, 32]", "--model.discriminator_hidden_dims=(8.0,)"]
    assert main(["fit", "--model", "GAN", *DATA, *dims, *STEP]) == 0
    config = yaml.safe_load(only("runs/*/*/config.yaml").read_text())["model"]["init_args"]
    assert config["generator_hidden_dims"] == [16, 32]
    assert config["discriminator_hidden_dims"] == [8]


def test_a_seed_of_none_is_random(capsys: Any) -> None:
    for _ in range(2):
        assert main([*QUICK, "--seed=None"]) == 0
    seeds = [
        yaml.safe_load(path.read_text())["seed_everything"]
        for path in Path.cwd().glob("runs/*/*/config.yaml")
    ]
    assert len({*seeds}) == 2


def test_other_fractions_are_still_refused(capsys: Any) -> None:
    assert main([*QUICK, "--model.k=2.5"]) == 2
    assert "--model.k must be of type int, but is 2.5" in capsys.readouterr().err


SWITCHES = [
    "accelerator=cpu",
    "barebones=true",
    "benchmark=true",
    "check_val_every_n_epoch=2",
    "detect_anomaly=true",
    "deterministic=true",
    "devices=1",
    "enable_autolog_hparams=true",
    "enable_checkpointing=false",
    "enable_model_summary=false",
    "enable_progress_bar=false",
    "fast_dev_run=true",
    "fast_dev_run=2",
    "inference_mode=false",
    "limit_predict_batches=1",
    "limit_test_batches=0.5",
    "limit_train_batches=0.1",
    "limit_val_batches=0",
    "log_every_n_steps=0",
    "logger=false",
    "logger=true",
    "max_epochs=1",
    "max_time=00:00:01:00",
    "min_epochs=1",
    "min_steps=1",
    "num_nodes=1",
    "num_sanity_val_steps=0",
    "overfit_batches=2",
    "precision=bf16-mixed",
    "precision=16-mixed",
    "precision=64-true",
    "profiler=simple",
    "reload_dataloaders_every_n_epochs=1",
    "strategy=auto",
    "sync_batchnorm=true",
    "use_distributed_sampler=false",
    "val_check_interval=0.5",
    "plugins=AsyncCheckpointIO",
    "callbacks+=LearningRateMonitor",
    "model_registry=a",
    "gradient_clip_algorithm=norm",
    "gradient_clip_val=0",
    "accumulate_grad_batches=1",
    "default_root_dir=elsewhere",
    "max_steps=1",
]


@pytest.mark.parametrize("switch", SWITCHES)
def test_every_switch_of_the_trainer_works(switch: str, capsys: Any) -> None:
    assert main([*QUICK, f"--trainer.{switch}"]) == 0
    assert "Trained for" in capsys.readouterr().out


def test_no_switch_was_forgotten() -> None:
    names = {switch.partition("=")[0].rstrip("+") for switch in SWITCHES}
    assert names == set(signature(Trainer.__init__).parameters) - {"self"}


def test_without_checkpoints_nothing_is_saved(capsys: Any) -> None:
    assert main([*QUICK, "--trainer.enable_checkpointing", "false"]) == 0
    assert not list(Path("runs").rglob("*.ckpt"))
    assert list(Path("runs").rglob("*.png"))
    assert "train.py sample" not in capsys.readouterr().out


def class_folders(*names: str) -> list[str]:
    for color, name in zip(("red", "blue", "green"), names, strict=False):
        for i in range(8):
            path = Path("pets", name, f"{i}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32), color).save(path)
    data = ["--data", "ImageFolderDataModule", "--data.root", "pets", "--data.image_size", "16"]
    return [*data, "--data.batch_size", "4", *STEP]


CONDITIONAL = {
    "ConditionalGAN": ["--model", "ConditionalGAN", "--model.base_channels", "2"],
    "ConditionalVAE": ["--model", "ConditionalVAE", "--model.latent_dim", "2"],
}


@pytest.mark.parametrize("model", CONDITIONAL)
def test_the_number_of_classes_is_that_of_the_data(model: str, capsys: Any) -> None:
    data = class_folders("cat", "dog", "owl")
    assert main(["fit", *CONDITIONAL[model], *data]) == 0
    assert saved_arguments()["num_classes"] == 3
    flag = ["--model.num_classes", "5", "--trainer.default_root_dir", "five"]
    assert main(["fit", *CONDITIONAL[model], *data, *flag]) == 0
    assert saved_arguments("five")["num_classes"] == 5


def saved_arguments(root: str = "runs") -> dict[str, Any]:
    return torch.load(only(f"{root}/*/*/checkpoints/last.ckpt"), weights_only=True)[
        "hyper_parameters"
    ]


def test_a_single_class_is_not_enough_for_a_conditional_model(capsys: Any) -> None:
    data = class_folders("cat")
    assert main(["fit", *CONDITIONAL["ConditionalGAN"], *data]) == 2
    assert (
        "ConditionalGAN learns classes, but the data have a single one" in capsys.readouterr().err
    )
    assert main(["fit", "--model", "DCGAN", "--model.base_channels", "2", *data]) == 0
    assert main(["fit", "--model", "VAE", *data]) == 0


def test_a_training_begins_with_what_was_understood(capsys: Any) -> None:
    assert main(FIT) == 0
    lines = capsys.readouterr().out.splitlines()
    (data,) = [line for line in lines if line.startswith("Data: ")]
    assert "MNISTDataModule" in data
    assert "28" in data
    (model,) = [line for line in lines if line.startswith("Model: ")]
    state = torch.load(only("runs/*/*/checkpoints/last.ckpt"), weights_only=True)["state_dict"]
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    n = sum(x.numel() for name, x in state.items() if not name.endswith(buffers))
    assert f"DCGAN with {n:,} trainable parameters (generator " in model
    assert any(line.startswith("Device: CPU, ") and "1 process, " in line for line in lines)
    assert "Training: 1 epochs, 3 batches per epoch" in lines


def test_the_time_left_is_printed_once_known(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from lightning_gen.cli import overview

    monkeypatch.setattr(overview, "WAIT", 0.0)
    assert main(FIT) == 0
    assert capsys.readouterr().out.count("The training will take about ") == 1


def test_the_summary_has_no_scores_without_a_scale(capsys: Any) -> None:
    assert main(FIT) == 0
    summary = capsys.readouterr().out.partition("Trained for")[2]
    assert "val/d/adversarial" in summary
    assert "_score" not in summary


def test_saving_says_nothing_of_weights_only(caplog: Any, capsys: Any) -> None:
    with caplog.at_level(logging.INFO):
        assert main(FIT) == 0
    assert "weights_only" not in caplog.text + capsys.readouterr().out


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_stopped_program_exits_with_the_code_of_the_signal(name: str, code: int) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    limits = ["--trainer.max_epochs", "1000", "--trainer.limit_train_batches", "20"]
    command = [sys.executable, "-u", str(ROOT / "train.py"), *FIT, *limits]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    for line in process.stdout:
        if line.startswith("epoch 1"):
            process.send_signal(signal.Signals[name])
            break
    rest = process.stdout.read()
    assert process.wait(timeout=60) == code, rest
    assert only("runs/*/*/checkpoints/last.ckpt")
