"""What the three summarization tasks have in common: how a source is asked for its summary.

    reference   [MASK] Content: {source}     as the GLM code writes it
    paper       {source} [MASK]              as the GLM paper's text has it (section 3.3)

The option `profile` chooses; it is part of a cell's signature.
"""

from typing import Annotated, Literal

from tasks.errors import UserError
from tasks.spec import Blank, Generate, How, Part, Text

PROFILES = ("reference", "paper")
PROFILE = Annotated[Literal["reference", "paper"], "where the blank stands"]


def question(id: str, source: str, target: str, references: tuple[str, ...], how: How) -> Generate:
    """The summary of `source` as one blank; an empty `target` is an unlabelled row."""
    return Generate(id, text(source, how), (target,) if target else (), references)


def text(source: str, how: How) -> Text:
    """The source, which may be cut at its end, and the blank."""
    body = Part(" " + source, cut="end")
    if profile(how) == "paper":
        return (body, Blank())
    return (Blank(), Part(" Content:"), body)


def profile(how: How) -> str:
    """The option `profile`, checked."""
    name = how.options.get("profile", PROFILES[0])
    if name not in PROFILES:
        raise UserError(f"option profile: {name!r} is none of {', '.join(PROFILES)}")
    return name


def notes(how: How) -> str:
    """What the questions' wording adds to a signature."""
    return "" if "profile" in how.options else f"profile:{profile(how)}"
