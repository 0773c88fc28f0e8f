"""How an encoder-decoder of ours is asked: as it was pretrained, all candidates over one source."""

import numpy as np
import pytest
import torch

from glm.adaptation.classifier import ClassifierStyle
from glm.adaptation.cloze import ClozeStyle
from glm.adaptation.comparison import ComparisonStyle
from glm.adaptation.infilling import InfillStyle
from glm.adaptation.likelihood import LanguageStyle
from glm.adaptation.requirements import REQUIREMENTS, fitting
from glm.adaptation.seq2seq import Seq2SeqStyle
from glm.data.sequences import Sequence
from glm.data.special import with_sentinels
from glm.models.encoder_decoder import EncoderDecoder, build
from glm.models.shape import Shape
from glm.objectives.denoising import Denoising
from glm.objectives.documents import documents
from glm.objectives.pair import Texts, corrupted
from glm.objectives.span_corruption import SpanCorruption
from glm.objectives.spans import Spans
from tasks.spec import Blank, Classify, Cloze, Compare, Continue, Generate, Part
from tests.glm.numbers import TINY, number_tokenizer

SPECIAL = with_sentinels(TINY, 33)
TOKENIZER = number_tokenizer(SPECIAL)
SHAPE = Shape(1, 32, 4, SPECIAL.padded, positions=64, dropout=0.0, attention_dropout=0.0, decoder=2)
T5, BART = SpanCorruption().layout, Denoising().layout
LAYOUTS = pytest.mark.parametrize("layout", [T5, BART], ids=["t5", "bart"])
TEXT = (Part("10 11 12", "end"), Blank(), Part("13"))
START, END = SPECIAL.start, SPECIAL.end
MASKS, STARTS = SPECIAL.sentinel_masks, SPECIAL.sentinel_starts


def model(seed: int = 0) -> EncoderDecoder:
    made = build(SHAPE, seed).double().eval()
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim > 1:
                parameter.mul_(8)
    return made


def sides(row: Sequence, branch: int = 1) -> tuple[list[int], list[int]]:
    """What the encoder is given, and what the decoder is."""
    return row.tokens_L[row.branch_L == 0].tolist(), row.tokens_L[row.branch_L == branch].tolist()


def log_p(net: EncoderDecoder, source: list[int], written: list[int]) -> torch.Tensor:
    """What the model says after each token that was written, (L, V): one text, nothing shared."""
    from tests.glm.test_encoder_decoder import question

    hidden = net.read([question(source, written)], SPECIAL.pad)
    return net.logits(hidden)[:, : SPECIAL.size].log_softmax(-1)


def test_a_cloze_is_written_as_pretraining_wrote_the_very_text():
    """The right candidate's branch is the objective's example of the text with that one span."""
    text = np.array([[SPECIAL.cls, 10, 11, 12, 20, 21, 13, SPECIAL.eos]])
    docs = documents(text, SPECIAL)
    span = Spans(np.array([0]), np.array([4]), np.array([2]), np.zeros(1, bool))
    question = Cloze("1", TEXT, ("20 21", "22"), (0,))

    [item] = ClozeStyle(T5).encode([question], TOKENIZER, 60)
    batch = SpanCorruption().write(docs, span, SPECIAL)
    real = batch.document_BT[0] >= 0
    mine = item.sequences[0].branch_L <= 1
    # All but the sentinel that ends it, which is a target.
    pretrained, asked = batch.tokens_BT[0, real], item.sequences[0].tokens_L[mine]
    assert pretrained[:-1].tolist() == asked.tolist()
    assert batch.position_BT[0, real][:-1].tolist() == item.sequences[0].position_L[mine].tolist()

    [item] = ClozeStyle(BART).encode([question], TOKENIZER, 60)
    read, written = sides(item.sequences[0])
    shown: Texts = corrupted(docs, docs.flat, span, SPECIAL.mask)
    assert read == shown.tokens_L.tolist()
    assert written == [START, *text[0, 1:6].tolist()]


@LAYOUTS
def test_candidates_score_what_the_model_says_of_each_alone_and_of_what_comes_after(layout):
    net = model()
    chosen = ([20, 21], [22], [23, 24, 25])
    question = Cloze("1", TEXT, tuple(" ".join(map(str, c)) for c in chosen), (0,))
    style = ClozeStyle(layout)
    [answer] = style.answer(net, None, style.encode([question], TOKENIZER, 60), TOKENIZER)
    mask = MASKS[0]
    source = [SPECIAL.cls, 10, 11, 12, mask, 13, SPECIAL.eos]
    before, after = ([STARTS[0]], STARTS[1]) if layout is T5 else ([START, 10, 11, 12], 13)
    for score, candidate in zip(answer.scores, chosen, strict=True):
        log = log_p(net, source, [*before, *candidate])[len(before) - 1 :]
        wanted = [*candidate, after]
        assert score == pytest.approx(sum(log[j, t].item() for j, t in enumerate(wanted)))


def test_a_rewritten_text_that_ends_in_its_blank_is_followed_by_the_end_token():
    question = Cloze("1", (Part("10 11", "end"), Blank()), ("20 21", "22"), (0,))
    [item] = ClozeStyle(BART).encode([question], TOKENIZER, 60)
    ends = item.plan.target_K[[2, 4]]
    assert ends.tolist() == [END, END]


