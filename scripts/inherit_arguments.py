"""Griffe extension: a class without `__init__` is documented with the arguments of its base."""

from typing import Any

import griffe


class InheritArguments(griffe.Extension):
    """Append the section `Args` of the base class's docstring to that of the class."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Visit all classes of a package after it has been read."""
        _visit(pkg)


def _visit(part: griffe.Module | griffe.Class) -> None:
    for member in part.members.values():
        if isinstance(member, griffe.Module):
            _visit(member)
        elif isinstance(member, griffe.Class) and member.docstring and not _has_arguments(member):
            for base in member.mro():
                if base.docstring and _has_arguments(base):
                    _, _, arguments = base.docstring.value.partition("\n\nArgs:\n")
                    member.docstring.value += f"\n\nArgs:\n{arguments}"
                    break


def _has_arguments(cls: griffe.Class) -> bool:
    text = cls.docstring.value if cls.docstring else ""
    return "__init__" in cls.members or "\n\nArgs:\n" in text
