"""Every program in the README runs as it stands; every command is one that exists."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from lightning_gen.cli import main
from lightning_gen.networks import UNetGenerator, save_reference_weights

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


COMMANDS = [
    line.rpartition("python train.py ")[2]
    for block in blocks("bash")
    for line in block.splitlines()
    if "python train.py" in line
]
BRIEF = "--trainer.max_epochs 1 --trainer.limit_train_batches 2 --trainer.limit_val_batches 2"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the first command has run."""
    folder = tmp_path_factory.mktemp("readme")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["train.py"])
        for command in (COMMANDS[0], "fit --config vae-mnist"):
            assert main([*shlex.split(command), *BRIEF.split()]) == 0
        save_reference_weights(UNetGenerator(1, 3, levels=5, width=1), "latest_net_G.pth")
        Path("pictures").mkdir()
        Image.new("L", (30, 20)).save("pictures/black.jpg")
        for place in ("pairs/train", "domains/trainA", "domains/trainB"):
            Path(place).mkdir(parents=True)
            for name in "abc":
                Image.effect_noise((80, 40), 50).convert("RGB").save(Path(place, f"{name}.png"))
    return folder


def test_the_first_command_is_the_quickstart() -> None:
    assert COMMANDS[0] == "fit --config quickstart"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_runs(command: str, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    monkeypatch.setattr("sys.argv", ["train.py"])
    (checkpoint, *_) = trained.glob("runs/dcgan-mnist/*/checkpoints/last.ckpt")
    (autoencoder, *_) = trained.glob("runs/vae-mnist/*/checkpoints/last.ckpt")
    for name, path in {"CHECKPOINT": checkpoint, "AUTOENCODER": autoencoder}.items():
        command = command.replace(name, str(path))
    args = shlex.split(command.replace("1000", "10"))
    args += BRIEF.split() if args[0] == "fit" else []
    if "--trainer.devices" in args:  # Lightning starts the other process with this program's name
        subprocess.run([sys.executable, str(ROOT / "train.py"), *args], check=True)
    else:
        assert main(args) == 0


@pytest.mark.parametrize("program", blocks("python"))
def test_every_program_runs(program: str, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    (run, *_) = trained.glob("runs/dcgan-mnist/*")
    exec(compile(program.replace("TIME", run.name), "README.md", "exec"), {})  # noqa: S102
