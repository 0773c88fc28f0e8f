"""Other people's models as backbones: every number is the one that `transformers` computes itself.

The models are tiny and random, with the families' own configurations, written with
`save_pretrained` and loaded as a user's checkpoint would be.
"""

import json

import pytest
import torch

from glm.adaptation.classifier import ClassifierStyle
from glm.adaptation.cloze import ClozeStyle
from glm.adaptation.continuation import ContinuationStyle
from glm.adaptation.infilling import InfillStyle
from glm.adaptation.likelihood import LanguageStyle
from glm.adaptation.masked_cloze import BertClozeStyle
from glm.adaptation.pseudo_likelihood import PseudoStyle
from glm.adaptation.seq2seq import Seq2SeqStyle
from glm.data.sequences import sequence
from glm.models.huggingface import checkpoint, vocabulary
from glm.models.huggingface.decoder import trees
from tasks.errors import UserError
from tasks.spec import Blank, Classify, Cloze, Continue, Generate, Part
from tests.glm import foreign

TEXTS = ["ann lee met bob . yes", "the cat sat on a mat .", "a dog ran"]
ENCODERS = pytest.mark.parametrize("family", foreign.ENCODERS, ids=lambda f: f.name)
DECODERS = pytest.mark.parametrize("family", foreign.DECODERS, ids=lambda f: f.name)
PAIRS = pytest.mark.parametrize("family", foreign.PAIRS, ids=lambda f: f.name)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Each family's checkpoint, loaded once."""
    made = {}

    def get(family):
        if family.name not in made:
            made[family.name] = foreign.opened(family, tmp_path_factory.mktemp(family.name))
        return made[family.name]

    return get


def ids_of(it, text):
    special = it.tokenizer.special
    return [*special.opens, *it.tokenizer.encode(text), *special.closes]


def rows(it, texts, branch=0):
    """Each text as a sequence that is read everywhere."""
    made = []
    for text in texts:
        ids = ids_of(it, text)
        made.append(
            sequence(ids, range(len(ids)), [0] * len(ids), [branch] * len(ids), range(len(ids)))
        )
    return made


def theirs(it, ids, **more):
    """The library's own log-probabilities of one text, (T, V)."""
    with torch.inference_mode():
        logits = it.model.network(input_ids=torch.tensor([ids]), **more).logits[0]
    return logits.log_softmax(-1)


def question(*parts, candidates=("bob", "ann lee"), **more):
    text = tuple(Blank() if part is None else Part(part) for part in parts)
    return Cloze("q", text, tuple(candidates), **more)


def scores(style, it, *questions):
    items = style.encode(questions, it.tokenizer, 60)
    answers = style.answer(it.model, None, items, it.tokenizer)
    return [answer.scores for answer in answers]


