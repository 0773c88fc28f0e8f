"""The one-page report: tables, claims, figure, loss curves, budget and samples; opens offline.

Everything is inlined (styles, drawings); there are no scripts. Text from files and models is
escaped.
"""

from collections.abc import Mapping, Sequence

from results import checklist, ledger, render, wording
from results.claims import Verdict
from results.escapes import html as escaped
from results.ledger import Pretraining
from results.predictions import Sample
from results.tables import Table

CUT = 600  # characters of a sample that are shown
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; margin: 2em auto; max-width: 1800px;
  padding: 0 1.5em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 2.2em; border-bottom: 1px solid #ddd; }
nav a { margin-right: 1em; } figure { margin: 1.5em 0; } figcaption { font-weight: 600; }
.scroll { overflow-x: auto; } svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; margin: .6em 0; font-size: 13px;
  font-variant-numeric: tabular-nums; border-top: 2px solid #222; border-bottom: 2px solid #222; }
thead th { border-bottom: 1px solid #222; vertical-align: bottom; text-align: right; }
thead th:first-child, tbody th { text-align: left; }
th small { display: block; font-weight: 400; color: #666; }
td, th { padding: .3em .7em; text-align: right; vertical-align: top; white-space: nowrap; }
td.text { text-align: left; white-space: normal; min-width: 18em; overflow-wrap: anywhere; }
tbody tr + tr { border-top: 1px solid #eee; } tbody th { font-weight: 500; }
tr.group td { text-align: left; font-style: italic; border-top: 1px solid #222; }
tr.not-run th, tr.floor th { color: #666; font-weight: 400; } th.reference { font-weight: 700; }
td small { color: #777; font-size: 10.5px; }
tbody th, thead th:first-child { position: sticky; left: 0; background: #fff; }
.paper { color: #1f5fa8; font-size: 12px; } .missing { color: #888; } .seeds { color: #a04000; }
ul.notes { font-size: 12.5px; color: #555; margin: .3em 0; padding-left: 1.2em; }
.supported { color: #14713a; } .reversed { color: #b02a1c; } .equivalent { color: #1f5fa8; }
.inconclusive, td.not-testable, .not-comparable { color: #777; }
div.not-testable { background: #eee; color: #666; }
.matched { background: #eef6ee; }
"""


def index(
    grid: str,
    tables: Sequence[Table],
    verdicts: Sequence[Verdict],
    runs: Sequence[Pretraining],
    curves: str,
    samples: Sequence[Sample],
    drawings: Mapping[str, str],
    match: str = "",
) -> str:
    """index.html; `curves` is the loss curves' SVG, `drawings` the SVG of a table by its id, and
    `match` the unit in which budgets were made equal."""
    links = [(table.id, wording.name(table.id)) for table in tables]
    links += [("claims", "Claims")] if verdicts else []
    links += [("budget", "Budget")] if runs else []
    links += [("loss", "Loss")] if curves else []
    links += [("samples", "Samples")] if samples else []
    nav = "".join(f'<a href="#{escaped(id)}">{escaped(text)}</a>' for id, text in links)
    body = [f"<h1>{escaped(grid)}</h1><nav>{nav}</nav>"]
    for table in tables:
        body.append(f"<h2>{escaped(wording.name(table.id))}</h2>")
        if table.id in drawings:
            body.append(_inlined(drawings[table.id]))
            body.append(f'<p class="notes">{escaped(BARS)}</p>')
        body.append(render.html(table))
    body += [_claims(verdicts)] if verdicts else []
    body += [_budget(runs, match)] if runs else []
    if curves:
        said = "A panel per variant, a line per seed."
        body.append(f'<h2 id="loss">Pretraining loss</h2><p>{said}</p>{_inlined(curves)}')
    body += [_samples(samples)] if samples else []
    return _document(f"{grid}: tables", "\n".join(body))


BARS = (
    "Bars: our runs. Whiskers: the 95% interval for other seeds and such texts; from one "
    "pretraining for such texts only. The paper's values are in the table below."
)


def alone(figure: str, table: Table) -> str:
    """A page that holds one rendered table."""
    return _document(wording.heading(table), figure)


def _document(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escaped(title)}</title>\n<style>{STYLE}</style></head>\n<body>\n{body}\n"
        "</body></html>\n"
    )


def _inlined(svg: str) -> str:
    """An SVG file's root element, without the declarations that HTML does not know."""
    root = svg[svg.index("<svg") : svg.rindex("</svg>") + len("</svg>")]
    return f'<div class="scroll">{root}</div>'


def _claims(verdicts: Sequence[Verdict]) -> str:
    rows = []
    for verdict in verdicts:
        shown = []
        for head, text in zip(checklist.HEADS, checklist.cells(verdict)):
            kind = {"Claim": "text", "Why": "text", "Verdict": _slug(verdict.verdict)}.get(head, "")
            shown.append(
                f'<td class="{kind}">{escaped(text)}</td>' if kind else f"<td>{escaped(text)}</td>"
            )
        rows.append(f"<tr>{''.join(shown)}</tr>")
    head = "".join(f"<th>{text}</th>" for text in checklist.HEADS)
    told, reading = checklist.told(verdicts), checklist.reading(verdicts)
    return (
        f'<h2 id="claims">The paper\'s claims</h2><p>{escaped(told)}. {escaped(reading)}</p>'
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>'
        + "\n".join(rows)
        + "</tbody></table></div>"
    )


def _slug(words: str) -> str:
    return words.replace(" ", "-")


def _budget(runs: Sequence[Pretraining], match: str) -> str:
    matched = {match} & set(ledger.QUANTITIES)
    heads = ""
    for name, label in ledger.QUANTITIES.items():
        small = "<small>matched</small>" if name in matched else ""
        heads += f"<th{_class(name, matched)}>{label}{small}</th>"
    rows = []
    for run in runs:
        cells = "".join(
            f"<td{_class(name, matched)}>{ledger.shown(name, run.ledger.get(name))}</td>"
            for name in ledger.QUANTITIES
        )
        device = escaped(str(run.ledger.get("device") or run.reason))
        rows.append(
            f"<tr><th>{escaped(run.variant)}</th><td>{escaped(str(run.seed))}</td>{cells}"
            f'<td>{device}</td><td class="text">{escaped(", ".join(run.labels))}</td></tr>'
        )
    said = escaped(ledger.matched(runs, match))
    return (
        f'<h2 id="budget">Pretraining budget</h2><p>{said}</p>'
        f'<div class="scroll"><table><thead><tr><th>Variant</th><th>Seed</th>{heads}<th>Device</th>'
        "<th>Used by</th></tr></thead>\n<tbody>" + "\n".join(rows) + "</tbody></table></div>"
    )


def _class(name: str, matched: set) -> str:
    return ' class="matched"' if name in matched else ""


def _samples(samples: Sequence[Sample]) -> str:
    said = "The first questions by id, each answered by the first run of every row."
    out = [f'<h2 id="samples">Samples</h2><p>{said}</p>']
    for sample in samples:
        where = f"{wording.name(sample.table)}, {sample.column}, question {sample.id}"
        rows = [("reference", sample.reference)] if sample.reference else []
        body = "".join(
            f'<tr><th>{escaped(label)}</th><td class="text">{escaped(_cut(text))}</td></tr>'
            for label, text in (*rows, *sample.answers)
        )
        caption = f"<figcaption>{escaped(where)}</figcaption>"
        out.append(f"<figure>{caption}<table>{body}</table></figure>")
    return "\n".join(out)


def _cut(text: str) -> str:
    return text if len(text) <= CUT else f"{text[:CUT]}…"
