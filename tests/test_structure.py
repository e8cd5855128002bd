"""Structure of the package: direction of imports, depth of classes, length of files."""

import ast
import inspect
from abc import ABC
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest
from lightning import LightningModule

import lightning_gen
from lightning_gen import models

PACKAGE = Path(lightning_gen.__path__[0])
ROOT_MODULES = {
    "types": {"errors"},
    "errors": set(),
    "sampling": set(),
    "compat": set(),
    "registry": set(),
    "files": {"errors"},
    "protocols": {"types"},
    "checkpoints": {"errors", "files"},
}
BASICS = {"types", "errors", "files", "sampling", "protocols", "compat"}
ALLOWED: dict[str, set[str]] = {  # imports within the package, from low to high
    **ROOT_MODULES,
    "losses": {"types"},
    "networks": {"types", "errors", "files"},
    "images": {"types", "errors", "files"},
    "models.base": BASICS | {"checkpoints", "losses", "networks"},
    "models": BASICS | {"checkpoints", "losses", "networks", "models.base"},
    "datamodules": BASICS | {"images"},
    "metrics": BASICS,
    "callbacks": BASICS,
    "inference": BASICS | {"checkpoints", "networks", "images", "datamodules", "metrics"},
    "cli": {*BASICS, "checkpoints", "registry", "images", "datamodules", "callbacks"}
    | {"models", "models.base", "inference", "metrics", "__init__"},
    "__init__": set(),
}
MAX_MIXIN_LINES = 40
FINAL_GANS = ("gan", "dcgan", "conditional_gan")


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes but those that only type checkers read."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield from statements(child)


def module_name(path: Path) -> str:
    """Return a name within the package, such as "models.gan"; "__init__" for the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(name: str) -> set[str]:
    """Return the modules of the package that a module imports."""
    found = set()
    for node in statements(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {m if m.partition(".")[2] in MODULES else str(node.module) for m in modules}
    own = {module for module in found if module.partition(".")[0] == "lightning_gen"}
    return {module.partition(".")[2] or "__init__" for module in own}


def top(name: str) -> str:
    """Return the folder of a module; modules at the root return their name."""
    return "models.base" if name.startswith("models.base") else name.partition(".")[0]


@pytest.mark.parametrize("folder", ALLOWED)
def test_imports_point_one_way(folder: str) -> None:
    names = [name for name in MODULES if top(name) == folder]
    rooms = {name: {top(module) for module in imported(name)} - {folder} for name in names}
    assert rooms
    assert not {name: own - ALLOWED[folder] for name, own in rooms.items() if own - ALLOWED[folder]}


def test_the_order_of_the_imports_has_no_circle() -> None:
    TopologicalSorter(ALLOWED).prepare()
    TopologicalSorter({name: imported(name) - {name} for name in MODULES}).prepare()


def test_at_most_eight_modules_are_at_the_root() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} == ROOT_MODULES.keys() | {"__init__"}
    assert len(ROOT_MODULES) <= 8


@pytest.mark.parametrize("folder", ["losses", "networks"])
def test_losses_and_networks_import_no_lightning(folder: str) -> None:
    for path in (PACKAGE / folder).glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = {
            alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
        }
        names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
        assert "lightning" not in {name.partition(".")[0] for name in names}, path


# Classes


@pytest.fixture(scope="module")
def classes() -> set[type]:
    """All classes of the package."""
    found = set()
    for info in walk_packages(lightning_gen.__path__, "lightning_gen."):
        members = inspect.getmembers(import_module(info.name), inspect.isclass)
        found |= {cls for _, cls in members if cls.__module__ == info.name}
    return found


@pytest.mark.parametrize("name", models.__all__)
def test_models_are_two_levels_deep(name: str) -> None:
    """At most two base classes of the package, and one short mixin."""
    _, *bases = getattr(models, name).__mro__
    own = [base for base in bases if base.__module__.startswith("lightning_gen.")]
    mixins = [base for base in own if not issubclass(base, LightningModule)]
    assert len(own) - len(mixins) <= 2
    assert len(mixins) <= 1
    for mixin in mixins:
        assert len(inspect.getsource(mixin).splitlines()) <= MAX_MIXIN_LINES, mixin


def test_an_abstract_class_has_several_children(classes: set[type]) -> None:
    abstract = [cls for cls in classes if ABC in cls.__bases__ or inspect.isabstract(cls)]
    assert abstract
    for cls in abstract:
        assert len(classes & set(cls.__subclasses__())) > 1, cls


def test_a_class_is_abstract_or_final(classes: set[type]) -> None:
    """Models that can be made have no subclass in the package."""
    for name in models.__all__:
        assert not classes & set(getattr(models, name).__subclasses__()), name


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("models/*.py")), ids=lambda path: path.stem)
def test_a_model_is_one_short_file(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= (100 if path.stem in FINAL_GANS else 200)
