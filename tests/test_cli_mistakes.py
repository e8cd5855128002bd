"""Laws of mistakes on the command line: errors are short and name the flag."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_gen.checkpoints import CLASS_KEY
from lightning_gen.cli import main
from tests.command_line import DATA, FIT, python

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")


WRONG_NAMES = {
    "model": (["--model", "DCGN", *DATA], "'DCGN'; nearest: DCGAN"),
    "data": (["--model", "DCGAN", "--data=MNISTData"], "'MNISTData'; nearest: MNISTDataModule"),
    "recipe": (["--config", "quikstart"], "'quikstart'; nearest: quickstart"),
    "file": (["--config", "no/such.yaml"], "configuration file no/such.yaml does not exist"),
}


@pytest.mark.parametrize("key", WRONG_NAMES)
def test_an_unknown_name_gives_the_nearest_without_torch(key: str) -> None:
    args, message = WRONG_NAMES[key]
    code = f"import sys; from lightning_gen.cli import main; code = main({['fit', *args]!r})\n"
    run = python("-c", code + "assert 'torch' not in sys.modules; sys.exit(code)")
    assert run.returncode == 2
    assert message in run.stderr
    assert len(run.stderr.splitlines()) < 12


def test_an_unknown_name_in_a_file_gives_the_nearest(capsys: Any) -> None:
    Path("my.yaml").write_text("model: {class_path: DCGN}\n")
    assert main(["fit", "--config", "my.yaml"]) == 2
    assert "'DCGN'; nearest: DCGAN" in capsys.readouterr().err


WRONG_FLAGS = {
    "choice": (["--data.subset", "13k"], "--data.subset must be of type Literal['full', '12k']"),
    "type": (["--model.k", "many"], "--model.k must be of type int"),
    "range": (["--model.latent_dim", "-3"], "--model.latent_dim must be at least 1, but is -3"),
    "data's range": (["--data.batch_size", "0"], "--data.batch_size must be at least 1"),
    "monitor's range": (["--gan_monitor.n", "-1"], "--gan_monitor.n must be at least 0, but is -1"),
    "latents' range": (["--latents.n", "1"], "--latents.n must be at least 2, but is 1"),
    "density's range": (["--density.every_n_epochs", "-1"], "--density.every_n_epochs must be"),
    "average's range": (["--ema.halflife", "-1"], "--ema.halflife must be at least 0"),
    "unknown": (["--model.zzz", "3"], "--model.zzz is not an argument of DCGAN; --model.help"),
    "typo": (["--model.bas_chanels", "3"], "argument of DCGAN; nearest: --model.base_channels;"),
    "no group": (["--lr", "3"], "--lr is not a flag of this command; nearest: --model.lr;"),
    "another group": (
        ["--model.max_epochs=3"],
        "not an argument of DCGAN; nearest: --trainer.max_epochs;",
    ),
    "prefix": (["--trainer.max_epoch", "3"], "nearest: --trainer.max_epochs, "),
    "nothing near": (["--zzz", "3"], "--zzz is not a flag of this command; --help lists all"),
    "size": (["--model.image_shape", "[1,30,30]"], "Supported sizes: 16, 20"),
    "mismatch": (["--model.image_shape", "[1,32,32]"], "(1, 28, 28)"),
    "shape": (["--model.image_shape", "[28,28]"], "--model.image_shape"),
    "checkpoint": (["--ckpt_path", "none.ckpt"], "checkpoint not found: none.ckpt"),
    "no checkpoint": (["--ckpt_path", __file__], "is not a checkpoint"),
    "many digits": (["--data.batch_size", "9001"], "--data.batch_size is 9001"),
}


@pytest.mark.parametrize("key", WRONG_FLAGS)
def test_a_wrong_value_names_its_flag_in_a_few_lines(key: str, capsys: Any) -> None:
    args, message = WRONG_FLAGS[key]
    assert main([*FIT, *args]) == 2
    error = "\n".join(capsys.readouterr().err.splitlines()).partition("error: ")[2]
    assert message in error
    assert len(error.splitlines()) <= 3
    assert "Traceback" not in error


BASE, FOLDER = ["fit", *DATA, "--model"], ["fit", "--data", "ImageFolderDataModule", "--model"]
RENAMED = {
    "model.width": ([*BASE, "DCGAN", "--model.width", "2"], "--model.base_channels"),
    "model.body": ([*BASE, "VAE", "--model.body=mlp"], "--model.architecture"),
    "model.noise": ([*BASE, "Pix2Pix", "--model.noise", "true"], "--model.dropout_at_test"),
    "data.memory": (
        [*FOLDER, "DCGAN", "--data.root", ".", "--data.memory", "9"],
        "--data.cache_mib",
    ),
    "health.n": ([*BASE, "DCGAN", "--health.n", "3"], "--gan_monitor.n"),
    "noise": (["translate", "a.ckpt", "a.png", "--noise", "true"], "--dropout_at_test"),
}


@pytest.mark.parametrize("old", RENAMED)
def test_an_old_name_gives_the_new_one(old: str, capsys: Any) -> None:
    args, new = RENAMED[old]
    assert main(args) == 2
    assert capsys.readouterr().err == f"error: --{old} is now {new}\n"


def test_an_old_name_in_a_file_gives_the_new_one(capsys: Any) -> None:
    Path("model.yaml").write_text("model: {class_path: DCGAN, init_args: {width: 2}}\n")
    Path("monitor.yaml").write_text("health: {n: 2}\n")
    for file, names in (
        ("model.yaml", "--model.width is now --model.base_channels"),
        ("monitor.yaml", "--health.n is now --gan_monitor.n"),
    ):
        assert main([*FIT, "--config", file]) == 2
        assert names in capsys.readouterr().err


def test_an_old_name_that_another_model_has_is_no_mistake(capsys: Any) -> None:
    fit = [*BASE, "DenoisingAutoencoder", "--model.noise", "no such noise"]
    assert main(fit) == 2
    assert "is now" not in capsys.readouterr().err


def test_flags_of_automatic_optimization_are_refused_for_players(capsys: Any) -> None:
    for flag, other in (
        ("gradient_clip_val", "--model.clip"),
        ("accumulate_grad_batches", "--model.micro_batch_size, which splits the batch"),
    ):
        assert main([*FIT, f"--trainer.{flag}", "2"]) == 2
        error = capsys.readouterr().err
        assert f"--trainer.{flag} requires automatic optimization; use {other}" in error


def test_a_failed_start_leaves_no_folder(capsys: Any) -> None:
    assert main([*FIT, "--model.latent_dim", "-3"]) == 2
    assert not list(Path("runs").glob("*/*"))


def test_a_missing_flag_lists_its_choices(capsys: Any) -> None:
    assert main(["fit", *DATA]) == 2
    assert "--model is missing; choose one of Autoencoder, " in capsys.readouterr().err
    assert main(["fit", "--model", "DCGAN"]) == 2
    missing = capsys.readouterr().err
    assert (
        "--data is missing; choose one of DigitPairsDataModule, GaussianMixtureDataModule, "
        in missing
    )
    assert "such as --config quickstart" in missing
    assert main(["fit", "--model", "GAN", "--data", "ImageFolderDataModule"]) == 2
    assert "--data.root is missing" in capsys.readouterr().err
    assert main(["train"]) == 2
    assert "unknown command 'train'" in capsys.readouterr().err


def test_a_run_folder_that_cannot_be_made_is_reported(capsys: Any) -> None:
    Path("file").write_text("in the way")
    assert main([*FIT, "--trainer.default_root_dir", "file/runs"]) == 2
    assert "cannot make a folder for the run in file/runs" in capsys.readouterr().err


def test_debug_shows_the_traceback() -> None:
    with pytest.raises(Exception, match="unknown command"):
        main(["--debug", "train"])


def test_an_untrained_model_is_only_evaluated_without_a_checkpoint(capsys: Any) -> None:
    test = ["test", *FIT[1:], "--trainer.limit_test_batches", "1"]
    assert main([*test, "--ckpt_path", "last"]) == 2
    assert "--ckpt_path last: no run has these flags" in capsys.readouterr().err
    assert main(test) == 0
    assert "No --ckpt_path: test uses the initial weights" in capsys.readouterr().out


NOT_CHECKPOINTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "text": (lambda path: path.write_text("hello"), "is not a checkpoint"),
    "empty": (lambda path: path.write_bytes(b""), "is not a checkpoint"),
    "other": (lambda path: torch.save([1, 2], path), "not a Lightning checkpoint"),
    "code": (lambda path: torch.save({"state_dict": print}, path), "objects other than data"),
    "missing": (lambda path: None, "checkpoint not found"),
    "later model": (
        lambda path: torch.save(
            {"state_dict": {}, CLASS_KEY: "lightning_gen.models.later.Later"}, path
        ),
        "contains Later, which this version does not have",
    ),
}


@pytest.mark.parametrize("key", NOT_CHECKPOINTS)
def test_a_file_that_is_not_a_checkpoint_is_reported(key: str, capsys: Any) -> None:
    write, message = NOT_CHECKPOINTS[key]
    write(path := Path("file.ckpt"))
    assert main(["sample", str(path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "file.ckpt" in error
    assert len(error.splitlines()) <= 3
