"""Grids from Python: values with frames, no exit and no output unless it is asked for."""

import signal
from pathlib import Path

import pytest

import harness
from harness.live import state
from harness.run.signals import Stop

GRID = {
    "name": "small",
    "overrides": {"steps": 2, "rows": 8, "eval_rows": 6, "world": 0.05, "documents": 120},
    "tables": [{"id": "mine", "rows": ["glm-large"], "columns": ["rte", "gigaword"]}],
    "machine": {"executor": "inline"},
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run") / "store"


def test_a_mapping_is_run_and_comes_back_as_frames(store: Path, capfd):
    planned = harness.plan(GRID, store=store)
    assert set(planned.steps.state) == {"to run"} and "to run" in repr(planned)
    assert "<table" in planned._repr_html_() and not store.exists()
    result = harness.run(GRID, store=store)
    assert capfd.readouterr().out == "" and result.code == 0
    table = result.tables["mine"]
    assert table.index[0].startswith("GLM Large") and table.columns[0] == "Seeds"
    assert [name.split(" (")[0] for name in table.columns[1:]] == [
        *("RTE Acc.", "Gigaword RG-1", "Gigaword RG-2", "Gigaword RG-L")
    ]
    assert set(result.tidy["mine"].metric) >= {"acc", "rg1"}
    shown = result.scores.set_index("metric").value["acc"]
    assert f"{shown:.1f}" in table.iloc[0, 1]
    assert len(result.predictions) == 12 and set(result.predictions.column) == {"rte", "gigaword"}
    assert "GLM Large" in repr(result) and "<table" in result._repr_html_()
    assert "..." not in result._repr_html_().split("</table>")[0]
    assert planned.steps.name.str.len().max() < 50 or "..." not in planned._repr_html_()
    assert result.report.is_file()


def test_results_are_read_again_from_the_store_alone(store: Path):
    for grid in ("small", GRID):
        again = harness.tables(store, grid)
        assert again.code == 0 and list(again.tables) == ["mine"]


def test_a_mistake_is_raised_and_not_printed(tmp_path: Path, capfd):
    with pytest.raises(harness.UserError, match="unknown table `tabel1`; did you mean `table1`"):
        harness.run({"tables": ["tabel1"]}, store=tmp_path)
    with pytest.raises(harness.UserError, match="no YAML file could have"):
        harness.plan({"tables": [object()]})
    assert capfd.readouterr() == ("", "")


def test_a_run_that_breaks_off_has_ended_though_its_process_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RAY_TMPDIR", "/not/there")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(harness.UserError, match=r"Ray's files \(.*/not/there.*let RAY_TMPDIR"):
        harness.run(GRID, store=tmp_path, executor="ray")
    run = state.run(tmp_path, "small")
    assert run is not None and run.state == "stopped" and run.ended


def test_a_guest_interrupts_and_never_ends_the_process(tmp_path: Path):
    stop = Stop(tmp_path / "stop", "the same call", lambda: None, guest=True)
    stop.install()
    try:
        signal.raise_signal(signal.SIGINT)
        assert stop.asked and (tmp_path / "stop").exists() and stop._timer is None
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        stop.uninstall()