@LAYOUTS
def test_a_long_source_leaves_room_for_what_is_written(layout):
    net, style = model(), ClozeStyle(layout)
    text = (Part(" ".join(["10"] * 100), "end"), Blank(), Part("13"))
    items = style.encode([Cloze("1", text, ("20 21 22", "23"), (0,))], TOKENIZER, 64)
    assert max(item.sequences[0].position_L.max() for item in items) < 64
    assert len(style.answer(net, None, items, TOKENIZER)) == 1


@LAYOUTS
def test_a_classifier_reads_where_the_decoder_has_seen_the_whole_text(layout):
    style = ClassifierStyle(layout)
    [item] = style.encode(
        [Classify("1", ((Part("10 11", side="a"), Part("12", side="b")),), 2, (), (0,))],
        TOKENIZER,
        60,
    )
    [row] = item.sequences
    read, written = sides(row)
    text = [10, 11, SPECIAL.sep, 12]
    assert read == [SPECIAL.cls, *text, SPECIAL.eos]
    assert written == ([START] if layout is T5 else [START, *text])
    assert row.read_R.tolist() == [len(row) - 1]


@LAYOUTS
def test_an_answer_is_written_from_start_to_end_over_a_source_without_its_blank(layout):
    style = Seq2SeqStyle(layout, target=8, beams=1, ngram=0)
    question = Generate("1", TEXT, ("20 21",))
    items = style.encode([question], TOKENIZER, 40)
    [row] = items[0].sequences
    read, written = sides(row)
    assert read == [SPECIAL.cls, 10, 11, 12, 13, SPECIAL.eos]
    assert written == [START, 20, 21] and row.target_R.tolist() == [20, 21, END]

    net = model(2)
    [answer] = style.answer(net, None, items, TOKENIZER)
    greedy: list[int] = []
    barred = [SPECIAL.pad, SPECIAL.eos, SPECIAL.cls, SPECIAL.unk, *MASKS, *STARTS]
    barred.remove(SPECIAL.unk)
    while len(greedy) < 7:
        log = log_p(net, read, [START, *greedy])[-1]
        log[barred] = -torch.inf
        if (token := int(log.argmax())) == END:
            break
        greedy.append(token)
    assert answer.text == TOKENIZER.decode(greedy) and len(greedy) > 1


def test_t5_fills_all_blanks_of_a_document_between_its_sentinels():
    style = InfillStyle(T5, target=20, ngram=0, label_smoothing=0.0)
    text = (Part("10 11"), Blank(), Part("13"), Blank(), Part("14"))
    items = style.encode([Generate("1", text, ("20 21", "22"))], TOKENIZER, 40)
    [row] = items[0].sequences
    read, written = sides(row)
    assert read == [SPECIAL.cls, 10, 11, MASKS[0], 13, MASKS[1], 14, SPECIAL.eos]
    assert written == [STARTS[0], 20, 21, STARTS[1], 22]
    assert row.target_R.tolist() == [20, 21, STARTS[1], 22, STARTS[2]]
    net = model(4)
    log = log_p(net, read, written)
    expected = -sum(log[j, t].item() for j, t in enumerate(row.target_R)) / 5
    assert style.loss(net, None, items, TOKENIZER).item() == pytest.approx(expected)
    [answer] = style.answer(net, None, items, TOKENIZER)
    assert not set(map(int, str(answer.text).split())) & {*STARTS, *MASKS}


@LAYOUTS
def test_a_texts_likelihood_is_that_of_writing_it_into_one_blank(layout):
    net = model()
    source = [SPECIAL.cls, MASKS[0], SPECIAL.eos]
    style = ComparisonStyle(layout)
    items = style.encode([Compare("1", ("10 11 12", "10 13"), (0,))], TOKENIZER, 40)
    [answer] = style.answer(net, None, items, TOKENIZER)
    for score, text in zip(answer.scores, ([10, 11, 12], [10, 13]), strict=True):
        log = log_p(net, source, [START, *text])
        assert score == pytest.approx(sum(log[j, t].item() for j, t in enumerate(text)))

    style = LanguageStyle(layout, window=32)
    items = style.encode([Continue("1", "10 11 12 13")], TOKENIZER, 40)
    [answer] = style.answer(net, None, items, TOKENIZER)
    written = [START, 11, 12, 13] if layout is T5 else [START, 10, 11, 12, 13]
    log = log_p(net, [SPECIAL.cls, 10, MASKS[0]], written)[-4:]
    nll = -sum(log[j, t].item() for j, t in enumerate([11, 12, 13]))
    assert answer.values["nll"] == pytest.approx(nll) and answer.values["tokens"] == 3


def test_what_each_of_them_can_be_asked():
    ways = ("cloze", "classifier", "seq2seq", "infill", "lm", "likelihood")
    common = {"cloze", "untrained-cloze", "classifier", "seq2seq", "lm", "likelihood"}
    assert set(fitting(ways, T5, REQUIREMENTS)) == common | {"infill"}
    assert set(fitting(ways, BART, REQUIREMENTS)) == common
    assert fitting(ways, T5, REQUIREMENTS)[0] == "cloze"
