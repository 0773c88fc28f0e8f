"""Text to token ids and back, over the `tokenizers` library, with the original's special ids.

Three families, as in the original (its golden values are in tests/golden/17_tokenization.json):

    family   vocabulary            pad = eos  [CLS]  [MASK]  [START], [END]  task masks
    bert     WordPiece, lower-cased     0 *     101     103  30522, 30523    30524, 30525
    roberta  BPE, 50,265 pieces         2         0   50264  50265, 50266    -
    gpt2     BPE, 50,257 pieces     50256     50259   50260  50257, 50258    50263, 50264

(* of bert-base-uncased; a trained WordPiece has its own.) `[MASK]` written in a text is the mask
token, in every family; in the byte-level ones it swallows the white space on its left.
"""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, decoders, models, pre_tokenizers

from glm.data import wordpiece
from glm.data.special import Special, table_rows
from glm.data.vocabularies import HUB
from tasks.errors import UserError
from tasks.source import outside

START, END = "<|startofpiece|>", "<|endofpiece|>"
TASK_MASKS = ("[gMASK]", "[sMASK]")
WORDPIECE = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PUNCTUATION = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-"})
SENTENCE_END = frozenset(".?!。？！")
CLOSING = "\"')]”’"
WHAT = "a vocabulary"
MOST_PIECES = 2_000_000  # of a vocabulary: the largest that are published have 300,000


