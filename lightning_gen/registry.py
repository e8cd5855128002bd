"""Names of what the package ships, with a line each, read from its sources without imports."""

import ast
from difflib import get_close_matches
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
CLASSES = ("models", "datamodules", "callbacks", "metrics")
KINDS = (*CLASSES, "recipes")


@cache
def entries(kind: str) -> dict[str, str]:
    """Return the names of one of `KINDS`, each with its description in one line."""
    folder = PACKAGE / kind
    if kind == "recipes":
        return {path.stem: _first_comment(path) for path in sorted(folder.glob("*.yaml"))}
    return {
        alias.name: _first_line(alias.name, str(node.module))
        for node in _parse(folder / "__init__.py")
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def recipe(name: str) -> Path:
    """Return the file of a recipe."""
    return PACKAGE / "recipes" / f"{name}.yaml"


def nearest(name: str, kind: str) -> list[str]:
    """Return up to three names of this kind similar to `name`, or all names if none is."""
    names = {known.lower(): known for known in entries(kind)}
    close = get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    return [names[match] for match in close] or list(names.values())


def _parse(path: Path) -> list[ast.stmt]:
    return ast.parse(path.read_text(encoding="utf-8")).body


def _first_line(name: str, module: str) -> str:
    """Return the first line of the docstring of a class or function."""
    for node in _parse(PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    raise LookupError(f"{module} does not define {name}")


def _first_comment(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
