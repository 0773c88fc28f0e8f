"""What was run: source, scale, sizes, amounts, examples, commit and date, in words for a reader.

Read from the manifest's `about`. A manifest without one gives no facts, and then nothing is said:
the paper's own captions and groups never stand in for what is not on record.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ablations.tables import BOOKWIKI, LARGER
from results.scores import Manifest

Facts = Mapping[str, str]  # name, such as "tokens_read" -> in words

SOURCES = {"folder": "files of a folder", "hub": "data sets of the Hugging Face hub"}
NOT_RUN = "Not run here"
# The groups that say on what the paper pretrained its systems; ours are pretrained on ours.
PAPERS_GROUPS = (BOOKWIKI, LARGER)


def facts(grid: Manifest, table: str = "") -> Facts:
    """What a grid, or one table of it, was run on and with, by name, in the order of reading."""
    about = grid.about
    if not about:
        return {}
    runs = _pretrainings(grid, table)
    found = {
        "data": source(grid),
        "scale": _scale(about),
        "parameters": sizes(run.get("parameters") for run in runs),
        "corpus": _corpora(about, runs),
        "tokens_read": _range(run.get("corpus_tokens") for run in runs),
        "seeds": _seeds(about),
        "matched_by": {"corpus_tokens": "corpus tokens"}.get(grid.match, grid.match),
        "recipe": about.get("recipe") or "",
        "precision": about.get("precision") or "",
        "finished": (about.get("finished") or "").replace("T", " ").replace("Z", " UTC"),
        "commit": ", ".join(_commit(one) for one in about.get("commits") or ()),
    }
    return {name: text for name, text in found.items() if text}


def source(grid: Manifest) -> str:
    """Where the questions come from: "built-in world, generator 2, seed 0"."""
    found = grid.about.get("source") or {}
    kind = str(found.get("kind") or "")
    if kind == "microworld":
        parts = [f"{name} {found[name]}" for name in ("generator", "seed") if name in found]
        return ", ".join(["built-in world", *parts])
    said = SOURCES.get(kind, kind)
    return f"{said}, revision {found['revision']}" if found.get("revision") else said


def place(grid: Manifest) -> str:
    """Source and scale as they end a caption; "" where they are not on record."""
    where, scale = source(grid), grid.about.get("scale")
    if not where or not scale:
        return ""
    article = "the " if where.startswith("built-in") else ""
    return f"{article}{where}, at {scale} scale"


def used(counts: Mapping[str, Any] | None) -> str:
    """ "100 of 277", with how many bad rows were skipped; "" where it is not known."""
    if not counts or counts.get("used") is None:
        return ""
    text = f"{counts['used']} of {counts.get('of', counts['used'])}"
    return f"{text}, {counts['skipped']} bad ones skipped" if counts.get("skipped") else text


def cut(found: Mapping[str, Mapping[str, int]] | None) -> str:
    """ "26 of 100 in dev": questions that were cut to fit; "" where there are none."""
    return ", ".join(
        f"{count['most']} of {count['of']} in {split}"
        for split, count in (found or {}).items()
        if count["most"]
    )


def column(grid: Manifest, table: str, id: str) -> dict[str, str]:
    """Of a column: examples used, examples trained on and questions cut to fit."""
    found = (grid.about.get("columns") or {}).get(table, {}).get(id, {})
    return {
        "used": used(found.get("examples")),
        "trained": used(found.get("training")),
        "cut": cut(found.get("cut")),
    }


def examples(grid: Manifest) -> str:
    """The examples of a number, over all columns: "40 of 42 to 100 of 277"."""
    columns = [c for table in (grid.about.get("columns") or {}).values() for c in table.values()]
    known = [c["examples"] for c in columns if (c.get("examples") or {}).get("used")]
    if not known:
        return ""
    ends = [used(counts) for counts in sorted(known, key=lambda counts: counts["used"])]
    return ends[0] if ends[0] == ends[-1] else f"{ends[0]} to {ends[-1]}, by task"


def size(grid: Manifest, table: str, row: str) -> str:
    """The parameters of a row's models: "0.34M"; "" where they are not on record."""
    return sizes(run.get("parameters") for run in _pretrainings(grid, table, row))


