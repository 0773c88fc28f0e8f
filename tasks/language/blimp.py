"""BLiMP: of two sentences that differ in a word, is the good one likelier? (Warstadt et al., 2020)

    {"sentence_good": "These casseroles disgust Kayla.", "field": "morphology", "pairID": "0",
     "sentence_bad": "These casseroles disgusts Kayla.", "linguistics_term":
     "subject_verb_agreement", "UID": "regular_plural_subject_verb_agreement_1", ...}

    These casseroles disgust Kayla. | These casseroles disgusts Kayla.

67 paradigms of a thousand pairs. Every system is asked by its own likelihood of the whole sentences
(the publishers' "simple LM method"). Rows come a pair of each paradigm in turn, so that the first
rows are of all paradigms; which sentence is asked first changes from row to row. Accuracy counts
pairs, which is the publishers' mean over paradigms where all are there; `acc@FIELD` and `acc@TERM`
count those of a field or of a linguistic term. Two selectional paradigms are of the term
`argument_structure`, as in the publishers' summary.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from tasks.metrics.choices import ACCURACY, right
from tasks.source.faults import require, texts
from tasks.source.files import Line, jsonl
from tasks.spec import Answer, Compare, How, Metric, OnHub, Question, Row, Task
from tasks.sums import Rows

FIELDS = ("morphology", "syntax", "semantics", "syntax_semantics")
TERMS = (
    "anaphor_agreement",
    "argument_structure",
    "binding",
    "control_raising",
    "determiner_noun_agreement",
    "ellipsis",
    "filler_gap_dependency",
    "irregular_forms",
    "island_effects",
    "npi_licensing",
    "quantifiers",
    "subject_verb_agreement",
)
MERGED = {"s-selection": "argument_structure"}
PARADIGMS = (
    "adjunct_island",
    "anaphor_gender_agreement",
    "anaphor_number_agreement",
    "animate_subject_passive",
    "animate_subject_trans",
    "causative",
    "complex_NP_island",
    "coordinate_structure_constraint_complex_left_branch",
    "coordinate_structure_constraint_object_extraction",
    "determiner_noun_agreement_1",
    "determiner_noun_agreement_2",
    "determiner_noun_agreement_irregular_1",
    "determiner_noun_agreement_irregular_2",
    "determiner_noun_agreement_with_adj_2",
    "determiner_noun_agreement_with_adj_irregular_1",
    "determiner_noun_agreement_with_adj_irregular_2",
    "determiner_noun_agreement_with_adjective_1",
    "distractor_agreement_relational_noun",
    "distractor_agreement_relative_clause",
    "drop_argument",
    "ellipsis_n_bar_1",
    "ellipsis_n_bar_2",
    "existential_there_object_raising",
    "existential_there_quantifiers_1",
    "existential_there_quantifiers_2",
    "existential_there_subject_raising",
    "expletive_it_object_raising",
    "inchoative",
    "intransitive",
    "irregular_past_participle_adjectives",
    "irregular_past_participle_verbs",
    "irregular_plural_subject_verb_agreement_1",
    "irregular_plural_subject_verb_agreement_2",
    "left_branch_island_echo_question",
    "left_branch_island_simple_question",
    "matrix_question_npi_licensor_present",
    "npi_present_1",
    "npi_present_2",
    "only_npi_licensor_present",
    "only_npi_scope",
    "passive_1",
    "passive_2",
    "principle_A_c_command",
    "principle_A_case_1",
    "principle_A_case_2",
    "principle_A_domain_1",
    "principle_A_domain_2",
    "principle_A_domain_3",
    "principle_A_reconstruction",
    "regular_plural_subject_verb_agreement_1",
    "regular_plural_subject_verb_agreement_2",
    "sentential_negation_npi_licensor_present",
    "sentential_negation_npi_scope",
    "sentential_subject_island",
    "superlative_quantifiers_1",
    "superlative_quantifiers_2",
    "tough_vs_raising_1",
    "tough_vs_raising_2",
    "transitive",
    "wh_island",
    "wh_questions_object_gap",
    "wh_questions_subject_gap",
    "wh_questions_subject_gap_long_distance",
    "wh_vs_that_no_gap",
    "wh_vs_that_no_gap_long_distance",
    "wh_vs_that_with_gap",
    "wh_vs_that_with_gap_long_distance",
)


def ask(row: Row, how: How) -> list[Question]:
    """One question; half of the rows ask the bad sentence first."""
    pair = (row["sentence_good"], row["sentence_bad"])
    good = zlib.crc32(row["id"].encode()) % 2
    group = "/".join((row["field"], row["term"], row["UID"]))
    return [Compare(row["id"], pair[:: -1 if good else 1], (good,), group)]


def rows(record: Mapping[str, Any]) -> list[Row]:
    """A pair, with its field and term as the publishers' summary calls them."""
    require(texts(record, "sentence_good", "sentence_bad", "UID", "field", "linguistics_term"))
    number = record.get("pairID", record.get("pair_id"))  # the hub's name for it is the second
    names = {name: record[name] for name in ("sentence_good", "sentence_bad", "UID")}
    term = record["linguistics_term"]
    return [
        names
        | {
            "id": f"{record['UID']}-{number}",
            "field": record["field"].replace("/", "_"),
            "term": MERGED.get(term, term),
        }
    ]


def in_turn(paths: Sequence[Path]) -> Iterator[Line]:
    """The lines of the publishers' files, or of one file of all: one of each paradigm in turn."""
    paradigms: dict[Any, list[Line]] = {}
    for line in chain.from_iterable(jsonl([path]) for path in paths):
        paradigms.setdefault((line.record or {}).get("UID"), []).append(line)
    for row in zip_longest(*paradigms.values()):
        yield from (line for line in row if line is not None)


def right_within(answers: Sequence[Answer], *, part: str) -> Rows | None:
    """As for accuracy with the answers of a field or term, (0, 0) with the others."""
    found = right(answers)
    if found is None:
        return None
    inside = (part in answer.group.split("/")[:2] for answer in answers)
    return [row if kept else (0.0, 0.0) for row, kept in zip(found, inside)]


def within(part: str) -> tuple[Metric]:
    """Accuracy over the pairs of a field or term."""
    return (Metric("acc", f"acc|within:{part}|version:1", partial(right_within, part=part)),)


BLIMP = Task(
    name="blimp",
    title="BLiMP",
    group="grammar",
    folder="blimp",
    ask=ask,
    metrics=(ACCURACY,),
    styles=("likelihood",),
    names={
        split: (tuple(f"{uid}.jsonl" for uid in PARADIGMS), ("blimp.jsonl",))
        for split in ("dev", "test")
    },
    read=in_turn,
    rows=rows,
    label="",
    hub=OnHub(
        "nyu-mll/blimp",
        PARADIGMS,
        "877fba0801ffb7cbd8c39c1ff314a46f053f6036",  # the parquet files of the main branch
        rows,
        {"dev": "train", "test": "train"},
    ),
    counts={"dev": 67_000, "test": 67_000},
    profiles={part: within(part) for part in (*FIELDS, *TERMS)},
    cluster=lambda row: row["UID"],
)
