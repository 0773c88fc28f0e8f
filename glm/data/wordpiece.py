"""BERT's lower-cased WordPiece: the model over a vocabulary, and how a vocabulary is trained."""

from collections import Counter
from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

ALPHABET = 1000  # characters of a trained vocabulary
NORMALISE = normalizers.BertNormalizer(lowercase=True)
SPLIT = pre_tokenizers.BertPreTokenizer()


def model(vocabulary: dict[str, int]) -> Tokenizer:
    """A tokenizer that splits and normalises as BERT does and looks pieces up in `vocabulary`."""
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = NORMALISE
    tokenizer.pre_tokenizer = SPLIT
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    return tokenizer


def train(texts: Iterable[str], size: int, first: Sequence[str]) -> list[str]:
    """`size` pieces learnt from `texts`, beginning with `first`: the same texts, the same list.

    A pair is merged only if it occurs twice. The 1,000 most frequent characters are pieces, alone
    and inside words, even where that makes the list longer than `size`. The texts are read twice; a
    one-shot iterator is kept in memory for that.
    """
    texts = list(texts) if iter(texts) is texts else texts
    alphabet = _alphabet(texts)
    # The library numbers pieces inside words in the order of a hash map, and equally frequent
    # merges go by number. Given as special tokens, these pieces have their numbers beforehand.
    inside = [f"##{character}" for character in alphabet if _stands_inside(character)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=[*first, *inside],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    tokenizer = model({"[UNK]": 0})
    tokenizer.train_from_iterator(texts, trainer)
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


def _alphabet(texts: Iterable[str]) -> list[str]:
    """The most frequent characters of `texts` after normalising, in code point order."""
    raw: Counter[str] = Counter()
    for text in texts:
        raw.update(text)
    counts: Counter[str] = Counter()
    for character, count in raw.items():
        for plain in "".join(NORMALISE.normalize_str(character).split()):
            counts[plain] += count
    frequent = sorted(counts, key=lambda character: (-counts[character], character))
    return sorted(frequent[:ALPHABET])


def _stands_inside(character: str) -> bool:
    """Whether `character` can continue a word; punctuation is a word of its own."""
    return len(SPLIT.pre_tokenize_str(f"a{character}")) == 1
