"""A task without code: the fields of a JSON row and a template with one blank, as YAML.

    name: rte-mine
    kind: classification              # or choice, generation
    files: {train: rte/train.jsonl, dev: rte/val.jsonl}      # below the data's root; .xz, .gz too
    fields: [premise, hypothesis]
    template: '"{hypothesis:bare}" ? || {blank}, "{premise}"'
    label: label                      # the field that says what is right
    labels: [entailment, not_entailment]
    verbalizer: ["Yes", "No"]         # the words that stand for them in the blank, one token each
    metrics: [acc]

A choice has `candidates` of several words: the name of a field that holds a list of texts, or a
list of texts of its own, which may use fields. Its label is the number of the right one (from 0) or
its text; `labels` gives other names, in the order of the candidates.

    name: copa-mine
    kind: choice
    fields:
      premise: premise                # a name of ours: the record's field
      choice1: choice1
      choice2: choice2
      link: {field: question, words: {cause: because, effect: so}}      # what stands for a value
    template: '{premise:bare} {link:whole} {blank}.'
    candidates: ['{choice1:uncapitalised,bare}', '{choice2:uncapitalised,bare}']
    label: label

A generation writes the field `label` into the blank.

    name: news
    kind: generation
    fields: {article: document}
    template: '{blank} Content: {article:spaced}'
    label: summary
    metrics: [rg1, rg2, rgl]

In a template, `{field}` is a field's text, which may be cut at its end where a question is too
long; after a colon stand what is done to it (bare: without final punctuation; uncapitalised;
spaced: one space between words) and how it may be cut (whole: not at all; start: at its start).
`||` begins the second side: a classifier puts a separator there, and a text that is too long loses
tokens of its longer side. `classifier` is the template for that style, where the fields one after
the other, the first against the rest, are not what is wanted; a choice's has `{candidate}` in it.

More keys: `title`, `id` (the field with a row's id; else its line number), `group` (the field that
names which rows are scored together), `folder` (for files of the usual names), `reduce` (sum or
mean of a candidate's log-probabilities).
"""

from tasks.template.mapping import task

__all__ = ["task"]
