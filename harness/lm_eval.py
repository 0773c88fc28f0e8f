"""Our checkpoints as a model of `lm-eval`: its tasks, asked of what a store holds.

    python -m harness.lm_eval run --model glm_harness \\
        --model_args store=store,step=glm-large-small-s0 --tasks lambada_openai
    python -m harness.lm_eval run --model glm_harness --model_args checkpoint=PATH --tasks blimp

The program is `lm-eval`'s own with one more model. In Python: `register()` makes the name known, or
a `Harness(...)` is given to `lm_eval.simple_evaluate` as it is. A text is scored by the model's own
likelihood of it, from left to right; GLM continues a text in a blank at its end.
"""

import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import torch

from glm.adaptation.comparison import ComparisonStyle
from glm.adaptation.encoding import Source
from glm.adaptation.likelihood import LanguageStyle, likelihoods
from glm.adaptation.seq2seq import prompt, unwritten
from glm.data.sequences import Sequence as Row
from glm.data.sequences import sequence
from glm.generation.beam import Search, beam
from glm.generation.prompt import Prompt
from glm.models.huggingface.checkpoint import locate
from glm.training.device import device_of
from glm.training.opening import opened
from harness.export import found
from tasks.errors import UserError

try:
    from lm_eval.api.instance import Instance  # pyright: ignore[reportMissingImports]
    from lm_eval.api.model import LM  # pyright: ignore[reportMissingImports]
    from lm_eval.api.registry import register_model  # pyright: ignore[reportMissingImports]
    from lm_eval.utils import (  # pyright: ignore[reportMissingImports]
        get_rolling_token_windows,
        make_disjoint_window,
    )
except ImportError as error:
    MISSING = f"lm-eval is not here ({error}): pip install 'lm-eval>=0.4.13'"
    if __name__ == "__main__":
        print(MISSING, file=sys.stderr)
        sys.exit(2)
    raise ImportError(MISSING) from error

NAME = "glm_harness"
SPECIAL = 4  # positions kept free of a text: what opens and closes it, and the blank
WRITTEN = 256  # tokens of an answer where the task sets no bound
TOGETHER = 16  # answers that are written at once


