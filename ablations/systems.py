"""Every system that can be pretrained, as a value: the paper's, and other objectives beside them.

A variant is an architecture at the paper's scale plus an objective. An ablation row is `replace`
of one field of its parent, so that what a row ablates can be read off its definition.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from ablations.settings import Activation, Amount, Size
from glm.objectives.blank_infilling import BlankInfilling
from glm.objectives.causal import Causal
from glm.objectives.denoising import Denoising
from glm.objectives.diffusion import MaskedDiffusion
from glm.objectives.gpt_bert import GPTBERT
from glm.objectives.masked_lm import MaskedLM
from glm.objectives.mixture import Mixture
from glm.objectives.objective import Objective
from glm.objectives.prefix_lm import PrefixLM
from glm.objectives.span_corruption import SpanCorruption
from glm.objectives.spans import Document, Geometric, Poisson, Sentences
from glm.objectives.unilm import UniLM

Column = Literal["base", "large", "roberta"]
Family = Literal["bert", "roberta"]


@dataclass(frozen=True)
class Checkpoint:
    """A model that was trained elsewhere: the name or path given, its commit, where it lies."""

    name: str
    revision: str
    path: str


@dataclass(frozen=True)
class Variant:
    """A pretrained system: its size in the paper, its objective, its vocabulary and its recipe.

    With a `decoder` it is an encoder of `layers` blocks and a decoder of so many. With a
    `checkpoint` it is not pretrained here, and what is said of its size means nothing.
    """

    name: str
    label: str
    objective: Objective
    layers: Annotated[Size, "Transformer blocks at the paper's scale"] = 24
    hidden: Annotated[Size, "hidden units at the paper's scale"] = 1024
    heads: Annotated[Size, "attention heads at the paper's scale"] = 16
    recipe: Annotated[Column, "which column of the pretraining settings"] = "large"
    vocabulary: Annotated[Family, "the vocabulary's family at the paper's scale"] = "bert"
    inner: Annotated[bool, "has a table for the second position dimension"] = True
    activation: Annotated[Activation, "the exact GELU or the original's tanh form"] = "gelu_tanh"
    checkpoint: Checkpoint | None = None
    decoder: Annotated[Amount, "blocks of a decoder, at the paper's scale"] = 0

    @property
    def short(self) -> str:
        """A name for folders: of a path its last part."""
        at_home = self.checkpoint is not None and not self.checkpoint.revision
        return self.name.rstrip("/").rpartition("/")[2] if at_home else self.name


SHORT = BlankInfilling(spans=Poisson())
DOCUMENT = BlankInfilling(spans=Document())
SENTENCES = BlankInfilling(spans=Sentences())
# "Short and long spans with equal chance" (GLM, section 2.2).
WITH_DOCUMENTS = Mixture(((1, SHORT), (1, DOCUMENT)))
WITH_SENTENCES = Mixture(((1, SHORT), (1, SENTENCES)))
# One blank that hides half of the text (MASS, Song et al. 2019). There the source has a mask for
# each hidden token; here, as everywhere, one for all of them.
HALF = BlankInfilling(spans=Document(least=0.5, most=0.5, suffix=0.0))
# UL2's three kinds of denoisers (Tay et al. 2023) with equal chance: regular, extreme, and
# sequential, which goes on with a text. All blanks look alike: no token says which kind it is.
DENOISERS = Mixture(
    (
        (1, SHORT),
        (1, BlankInfilling(spans=Poisson(mean=12.0, ratio=0.5))),
        (1, BlankInfilling(spans=Document(least=0.01, most=0.5, suffix=1.0))),
    )
)

GLM_LARGE = Variant("glm-large", "GLM Large", SHORT)
GLM_DOC = replace(GLM_LARGE, name="glm-doc", label="GLM Doc", objective=WITH_DOCUMENTS)
BERT_LARGE = replace(
    GLM_LARGE, name="bert-large", label="BERT Large", objective=MaskedLM(), inner=False
)
BASE = {"layers": 12, "hidden": 768, "heads": 12, "recipe": "base"}
# A block of a decoder has a third more weights than one of an encoder: these have as many
# parameters as 24 blocks (12 of Base) in one stack. FLOPs are matched by steps (`match: flops`).
TWO_STACKS = {"layers": 12, "decoder": 9}
TWO_STACKS_BASE = BASE | {"layers": 7, "decoder": 4}
T5_LARGE = replace(
    BERT_LARGE, name="t5-large", label="T5 Large", objective=SpanCorruption(), **TWO_STACKS
)


def _no_inner(objective: BlankInfilling) -> BlankInfilling:
    return replace(objective, inner_positions=False)


_ALL = (
    replace(BERT_LARGE, name="bert-base", label="BERT Base", **BASE),
    replace(GLM_LARGE, name="glm-base", label="GLM Base", **BASE),
    BERT_LARGE,
    # The authors' own BERT: the same Poisson spans as GLM, every chosen token replaced by [MASK].
    replace(
        BERT_LARGE,
        name="bert-large/reproduced",
        label="BERT Large (reproduced)",
        objective=MaskedLM(spans=Poisson(), masked=1.0, random=0.0),
    ),
    replace(BERT_LARGE, name="unilm-large", label="UniLM Large", objective=UniLM()),
    replace(BERT_LARGE, name="gpt-large", label="GPT Large", objective=Causal()),
    GLM_LARGE,
    GLM_DOC,
    replace(GLM_LARGE, name="glm-sent", label="GLM Sent", objective=WITH_SENTENCES),
    replace(GLM_DOC, name="glm-410m", label="GLM 410M", layers=30),
    replace(GLM_DOC, name="glm-515m", label="GLM 515M", layers=30, hidden=1152, heads=18),
    replace(
        GLM_LARGE, name="glm-roberta", label="GLM RoBERTa", recipe="roberta", vocabulary="roberta"
    ),
    replace(
        GLM_LARGE,
        name="glm-large/no-shuffle",
        label="GLM Large, no span shuffling",
        objective=replace(SHORT, shuffle=False),
    ),
    # Sentinels have two readings: their ids in Part A only, or the original code's full flag.
    replace(
        GLM_LARGE,
        name="glm-large/sentinels",
        label="GLM Large, sentinel tokens",
        objective=replace(SHORT, sentinels="full"),
    ),
    replace(
        GLM_LARGE,
        name="glm-large/sentinel-masks",
        label="GLM Large, sentinel masks in Part A",
        objective=replace(SHORT, sentinels="masks"),
    ),
    # "T5 is GLM without shuffling and with sentinels" (the caption of Table 6).
    replace(
        GLM_LARGE,
        name="glm-large/t5-like",
        label="GLM Large, no shuffling, sentinels",
        objective=replace(SHORT, shuffle=False, sentinels="full"),
    ),
    replace(
        GLM_LARGE,
        name="glm-large/no-2d",
        label="GLM Large, no second position",
        objective=_no_inner(SHORT),
    ),
    replace(
        GLM_DOC,
        name="glm-doc/no-2d",
        label="GLM Doc, no second position",
        objective=Mixture(((1, _no_inner(SHORT)), (1, _no_inner(DOCUMENT)))),
    ),
    # Not the paper's: what else the same model could be pretrained with. XLNet's permuted objective
    # is not among them: a token that is predicted must see those before it in the permutation and
    # not be seen by them, which one attention rule for a token's branch cannot say. BLM is not
    # either: it writes into blanks that move, which a batch with fixed positions cannot hold.
    replace(BERT_LARGE, name="prefix-lm-large", label="Prefix LM", objective=PrefixLM()),
    # BERT's objective with RoBERTa's vocabulary and recipe: at a reduced scale, which has one of
    # each for all systems, it is the very same pretraining as BERT Large's.
    replace(
        BERT_LARGE,
        name="roberta-large",
        label="RoBERTa Large",
        recipe="roberta",
        vocabulary="roberta",
    ),
    replace(
        BERT_LARGE,
        name="spanbert-large",
        label="SpanBERT Large, without its boundary objective",
        objective=MaskedLM(spans=Geometric(), together=True),
    ),
    replace(BERT_LARGE, name="gpt-bert-large", label="GPT-BERT", objective=GPTBERT()),
    replace(
        BERT_LARGE, name="diffusion-large", label="Masked diffusion", objective=MaskedDiffusion()
    ),
    replace(GLM_LARGE, name="glm-large/mass-like", label="GLM Large, like MASS", objective=HALF),
    replace(GLM_LARGE, name="glm-large/ul2-like", label="GLM Large, like UL2", objective=DENOISERS),
    # What the paper quotes of encoder-decoders, from scratch and as large as GLM.
    replace(T5_LARGE, name="t5-base", label="T5 Base", **TWO_STACKS_BASE),
    T5_LARGE,
    replace(T5_LARGE, name="bart-large", label="BART Large", objective=Denoising()),
    replace(GLM_LARGE, name="mass-large", label="MASS", objective=HALF, **TWO_STACKS),
    # T5's own way to be as large as one stack: about its FLOPs a token, and twice its parameters.
    replace(T5_LARGE, name="t5-large/deep", label="T5 Large, full depth", layers=24, decoder=24),
    # GLM's objective without GLM's one stack.
    replace(
        GLM_LARGE, name="glm-large/two-stacks", label="GLM Large, encoder-decoder", **TWO_STACKS
    ),
)

VARIANTS: Mapping[str, Variant] = {variant.name: variant for variant in _ALL}
