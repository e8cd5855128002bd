"""Laws of the command line: one command trains and writes everything to one folder."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_gen.cli import main
from tests.command_line import BRIEF, DATA, FIT, only

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")


def test_fit_writes_everything_to_one_folder_and_prints_it(capsys: Any) -> None:
    assert main(FIT) == 0
    folder = only("runs/dcgan-mnist/*")
    out = capsys.readouterr().out
    for name in (
        "checkpoints/last.ckpt",
        "images/samples/step-00000003.png",
        "losses.png",
        "metrics.csv",
    ):
        assert (folder / name).is_file()
        assert str(Path("runs/dcgan-mnist", folder.name, name)) in out
    assert "python train.py sample runs/" in out
    assert {path.name for path in Path.cwd().iterdir()} == {"runs"}
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["model"]["init_args"]["base_channels"] == 2
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


def test_a_config_of_another_program_stays_unchanged(capsys: Any) -> None:
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
    out = capsys.readouterr().out
    assert "Trained for 3 batches" in out
    metrics = json.loads(only("runs/*/*/evaluation.json").read_text())["samples"]
    for name, value in metrics.items():
        assert re.search(rf"{re.escape(name)} +{value:.4g} ", out)
    for name in ("val/d/adversarial", "gan/diversity"):
        logged = [row[name] for row in csv.DictReader(only("runs/*/*/metrics.csv").open())]
        assert re.search(rf"{name} +{float([x for x in logged if x][-1]):.4g}\n", out)


@pytest.mark.parametrize(("flag", "value"), [("k", "1"), ("k", "2"), ("micro_batch_size", "16")])
def test_gan_trains_by_flags(flag: str, value: str, capsys: Any) -> None:
    args = ["fit", "--model", "GAN", *DATA, *BRIEF, f"--model.{flag}", value]
    args += ["--model.optimizer", "sgd"]
    assert main([*args, "--model.generator_hidden_dims", "[8]"]) == 0
    assert "Trained for 3 batches" in capsys.readouterr().out


def test_a_custom_model_trains(capsys: Any) -> None:
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
