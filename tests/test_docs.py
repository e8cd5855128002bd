"""All programs and commands in the README and in docs/ run; quotes, links and flags are valid."""

import ast
import re
import runpy
import shlex
from pathlib import Path

import pytest
from PIL import Image

import lightning_gen
from lightning_gen import registry
from lightning_gen.cli import main
from lightning_gen.networks import UNetGenerator, save_reference_weights
from tests.command_line import ROOT, inside, move_into

PACKAGE = Path(lightning_gen.__file__).parent
EXEMPT = {"docs/results.md"}  # trains for hours; test_recipes.py runs its recipes
DOCUMENTS = {
    name: path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if (name := path.relative_to(ROOT).as_posix()) not in EXEMPT
}
FENCE = re.compile(r'^```(\w+)(?: title="([^"\n]*)")?\n(.*?)^```', flags=re.MULTILINE | re.DOTALL)
BLOCKS = [(name, *block) for name, text in DOCUMENTS.items() for block in FENCE.findall(text)]
COMMANDS = dict.fromkeys(  # without duplicates, the quickstart of the README first
    line[line.index("python ") :].removeprefix("python ")
    for _, language, _, block in BLOCKS
    for line in block.splitlines()
    if language == "bash" and "python " in line
)
IN_PROCESSES = next(c for c in COMMANDS if "--trainer.devices" in c)  # see test_processes.py
PYTHON = [block for block in BLOCKS if block[1] == "python"]
PROGRAMS = [(name, title, code) for name, _, title, code in PYTHON if "/" not in title]
QUOTES = [(title, code) for _, _, title, code in PYTHON if "/" in title]
NODES = [n for p in PACKAGE.rglob("*.py") for n in ast.walk(ast.parse(p.read_text("utf-8")))]
ARGUMENTS = {  # of all functions, and fields of all dataclasses
    *(node.arg for node in NODES if isinstance(node, ast.arg)),
    *(
        node.target.id
        for node in NODES
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ),
}
BRIEF = "--trainer.max_epochs 1 --trainer.limit_train_batches 2 --trainer.limit_val_batches 2"
BRIEF += " --evaluate 0"


def write_images(folder: Path, n: int, size: tuple[int, int]) -> None:
    folder.mkdir(parents=True)
    for k in range(n):
        Image.effect_noise(size, 50).convert("RGB").save(folder / f"{k}.png")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that commands need: checkpoints, images, programs."""
    folder = tmp_path_factory.mktemp("docs")
    with inside(folder):
        for command in ("fit --config quickstart", "fit --config vae-mnist"):
            assert main([*shlex.split(command), *BRIEF.split()]) == 0
    save_reference_weights(
        UNetGenerator(1, 3, num_downs=5, base_channels=1), folder / "latest_net_G.pth"
    )
    (folder / "pictures").mkdir()
    Image.new("L", (30, 20)).save(folder / "pictures" / "black.jpg")
    for name in ("pairs/train", "domains/trainA", "domains/trainB"):
        write_images(folder / name, 3, (80, 40))
    for name in ("flowers/daisy", "flowers/rose"):
        write_images(folder / name, 10, (40, 50))
    for _, title, code in PROGRAMS:
        if title:
            (folder / title).write_text(code, encoding="utf-8")
    return folder


@pytest.fixture
def there(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in that folder, with trainings of two batches unless a program sets another number."""
    for part in ("TRAIN", "VAL"):
        monkeypatch.setenv(f"PL_TRAINER_LIMIT_{part}_BATCHES", "2")
    move_into(trained, monkeypatch)
    return trained


def arguments(command: str, folder: Path) -> list[str]:
    """Return the arguments of a shortened command, with paths instead of placeholders."""
    (checkpoint, *_) = folder.glob("runs/dcgan-mnist/*/checkpoints/last.ckpt")
    (autoencoder, *_) = folder.glob("runs/vae-mnist/*/checkpoints/last.ckpt")
    for name, path in {"CHECKPOINT": checkpoint, "AUTOENCODER": autoencoder}.items():
        command = command.replace(name, str(path))
    _, *args = shlex.split(command.replace("1000", "10"))
    training = args[0] == "fit" and not any("help" in arg for arg in args)
    args += BRIEF.split() if training or command.startswith("scripts/") else []
    args += ["--trainer.limit_test_batches", "2"] if args[0] == "test" else []
    args += ["--model.base_channels", "4"] if "--data.image_size 128" in command else []
    if "--config" in args:
        recipe = registry.recipe(args[args.index("--config") + 1]).read_text()
        if "MNISTDataModule" in recipe and "12k" not in recipe:  # no downloads
            args += ["--data.subset", "12k"]
    return args


def test_the_first_command_is_the_quickstart() -> None:
    assert next(iter(COMMANDS)) == "train.py fit --config quickstart"


@pytest.mark.parametrize("command", [c for c in COMMANDS if c != IN_PROCESSES])
def test_every_command_runs(command: str, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, args = command.split()[0], arguments(command, there)
    if script == "train.py":
        try:
            assert main(args) == 0
        except SystemExit as exit:  # after a help page
            assert not exit.code
    else:
        monkeypatch.setattr("sys.argv", [script, *args])
        runpy.run_path(str(ROOT / script), run_name="__main__")


@pytest.mark.parametrize(
    ("name", "title", "code"), PROGRAMS, ids=[title or name for name, title, _ in PROGRAMS]
)
def test_every_program_runs(name: str, title: str, code: str, there: Path) -> None:
    (last, *_) = there.glob("runs/dcgan-mnist/*/checkpoints/last.ckpt")  # `test` writes none
    code = code.replace("TIME", last.parts[-3])
    exec(compile(code, title or name, "exec"), {"__name__": "__main__"})  # noqa: S102


@pytest.mark.parametrize(("title", "code"), QUOTES, ids=[title for title, _ in QUOTES])
def test_quotes_are_verbatim(title: str, code: str) -> None:
    assert code in (PACKAGE.parent / title).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_and_flags_exist(name: str) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", DOCUMENTS[name])
    assert not [link for link in links if not (ROOT / name).parent.joinpath(link).exists()]
    groups = "model|data|grid|latents|density|ema|gan_monitor"
    flags = re.findall(rf"--(?:{groups})\.(\w+)", DOCUMENTS[name])
    defined = re.findall(r"(\w+): ", DOCUMENTS[name])  # in programs of the document
    assert set(flags) <= {*ARGUMENTS, *defined, "help"}
