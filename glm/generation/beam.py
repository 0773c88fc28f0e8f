"""Writing what fills a blank: beam search and greedy filling, incrementally and in batches.

Both are deterministic. Beam search keeps `beams` unfinished answers per source and looks at the
best `2 * beams` continuations of them in every step, as the original and most others do. `fill`
is greedy and writes several blanks of a document left to right in one pass: an end token moves on
to the next blank, whose start token is fed with that blank's position.

Shape suffixes: S sources, K beams, R = S * K rows, U tokens written, C = 2 * K candidates,
H hidden, V vocabulary.
"""

from collections.abc import Sequence as List
from dataclasses import dataclass
from typing import cast

import torch

from glm.generation.prompt import Prompt
from glm.models.backbone import Backbone, Cache
from glm.models.kv_cache import KeyValueCache


@dataclass(frozen=True)
class Search:
    """How an answer is looked for.

    `beams=1` is greedy. A finished answer scores the sum of its log-probabilities, the end token's
    included, over its length (end token not counted) to the power of `length_penalty`. The end
    token is not allowed before `min_length` tokens; no `ngram` tokens in a row occur twice in an
    answer (0: no such rule); `banned` ids are never written. At most `max_length` tokens, after
    which what was written counts as finished. `early` gives up on a source once no unfinished
    answer would win if it ended now, which misses longer ones that a positive penalty favours.

    With `mask` a token is predicted where it stands, as UniLM does it: a mask goes to the end of
    what is written, is read there, and gives way to the token that it stood for. There is no start
    token. Only models of our own are pretrained so, and only their caches can forget the mask.
    """

    end: int
    vocabulary: int
    max_length: int
    beams: int = 1
    length_penalty: float = 0.0
    min_length: int = 0
    ngram: int = 0
    banned: tuple[int, ...] = ()
    pad: int = 0
    early: bool = False
    mask: int | None = None


@dataclass(frozen=True)
class Found:
    """An answer's ids without the end token, and its score (see `Search`)."""

    tokens: tuple[int, ...]
    score: float


def log_probabilities(
    model: Backbone, hidden_RH: torch.Tensor, search: Search, end_R: torch.Tensor | None = None
) -> torch.Tensor:
    """log p over the real vocabulary, in fp32 at least; banned ids stay in the normaliser.

    A row's own end, `end_R`, is never banned. Raises `FloatingPointError` where a logit is no
    number, which makes its whole row so.
    """
    logits_RV = model.logits(hidden_RH)[:, : search.vocabulary]
    wide = logits_RV if logits_RV.dtype == torch.float64 else logits_RV.float()
    log_RV = wide.log_softmax(-1)
    if not log_RV[:, 0].isfinite().all():
        raise FloatingPointError("the model has diverged: a token's probability is no number")
    if search.banned:
        kept_R1 = None if end_R is None else log_RV.gather(1, end_R[:, None])
        log_RV[:, list(search.banned)] = -torch.inf
        if end_R is not None and kept_R1 is not None:
            log_RV.scatter_(1, end_R[:, None], kept_R1)
    return log_RV


def block_repeats(log_RV: torch.Tensor, written_RU: torch.Tensor, ngram: int) -> None:
    """Forbid, in place, every token that would repeat an n-gram of what its row has written."""
    length = written_RU.shape[1]
    if not ngram or length < ngram:
        return
    windows_RWn = written_RU.unfold(1, ngram, 1)
    tail_Rn = written_RU[:, length - ngram + 1 :]
    same_RW = (windows_RWn[:, :, :-1] == tail_Rn[:, None, :]).all(-1)
    row_X, window_X = same_RW.nonzero(as_tuple=True)
    log_RV[row_X, windows_RWn[row_X, window_X, -1]] = -torch.inf


