"""RTE: does a hypothesis follow from a premise?

{"premise": "No Weapons of Mass Destruction Found in Iraq Yet.", "label": "not_entailment",
 "hypothesis": "Weapons of Mass Destruction Found in Iraq.", "idx": 0}

"Weapons of Mass Destruction Found in Iraq" ? [MASK], "No Weapons of Mass Destruction Found in
Iraq Yet."          Yes | No
"""

from tasks.blind import swapped
from tasks.metrics import ACCURACY, TWINS
from tasks.source.faults import kept, label, texts
from tasks.spec import Cloze, How, Question, Row, Task, Text
from tasks.superglue.official import hub_rows, on_hub
from tasks.wording import BLANK, bare, cut, gold, pair, require_pattern, write

LABELS = ("entailment", "not_entailment")
VERBALIZERS = ("Yes", "No")
TRUTH = ("true", "false")


def ask(row: Row, how: How) -> list[Question]:
    """One question; patterns 0 to 4."""
    require_pattern("RTE", how, RTE.patterns)
    if how.style == "classifier":
        return [premise_and_hypothesis(row, LABELS)]
    text = patterns(row["premise"], row["hypothesis"], "True or False?")[how.pattern]
    words = TRUTH if how.pattern == 4 else VERBALIZERS
    return [Cloze(row["id"], text, words, gold(row, LABELS), verbalizer=True)]


def patterns(premise: str, hypothesis: str, options: str) -> tuple[Text, ...]:
    """The five patterns, shared with CB, which has other `options` in the last."""
    p, h = cut(premise), cut(bare(hypothesis))
    quoted, plain = write('"', h, '" ?'), write(h, "?")
    return (
        quoted + write(BLANK, ', "', p, '"', side="b"),
        plain + write(BLANK, ", ", p, side="b"),
        quoted + write(BLANK, '. "', p, '"', side="b"),
        plain + write(BLANK, ". ", p, side="b"),
        write(p, " question: ", h, f" {options} answer:", BLANK),
    )


def premise_and_hypothesis(row: Row, labels: tuple[str, ...]) -> Question:
    """The classifier's question, shared with CB."""
    return pair(row, write(cut(row["premise"])), write(cut(row["hypothesis"]), side="b"), labels)


def check(row: Row) -> str | None:
    """The row's fault, or None."""
    return texts(row, "premise", "hypothesis") or label(row, LABELS)


RTE = Task(
    "rte",
    "RTE",
    group="superglue",
    folder="superglue/RTE",
    ask=ask,
    metrics=(ACCURACY, TWINS),
    check=check,
    patterns=5,
    levels=(1, 2, 3, 4),
    rows=lambda record: [kept(record, "premise", "hypothesis", "label")],
    hub=on_hub("rte", hub_rows(LABELS, "premise", "hypothesis")),
    counts={"train": 2490, "dev": 277, "test": 3000},
    withhold=swapped("premise"),
)
