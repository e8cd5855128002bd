"""Command lines of the authors' pix2pix and CycleGAN code; the user's own LightningCLI."""

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.cli import LightningCLI
from PIL import Image

from lightning_gen import DCGAN, VAE, CycleGAN, MNISTDataModule
from lightning_gen.checkpoints import load_model
from lightning_gen.cli import main
from lightning_gen.errors import UserError
from tests.command_line import ROOT, only

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")
OLD = {
    "facades": "--dataroot ./pairs --name facades --model pix2pix --direction BtoA --gpu_ids -1 "
    "--netG unet_128 --ngf 2 --ndf 2 --load_size 140 --crop_size 128 --n_epochs 1 --no_flip "
    "--n_epochs_decay 0 --norm batch --lambda_L1 50 --beta1 0.5 --lr=0.0001 --display_id -1",
    "horses": "train --dataroot pairs --model cycle_gan --pool_size 2 --netG resnet_6blocks "
    "--ngf 2 --crop_size 32 --load_size 36 --lambda_A 5 --lambda_identity 0 --gan_mode lsgan "
    "--batch_size 2 --n_epochs 1 --gpu_ids -1 --serial_batches "
    "--input_nc 3 --output_nc 3 --num_threads 0",
}
NEW = {
    "facades": [
        "--model Pix2Pix",
        "--data.root ./pairs",
        "--model.direction BtoA",
        "--data.flip false",
    ],
    "horses": [
        "--model CycleGAN",
        "--model.num_blocks 6",
        "--model.lambda_cycle 5",
        "--data.serial",
    ],
}


@pytest.mark.parametrize("name", OLD)
def test_an_old_command_is_answered_with_one_that_runs(name: str, capsys: Any) -> None:
    for folder in ("trainA", "trainB"):
        Path("pairs", folder).mkdir(parents=True)
        for i in range(4):
            Image.effect_noise((40, 40), 50).convert("RGB").save(f"pairs/{folder}/{i}.png")
    assert main(shlex.split(OLD[name])) == 2
    error = capsys.readouterr().err
    for part in NEW[name]:
        assert part in error
    assert ("without a counterpart: --display_id" in error) == (name == "facades")
    (command,) = re.findall(r"^  train\.py (.*)$", error, flags=re.MULTILINE)
    brief = ["--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1"]
    assert main([*shlex.split(command), *brief]) == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("--dataroot photos --model test --netG resnet_9blocks", "translate CHECKPOINT photos"),
        ("--dataroot=x --model pix2pix --epoch latest", "--data.root x"),
        ("fit --dataroot x --n_epochs 100 --n_epochs_decay 100", "--trainer.max_epochs 200"),
        ("--dataroot x --gpu_ids 0,1", "--trainer.devices 2"),
    ],
)
def test_other_old_commands(args: str, message: str, capsys: Any) -> None:
    assert main(args.split()) == 2
    assert message in capsys.readouterr().err


def test_flags_in_the_table_exist() -> None:
    text = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
    from lightning_gen.cli.migration import FLAGS, SWITCHES, VALUES

    for new in [*FLAGS.values(), *SWITCHES.values(), *VALUES.values()]:
        assert new.partition(" ")[0] in text


def run_cli(monkeypatch: pytest.MonkeyPatch, cls: type, *args: str) -> None:
    shape = ["--model.image_shape", "[1,28,28]", "--data.subset", "12k"]
    trainer = [
        "--trainer.max_steps",
        "2",
        "--trainer.limit_val_batches",
        "1",
        "--trainer.accelerator",
        "cpu",
    ]
    monkeypatch.setattr(sys, "argv", ["program", "fit", *shape, *trainer, *args])
    LightningCLI(cls, MNISTDataModule)


def test_a_lightning_cli_trains_our_models(monkeypatch: pytest.MonkeyPatch) -> None:
    run_cli(monkeypatch, DCGAN, "--model.base_channels", "2", "--model.optimizer", "rmsprop")
    saved = only("lightning_logs/version_0/checkpoints/*.ckpt")
    assert load_model(saved).settings.betas == (0.5, 0.999)
    assert main(["sample", str(saved), "--n", "4"]) == 0
    assert main(["test", str(saved), "--trainer.limit_test_batches", "1"]) == 0


def test_a_lightning_cli_sets_the_optimizer_of_a_single_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_cli(monkeypatch, VAE, "--optimizer", "SGD", "--optimizer.lr", "0.01")


def test_one_optimizer_for_two_networks_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"DCGAN trains d and g in turn.*--model\.optimizer"):
        run_cli(monkeypatch, DCGAN, "--model.base_channels", "2", "--optimizer", "Adam")


def test_one_optimizer_for_two_translators_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    args = ["--model.num_blocks", "1", "--model.base_channels", "2", "--optimizer", "SGD"]
    with pytest.raises(UserError, match=r"CycleGAN trains d and g in turn"):
        run_cli(monkeypatch, CycleGAN, *args, "--optimizer.lr", "0.1")