class Harness(LM):
    """A pretraining of a store (`store`, `step`) or any `checkpoint` as `lm-eval` asks it.

    `batch_size` and `max_batch_size` come from its command line: texts are read by positions here,
    whatever their number.
    """

    def __init__(
        self,
        store: str = "store",
        step: str = "",
        checkpoint: str = "",
        revision: str = "",
        device: str | None = None,
        batch_size: int | str | None = None,
        max_batch_size: int | None = None,
    ) -> None:
        super().__init__()
        if bool(step) == bool(checkpoint):
            raise UserError("name a `step` of the `store`, or a `checkpoint`")
        name = step or checkpoint
        path = found(step, Path(store), "pretrain") if step else locate(checkpoint, revision)[0]
        given = opened(path, device_of(device or "auto"), name=name, revision=revision)
        self.network, self.texts, self.layout = given.model.eval(), given.tokenizer, given.layout
        if "continuation" not in self.layout.serves:
            raise UserError(
                f"{name} cannot be asked by lm-eval: that needs a model that continues a text, and "
                f"it can only be asked for {' or '.join(self.layout.serves)}"
            )
        self._device = self.network.device

    def loglikelihood(self, requests: Sequence[Instance]) -> list[tuple[float, bool]]:
        """The log-likelihood in nats of each continuation, and whether greedy decoding writes it.

        What two texts share is tokenised as the whole is, so that a continuation's first token is
        the one that it has in its place. A context that is too long loses its beginning.
        """
        pairs = [request.args for request in requests]
        contexts = self.texts.encode_batch([context for context, _ in pairs])
        wholes = self.texts.encode_batch([context + more for context, more in pairs])
        rows = []
        for given, whole in zip(contexts, wholes, strict=True):
            wanted = whole[len(given) :]
            room = self.network.positions - SPECIAL - len(wanted)
            if room < 0 or not wanted:
                raise UserError(
                    f"a continuation of {len(wanted)} tokens cannot be scored: there are "
                    f"{self.network.positions} positions"
                )
            rows.append(self._row(whole[max(0, len(given) - room) : len(given)], wanted))
        return likelihoods(self.network, rows, self.texts.special)

    def loglikelihood_rolling(self, requests: Sequence[Instance]) -> list[float]:
        """The log-likelihood in nats of each text, in `lm-eval`'s own windows."""
        rows, counts = [], []
        for ids in self.texts.encode_batch([request.args[0] for request in requests]):
            longest = self.network.positions - SPECIAL
            windows = get_rolling_token_windows(list(ids), self.texts.special.cls, longest, 1)
            for number, window in enumerate(windows):
                given, wanted = make_disjoint_window(window)
                rows.append(self._row(given if number else [], wanted))
            counts.append(len(rows))
        logs = [log for log, _ in likelihoods(self.network, rows, self.texts.special)]
        return [sum(logs[a:b]) for a, b in zip([0, *counts], counts)]

    def generate_until(self, requests: Sequence[Instance]) -> list[str]:
        """What the model writes greedily after each context, up to what is not to be written."""
        if self.layout.blanks == "rewritten":
            raise UserError("this model writes a whole text anew: it cannot go on with one")
        answers = []
        for options, alike in groupby(requests, key=lambda request: dict(request.args[1])):
            if options.get("do_sample"):
                raise UserError("glm_harness writes greedily: leave `do_sample` out")
            until = options.get("until") or []
            bounds = [until] if isinstance(until, str) else until
            length = int(options.get("max_gen_toks") or WRITTEN)
            texts = [request.args[0] for request in alike]
            for at in range(0, len(texts), TOGETHER):
                answers += [
                    _up_to(text, bounds) for text in self._write(texts[at : at + TOGETHER], length)
                ]
        return answers

    def _row(self, given: Sequence[int], wanted: Sequence[int]) -> Row:
        """`wanted` as what is predicted after `given`, or as a text of its own."""
        special = self.texts.special
        if not given:
            return ComparisonStyle(self.layout).written(list(wanted), special)
        rest = [*given[1:], *wanted]
        return LanguageStyle(self.layout).row(given[:1], rest, len(given) - 1, special, end=True)

    @torch.inference_mode()
    def _write(self, texts: Sequence[str], length: int) -> list[str]:
        special = self.texts.special
        room = self.network.positions - SPECIAL - 1
        length = min(length, room)
        encoded = self.texts.encode_batch(list(texts))
        prompts = [self._prompt(ids[max(0, len(ids) - (room - length)) :]) for ids in encoded]
        banned = unwritten(special)
        search = Search(special.end, special.size, length, banned=banned, pad=special.pad)
        return [self.texts.decode(answer.tokens) for answer in beam(self.network, prompts, search)]

    def _prompt(self, ids: Sequence[int]) -> Prompt:
        """A context to be continued: its last token starts what a causal model writes, and others
        have a blank at its end."""
        special, layout = self.texts.special, self.layout
        if layout.kind != "causal":
            before = (*special.opens, *ids)
            ends = special.closes
            given = Source((*before, layout.mask(special, 0), *ends), (len(before),))
            return prompt(given, layout, special)
        tokens = [*special.opens, *ids]
        tokens = tokens if len(tokens) > 1 else [special.cls, *tokens]
        count = len(tokens) - 1
        source = sequence(tokens[:-1], range(count), [0] * count, [layout.source_branch] * count)
        return Prompt(source, (count,), (tokens[-1],), grows=True)


def _up_to(text: str, bounds: Sequence[str]) -> str:
    """The text before the first of the bounds."""
    for bound in filter(None, bounds):
        text = text.partition(bound)[0]
    return text


def register() -> None:
    """Make `glm_harness` a name of `lm-eval`'s models."""
    register_model(NAME)(Harness)


def main() -> int:
    """Run `lm-eval`'s program; returns the exit code."""
    from lm_eval.__main__ import cli_evaluate  # pyright: ignore[reportMissingImports]

    register()
    try:
        cli_evaluate()
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