@dataclass(frozen=True)
class Tokenizer:
    """A vocabulary: `special` ids, text in, ids out. `digest` is its identity (16 hex digits)."""

    special: Special
    digest: str
    model: tokenizers.Tokenizer = field(repr=False, compare=False)

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, nothing added."""
        return self.model.encode(text, add_special_tokens=False).ids

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text; the fast way for many."""
        encoded = self.model.encode_batch_fast(list(texts), add_special_tokens=False)
        return [one.ids for one in encoded]

    def encode_parts(self, texts: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        """The ids of each text, which is given in parts, by part; joined, they are the text's own.

        A token that reaches over a border belongs to the part in which it ends: a space to the
        word that follows it.
        """
        joined = ["".join(parts) for parts in texts]
        encoded = self.model.encode_batch(joined, add_special_tokens=False) if joined else []
        found = []
        for parts, one in zip(texts, encoded, strict=True):
            ids, cuts = one.ids, [0]
            if len(parts) > 1:
                stops = [stop for _, stop in one.offsets]
                borders = accumulate(map(len, parts[:-1]))
                cuts += [bisect_right(stops, border) for border in borders]
            found.append([ids[begin:end] for begin, end in pairwise([*cuts, len(ids)])])
        return found

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens written out; padding rows of the table are nothing."""
        return self.model.decode(list(ids), skip_special_tokens=False)

    def save(self, folder: str | Path) -> None:
        """Write `tokenizer.json` and `special.json` for `load`."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        (path / "tokenizer.json").write_text(self.model.to_str(pretty=True), encoding="utf-8")
        (path / "special.json").write_text(json.dumps(asdict(self.special), indent=1) + "\n")


def standardise(text: str) -> str:
    """`text` with curly quotes and en dashes made plain, as the original does to English text."""
    return text.translate(PUNCTUATION)


def load(path: str | Path) -> Tokenizer:
    """A tokenizer from what `save` wrote, from a `vocab.txt`, or a folder with vocabulary files."""
    path = Path(path)
    if (path / "tokenizer.json").is_file() and (path / "special.json").is_file():
        return _saved(path)
    if path.is_file() and path.suffix == ".txt":
        return bert(path)
    if (path / "vocab.txt").is_file():
        return bert(path / "vocab.txt")
    if (path / "vocab.json").is_file() and (path / "merges.txt").is_file():
        kind = "roberta" if "<mask>" in _numbered(path / "vocab.json") else "gpt2"
        return bpe(kind, path / "vocab.json", path / "merges.txt")
    raise UserError(
        f"{path}: no tokenizer here. Give a folder with tokenizer.json and special.json (as "
        "`save` writes), with vocab.txt (BERT), or with vocab.json and merges.txt (RoBERTa, GPT-2)."
    )


def bert(vocab: str | Path, *, task_masks: bool = False) -> Tokenizer:
    """BERT's lower-cased WordPiece from its `vocab.txt`; `task_masks` adds [gMASK] and [sMASK].

    For sentinels see `glm.data.special.with_sentinels`.
    """
    pieces = list(outside.lines(Path(vocab), WHAT, MOST_PIECES))
    seen: dict[str, int] = {}
    for number, piece in enumerate(pieces, start=1):
        if seen.setdefault(piece, number) != number:
            raise UserError(f"{vocab}:{number}: {piece[:80]!r} is on line {seen[piece]} already")
    return _wordpiece(pieces, Path(vocab), task_masks=task_masks)


def train_wordpiece(texts: Iterable[str], size: int, *, task_masks: bool = False) -> Tokenizer:
    """A lower-cased WordPiece of at most `size` ids, all special ones counted, from `texts`.

    The same texts give the same bytes. They are read twice (a one-shot iterator is kept in memory
    for that). A pair of pieces is merged only if it occurs twice; the 1,000 most frequent
    characters are in the vocabulary, alone and as a continuation.
    """
    added = 2 + 2 * task_masks
    lines = wordpiece.train(texts, size - added, WORDPIECE)
    if len(lines) + added > size:
        raise UserError(
            f"a WordPiece of {size} ids cannot hold the characters of these texts and the special "
            f"ids: ask for at least {len(lines) + added} ids"
        )
    return _wordpiece(lines, Path("the trained vocabulary"), task_masks=task_masks)


def bpe(kind: str, vocab: str | Path, merges: str | Path, *, task_masks: bool = False) -> Tokenizer:
    """RoBERTa's or GPT-2's byte-level BPE (`kind` "roberta" or "gpt2") from its two files.

    RoBERTa has its own `<s>`, `</s>`, `<unk>` and `<mask>`; GPT-2's ids for [CLS], [MASK], [SEP]
    and [UNK] come after its vocabulary. Only GPT-2's has task masks.
    """
    if kind not in ("roberta", "gpt2"):
        raise UserError(f"BPE vocabulary {kind!r}: choose roberta or gpt2")
    if kind == "roberta" and task_masks:
        raise UserError("RoBERTa's vocabulary has no task masks: leave task_masks out")
    vocab, merges = Path(vocab), Path(merges)
    pieces, pairs = _numbered(vocab), list(_merges(merges))
    if kind == "roberta":
        pieces = {"[MASK]" if piece == "<mask>" else piece: i for piece, i in pieces.items()}
        names = {"eos": "</s>", "cls": "<s>", "sep": "</s>", "mask": "[MASK]", "unk": "<unk>"}
        added = [START, END]
    else:
        names = {"eos": "<|endoftext|>", "cls": "[CLS]", "mask": "[MASK]", "sep": "[SEP]"}
        names["unk"] = "[UNK]"
        added = [START, END, "[CLS]", "[MASK]", "[SEP]", "[UNK]", *TASK_MASKS[: 2 * task_masks]]
    with outside.parsing(merges, f"the merges of {vocab.name}"):
        model = tokenizers.Tokenizer(models.BPE(vocab=pieces, merges=pairs))
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = decoders.ByteLevel()
    _require(model, [name for name in names.values() if name not in added], vocab)
    # In the order of the original's ids; those in the vocabulary already keep theirs.
    swallow = ("[MASK]", *TASK_MASKS)
    names_added = [*added, *([] if "[MASK]" in added else ["[MASK]"])]
    model.add_special_tokens(
        [AddedToken(t, lstrip=t in swallow, normalized=False, special=True) for t in names_added]
    )
    return _finished(model, _special(model, names, task_masks=task_masks))


def hub(name: str, *, task_masks: bool = False) -> Tokenizer:
    """One of the published vocabularies, from the Hugging Face hub or its local cache."""
    if name not in HUB:
        raise UserError(f"no vocabulary {name!r}: choose from {', '.join(HUB)}, or give files")
    repository, kind = HUB[name]
    files = ("vocab.txt",) if kind == "bert" else ("vocab.json", "merges.txt")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        paths = [hf_hub_download(repository, file) for file in files]
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise UserError(
            f"cannot reach the Hugging Face hub for {repository} ({type(error).__name__}). Put "
            f"{' and '.join(files)} of https://huggingface.co/{repository} into a folder and give "
            "its path instead."
        ) from None
    if kind == "bert":
        return bert(paths[0], task_masks=task_masks)
    return bpe(kind, *paths, task_masks=task_masks)


def _wordpiece(lines: list[str], place: Path, *, task_masks: bool) -> Tokenizer:
    model = wordpiece.model({piece: i for i, piece in enumerate(lines)})
    _require(model, WORDPIECE, place)
    names = [*WORDPIECE, START, END, *TASK_MASKS[: 2 * task_masks]]
    model.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in names])
    named = {"eos": "[PAD]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]", "unk": "[UNK]"}
    return _finished(model, _special(model, named, task_masks=task_masks))