def beam(model: Backbone, prompts: List[Prompt], search: Search) -> list[Found]:
    """The best answer to each prompt's first blank; call in evaluation mode, without gradients."""
    device = model.device
    limit = min(search.max_length, *(_room(model, p) for p in prompts))
    K = search.beams
    cache = model.prefill([p.source for p in prompts], search.pad, K * limit)
    alive = list(range(len(prompts)))
    finished: list[list[Found]] = [[] for _ in prompts]
    # One beam as yet: all of them would begin alike.
    written_SKU = torch.zeros((len(prompts), 1, 0), dtype=torch.long, device=device)
    tokens_SK = torch.tensor([p.starts[:1] for p in prompts], device=device)
    sums_SK = torch.zeros(tokens_SK.shape, device=device, dtype=_wide(model))
    for used in range(limit):
        reading = (model, cache, tokens_SK, [prompts[i] for i in alive], used)
        if search.mask is None:
            hidden_RH = _step(*reading)
        else:
            hidden_RH = _step_masked(*reading, search.mask)
        log_RV = log_probabilities(model, hidden_RH, search)
        if used < search.min_length:
            log_RV[:, search.end] = -torch.inf
        block_repeats(log_RV, written_SKU.flatten(0, 1), search.ngram)
        best_SC, beam_SC, token_SC = _continuations(sums_SK, log_RV, 2 * K)
        ends_SC = token_SC == search.end
        _finish(finished, alive, written_SKU, best_SC, beam_SC, ends_SC, search)
        keep_SK = ends_SC.int().argsort(dim=1, stable=True)[:, :K]  # unfinished ones, best first
        sums_SK = best_SC.gather(1, keep_SK).masked_fill(ends_SC.gather(1, keep_SK), -torch.inf)
        tokens_SK, origin_SK = token_SC.gather(1, keep_SK), beam_SC.gather(1, keep_SK)
        past_SKU = written_SKU.take_along_dim(origin_SK[:, :, None], 1)
        written_SKU = torch.cat([past_SKU, tokens_SK[:, :, None]], 2)
        cache.reorder(origin_SK)
        going = _going(finished, alive, sums_SK[:, 0].tolist(), used + 1, limit, search)
        if len(going) < len(alive):
            kept_S = torch.tensor(going, dtype=torch.long, device=device)
            cache.keep(kept_S)
            alive = [alive[i] for i in going]
            sums_SK, tokens_SK = sums_SK[kept_S], tokens_SK[kept_S]
            written_SKU = written_SKU[kept_S]
        if not alive:
            break
    for s, i in enumerate(alive):
        for k, total in enumerate(sums_SK[s].tolist()):
            if total > -torch.inf:
                finished[i].append(_found(written_SKU[s, k], total, search))
    return [max(found, key=lambda f: f.score) if found else Found((), 0.0) for found in finished]


def _step(
    model: Backbone, cache: Cache, tokens_SK: torch.Tensor, prompts_S: List[Prompt], at: int
) -> torch.Tensor:
    """hidden_RH of a token of every beam, `at` tokens into the answers."""
    places = [p.place(0, at, at) for p in prompts_S for _ in range(tokens_SK.shape[1])]
    position_R, inner_R = torch.tensor(places, device=model.device).T
    return model.step(cache, tokens_SK.flatten(), position_R, inner_R)


def _step_masked(
    model: Backbone,
    cache: Cache,
    tokens_SK: torch.Tensor,
    prompts_S: List[Prompt],
    at: int,
    mask: int,
) -> torch.Tensor:
    """hidden_RH of a mask behind what is written, which the cache forgets again."""
    if at:
        _step(model, cache, tokens_SK, prompts_S, at - 1)
    hidden_RH = _step(model, cache, torch.full_like(tokens_SK, mask), prompts_S, at)
    cast(KeyValueCache, cache).forget()
    return hidden_RH


def _wide(model: Backbone) -> torch.dtype:
    return torch.float64 if model.dtype == torch.float64 else torch.float32


def _room(model: Backbone, prompt: Prompt) -> int:
    """Tokens of Part B for which the position tables have rows."""
    last = model.rows - 1
    return last - max(prompt.at) + 1 if prompt.grows else last


def _found(written_U: torch.Tensor, total: float, search: Search) -> Found:
    tokens = tuple(written_U.tolist())
    return Found(tokens, total / max(len(tokens), 1) ** search.length_penalty)


def _continuations(sums_SK: torch.Tensor, log_RV: torch.Tensor, count: int):
    """The best `count` (or all) continuations of each source, best first: (S, C) each.

    Returns their sums, which beam they continue, and with which token. The best of a source are
    among the best of each of its beams, which are cheaper to find.
    """
    S, K = sums_SK.shape
    each_RC, token_RC = log_RV.topk(min(count, log_RV.shape[1]))
    C = each_RC.shape[1]
    total_SX = (sums_SK[:, :, None] + each_RC.view(S, K, C)).flatten(1)
    best_SC, index_SC = total_SX.topk(min(count, total_SX.shape[1]))
    return best_SC, index_SC // C, token_RC.view(S, K * C).gather(1, index_SC)


def _finish(finished, alive, written_SKU, best_SC, beam_SC, ends_SC, search: Search) -> None:
    """Collect the answers that end here and are among the best `beams` candidates."""
    good_SC = ends_SC & torch.isfinite(best_SC)
    good_SC[:, search.beams :] = False
    for s, c in good_SC.nonzero().tolist():
        row = written_SKU[s, int(beam_SC[s, c])]
        finished[alive[s]].append(_found(row, float(best_SC[s, c]), search))


