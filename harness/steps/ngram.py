"""The step that asks n-gram models of the pretraining text what language models are asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from glm.data import tokenizer as tokens
from glm.data.stream import TokenStream
from glm.data.tokenizer import Tokenizer
from glm.models import ngram
from glm.models.ngram import Ngrams
from harness.code import catalogue
from harness.steps import predictions
from harness.steps.dataset import read_rows
from harness.steps.step import Work
from tasks.atomic import write_facts
from tasks.spec import Answer, Compare, Continue, How

LIKELIHOODS = ("lm", "likelihood")  # the ways of asking that an n-gram model can answer
ORDERS: Mapping[str, int] = {"unigram": 1, "5-gram": 5}  # floor -> n


@dataclass(frozen=True)
class Ngram:
    """The floors of a language modelling task: n-gram models over a pretraining's own tokens.

    They score what `glm.adaptation.likelihood` does: of a document every token but its first, of a
    passage its last word; of texts to be compared, as `glm.adaptation.comparison`, every token.
    """

    version: ClassVar[int] = 1
    uses: ClassVar[str] = "cpu"
    task: str
    split: str = "test"
    mode: str = "unidirectional"
    options: Mapping[str, Any] = field(default_factory=dict)
    limit: int = 10_000_000  # tokens of the corpus that are counted, in its first documents
    plugins: Mapping[str, str] = field(default_factory=dict)  # that decide: name -> fingerprint

    def run(self, work: Work) -> None:
        """Write FLOOR.parquet for every floor in ORDERS, and ngram.json."""
        task = catalogue.of_step(work.how).tasks[self.task]
        how = How(task.styles[0], False, 0, self.mode, options=self.options)
        rows = read_rows(work.inputs["dataset"] / f"{self.split}.jsonl")
        asked = [question for row in rows for question in task.ask(row, how)]
        continued = [q for q in asked if isinstance(q, Continue)]
        compared = [q for q in asked if isinstance(q, Compare)]
        tokenizer = tokens.load(work.inputs["tokenizer"])
        corpus = TokenStream.open(work.inputs["tokens"])
        facts: dict[str, Any] = {
            "tokens": min(len(corpus.tokens_L), self.limit),
            "of": len(corpus.tokens_L),
        }
        for floor, n in ORDERS.items():
            model = ngram.train(corpus, tokenizer.special.size, n, self.limit)
            facts[floor] = {"discounts": [order.discount for order in model.orders]}
            answers = _answers(model, continued, tokenizer) + _compared(model, compared, tokenizer)
            predictions.write(work.folder / f"{floor}.parquet", answers)
        write_facts(work.folder / "ngram.json", facts)
        work.log("predicted", split=self.split, questions=len(asked))

    def decided_by(self) -> tuple[tuple[str, str], ...]:
        """The task."""
        return (("tasks", self.task),)


def _answers(model: Ngrams, asked: Sequence[Continue], tokenizer: Tokenizer) -> list[Answer]:
    """What the model says to each question, in the sums that a language model's answers hold."""
    targets = tokenizer.encode_batch([question.target for question in asked])
    contexts = tokenizer.encode_batch([question.context for question in asked])
    answers = []
    for question, target, context in zip(asked, targets, contexts, strict=True):
        given = len(context) if question.context else min(1, len(target))
        whole = [*context, *target]
        values = {
            "nll": -float(model.log_probabilities(whole)[given:].sum()),
            "tokens": float(len(whole) - given),
            "bytes": float(len(question.target.encode())),
        }
        if question.context:
            chosen = (model.distribution(whole[:at]).argmax() for at in range(given, len(whole)))
            values["exact"] = float(all(a == b for a, b in zip(chosen, target, strict=True)))
        answers.append(Answer(id=question.id, values=values))
    return answers


def _compared(model: Ngrams, asked: Sequence[Compare], tokenizer: Tokenizer) -> list[Answer]:
    """Which of its texts the model finds likelier."""
    encoded = iter(tokenizer.encode_batch([text for question in asked for text in question.texts]))
    answers = []
    for q in asked:
        scores = [float(model.log_probabilities(next(encoded)).sum()) for _ in q.texts]
        choice = scores.index(max(scores))
        answers.append(Answer(q.id, q.group, q.texts, tuple(scores), choice=choice, gold=q.gold))
    return answers
