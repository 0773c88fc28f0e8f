"""The built-in world: its files, its oracle, and what keeps its splits apart."""

import json
import re
from collections import Counter
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import TASKS
from tasks.errors import UserError
from tasks.microworld import corpus, grammar, oracle, superglue
from tasks.microworld.causes import RULES
from tasks.microworld.freshness import Registry
from tasks.microworld.lexicon import GIVEN, KIND_OF, SURNAMES, Cast, pool
from tasks.microworld.passages import Dial, Mixture
from tasks.microworld.reading import sentences
from tasks.microworld.senses import SENSES
from tasks.microworld.write import MAKERS, VERSION, Sizes, rows, write
from tasks.source.folder import Folder
from tasks.source.rows import load
from tasks.spec import Cloze, How, Part, questions

SPLITS = ("train", "val", "test")
NAMES = ["record", "copa", "wsc", "rte", "boolq", "wic", "cb", "multirc", "cnndm", "xsum",
         "gigaword", "squad_qg", "yahoo", "lambada", "heldout"]  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("world")
    write(out, seed=3, documents=600, sizes=Sizes().scaled(0.3))
    return out


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def everything(world: Path) -> dict[str, bytes]:
    return {str(p.relative_to(world)): p.read_bytes() for p in world.rglob("*") if p.is_file()}


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(tmp_path):
    sizes = Sizes().scaled(0.05)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write(tmp_path / name, seed=seed, documents=30, sizes=sizes)
    a, b, c = (everything(tmp_path / name) for name in "abc")
    assert a == b
    assert a.keys() == c.keys()
    assert all(a[name] != c[name] for name in a)


def test_a_document_does_not_depend_on_how_many_are_written(tmp_path):
    sizes = Sizes().scaled(0.05)
    for count in (20, 40):
        write(tmp_path / str(count), documents=count, sizes=sizes)
    few, many = (lines(tmp_path / str(n) / "corpus/train.jsonl") for n in (20, 40))
    assert many[:20] == few


@pytest.mark.parametrize("name", NAMES)
def test_every_file_passes_the_checks_of_the_official_format(world, name):
    source = Folder(str(world))
    for split in ("dev", "test") if name == "heldout" else ("train", "dev", "test"):
        loaded = load(TASKS[name], split, source)
        assert loaded.rows and not loaded.skipped


def test_the_world_counts_its_files(world):
    told = json.loads((world / "world.json").read_text())
    assert told["version"] == VERSION
    assert told["seed"] == 3
    for path, count in told["counts"].items():
        assert len((world / path).read_text().splitlines()) == count
    assert told["counts"]["superglue/CB/train.jsonl"] == told["sizes"]["CB"][0]


@pytest.mark.parametrize("task", superglue.MAKERS)
def test_the_oracle_agrees_with_every_label(world, task):
    for split in ("train", "val"):
        for row in lines(world / f"superglue/{task}/{split}.jsonl"):
            assert oracle.answer(task, row) == oracle.gold(task, row), row


@pytest.mark.parametrize("task", superglue.MAKERS)
def test_test_rows_have_no_labels_and_the_oracle_answers_them(world, task):
    for row in lines(world / f"superglue/{task}/test.jsonl"):
        text = json.dumps(row)
        assert '"label"' not in text and '"answers": [{"start"' not in text
        assert oracle.answer(task, row) is not None


def test_the_oracle_notices_a_wrong_label(world):
    row = lines(world / "superglue/BoolQ/val.jsonl")[0]
    assert oracle.answer("BoolQ", {**row, "label": not row["label"]}) == row["label"]


@pytest.mark.parametrize("task", ["CB", "COPA", "RTE", "WiC", "WSC", "BoolQ", "MultiRC"])
def test_labels_are_balanced(world, task):
    for split in ("train", "val"):
        labels: Counter = Counter()
        for row in lines(world / f"superglue/{task}/{split}.jsonl"):
            gold = oracle.gold(task, row)
            labels.update([x for group in gold for x in group] if task == "MultiRC" else [gold])
        assert max(labels.values()) - min(labels.values()) <= 2, labels


def test_no_person_or_thing_of_dev_or_test_occurs_in_train(world):
    fixed = set(re.findall(r"\w+", repr((SENSES, RULES))))  # nouns of the rules' own wording
    kept = {*GIVEN, *SURNAMES, *KIND_OF} - fixed
    seen = {}
    for split in SPLITS:
        texts = [p.read_text() for p in world.rglob(f"*{split}.jsonl") if "corpus" not in p.parts]
        seen[split] = kept & set(re.findall(r"\w+", " ".join(texts)))
    assert not seen["train"] & seen["val"]
    assert not seen["train"] & seen["test"]
    assert not seen["val"] & seen["test"]
    assert all(len(words) > 50 for words in seen.values())


