"""An extension of Python-Markdown: formulas become MathML, which browsers draw without a script."""

import re
from html import unescape

from latex2mathml.converter import convert
from markdown import Extension, Markdown
from markdown.postprocessors import Postprocessor

FORMULA = re.compile(  # as arithmatex leaves it, in a line or in a block
    r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', flags=re.DOTALL
)


class Formulas(Extension):
    """To be named after `pymdownx.arithmatex: {generic: true}`, which finds the formulas."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Come last, when what other extensions have put aside is back."""
        md.postprocessors.register(ToMathML(md), "formulas", -1)


class ToMathML(Postprocessor):
    """Replaces LaTeX in a page's HTML."""

    def run(self, text: str) -> str:
        """The page with its formulas."""
        return FORMULA.sub(_mathml, text)


def _mathml(formula: re.Match[str]) -> str:
    tag, latex = formula.groups()
    return convert(unescape(latex).strip(), display="block" if tag == "div" else "inline")


def makeExtension() -> Formulas:  # noqa: N802
    """What Python-Markdown asks a module for."""
    return Formulas()
