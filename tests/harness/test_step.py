"""What a digest depends on, and what it does not."""

from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.errors import UserError
from harness.steps.identity import canonical, differences
from harness.steps.step import Machine, Step, Work, described, ordered, slug


@dataclass(frozen=True)
class Poisson:
    lam: float = 3.0


@dataclass(frozen=True)
class Document:
    lam: float = 3.0


@dataclass(frozen=True)
class Spec:
    lr: float = 1e-5
    seed: int = 0
    spans: Any = Poisson()
    options: dict[str, Any] = field(default_factory=dict)
    version: ClassVar[int] = 1
    uses: ClassVar[str] = "cpu"

    def run(self, work: Work) -> None:
        """Nothing: these are only told apart."""


def digest(spec: Any, **inputs: Step) -> str:
    return Step("pretrain", "x", spec, inputs).digest


def test_a_trial_spelled_twice_is_one_step():
    assert digest(Spec()) == digest(Spec(lr=0.00001, seed=0, spans=Poisson(3)))
    one, two = {"a": 1, "b": (2, 3)}, {"b": [2, 3], "a": 1.0}
    assert digest(Spec(options=one)) == digest(Spec(options=two))


def test_the_name_and_how_it_is_run_are_not_identity():
    one = Step("pretrain", "x", Spec(), how={"root": "/a"})
    two = Step("pretrain", "y", Spec(), how={"root": "/b"})
    assert one.digest == two.digest
    assert one.folder == f"pretrain/x-{one.digest}"


@pytest.mark.parametrize(
    "spec",
    [
        Spec(lr=2e-5),
        Spec(seed=1),
        Spec(spans=Document()),
        Spec(options={"a": True}),
        Spec(seed=True),
    ],
)
def test_what_is_computed_otherwise_has_another_digest(spec: Spec):
    assert digest(spec) != digest(Spec())


def test_true_is_not_one():
    assert digest(Spec(options={"a": True})) != digest(Spec(options={"a": 1}))


def test_a_step_is_what_its_inputs_are():
    a, b = Step("tokens", "t", Spec(seed=1)), Step("tokens", "t", Spec(seed=2))
    assert len({digest(Spec()), digest(Spec(), t=a), digest(Spec(), t=b), digest(Spec(), u=a)}) == 4


def test_a_new_field_with_a_harmless_default_forks_no_digest():
    wider = make_dataclass("Spec", [("lr", float, 1e-5), ("new", int, 0)], frozen=True)
    narrow = make_dataclass("Spec", [("lr", float, 1e-5)], frozen=True)
    assert digest(wider(lr=0.1)) == digest(narrow(lr=0.1))
    assert digest(wider(lr=0.1, new=1)) != digest(narrow(lr=0.1))


def test_a_version_forks_the_digest():
    newer = make_dataclass("Spec", [("seed", int, 0)], frozen=True, namespace={"version": 2})
    older = make_dataclass("Spec", [("seed", int, 0)], frozen=True, namespace={"version": 1})
    assert digest(newer()) != digest(older())


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), Path("/x"), {1, 2}, object(), len, b"x", {1: 2}]
)
def test_what_has_no_stable_form_is_refused_by_name(value: Any):
    with pytest.raises(UserError, match=r"spec\.options\.here"):
        digest(Spec(options={"here": value}))


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a..b", "a b", "x" * 200, "<b>"])
def test_a_name_that_is_no_folder_is_refused(name: str):
    with pytest.raises(UserError):
        Step("pretrain", name, Spec())


def test_a_slug_is_always_a_name():
    for text in ("glm-large/no-shuffle", "../../etc", "<script>", "", "=cmd|' /C calc'!A0", "ä"):
        Step("pretrain", slug(text), Spec())
    assert slug("glm-large/no-shuffle") == "glm-large+no-shuffle"


def test_spec_json_holds_every_field_in_full_and_names_what_moved():
    stored = described(Step("pretrain", "x", Spec()))["spec"]
    assert stored == {
        "lr": 1e-5,
        "seed": 0,
        "spans": {"is": "Poisson", "lam": 3},
        "options": {},
    }
    now = canonical(Spec(spans=Poisson(4.0)), full=True)
    assert differences(stored, now) == [("spans.lam", 3, 4)]


def test_no_field_of_the_machine_is_a_field_of_a_step():
    step = Step("pretrain", "x", Spec())
    before = step.digest
    Machine(gpus={"pretrain": 8}, micro_batch=3, threads=9, store="/elsewhere")
    assert Step("pretrain", "x", Spec()).digest == before


def test_a_long_chain_is_ordered_inputs_first_without_recursion():
    step: Step = Step("a", "first", Spec())
    first = step
    for seed in range(3000):
        step = Step("a", "next", Spec(seed=seed), {"before": step})
    plan = list(ordered({step.digest: step}).values())
    assert len(plan) == 3001 and plan[0] is first and plan[-1] is step
