"""A Hugging Face tokenizer as ours, and how its model is asked: which ids mean what.

The ids before, between and after texts are read off what the tokenizer itself does to one text and
to two. What a model never saw (a [START], a [MASK] for a decoder) is not added: a decoder's answer
starts after a line break, T5's between its sentinels, BART's inside the text written anew.
"""

import hashlib
import json
import re
from dataclasses import asdict
from typing import Any, Literal

from tokenizers import normalizers

from glm.data.special import Special
from glm.data.tokenizer import Tokenizer
from glm.objectives.elsewhere import SERVES
from glm.objectives.layout import Layout
from tasks.errors import UserError

Kind = Literal["encoder", "decoder", "encoder-decoder"]
SENTINEL = re.compile(r"<extra_id_(\d+)>")


def adapted(fast: Any, config: Any, kind: Kind) -> tuple[Tokenizer, Layout]:
    """Our tokenizer and the layout of a model with this `transformers` tokenizer and config.

    Raises `UserError` for a tokenizer without `tokenizer.json` (a slow one).
    """
    model = getattr(fast, "backend_tokenizer", None)
    if model is None:
        raise UserError(
            f"{fast.name_or_path}: its tokenizer has no tokenizer.json; save it once with "
            "transformers' AutoTokenizer and a folder of its own"
        )
    model.no_truncation()
    model.no_padding()
    opening, between, closing = _frame(model)
    special, layout = {
        "encoder": _encoder,
        "decoder": _decoder,
        "encoder-decoder": _encoder_decoder,
    }[kind](fast, config, opening, between, closing)
    _without_double_spaces(model)
    content = json.dumps([json.loads(model.to_str()), asdict(special)], sort_keys=True)
    return Tokenizer(special, hashlib.sha256(content.encode()).hexdigest()[:16], model), layout


def _without_double_spaces(model: Any) -> None:
    """Where a tokenizer itself puts a space before a text (Llama 2), the text's own makes no second
    one: what fills a blank is given with the space before it."""
    stored = json.loads(model.to_str())["normalizer"]
    if stored is not None and '"Prepend"' in json.dumps(stored):
        model.normalizer = normalizers.Sequence([normalizers.Strip(right=False), model.normalizer])


def _frame(model: Any) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The ids that the tokenizer puts before a text, between two of them, and at the end."""
    bare = model.encode("a", add_special_tokens=False).ids
    one, two = model.encode("a").ids, model.encode("a", "a").ids
    size = len(bare)
    first = next((i for i in range(len(one)) if one[i : i + size] == bare), None)
    if first is None:
        return (), (), ()
    opening, closing = one[:first], one[first + size :]
    rest = two[first + size :]
    second = next((i for i in range(len(rest)) if rest[i : i + size] == bare), 0)
    return tuple(opening), tuple(rest[:second]), tuple(closing)


def _id(*candidates: int | None) -> int:
    """The first that there is."""
    return next(i for i in candidates if i is not None)


def _encoder(fast, config, opening, between, closing) -> tuple[Special, Layout]:
    end = _id(closing[-1] if closing else None, fast.sep_token_id, fast.eos_token_id)
    special = Special(
        pad=_id(fast.pad_token_id, end),
        eos=end,
        cls=_id(opening[0] if opening else None, fast.cls_token_id, end),
        sep=_id(fast.sep_token_id, end),
        mask=_id(fast.mask_token_id, fast.unk_token_id, end),
        unk=_id(fast.unk_token_id, end),
        start=end,  # an encoder writes nothing
        end=end,
        size=config.vocab_size,
        padded=config.vocab_size,
        opening=opening,
        between=between,
        closing=closing,
    )
    sides = getattr(config, "type_vocab_size", 0) > 1
    return special, Layout("prefix", serves=SERVES["encoder"], sides=sides)


def _decoder(fast, config, opening, between, closing) -> tuple[Special, Layout]:
    end = _id(fast.eos_token_id, fast.pad_token_id, fast.bos_token_id, 0)
    line = fast.backend_tokenizer.encode("\n", add_special_tokens=False).ids
    line_break = line[-1] if line else end
    special = Special(
        pad=_id(fast.pad_token_id, end),
        eos=end,
        cls=_id(opening[0] if opening else None, fast.bos_token_id, end),
        sep=line_break,
        mask=_id(fast.unk_token_id, end),  # never shown: see the layout
        unk=_id(fast.unk_token_id, end),
        start=line_break,
        end=end,
        size=config.vocab_size,
        padded=config.vocab_size,
        opening=opening,
        between=(line_break,),
        closing=(),
    )
    return special, Layout("causal", blanks="left out", serves=SERVES["decoder"])


def _encoder_decoder(fast, config, opening, between, closing) -> tuple[Special, Layout]:
    end = _id(fast.eos_token_id, closing[-1] if closing else None)
    begin = _id(config.decoder_start_token_id, fast.pad_token_id, end)
    sentinels = _sentinels(fast)
    start = begin if sentinels or not opening else opening[0]
    special = Special(
        pad=_id(fast.pad_token_id, end),
        eos=end,
        cls=_id(opening[0] if opening else None, end),
        sep=_id(fast.sep_token_id, end),
        mask=_id(sentinels[0] if sentinels else None, fast.mask_token_id, fast.unk_token_id, end),
        unk=_id(fast.unk_token_id, end),
        start=start,
        end=end,
        sentinel_masks=sentinels,
        sentinel_starts=sentinels,
        size=config.vocab_size,
        padded=config.vocab_size,
        opening=opening,
        between=between,
        closing=closing,
    )
    if sentinels:
        return special, Layout("pair", blanks="spans", opening=(begin,), serves=SERVES["sentinels"])
    serves = SERVES["rewriting"]
    first = (begin,) if opening else ()
    return special, Layout("pair", blanks="rewritten", opening=first, serves=serves)


def _sentinels(fast: Any) -> tuple[int, ...]:
    """T5's sentinels in the order of their numbers."""
    numbered = {
        int(found[1]): i
        for token, i in fast.get_vocab().items()
        if (found := SENTINEL.fullmatch(token))
    }
    return tuple(numbered[number] for number in sorted(numbered))
