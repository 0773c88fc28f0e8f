"""WikiText: perplexity of Wikipedia articles (Merity et al., 2017), from the raw files.

    {"id": "2", "title": "Robert Boulter",
     "text": "= Robert Boulter = \\n \\n Robert Boulter is an English film , television ..."}

    target "= Robert Boulter =\\n\\nRobert Boulter is an English film, television ..."

The files are tokenised (` , `, ` @-@ `, `n 't`); the text is put back together first. Articles are
documents of their own; the GLM code scores the whole file as one. Bits per byte count the bytes of
the text as it is scored.
"""

import re
from collections.abc import Mapping
from itertools import count
from typing import Any

from tasks.language import heldout
from tasks.language.lambada import MODES, mode, notes
from tasks.language.perplexity import BPB, PPL, REFERENCE_PPL
from tasks.source.formats import wikitext
from tasks.spec import Continue, How, Question, Row, Task

HEADING = re.compile(r"^((?:= )+)(.*?)((?: =)+)$", re.MULTILINE)


def ask(row: Row, how: How) -> list[Question]:
    """One question: the article, detokenised."""
    return [Continue(row["id"], plain(row["text"]), mode=mode(how))]


def plain(text: str) -> str:
    """An article as written text: numbers, hyphens, clitics, brackets, quotes, headings."""
    text = "\n".join(line.strip() for line in text.split("\n"))
    text = re.sub(r" @([-,.])@ ", r"\1", text)
    text = re.sub(r" (n 't|'(?:s|m|d|ll|re|ve))(?!\w)", lambda m: m[1].replace(" ", ""), text)
    text = re.sub(r"(?<=n) 't(?!\w)", "'t", text)
    text = re.sub(r"(?<=s) '(?= )", "'", text)
    text = re.sub(r" ([,.;:!?%)\]}])", r"\1", text)
    text = re.sub(r"([(\[{$£€]) ", r"\1", text)
    text = "\n".join(quotes(line) for line in text.split("\n"))
    text = HEADING.sub(lambda m: f"{m[1].replace(' ', '')} {m[2]} {m[3].replace(' ', '')}", text)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r" {2,}", " ", text)).strip()


def quotes(line: str) -> str:
    """A line with the space inside each pair of double quotes removed."""
    marks = count()
    parts = re.split(r'( ?" ?)', line)
    for i in range(1, len(parts), 2):
        closes = next(marks) % 2
        spaced = parts[i]
        parts[i] = spaced.rstrip() if not closes else spaced.lstrip()
    return "".join(parts)


def rows(record: Mapping[str, Any]) -> list[Row]:
    return heldout.rows(record)


WIKITEXT = Task(
    name="wikitext",
    title="WikiText",
    group="language",
    folder="wikitext",
    ask=ask,
    metrics=(PPL, BPB),
    styles=("lm",),
    modes={"lm": MODES},
    check=heldout.check,
    names={
        split: tuple((f"{stem}.{base}.{end}",) for stem in ("wiki",) for end in ("raw", "tokens"))
        for split, base in (("train", "train"), ("dev", "valid"), ("test", "test"))
    },
    read=wikitext,
    rows=rows,
    label="",
    profiles={"reference": (REFERENCE_PPL, BPB)},
    notes=notes,
)
