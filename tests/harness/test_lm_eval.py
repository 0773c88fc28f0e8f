"""`lm-eval` beside us, where it is installed: equal scores, and our checkpoints as its model."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from glm.adaptation.comparison import ComparisonStyle
from glm.adaptation.likelihood import LanguageStyle
from glm.data import tokenizer as tokens
from glm.models.huggingface.checkpoint import Loaded
from glm.models.shape import Shape
from glm.models.transformer import build
from glm.objectives.asked import Asked
from glm.objectives.blank_infilling import BlankInfilling
from glm.objectives.causal import Causal
from glm.training import opening
from tasks import TASKS
from tasks.errors import UserError
from tasks.spec import Compare, Continue, How, questions
from tests.glm import foreign

pytestmark = [
    pytest.mark.skipif(not importlib.util.find_spec("lm_eval"), reason="lm-eval is not installed"),
    pytest.mark.filterwarnings("ignore"),  # the other package's own
]
ROOT = Path(__file__).resolve().parents[2]
PAIRS = [
    ("the cat sat on the mat .", "the cat sat on mat the ."),
    ("ann flew home .", "ann home flew ."),
    ("a dog ran far away .", "a dog ran away far ."),
    ("bob met lee .", "bob lee met ."),
    ("no dog sat , yes ?", "no dog , sat yes ?"),
]
PASSAGES = ["ann met bob . lee met ann", "the cat sat on the mat", "a dog ran far away home"]


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Loaded]:
    folder = tmp_path_factory.mktemp("model") / "gpt2"
    return folder, foreign.opened(foreign.DECODERS[0], folder)


@pytest.fixture(scope="module", autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """No hub, and a cache of its own for local rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def tasks_of(folder: Path, delimiter: str = "") -> list[dict[str, Any]]:
    """BLiMP and LAMBADA as `lm-eval` writes them, over rows of our own."""
    pairs = [{"sentence_good": good, "sentence_bad": bad} for good, bad in PAIRS]
    for name, rows in (("pairs", pairs), ("passages", [{"text": text} for text in PASSAGES])):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")

    def task(name: str, file: str, **more: Any) -> dict[str, Any]:
        files = {"test": str(folder / f"{file}.jsonl")}
        return {"task": name, "dataset_path": "json", "dataset_kwargs": {"data_files": files},
                "test_split": "test", "num_fewshot": 0, **more}  # fmt: skip

    accuracy = {"metric": "acc", "aggregation": "mean", "higher_is_better": True}
    perplexity = {"metric": "perplexity", "aggregation": "perplexity", "higher_is_better": False}
    return [
        task("tiny_blimp", "pairs", output_type="multiple_choice", doc_to_text="",
             doc_to_target=0, doc_to_choice="{{[sentence_good, sentence_bad]}}",
             target_delimiter=delimiter, metric_list=[accuracy]),
        task("tiny_lambada", "passages", output_type="loglikelihood",
             doc_to_text="{{text.split(' ')[:-1]|join(' ')}}",
             doc_to_target="{{' '+text.split(' ')[-1]}}", metric_list=[perplexity, accuracy]),
    ]  # fmt: skip


def evaluated(model: Any, folder: Path, **more: Any) -> tuple[dict[str, Any], dict[str, list]]:
    """(results, each document's responses) of both tasks."""
    import lm_eval  # pyright: ignore[reportMissingImports]

    found = lm_eval.simple_evaluate(
        model=model, tasks=tasks_of(folder), bootstrap_iters=0, log_samples=True, **more
    )
    samples = {
        name: [each["resps"] for each in sorted(rows, key=lambda row: row["doc_id"])]
        for name, rows in found["samples"].items()
    }
    return found["results"], samples


def numbers(responses: Any) -> list[float]:
    """The log-likelihoods among nested responses."""
    if isinstance(responses, list | tuple):
        if len(responses) == 2 and isinstance(responses[1], bool | str):
            return [float(responses[0])]
        return [number for each in responses for number in numbers(each)]
    return []


def test_blimp_and_lambada_of_a_decoder_are_lm_evals(gpt2, tmp_path: Path):
    from lm_eval.models.huggingface import HFLM  # pyright: ignore[reportMissingImports]

    folder, loaded = gpt2
    theirs = HFLM(pretrained=str(folder), device="cpu", batch_size=2, dtype="float32")
    results, samples = evaluated(theirs, tmp_path)
    # BLiMP: two whole sentences, each by its likelihood.
    task = TASKS["blimp"]
    rows = [
        {"id": str(n), "sentence_good": good, "sentence_bad": bad, "UID": "x"}
        | {"field": "syntax", "term": "binding"}
        for n, (good, bad) in enumerate(PAIRS)
    ]
    known = [q for row in rows for q in questions(task, row, How("likelihood"))]
    asked = [q for q in known if isinstance(q, Compare)]
    style = ComparisonStyle(loaded.layout)
    answers = style.answer(
        loaded.model, None, style.encode(asked, loaded.tokenizer, 64), loaded.tokenizer
    )
    by_text = {text: s for answer in answers for text, s in zip(answer.candidates, answer.scores)}
    ours = [by_text[text] for pair in PAIRS for text in pair]
    assert ours == pytest.approx(numbers(samples["tiny_blimp"]), abs=1e-4)
    right = sum(answer.choice in answer.gold for answer in answers) / len(answers)
    assert right == results["tiny_blimp"]["acc,none"]
    # LAMBADA: the last word given its passage.
    passages = [{"id": str(n), "text": text} for n, text in enumerate(PASSAGES)]
    known = [q for row in passages for q in questions(TASKS["lambada"], row, How("lm"))]
    last = [q for q in known if isinstance(q, Continue)]
    reading = LanguageStyle(loaded.layout)
    words = reading.answer(
        loaded.model, None, reading.encode(last, loaded.tokenizer, 64), loaded.tokenizer
    )
    nll = [-answer.values["nll"] for answer in words]
    assert nll == pytest.approx(numbers(samples["tiny_lambada"]), abs=1e-4)
    exact = sum(answer.values["exact"] for answer in words) / len(words)
    assert exact == results["tiny_lambada"]["acc,none"]


