"""Templates of pages and of LaTeX, filled so that no text in them is markup.

Whatever a template prints is cleaned of control characters and escaped; only what is `Markup`
already (a drawing of ours, a filled template) is taken as it stands.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results import escapes

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).with_name("templates")


def html(template: str, values: Mapping[str, Any]) -> str:
    """A filled HTML template; a `Markup`, so that another one takes it as it stands."""
    from markupsafe import Markup

    return Markup(_pages().get_template(template).render(values))


def latex(template: str, values: Mapping[str, Any]) -> str:
    """A filled LaTeX template: blocks are <% %>, values << >>."""
    return _latex().get_template(template).render(values)


def markup(text: str) -> str:
    """Text of our own making that is to stand as it is."""
    from markupsafe import Markup

    return Markup(text)


@cache
def _pages() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    def shown(value: object) -> object:
        return escapes.clean(value) if type(value) is str else "" if value is None else value

    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=shown,
    )


@cache
def _latex() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def shown(value: object) -> object:
        return value if isinstance(value, Markup) else Markup(escapes.latex(str(value)))

    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,  # so that a filled macro is Markup; what is escaped already stays as it is
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=shown,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
    )
