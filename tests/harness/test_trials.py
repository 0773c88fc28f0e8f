"""A grid unfolded: what is shared, what an override reaches, and what a change leads to."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from ablations.tables import TABLES
from harness.errors import UserError
from harness.grid import load as grids
from harness.grid.expansion import Cell, Expansion, expand
from harness.grid.overrides import scaled
from harness.plan import estimate
from harness.plan.why import why
from harness.steps.corpus import Corpus
from harness.steps.finetune import Finetune, ZeroShot
from harness.steps.pretrain import Pretrain
from harness.steps.score import Score
from harness.steps.step import Step
from harness.steps.vocabulary import Vocabulary
from harness.store import manifest
from harness.store.store import Store
from tasks.microworld.write import Sizes, write

Made = Callable[..., Expansion]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """A grid's text, and `--set` options, unfolded."""

    def unfold(text: str, *options: str) -> Expansion:
        path = tmp_path / "grid.yaml"
        path.write_text(text)
        return expand(grids.load(path, options))

    return unfold


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files in the publishers' layout."""
    path = tmp_path_factory.mktemp("world")
    write(path, seed=0, documents=40, sizes=Sizes().scaled(0.02))
    return path


def own(
    rows: str = "[glm-large]", columns: str = "[cb]", split: str = "dev", more: str = ""
) -> str:
    return f"tables: [{{id: mine, split: {split}, rows: {rows}, columns: {columns}}}]\n{more}"


def by_kind(expansion: Expansion, kind: str) -> list[Step]:
    return [step for step in expansion.steps.values() if step.kind == kind]


def one(expansion: Expansion, kind: str) -> Any:
    """The spec of the only step of a kind."""
    (step,) = by_kind(expansion, kind)
    return step.spec


def digests(expansion: Expansion, *kinds: str) -> set[str]:
    return {step.digest for step in expansion.steps.values() if not kinds or step.kind in kinds}


def kinds(steps: Iterable[str], expansion: Expansion) -> set[str]:
    return {expansion.steps[digest].kind for digest in steps}


# --- sharing


def test_all_tables_share_what_is_the_same(made: Made):
    names = list(TABLES)
    together = made(f"tables: [{', '.join(names)}]")
    apart = [made(f"tables: [{name}]") for name in names]
    large = [cell for cell in together.cells if cell.pretrain.name == "glm-large-micro-s0"]
    assert len({cell.table for cell in large}) == 8  # all but Table 2, which has RoBERTa's only
    assert len({cell.pretrain.digest for cell in large}) == 1
    assert digests(together) == set().union(*map(digests, apart))
    assert len(together.steps) < sum(len(each.steps) for each in apart)
    variants = {
        row.variant for table in TABLES.values() for row in table.rows if row.variant is not None
    }
    assert len(by_kind(together, "pretrain")) == len(variants)
    for kind in ("world", "corpus", "tokenizer", "tokens"):
        assert len(by_kind(together, kind)) == 1


def test_a_row_of_two_tables_is_finetuned_once(made: Made):
    expansion = made("tables: [table1, table6]")
    scores: dict[str, set[str]] = {}
    for cell in expansion.cells:
        if cell.row == "GLM_Large":
            scores.setdefault(cell.column, set()).add(cell.trials[0].score.digest)
    assert len(scores) == 8 and all(len(found) == 1 for found in scores.values())


# --- seeds


def test_every_pair_of_seeds_is_a_cell_and_zero_shot_has_no_finetuning_seed(made: Made):
    text = own(columns="[cb, lambada]", split="test", more="seeds: {pretrain: 2, finetune: 3}")
    expansion = made(text)
    seeds: dict[str, list[tuple[int, int]]] = {}
    for cell in expansion.cells:
        seeds.setdefault(cell.column, []).append((cell.pretrain_seed, cell.finetune_seed))
    assert seeds["cb"] == [(p, f) for p in range(2) for f in range(3)]
    assert seeds["lambada"] == [(0, 0), (1, 0)]
    assert len(by_kind(expansion, "pretrain")) == 2
    assert len(by_kind(expansion, "finetune")) == 6


def test_more_seeds_tasks_or_rows_only_add_steps(made: Made):
    few = digests(made(own()))
    assert few < digests(made(own(more="seeds: {pretrain: 2, finetune: 2}")))
    assert few < digests(made(own(columns="[cb, copa]")))
    assert few < digests(made(own(rows="[glm-large, bert-large]")))
    mine = own().removeprefix("tables: [").strip()
    assert few < digests(made(f"tables: [table3, {mine}"))


