"""Python-Markdown extension that renders formulas as MathML, which needs no JavaScript."""

import re
from html import unescape

from latex2mathml.converter import convert
from markdown import Extension, Markdown
from markdown.postprocessors import Postprocessor

FORMULA = re.compile(  # output of arithmatex, inline or block
    r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', flags=re.DOTALL
)


class Formulas(Extension):
    """Extension to list after `pymdownx.arithmatex: {generic: true}`, which marks the formulas."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Register after the postprocessors that restore raw HTML."""
        md.postprocessors.register(ToMathML(md), "formulas", -1)


class ToMathML(Postprocessor):
    """Replace LaTeX in a page's HTML."""

    def run(self, text: str) -> str:
        """Return the page with MathML."""
        return FORMULA.sub(_mathml, text)


def _mathml(formula: re.Match[str]) -> str:
    tag, latex = formula.groups()
    return convert(unescape(latex).strip(), display="block" if tag == "div" else "inline")


def makeExtension() -> Formulas:  # noqa: N802
    """Return the extension; the entry point of Python-Markdown."""
    return Formulas()