def close(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    return torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@ENCODERS
def test_an_encoder_reads_texts_in_one_batch_as_the_library_reads_each(family, loaded):
    it = loaded(family)
    with torch.inference_mode():
        ours = it.model.logits(it.model.read(rows(it, TEXTS), 0)).log_softmax(-1)
    assert close(ours, torch.cat([theirs(it, ids_of(it, t)) for t in TEXTS]))


@DECODERS
def test_a_decoder_reads_texts_that_begin_alike_as_the_library_reads_each(family, loaded):
    it = loaded(family)
    texts = ["the cat sat on a mat .", "the cat sat on a dog", "the cat sat on", *TEXTS]
    with torch.inference_mode():
        ours = it.model.logits(it.model.read(rows(it, texts, 1), 0)).log_softmax(-1)
    assert close(ours, torch.cat([theirs(it, ids_of(it, t)) for t in texts]))


def test_candidates_of_one_question_are_one_sequence_with_their_source_once(loaded):
    it = loaded(foreign.DECODERS[0])
    same = rows(it, ["the cat sat on a mat .", "the cat sat on a dog", "a dog ran"], 1)
    one, other = trees(same)
    shared = len(it.tokenizer.encode("the cat sat on a"))
    assert len(one) == len(same[0]) + len(same[1]) - shared and other is same[2]


@DECODERS
def test_a_decoders_candidate_scores_are_the_librarys_log_probabilities(family, loaded):
    it = loaded(family)
    asked = question("the cat met", None, ". yes")
    [found] = scores(ContinuationStyle(), it, asked)
    expected = []
    for candidate in asked.candidates:
        before = [*it.tokenizer.special.opens, *it.tokenizer.encode("the cat met")]
        wanted = [*it.tokenizer.encode(f" {candidate}"), *it.tokenizer.encode(". yes")]
        log = theirs(it, [*before, *wanted])
        reads = range(len(before) - 1, len(before) + len(wanted) - 1)
        expected.append(sum(float(log[r, w]) for r, w in zip(reads, wanted, strict=True)))
    assert found == pytest.approx(expected, abs=1e-3)


@ENCODERS
def test_an_encoders_masked_cloze_scores_are_the_librarys(family, loaded):
    it = loaded(family)
    [found] = scores(BertClozeStyle(), it, question("the cat met", None, ". yes"))
    special, encode = it.tokenizer.special, it.tokenizer.encode

    def masked(tokens):
        ids = [*special.opens, *encode("the cat met"), *tokens, *encode(". yes"), *special.closes]
        return theirs(it, ids)[len(special.opens) + len(encode("the cat met")) :]

    expected = []
    for candidate in ("bob", "ann lee"):
        wanted = encode(f" {candidate}")
        tokens, total = [special.mask] * len(wanted), 0.0
        while special.mask in tokens:  # the most confident one first
            log = masked(tokens)
            open_ones = [j for j, token in enumerate(tokens) if token == special.mask]
            best = max(open_ones, key=lambda j: float(log[j, wanted[j]]))
            total += float(log[best, wanted[best]])
            tokens[best] = wanted[best]
        expected.append(total)
    assert found == pytest.approx(expected, abs=1e-3)


@PAIRS
def test_an_encoder_decoders_blank_is_scored_by_its_own_sentinels(family, loaded):
    it = loaded(family)
    special, encode = it.tokenizer.special, it.tokenizer.encode
    asked = question("the cat met", None, ". yes")
    [found] = scores(ClozeStyle(it.layout), it, asked)
    source = [*special.opens, *encode("the cat met"), special.mask, *encode(". yes")]
    source += special.closes
    expected = []
    for candidate in asked.candidates:
        wanted = encode(f" {candidate}")
        if family.name == "t5":  # <pad> <extra_id_0> candidate <extra_id_1>
            first, second = special.sentinel_masks[:2]
            before, after = [0, first], second
        else:  # </s> <s> the cat met candidate .
            before, after = [2, 0, *encode("the cat met")], encode(". yes")[0]
        log = theirs(it, source, decoder_input_ids=torch.tensor([[*before, *wanted]]))
        reads = range(len(before) - 1, len(before) + len(wanted))
        pairs = zip(reads, [*wanted, after], strict=True)
        expected.append(sum(float(log[r, w]) for r, w in pairs))
    assert found == pytest.approx(expected, abs=1e-3)


@DECODERS
def test_a_decoders_likelihood_is_the_librarys_loss(family, loaded):
    it = loaded(family)
    style = LanguageStyle(it.layout)
    items = style.encode([Continue("1", TEXTS[1])], it.tokenizer, 60)
    [answer] = style.answer(it.model, None, items, it.tokenizer)
    ids = torch.tensor([ids_of(it, TEXTS[1])])
    labels = ids.clone()
    labels[:, : len(it.tokenizer.special.opens) + 1] = -100  # the first token is not scored
    with torch.inference_mode():
        mean = it.model.network(input_ids=ids, labels=labels).loss
    count = answer.values["tokens"]
    assert answer.values["nll"] / count == pytest.approx(float(mean), abs=1e-4)


@ENCODERS
def test_pseudo_likelihood_masks_every_token_in_turn(family, loaded):
    it = loaded(family)
    style = PseudoStyle()
    items = style.encode([Continue("1", TEXTS[0])], it.tokenizer, 60)
    [answer] = style.answer(it.model, None, items, it.tokenizer)
    ids, special = ids_of(it, TEXTS[0]), it.tokenizer.special
    total = 0.0
    for at in range(len(special.opens), len(ids) - len(special.closes)):
        masked = [*ids[:at], special.mask, *ids[at + 1 :]]
        total -= float(theirs(it, masked)[at, ids[at]])
    assert answer.values["pseudo_nll"] == pytest.approx(total, abs=1e-3)
    assert "nll" not in answer.values  # no perplexity may be made of it


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("family", [*foreign.DECODERS, *foreign.PAIRS], ids=lambda f: f.name)
def test_written_texts_are_those_of_the_librarys_own_search(family, beams, loaded):
    it = loaded(family)
    special = it.tokenizer.special
    style = Seq2SeqStyle(
        it.layout, target=9, beams=beams, length_penalty=0.0, min_length=0, ngram=0
    )
    texts = ("the cat sat on a mat .", "a dog ran")
    asked = [Generate(str(i), (Part(text),)) for i, text in enumerate(texts)]
    items = style.encode(asked, it.tokenizer, 60)
    found = [answer.text for answer in style.answer(it.model, None, items, it.tokenizer)]
    bad = {special.pad, special.eos, special.cls, special.mask, special.start}
    bad |= set(special.sentinel_masks)
    bad -= {special.end, special.sep}
    for text, ours in zip(texts, found, strict=True):
        ids = ids_of(it, text)
        settings = {"max_new_tokens": 8, "num_beams": beams, "do_sample": False}
        settings |= {"length_penalty": 0.0, "eos_token_id": special.end, "use_cache": True}
        settings |= {"pad_token_id": special.pad}
        settings |= {"bad_words_ids": [[i] for i in bad]} if bad else {}
        if it.kind == "decoder":
            ids += [special.start]
        elif family.name == "bart":
            settings["decoder_input_ids"] = torch.tensor([[2, 0]])
        with torch.inference_mode():
            out = it.model.network.generate(torch.tensor([ids]), **settings)[0].tolist()
        out = out[len(ids) if it.kind == "decoder" else 1 + (family.name == "bart") :]
        kept = out[: out.index(special.end)] if special.end in out else out
        assert ours == it.tokenizer.decode(kept)


def test_t5_fills_several_blanks_between_its_sentinels(loaded):
    it = loaded(foreign.PAIRS[0])
    special, encode = it.tokenizer.special, it.tokenizer.encode
    style = InfillStyle(it.layout, target=12, ngram=0)
    asked = Generate("1", (Part("the cat"), Blank(), Part("on a mat"), Blank(), Part("yes")))
    items = style.encode([asked], it.tokenizer, 60)
    [answer] = style.answer(it.model, None, items, it.tokenizer)
    first, second, third = special.sentinel_masks[:3]
    source = [*encode("the cat"), first, *encode("on a mat"), second, *encode("yes"), 1]
    written, texts, end = [0, first], [[], []], [second, third]
    blank = 0
    never = {0, 1, special.cls, special.unk, *special.sentinel_masks} - {special.unk}
    for _ in range(12):  # greedy, with the library, blank by blank
        log = theirs(it, source, decoder_input_ids=torch.tensor([written]))[-1]
        barred = sorted(never - {end[blank]})
        log[barred] = -torch.inf
        token = int(log.argmax())
        written.append(token)
        if token == end[blank]:
            blank += 1
            if blank == 2:
                break
        else:
            texts[blank].append(token)
    assert answer.text == " ".join(it.tokenizer.decode(text) for text in texts)


@pytest.mark.parametrize(
    "family", [foreign.ENCODERS[0], foreign.ENCODERS[1], foreign.PAIRS[1]], ids=lambda f: f.name
)
def test_a_classifier_reads_two_sides_as_the_tokenizer_writes_them(family, loaded):
    it = loaded(family)
    style = ClassifierStyle(it.layout)
    text = (Part("the cat sat", "end", "a"), Part("a dog ran", "end", "b"))
    [item] = style.encode([Classify("1", (text,), 2)], it.tokenizer, 60)
    with torch.inference_mode():
        ours = it.model.read(item.sequences, 0)[0]
        encoded = it.tokenizer.model.encode("the cat sat", "a dog ran")
        ids = torch.tensor([encoded.ids])
        if it.kind == "encoder":
            sides = torch.tensor([encoded.type_ids])
            more = {"token_type_ids": sides} if family.vocabulary == "bert" else {}
            expected = it.model.network.base_model(ids, **more).last_hidden_state[0, 0]
        else:
            # As BartForSequenceClassification: all of the text again, its last state.
            again = torch.tensor([[2, *encoded.ids[:-1]]])
            body = it.model.network.model(ids, decoder_input_ids=again)
            expected = body.last_hidden_state[0, -1]
    assert close(ours, expected)


@pytest.mark.parametrize(
    "family", [foreign.ENCODERS[0], foreign.DECODERS[0], *foreign.PAIRS], ids=lambda f: f.name
)
def test_losses_and_their_gradients_are_the_librarys(family, tmp_path):
    it = foreign.opened(family, tmp_path)
    ids = ids_of(it, TEXTS[1])
    if it.kind == "encoder-decoder":
        style = Seq2SeqStyle(it.layout, label_smoothing=0.0)
        asked = Generate("1", (Part(TEXTS[0]),), (TEXTS[1],))
        [item] = style.encode([asked], it.tokenizer, 60)
        loss = style.loss(it.model, None, [item], it.tokenizer)
        wanted = [*it.tokenizer.encode(f" {TEXTS[1]}"), it.tokenizer.special.end]
        before = [0] if family.name == "t5" else [2, 0]
        inputs = {"input_ids": torch.tensor([ids_of(it, TEXTS[0])])}
        inputs["decoder_input_ids"] = torch.tensor([[*before, *wanted[:-1]]])
        inputs["labels"] = torch.tensor([[-100] * (len(before) - 1) + wanted])
    else:
        [row] = rows(it, TEXTS[1:2], int(it.kind == "decoder"))
        hidden = it.model.read([row], 0)[1:3]
        total = it.model.cross_entropy(
            hidden,
            torch.tensor(ids[2:4]),
            torch.ones(2),
            vocabulary=it.tokenizer.special.size,
        )
        loss = total / 2
        log = it.model.network(input_ids=torch.tensor([ids])).logits[0, 1:3].log_softmax(-1)
        reference = -(log[0, ids[2]] + log[1, ids[3]]) / 2
    parameters = list(it.model.parameters())
    ours = torch.autograd.grad(loss, parameters, allow_unused=True)
    if it.kind == "encoder-decoder":
        reference = it.model.network(**inputs).loss
    expected = torch.autograd.grad(reference, parameters, allow_unused=True)
    assert loss.item() == pytest.approx(reference.item(), abs=1e-4)
    for one, other in zip(ours, expected, strict=True):
        if one is not None and other is not None:
            assert torch.allclose(one, other, rtol=1e-3, atol=1e-4)


def test_finetunings_dropout_reaches_every_layer_that_has_any(loaded, tmp_path):
    it = foreign.opened(foreign.DECODERS[0], tmp_path)
    it.model.set_dropout(0.25)
    rates = {m.p for m in it.model.modules() if isinstance(m, torch.nn.Dropout)}
    assert rates == {0.25}


def test_a_checkpoint_without_a_head_is_a_classifier_and_says_so(tmp_path):
    import transformers

    folder = foreign.write(foreign.ENCODERS[0], tmp_path)
    transformers.AutoModel.from_pretrained(folder).save_pretrained(folder)
    it = checkpoint.load(folder, name="mini")
    assert it.model.headless and it.model.read(rows(it, TEXTS[:1]), 0).shape[1] == 32
    with pytest.raises(UserError, match="mini has no language-modelling head"):
        it.model.logits(torch.zeros(1, 32))


def test_what_is_not_there_or_not_safe_is_said_with_a_remedy(tmp_path, monkeypatch):
    folder = foreign.write(foreign.ENCODERS[0], tmp_path)
    weights = folder / "model.safetensors"
    torch.save({}, folder / "pytorch_model.bin")
    content = weights.read_bytes()
    weights.unlink()
    with pytest.raises(UserError, match=r"no \*\.safetensors here, and other formats can run code"):
        checkpoint.load(folder)
    weights.write_bytes(content)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="cannot be read as a checkpoint of transformers"):
        checkpoint.load(folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="hf download nobody/nothing --revision abc"):
        checkpoint.locate("nobody/nothing", "abc")


