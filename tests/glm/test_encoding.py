"""Questions as ids: the same as the text's own, whatever the vocabulary and the parts' borders."""

import os
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken
from tokenizers.implementations.byte_level_bpe import ByteLevelBPETokenizer

from glm.adaptation.cloze import ClozeStyle
from glm.adaptation.encoding import Piece, pieces, shorten, source
from glm.adaptation.infilling import InfillStyle
from glm.adaptation.masked_cloze import BertClozeStyle
from glm.data.tokenizer import Tokenizer, bert, bpe, train_wordpiece
from tasks.errors import UserError
from tasks.spec import Blank, Classify, Cloze, Continue, Generate, Part, Text
from tasks.wording import marked
from tests.tasks.prompts import asked

VOCABULARIES = Path(os.environ.get("GLM_HARNESS_DATA", "/nowhere"), "vocab")
REAL = pytest.mark.skipif(not VOCABULARIES.is_dir(), reason="GLM_HARNESS_DATA is not set")
ROOM = 10_000


def texts() -> Iterator[tuple[Text, bool]]:
    """Every text of every prompt, and whether a separator comes between its sides."""
    for questions in asked().values():
        for question in questions:
            match question:
                case Cloze() | Generate():
                    yield question.text, False
                case Classify():
                    yield from ((text, True) for text in question.inputs)


def spoken(text: Text) -> str:
    return "".join("[MASK]" if isinstance(part, Blank) else part.text for part in text)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tokenizer]:
    """Small vocabularies of the three kinds, with whole words of the prompts among their pieces."""
    corpus = sorted({spoken(text).replace("[MASK]", "") for text, _ in texts()}) * 2
    made = {"bert": train_wordpiece(corpus, 600)}
    specials = {"roberta": "<s> <pad> </s> <unk> <mask>", "gpt2": "<|endoftext|>"}
    for kind, names in specials.items():
        folder = tmp_path_factory.mktemp(kind)
        model = ByteLevelBPETokenizer()
        added: list[str | AddedToken] = [*names.split()]
        model.train_from_iterator(iter(corpus), 800, show_progress=False, special_tokens=added)
        model.save_model(str(folder))
        made[kind] = bpe(kind, folder / "vocab.json", folder / "merges.txt")
    return made


@cache
def real(kind: str) -> Tokenizer:
    if kind == "bert":
        return bert(VOCABULARIES / "bert-base-uncased-vocab.txt")
    files = (VOCABULARIES / f"{kind}-vocab.json", VOCABULARIES / f"{kind}-merges.txt")
    return bpe(kind, *files)


def assembled(text: Text, tokenizer: Tokenizer, separator: bool) -> list[int]:
    [parts] = pieces([text], tokenizer, separator=separator)
    return list(source(parts, tokenizer.special, ROOM, "q", separator=separator).tokens)


def whole(text: Text, tokenizer: Tokenizer, separator: bool) -> list[int]:
    """The ids of the text as one string, or of each side as one."""
    special = tokenizer.special
    if not separator:
        return [special.cls, *tokenizer.encode(spoken(text)), special.eos]
    sides = [spoken(tuple(parts)) for _, parts in groupby(text, key=lambda part: part.side)]
    first, *rest = map(tokenizer.encode, sides)
    return [special.cls, *first, *(i for ids in rest for i in [special.sep, *ids]), special.eos]


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2"])
def test_a_prompts_ids_are_those_of_its_text(kind: str, trained: dict[str, Tokenizer]) -> None:
    for text, separator in texts():
        found = assembled(text, trained[kind], separator)
        assert found == whole(text, trained[kind], separator), spoken(text)


