"""Made-up records of every task in its official format, and rows of them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tasks import TASKS
from tasks.spec import Row

RECORDS: dict[str, dict[str, Any]] = {
    "boolq": {
        "passage": "Tea grows in Assam. It is picked by hand.",
        "question": "is tea grown in assam",
        "label": True,
        "idx": 7,
    },
    "rte": {
        "premise": "Ann sold her boat to Bob.",
        "hypothesis": "Bob bought a boat.",
        "label": "entailment",
        "idx": 7,
    },
    "cb": {
        "premise": "Did she think that it rained? She did.",
        "hypothesis": "it rained",
        "label": "neutral",
        "idx": 7,
    },
    "wic": {
        "word": "bank",
        "sentence1": "We sat on the bank.",
        "sentence2": "The banks are closed.",
        "start1": 14,
        "end1": 18,
        "start2": 4,
        "end2": 9,
        "label": False,
        "idx": 7,
        "version": 1.1,
    },
    "copa": {
        "premise": "The street was wet.",
        "choice1": "It had rained.",
        "choice2": "The sun shone.",
        "question": "cause",
        "label": 0,
        "idx": 7,
    },
    "multirc": {
        "idx": 7,
        "version": 1.1,
        "passage": {
            "text": "Ann has a cat. It is red.",
            "questions": [
                {
                    "idx": 3,
                    "question": "What color is the cat?",
                    "answers": [
                        {"idx": 11, "text": "Red", "label": 1},
                        {"idx": 12, "text": "Blue.", "label": 0},
                    ],
                }
            ],
        },
    },
    "record": {
        "idx": 7,
        "source": "made up",
        "passage": {
            "text": "Ann Lee met Bob in Paris.\n@highlight\nBob likes tea",
            "entities": [
                {"start": 0, "end": 6},
                {"start": 12, "end": 14},
                {"start": 19, "end": 23},
                {"start": 37, "end": 39},
            ],
        },
        "qas": [
            {
                "idx": 3,
                "query": "After tea @placeholder flew home",
                "answers": [{"start": 12, "end": 14, "text": "Bob"}],
            }
        ],
    },
    "wsc": {
        "text": "Ann told Bob many lies about her trip, so that he wrote a long letter.",
        "target": {"span1_text": "Bob", "span1_index": 2, "span2_text": "he", "span2_index": 10},
        "label": True,
        "idx": 7,
    },
}
FOLDERS = {name: TASKS[name].folder for name in RECORDS}

# The tasks beside SuperGLUE.
OTHER_RECORDS: dict[str, dict[str, Any]] = {
    "blimp": {
        "sentence_good": "Ann saw herself.",
        "sentence_bad": "Ann saw himself.",
        "field": "morphology",
        "linguistics_term": "anaphor_agreement",
        "UID": "anaphor_gender_agreement",
        "pairID": "7",
    },
    "cnndm": {
        "id": "7",
        "article": "By . Ann Lee . The bishop is ill . He rests  at home .",
        "highlights": "The bishop is ill\nHe rests .",
    },
    "xsum": {
        "id": "7",
        "document": "The owners said a park is planned.\nIt costs £3m.",
        "summary": "A park has been approved.",
    },
    "gigaword": {
        "id": "7",
        "document": "orders rose #.# percent in UNK , officials said -lrb- ap -rrb-",
        "summary": "us orders up #.# percent",
    },
    "squad_qg": {
        "id": "7",
        "title": "Tea",
        "context": "Tea grows in Assam, India. It is picked by hand.",
        "question": "Where does tea grow?",
        "answers": [{"text": "Assam", "answer_start": 13}],
    },
    "yahoo": {"id": "7", "text": "what is the best way to learn _UNK quickly ? i want to know !"},
    "lambada": {"id": "7", "text": 'Ann met Bob at the docks. "I know the way", said Bob'},
    "heldout": {"id": "7", "title": "The blue house", "text": "Ann Lee lives there.\nShe sings."},
    "wikitext": {
        "id": "7",
        "title": "Tea",
        "text": "= Tea = \n \n Tea @-@ leaves , dried , float .",
    },
}


def rows(name: str, **changes: Any) -> list[Row]:
    """The sample record's rows, fields of the record changed."""
    parse = TASKS[name].rows
    assert parse is not None
    return parse({**(RECORDS | OTHER_RECORDS)[name], **changes})


def jsonl(records: Iterable[Mapping[str, Any]]) -> bytes:
    """Records as a JSON Lines file."""
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def put(root: Path, name: str, content: bytes, file: str = "val.jsonl") -> Path:
    """Writes a task's file below a root, in the official layout."""
    path = root / FOLDERS[name] / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
