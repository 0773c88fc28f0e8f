"""Yahoo Answers infilling: words of a document are blanked and written again (Shen et al., 2020).

    {"id": "17", "text": "what is the best way to learn _UNK quickly ? i want to know !"}

    what is [MASK] way to learn [UNK] [MASK] ? i want to know !     (ratio 0.3)
    -> the best / quickly

A ratio of the words is drawn and neighbours among them share one blank. In training the blanks
are drawn afresh every epoch (`redraw`, a pure function of seed, epoch and document). For testing
they come from the `blank/test.maskratio{r}.blank` files of Shen et al. where a source has these,
else they are drawn once from the seed. The option `blanks` ("files" or "drawn") insists on one.
The answer is the completed document; BLEU compares it with the original.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Gt, Lt

from tasks.errors import UserError
from tasks.generation.bleu import sacre_bleu, tokenised_bleu
from tasks.source.faults import identity, texts
from tasks.source.formats import infilling
from tasks.spec import Blank, Generate, How, Part, Question, Row, Task

if TYPE_CHECKING:  # reading a table needs this module, not numpy
    import numpy as np

BLANK = "<blank>"
RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5)
DEFAULT_RATIO = 0.3
RATIO = Annotated[float, Gt(0), Lt(1), "share of the words that is hidden"]
BLANKS = Annotated[Literal["files", "drawn"], "whence the test's blanks are"]


def ask(row: Row, how: How) -> list[Question]:
    """One question. Options: "ratio" (0.3), "blanks" (see above) and, in training, "epoch" (0)."""
    wanted = ratio(how)
    words = row["text"].split()
    blanked = row.get("blanks", {}).get(f"{wanted:g}")
    choice = how.options.get("blanks", "")
    if choice not in ("", "files", "drawn"):
        raise UserError(f"option blanks: {choice!r} is neither files nor drawn")
    if how.train or choice == "drawn" or (blanked is None and not choice):
        epoch = how.options.get("epoch", 0) if how.train else 0
        hidden = draw(words, wanted, how.seed, epoch, row["id"])
    elif blanked is None:
        raise UserError(
            f"Yahoo document {row['id']} has no blanks of ratio {wanted:g}: put "
            f"test.maskratio{wanted:g}.blank into yahoo/blank, or say blanks: drawn"
        )
    else:
        hidden = alignment(words, blanked.split())
        if hidden is None:
            raise UserError(
                f"Yahoo document {row['id']}: its line in the blank file of ratio {wanted:g} is "
                "another document; fetch both files again"
            )
    return [question(row["id"], words, hidden)]


def question(id: str, words: Sequence[str], hidden: Sequence[tuple[int, int]]) -> Generate:
    """The document with the words of each span (start, end) of `hidden` behind a blank."""
    text: list[Part | Blank] = []
    template: list[str] = []
    last = 0
    for start, end in [*hidden, (len(words), len(words))]:
        if start > last:
            text.append(Part(" " + seen(words[last:start]), cut="end"))
            template.append(" ".join(words[last:start]).replace("{", "{{").replace("}", "}}"))
        if end > start:
            text.append(Blank())
            template.append("{}")
        last = end
    targets = tuple(seen(words[start:end]) for start, end in hidden)
    whole = " ".join(words)
    return Generate(id, tuple(text), targets, (whole,), " ".join(template))


def seen(words: Sequence[str]) -> str:
    """Words as a model reads them: the corpus's unknown word is the vocabulary's."""
    return " ".join("[UNK]" if word == "_UNK" else word for word in words)


def draw(
    words: Sequence[str], ratio: float, seed: int, epoch: int, id: str
) -> list[tuple[int, int]]:
    """The blanks of a document in an epoch: the same for the same arguments, anywhere."""
    import numpy as np

    key = hashlib.blake2b(f"{seed}|{epoch}|{id}".encode(), digest_size=16).digest()
    return blank_words(words, ratio, np.random.default_rng(np.frombuffer(key, np.uint32)))


def blank_words(
    words: Sequence[str], ratio: float, rng: "np.random.Generator"
) -> list[tuple[int, int]]:
    """Spans (start, end) of floor(ratio * n) words drawn without replacement, neighbours merged.

    At least one word is drawn, so that a short document has a blank too.
    """
    count = max(1, int(len(words) * ratio + 1e-9)) if words else 0
    spans: list[tuple[int, int]] = []
    for index in sorted(rng.permutation(len(words))[:count].tolist()):
        if spans and spans[-1][1] == index:
            spans[-1] = (spans[-1][0], index + 1)
        else:
            spans.append((index, index + 1))
    return spans


def redraw(asked: Generate, ratio: float, *, seed: int, epoch: int) -> Generate:
    """The same document with the blanks of another epoch."""
    words = asked.references[0].split()
    return question(asked.id, words, draw(words, ratio, seed, epoch, asked.id))


def alignment(words: Sequence[str], blanked: Sequence[str]) -> list[tuple[int, int]] | None:
    """Where the <blank>s of a document stood: spans of at least one word; None if they do not fit.

    The pieces between blanks are looked for from left to right, each at its first place (the last
    one at the end), which finds a fit if there is one.
    """
    pieces: list[list[str]] = [[]]
    for word in blanked:
        if word == BLANK:
            pieces.append([])
        else:
            pieces[-1].append(word)
    if list(words[: len(pieces[0])]) != pieces[0]:
        return None
    spans: list[tuple[int, int]] = []
    at = len(pieces[0])
    for number, piece in enumerate(pieces[1:], start=1):
        ends = number == len(pieces) - 1
        first = len(words) - len(piece) if ends else at + 1
        stop = len(words) - len(piece) + 1
        found = (
            i for i in range(max(first, at + 1), stop) if list(words[i : i + len(piece)]) == piece
        )
        place = next(found, None)
        if place is None:
            return None
        spans.append((at, place))
        at = place + len(piece)
    return spans if at == len(words) else None


def ratio(how: How) -> float:
    """The option `ratio`, checked."""
    value = how.options.get("ratio", DEFAULT_RATIO)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise UserError(f"option ratio of yahoo: {value!r} is not between 0 and 1 (0.1 .. 0.5)")
    return float(value)


def notes(how: How) -> str:
    """Where the test's blanks come from, and how many, as far as the options do not say it."""
    parts = [
        "" if "ratio" in how.options else f"ratio:{DEFAULT_RATIO}",
        "" if "blanks" in how.options else "blanks:files-else-drawn",
        "" if how.options.get("blanks") == "files" else f"seed:{how.seed}",
    ]
    return "|".join(part for part in parts if part)


def rows(record: Mapping[str, Any]) -> list[Row]:
    row = {"id": identity(record, "id"), "text": record.get("text")}
    return [row | {"blanks": record["blanks"]} if record.get("blanks") else row]


def check(row: Row) -> str | None:
    return texts(row, "text")


BLANK_FILES = tuple(f"blank/test.maskratio{value}.blank" for value in RATIOS)
YAHOO = Task(
    name="yahoo",
    title="Yahoo Answers infilling",
    group="generation",
    folder="yahoo",
    ask=ask,
    metrics=(tokenised_bleu("bleu", "yahoo"),),
    styles=("infill", "bert-infill"),
    takes={"ratio": RATIO, "blanks": BLANKS},
    check=check,
    names={
        "train": (("train.txt",),),
        "dev": (("valid.txt",), ("val.txt",), ("dev.txt",)),
        "test": (("test.txt", *BLANK_FILES), ("test.txt",)),
    },
    read=infilling,
    rows=rows,
    label="",
    profiles={
        "reference": (tokenised_bleu("bleu", "yahoo-reference"),),
        "sacrebleu": (sacre_bleu("bleu"),),
    },
    notes=notes,
)
