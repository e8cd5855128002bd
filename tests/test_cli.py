"""Laws of the command line: one command trains, mistakes are answered shortly and at once."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import torch
import yaml
from PIL import Image
from torchvision.datasets import ImageFolder

from lightning_gen import __version__, catalog
from lightning_gen.checkpoints import CLASS_KEY, load_model
from lightning_gen.cli import main
from lightning_gen.cli.runs import FOLDER_VARIABLE
from lightning_gen.latents import walk

ROOT = Path(__file__).parents[1]
DATA = ["--data", "MNISTDataModule", "--data.subset", "12k"]
SMALL = ["--model.width", "2", "--model.latent_dim", "4"]
BRIEF = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "3"]
BRIEF += ["--trainer.limit_val_batches", "1", "--trainer.accelerator", "cpu"]
FIT = ["fit", "--model", "DCGAN", *DATA, *SMALL, *BRIEF, "--trainer.log_every_n_steps", "1"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command runs in an empty folder, and leaves this process as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv(FOLDER_VARIABLE, "")


def only(pattern: str) -> Path:
    (path,) = Path.cwd().glob(pattern)
    return path


def python(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *args], cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("trained"))
        patch.setattr(sys, "argv", ["train.py"])
        assert main(FIT) == 0
        return str(only("runs/*/*/checkpoints/last.ckpt"))


@pytest.mark.parametrize("flag", ["--help", "--version", "list"])
def test_questions_are_answered_in_a_second_and_without_torch(flag: str) -> None:
    code = f"import sys; from lightning_gen.cli import main; main([{flag!r}])\n"
    run = python("-c", code + "assert 'torch' not in sys.modules")
    assert run.returncode == 0, run.stderr
    start = monotonic()
    answer = python("train.py", flag)
    assert monotonic() - start < 1
    assert {"--help": "sample", "--version": __version__, "list": "quickstart"}[
        flag
    ] in answer.stdout


def test_list_shows_everything_with_a_line_each(capsys: Any) -> None:
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    for kind in catalog.KINDS:
        for name, line in catalog.entries(kind).items():
            assert any(name in row and line in row for row in out.splitlines()), name


def test_a_pipe_that_closes_early_is_no_error() -> None:
    process = subprocess.Popen(
        [sys.executable, "train.py", "list"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.wait(timeout=20) == 0
    assert process.stderr.read() == b""


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
    "health's range": (["--health.n", "-1"], "--health.n must be at least 0, but is -1"),
    "latents' range": (["--latents.n", "1"], "--latents.n must be at least 2, but is 1"),
    "density's range": (["--density.every_n_epochs", "-1"], "--density.every_n_epochs must be"),
    "average's range": (["--ema.halflife", "-1"], "--ema.halflife must be at least 0"),
    "unknown": (["--model.zzz", "3"], "--model.zzz is no argument of DCGAN; --model.help DCGAN"),
    "typo": (["--model.widht", "3"], "no argument of DCGAN; the nearest: --model.width;"),
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


def test_fit_leaves_everything_in_one_folder_and_says_so(capsys: Any) -> None:
    assert main(FIT) == 0
    folder = only("runs/dcgan-mnist/*")
    said = capsys.readouterr().out
    for name in (
        "checkpoints/last.ckpt",
        "images/samples/step-00000003.png",
        "losses.png",
        "metrics.csv",
    ):
        assert (folder / name).is_file()
        assert str(Path("runs/dcgan-mnist", folder.name, name)) in said
    assert "python train.py sample runs/" in said
    assert {path.name for path in Path.cwd().iterdir()} == {"runs"}
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["model"]["init_args"]["width"] == 2
    assert config["seed_everything"] == 0


def test_the_saved_configuration_repeats_the_run_beside_it(capsys: Any) -> None:
    assert main([*FIT, "--seed", "3"]) == 0
    first = only("runs/*/*")
    assert main(["fit", "--config", str(first / "config.yaml")]) == 0
    (second,) = set(first.parent.iterdir()) - {first}
    assert weights(first).keys() == weights(second).keys()
    assert all(torch.equal(w, weights(second)[name]) for name, w in weights(first).items())


def test_another_seed_is_another_run(capsys: Any) -> None:
    for seed in ("3", "4"):
        assert main([*FIT, "--seed", seed, "--trainer.default_root_dir", seed]) == 0
    a, b = (weights(only(f"{seed}/*/*")) for seed in ("3", "4"))
    assert not torch.equal(a["generator.0.weight"], b["generator.0.weight"])


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def test_an_old_config_in_the_way_does_no_harm(capsys: Any) -> None:
    Path("config.yaml").write_text("not: ours")
    assert main(FIT) == 0
    assert Path("config.yaml").read_text() == "not: ours"


def test_one_batch_is_not_all_batches(capsys: Any) -> None:
    args = ["--trainer.limit_val_batches", "1", "--trainer.limit_test_batches", "0.5"]
    with pytest.raises(SystemExit):
        main([*FIT, *args, "--print_config"])
    config = yaml.safe_load(capsys.readouterr().out)["trainer"]
    assert isinstance(config["limit_val_batches"], int)
    assert config["limit_test_batches"] == 0.5


def test_the_quickstart_recipe_trains(capsys: Any) -> None:
    brief = [*BRIEF, "--trainer.log_every_n_steps", "1", "--evaluate", "100"]
    assert main(["fit", "--config", "quickstart", *brief]) == 0
    told = capsys.readouterr().out
    assert "Trained for 3 batches" in told
    figures = json.loads(only("runs/*/*/evaluation.json").read_text())["samples"]
    for name, value in figures.items():
        assert re.search(rf"{re.escape(name)} +{value:.4g} ", told)
    for name in ("val/d/adversarial", "health/diversity"):
        logged = [row[name] for row in csv.DictReader(only("runs/*/*/metrics.csv").open())]
        assert re.search(rf"{name} +{float([x for x in logged if x][-1]):.4g}\n", told)


@pytest.mark.parametrize(("flag", "value"), [("k", "1"), ("k", "2"), ("accumulate", "2")])
def test_gan_trains_by_flags(flag: str, value: str, capsys: Any) -> None:
    args = ["fit", "--model", "GAN", *DATA, *BRIEF, f"--model.{flag}", value]
    args += ["--model.optimizer", "sgd"]
    assert main([*args, "--model.generator_widths", "[8]"]) == 0
    assert "Trained for 3 batches" in capsys.readouterr().out


def test_a_model_in_a_file_of_one_s_own_trains(capsys: Any) -> None:
    Path("my_file.py").write_text("from lightning_gen import GAN\nclass MyGAN(GAN): pass\n")
    assert main(["fit", "--model", "my_file.MyGAN", *DATA, *BRIEF]) == 0
    saved = str(only("runs/mygan-mnist/*/checkpoints/last.ckpt"))
    next_command = capsys.readouterr().out.splitlines()[-1].split("train.py ")[1]
    assert "--model my_file.MyGAN" in next_command
    assert main(["sample", saved]) == 2
    assert "--model my_file.MyGAN" in capsys.readouterr().err
    assert main(next_command.split()) == 0


def test_tensorboard_is_a_flag_away(capsys: Any) -> None:
    assert main([*FIT, "--logger", "tensorboard"]) == 0
    assert only("runs/*/*/events.out.*")


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_a_checkpoint_is_evaluated(command: str, checkpoint: str, capsys: Any) -> None:
    flags = ["--model", "DCGAN", *DATA, *SMALL, "--trainer.accelerator", "cpu"]
    assert main([command, *flags, "--ckpt_path", checkpoint]) == 0
    folder = only(f"runs/dcgan-mnist/*-{command}")
    if command == "predict":
        assert torch.load(folder / "predictions.pt", weights_only=True).shape == (2000, 1)
    else:
        assert "real_score" in capsys.readouterr().out


def test_a_model_that_was_never_trained_is_measured_by_request_alone(capsys: Any) -> None:
    test = ["test", *FIT[1:], "--trainer.limit_test_batches", "1"]
    assert main([*test, "--ckpt_path", "last"]) == 2
    assert "--ckpt_path last finds no run with these flags" in capsys.readouterr().err
    assert main(test) == 0
    assert "No --ckpt_path: test takes the weights" in capsys.readouterr().out


def test_samples_make_a_grid(checkpoint: str, capsys: Any) -> None:
    assert main(["sample", checkpoint, "--n", "9"]) == 0
    assert Image.open("samples.png").size == (3 * 30 + 2, 3 * 30 + 2)


def test_a_walk_leads_from_one_sample_to_another(checkpoint: str) -> None:
    assert (
        main(["sample", checkpoint, "--n", "10", "--columns", "5", "--walk", "interpolation"]) == 0
    )
    assert Image.open("samples.png").size == (5 * 30 + 2, 2 * 30 + 2)
    model = load_model(checkpoint)
    torch.manual_seed(0)
    x = walk(model, "interpolation", rows=1, steps=3)
    torch.manual_seed(0)
    assert torch.allclose(x[[0, 2]], model.decode(model.prior(2)), atol=1e-5)


def test_nothing_is_overwritten_unless_asked(checkpoint: str, capsys: Any) -> None:
    Path("samples.png").write_text("mine")
    assert main(["sample", checkpoint]) == 2
    assert "samples.png exists" in capsys.readouterr().err
    assert Path("samples.png").read_text() == "mine"
    assert main(["sample", checkpoint, "--force", "true"]) == 0
    assert Image.open("samples.png")


def test_samples_extend_a_data_set(checkpoint: str, capsys: Any) -> None:
    for seed in ("0", "1"):
        args = ["--n", "3", "--layout", "folder", "--label", "seven", "--seed", seed]
        assert main(["sample", checkpoint, "--out", "set", *args]) == 0
    data = ImageFolder("set")
    assert data.classes == ["seven"]
    assert len(data) == 6
    assert len({Path(path).read_bytes() for path, _ in data.samples}) > 3


@pytest.mark.parametrize("name", catalog.entries("models"))
def test_the_help_of_a_model_can_be_read(name: str, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main(["fit", "--model.help", name])
    told = capsys.readouterr().out
    assert len(told.splitlines()) < 200
    assert ("by its path, as my_file.MyNetwork" in told) == ("your own" in told)


def test_a_label_without_a_folder_is_refused(checkpoint: str, capsys: Any) -> None:
    assert main(["sample", checkpoint, "--label", "3"]) == 2
    assert "--label names a folder: add --layout folder" in capsys.readouterr().err


def test_more_samples_begin_with_the_same_ones(checkpoint: str, capsys: Any) -> None:
    for n in ("2", "150"):
        assert main(["sample", checkpoint, "--n", n, "--layout", "files", "--out", n]) == 0
    assert len(list(Path("150").iterdir())) == 150
    for name in ("0-000000.png", "0-000001.png"):
        assert Path("2", name).read_bytes() == Path("150", name).read_bytes()


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


def test_a_truncated_checkpoint_is_named(checkpoint: str, capsys: Any) -> None:
    Path("half.ckpt").write_bytes(Path(checkpoint).read_bytes()[:5000])
    assert main(["sample", "half.ckpt"]) == 2
    assert "half.ckpt is damaged" in capsys.readouterr().err
