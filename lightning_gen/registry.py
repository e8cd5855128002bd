"""What the package ships, read from its sources: names and first lines, nothing imported."""

import ast
from difflib import get_close_matches
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
CLASSES = ("models", "datamodules", "callbacks", "metrics")
KINDS = (*CLASSES, "recipes")


@cache
def entries(kind: str) -> dict[str, str]:
    """Names of one of `KINDS`, each with a line that says what it is."""
    if kind == "recipes":
        return {path.stem: _first_comment(path) for path in sorted(_folder(kind).glob("*.yaml"))}
    exports = [
        node for node in _parse(_folder(kind) / "__init__.py") if isinstance(node, ast.ImportFrom)
    ]
    return {
        alias.name: _first_line(alias.name, str(node.module))
        for node in exports
        for alias in node.names
    }


def recipe(name: str) -> Path:
    """The file of a shipped recipe."""
    return _folder("recipes") / f"{name}.yaml"


def nearest(name: str, kind: str) -> list[str]:
    """Up to three names of this kind that look like `name`, or all of them if none does."""
    names = {known.lower(): known for known in entries(kind)}
    close = get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    return [names[match] for match in close] or list(names.values())


def _folder(kind: str) -> Path:
    return PACKAGE / kind


def _parse(path: Path) -> list[ast.stmt]:
    return ast.parse(path.read_text(encoding="utf-8")).body


def _first_line(name: str, module: str) -> str:
    source = PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")
    for node in _parse(source):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    raise LookupError(f"{module} defines no {name}")


def _first_comment(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