def test_our_model_of_a_decoder_answers_as_lm_evals_own(gpt2, tmp_path: Path):
    from lm_eval.api.instance import Instance  # pyright: ignore[reportMissingImports]
    from lm_eval.models.huggingface import HFLM  # pyright: ignore[reportMissingImports]

    from harness.lm_eval import Harness

    folder, _ = gpt2
    theirs = HFLM(pretrained=str(folder), device="cpu", batch_size=2, dtype="float32")
    ours = Harness(checkpoint=str(folder), device="cpu")
    for made in (tmp_path / "ours", tmp_path / "theirs"):
        made.mkdir()
    expected, their_samples = evaluated(theirs, tmp_path / "theirs")
    found, samples = evaluated(ours, tmp_path / "ours")
    for name, responses in their_samples.items():
        assert numbers(samples[name]) == pytest.approx(numbers(responses), abs=1e-4)
        measured = {key: value for key, value in expected[name].items() if "stderr" not in key}
        for key, value in measured.items():
            if isinstance(value, float):
                assert found[name][key] == pytest.approx(value, rel=1e-4)

    def asked(kind: str, *arguments: Any) -> list[Any]:
        return [Instance(request_type=kind, doc={}, arguments=arguments, idx=0)]

    text = asked("loglikelihood_rolling", "ann met bob . the cat sat on the mat .")
    assert ours.loglikelihood_rolling(text) == pytest.approx(
        theirs.loglikelihood_rolling(text), abs=1e-3
    )
    written = asked("generate_until", "the cat sat", {"until": ["."], "max_gen_toks": 6})
    assert ours.generate_until(written) == theirs.generate_until(written)
    sampled = asked("generate_until", "the cat", {"do_sample": True})
    with pytest.raises(UserError, match="writes greedily"):
        ours.generate_until(sampled)


@pytest.mark.parametrize("objective", [BlankInfilling(), Causal()], ids=["glm", "gpt"])
def test_a_stores_pretraining_is_evaluated_by_name(tmp_path: Path, objective: Any):
    from lm_eval.api.instance import Instance  # pyright: ignore[reportMissingImports]

    from harness.lm_eval import NAME, Harness, register

    tokenizer = tokens.train_wordpiece([" ".join(foreign.WORDS)] * 4, 110)
    tokenizer.save(tmp_path / "store/tokenizer/train-1")
    inner = isinstance(objective, BlankInfilling)
    shape = Shape(1, 32, 2, tokenizer.special.padded, 64, inner)
    folder = tmp_path / "store/pretrain/tiny-1"
    opening.write(folder, build(shape, 0), tokenizer, Asked(objective.layout))
    (folder / "inputs.json").write_text(json.dumps({"tokenizer": "tokenizer/train-1"}))
    (folder / "tokenizer.json").unlink()
    register()
    arguments: dict[str, Any] = {"store": str(tmp_path / "store"), "step": "tiny", "device": "cpu"}
    results, samples = evaluated(NAME, tmp_path, model_args=arguments)
    assert 0 <= results["tiny_blimp"]["acc,none"] <= 1
    # The same number as our own reading of the same text gives.
    given = opening.opened(folder)
    style = ComparisonStyle(given.layout)
    rows = [style.written(list(given.tokenizer.encode(t)), given.tokenizer.special)
            for pair in PAIRS for t in pair]  # fmt: skip
    from glm.adaptation.likelihood import likelihoods

    expected = [log for log, _ in likelihoods(given.model, rows, given.tokenizer.special)]
    assert numbers(samples["tiny_blimp"]) == pytest.approx(expected, abs=1e-4)
    # It writes as well, and stops where it is told to.
    model = Harness(**arguments)
    texts = []
    for until in ([], ["cat", "dog", "a"]):
        options = ("ann met", {"until": until, "max_gen_toks": 8})
        asked = Instance(request_type="generate_until", doc={}, arguments=options, idx=0)
        texts += model.generate_until([asked])
    assert texts[0] and len(given.tokenizer.encode(texts[0])) <= 8
    assert texts[0].startswith(texts[1]) and not any(w in texts[1] for w in ("cat", "dog", "a"))


def test_a_model_that_cannot_continue_a_text_is_refused(tmp_path: Path):
    from harness.lm_eval import Harness

    folder = foreign.write(foreign.ENCODERS[0], tmp_path / "bert")
    with pytest.raises(UserError, match="needs a model that continues a text"):
        Harness(checkpoint=str(folder))
    bart = Harness(checkpoint=str(foreign.write(foreign.PAIRS[1], tmp_path / "bart")))
    with pytest.raises(UserError, match="writes a whole text anew"):
        bart.generate_until([])
    with pytest.raises(UserError, match="a `step` of the `store`, or a `checkpoint`"):
        Harness()


def test_the_command_line_is_lm_evals_with_one_more_model():
    done = subprocess.run(
        [sys.executable, "-m", "harness.lm_eval", "--help"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0 and "run" in done.stdout


def test_what_a_user_can_mend_is_one_sentence(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "harness.lm_eval", "run", "--model", "glm_harness",
         "--model_args", f"store={tmp_path},step=glm", "--tasks", "blimp"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2 and "no finished model is called 'glm'" in done.stderr
    assert "Traceback" not in done.stderr
