"""A tokenizer whose words are their own ids, so that texts in tests are token ids."""

from dataclasses import dataclass

from glm.data.special import Special

BERT = Special(
    pad=0, eos=0, cls=101, sep=102, mask=103, unk=100, start=30522, end=30523,
    size=30524, padded=30592,
)  # fmt: skip
TINY = Special(pad=0, eos=0, cls=1, sep=2, mask=3, unk=4, start=60, end=61, size=64, padded=64)


@dataclass(frozen=True)
class Numbers:
    """Encodes "7 8 9" as [7, 8, 9]."""

    special: Special = TINY

    def encode(self, text: str) -> list[int]:
        return [int(word) for word in text.split()]

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        return [self.encode(text) for text in texts]

    def encode_parts(self, texts) -> list[list[list[int]]]:
        return [[self.encode(part) for part in parts] for parts in texts]

    def decode(self, ids) -> str:
        return " ".join(str(int(i)) for i in ids)