def _going(finished, alive, best_S: List[float], length: int, limit: int, search: Search):
    """Numbers of the sources whose best unfinished answer may still beat the best finished one.

    A sum of log-probabilities only falls. Divided by a growing length it may still rise, to what
    it would be at the greatest length; with `early` it is compared at the present length.
    """
    grows = search.length_penalty > 0 and not search.early
    at = (limit if grows else length) ** search.length_penalty
    return [
        s
        for s, (i, best) in enumerate(zip(alive, best_S, strict=True))
        if best > -torch.inf and not any(f.score >= best / at for f in finished[i])
    ]


@dataclass
class _Filling:
    """How far the blanks of one prompt are filled; `token` is what is fed next."""

    prompt: Prompt
    answers: list[Found]
    blank: int = 0
    inside: int = 0  # tokens fed of this blank's answer
    token: int = 0

    @classmethod
    def of(cls, prompt: Prompt) -> "_Filling":
        return cls(prompt, [Found((), 0.0) for _ in prompt.at], token=(*prompt.starts, 0)[0])

    @property
    def going(self) -> bool:
        return self.blank < len(self.prompt.at)

    def end(self, search: Search) -> int:
        """The token that ends this blank's answer."""
        return self.prompt.ends[self.blank] if self.prompt.ends else search.end

    def write(self, chosen: int, score: float, ends: bool, deepest: int) -> None:
        """Take the token that was chosen, and go on to the next blank where it ends this one."""
        old = self.answers[self.blank]
        tokens = old.tokens if ends else (*old.tokens, chosen)
        self.answers[self.blank] = Found(tokens, old.score + score)
        full = not self.prompt.grows and self.inside + 1 > deepest
        if ends or full:
            self.blank, self.inside = self.blank + 1, 0
            self.token = self.prompt.starts[self.blank] if self.going else 0
        else:
            self.inside, self.token = self.inside + 1, chosen


def fill(model: Backbone, prompts: List[Prompt], search: Search) -> list[list[Found]]:
    """Greedy answers to all blanks of each prompt, left to right, one pass over the source.

    `search.max_length` counts all tokens fed, start tokens included; blanks not reached by then
    stay empty. The n-gram rule holds over everything written, start tokens included. Call in
    evaluation mode, without gradients.
    """
    device = model.device
    limit = min(search.max_length, *(_room(model, p) for p in prompts if p.grows), 1 << 30)
    cache = model.prefill([p.source for p in prompts], search.pad, limit)
    fillings = [_Filling.of(prompt) for prompt in prompts]
    alive = [filling for filling in fillings if filling.going]
    if len(alive) < len(prompts):
        going = [i for i, filling in enumerate(fillings) if filling.going]
        cache.keep(torch.tensor(going, dtype=torch.long, device=device))
    stream_RU = torch.zeros((len(alive), 0), dtype=torch.long, device=device)
    deepest = model.rows - 2  # tokens of one blank for which there are inner positions
    for used in range(limit):
        if not alive:
            break
        places = [f.prompt.place(f.blank, used, f.inside) for f in alive]
        position_R, inner_R = torch.tensor(places, device=device).T
        tokens_R = torch.tensor([f.token for f in alive], device=device)
        stream_RU = torch.cat([stream_RU, tokens_R[:, None]], 1)
        end_R = torch.tensor([f.end(search) for f in alive], device=device)
        hidden_RH = model.step(cache, tokens_R, position_R, inner_R)
        log_RV = log_probabilities(model, hidden_RH, search, end_R)
        early_R = torch.tensor([f.inside < search.min_length for f in alive], device=device)
        log_RV[early_R, end_R[early_R]] = -torch.inf
        block_repeats(log_RV, stream_RU, search.ngram)
        best_R, next_R = log_RV.max(-1)
        chosen = zip(next_R.tolist(), best_R.tolist(), (next_R == end_R).tolist(), strict=True)
        for filling, (token, score, ends) in zip(alive, chosen, strict=True):
            filling.write(token, score, ends, deepest)
        going = [r for r, filling in enumerate(alive) if filling.going]
        if len(going) < len(alive):
            kept_R = torch.tensor(going, dtype=torch.long, device=device)
            cache.keep(kept_R)
            stream_RU, alive = stream_RU[kept_R], [alive[r] for r in going]
    return [filling.answers for filling in fillings]
