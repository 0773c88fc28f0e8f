"""Files that are not one JSON object a line: pairs of line files, SQuAD's JSON, plain documents.

Each reader takes the files of a split and yields their records as `Line`s, so that a task names its
reader in `Task.read`. A record without an id of its own gets its number.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tasks.source import files
from tasks.source.files import BadRow, Line, text_lines

Names = dict[str, tuple[tuple[str, ...], ...]]


def pair_names(*more: str) -> Names:
    """File names of a data set in pairs of line files, or in JSON lines (`more`: other bases)."""
    bases = {"train": ("train",), "dev": ("val", "valid", "dev"), "test": ("test", *more)}
    return {
        split: tuple((f"{base}.source", f"{base}.target") for base in names)
        + tuple((f"{base}.jsonl",) for base in names)
        for split, names in bases.items()
    }


def numbered(paths: Sequence[Path]) -> Iterator[Line]:
    """JSON lines whose records need not have an id."""
    return (_with_id(line) for line in files.jsonl(paths))


def pairs(paths: Sequence[Path], *, source: str, target: str) -> Iterator[Line]:
    """{train,val,test}.source and .target, aligned line by line; or one file of JSON lines.

    Records are {"id": line number, source: text, target: text}.
    """
    if len(paths) == 1:
        yield from numbered(paths)
        return
    for left, right in zip_longest(text_lines(paths[0]), text_lines(paths[1])):
        line = left or right
        if left is None or right is None:
            missing = paths[0] if left is None else paths[1]
            fault = f"files of unequal length: {missing.name} has no line {line.number}"
            yield Line(line.number, None, fault, line.sample)
        elif left.record is None or right.record is None:
            yield left if left.record is None else right
        else:
            record = {source: left.record["text"], target: right.record["text"]}
            yield Line(line.number, {"id": str(line.number)} | record, sample=left.sample)


def squad(paths: Sequence[Path]) -> Iterator[Line]:
    """SQuAD's JSON (or the list under its "data", or JSON lines): one record a question.

    Records are {"id", "title", "context", "question", "answers": [{"text", "answer_start"}]};
    the line number is the question's number.
    """
    if ".jsonl" in paths[0].suffixes:
        yield from numbered(paths)
        return
    try:
        whole = files.whole_json(paths[0])
    except BadRow as error:
        yield Line(1, None, str(error))
        return
    articles = whole.get("data") if isinstance(whole, Mapping) else whole
    if not isinstance(articles, list):
        yield Line(1, None, "not in SQuAD's layout: no list of articles under 'data'")
        return
    for number, record in enumerate(_questions(articles), start=1):
        if record is None:
            yield Line(number, None, "not in SQuAD's layout: paragraphs, context, qas", "")
        else:
            yield Line(number, record, sample=str(record.get("question"))[:100])


def _questions(articles: list[Any]) -> Iterator[dict[str, Any] | None]:
    """The questions of all articles in order; None where an article or paragraph has no shape."""
    for article in articles:
        paragraphs = article.get("paragraphs") if isinstance(article, Mapping) else None
        if not isinstance(paragraphs, list):
            yield None
            continue
        for paragraph in paragraphs:
            questions = paragraph.get("qas") if isinstance(paragraph, Mapping) else None
            if not isinstance(questions, list) or not isinstance(paragraph.get("context"), str):
                yield None
                continue
            for question in questions:
                if not isinstance(question, Mapping):
                    yield None
                    continue
                shared = {"title": article.get("title", ""), "context": paragraph["context"]}
                yield shared | dict(question)


def infilling(paths: Sequence[Path]) -> Iterator[Line]:
    """One document a line, and the files `*.maskratio{r}.blank` that have words of it blanked.

    Records are {"id": line number, "text": document, "blanks": {"0.1": document with <blank>s}}.
    """
    ratios = [ratio.group(1) for path in paths[1:] if (ratio := RATIO.search(path.name))]
    streams = [text_lines(path) for path in paths]
    for number, lines in enumerate(zip_longest(*streams), start=1):
        found = [line for line in lines if line is not None and line.record is not None]
        sample = lines[0].sample if lines[0] else ""
        if len(found) < len(lines):
            short = [path.name for path, line in zip(paths, lines) if line is None]
            faults = [line.fault for line in lines if line and line.fault]
            faults += [f"files of unequal length: {name} has no line {number}" for name in short]
            yield Line(number, None, faults[0], sample)
            continue
        text, *blanked = [line.record["text"] for line in found if line.record]
        record = {"id": str(number), "text": text, "blanks": dict(zip(ratios, blanked))}
        yield Line(number, record, sample=sample)


RATIO = re.compile(r"maskratio([0-9.]*[0-9])\.blank")
HEADING = re.compile(r" = [^=].* = $")


def wikitext(paths: Sequence[Path]) -> Iterator[Line]:
    """WikiText's raw file, one record an article: {"id", "title", "text"}, as tokenised there.

    An article begins at a line ` = Title = ` between blank lines; a table's row may look like a
    title, but has no blank line on either side. The line number is where the article begins.
    """
    title, start, body = "", 1, []
    before = ""
    lines = list(text_lines(paths[0]))
    for i, line in enumerate(lines):
        if line.record is None:
            yield line
            continue
        text = line.record["text"]
        after = lines[i + 1].record if i + 1 < len(lines) else None
        blank_after = after is None or not after["text"].strip()
        if HEADING.match(text.rstrip() + " ") and not before.strip() and blank_after:
            yield from _article(title, start, body)
            title, start, body = text.strip(" ="), line.number, []
        body.append(text)
        before = text
    yield from _article(title, start, body)


def _article(title: str, start: int, body: list[str]) -> Iterator[Line]:
    text = "\n".join(body).strip()
    if text:
        yield Line(start, {"id": str(start), "title": title, "text": text}, sample=text[:100])


def _with_id(line: Line) -> Line:
    if line.record is None or "id" in line.record:
        return line
    record = {"id": str(line.number)} | dict(line.record)
    return Line(line.number, record, line.fault, line.sample)