# --- overrides of a row


def test_a_rows_overrides_reach_the_variant_the_pretraining_and_the_finetuning(made: Made):
    plain = made(own())
    row = (
        "[{variant: glm-large, set: {objective.shuffle: false, variant.layers: 12,"
        " pretrain.lr: 0.5, pattern: 1, epochs: 7, finetune.lr: 0.25}}]"
    )
    changed = made(own(rows=row))
    before, after = one(plain, "pretrain"), one(changed, "pretrain")
    assert (before.objective.shuffle, after.objective.shuffle) == (True, False)
    assert (before.shape.layers, after.shape.layers) == (4, 2)
    assert after.optimisation == replace(before.optimisation, lr=0.5)
    tuned, were = one(changed, "finetune"), one(plain, "finetune")
    assert (tuned.pattern, tuned.epochs, tuned.lr) == (1, 7, 0.25)
    assert (were.pattern, were.epochs) == (0, 4)
    assert one(changed, "score").pattern == 1


def test_a_row_spelled_out_is_the_variant_of_that_name(made: Made):
    spelled = "[{variant: glm-large, set: {objective.shuffle: false}}]"
    assert digests(made(own(rows=spelled))) == digests(made(own(rows="[glm-large/no-shuffle]")))


def test_a_mode_is_the_rows_or_the_tasks_own(made: Made):
    rows = "[{variant: glm-large, set: {mode: generate}}, {variant: glm-large, id: plain}]"
    modes = {step.spec_of(Finetune).mode for step in by_kind(made(own(rows, "[wsc]")), "finetune")}
    assert modes == {"generate", "rank"}
    classified = made(own("[{variant: glm-large, style: classifier}]", "[wsc]"))
    assert one(classified, "finetune").mode == "classify"
    rows = "[{variant: glm-large, set: {mode: bidirectional}}]"
    both = made(own(rows, "[lambada]", "test"))
    asked = both.cells[0].trials[0].score.spec
    assert one(both, "zeroshot").mode == "bidirectional" == asked.mode


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("objective.shufle", "unknown setting of objective `shufle`; did you mean `shuffle`?"),
        ("variant.depth", "unknown setting of variant `depth`; there are layers, hidden"),
        ("pretrain.rate", "unknown setting of pretrain `rate`; `harness list settings` has them"),
        ("epoch", "unknown setting `epoch`; did you mean `epochs`"),
        ("finetune.lrate", "unknown setting of finetune `lrate`; did you mean"),
    ],
)
def test_an_override_of_nothing_is_refused_with_what_there_is(made: Made, name: str, said: str):
    with pytest.raises(UserError) as caught:
        made(own(rows=f"[{{variant: glm-large, set: {{{name}: 1}}}}]"))
    assert said in str(caught.value)


# --- overrides of the scale


def test_a_scales_numbers_are_overridden_and_fractions_are_exact(made: Made, tmp_path: Path):
    path = tmp_path / "grid.yaml"
    path.write_text("tables: [table1]\noverrides: {steps: 7, depth: 1/3, width: 0.125}")
    scale = scaled(grids.load(path))
    assert (scale.steps, scale.depth, scale.width) == (7, Fraction(1, 3), Fraction(1, 8))
    spec = one(made(own(more="overrides: {steps: 7, depth: 1/3, heads: 1/4}")), "pretrain")
    assert (spec.optimisation.steps, spec.shape.layers, spec.shape.heads) == (7, 8, 4)


@pytest.mark.parametrize("match", ["positions", "targets", "flops", "corpus_tokens"])
def test_what_is_matched_decides_the_baselines_steps(made: Made, match: str):
    rows = "[glm-large, bert-large, gpt-large]"
    steps = {
        step.name.split("-")[0]: step.spec_of(Pretrain).optimisation.steps
        for step in by_kind(made(own(rows, more=f"match: {match}")), "pretrain")
    }
    assert steps["glm"] == 240
    if match == "corpus_tokens":
        assert steps["bert"] == steps["gpt"] == 240
    if match == "positions":
        assert steps["bert"] > 240  # GLM's Part B costs positions that BERT does not have
    if match == "targets":
        assert steps["gpt"] < 100 < steps["bert"]


# --- sweeps


