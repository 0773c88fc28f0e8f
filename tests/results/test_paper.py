"""What the paper prints is data, and every number has a status of its own."""

import dataclasses
from collections import Counter

import pytest

from results import paper
from tests.present import present


def statuses(id):
    table = present(paper.table(id))
    return Counter(v.status for row in table.rows.values() for v in row.values.values())


@pytest.mark.parametrize(
    ("id", "confirmed", "recalled"),
    [
        ("table1", 168, 0),
        ("table2", 3, 27),
        ("table3", 3, 15),
        ("table4", 1, 17),
        ("table5", 1, 19),
        ("table6", 7, 77),
        ("figure4", 2, 20),
    ],
)
def test_every_number_of_a_table_has_one_status(id, confirmed, recalled):
    assert statuses(id) == +Counter(confirmed=confirmed, recalled=recalled)


def test_a_mixed_row_is_resolved_number_by_number():
    row = present(paper.table("table2")).rows["BART_Large"].values
    assert row["xsum", "rg1"] == paper.Printed(45.1, "45.1", "confirmed", ("S4",))
    assert row["xsum", "rg2"].status == row["cnndm", "rg1"].status == "recalled"


def test_table_6_repeating_table_1_is_recalled_where_it_was_not_seen():
    row = present(paper.table("table6")).rows["GLM_Large"].values
    assert {key for key, v in row.items() if v.status == "confirmed"} == {
        ("rte", "acc"),
        ("avg", "avg"),
    }
    assert (
        row["copa", "acc"].value
        == present(paper.table("table1")).rows["GLM_Large"].values["copa", "acc"].value
    )


def test_table_6_has_seven_rows_in_the_papers_order():
    assert list(present(paper.table("table6")).rows) == [
        *("BERT_Large", "BERT_Large_reproduced", "BERT_Large_cloze", "GLM_Large"),
        *("GLM_Large_no_cloze", "GLM_Large_no_shuffle", "GLM_Large_sentinel"),
    ]


def off_average(id):
    """Rows whose printed Avg is not the mean of their printed cells, to the printed decimal."""
    table = present(paper.table(id))
    found = set()
    for name, row in table.rows.items():
        tasks = [
            sum(present(row.values[column, m].value) for m in metrics) / len(metrics)
            for column, metrics in table.columns.items()
            if column != "avg"
        ]
        if abs(sum(tasks) / 8 - present(row.values["avg", "avg"].value)) > 0.0501:
            found.add(name)
    return found


def test_the_printed_averages_recompute_but_for_the_two_known_ones():
    assert off_average("table1") == {"GLM_Sent"}
    assert off_average("table6") == {"GLM_Large_no_cloze"}
    assert "77.3" in present(paper.table("table1")).rows["GLM_Sent"].note


def test_a_bound_is_shown_but_is_no_number():
    value = present(paper.table("figure4")).rows["GLM_Large_uni"].values["heldout", "ppl"]
    assert (value.value, value.shown, value.status) == (None, ">100", "confirmed")


def test_figure_4_says_in_which_mode_each_row_is():
    modes = Counter(row.mode for row in present(paper.table("figure4")).rows.values())
    assert modes == {"unidirectional": 6, "bidirectional": 5}


def test_a_metric_of_another_name_is_found_by_its_place_if_the_count_is_the_same():
    table = present(paper.table("table3"))
    names = ("rouge1", "rouge2", "rougeL")
    assert present(table.printed("MASS", "gigaword", names, 0)).shown == "37.7"
    assert table.printed("MASS", "gigaword", ("rouge1",), 0) is None
    assert table.printed("nobody", "gigaword", names, 0) is None


def test_a_place_that_the_paper_has_without_a_number_is_unknown():
    table = present(paper.table("table4"))
    row = table.rows["SemQG"]
    bare = paper.PaperRow(row.id, row.label, "", "", {}, (), "")
    without = paper.PaperTable(*("t", "", "", ""), table.columns, {"SemQG": bare}, ())
    assert present(without.printed("SemQG", "squad_qg", ("bleu4",), 0)).status == "unknown"


def test_every_source_is_named():
    used = {
        mark
        for id in paper.TABLES
        for row in present(paper.table(id)).rows.values()
        for marks in [row.corroborated, *(v.source for v in row.values.values())]
        for mark in marks
    }
    used |= {mark for claim in paper.claims() for mark in claim.source}
    assert used <= set(paper.sources())


def test_every_claim_is_about_rows_and_columns_that_the_paper_has():
    for claim in paper.claims():
        table = present(paper.table(claim.table))
        assert {claim.over, claim.under} <= set(table.rows), claim.id
        for column in claim.columns:
            id, _, metric = column.partition(".")
            assert not metric or metric in table.columns[id], claim.id
    ids = [claim.id for claim in paper.claims()]
    assert len(set(ids)) == len(ids)


def test_every_claim_is_about_one_metric():
    metrics = {claim.id: paper.one_metric(claim) for claim in paper.claims()}
    assert metrics["f4-large"] == "ppl"
    assert set(metrics.values()) == {"avg", "rg1", "bleu4", "bleu", "acc", "ppl"}
    bare = dataclasses.replace(paper.claims()[0], columns=("heldout.ppl", "heldout.bpb"))
    with pytest.raises(ValueError, match="name one metric"):
        paper.one_metric(bare)


def test_no_pair_is_claimed_on_an_average_and_on_a_part_of_it():
    pairs = [(claim.table, claim.over, claim.under) for claim in paper.claims()]
    averages = {pair for pair, c in zip(pairs, paper.claims()) if c.columns == ("avg",)}
    parts = {pair for pair, c in zip(pairs, paper.claims()) if c.columns != ("avg",)}
    assert not averages & parts


def test_a_table_of_the_users_own_has_nothing_in_print():
    assert paper.table("mine") is None
