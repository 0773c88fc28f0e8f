"""A tokenizer whose words are their own ids, so that texts in tests are token ids."""

import tokenizers
from tokenizers import models, pre_tokenizers

from glm.data.special import Special
from glm.data.tokenizer import Tokenizer

BERT = Special(
    pad=0, eos=0, cls=101, sep=102, mask=103, unk=100, start=30522, end=30523,
    size=30524, padded=30592,
)  # fmt: skip
TINY = Special(pad=0, eos=0, cls=1, sep=2, mask=3, unk=4, start=60, end=61, size=64, padded=64)


def number_tokenizer(special: Special) -> Tokenizer:
    """Encodes "7 8 9" as [7, 8, 9]; anything else than numbers below `special.size` is an error."""
    model = tokenizers.Tokenizer(models.WordLevel({str(i): i for i in range(special.size)}, "none"))
    model.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return Tokenizer(special, "numbers", model)