def labels(grid: Manifest, table: Mapping[str, Any]) -> dict[str, str]:
    """The rows' labels by id: what was run under the paper's name, and how large it is.

    A name of the paper's stands for its objective only, unless the sizes are the paper's too. Rows
    that would read alike are told apart by what they set, or by their ids.
    """
    named = {row["id"]: _label(grid, table["id"], row) for row in table["rows"]}
    alike = Counter((row.get("group"), named[row["id"]]) for row in table["rows"])
    for row in table["rows"]:
        if alike[row.get("group"), named[row["id"]]] > 1:
            own = ", ".join(f"{key}={value}" for key, value in (row.get("set") or {}).items())
            named[row["id"]] += f" ({own})" if own else ""
    alike = Counter((row.get("group"), named[row["id"]]) for row in table["rows"])
    return {
        row["id"]: named[row["id"]]
        + (f" ({row['id']})" if alike[row.get("group"), named[row["id"]]] > 1 else "")
        for row in table["rows"]
    }


def _label(grid: Manifest, table: str, row: Mapping[str, Any]) -> str:
    label, large = row["label"], size(grid, table, row["id"])
    if not large:
        return label
    whole = grid.about.get("scale") == "paper" and not grid.about.get("overrides")
    if whole or not row.get("paper") or label[:1] in "–+-":
        return f"{label}, {large}"
    ends = [end for sign in (" – ", " + ", " (") if (end := label.find(sign)) > 0]
    at = min(ends, default=len(label))
    return f"{label[:at]} objective, {large}{label[at:]}"


def group(grid: Manifest, table: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """The group of a row that is the grid's own, and never one of the paper's."""
    given = row.get("group") or ""
    if given and given not in PAPERS_GROUPS:
        return given
    if (table["id"], row["id"]) in grid.not_run:
        return NOT_RUN
    corpora = {str(run.get("corpus")) for run in _pretrainings(grid, table["id"])}
    own = _corpora(grid.about, _pretrainings(grid, table["id"], row["id"]))
    return f"Pretrained on {own}" if own and len(corpora) > 1 else ""


# ---- in words


def _pretrainings(grid: Manifest, table: str = "", row: str = "") -> list[Mapping[str, Any]]:
    """What is on record of the pretrainings behind a grid, a table or a row."""
    known = grid.about.get("pretrainings") or {}
    folders = dict.fromkeys(
        cell.get("pretrain")
        for cell in grid.cells
        if table in ("", cell["table"]) and row in ("", cell["row"])
    )
    return [known[folder] for folder in folders if folder in known]


def millions(count: float) -> str:
    """A number of parameters: "0.34M", "335M", "1.2B"."""
    if count >= 1e9:
        return f"{count / 1e9:.1f}B"
    return f"{count / 1e6:.2f}M" if count < 1e7 else f"{count / 1e6:.0f}M"


def sizes(counts: Iterable[float | None]) -> str:
    """One number of parameters, or from the smallest to the largest."""
    known = [count for count in counts if count]
    if not known:
        return ""
    low, high = millions(min(known)), millions(max(known))
    return low if low == high else f"{low} to {high}"


def _range(counts: Iterable[float | None]) -> str:
    known = [count for count in counts if count]
    if not known:
        return ""
    low, high = (f"{end:,.0f}" for end in (min(known), max(known)))
    return f"{low} a run" if low == high else f"{low} to {high} a run"


def _scale(about: Mapping[str, Any]) -> str:
    changed = ", ".join(f"{key}={value}" for key, value in (about.get("overrides") or {}).items())
    scale = str(about.get("scale") or "")
    return f"{scale}, with {changed}" if changed else scale


def _corpora(about: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> str:
    known = about.get("corpora") or {}
    folders = dict.fromkeys(run.get("corpus") for run in runs)
    return " and ".join(_corpus(known[folder]) for folder in folders if folder in known)


def _corpus(found: Mapping[str, Any]) -> str:
    """ "world (300 documents, 38,765 tokens)"."""
    counts = {"documents": found.get("train_documents"), "tokens": found.get("tokens")}
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    name = str(found.get("name") or found.get("hub") or "text")
    return f"{name} ({said})" if said else name


def _seeds(about: Mapping[str, Any]) -> str:
    counts = {side: len(seeds) for side, seeds in (about.get("seeds") or {}).items()}
    if not counts:
        return ""
    return f"{counts['pretrain']} of pretraining × {counts['finetune']} of finetuning"


def _commit(found: Mapping[str, Any]) -> str:
    return str(found["commit"])[:12] + (" with changes" if found.get("dirty") else "")
