"""Laws of mistakes on the command line: they are answered shortly and at once, by their name."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import torch

from lightning_gen.checkpoints import CLASS_KEY
from lightning_gen.cli import main
from tests.command_line import DATA, FIT, python

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")


WRONG_NAMES = {
    "model": (["--model", "DCGN", *DATA], "'DCGN'; the nearest: DCGAN"),
    "data": (["--model", "DCGAN", "--data=MNISTData"], "'MNISTData'; the nearest: MNISTDataModule"),
    "recipe": (["--config", "quikstart"], "'quikstart'; the nearest: quickstart"),
    "file": (["--config", "no/such.yaml"], "no configuration file no/such.yaml"),
}


@pytest.mark.parametrize("key", WRONG_NAMES)
def test_a_wrong_name_is_answered_at_once_with_the_nearest(key: str) -> None:
    args, message = WRONG_NAMES[key]
    start = monotonic()
    run = python("train.py", "fit", *args)
    assert monotonic() - start < 1.5
    assert run.returncode == 2
    assert message in run.stderr
    assert len(run.stderr.splitlines()) < 12


def test_a_wrong_name_in_a_file_is_found_too(capsys: Any) -> None:
    Path("my.yaml").write_text("model: {class_path: DCGN}\n")
    assert main(["fit", "--config", "my.yaml"]) == 2
    assert "'DCGN'; the nearest: DCGAN" in capsys.readouterr().err


WRONG_FLAGS = {
    "choice": (["--data.subset", "13k"], "--data.subset must be of type Literal['full', '12k']"),
    "type": (["--model.k", "many"], "--model.k must be of type int"),
    "range": (["--model.latent_dim", "-3"], "--model.latent_dim must be at least 1, but is -3"),
    "data's range": (["--data.batch_size", "0"], "--data.batch_size must be at least 1"),
    "health's range": (["--gan_monitor.n", "-1"], "--gan_monitor.n must be at least 0, but is -1"),
    "latents' range": (["--latents.n", "1"], "--latents.n must be at least 2, but is 1"),
    "density's range": (["--density.every_n_epochs", "-1"], "--density.every_n_epochs must be"),
    "average's range": (["--ema.halflife", "-1"], "--ema.halflife must be at least 0"),
    "unknown": (["--model.zzz", "3"], "--model.zzz is no argument of DCGAN; --model.help DCGAN"),
    "typo": (["--model.widht", "3"], "no argument of DCGAN; the nearest: --model.base_channels;"),
    "no group": (["--lr", "3"], "--lr is not known; the nearest: --model.lr;"),
    "another group": (["--model.max_epochs=3"], "--model.max_epochs is no argument of DCGAN"),
    "prefix": (["--trainer.max_epoch", "3"], "the nearest: --trainer.max_epochs, "),
    "nothing near": (["--zzz", "3"], "--zzz is not known; --help after the command lists all"),
    "size": (["--model.image_shape", "[1,30,30]"], "Sizes that fit: 16, 20"),
    "mismatch": (["--model.image_shape", "[1,32,32]"], "(1, 28, 28)"),
    "shape": (["--model.image_shape", "[28,28]"], "--model.image_shape"),
    "checkpoint": (["--ckpt_path", "none.ckpt"], "there is no checkpoint none.ckpt"),
    "no checkpoint": (["--ckpt_path", __file__], "is no checkpoint"),
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


def test_a_failed_start_leaves_no_folder_behind(capsys: Any) -> None:
    assert main([*FIT, "--model.latent_dim", "-3"]) == 2
    assert not list(Path("runs").glob("*/*"))


def test_missing_flags_are_named_with_their_choices(capsys: Any) -> None:
    assert main(["fit", *DATA]) == 2
    assert "--model is missing: Autoencoder, " in capsys.readouterr().err
    assert main(["fit", "--model", "DCGAN"]) == 2
    missing = capsys.readouterr().err
    assert "--data is missing: DigitPairsDataModule, GaussianMixtureDataModule, " in missing
    assert "as --config quickstart" in missing
    assert main(["fit", "--model", "GAN", "--data", "ImageFolderDataModule"]) == 2
    assert "--data.root is missing" in capsys.readouterr().err
    assert main(["train"]) == 2
    assert "there is no command 'train'" in capsys.readouterr().err


def test_a_run_folder_that_cannot_be_made_is_named(capsys: Any) -> None:
    Path("file").write_text("in the way")
    assert main([*FIT, "--trainer.default_root_dir", "file/runs"]) == 2
    assert "cannot make a run's folder in file/runs" in capsys.readouterr().err


def test_debug_shows_the_traceback() -> None:
    with pytest.raises(Exception, match="no command"):
        main(["--debug", "train"])


def test_a_model_that_was_never_trained_is_measured_by_request_alone(capsys: Any) -> None:
    test = ["test", *FIT[1:], "--trainer.limit_test_batches", "1"]
    assert main([*test, "--ckpt_path", "last"]) == 2
    assert "--ckpt_path last finds no run with these flags" in capsys.readouterr().err
    assert main(test) == 0
    assert "No --ckpt_path: test takes the weights" in capsys.readouterr().out


NO_CHECKPOINTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "text": (lambda path: path.write_text("hello"), "is no checkpoint"),
    "empty": (lambda path: path.write_bytes(b""), "is no checkpoint"),
    "other": (lambda path: torch.save([1, 2], path), "no Lightning checkpoint"),
    "code": (lambda path: torch.save({"state_dict": print}, path), "holds more than data"),
    "missing": (lambda path: None, "there is no checkpoint"),
    "later model": (
        lambda path: torch.save(
            {"state_dict": {}, CLASS_KEY: "lightning_gen.models.later.Later"}, path
        ),
        "holds Later, which this version does not have",
    ),
}


@pytest.mark.parametrize("key", NO_CHECKPOINTS)
def test_a_file_that_is_no_checkpoint_is_named(key: str, capsys: Any) -> None:
    write, message = NO_CHECKPOINTS[key]
    write(path := Path("file.ckpt"))
    assert main(["sample", str(path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "file.ckpt" in error
    assert len(error.splitlines()) <= 3
