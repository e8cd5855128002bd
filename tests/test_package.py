"""Laws of the package: who imports whom, what it ships, and that it works where it is installed."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import lightning_gen
from lightning_gen import catalog

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lightning_gen"
FOUNDATION = {"types", "errors", "sampling", "files", "__init__"}
ALLOWED = {  # what the modules of a folder may import of the package, besides their own folder
    "losses": {"types"},
    "networks": {"types", "errors", "files"},
    "models": FOUNDATION
    | {"losses", "networks", "optimization", "checks", "checkpoints", "nonfinite", "strategies"},
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
        if not link.exists():  # the tests of a wheel run without them
            pytest.skip("no checkout")
        assert link.resolve() == PACKAGE / name or link.is_file()  # without symlinks, a text file


def test_the_catalog_lists_what_can_be_imported() -> None:
    names = [n for kind in catalog.CLASSES for n in catalog.entries(kind)]
    assert sorted(lightning_gen.__all__) == sorted(names)
    for name in names:
        assert getattr(lightning_gen, name).__name__ == name
    for kind in catalog.KINDS:
        assert all(line.endswith(".") for line in catalog.entries(kind).values()), kind


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, lightning_gen; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="DCGN"):
        lightning_gen.DCGN  # noqa: B018


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, installed into an empty folder."""
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("no checkout")
    built, target = (tmp_path_factory.mktemp(name) for name in ("built", "target"))
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(built), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = built.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*pip, "--target", str(target), str(wheel)], check=True)
    return target


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
from lightning_gen.catalog import recipe
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