SWEEP = "sweep: {{parameters: {{lr: [0.001, 0.002, 0.004]}}, select: {select}}}"


def test_a_sweep_tries_every_point_and_a_fixed_one_the_first(made: Made):
    more = "sweep: {parameters: {lr: [0.001, 0.002], epochs: [1, 2]}, select: best_dev}"
    (cell,) = made(own(more=more)).cells
    tried = [(trial.settings["lr"], trial.settings["epochs"]) for trial in cell.trials]
    assert tried == [(0.001, 1), (0.001, 2), (0.002, 1), (0.002, 2)]
    (cell,) = made(own(more=more.replace("best_dev", "fixed"))).cells
    assert [dict(trial.settings) for trial in cell.trials] == [{"lr": 0.001, "epochs": 1}]
    assert cell.trials[0].predictions.spec_of(Finetune).select_on == ""


def test_a_table_of_the_test_split_selects_on_dev(made: Made):
    more = SWEEP.format(select="best_dev")
    (cell,) = made(own(columns="[gigaword]", split="test", more=more)).cells
    for trial in cell.trials:
        assert trial.selection is not None
        assert (trial.score.spec.split, trial.selection.spec.split) == ("test", "dev")
        assert trial.selection.spec.predictions == "predictions.select.parquet"
        assert trial.predictions.spec_of(Finetune).select_on == "dev"


def test_a_table_of_the_dev_split_selects_on_a_half_that_is_not_reported(made: Made):
    (cell,) = made(own(more=SWEEP.format(select="best_dev"))).cells
    for trial in cell.trials:
        assert trial.selection is not None
        assert (trial.score.spec.part, trial.selection.spec.part) == ("report", "select")
        assert trial.score.inputs == trial.selection.inputs
    assert "on half of dev" in cell.conditions
    (cell,) = made(own()).cells
    assert cell.trials[0].score.spec.part == ""


def scored(store: Store, step: Step[Score], value: float) -> None:
    """A finished score with one value, as `harness.steps.score` writes it."""
    from tasks.atomic import write_json

    folder = store.path(step)
    folder.mkdir(parents=True, exist_ok=True)
    metric = {"value": value, "higher_is_better": True}
    write_json(folder / "scores.json", {"metrics": {step.spec.metrics[0]: metric}})


@pytest.mark.parametrize(("select", "at"), [("best_dev", 1), ("median", 2)])
def test_what_was_selected_is_on_record_with_what_was_not(
    made: Made, tmp_path: Path, select: str, at: int
):
    text = own(columns="[gigaword]", split="test", more=SWEEP.format(select=select))
    expansion = made(text)
    grid = grids.load(tmp_path / "grid.yaml")
    store = Store(tmp_path / "store").open()
    (cell,) = expansion.cells
    dev, test = [0.2, 0.9, 0.5], [0.7, 0.3, 0.1]
    for trial, value in list(zip(cell.trials, dev))[:2]:
        scored(store, trial.selection or trial.score, value)
    pending = written(grid, expansion, store)["selected"]
    assert pending == {"rule": select, "pending": 1}
    for trial, chosen, value in zip(cell.trials, dev, test):
        scored(store, trial.selection or trial.score, chosen)
        scored(store, trial.score, value)
    selected = written(grid, expansion, store)["selected"]
    assert (selected["rule"], selected["split"]) == (select, "dev")
    assert (selected["selection_value"], selected["value"]) == (dev[at], test[at])
    assert selected["settings"] == {"lr": [0.001, 0.002, 0.004][at]}
    assert selected["optimism"] == pytest.approx(dev[at] - test[at])
    assert selected["unselected"]["settings"] == {"lr": 0.001}
    assert selected["unselected"]["value"] == test[0]
    assert [trial["selection_value"] for trial in selected["trials"]] == dev


def written(grid: Any, expansion: Expansion, store: Store) -> dict[str, Any]:
    """The only cell of the manifest as it would be written now."""
    from tasks.atomic import read_json

    manifest.write(grid, expansion, store, *manifest.known(store, expansion.steps))
    found = read_json(store.root / "grids" / grid.name / "cells.json")
    assert found is not None
    (cell,) = found["cells"]
    return cell


# --- identity


