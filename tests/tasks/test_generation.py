"""Summaries, questions and blanks: what is asked, and from which files."""

import json
import lzma
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import UserError
from tasks.generation import cnndm, gigaword, squad_qg, summary, xsum, yahoo
from tasks.generation.cnndm import CNNDM
from tasks.generation.gigaword import GIGAWORD
from tasks.generation.squad_qg import SQUAD_QG
from tasks.generation.xsum import XSUM
from tasks.generation.yahoo import YAHOO
from tasks.source.files import Line
from tasks.source.folder import Folder, find
from tasks.source.rows import checked, load
from tasks.spec import Answer, Blank, Generate, How, Part, Question, signature

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden/13_seq2seq_and_infilling_items.json").read_text()
)["cases"]
SEQ2SEQ = How(style="seq2seq")


def only(asked: Sequence[Question]) -> Generate:
    """The one question that was asked."""
    (question,) = asked
    assert isinstance(question, Generate)
    return question


def shown(question: Question) -> str:
    assert isinstance(question, Generate)
    return "".join(" [MASK]" if isinstance(part, Blank) else part.text for part in question.text)


def words(text: str) -> list[str]:
    """Lower case, punctuation apart, special tokens whole: as BERT's vocabulary spells text."""
    found = re.findall(r"\[[A-Z]+\]|<\|.*?\|>|\w+|[^\w\s]", text)
    return [word if word[0] in "[<" and len(word) > 1 else word.lower() for word in found]


def asked_in_golden(decoded: str) -> list[str]:
    source = decoded.split("<|startofpiece|>")[0]
    return words(re.sub(r"\[(CLS|PAD)\]", "", source))


