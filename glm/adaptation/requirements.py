"""What each style asks of a task and needs of a model, so that what cannot be is refused early.

A task offers ways of asking (`Task.styles`: cloze, classifier, seq2seq, infill, lm, likelihood). A
pretraining says what its model can be asked (`Layout.serves`). A style joins one of each. Apart
from the styles themselves (`glm.adaptation.styles`), which need torch.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from glm.objectives.layout import Ask, Layout

# Finetuning settings that only some styles know; every style that is trained knows the others.
WRITING = ("label_smoothing", "target_length", "decoding.no_repeat_ngram")
SEARCHING = (*WRITING, "decoding.beams", "decoding.length_penalty", "decoding.min_length")
PARTICULAR = frozenset(
    (*SEARCHING, "decoding.max_length")
)  # `target_length` bounds what is written


@dataclass(frozen=True)
class Requirement:
    """One style: the way of asking that a task must offer, and what the model must serve."""

    asks: str  # one of the task's `styles`
    serves: Ask
    says: str  # in a line
    settings: tuple[str, ...] = ()  # those of `PARTICULAR` that it knows
    trained: bool = True

    def knows(self, setting: str) -> bool:
        """Whether a finetuning setting has any effect."""
        return self.trained and (setting not in PARTICULAR or setting in self.settings)

    @property
    def prompts(self) -> bool:
        """Whether examples may stand before its questions: what completes or fills, untrained."""
        return not self.trained and self.serves in ("completion", "one blank")

    @property
    def writes(self) -> bool:
        """Whether its answers are written out."""
        return "target_length" in self.settings


# In the order of preference where nothing is said.
REQUIREMENTS: Mapping[str, Requirement] = {
    "continuation": Requirement(
        "cloze", "completion", "candidates continue a text, and the text goes on after them"
    ),
    "cloze": Requirement(
        "cloze", "one blank", "candidates fill a blank, scored from left to right (GLM)"
    ),
    "bert-cloze": Requirement(
        "cloze", "masked tokens", "candidates fill a blank, a mask for each token (PET)"
    ),
    "classifier": Requirement(
        "classifier", "vector", "a linear layer on the vector of the whole input"
    ),
    "masked-seq2seq": Requirement(
        "seq2seq",
        "masked target",
        "one blank is written out, each token in place of a mask",
        SEARCHING,
    ),
    "seq2seq": Requirement(
        "seq2seq", "one blank", "one blank is written out, from left to right", SEARCHING
    ),
    "infill": Requirement(
        "infill", "many blanks", "all blanks of a document are written out", WRITING
    ),
    "bert-infill": Requirement(
        "infill",
        "masked tokens",
        "all blanks are filled, their lengths being given",
        ("label_smoothing",),
    ),
    "lm": Requirement(
        "lm", "continuation", "a text's likelihood, without finetuning", trained=False
    ),
    "untrained-continuation": Requirement(
        "cloze", "completion", "as continuation, of the pretrained model as it is", trained=False
    ),
    "untrained-cloze": Requirement(
        "cloze", "one blank", "as cloze, of the pretrained model as it is", trained=False
    ),
    "untrained-bert-cloze": Requirement(
        "cloze", "masked tokens", "as bert-cloze, of the pretrained model as it is", trained=False
    ),
    "likelihood": Requirement(
        "likelihood",
        "continuation",
        "which of two texts is likelier, read from left to right, without finetuning",
        trained=False,
    ),
    "likelihood-bound": Requirement(
        "likelihood",
        "likelihood bound",
        "which of two texts has the higher bound on its likelihood, without finetuning",
        trained=False,
    ),
    "pseudo-likelihood": Requirement(
        "likelihood",
        "masked tokens",
        "which of two texts is likelier, each token masked in turn, without finetuning",
        trained=False,
    ),
    "pseudo-lm": Requirement(
        "lm", "pseudo-likelihood", "each token of a text from all the others", trained=False
    ),
}


def of(name: str, style: object) -> Requirement:
    """What a style from outside needs: its `requirement`, or else what its name asks for."""
    return getattr(style, "requirement", Requirement(name, "one blank", "a plugin's style"))


def fitting(
    offered: Iterable[str], layout: Layout, styles: Mapping[str, Requirement] = REQUIREMENTS
) -> tuple[str, ...]:
    """The styles in which a task that offers `offered` can be put to a model, the best first."""
    ways = {styles[style].asks if style in styles else style for style in offered}
    return tuple(
        name
        for name, needed in styles.items()
        if needed.asks in ways and needed.serves in layout.serves
    )