def test_equal_settings_spelled_differently_are_one_step(made: Made):
    plain = digests(made(own()))
    assert plain == digests(made(own(more="match: positions\nrecipe: paper\nscale: micro")))
    assert plain == digests(made(own(more="data: {kind: microworld, seed: 0, documents: 3000}")))
    spelled = "[{set: {pattern: 0, objective.shuffle: true}, variant: glm-large, style: cloze}]"
    assert plain == digests(made(own(rows=spelled, more="finetune: {weight_decay: 0.1}")))
    rates = ("0.00001", "1.0e-5", "1e-05", "1e-5")
    assert len({frozenset(digests(made(own(more=f"finetune: {{lr: {r}}}")))) for r in rates}) == 1
    assert digests(made(own(more="finetune: {lr: 0.00002}"))) != plain


def test_how_it_is_run_is_no_part_of_what_is_run(made: Made):
    more = (
        "machine: {executor: ray, address: auto, gpus: {pretrain: 2, finetune: 0.5}, cpus: 3,"
        " threads: 4, workers: 2, micro_batch: 4, store: elsewhere, time_limit: {finetune: 2h},"
        " device: cuda, retries: 0, checkpoint_seconds: 5}"
    )
    assert digests(made(own(more=more))) == digests(made(own()))


@pytest.mark.parametrize(
    ("more", "rerun"),
    [
        ("finetune: {epochs: 9}", {"finetune", "score"}),
        ("overrides: {steps: 99}", {"pretrain", "finetune", "score"}),
        (
            "data: {vocabulary: {size: 1024}}",
            {"tokenizer", "tokens", "pretrain", "finetune", "score"},
        ),
        ("overrides: {eval_rows: 20}", {"dataset", "leakage", "finetune", "score"}),
        ("recipe: reference", {"finetune", "score"}),
    ],
)
def test_a_change_reaches_what_depends_on_it_and_nothing_else(made: Made, more: str, rerun: set):
    before, after = made(own()), made(own(more=more))
    assert kinds(digests(after) - digests(before), after) == rerun


def test_why_names_the_field_that_changed(made: Made, tmp_path: Path):
    store = Store(tmp_path / "store").open()
    for step in made(own()).steps.values():
        order = store.order(step)
        store.begin(order)
        store.finish(order, {})
    (pretrain,) = by_kind(made(own(more="overrides: {lr: 0.5}")), "pretrain")
    said = "\n".join(why(pretrain, store))
    assert "optimisation.lr: 0.002 there, 0.5 now" in said and "another" not in said


# --- files


def folder(root: Path, more: str = "") -> str:
    return own(
        more=f"data: {{kind: folder, root: {root}, corpus: {{path: corpus/train.jsonl}}{more}}}"
    )


def test_other_bytes_in_a_file_reach_its_dataset_and_what_reads_it(
    made: Made, world: Path, tmp_path: Path
):
    root = tmp_path / "data"
    shutil.copytree(world, root)
    before = made(folder(root))
    assert digests(before) == digests(made(folder(world)))  # where it lies is not what it is
    train = root / "superglue/CB/train.jsonl"
    train.write_text(train.read_text().replace("carpet", "rug ") + "\n")
    after = made(folder(root))
    changed = digests(after) - digests(before)
    assert kinds(changed, after) == {"dataset", "leakage", "finetune", "score"}
    with (root / "corpus/train.jsonl").open("a") as corpus:
        corpus.write('{"text": "One more."}\n')
    changed = digests(made(folder(root))) - digests(after)
    expected = {"corpus", "tokenizer", "tokens", "leakage", "pretrain", "finetune", "score"}
    assert kinds(changed, made(folder(root))) == expected


def test_only_robertas_recipe_reads_the_larger_corpus(made: Made, world: Path):
    data = folder(world, ", larger_corpus: {path: [corpus/train.jsonl, corpus/heldout.jsonl]}")
    expansion = made(data.replace("[glm-large]", "[glm-large, glm-roberta]"))
    files = {
        step.name.split("-micro")[0]: step.inputs["tokens"].inputs["corpus"].spec_of(Corpus).files
        for step in by_kind(expansion, "pretrain")
    }
    assert len(files["glm-large"]) == 1 and len(files["glm-roberta"]) == 2
    assert files["glm-large"][0] == files["glm-roberta"][0]


