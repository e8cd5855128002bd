"""Laws of the questions that the command line is asked: it answers at once, and in full."""

import subprocess
import sys
from time import monotonic
from typing import Any

import pytest

from lightning_gen import __version__, registry
from lightning_gen.cli import main
from tests.command_line import ROOT, python

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")


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
    for kind in registry.KINDS:
        for name, line in registry.entries(kind).items():
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


@pytest.mark.parametrize("name", registry.entries("models"))
def test_the_help_of_a_model_can_be_read(name: str, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main(["fit", "--model.help", name])
    told = capsys.readouterr().out
    assert len(told.splitlines()) < 200
    assert ("by its path, as my_file.MyNetwork" in told) == ("your own" in told)
