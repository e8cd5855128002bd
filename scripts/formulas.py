"""MkDocs hook that renders formulas as MathML, which needs no JavaScript."""

import re
from html import unescape
from typing import Any

from latex2mathml.converter import convert

FORMULA = re.compile(  # output of arithmatex, inline or block
    r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', flags=re.DOTALL
)


def on_page_content(html: str, **_: Any) -> str:
    """Return the page with MathML in the place of LaTeX."""
    return FORMULA.sub(_mathml, html)


def _mathml(formula: re.Match[str]) -> str:
    tag, latex = formula.groups()
    display = "block" if tag == "div" else "inline"
    return f'<{tag} class="formula">{convert(unescape(latex).strip(), display=display)}</{tag}>'