def test_a_text_beyond_a_checkpoints_room_is_refused(loaded):
    it = loaded(foreign.ENCODERS[1])
    with pytest.raises(UserError, match="has room for 62 positions and this task asks for 80"):
        it.model.lengthened(80, 0)


def test_a_family_whose_logits_are_computed_otherwise_is_refused_not_misread(tmp_path):
    with pytest.raises(UserError, match="models of type 'opt' compute their logits in a way"):
        foreign.opened(foreign.ODD, tmp_path)


def test_a_tokenizer_that_puts_a_space_before_a_text_puts_no_second_one():
    import tokenizers
    import transformers

    pieces = ["<unk>", "<s>", "</s>", "▁", "▁yes", "yes", "▁the", "<0x0A>"]
    made = tokenizers.Tokenizer(
        tokenizers.models.Unigram(
            [(piece, -1.0 if "yes" in piece else -2.0) for piece in pieces], 0
        )
    )
    space = [tokenizers.normalizers.Prepend("▁"), tokenizers.normalizers.Replace(" ", "▁")]
    made.normalizer = tokenizers.normalizers.Sequence(space)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    assert made.encode(" yes").tokens == ["▁", "▁yes"]
    tokenizer, _ = vocabulary.adapted(fast, transformers.LlamaConfig(vocab_size=8), "decoder")
    assert tokenizer.encode(" yes") == tokenizer.encode("yes") == [4]
    assert tokenizer.encode_parts([["the", " yes"]]) == [[[6], [4]]]
