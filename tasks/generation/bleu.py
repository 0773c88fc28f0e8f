"""Corpus BLEU by `sacrebleu`, and the two BLEUs that the GLM paper's tables were made with.

    sacrebleu   untokenised text, 13a tokens, case counts: comparable across papers
    multi-BLEU  Moses `multi-bleu.perl` on text that is tokenised already (Yahoo infilling)
    BLEU-4      the COCO caption tools' corpus BLEU on lower-cased tokens (question generation)

The last two are one formula: clipped n-gram counts over the corpus for n = 1..4, their geometric
mean, the brevity penalty against the closest reference length, no smoothing. The COCO tools add
1e-15 to counts and 1e-9 to totals, so where no 4-gram matches at all they print a tiny number and
multi-BLEU prints 0; elsewhere they agree to nine digits. nqg's script also pools the questions
that share a source sentence as references of the last one's prediction; here every question has
its own reference, as in the split of Du et al. (2017) with answers.
"""

from collections.abc import Sequence
from functools import partial

from tasks.generation.rouge import installed, written
from tasks.generation.text_repair import REPAIRS
from tasks.spec import Answer, Metric
from tasks.sums import Rows


def tokenised_bleu(name: str, repair: str, *, lower: bool = False) -> Metric:
    """multi-BLEU over the tokens that `repair` leaves; the same repair on both sides."""
    return Metric(
        name=name,
        statistics=partial(ngrams, repair=repair, lower=lower),
        combine="bleu",
        signature=f"bleu|{_signature('none', 'none', lower)}|repair:{repair or 'none'}",
    )


def sacre_bleu(name: str = "sacrebleu", *, lower: bool = False) -> Metric:
    """`sacrebleu` as its command line computes it: 13a tokens, exponential smoothing."""
    return Metric(
        name=name,
        statistics=partial(ngrams, lower=lower, tokens="13a"),
        combine="bleu-smoothed",
        signature=f"bleu|{_signature('13a', 'exp', lower)}",
    )


def ngrams(
    answers: Sequence[Answer], *, repair: str = "", lower: bool = False, tokens: str = "none"
) -> Rows:
    """What an answer adds to corpus BLEU: lengths, matched and all n-grams (see `sums.bleu`).

    `sacrebleu` counts. Raises `Absent` where there is no text or no reference.
    """
    from sacrebleu.metrics.bleu import BLEU

    mend = REPAIRS[repair]
    scorer = BLEU(lowercase=lower, tokenize=tokens, smooth_method="none", force=True)
    found = []
    for answer in answers:
        text, references = written(answer)
        score = scorer.corpus_score([mend(text)], [[mend(one)] for one in references])
        found.append((score.sys_len, score.ref_len, *score.counts, *score.totals))
    return [tuple(map(float, row)) for row in found]


def _signature(tokens: str, smooth: str, lower: bool) -> str:
    """sacrebleu's own signature; the number of references follows from the data set."""
    case = "lc" if lower else "mixed"
    return f"case:{case}|eff:no|tok:{tokens}|smooth:{smooth}|version:{installed('sacrebleu')}"
