"""Laws of the package: who imports whom, what it ships, and that it works where it is installed."""

import ast
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

import lightning_gen
from lightning_gen import registry
from tests.command_line import ROOT

PACKAGE = Path(lightning_gen.__path__[0])  # below ROOT, or where a wheel was installed
UNSHIPPED = {".gitignore", "callbacks", "datamodules"}  # links, of use in a checkout alone
FOUNDATION = {"types", "errors", "sampling", "files", "__init__"}
ALLOWED = {  # what the modules of a folder may import of the package, besides their own folder
    "losses": {"types"},
    "networks": {"types", "errors", "files"},
    "models": FOUNDATION
    | {"losses", "networks", "optimization"}
    | {"batches", "checks", "checkpoints", "memory", "nonfinite", "strategies"},
    "datamodules": {"types", "errors", "mixtures", "pictures", "decoders"},
    "callbacks": {"types", "errors", "files", "protocols", "sampling", "tiling", "projection"},
    "metrics": {"types", "errors", "sampling", "protocols"},
}


def imports(path: Path) -> set[str]:
    """Dotted names of everything that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module))
    return names


@pytest.mark.parametrize("folder", ALLOWED)
def test_imports_point_one_way(folder: str) -> None:
    files = list((PACKAGE / folder).glob("*.py"))
    assert files
    for path in files:
        own = {name.split(".")[1] for name in imports(path) if name.startswith("lightning_gen.")}
        assert own <= ALLOWED[folder] | {folder}, path


@pytest.mark.parametrize("folder", ["losses", "networks"])
def test_losses_and_networks_know_no_lightning(folder: str) -> None:
    for path in (PACKAGE / folder).glob("*.py"):
        assert not {n for n in imports(path) if n.split(".")[0] == "lightning"}, path


def test_the_foundation_knows_nothing_above_it() -> None:
    for name in (
        "types",
        "errors",
        "files",
        "decoders",
        "mixtures",
        "protocols",
        "sampling",
        "tiling",
    ):
        own = {n for n in imports(PACKAGE / f"{name}.py") if n.startswith("lightning_gen")}
        assert own <= {"lightning_gen.types", "lightning_gen.errors"}, name


def test_the_user_s_folders_are_the_package_s() -> None:
    for name in ("datamodules", "callbacks"):
        link = ROOT / name
        if not link.exists():
            pytest.skip("no checkout")
        assert link.resolve() == PACKAGE / name or link.is_file()  # without symlinks, a text file


def test_the_catalog_lists_what_can_be_imported() -> None:
    names = [n for kind in registry.CLASSES for n in registry.entries(kind)]
    assert sorted(lightning_gen.__all__) == sorted(names)
    for name in names:
        assert getattr(lightning_gen, name).__name__ == name
    for kind in registry.KINDS:
        assert all(line.endswith(".") for line in registry.entries(kind).values()), kind


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, lightning_gen; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="DCGN"):
        lightning_gen.DCGN  # noqa: B018


def test_the_changelog_is_that_of_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert changelog.partition("## [")[2].startswith(f"{lightning_gen.__version__}] - 20")


def test_commits_are_checked_as_everything_is() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    ((*checks, site, tests),) = (repo["hooks"] for repo in config["repos"])
    everything = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    linted = [line for line in everything if line.startswith(("ruff ", "mypy"))]
    assert [hook["entry"] for hook in checks] == linted
    assert site["entry"] in everything
    assert tests["entry"] == "pytest"
    assert site["stages"] == tests["stages"] == ["pre-push"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist of this checkout, and the wheel that is built from the sdist."""
    if PACKAGE.parent != ROOT:
        pytest.skip("no checkout")
    folder = tmp_path_factory.mktemp("built")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, installed into an empty folder."""
    (wheel,), target = built.glob("*.whl"), tmp_path_factory.mktemp("target")
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*pip, "--target", str(target), str(wheel)], check=True)
    return target


def test_the_sdist_holds_all_that_is_tracked(built: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no repository")
    git = ["git", "ls-files", "-z", "--cached"]
    tracked = subprocess.run(git, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in tracked.split("\0") if name} - held == UNSHIPPED


def test_the_wheel_holds_one_package_and_all_it_needs(installed: Path) -> None:
    assert {p.name for p in installed.iterdir() if "dist-info" not in p.name} == {
        "lightning_gen",
        "bin",
    }
    sources = {
        p.relative_to(PACKAGE)
        for p in PACKAGE.rglob("*")
        if p.suffix in (".py", ".npz", ".yaml", ".safetensors")
    }
    assert not {source for source in sources if not (installed / "lightning_gen" / source).exists()}
    assert (installed / "lightning_gen" / "py.typed").exists()


def test_the_wheel_works_away_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = """
import json, lightning_gen
from lightning_gen import DCGAN, MNISTDataModule
from lightning_gen.registry import recipe
data = MNISTDataModule("12k")
data.setup("fit")
model = DCGAN(data.image_shape)
print(json.dumps([lightning_gen.__file__, len(data.train_set), recipe("quickstart").exists(),
                  list(model.sample(2).shape)]))
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    file, digits, recipe, shape = json.loads(run.stdout)
    assert Path(file).is_relative_to(installed)
    assert (digits, recipe, shape) == (9000, True, [2, 1, 28, 28])
