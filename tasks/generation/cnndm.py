"""CNN/DailyMail: the highlights of a news article (Hermann et al., 2015; See et al., 2017).

    {"id": "0001d1af...", "article": "By . Associated Press . PUBLISHED: . ... The bishop of ...",
     "highlights": "Bishop John Folda is taking time off .\\nHe contracted the infection ..."}

    [MASK] Content: By . Associated Press . PUBLISHED: . ... The bishop of ...
    -> Bishop John Folda is taking time off . [SEP] He contracted the infection ...

A highlight is a line, and ROUGE-L is computed over lines. A model writes no line ends, so a target
keeps its sentences apart by `[SEP]`, as the GLM code does, and metrics split there. A highlight
without an end mark gets a period in the target (never in the reference).

The option `layout` says how the files spell text: `raw` (the default: the publishers' and the
hub's) or `unilm` (PTB tokens with <S_SEP> between sentences, which are undone).
"""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal

from tasks.errors import UserError
from tasks.generation import rouge, summary
from tasks.generation.text_repair import sentences, spaced, treebank_to_text, with_period
from tasks.source.faults import identity, texts
from tasks.source.formats import pair_names, pairs
from tasks.spec import How, OnHub, Question, Row, Task

SEPARATOR = " [SEP] "
LAYOUTS = {"raw": spaced, "unilm": treebank_to_text}
LAYOUT = Annotated[Literal["raw", "unilm"], "how the files spell text"]


def ask(row: Row, how: How) -> list[Question]:
    """One question; the reference has one highlight a line."""
    plain = LAYOUTS[layout(how)]
    lines = [plain(line) for line in sentences(row.get("highlights", ""))]
    target = SEPARATOR.join(with_period(line) for line in lines)
    references = ("\n".join(lines),) if lines else ()
    return [summary.question(row["id"], plain(row["article"]), target, references, how)]


def layout(how: How) -> str:
    """The option `layout`, checked."""
    name = how.options.get("layout", "raw")
    if name not in LAYOUTS:
        raise UserError(f"option layout: {name!r} is none of {', '.join(LAYOUTS)}")
    return name


def notes(how: How) -> str:
    written = "" if "layout" in how.options else f"layout:{layout(how)}"
    return "|".join(part for part in (summary.notes(how), written) if part)


def rows(record: Mapping[str, Any]) -> list[Row]:
    """The hub's fields."""
    fields = {name: record[name] for name in ("article", "highlights") if name in record}
    return [{"id": identity(record, "id")} | fields]


def check(row: Row) -> str | None:
    return texts(row, "article", *(("highlights",) if "highlights" in row else ()))


CNNDM = Task(
    name="cnndm",
    title="CNN/DailyMail",
    group="generation",
    folder="cnndm",
    ask=ask,
    levels=(2, 3, 4),
    metrics=rouge.rouges(),
    styles=("seq2seq",),
    takes={"profile": summary.PROFILE, "layout": LAYOUT},
    check=check,
    names=pair_names("cnndm_test715"),
    read=partial(pairs, source="article", target="highlights"),
    rows=rows,
    label="highlights",
    hub=OnHub("abisee/cnn_dailymail", "3.0.0", "96df5e686bee6baa90b8bee7c28b81fa3fa6223d", rows),
    counts={"train": 287_113, "dev": 13_368, "test": 11_490},
    profiles=rouge.PROFILES,
    notes=notes,
)