def normal(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def grams(text: str, marks: bool = True, n: int = 13) -> set[str]:
    """13-grams of words, and of words and punctuation marks."""
    found = set()
    for pattern in (r"\w+", r"\w+|[^\w\s]") if marks else (r"\w+",):
        tokens = re.findall(pattern, text.lower())
        found |= {" ".join(tokens[i : i + n]) for i in range(len(tokens) - n + 1)}
    return found


def test_no_dev_or_test_text_occurs_in_the_corpus_or_in_train(world):
    trained = [d["text"] for d in lines(world / "corpus/train.jsonl")]
    asked = []
    for task in superglue.MAKERS:
        rows = {s: lines(world / f"superglue/{task}/{s}.jsonl") for s in SPLITS}
        trained += [" \n ".join(superglue.units(task, row)) for row in rows["train"]]
        asked += [u for s in SPLITS[1:] for row in rows[s] for u in superglue.units(task, row)]
    for task, key in (("cnndm", "article"), ("xsum", "document"), ("lambada", "text")):
        paths = {s: next((world / task).glob(f"*{s}.jsonl")) for s in SPLITS}
        trained += [row[key] for row in lines(paths["train"])]
        asked += [row[key] for s in SPLITS[1:] for row in lines(paths[s])]
    asked += (world / "yahoo/test.txt").read_text().splitlines()
    asked += (world / "gigaword/test.source").read_text().splitlines()
    known = set().union(*map(grams, trained))
    assert not known & set().union(*map(grams, asked))
    whole = " | ".join(map(normal, trained))
    units = sorted({normal(text) for text in asked if len(normal(text).split()) < 13})
    assert not [unit for unit in units if f" {unit} " in whole]


def test_held_out_documents_share_no_thirteen_words_with_the_corpus(world):
    known = {g for d in lines(world / "corpus/train.jsonl") for g in grams(d["text"], marks=False)}
    for document in lines(world / "corpus/heldout.jsonl"):
        assert not known & grams(document["text"], marks=False)


def test_the_vocabulary_is_closed_and_small(world):
    texts = [
        path.read_text().replace("\\n", " ").replace("\\u", " ")
        for path in world.rglob("*")
        if path.is_file() and path.name != "world.json"
    ]
    found = set(re.findall(r"[a-z]+", " ".join(texts).lower()))
    assert 500 < len(found) < 2000


def test_documents_have_about_a_hundred_words_and_task_inputs_are_short(world):
    counts = [len(d["text"].split()) for d in lines(world / "corpus/train.jsonl")]
    assert 85 < sum(counts) / len(counts) < 115
    lengths = []
    for task in superglue.MAKERS:
        for row in lines(world / f"superglue/{task}/train.jsonl"):
            lengths.append(sum(len(u.split()) for u in superglue.units(task, row)))
    lengths.sort()
    assert lengths[int(0.9 * len(lengths))] < 60


def test_names_have_one_to_four_words(world):
    lengths = Counter()
    for row in lines(world / "superglue/ReCoRD/train.jsonl"):
        lengths.update(len(a["text"].split()) for q in row["qas"] for a in q["answers"])
    assert set(lengths) == {1, 2, 3, 4}


def test_contexts_of_a_word_share_only_the_article():
    for word, senses in SENSES.items():
        bags = [set(re.findall(r"\w+", c)) - {word, "P"} for sense in senses for c in sense]
        assert all(a & b == {"the"} for i, a in enumerate(bags) for b in bags[:i]), word


def test_the_corpus_is_pinned(world):
    text = (world / "corpus/train.jsonl").read_bytes()
    assert sha256(text).hexdigest()[:16] == "abddc64c60ae9421"


def test_rows_say_their_level_and_their_twins_and_levels_are_mixed_evenly(world):
    for task, levels in superglue.HAS.items():
        rows = lines(world / f"superglue/{task}/val.jsonl")
        counts = Counter(row["level"] for row in rows)
        assert set(counts) == set(levels)
        assert max(counts.values()) - min(counts.values()) <= 6, (task, counts)
        groups = [[*group] for _, group in groupby(rows, lambda row: row["twin"])]
        assert {len(group) for group in groups} == {3 if task == "CB" else 2}
        assert len({group[0]["twin"] for group in groups}) == len(groups)
        assert all(len({row["level"] for row in group}) == 1 for group in groups)


@pytest.mark.parametrize("task", superglue.MAKERS)
def test_every_level_of_a_task_is_asked_and_measured_apart(world, task):
    made = TASKS[task.lower()]
    rows = load(made, "dev", Folder(str(world))).rows
    style = made.styles[0]
    every = [q.id for row in rows for q in questions(made, row, How(style))]
    apart = [
        question.id
        for level in made.levels
        for row in rows
        for question in questions(made, row, How(style, options={"level": level}))
    ]
    assert sorted(every) == sorted(apart)
    trained = How(style, train=True, options={"level": made.levels[0]})
    assert {row["level"] for row in rows if questions(made, row, trained)} == set(made.levels)


def test_a_dial_sets_distance_and_distractors():
    def length(**dial: int) -> float:
        rows = [
            row
            for index in range(50)
            for row in superglue.boolq(Cast(Random(index), pool("dev")), Dial(3, **dial))
        ]
        return sum(len(list(sentences(row["passage"]))) for row in rows) / len(rows)

    plain = length()
    assert length(distance=4) == plain + 4
    assert length(distance=1, distractors=2) == plain + 3


def test_a_file_of_one_level_and_one_distance_can_be_asked_for(tmp_path):
    mixture = Mixture(levels=(4,), distance=(5,), distractors=(0,))
    write(tmp_path, documents=1, sizes=Sizes().scaled(0.02), mixture=mixture)
    rows = lines(tmp_path / "superglue/RTE/train.jsonl")
    assert {row["level"] for row in rows} == {4}
    assert min(len(sentences(row["premise"])) for row in rows) >= 6
    told = json.loads((tmp_path / "world.json").read_text())["mixture"]
    assert told == {"levels": [4], "distance": [5], "distractors": [0]}


def test_as_many_training_rows_are_made_as_are_asked_for():
    make, registry = MAKERS["RTE"], Registry()
    made = rows(make, Random(0), "train", 40_000, Mixture(), registry)
    assert len(made) == 40_000
    assert len({(row["premise"], row["hypothesis"]) for row in made}) > 39_000


def spoken(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text.lower())


@pytest.mark.parametrize("name", superglue.MAKERS)
def test_an_exercise_is_a_row_as_a_pattern_asks_it_with_its_answer(name):
    """So a pretrained model can be asked without finetuning. WSC's false rows say "does not"."""
    task = TASKS[name.lower()]
    for index in range(40):
        rng = Random(f"{name}/{index}")
        dial = corpus.EXERCISES.draw(rng, index, superglue.HAS[name])
        row, *_ = superglue.MAKERS[name](Cast(rng, pool("corpus")), dial)
        (numbered,) = superglue.number(name, [row])
        assert task.rows is not None
        texts = [
            spoken("".join(p.text if isinstance(p, Part) else f" {answer}" for p in question.text))
            for made in task.rows(numbered)
            for pattern in range(task.patterns)
            for question in questions(task, made, How("cloze", pattern=pattern))
            if isinstance(question, Cloze)
            for answer in (question.candidates[k] for k in question.gold[:1])
        ]
        written = corpus.RENDER[name](rng, row)
        assert spoken(written) in texts or " does not refer to " in written


@pytest.mark.parametrize("name", superglue.MAKERS)
def test_the_corpus_holds_exercises_of_every_task(world, name):
    text = (world / "corpus/train.jsonl").read_text().replace('\\"', '"')
    wordings = {
        "CB": ('"? Maybe, "', " true, false or neither? answer: neither"),
        "RTE": ('"? Yes, "', '"? No, "', " True or False? answer: "),
        "BoolQ": ("? Answer: Yes.", "Based on the following passage "),
        "COPA": ('" or "', ", so the "),
        "WiC": (' Similar sense of "', " have the same meaning in both sentences? "),
        "WSC": ("The pronoun '*it*' refers to ", "' does not refer to "),
        "MultiRC": (" Is it ", ' Is the correct answer "'),
        "ReCoRD": (" - ",),
    }
    assert all(text.count(wording) > 1 for wording in wordings[name])


@pytest.mark.parametrize("paradigm", grammar.PARADIGMS.values(), ids=grammar.PARADIGMS)
def test_minimal_pairs_differ_in_a_word_or_in_its_place(paradigm):
    for index in range(100):
        good, bad = paradigm.make(Cast(Random(index), pool("test")))
        one, two = (text.lower().rstrip(".").split() for text in (good, bad))
        assert good != bad and good[0].isupper() and bad[0].isupper()
        if paradigm.name in ("animate_subject", "npi_ever"):
            assert one[-1] == two[-1] or set(one) == set(two)
        else:
            assert len(one) == len(two) and sum(a != b for a, b in zip(one, two)) in (1, 2)


def test_no_sentence_of_a_minimal_pair_stands_in_the_corpus(world):
    trained = normal((world / "corpus/train.jsonl").read_text())
    for row in lines(world / "blimp/blimp.jsonl"):
        assert f" {normal(row['sentence_good'])} " not in trained
        assert f" {normal(row['sentence_bad'])} " not in trained


@pytest.mark.parametrize("task, level", [(t, n) for t, ns in superglue.HAS.items() for n in ns])
@given(
    seed=st.integers(0, 2**32),
    split=st.sampled_from(("train", "dev", "test")),
    distance=st.integers(0, 8),
    distractors=st.integers(0, 4),
)
@settings(max_examples=20, deadline=None)
def test_the_oracle_agrees_at_every_level_distance_and_number_of_distractors(
    task, level, seed, split, distance, distractors
):
    cast = Cast(Random(seed), pool(split))
    for row in superglue.MAKERS[task](cast, Dial(level, distance, distractors)):
        assert oracle.answer(task, row) == oracle.gold(task, row), row


@pytest.mark.parametrize("wrong", [{"distance": (9,)}, {"distractors": (-1,)}, {"levels": (5,)}])
def test_a_mixture_that_cannot_be_made_is_refused(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        Mixture(**wrong)
