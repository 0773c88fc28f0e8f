"""ROUGE-L and METEOR as question generation reports them, with the COCO caption tools' settings.

Both read lower-cased PTB tokens. ROUGE-L is the mean over questions of an F-measure that favours
recall (beta 1.2), without stemming: another number than `rouge.py`'s. METEOR 1.5 is a Java
program with a paraphrase table; the optional package `pycocoevalcap` ships it. Where the package
or Java is missing the metric is absent, with the reason.
"""

import shutil
from collections.abc import Sequence
from functools import partial

from tasks.errors import Absent
from tasks.generation.rouge import installed, written
from tasks.generation.text_repair import REPAIRS
from tasks.spec import Answer, Metric
from tasks.sums import Rows, ones

BETA = 1.2


def rouge_l(name: str = "rgl", repair: str = "ptb-lower") -> Metric:
    """ROUGE-L as the COCO caption tools define it."""
    return Metric(
        name=name,
        statistics=partial(recall_f, repair=repair),
        signature=f"rougeL|beta:{BETA}|stem:no|sentence-mean|repair:{repair or 'none'}|version:1",
    )


def meteor(name: str = "mtr", repair: str = "ptb-lower") -> Metric:
    """METEOR 1.5, English, through `pycocoevalcap`; needs Java."""
    tool = installed("pycocoevalcap")
    return Metric(
        name=name,
        whole=partial(corpus_meteor, repair=repair),
        signature=f"meteor-1.5|lang:en|norm|repair:{repair or 'none'}|version:pycocoevalcap-{tool}",
    )


def recall_f(answers: Sequence[Answer], *, repair: str = "") -> Rows:
    """(F with beta 1.2 of the longest common subsequence, 1).

    Precision and recall are each the best over the references (as the COCO tools take them).
    """
    mend = REPAIRS[repair]
    found = []
    for answer in answers:
        text, references = written(answer)
        words = mend(text).split()
        precision = recall = 0.0
        for reference in references:
            gold = mend(reference).split()
            common = lcs(words, gold)
            precision = max(precision, common / len(words) if words else 0.0)
            recall = max(recall, common / len(gold) if gold else 0.0)
        both = recall + BETA**2 * precision
        found.append((1 + BETA**2) * precision * recall / both if precision and recall else 0.0)
    return ones(found)


def lcs(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence, one row of the table per machine word of bits.

    Bit j of `row` is 0 where the table grows at column j (Crochemore et al., 2001; Hyyrö, 2004).
    """
    places: dict[str, int] = {}
    for j, word in enumerate(second):
        places[word] = places.get(word, 0) | 1 << j
    full = (1 << len(second)) - 1
    row = full
    for word in first:
        match = row & places.get(word, 0)
        row = ((row + match) | (row - match)) & full
    return len(second) - row.bit_count()


def corpus_meteor(answers: Sequence[Answer], *, repair: str = "") -> float:
    """Corpus METEOR in 0..1; raises `Absent` with what to install where it cannot run.

    The Java program adds up statistics that it does not show, so METEOR has no rows of its own.
    """
    mend = REPAIRS[repair]
    pairs = [written(answer) for answer in answers]
    try:
        from pycocoevalcap.meteor.meteor import Meteor  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise Absent("METEOR needs the package pycocoevalcap: pip install pycocoevalcap") from None
    if shutil.which("java") is None:
        raise Absent("METEOR needs Java (1.8 or newer) on the PATH")
    # An empty line would make the Java program's answers run out of step with the questions.
    references = {i: [mend(r) or "." for r in refs] for i, (_, refs) in enumerate(pairs)}
    hypotheses = {i: [mend(text) or "."] for i, (text, _) in enumerate(pairs)}
    tool = None
    try:
        tool = Meteor()
        return float(tool.compute_score(references, hypotheses)[0])
    except (OSError, ValueError) as error:
        raise Absent(f"METEOR's Java program failed: {error}") from None
    finally:
        if tool is not None:  # the package leaves its process and pipes to the garbage collector
            process = tool.meteor_p
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                stream.close()
