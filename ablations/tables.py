"""The paper's tables, and two of our own, as grids: rows compete, columns name what is asked.

A table is its own grid: its rows times its columns are the trials. A row without a variant is a
system that is only quoted; it stays visible with its reason. `paper` is the row's id in the file of
the paper's numbers (`results/paper/`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One system of a table: which variant, how it is finetuned, what is overridden."""

    id: str
    label: str
    variant: str | None = None
    style: str = ""  # "" = the column's own style; cloze | classifier | bert-cloze | ...
    set: Mapping[str, Any] = field(default_factory=dict)
    paper: str = ""
    group: str = ""
    reason: str = ""  # why a row without a variant is not run
    control: str = ""  # aa | planted: a copy of the reference row that tells what a table can see
    unasked: Mapping[str, str] = field(default_factory=dict)  # columns that it has not, with why
    differs: str = ""  # how what is run differs from the system that the paper quotes


@dataclass(frozen=True)
class Column:
    """One task of a table, its metrics in the order printed, and how it is asked."""

    id: str
    label: str
    task: str
    metrics: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Rows x columns, on one split. `average` adds the unweighted mean over the columns.

    In a `partial` table a row has only the columns that its system can be asked; elsewhere a pair
    that cannot be asked is an error of whoever wrote the table.
    """

    id: str
    title: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    split: str = "dev"
    average: bool = False
    reference: str = ""  # the row that differences are taken against
    partial: bool = False


BOOKWIKI = "Pretrained on BookCorpus and Wikipedia"
LARGER = "Pretrained on larger corpora"
ELSEWHERE = "a checkpoint trained elsewhere; the paper's numbers are shown beside"
QUOTED = "the paper quotes this system from its own publication"

SCRATCH = "pretrained from scratch on what GLM reads here, as large and under the same budget"
T5 = f"{SCRATCH}; the published one has two stacks of full depth and read C4 and supervised tasks"
BART = f"{SCRATCH}; the published one has 12 blocks in either stack and read ten times as much"
MASS = f"{SCRATCH}, with one mask for all that is hidden; the published one has a mask a token"

SUPERGLUE = (
    Column("record", "ReCoRD F1/Acc.", "record", ("f1", "acc")),
    Column("copa", "COPA Acc.", "copa", ("acc",)),
    Column("wsc", "WSC Acc.", "wsc", ("acc",)),
    Column("rte", "RTE Acc.", "rte", ("acc",)),
    Column("boolq", "BoolQ Acc.", "boolq", ("acc",)),
    Column("wic", "WiC Acc.", "wic", ("acc",)),
    Column("cb", "CB F1/Acc.", "cb", ("f1", "acc")),
    Column("multirc", "MultiRC F1a/EM", "multirc", ("f1a", "em")),
)


def _row(
    paper: str,
    label: str,
    variant: str,
    style: str = "",
    group: str = BOOKWIKI,
    differs: str = "",
) -> Row:
    return Row(paper, label, variant, style, paper=paper, group=group, differs=differs)


def _quoted(paper: str, label: str, reason: str, group: str = BOOKWIKI) -> Row:
    return Row(paper, label, paper=paper, group=group, reason=reason)


TABLE_1 = Table(
    "table1",
    "Results on the SuperGLUE dev set",
    (
        _row("BERT_Base", "BERT Base", "bert-base", "classifier"),
        _row("GLM_Base", "GLM Base", "glm-base"),
        _row("BERT_Large", "BERT Large", "bert-large", "classifier"),
        _row("UniLM_Large", "UniLM Large", "unilm-large", "classifier"),
        _row("GLM_Large", "GLM Large", "glm-large"),
        _row("GLM_Doc", "GLM Doc", "glm-doc"),
        _row("GLM_Sent", "GLM Sent", "glm-sent"),
        _row("GLM_410M", "GLM 410M", "glm-410m"),
        _row("GLM_515M", "GLM 515M", "glm-515m"),
        _row("T5_Base", "T5 Base", "t5-base", group=LARGER, differs=T5),
        _row("T5_Large", "T5 Large", "t5-large", group=LARGER, differs=T5),
        _row("BART_Large", "BART Large", "bart-large", "classifier", LARGER, BART),
        _quoted("RoBERTa_Large", "RoBERTa Large", ELSEWHERE, LARGER),
        _row("GLM_RoBERTa", "GLM RoBERTa", "glm-roberta", group=LARGER),
    ),
    SUPERGLUE,
    average=True,
    reference="GLM_Large",
)

TABLE_2 = Table(
    "table2",
    "Results of abstractive summarization on the CNN/DailyMail and XSum test sets",
    (
        _quoted("BERTSumAbs", "BERTSumAbs", QUOTED, LARGER),
        _quoted("UniLMv2_Base", "UniLMv2 Base", QUOTED, LARGER),
        _row("T5_Large", "T5 Large", "t5-large", group=LARGER, differs=T5),
        _row("BART_Large", "BART Large", "bart-large", group=LARGER, differs=BART),
        _row("GLM_RoBERTa", "GLM RoBERTa", "glm-roberta", group=LARGER),
    ),
    (
        Column("cnndm", "CNN/DailyMail RG-1/RG-2/RG-L", "cnndm", ("rg1", "rg2", "rgl")),
        Column("xsum", "XSum RG-1/RG-2/RG-L", "xsum", ("rg1", "rg2", "rgl")),
    ),
    split="test",
    reference="GLM_RoBERTa",
)

TABLE_3 = Table(
    "table3",
    "Results on Gigaword summarization",
    (
        _row("MASS", "MASS", "mass-large", differs=MASS),
        _row("UniLM_Large", "UniLM Large", "unilm-large"),
        _row("GLM_Large", "GLM Large", "glm-large"),
        _row("GLM_Doc", "GLM Doc", "glm-doc"),
        _row("GLM_Sent", "GLM Sent", "glm-sent"),
        _row("GLM_410M", "GLM 410M", "glm-410m"),
    ),
    (Column("gigaword", "Gigaword RG-1/RG-2/RG-L", "gigaword", ("rg1", "rg2", "rgl")),),
    split="test",
    reference="GLM_Large",
)

TABLE_4 = Table(
    "table4",
    "Results on SQuAD question generation",
    (
        _quoted("SemQG", "SemQG", QUOTED),
        _row("UniLM_Large", "UniLM Large", "unilm-large"),
        _row("GLM_Large", "GLM Large", "glm-large"),
        _row("GLM_Doc", "GLM Doc", "glm-doc"),
        _row("GLM_Sent", "GLM Sent", "glm-sent"),
        _row("GLM_410M", "GLM 410M", "glm-410m"),
    ),
    (Column("squad_qg", "BLEU-4/MTR/RG-L", "squad_qg", ("bleu4", "mtr", "rgl")),),
    split="test",
    reference="GLM_Large",
)

TABLE_5 = Table(
    "table5",
    "BLEU scores on Yahoo text infilling",
    (
        _row("BERT", "BERT", "bert-large", "bert-infill"),
        _quoted("BLM", "BLM", QUOTED),
        _row("GLM_Large", "GLM Large", "glm-large"),
        _row("GLM_Doc", "GLM Doc", "glm-doc"),
    ),
    tuple(
        Column(f"r{ratio}", f"{ratio}%", "yahoo", ("bleu",), {"ratio": ratio / 100})
        for ratio in (10, 20, 30, 40, 50)
    ),
    split="test",
    reference="GLM_Large",
)

TABLE_6 = Table(
    "table6",
    "Ablation study on the SuperGLUE dev set",
    (
        _row("BERT_Large", "BERT Large", "bert-large", "classifier"),
        _row(
            "BERT_Large_reproduced",
            "BERT Large (reproduced)",
            "bert-large/reproduced",
            "classifier",
        ),
        _row("BERT_Large_cloze", "BERT Large (cloze)", "bert-large", "bert-cloze"),
        _row("GLM_Large", "GLM Large", "glm-large"),
        _row("GLM_Large_no_cloze", "– cloze finetune", "glm-large", "classifier"),
        _row("GLM_Large_no_shuffle", "– shuffle spans", "glm-large/no-shuffle"),
        _row("GLM_Large_sentinel", "+ sentinel tokens", "glm-large/sentinels"),
        # The paper's sentence allows a second reading of sentinels; it has no number of its own.
        Row(
            "GLM_Large_sentinel_masks",
            "+ sentinel tokens (Part A only)",
            "glm-large/sentinel-masks",
            group=BOOKWIKI,
        ),
    ),
    SUPERGLUE,
    average=True,
    reference="GLM_Large",
)


def _zero_shot(mode: str) -> tuple[Row, ...]:
    systems = [
        ("GLM_Large", "GLM Large", "glm-large"),
        ("GLM_Doc", "GLM Doc", "glm-doc"),
        ("GLM_Doc_no2d", "GLM Doc – 2D positions", "glm-doc/no-2d"),
        ("GLM_410M", "GLM 410M", "glm-410m"),
        ("GLM_515M", "GLM 515M", "glm-515m"),
    ]
    if mode == "unidirectional":
        systems.append(("GPT_Large", "GPT Large", "gpt-large"))
    suffix = "uni" if mode == "unidirectional" else "bi"
    return tuple(
        Row(
            f"{id}_{suffix}",
            label,
            variant,
            set={"mode": mode},
            paper=f"{id}_{suffix}",
            group=mode.capitalize(),
        )
        for id, label, variant in systems
    )


FIGURE_4 = Table(
    "figure4",
    "Zero-shot language modeling",
    _zero_shot("unidirectional") + _zero_shot("bidirectional"),
    (
        Column("heldout", "Held-out perplexity", "heldout", ("ppl", "bpb")),
        Column("lambada", "LAMBADA accuracy", "lambada", ("acc",)),
    ),
    split="test",
    reference="GLM_Doc_uni",
)

UNIDIRECTIONAL = {"mode": "unidirectional"}

# Objectives beside the paper's, each with the styles that it can be asked in.
_OBJECTIVES = (
    Row("GLM", "GLM, short spans", "glm-large"),
    Row("GLM_Doc", "GLM, short spans and documents", "glm-doc"),
    Row("GLM_two_stacks", "GLM, encoder and decoder", "glm-large/two-stacks"),
    Row("T5", "T5, encoder and decoder", "t5-large", differs=T5),
    Row("BART", "BART, encoder and decoder", "bart-large", differs=BART),
    Row("MASS", "MASS, encoder and decoder", "mass-large", differs=MASS),
    Row("T5_like", "Like T5: no shuffling, sentinels", "glm-large/t5-like"),
    Row("MASS_like", "Like MASS: half of the text", "glm-large/mass-like"),
    Row("UL2_like", "Like UL2: three denoisers", "glm-large/ul2-like"),
    Row("PrefixLM", "Prefix LM", "prefix-lm-large"),
    Row("UniLM", "UniLM", "unilm-large"),
    Row("GPT", "GPT", "gpt-large"),
    Row("GPT_BERT", "GPT-BERT", "gpt-bert-large"),
    Row("BERT", "BERT", "bert-large"),
    Row(
        "RoBERTa",
        "RoBERTa",
        reason="BERT's objective here, which has no next sentence prediction and draws its masks "
        "anew, with another vocabulary and recipe: `roberta-large` is for the paper's scale",
    ),
    Row("SpanBERT", "SpanBERT, no boundary objective", "spanbert-large"),
    Row("Diffusion", "Masked diffusion", "diffusion-large"),
    Row("XLNet", "XLNet", reason="its permuted objective needs two streams of attention"),
    Row("BLM", "BLM", reason="it writes into blanks that move, which no batch of ours holds"),
)

OBJECTIVES = Table(
    "objectives",
    "What models of one size learn from other objectives under the same budget",
    _OBJECTIVES,
    (
        *(column for column in SUPERGLUE if column.id in ("rte", "copa", "wic", "boolq")),
        Column("yahoo_r20", "Yahoo infilling 20% BLEU", "yahoo", ("bleu",), {"ratio": 0.2}),
        Column("xsum", "XSum RG-1/RG-2/RG-L", "xsum", ("rg1", "rg2", "rgl")),
    ),
    reference="GLM",
    partial=True,
)

LIKELIHOODS = Table(
    "likelihoods",
    "What the same objectives say of texts, without finetuning",
    _OBJECTIVES,
    (
        Column("heldout", "Held-out perplexity", "heldout", ("ppl", "bpb"), UNIDIRECTIONAL),
        Column("blimp", "BLiMP Acc.", "blimp", ("acc",)),
    ),
    split="test",
    reference="GLM",
    partial=True,
)

TABLES: Mapping[str, Table] = {
    table.id: table
    for table in (
        *(TABLE_1, TABLE_2, TABLE_3, TABLE_4, TABLE_5, TABLE_6, FIGURE_4),
        *(OBJECTIVES, LIKELIHOODS),
    )
}
