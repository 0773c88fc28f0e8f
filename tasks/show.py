"""Questions for people: the text with its blank, the candidates, which of them is right."""

import textwrap

from tasks.spec import Blank, Classify, Cloze, Compare, Continue, Part, Question, Text

MASK = "[MASK]"


def plain(text: Text) -> str:
    """A text as it reads, with [MASK] for the blank.

    A space goes before the blank unless one is there, or what stands before it opens a bracket.
    """
    shown = ""
    for piece in text:
        if isinstance(piece, Part):
            shown += piece.text
        else:
            shown += MASK if not shown or shown[-1] in " ([\n" else " " + MASK
    return shown


def show(question: Question) -> str:
    """A question over several lines; gold is starred."""
    match question:
        case Cloze():
            body = _wrapped(plain(question.text))
            kind = "one token each" if question.verbalizer else f"{question.reduce} of tokens"
            body += _options(question.candidates, question.gold)
            body += [f"    ({kind}, loss {question.loss})"]
        case Classify():
            body = [line for text in question.inputs for line in _wrapped(_sides(text))]
            body += _options(question.labels, question.gold)
            parts = (part for part in question.inputs[0] if isinstance(part, Part))
            body += [f"    mark {part.mark}: {part.text!r}" for part in parts if part.mark]
        case Compare():
            body = _options(question.texts, question.gold)
        case Continue():
            body = _wrapped(question.context) if question.context else []
            body += [f"    -> {line}" for line in textwrap.wrap(_visible(question.target), 90)[:8]]
        case _:
            body = _wrapped(plain(question.text))
            body += [f"    -> {_visible(t)}" for t in question.targets or question.references]
    return "\n".join([f"  id {question.id}", *body])


def _sides(text: Text) -> str:
    """A classifier's text with the separator that a model will put between its sides."""
    sides = {piece.side: "" for piece in text}
    for piece in text:
        sides[piece.side] += MASK if isinstance(piece, Blank) else piece.text
    return " [SEP] ".join(sides.values())


def _visible(text: str) -> str:
    """A text with what a terminal would obey (escapes, bells) left out."""
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)


def _wrapped(text: str) -> list[str]:
    return [
        line
        for paragraph in _visible(text).split("\n")
        for line in textwrap.wrap(paragraph, 96, initial_indent="    ", subsequent_indent="    ")
    ]


def _options(options: tuple[str, ...], gold: tuple[int, ...]) -> list[str]:
    lines = [
        f"      {'*' if n in gold else '-'} {_visible(option)}" for n, option in enumerate(options)
    ]
    if gold and max(gold) >= len(options):
        lines += ["      * (something else)"]
    return lines if gold else [*lines, "      (no label)"]
