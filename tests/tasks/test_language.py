"""Language modelling: what is scored, from which files, and how it is measured."""

import json
import math
from pathlib import Path

import pytest

from tasks.errors import Absent, UserError
from tasks.language import heldout, lambada, perplexity, wikitext
from tasks.language.heldout import HELDOUT
from tasks.language.lambada import LAMBADA
from tasks.language.wikitext import WIKITEXT
from tasks.source.folder import Folder
from tasks.source.rows import load
from tasks.spec import Answer, Continue, How, signature

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/08_language_model_items.json").read_text())


def scored(nll: float, tokens: float, size: float = 10, exact: float = 0) -> Answer:
    return Answer("d", values={"nll": nll, "tokens": tokens, "bytes": size, "exact": exact})


def only(asked) -> Continue:
    (question,) = asked
    assert isinstance(question, Continue)
    return question


# ---- LAMBADA


def test_the_last_word_after_white_space_is_the_target_as_in_the_original():
    # the golden's labels: two quotes of one last word, and "signs"
    texts = GOLDEN["lambada"]["texts"]
    asked = [only(lambada.ask({"id": "1", "text": text}, How())) for text in texts]
    assert [question.target for question in asked] == [" ''", " signs"]
    assert asked[1].context.endswith("he 'd even died .")
    assert all(q.context + q.target == text for q, text in zip(asked, texts))


def test_white_space_around_the_context_is_dropped_and_within_it_kept():
    question = only(lambada.ask({"id": "1", "text": ' "Yes."\n\n"Go home  '}, How()))
    assert (question.context, question.target) == ('"Yes."\n\n"Go', " home")


def test_the_mode_is_checked_and_in_the_signature():
    row = {"id": "1", "text": "go home"}
    assert only(lambada.ask(row, How())).mode == "unidirectional"
    assert only(lambada.ask(row, How(mode="bidirectional"))).mode == "bidirectional"
    with pytest.raises(UserError, match="'both' is none of unidirectional, bidirectional"):
        lambada.ask(row, How(mode="both"))
    for how in (How(style="lm"), How(style="lm", mode="unidirectional")):
        assert signature(LAMBADA, how, LAMBADA.metrics[0]).endswith("mode:unidirectional")


def test_lambada_rows_need_two_words_and_get_their_line_as_id(tmp_path):
    folder = tmp_path / "lambada"
    folder.mkdir()
    (folder / "lambada_test.jsonl").write_text(
        '{"text": "go home"}\n{"text": "home"}\n{"txt": 1}\n'
    )
    with pytest.raises(UserError, match="2 bad rows beside 1 good") as caught:
        load(LAMBADA, "test", Folder(str(tmp_path)))
    assert "line 2 (id 2): field 'text' is a single word" in str(caught.value)
    kept = load(LAMBADA, "test", Folder(str(tmp_path), on_bad_row="skip"))
    assert kept.rows == [{"id": "1", "text": "go home"}] and kept.skipped == ("2", "3")


def test_accuracy_is_the_share_of_targets_right_in_every_token():
    answers = [scored(1, 1, exact=1), scored(1, 2, exact=0), scored(1, 1, exact=1)]
    assert LAMBADA.metrics[0].compute(answers) == pytest.approx(2 / 3)


# ---- perplexity


def test_perplexity_is_over_exactly_the_tokens_scored():
    # golden 08: documents of 30 and 5 tokens; each document's first token is not scored
    case = GOLDEN["lm"]["cases"][0]
    lengths = [len(document) for document in GOLDEN["lm"]["documents"]]
    answers = [scored(2.0 * (n - 1), n - 1) for n in lengths]
    assert sum(perplexity.values(answers, "tokens")) == case["predicted_tokens"] == 33
    assert perplexity.PPL.compute(answers) == pytest.approx(math.exp(2))
    assert perplexity.REFERENCE_PPL.compute(answers) == pytest.approx(math.exp(66 / 34))


def test_bits_per_byte_is_the_same_for_a_coarse_and_a_fine_tokenizer():
    coarse, fine = [scored(math.log(2) * 20, 4, 10)], [scored(math.log(2) * 20, 9, 10)]
    assert perplexity.BPB.compute(coarse) == perplexity.BPB.compute(fine) == pytest.approx(2)
    assert perplexity.PPL.compute(coarse) != perplexity.PPL.compute(fine)


@pytest.mark.parametrize("metric", [*HELDOUT.metrics, *LAMBADA.metrics], ids=lambda m: m.name)
def test_a_sum_that_is_missing_or_not_finite_makes_the_metric_absent(metric):
    assert metric.compute([]) is None
    with pytest.raises(Absent, match="of e is nan"):
        metric.compute([scored(1, 1), Answer("e")])
    broken = {"nll": math.inf, "tokens": 3, "bytes": 4, "exact": math.nan}
    with pytest.raises(Absent, match=r"of e is (inf|nan)"):
        metric.compute([scored(1, 1), Answer("e", values=broken)])


def test_a_perplexity_that_overflows_is_absent():
    with pytest.raises(Absent, match="overflows"):
        perplexity.PPL.compute([scored(1e6, 10)])
    with pytest.raises(Absent, match="no token was scored"):
        perplexity.PPL.compute([scored(0, 0)])


def test_perplexity_says_its_unit_and_that_less_is_better():
    ppl, bpb = HELDOUT.metrics
    assert (ppl.unit, bpb.unit) == ("ppl", "bits")
    assert not ppl.higher_is_better and not bpb.higher_is_better
    (reference, _) = HELDOUT.profiles["reference"]
    assert reference.name == "ppl" and reference.signature != ppl.signature


# ---- documents


def test_a_held_out_document_is_scored_whole(tmp_path):
    (tmp_path / "corpus").mkdir()
    document = {"id": "h1", "title": "The house", "text": "Ann lives here.\nShe sings."}
    (tmp_path / "corpus/heldout.jsonl").write_text(json.dumps(document) + "\n")
    (row,) = load(HELDOUT, "test", Folder(str(tmp_path))).rows
    question = only(heldout.ask(row, How(mode="bidirectional")))
    assert (question.target, question.context) == (document["text"], "")
    assert question.mode == "bidirectional"


RAW = """\

 = Ann Lee =

 Ann Lee 's books didn 't sell in 1990 ; 1 @,@ 500 went ( 2 @.@ 5 % ) . It is " well @-@ known " .

 = = Life = =

 She was born .
 = 1 rad / s =
 The fans ' club met .

 = Bo ( film ) =

 It ended .
"""


def test_wikitext_is_cut_into_articles_at_titles_between_blank_lines(tmp_path):
    (tmp_path / "wikitext").mkdir()
    (tmp_path / "wikitext/wiki.test.raw").write_text(RAW)
    rows = load(WIKITEXT, "test", Folder(str(tmp_path))).rows
    assert [(row["id"], row["title"]) for row in rows] == [("2", "Ann Lee"), ("12", "Bo ( film )")]
    assert rows[1]["text"].startswith("= Bo") and "It ended" not in rows[0]["text"]


def test_wikitext_is_put_back_together(tmp_path):
    (tmp_path / "wikitext").mkdir()
    (tmp_path / "wikitext/wiki.test.raw").write_text(RAW)
    (row, _) = load(WIKITEXT, "test", Folder(str(tmp_path))).rows
    assert only(wikitext.ask(row, How())).target == (
        "= Ann Lee =\n\n"
        "Ann Lee's books didn't sell in 1990; 1,500 went (2.5%). "
        'It is "well-known".\n\n'
        "== Life ==\n\n"
        "She was born.\n= 1 rad / s =\nThe fans' club met."
    )
