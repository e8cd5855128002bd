"""Laws of the help and lists of the command line: complete, short, and without torch."""

import subprocess
import sys
from typing import Any

import pytest

from lightning_gen import __version__, registry
from lightning_gen.cli import main
from tests.command_line import ROOT, python

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")


@pytest.mark.parametrize("flag", ["--help", "--version", "list"])
def test_help_and_lists_do_not_import_torch(flag: str) -> None:
    code = f"import sys; from lightning_gen.cli import main; main([{flag!r}])\n"
    run = python("-c", code + "assert 'torch' not in sys.modules")
    assert run.returncode == 0, run.stderr
    expected = {"--help": "sample", "--version": __version__, "list": "quickstart"}
    assert expected[flag] in python("train.py", flag).stdout


def test_list_shows_everything_with_a_line_each(capsys: Any) -> None:
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    for kind in registry.KINDS:
        for name, line in registry.entries(kind).items():
            assert any(name in row and line in row for row in out.splitlines()), name


def test_readme_and_help_name_the_commands_in_the_same_words(capsys: Any) -> None:
    from lightning_gen.cli.main import COMMANDS

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for name, does in COMMANDS.items():
        assert f"| `{name}` | {does} |" in readme
        assert does in out


def test_a_pipe_that_closes_early_is_not_an_error() -> None:
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


@pytest.mark.parametrize("name", registry.entries("models"))
def test_the_help_of_a_model_is_short(name: str, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main(["fit", "--model.help", name])
    out = capsys.readouterr().out
    assert len(out.splitlines()) < 200
    assert "torch.nn" not in out


@pytest.mark.parametrize("command", ["fit", "test"])
def test_the_help_of_a_command_begins_with_model_and_data(command: str, capsys: Any) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    usage, *lines = capsys.readouterr().out.splitlines()
    what = {"fit": "[--config RECIPE] --model MODEL --data DATA", "test": "CHECKPOINT"}[command]
    assert usage == f"usage: train.py {command} {what} [FLAGS]"
    shown = [line.split()[0] for line in lines if line.startswith("  --")]
    flags = ["--model", "--data", "--ckpt_path", "--grid.n", "--trainer.limit_val_batches"]
    assert [flag for flag in shown if flag in flags] == flags
    assert len(lines) < 600
