"""A model whose weights are no numbers answers nothing, whatever it is asked."""

import pytest
import torch

from glm.adaptation.styles import STYLES
from glm.models.transformer import Shape, build
from tasks.spec import Blank, Classify, Cloze, Compare, Continue, Generate, Part, Question
from tests.glm.numbers import TINY, number_tokenizer

TOKENIZER = number_tokenizer(TINY)
SHAPE = Shape(2, 32, 4, 64, positions=64, dropout=0.0, attention_dropout=0.0)
TEXT = (Part("10 11 12", "end"), Blank(), Part("13"))
CLOZE = Cloze("7", TEXT, ("20 21", "22"), (0,))
WRITING = Generate("7", TEXT, ("20 21",))
ASKED: dict[str, Question] = {
    **dict.fromkeys(("cloze", "bert-cloze", "continuation"), CLOZE),
    **dict.fromkeys(("untrained-cloze", "untrained-bert-cloze", "untrained-continuation"), CLOZE),
    "classifier": Classify("7", ((Part("10 11"),),), 2, ("no", "yes"), (0,)),
    "seq2seq": WRITING,
    "masked-seq2seq": WRITING,
    "infill": WRITING,
    "bert-infill": WRITING,
    **dict.fromkeys(("lm", "pseudo-lm"), Continue("7", "10 11 12 13")),
    **dict.fromkeys(
        ("likelihood", "likelihood-bound", "pseudo-likelihood"),
        Compare("7", ("10 11 12", "10 11 13"), (0,)),
    ),
}


def test_every_style_is_asked_here() -> None:
    assert set(ASKED) == set(STYLES)


@pytest.mark.parametrize("broken", [float("nan"), 1e30])
@pytest.mark.parametrize("name", ASKED)
def test_no_answer_follows_from_weights_that_are_no_numbers(name: str, broken: float) -> None:
    style, model, question = STYLES[name], build(SHAPE, 0), ASKED[name]
    head = style.head(SHAPE.hidden, [question])
    items = style.encode([question], TOKENIZER, 32)
    with torch.no_grad():
        for parameter in (*model.parameters(), *(head.parameters() if head else ())):
            parameter.fill_(broken)
    with pytest.raises(FloatingPointError, match="diverged"):
        style.answer(model, head, items, TOKENIZER)
