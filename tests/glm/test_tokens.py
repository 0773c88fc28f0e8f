"""Vocabularies: special ids, encodings and identity, against the original (golden 17)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from glm.data.special import table_rows, with_sentinels
from glm.data.tokenizer import bert, bpe, hub, load, standardise, train_wordpiece
from glm.data.vocabularies import HUB, IDS, USUAL
from tasks.errors import UserError
from tests.glm.golden import read

GOLDEN = read("17_tokenization")["cases"]
# Enough of BERT's vocabulary for two of the golden texts, in another order.
SMALL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world", ",", "it", "'", "s", "a"]
SMALL += ["test", ".", "un", "##aff", "##able", "@", "place", "##holder"]
TEXTS = ["The cat sat on the mat.", "The dog sat on the log!", "A cat and a dog sat."] * 3

real = pytest.mark.skipif(
    "GLM_HARNESS_DATA" not in os.environ,
    reason="GLM_HARNESS_DATA names no folder with the real vocabularies",
)


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(SMALL) + "\n")
    return bert(path)


def vocabulary(kind: str):
    folder = Path(os.environ["GLM_HARNESS_DATA"]) / "vocab"
    if kind.startswith("bert"):
        return bert(folder / "bert-base-uncased-vocab.txt", task_masks=True)
    name = "roberta" if kind == "roberta" else "gpt2"
    files = folder / f"{name}-vocab.json", folder / f"{name}-merges.txt"
    return bpe(name, *files, task_masks=name == "gpt2")


@real
@pytest.mark.parametrize("kind", ["bert-uncased+task_mask", "roberta", "gpt2+task_mask+dec"])
def test_ids_and_texts_are_the_original_ones(kind):
    golden, tokenizer = GOLDEN[kind], vocabulary(kind)
    for item in golden["items"]:
        assert tokenizer.encode(item["text"]) == item["ids"]
        assert tokenizer.decode(item["ids"]) == item["decoded"]
    texts = [item["text"] for item in golden["items"]]
    assert tokenizer.encode_batch(texts) == [item["ids"] for item in golden["items"]]


@real
@pytest.mark.parametrize("kind", ["bert-uncased+task_mask", "roberta", "gpt2+task_mask+dec"])
def test_special_ids_are_the_original_ones(kind):
    original = {"ENC": "cls", "MASK": "mask", "sop": "start", "eop": "end"}
    original |= {"gMASK": "gmask", "sMASK": "smask"}
    special = vocabulary(kind).special
    commands = dict(GOLDEN[kind]["commands"])
    decoder_mask = commands.pop("dBLOCK", None)  # an option of the original that we do not have
    for name, expected in commands.items():
        assert getattr(special, original.get(str(name), str(name))) == expected, name
    assert special.size == GOLDEN[kind]["num_tokens"] - (decoder_mask is not None)


@real
def test_sentinels_are_pairs_after_the_real_vocabulary():
    path = Path(os.environ["GLM_HARNESS_DATA"]) / "vocab" / "bert-base-uncased-vocab.txt"
    special = with_sentinels(bert(path).special, 512)
    assert (special.size, special.padded) == (31546, 31616)
    assert special.sentinel_masks[:3] == (103, 30524, 30526)
    assert special.sentinel_starts[:3] == (30522, 30525, 30527)
    assert len(special.sentinel_masks) == len(special.sentinel_starts) == 512
    assert bert(path).special.padded == 30592


def test_golden_words_survive_a_small_vocabulary(small):
    text = "Hello World, it's a [MASK] test."
    assert small.decode(small.encode(text)) == "hello world , it ' s a [MASK] test ."
    assert small.decode(small.encode("unaffable @placeholder")) == "unaffable @ placeholder"


def test_padding_is_the_end_of_a_document_and_spans_have_their_own_tokens(small):
    special = small.special
    assert special.pad == special.eos == 0
    assert (special.start, special.end) == (len(SMALL), len(SMALL) + 1)
    assert (special.size, special.padded) == (len(SMALL) + 2, 128)
    assert special.gmask is None and special.sentinel_masks == ()
    assert special.sentence_end == (SMALL.index("."),)


def test_a_task_mask_is_plain_text_unless_asked_for(small, tmp_path):
    assert small.special.unk in small.encode("[gMASK]")
    tokenizer = bert(tmp_path / "vocab.txt", task_masks=True)
    assert tokenizer.encode("[gMASK]") == [tokenizer.special.gmask] == [len(SMALL) + 2]
    assert tokenizer.encode("[sMASK]") == [tokenizer.special.smask] == [len(SMALL) + 3]


def test_an_unknown_word_is_one_unknown_token(small):
    assert small.encode("hello zebra") == [SMALL.index("hello"), small.special.unk]


def test_curly_quotes_and_en_dashes_are_made_plain():
    (case,) = GOLDEN["punctuation_standardization"]
    assert standardise(case["i"]) == case["o"]


def test_a_saved_tokenizer_is_the_same_tokenizer(small, tmp_path):
    small.save(tmp_path / "kept")
    again = load(tmp_path / "kept")
    assert again == small
    assert again.encode("it's unaffable [MASK]") == small.encode("it's unaffable [MASK]")


def test_the_digest_follows_the_content(small, tmp_path):
    assert load(tmp_path / "vocab.txt").digest == load(tmp_path).digest == small.digest
    (tmp_path / "vocab.txt").write_text("\n".join([*SMALL, "extra"]) + "\n")
    assert bert(tmp_path / "vocab.txt").digest != small.digest
    assert bert(tmp_path / "vocab.txt", task_masks=True).digest != small.digest


def test_training_gives_the_asked_size_and_loses_no_text():
    tokenizer = train_wordpiece(iter(TEXTS), 60)
    assert tokenizer.special.size <= 60 and tokenizer.special.padded == 128
    ids = tokenizer.encode("The cat sat on [MASK] dog.")
    assert tokenizer.decode(ids) == "the cat sat on [MASK] dog ."
    assert tokenizer.special.unk not in ids


def test_training_on_the_same_texts_gives_the_same_digest_in_another_process():
    # Ties between equally frequent pieces must not fall by the process's hash seed.
    code = (
        "from glm.data.tokenizer import train_wordpiece;"
        f"print(train_wordpiece({TEXTS!r}, 60).digest)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == train_wordpiece(TEXTS, 60).digest


def test_a_size_too_small_for_the_characters_says_what_is_needed():
    with pytest.raises(UserError, match=r"ask for at least \d+ ids"):
        train_wordpiece(TEXTS, 20)


def test_a_byte_level_vocabulary_keeps_spaces_and_its_mask_swallows_one(tmp_path):
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "a", "Ġ", "b", "Ġb", "<mask>"]
    body = ",".join(f'"{piece}": {i}' for i, piece in enumerate(pieces))
    (tmp_path / "vocab.json").write_text("{" + body + "}", encoding="utf-8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\nĠ b\n", encoding="utf-8")
    tokenizer = load(tmp_path)
    assert tokenizer.encode("a [MASK] b") == [4, 8, 7]
    assert tokenizer.decode([4, 8, 7]) == "a[MASK] b"
    special = tokenizer.special
    assert (special.pad, special.cls, special.start, special.end) == (2, 0, 9, 10)


def test_files_that_are_no_vocabulary_are_named(tmp_path):
    with pytest.raises(UserError, match=r"no tokenizer here"):
        load(tmp_path)
    with pytest.raises(UserError, match=r"absent\.txt: cannot be read"):
        bert(tmp_path / "absent.txt")
    (tmp_path / "vocab.txt").write_text("hello\nworld\n")
    with pytest.raises(UserError, match=r"vocab\.txt: this vocabulary lacks \[PAD\], \[UNK\]"):
        load(tmp_path)
    (tmp_path / "vocab.json").write_text("not json")
    with pytest.raises(UserError, match=r"vocab\.json: not a vocabulary: not JSON"):
        bpe("gpt2", tmp_path / "vocab.json", tmp_path / "vocab.txt")


def test_without_the_hub_the_message_names_the_files(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"vocab\.json and merges\.txt of https://hugg.*gpt2"):
        hub("gpt2")
    with pytest.raises(UserError, match="choose from bert-base-uncased"):
        hub("klingon")


@real
@pytest.mark.parametrize(
    ("kind", "rows"), [("bert", 30_592), ("roberta", 50_304), ("gpt2", 50_304)]
)
def test_a_published_vocabulary_has_the_ids_that_plans_reckon_with(kind, rows):
    folder = Path(os.environ["GLM_HARNESS_DATA"]) / "vocab"
    if kind == "bert":
        special = bert(folder / "bert-base-uncased-vocab.txt").special
    else:
        special = bpe(kind, folder / f"{kind}-vocab.json", folder / f"{kind}-merges.txt").special
    assert special.size == IDS[kind] and special.padded == table_rows(IDS[kind]) == rows
    assert HUB[USUAL[kind]][1] == kind
    more = with_sentinels(special, 64)
    assert more.padded == table_rows(special.size, sentinels=64)
