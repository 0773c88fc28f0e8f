"""From a YAML mapping to a task: every key read and checked, all mistakes in one report."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from string import Formatter
from typing import Any

from tasks.errors import UserError, nearest
from tasks.generation import bleu, caption, rouge
from tasks.metrics import ACCURACY, EXACT_GROUPS, F1A, MACRO_F1
from tasks.source.formats import numbered
from tasks.source.split import SPLITS
from tasks.spec import OFFICIAL_NAMES, Metric, Names, Task
from tasks.template.questions import CANDIDATE, FILTERS, Hole, Sides, Source, Template
from tasks.wording import BLANK

CHOICES = (ACCURACY, MACRO_F1, F1A, EXACT_GROUPS)
WRITTEN = (*rouge.rouges(), bleu.sacre_bleu("bleu"), caption.rouge_l(), caption.meteor())
METRICS: Mapping[str, tuple[Metric, ...]] = {
    "classification": CHOICES,
    "choice": CHOICES,
    "generation": WRITTEN,
}
DEFAULTS: Mapping[str, tuple[str, ...]] = {
    "classification": (ACCURACY.name,),
    "choice": (ACCURACY.name,),
    "generation": tuple(rouge.TYPES),
}
CUTS = {"whole": "", "start": "start"}
REQUIRED = ("name", "kind", "fields", "template", "label")
SHARED = (*REQUIRED, "title", "id", "group", "folder", "files", "metrics")
KEYS: Mapping[str, tuple[str, ...]] = {
    "classification": (*SHARED, "labels", "verbalizer", "classifier"),
    "choice": (*SHARED, "labels", "candidates", "classifier", "reduce"),
    "generation": SHARED,
}
WORDING = ("kind", "fields", "template", "label", "labels", "verbalizer", "candidates")
WORDING += ("classifier", "reduce")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

Say = Callable[[str, str], None]  # (key, what is wrong with it)


def task(mapping: Mapping[str, Any], place: str) -> Task:
    """The task that a mapping describes (its keys are in the package's docstring).

    Args:
        place: where it stands, for the message: "grid.yaml:12: tasks[0]".

    Raises:
        UserError: with everything that is wrong, a line each.
    """
    faults: list[str] = []
    made = _task(mapping, lambda key, wrong: faults.append(f"{key}: {wrong}"))
    if faults or made is None:
        lines = "".join(f"\n  {fault}" for fault in faults or ["it is no mapping of keys"])
        raise UserError(f"{place}: no task can be made of this:{lines}")
    return made


def _task(mapping: Mapping[str, Any], say: Say) -> Task | None:
    if not isinstance(mapping, Mapping):
        return None
    kind = mapping.get("kind")
    if "kind" in mapping and kind not in KEYS:
        say("kind", f"`{kind}` is none{nearest(str(kind), KEYS)}")
    known = KEYS.get(str(kind)) or tuple(
        dict.fromkeys(key for keys in KEYS.values() for key in keys)
    )
    for key in mapping:
        if key not in known:
            say(str(key), f"unknown key{nearest(str(key), known)}")
    for key in REQUIRED:
        if key not in mapping:
            say(key, "is missing")
    name = _text(mapping, "name", say)
    if name and not NAME.fullmatch(name):
        say("name", f"`{name}` cannot name a folder: use letters, digits, ._-")
    form = _template(str(kind), mapping, say)
    folder, names = _files(mapping, name, say)
    metrics = _metrics(str(kind), mapping, say)
    return Task(
        name=name,
        title=_text(mapping, "title", say) or name,
        group="generation" if kind == "generation" else "understanding",
        folder=folder,
        ask=form.ask,
        metrics=metrics,
        styles=("seq2seq",) if kind == "generation" else ("cloze", "classifier"),
        check=form.check,
        names=names,
        read=numbered,
        rows=form.rows,
        label=form.label,
        grouped_by=form.group or "id",
        cluster=form.cluster,
        notes=form.notes,
    )


def _template(kind: str, mapping: Mapping[str, Any], say: Say) -> Template:
    fields = _fields(mapping, say)
    label = _text(mapping, "label", say)
    group = _text(mapping, "group", say)
    labels = _list(mapping, "labels", say)
    words = _texts(mapping, "verbalizer", say)
    candidates = _candidates(mapping, fields, say)
    own = {label, group, candidates if isinstance(candidates, str) else ""}
    for name, source in fields.items():
        if name in own and (source.name != name or source.words):
            say("fields", f"`{name}` is the name of another field of the rows: call it otherwise")
    if kind == "classification":
        if len(labels) < 2:
            say("labels", "at least two values are needed")
        if words and len(words) != len(labels):
            say("verbalizer", f"{len(words)} words for {len(labels)} labels")
    if kind == "choice":
        if not candidates and "candidates" not in mapping:
            say("candidates", "is missing: a field with a list of texts, or a list of texts")
        if labels and not isinstance(candidates, str) and len(labels) != len(candidates):
            say("labels", f"{len(labels)} values for {len(candidates)} candidates")
    reduce = _text(mapping, "reduce", say) or "sum"
    if reduce not in ("sum", "mean"):
        say("reduce", f"`{reduce}` is neither sum nor mean")
    decides = {key: mapping[key] for key in WORDING if key in mapping}
    text = json.dumps(decides, sort_keys=True, default=str)
    return Template(
        kind=kind,
        fields=fields,
        cloze=_sides("template", mapping.get("template"), tuple(fields), say, blanks=1),
        label=label,
        classifier=_classifier(kind, mapping, tuple(fields), say),
        labels=labels,
        words=words,
        candidates=candidates,
        reduce=reduce,
        id=_text(mapping, "id", say) or "id",
        group=group,
        digest=hashlib.sha256(text.encode()).hexdigest()[:8],
    )


def _fields(mapping: Mapping[str, Any], say: Say) -> dict[str, Source]:
    """`fields`: a list of names, or names of ours with the record's, or with words for values."""
    given = mapping.get("fields", [])
    if isinstance(given, str):
        given = [given]
    if isinstance(given, Sequence):
        given = {str(name): name for name in given}
    if not isinstance(given, Mapping):
        say("fields", "a list of the record's fields is wanted, or a mapping of names to them")
        return {}
    if not given and "fields" in mapping:
        say("fields", "name at least one field")
    found = {}
    for name, source in given.items():
        name = str(name)
        if not name.isidentifier() or name in ("blank", CANDIDATE):
            say("fields", f"`{name}` cannot be a name in a template: use letters, digits and _")
        if isinstance(source, str):
            found[name] = Source(source)
            continue
        words = source.get("words") if isinstance(source, Mapping) else None
        if not isinstance(source, Mapping) or set(source) - {"field", "words"}:
            say("fields", f"`{name}`: write the record's field, or {{field: ..., words: ...}}")
        elif not isinstance(words, Mapping) or not all(isinstance(w, str) for w in words.values()):
            say("fields", f"`{name}`: words are a mapping of the field's values to texts")
        else:
            texts = {str(value): word for value, word in words.items()}
            found[name] = Source(str(source.get("field", name)), texts)
    return found


def _sides(key: str, text: object, names: Sequence[str], say: Say, *, blanks: int = 0) -> Sides:
    """A template's text -> its sides; says what is wrong with it."""
    if not isinstance(text, str):
        if text is not None:
            say(key, f"a text is wanted, not {text!r}")
        return ()
    try:
        pieces = list(Formatter().parse(text))
    except ValueError as error:
        say(key, f"{error} (a brace that is meant is written twice)")
        return ()
    sides: list[list[Any]] = [[]]
    for fixed, name, spec, conversion in pieces:
        first, *others = fixed.split("||")
        sides[-1].append(first.rstrip() if others else first)
        for number, other in enumerate(others, start=1):
            other = other.lstrip() if number == len(others) else other.strip()
            sides.append([other])
        if name is None:
            continue
        if conversion or (name != "blank" and name not in names):
            say(key, f"there is no field `{name}`{nearest(name, [*names, 'blank'])}")
        elif name == "blank":
            sides[-1].append(BLANK)
        else:
            sides[-1].append(_hole(key, name, spec or "", say))
    found = tuple(tuple(piece for piece in side if piece != "") for side in sides)
    count = sum(piece == BLANK for side in found for piece in side)
    if count != blanks:
        say(key, f"{{blank}} is there {count} times, not {'once' if blanks else 'never'}")
    if len(found) > 2 or not all(found):
        say(key, "`||` stands between two sides, neither of them empty")
    return found


def _hole(key: str, name: str, spec: str, say: Say) -> Hole:
    words = [word.strip() for word in spec.split(",") if word.strip()]
    known = (*FILTERS, *CUTS)
    for word in words:
        if word not in known:
            say(key, f"`{word}` cannot be done to {name}{nearest(word, known)}")
    cuts = [CUTS[word] for word in words if word in CUTS]
    filters = tuple(word for word in words if word in FILTERS)
    return Hole(name, filters, cuts[-1] if cuts else "end")


def _classifier(kind: str, mapping: Mapping[str, Any], names: Sequence[str], say: Say) -> Sides:
    """The template of a classifier's input: as given, or the first field against the others (of a
    choice: all fields against the candidate)."""
    if kind == "generation":
        return ()
    choice = kind == "choice"
    if "classifier" in mapping:
        allowed = (*names, CANDIDATE) if choice else names
        sides = _sides("classifier", mapping["classifier"], allowed, say)
        used = {piece.name for side in sides for piece in side if isinstance(piece, Hole)}
        if choice and sides and CANDIDATE not in used:
            say("classifier", f"{{{CANDIDATE}}} is not in it")
        return sides
    left = names if choice else names[:1]
    right = (CANDIDATE,) if choice else names[1:]
    return tuple(_in_a_row(side) for side in (left, right) if side)


def _in_a_row(names: Sequence[str]) -> tuple[str | Hole, ...]:
    pieces: list[str | Hole] = []
    for name in names:
        pieces += [" ", Hole(name)] if pieces else [Hole(name)]
    return tuple(pieces)


def _candidates(
    mapping: Mapping[str, Any], fields: Mapping[str, Source], say: Say
) -> str | tuple[Sides, ...]:
    given = mapping.get("candidates", ())
    if isinstance(given, str):
        return given
    if not isinstance(given, Sequence) or len(given) == 1:
        say("candidates", "a field with a list of texts is wanted, or a list of at least two texts")
        return ()
    return tuple(
        _sides("candidates", each, tuple(fields), say)
        for each in _texts(mapping, "candidates", say)
    )


def _files(mapping: Mapping[str, Any], name: str, say: Say) -> tuple[str, Names]:
    """The folder below the data's root, and the files of each split in it."""
    folder = _text(mapping, "folder", say)
    given = mapping.get("files")
    if given is None:
        _require_below("folder", folder, say)
        return folder or name, OFFICIAL_NAMES
    if not isinstance(given, Mapping) or not given:
        say("files", "a mapping of train, dev and test to files is wanted")
        return folder, {}
    names = {}
    for split, file in given.items():
        if split not in SPLITS:
            say("files", f"there is no split `{split}`{nearest(str(split), SPLITS)}")
        elif not isinstance(file, str):
            say("files", f"{split}: a path is wanted, not {file!r}")
        else:
            _require_below("files", file, say)
            names[split] = ((file,),)
    return folder, names


def _require_below(key: str, path: str, say: Say) -> None:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts:
        say(key, f"`{path}` must be a path below the data's root")


def _metrics(kind: str, mapping: Mapping[str, Any], say: Say) -> tuple[Metric, ...]:
    known = {metric.name: metric for metric in METRICS.get(kind, ())}
    names = _texts(mapping, "metrics", say) or DEFAULTS.get(kind, ())
    for name in names if known else ():
        if name not in known:
            say("metrics", f"there is no metric `{name}` of a {kind}{nearest(name, known)}")
    if EXACT_GROUPS.name in names and "group" not in mapping:
        say("metrics", f"`{EXACT_GROUPS.name}` is about groups: name their field under `group`")
    return tuple(known[name] for name in names if name in known)


def _text(mapping: Mapping[str, Any], key: str, say: Say) -> str:
    value = mapping.get(key, "")
    if not isinstance(value, str) or (key in mapping and not value.strip()):
        say(key, f"a text is wanted, not {value!r}")
        return ""
    return value


def _list(mapping: Mapping[str, Any], key: str, say: Say) -> tuple[Any, ...]:
    """Distinct values, as they stand in the rows."""
    value = mapping.get(key, ())
    if isinstance(value, str) or not isinstance(value, Sequence):
        say(key, f"a list is wanted, not {value!r}")
        return ()
    if len({repr(each) for each in value}) < len(value):
        say(key, f"one of {', '.join(map(str, value))} is there twice")
    return tuple(value)


def _texts(mapping: Mapping[str, Any], key: str, say: Say) -> tuple[str, ...]:
    """A list of texts, or one text."""
    value = mapping.get(key, ())
    values = _list({key: [value]} if isinstance(value, str) else mapping, key, say)
    for each in values:
        if not isinstance(each, str) or not each.strip():
            quoted = " (YAML reads Yes and No as truth values: quote them)" * isinstance(each, bool)
            say(key, f"a text is wanted, not {each!r}{quoted}")
    return tuple(each for each in values if isinstance(each, str))