def _special(model: tokenizers.Tokenizer, names: dict[str, str], *, task_masks: bool) -> Special:
    """The ids; padding is the end of a document in every family."""
    ids = {name: _id(model, token) for name, token in names.items()}
    size = model.get_vocab_size()
    gmask, smask = (_id(model, mask) if task_masks else None for mask in TASK_MASKS)
    return Special(
        pad=ids["eos"],
        eos=ids["eos"],
        cls=ids["cls"],
        sep=ids["sep"],
        mask=ids["mask"],
        unk=ids["unk"],
        start=_id(model, START),
        end=_id(model, END),
        gmask=gmask,
        smask=smask,
        size=size,
        padded=table_rows(size),
        sentence_end=tuple(sorted(_sentence_ends(model))),
    )


def _sentence_ends(model: tokenizers.Tokenizer) -> Iterator[int]:
    """Ids of pieces that are full stops, question or exclamation marks, closing quotes allowed."""
    for piece, i in model.get_vocab().items():
        marks = piece.removeprefix("##").removeprefix("Ġ").rstrip(CLOSING)
        if marks and SENTENCE_END.issuperset(marks):
            yield i


def _id(model: tokenizers.Tokenizer, token: str) -> int:
    found = model.token_to_id(token)
    assert found is not None, token
    return found


def _require(model: tokenizers.Tokenizer, names: Iterable[str], place: Path) -> None:
    absent = [name for name in names if model.token_to_id(name) is None]
    if absent:
        raise UserError(f"{place}: this vocabulary lacks {', '.join(absent)}")


def _finished(model: tokenizers.Tokenizer, special: Special) -> Tokenizer:
    content = json.dumps([json.loads(model.to_str()), asdict(special)], sort_keys=True)
    return Tokenizer(special, hashlib.sha256(content.encode()).hexdigest()[:16], model)


def _saved(folder: Path) -> Tokenizer:
    """What `save` wrote, or somebody made to look like it."""
    path, beside = folder / "tokenizer.json", folder / "special.json"
    outside.json_value(path, dict, "a tokenizer")
    stored = outside.json_value(beside, dict, "a list of special ids")
    with outside.parsing(path, "a tokenizer"):
        model = tokenizers.Tokenizer.from_file(str(path))
    with outside.parsing(beside, "a list of special ids"):
        lists = {name: tuple(ids) for name, ids in stored.items() if isinstance(ids, list)}
        special = Special(**{**stored, **lists})
        _require_ids(special, model.get_vocab_size())
    return _finished(model, special)


def _require_ids(special: Special, pieces: int) -> None:
    """Raises ValueError for ids that a table of `special.padded` rows has not."""
    if not (_is_count(special.size) and _is_count(special.padded)):
        raise ValueError(f"{special.size!r} ids in {special.padded!r} rows")
    if not pieces <= special.size <= special.padded <= table_rows(MOST_PIECES):
        raise ValueError(f"{special.size} ids of {pieces} pieces in {special.padded} rows")
    for name, ids in asdict(special).items():
        for each in ids if isinstance(ids, tuple) else () if ids is None else (ids,):
            if not _is_count(each) or (each >= special.padded and name not in ("size", "padded")):
                raise ValueError(f"{name} is {each!r}, which is no id below {special.padded}")


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _numbered(path: Path) -> dict[str, int]:
    """A JSON vocabulary: every id from 0 on once."""
    pieces = outside.json_value(path, dict, WHAT)
    if len(pieces) > MOST_PIECES:
        raise UserError(f"{path}: {len(pieces):,} pieces, at most {MOST_PIECES:,}")
    named: dict[int, str] = {}
    for piece, i in pieces.items():
        if not _is_count(i) or i >= len(pieces) or i in named:
            raise UserError(
                f"{path}: the id of {piece[:80]!r} is {repr(i)[:80]}: ids of {len(pieces)} pieces "
                f"are 0 to {len(pieces) - 1}, each once"
            )
        named[i] = piece
    return pieces


def _merges(path: Path) -> Iterator[tuple[str, str]]:
    """The two pieces on each line of a BPE's list of merges."""
    for number, line in enumerate(outside.lines(path, "a list of merges", MOST_PIECES), start=1):
        parts = line.split()
        if line.startswith("#ver") or not parts:
            continue
        if len(parts) != 2:
            raise UserError(f"{path}:{number}: a merge is of two pieces, not {len(parts)}")
        yield parts[0], parts[1]