@REAL
@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2"])
def test_a_prompts_ids_are_those_of_its_text_in_the_published_vocabularies(kind: str) -> None:
    for text, separator in texts():
        found = assembled(text, real(kind), separator)
        assert found == whole(text, real(kind), separator), spoken(text)


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2"])
def test_a_text_to_be_scored_is_cut_where_no_token_crosses(
    kind: str, trained: dict[str, Tokenizer]
) -> None:
    encode = trained[kind].encode
    for questions in asked().values():
        for question in questions:
            if isinstance(question, Continue) and question.context:
                apart = encode(question.context) + encode(question.target)
                assert apart == encode(question.context + question.target)


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2"])
def test_a_document_in_words_reads_as_the_document_in_parts(
    kind: str, trained: dict[str, Tokenizer]
) -> None:
    tokenizer = trained[kind]
    for name, questions in asked().items():
        if name.startswith("yahoo infill"):
            documents = [question for question in questions if isinstance(question, Generate)]
            assert documents
            for item in InfillStyle().encode(documents, tokenizer, 256):
                given, known = item.plan
                assert known.shown(tokenizer.special).tokens == given.tokens


def test_a_word_keeps_its_space_where_a_part_ends_in_one(trained: dict[str, Tokenizer]) -> None:
    tokenizer = trained["gpt2"]
    text = (Part("Question: ", cut="end"), Part("it", cut="end"), Part("? "), Blank(), Part("."))
    [parts] = pieces([text], tokenizer)
    assert [tokenizer.decode(part.ids or []) for part in parts] == [
        "Question:",
        " it",
        "?",
        "",
        ".",
    ]


def test_wordpieces_are_the_same_part_by_part(trained: dict[str, Tokenizer]) -> None:
    tokenizer = trained["bert"]
    for text, separator in texts():
        [parts] = pieces([text], tokenizer, separator=separator)
        alone = [None if isinstance(p, Blank) else tokenizer.encode(p.text) for p in text]
        assert [part.ids for part in parts] == alone, spoken(text)


def test_a_marked_word_is_found_in_what_is_left_of_a_text(trained: dict[str, Tokenizer]) -> None:
    text = "tea in Assam and in Assam again, by hand, by hand, by hand"
    words = {1: (7, 12), 2: (20, 25)}
    for kind, tokenizer in trained.items():
        [parts] = pieces([tuple(marked(text, words))], tokenizer)
        for room in (100, 14):
            given = source(parts, tokenizer.special, room, "q")
            spelled = [
                tokenizer.decode([given.tokens[i] for i in word]).strip() for word in given.words
            ]
            assert spelled == ["assam" if kind == "bert" else "Assam"] * 2, (kind, room)


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=6)


@given(texts=st.lists(st.lists(words, min_size=1, max_size=5), max_size=3))
def test_no_border_between_parts_changes_a_text(
    texts: list[list[str]], trained: dict[str, Tokenizer]
) -> None:
    for tokenizer in trained.values():
        for parts, ids in zip(texts, tokenizer.encode_parts(texts), strict=True):
            assert len(ids) == len(parts)
            assert [i for part in ids for i in part] == tokenizer.encode("".join(parts))


# ---- shortening


def one_by_one(lengths: list[int], parts: list[Piece], excess: int) -> list[int] | None:
    """The rule as GLM and PET apply it, a token at a time."""
    kept = list(lengths)
    for _ in range(excess):
        free = {
            side: [i for i, p in enumerate(parts) if p.cut and p.side == side and kept[i]]
            for side in "ab"
        }
        count = {side: sum(kept[i] for i in free[side]) for side in free}
        if count["a"] or count["b"]:
            kept[free["a" if count["a"] > count["b"] else "b"][-1]] -= 1
            continue
        longest = max(range(len(kept)), key=lambda i: (kept[i], i), default=-1)
        if longest < 0 or not kept[longest]:
            return None
        kept[longest] -= 1
    return kept


@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.sampled_from("ab")), max_size=6),
    st.integers(0, 40),
)
def test_shortening_at_once_is_shortening_token_by_token(
    made: list[tuple[int, bool, str]], excess: int
) -> None:
    lengths = [length for length, _, _ in made]
    parts = [Piece([0] * length, "end" * cut, side) for length, cut, side in made]
    assert shorten(lengths, parts, excess) == one_by_one(lengths, parts, excess)


def test_a_candidate_without_a_token_is_named(trained: dict[str, Tokenizer]) -> None:
    question = Cloze("7", (Part("tea"), Blank()), ("Bob", "\u200b"))
    for style in (ClozeStyle(), BertClozeStyle()):
        with pytest.raises(UserError, match=r"question 7: the candidate .* has no token"):
            style.encode([question], trained["bert"], 64)
