"""Escapes: text from users' files and from models, made harmless in each format.

None of it may act as markup, a macro, a link or a spreadsheet formula where a table or a page is
opened.
"""

import html as html_module
import json
import re
import unicodedata

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "—": "---",
    "–": "--",
    "±": r"$\pm$",
    "≈": r"$\approx$",
    "×": r"$\times$",
    "ʳ": r"$^{r}$",
    "△": r"$^{+}$",
    "▲": r"$^{++}$",
    "▽": r"$^{-}$",
    "▼": r"$^{--}$",
    "†": r"\dag{}",
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#|~$]|^[+-])")


def clean(text: str) -> str:
    """`text` on one line, without control, formatting and direction-changing characters."""
    flat = " ".join(text.split())
    return "".join(c for c in flat if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn"))


def cell(value: object) -> object:
    """A CSV cell; text that a spreadsheet would run as a formula gets an apostrophe before it."""
    if isinstance(value, float):
        return round(value, 8)
    if not isinstance(value, str):
        return "" if value is None else value
    text = clean(value)
    return "'" + text if text[:1] in ("=", "+", "-", "@", "|", "%") else text


def markdown(text: str, brackets: bool = False) -> str:
    """Escaped Markdown; with `brackets` those stay plain (without "(" they still make no link)."""
    escaped = _MARKDOWN.sub(r"\\\1", html_module.escape(clean(text), quote=False))
    return escaped.replace("\\[", "[").replace("\\]", "]") if brackets else escaped


def latex(text: str) -> str:
    """Escaped LaTeX; the signs of a table become commands that need no package."""
    return "".join(_LATEX.get(char, char) for char in clean(text))


def html(text: str) -> str:
    """Escaped for an element's text or a quoted attribute."""
    return html_module.escape(clean(text))


def script(value: object) -> str:
    """A value as JSON that may stand in a page's script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