def written(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


# ---- summaries


def test_gigaword_is_asked_as_in_the_original():
    case = GOLDEN["gigaword_train"]
    source = case["src"][0].removesuffix(" UNK")  # the golden's room ends before this word
    row = {"id": "1", "document": source, "summary": case["tgt"][0]}
    question = only(gigaword.ask(row, SEQ2SEQ))
    assert words(shown(question)) == asked_in_golden(case["decoded"])
    target = case["decoded"].split("<|startofpiece|>")[1].split("<|endofpiece|>")[0]
    assert words(question.targets[0]) == words(target)


def test_gigaword_spells_unknown_words_brackets_and_entities_plainly():
    row = {
        "id": "1",
        "document": "UNK 's at&amp;t -LRB- <unk> -rrb- rose #.# percent",
        "summary": "UNK up",
    }
    question = only(gigaword.ask(row, SEQ2SEQ))
    assert shown(question) == " [MASK] Content: [UNK] 's at&t ( [UNK] ) rose #.# percent"
    assert (question.targets, question.references) == (("[UNK] up",), ("UNK up",))


def test_an_unknown_word_in_a_headline_matches_itself():
    answer = Answer("1", text="[UNK] up -lrb- ap -rrb-", references=("UNK up ( ap )",))
    assert GIGAWORD.metrics[0].compute([answer]) == 1.0


def test_the_profile_says_where_the_blank_stands_and_is_in_the_signature():
    row = {"id": "1", "document": "It rained.\nIt poured.", "summary": "Rain."}
    paper = How(style="seq2seq", options={"profile": "paper"})
    assert shown(xsum.ask(row, SEQ2SEQ)[0]) == " [MASK] Content: It rained. It poured."
    assert shown(xsum.ask(row, paper)[0]) == " It rained. It poured. [MASK]"
    assert "profile:reference" in signature(XSUM, SEQ2SEQ, XSUM.metrics[0])
    assert "profile:paper" in signature(XSUM, paper, XSUM.metrics[0])
    with pytest.raises(UserError, match="'papers' is none of reference, paper"):
        summary.text("x", How(options={"profile": "papers"}))


def test_only_the_source_may_be_cut():
    row = {"id": "1", "document": "It rained.", "summary": "Rain."}
    parts = [part for part in only(xsum.ask(row, SEQ2SEQ)).text if isinstance(part, Part)]
    assert [(part.text, part.cut) for part in parts] == [(" Content:", ""), (" It rained.", "end")]


def test_highlights_stay_apart_in_target_and_reference():
    row = {"id": "1", "article": "News .", "highlights": "One came\nTwo went .\n\nWas it three?"}
    question = only(cnndm.ask(row, SEQ2SEQ))
    assert question.targets == ("One came . [SEP] Two went . [SEP] Was it three?",)
    assert question.references == ("One came\nTwo went .\nWas it three?",)
    perfect = [Answer("1", text=question.targets[0].lower(), references=question.references)]
    assert [metric.compute(perfect) for metric in CNNDM.metrics] == [1.0, 1.0, 1.0]


def test_the_tokenised_layout_of_cnn_dailymail_is_undone():
    row = {
        "id": "1",
        "article": "`` i do n't know , '' he said -lrb- now -rrb- . <S_SEP> the u.s. 's men left",
        "highlights": "he does n't know . <S_SEP> they left .",
    }
    question = only(cnndm.ask(row, How(style="seq2seq", options={"layout": "unilm"})))
    assert shown(question) == (
        " [MASK] Content: \"i don't know,\" he said (now). the u.s.'s men left"
    )
    assert question.targets == ("he doesn't know. [SEP] they left.",)


def test_an_unlabelled_row_has_no_target_and_no_reference():
    for task, row in (
        (GIGAWORD, {"id": "1", "document": "it rained"}),
        (CNNDM, {"id": "1", "article": "It rained."}),
    ):
        question = only(task.ask(row, SEQ2SEQ))
        assert isinstance(question, Generate) and not question.targets and not question.references


# ---- question generation


def test_a_question_is_asked_for_as_in_the_original():
    case = GOLDEN["squad_generation_train"]
    article = case["data"][0]["paragraphs"][0]
    row = {
        "id": "1",
        "context": article["context"],
        "question": article["qas"][0]["question"],
        "answers": {"text": ["Smiljan"], "answer_start": [18]},
    }
    question = only(squad_qg.ask(row, SEQ2SEQ))
    assert words(shown(question)) == asked_in_golden(case["decoded"])
    # The original's head commit scores against the answer; the reference is the question.
    assert question.references == ("Where was Tesla born?",)


@given(st.lists(st.sampled_from(["ab", "c,", "(d", "é", "f.g"]), min_size=1), st.data())
def test_a_window_around_the_answer_keeps_every_word_whole(tokens, data):
    context = " ".join(tokens)
    start = data.draw(st.integers(0, len(context) - 1))
    end = data.draw(st.integers(start + 1, len(context)))
    answer = context[start:end]
    if not answer.strip():
        return
    text = squad_qg.text(context, answer, start)
    parts = [part for part in text if isinstance(part, Part)]
    before_question = parts[: [part.text for part in parts].index(" Question:")]
    assert " ".join("".join(part.text for part in before_question).split()) == context
    for part in before_question:
        if part.cut:  # the words before and after the answer are cut on sides of their own
            assert (part.cut, part.side) in (("start", "a"), ("end", "b"))
        else:
            assert answer.strip() in " ".join(part.text.split())


def test_every_distinct_answer_asks_for_the_question_once():
    row = {
        "id": "7",
        "context": "Ann ran. Ann Lee ran.",
        "question": "Who ran?",
        "answers": {"text": ["Ann", "Ann Lee", "Ann"], "answer_start": [0, 9, 9]},
    }
    asked = squad_qg.ask(row, SEQ2SEQ)
    assert [question.id for question in asked] == ["7#1", "7#2"]
    assert [shown(question).rsplit(":", 1)[1] for question in asked] == [" Ann", " Ann Lee"]


def test_squad_json_and_flat_json_lines_give_the_same_questions(tmp_path):
    qas = [{"id": "a", "question": "Who ran?", "answers": [{"text": "Ann", "answer_start": 7}]}]
    whole = {"data": [{"title": "T", "paragraphs": [{"context": "Today, Ann ran.", "qas": qas}]}]}
    flat = {
        "id": "a",
        "title": "T",
        "passage": "Today, Ann ran.",
        "answer": "Ann",
        "question": "Who ran?",
    }
    written(tmp_path / "one/squad_qg/train.json", json.dumps(whole))
    packed = tmp_path / "two/squad_qg/train.jsonl.xz"
    packed.parent.mkdir(parents=True)
    packed.write_bytes(lzma.compress(json.dumps(flat).encode()))
    one, two = (load(SQUAD_QG, "train", Folder(str(tmp_path / name))) for name in ("one", "two"))
    assert one.rows == two.rows
    assert squad_qg.ask(one.rows[0], SEQ2SEQ) == squad_qg.ask(two.rows[0], SEQ2SEQ)


def test_a_span_that_is_not_in_its_text_is_reported_with_its_line(tmp_path):
    rows = [
        {"id": "a", "passage": "Ann ran.", "answer": "Ann", "question": "Who ran?"},
        {"id": "b", "passage": "Ann ran.", "answer": "Bob", "question": "Who ran?"},
        {"id": "c", "passage": "Ann ran.", "answer": "ran", "answer_start": 0, "question": "Did?"},
        {"id": "d", "passage": "", "answer": "ran", "question": "Did?"},
    ]
    written(tmp_path / "squad_qg/test.jsonl", *map(json.dumps, rows))
    with pytest.raises(UserError) as caught:
        load(SQUAD_QG, "test", Folder(str(tmp_path)))
    report = str(caught.value)
    assert "3 bad rows beside 1 good" in report and "2 x span is not in its text" in report
    assert "lines 2, 3, 4" in report
    kept = load(SQUAD_QG, "test", Folder(str(tmp_path), on_bad_row="skip"))
    assert ([row["id"] for row in kept.rows], len(kept.skipped)) == (["a"], 3)


@pytest.mark.parametrize(
    "text", ["{", "[]]", '{"data": 3}', '{"data": [3]}', '[{"paragraphs": [{}]}]']
)
def test_json_that_is_not_in_squads_layout_is_reported(tmp_path, text):
    written(tmp_path / "squad_qg/dev.json", text)
    with pytest.raises(UserError, match=r"not JSON|not in SQuAD's layout"):
        load(SQUAD_QG, "dev", Folder(str(tmp_path)))


# ---- files of pairs


@pytest.mark.parametrize(
    ("task", "folder", "names"),
    [
        (GIGAWORD, "gigaword", ("document", "summary")),
        (CNNDM, "cnndm", ("article", "highlights")),
        (XSUM, "xsum", ("document", "summary")),
    ],
)
def test_line_pairs_and_json_lines_give_the_same_rows(tmp_path, task, folder, names):
    written(tmp_path / "one" / folder / "val.source", "it rained", "it poured")
    written(tmp_path / "one" / folder / "val.target", "rain", "more rain")
    records = [
        {"id": 1, names[0]: "it rained", names[1]: "rain"},
        {"id": 2, names[0]: "it poured", names[1]: "more rain"},
    ]
    written(tmp_path / "two" / folder / "val.jsonl", *map(json.dumps, records))
    one, two = (load(task, "dev", Folder(str(tmp_path / name))) for name in ("one", "two"))
    assert one.rows == two.rows and len(one.files) == 2


def test_pairs_of_unequal_length_are_reported_and_never_shifted(tmp_path):
    written(tmp_path / "gigaword/test.source", "it rained", "it poured", "it snowed")
    written(tmp_path / "gigaword/test.target", "rain", "")
    with pytest.raises(UserError) as caught:
        load(GIGAWORD, "test", Folder(str(tmp_path)))
    assert "test.target has no line 3" in str(caught.value)
    assert "line 2 (id 2): field 'summary' is empty" in str(caught.value)


def test_a_source_without_its_targets_is_not_found(tmp_path):
    written(tmp_path / "gigaword/test.source", "it rained")
    with pytest.raises(UserError, match=r"test.source \+ test.target"):
        find(GIGAWORD, "test", Folder(str(tmp_path)))


def test_a_gigaword_file_with_several_headlines_keeps_them_all(tmp_path):
    record = {"id": "g-1", "text": "it rained", "summaries": ["rain", "it rains"]}
    written(tmp_path / "news/giga.jsonl", json.dumps(record))
    source = Folder(str(tmp_path), files={"gigaword": {"test": "news/giga.jsonl"}})
    question = only(gigaword.ask(load(GIGAWORD, "test", source).rows[0], SEQ2SEQ))
    assert (question.targets, question.references) == (("rain",), ("rain", "it rains"))


# ---- infilling


def infill(ratio: float, train: bool = False, **options) -> How:
    return How(style="infill", train=train, options={"ratio": ratio, **options})


def test_blanked_documents_read_as_in_the_original():
    texts = GOLDEN["blank_train"]["lines"]
    blanked = [
        "what is <blank> way to learn _UNK <blank> ? i want to know !",
        "thank you <blank> for your answers . i do <blank> what to do <blank>",
    ]
    for text, line, decoded in zip(texts, blanked, GOLDEN["blank_test"]["decoded"]):
        row = {"id": "1", "text": text, "blanks": {"0.3": line}}
        question = only(yahoo.ask(row, infill(0.3)))
        assert words(shown(question)) == asked_in_golden(decoded)
        assert question.template.format(*question.targets) == text


def test_a_drawn_document_reads_as_in_the_original():
    tokens = GOLDEN["blank_train"]["lines"][0].split()
    question = yahoo.question("1", tokens, [(0, 2), (7, 8), (12, 13)])
    source, *targets = GOLDEN["blank_train"]["decoded"][0].split("<|startofpiece|>")
    assert words(shown(question)) == asked_in_golden(source)
    assert [words(target) for target in question.targets] == [words(target) for target in targets]


def test_blanks_are_drawn_afresh_every_epoch_and_alike_for_alike_arguments():
    row = {"id": "5", "text": " ".join(f"w{i}" for i in range(60))}
    first, second = (yahoo.ask(row, infill(0.3, train=True, epoch=e))[0] for e in (0, 1))
    assert first != second
    assert first == yahoo.ask(row, infill(0.3, train=True, epoch=0))[0]
    assert isinstance(first, Generate)
    assert yahoo.redraw(first, 0.3, seed=42, epoch=1) == second
    assert only(yahoo.ask({**row, "id": "6"}, infill(0.3))).text != first.text
    # a test's blanks do not move with an epoch that a grid may set for training
    assert yahoo.ask(row, infill(0.3, epoch=1)) == yahoo.ask(row, infill(0.3, epoch=0))


@given(st.integers(0, 80), st.sampled_from(yahoo.RATIOS), st.integers(0, 2**32 - 1))
def test_a_ratio_of_the_words_is_blanked_and_neighbours_share_a_blank(count, ratio, seed):
    spans = yahoo.blank_words([f"w{i}" for i in range(count)], ratio, np.random.default_rng(seed))
    hidden = sum(end - start for start, end in spans)
    assert hidden == (max(1, round(count * ratio * 10) // 10) if count else 0)
    assert all(left[1] < right[0] for left, right in pairwise(spans))


@given(
    st.lists(st.sampled_from(["a", "b", "{}", "{", "}", "{0}", "_UNK", "don't", "."]), min_size=1),
    st.data(),
)
def test_a_completed_document_is_the_document_whatever_was_blanked(tokens, data):
    ratio = data.draw(st.sampled_from(yahoo.RATIOS))
    row = {"id": "1", "text": " ".join(tokens)}
    how = How(seed=data.draw(st.integers(0, 99)), options={"ratio": ratio})
    question = only(yahoo.ask(row, how))
    filled = ["\x01"] * len(question.targets)
    completed = question.template.format(*filled).split()
    gaps = iter(text.split() for text in question.targets)
    restored = [w for word in completed for w in (next(gaps) if word == "\x01" else [word])]
    assert " ".join(restored).replace("[UNK]", "_UNK") == row["text"]


@given(st.lists(st.sampled_from("aab"), min_size=1, max_size=12), st.data())
def test_blanks_of_a_file_are_found_in_the_document_even_among_repeated_words(tokens, data):
    ratio = data.draw(st.sampled_from(yahoo.RATIOS))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    blanked, last = [], 0
    for start, end in yahoo.blank_words(tokens, ratio, rng):
        blanked += [*tokens[last:start], "<blank>"]
        last = end
    blanked += tokens[last:]
    spans = yahoo.alignment(tokens, blanked)
    assert spans is not None and len(spans) == blanked.count("<blank>")
    assert all(end > start for start, end in spans)
    question = yahoo.question("1", tokens, spans)
    assert question.template.format(*["<blank>"] * len(spans)) == " ".join(blanked)


def test_the_blank_files_of_a_folder_are_used_and_must_fit(tmp_path):
    folder = tmp_path / "yahoo"
    written(folder / "test.txt", "the cat sat here", "a dog ran off")
    for ratio in yahoo.RATIOS:
        written(
            folder / f"blank/test.maskratio{ratio}.blank",
            f"the <blank> {'sat here' if ratio == 0.1 else '<blank> here'}".replace(
                "<blank> <blank>", "<blank>"
            ),
            "a dog <blank>",
        )
    loaded = load(YAHOO, "test", Folder(str(tmp_path)))
    assert len(loaded.files) == 6
    texts = [shown(yahoo.ask(row, infill(0.1))[0]) for row in loaded.rows]
    assert texts == [" the [MASK] sat here", " a dog [MASK]"]
    (wide,) = yahoo.ask(loaded.rows[0], infill(0.2))
    assert isinstance(wide, Generate) and wide.targets == ("cat sat",)
    written(folder / "blank/test.maskratio0.3.blank", "the <blank> here", "another <blank>")
    again = load(YAHOO, "test", Folder(str(tmp_path))).rows
    with pytest.raises(UserError, match="is another document"):
        yahoo.ask(again[1], infill(0.3))


def test_without_blank_files_the_tests_blanks_are_drawn_unless_files_are_demanded(tmp_path):
    written(tmp_path / "yahoo/test.txt", "the cat sat here on a mat")
    written(tmp_path / "yahoo/val.txt", "a dog ran off with the ball")
    source = Folder(str(tmp_path), files={"yahoo": {"train": "yahoo/val.txt"}})
    (row,) = load(YAHOO, "test", source).rows
    assert yahoo.ask(row, infill(0.5)) == yahoo.ask(row, infill(0.5, blanks="drawn"))
    with pytest.raises(UserError, match=r"put test.maskratio0.5.blank into yahoo/blank"):
        yahoo.ask(row, infill(0.5, blanks="files"))
    assert load(YAHOO, "train", source).rows[0]["text"].startswith("a dog")
    metric = YAHOO.metrics[0]
    assert "blanks:files-else-drawn|seed:42" in signature(YAHOO, infill(0.5), metric)
    assert "seed:42|blanks:drawn" in signature(YAHOO, infill(0.5, blanks="drawn"), metric)
    assert "seed" not in signature(YAHOO, infill(0.5, blanks="files"), metric)


@pytest.mark.parametrize("ratio", [None, 0, 1, "0.3", True])
def test_a_ratio_is_a_number_between_0_and_1(ratio):
    with pytest.raises(UserError, match="is not between 0 and 1"):
        yahoo.ask({"id": "1", "text": "a b"}, How(options={"ratio": ratio}))


def test_bleu_of_a_completed_document_forgives_how_word_pieces_are_spaced():
    (question,) = yahoo.ask(
        {
            "id": "1",
            "text": "i do n't know _UNK 's 20,000 friends ...",
            "blanks": {"0.5": "i <blank>"},
        },
        infill(0.5),
    )
    assert isinstance(question, Generate)
    pieces = "do n ' t know [UNK] ' s 20 , 000 friends . . ."
    for filled in (question.references[0], question.template.format(pieces)):
        answer = Answer("1", text=filled, references=question.references)
        assert YAHOO.metrics[0].compute([answer]) == pytest.approx(1.0)


# ---- the hub


@pytest.mark.parametrize(
    ("task", "record", "wanted"),
    [
        (
            CNNDM,
            {"article": "A.", "highlights": "H.", "id": "ab12"},
            {"article": "A.", "highlights": "H."},
        ),
        (
            XSUM,
            {"document": "D.", "summary": "S.", "id": "99"},
            {"document": "D.", "summary": "S."},
        ),
        (GIGAWORD, {"document": "d .", "summary": "s"}, {"document": "d .", "summary": "s"}),
        (
            SQUAD_QG,
            {
                "id": "q9",
                "title": "T",
                "context": "Ann ran.",
                "question": "Who?",
                "answers": {"text": ["Ann"], "answer_start": [0]},
            },
            {
                "context": "Ann ran.",
                "question": "Who?",
                "answers": {"text": ["Ann"], "answer_start": [0]},
            },
        ),
    ],
)
def test_rows_of_the_hub_are_rows_of_a_folder(tmp_path, task, record, wanted):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([record]), tmp_path / "hub.parquet")
    (column,) = pq.read_table(tmp_path / "hub.parquet").to_pylist()
    rows, faults = checked("hub.parquet", task, [Line(1, {"id": "1"} | column)], task.hub.rows)
    assert not faults and wanted.items() <= rows[0].items()
    assert rows[0]["id"] == str(record.get("id", 1))
    assert task.hub and task.ask(rows[0], SEQ2SEQ)