def test_missing_files_are_said_with_the_place_before_anything_runs(made: Made, world: Path):
    with pytest.raises(UserError, match=r"no file .*nowhere\.jsonl"):
        made(folder(world).replace("corpus/train.jsonl", "nowhere.jsonl"))
    text = folder(world).replace("[cb]", "[wikitext]").replace("split: dev", "split: test")
    with pytest.raises(UserError, match=r"WikiText.* has no test file"):
        made(text)
    with pytest.raises(UserError, match=r"grid.yaml:2:7: a `corpus` is missing"):
        made(own(more=f"data: {{kind: folder, root: {world}}}"))
    with pytest.raises(UserError, match="Held-out documents has no dev split, only test"):
        made(own(columns="[heldout]"))


def test_a_vocabulary_is_trained_read_from_files_or_taken_from_the_hub(
    made: Made, world: Path, tmp_path: Path
):
    assert one(made(own()), "tokenizer").kind == "train"
    assert one(made(own()), "tokenizer").ids == 2048
    small = made(own(more="data: {vocabulary: {kind: train, size: 500}}"))
    (pretrain,) = by_kind(small, "pretrain")
    assert estimate.shape(pretrain).vocabulary == 512
    published = made(own(more="scale: base"))
    assert one(published, "tokenizer").hub == "bert-large-uncased"
    for kind, hub, rows in (
        ("bert", "bert-large-uncased", 30_592),
        ("roberta", "roberta-large", 50_304),
        ("gpt2", "gpt2", 50_304),
    ):
        chosen = made(own(more=f"scale: base\ndata: {{vocabulary: {{kind: {kind}}}}}"))
        assert one(chosen, "tokenizer").hub == hub
        (pretrain,) = by_kind(chosen, "pretrain")
        assert estimate.shape(pretrain).vocabulary == rows
    roberta = made(own("[glm-roberta]", more="scale: base"))
    assert one(roberta, "tokenizer").hub == "roberta-large"
    assert estimate.shape(by_kind(roberta, "pretrain")[0]).vocabulary == 50_304
    (tmp_path / "vocab").mkdir()
    listed = tmp_path / "vocab" / "bert-base-uncased-vocab.txt"
    listed.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n")
    read = made(own(more=f"data: {{vocabulary: {{kind: bert, path: {listed.parent}}}}}"))
    (step,) = by_kind(read, "tokenizer")
    spec = step.spec_of(Vocabulary)
    assert spec.kind == "bert" and len(spec.files) == 1
    assert step.how["paths"] == [str(listed)]
    with pytest.raises(UserError, match=r"grid.yaml:2:42: no file .*roberta-vocab.json"):
        made(own(more=f"data: {{vocabulary: {{kind: roberta, path: {listed.parent}}}}}"))


HUB = "data: {{kind: hub, corpus: {{hub: a/b, revision: abc}}{more}}}"


def test_a_revision_reaches_the_hubs_tasks(made: Made):
    pinned, other = (
        made(own(more=HUB.format(more=""))),
        made(own(more=HUB.format(more=", revision: main"))),
    )
    changed = kinds(digests(other) - digests(pinned), other)
    assert changed == {"dataset", "leakage", "finetune", "score"}
    (dataset,) = by_kind(other, "dataset")
    assert dict(dataset.how["source"].revisions) == {"cb": "main"}
    assert one(other, "corpus").revision == "abc"
    with pytest.raises(UserError, match="`revision` is for kind: hub"):
        made(own(more="data: {revision: main}"))


def test_a_task_that_the_hub_has_not_whole_comes_from_the_folder(made: Made, world: Path):
    text = own(columns="[cb, squad_qg]", more=HUB.format(more=f", root: {world}"))
    sources = {step.name: step.how["source"] for step in by_kind(made(text), "dataset")}
    assert type(sources["cb"]).__name__ == "Hub"
    assert type(sources["squad_qg"]).__name__ == "Folder"


def cells(expansion: Expansion) -> list[tuple[str, str]]:
    return [(cell.row, cell.column) for cell in expansion.cells if isinstance(cell, Cell)]


def test_a_group_of_tasks_is_a_column_for_each(made: Made):
    assert [column for _, column in cells(made(own(columns="[superglue]")))] == [
        column.task for column in TABLES["table1"].columns
    ]


