"""Public names of the package, and its sdist and wheel."""

import ast
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

import lightning_gen
from lightning_gen import registry
from tests.command_line import ROOT

PACKAGE = Path(lightning_gen.__path__[0])  # below ROOT, or where a wheel was installed
UNSHIPPED = {".gitignore", "callbacks", "datamodules"}  # used in a checkout only


PUBLIC = {  # beside models, data modules, callbacks and metrics
    "AdversarialModel",
    "AutoencoderModel",
    "GenerativeModel",
    "TensorDataModule",
    "Translator",
    "VariationalModel",
    "load_model",
    "load_translator",
}


def test_links_in_the_checkout_lead_into_the_package() -> None:
    for name in ("datamodules", "callbacks"):
        link = ROOT / name
        if not link.exists():
            pytest.skip("not a checkout")
        assert link.resolve() == PACKAGE / name or link.is_file()  # a text file without symlinks


def test_dir_lists_all_public_names() -> None:
    names = {name for kind in registry.CLASSES for name in registry.entries(kind)}
    assert {*lightning_gen.__all__} == {*dir(lightning_gen)} - {"__version__"} == names | PUBLIC


@pytest.mark.parametrize("name", lightning_gen.__all__)
def test_public_names_can_be_imported(name: str) -> None:
    code: dict[str, Any] = {}
    exec(f"from lightning_gen import {name}", code)  # noqa: S102
    assert code[name].__name__ == name


@pytest.mark.parametrize("kind", registry.KINDS)
def test_the_registry_describes_its_entries(kind: str) -> None:
    assert all(line.endswith(".") for line in registry.entries(kind).values())


def test_type_checkers_read_the_same_names() -> None:
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    names = [alias.asname for node in imports for alias in node.names]
    assert sorted(map(str, names)) == sorted(lightning_gen.__all__)


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, lightning_gen; dir(lightning_gen); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="DCGN"):
        lightning_gen.DCGN  # noqa: B018


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sdist of this checkout, and the wheel built from it."""
    if PACKAGE.parent != ROOT:
        pytest.skip("not a checkout")
    folder = tmp_path_factory.mktemp("built")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty folder into which the wheel was installed."""
    (wheel,), target = built.glob("*.whl"), tmp_path_factory.mktemp("target")
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*pip, "--target", str(target), str(wheel)], check=True)
    return target


def test_the_sdist_contains_all_tracked_files(built: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a repository")
    git = ["git", "ls-files", "-z", "--cached"]
    tracked = subprocess.run(git, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        contained = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in tracked.split("\0") if name} - contained == UNSHIPPED


def test_the_wheel_contains_the_package_and_its_data(installed: Path) -> None:
    assert {p.name for p in installed.iterdir() if "dist-info" not in p.name} == {
        "lightning_gen",
        "bin",
    }
    sources = {
        p.relative_to(PACKAGE)
        for p in PACKAGE.rglob("*")
        if p.suffix in (".py", ".pyi", ".npz", ".yaml", ".safetensors")
    }
    assert not {source for source in sources if not (installed / "lightning_gen" / source).exists()}
    assert (installed / "lightning_gen" / "py.typed").exists()


def test_the_wheel_works_without_the_checkout(installed: Path, tmp_path: Path) -> None:
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