def test_a_column_may_ask_for_a_profiles_metric(made: Made) -> None:
    column = "{task: cb, metrics: [acc]}, {task: xsum, metrics: [rg1, rg1@unilm]}"
    scores = by_kind(made(own(columns=f"[{column}]")), "score")
    specs: list[Any] = [step.spec for step in scores]
    assert ("rg1", "rg1@unilm") in [spec.metrics for spec in specs]
    [signatures] = [spec.signatures for spec in specs if len(spec.metrics) == 2]
    assert signatures[0] != signatures[1]
    with pytest.raises(UserError, match=r"unknown metric of xsum `rg1@unlim`; did you mean `rg1@"):
        made(own(columns="[{task: xsum, metrics: [rg1@unlim]}]"))


def test_a_level_is_a_column_and_all_levels_of_a_task_share_one_finetuning(made: Made):
    found = made(own(columns="[rte, rte@2, {task: rte@4, metrics: [acc, twins]}]"))
    assert [column for _, column in cells(found)] == ["rte", "rte@2", "rte@4"]
    assert len(by_kind(found, "finetune")) == 1
    specs = [cell.trials[0].score.spec for cell in found.cells]
    assert [dict(spec.options) for spec in specs] == [{}, {"level": 2}, {"level": 4}]
    assert [spec.metrics for spec in specs] == [("acc",), ("acc",), ("acc", "twins")]
    assert "level:2" in specs[1].signatures[0] and "level" not in specs[0].signatures[0]


@pytest.mark.parametrize(
    "column, said",
    [("wic@2", "WiC has levels 1"), ("gigaword@3", "Gigaword has no levels"), ("ret@2", "rte")],
)
def test_a_level_that_a_task_does_not_have_is_refused(made: Made, column: str, said: str):
    with pytest.raises(UserError, match=said):
        made(own(columns=f"[{column}]"))


def test_minimal_pairs_are_asked_of_every_system_by_its_own_likelihood(made: Made):
    found = made(own(rows="[glm-large, gpt-large, bert-large]", columns="[blimp]", split="test"))
    styles = {cell.row: cell.trials[0].predictions.spec.style for cell in found.cells}
    exact = dict.fromkeys(("glm-large", "gpt-large"), "likelihood")
    assert styles == exact | {"bert-large": "pseudo-likelihood"}
    assert not by_kind(found, "finetune")
    (first, *_) = found.cells
    assert {floor.name for floor in first.floors} == {"unigram", "5-gram"}


def test_a_cloze_can_be_asked_of_a_model_as_it_is(made: Made):
    rows = "[glm-large, {variant: glm-large, style: untrained-cloze}, "
    rows += "{variant: bert-large, style: untrained-bert-cloze, set: {pattern: 4}}]"
    columns = "[{task: rte, metrics: [acc, twins]}, rte@2]"
    found = made(own(rows=rows, columns=columns, more="controls: [blind]"))
    assert len(by_kind(found, "zeroshot")) == 2 and not by_kind(found, "ngram")
    specs = [step.spec_of(ZeroShot) for step in by_kind(found, "zeroshot")]
    patterns = {spec.style: spec.pattern for spec in specs}
    assert patterns == {"untrained-cloze": 0, "untrained-bert-cloze": 4}
    asked = [cell for cell in found.cells if cell.row.startswith("bert-large")]
    assert all(
        "style:untrained-bert-cloze|" in s for c in asked for s in c.trials[0].score.spec.signatures
    )


# --- what a system cannot be asked


def test_a_partial_table_has_no_cell_for_what_a_system_cannot_be_asked_and_says_why(made: Made):
    found = made("tables: [objectives, likelihoods]")
    rows = {(table.id, row.id): row for table in found.tables for row in table.rows}
    assert not rows["objectives", "GLM"].unasked and not rows["likelihoods", "GPT"].unasked
    assert set(rows["objectives", "BERT"].unasked) == {"xsum"}
    assert "needs masked target or one blank" in rows["objectives", "BERT"].unasked["xsum"]
    diffusion = rows["likelihoods", "Diffusion"].unasked
    assert set(diffusion) == {"heldout"} and "give it another" not in diffusion["heldout"]
    there = {(cell.table, cell.row, cell.column) for cell in found.cells}
    for table in found.tables:
        for row in table.rows:
            asked = {c.id for c in table.columns if (table.id, row.id, c.id) in there}
            wanted = {c.id for c in table.columns} if row.variant else set()
            assert asked == wanted - set(row.unasked), row.id
    (bound,) = (c for c in found.cells if (c.row, c.column) == ("Diffusion", "blimp"))
    assert bound.trials[0].predictions.spec.style == "likelihood-bound"
    assert "likelihood-bound" in bound.trials[0].score.spec.signatures[0]
