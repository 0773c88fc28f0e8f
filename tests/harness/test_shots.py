"""`shots` in a grid: who can be shown examples, and that the prompt is the one written by hand."""

import json
import random
from pathlib import Path

import pandas as pd
import pytest
import torch

from glm.adaptation.continuation import ContinuationStyle
from glm.data import tokenizer as tokens
from glm.models.huggingface.checkpoint import Loaded
from harness.errors import UserError
from harness.grid import load as grids
from harness.grid.expansion import Expansion, expand
from harness.run.command import main
from tasks import shots
from tasks.errors import UserError as Unfit
from tasks.spec import Blank, Cloze, Part
from tests.glm import foreign

GRID = """
name: prompts
tables: [{{id: mine, rows: [{row}], columns: [{column}]}}]
tasks:
  far:
    kind: classification
    fields: [who]
    template: '{{who}} flew{{blank}} .'
    label: label
    labels: [0, 1]
    verbalizer: [home, far away]
data: {{root: ., files: {{far: {{train: train.jsonl, dev: dev.jsonl}}}}}}
seeds: {{finetune: [0, 7]}}
"""
WHO = ["ann", "lee", "bob", "the cat", "a dog"]


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Loaded]:
    folder = tmp_path_factory.mktemp("model") / "gpt2"
    return folder, foreign.opened(foreign.DECODERS[0], folder)


def grid(folder: Path, row: str, column: str) -> Path:
    for split, rows in (("train", WHO), ("dev", WHO[:3])):
        lines = [json.dumps({"who": who, "label": n % 2}) for n, who in enumerate(rows)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    path = folder / "prompts.yaml"
    path.write_text(GRID.format(row=row, column=column))
    return path


def unfolded(folder: Path, row: str, column: str) -> Expansion:
    return expand(grids.load(grid(folder, row, column)))


def score(loaded: Loaded, prompt: str, candidate: str) -> float:
    """What `transformers` gives a candidate and the rest of the sentence after a prompt."""
    encode = loaded.tokenizer.encode
    given, wanted = encode(prompt), encode(f" {candidate} .")
    with torch.inference_mode():
        logits = loaded.model.network(torch.tensor([[*given, *wanted]])).logits[0]
    picked = logits.log_softmax(-1)[range(len(given) - 1, len(given) + len(wanted) - 1), wanted]
    return float(picked.sum())


def test_a_decoder_scores_the_prompt_that_is_written_by_hand(gpt2, tmp_path: Path):
    folder, loaded = gpt2
    row = f"{{checkpoint: {folder}, set: {{shots: 2}}}}"
    path = grid(tmp_path, row, "far")
    store = tmp_path / "store"
    assert main([str(path), "--store", str(store), "--executor", "inline", "--quiet"]) == 0
    steps = {json.loads(f.read_text())["spec"]["seed"]: f.parent
             for f in store.glob("zeroshot/*/spec.json")}  # fmt: skip
    assert set(steps) == {0, 7}
    for seed, step in steps.items():
        order = list(range(5))
        random.Random(f"shots/{seed}").shuffle(order)
        words = ("home", "far away")
        shown = "".join(f"{WHO[i]} flew {words[i % 2]} .\n\n" for i in order[:2])
        answers = pd.read_parquet(step / "predictions.parquet")
        for who, scores in zip(WHO[:3], answers["scores"], strict=True):
            expected = [score(loaded, f"{shown}{who} flew", word) for word in words]
            assert list(scores) == pytest.approx(expected, abs=1e-3)
    signatures = [json.loads(f.read_text())["metrics"]["acc"]["signature"]
                  for f in store.glob("score/*/scores.json")]  # fmt: skip
    assert len(set(signatures)) == 1 and signatures[0].endswith("|shots:2|order:drawn")


def test_shots_that_do_not_fit_are_left_out_whole_and_the_farthest_first(gpt2):
    _, loaded = gpt2
    question = Cloze("1", (Part("ann flew", cut="end"), Blank(), Part(" .")), ("home", "far"), (0,))
    prompt = shots.prompted(question, ("lee met bob .", "bob met ann .", "a cat sat ."))
    encode = loaded.tokenizer.encode
    whole = "lee met bob .\n\nbob met ann .\n\na cat sat .\n\nann flew"
    lengths = []
    for text in (whole, whole[len("lee met bob .\n\n") :], "a cat sat .\n\nann flew", "ann flew"):
        given = list(encode(text))
        room = len(given) + len(encode(" .")) + 1 + 1  # and the candidate and one more
        (item,) = ContinuationStyle().encode([prompt], loaded.tokenizer, room)
        assert item.sequences[0].tokens_L.tolist()[: len(given)] == given
        (tight,) = ContinuationStyle().encode([prompt], loaded.tokenizer, room + 1)
        assert tight.cut == item.cut  # one token more makes no room for a shot
        lengths.append(item.cut)
    assert lengths[0] == 0 and lengths == sorted(lengths)
    # Without any shot left the question is cut as one without shots is.
    for room in (6, 5):
        (alone,) = ContinuationStyle().encode([question], loaded.tokenizer, room)
        (after,) = ContinuationStyle().encode([prompt], loaded.tokenizer, room)
        assert after.sequences[0].tokens_L.tolist() == alone.sequences[0].tokens_L.tolist()
    with pytest.raises(Unfit, match="does not fit"):
        ContinuationStyle().encode([prompt], loaded.tokenizer, 1)


def test_glm_reads_its_shots_before_the_blank():
    tokenizer = tokens.train_wordpiece([" ".join(foreign.WORDS)] * 4, 110)
    from glm.adaptation.cloze import ClozeStyle

    question = Cloze("1", (Part("ann flew"), Blank(), Part(" .")), ("home", "far"), (0,))
    prompt = shots.prompted(question, ("lee flew far .",))
    (item,) = ClozeStyle().encode([prompt], tokenizer, 60)
    written = tokenizer.encode("lee flew far . ann flew")
    ids = tokenizer.special
    expected = [ids.cls, *written, ids.mask, *tokenizer.encode("."), ids.eos]
    assert item.sequences[0].tokens_L.tolist()[: len(expected)] == expected


def test_shots_choose_an_untrained_style_and_their_number_is_part_of_the_digest(gpt2, tmp_path):
    row = f"{{checkpoint: {gpt2[0]}}}"
    found = unfolded(tmp_path, row, "{task: far, id: four, options: {shots: 4}}, "
                     "{task: far, id: zero, options: {shots: 0}}, far")  # fmt: skip
    asked = {}
    for cell in found.cells:
        asked.setdefault(cell.column, []).append(cell.trials[0].predictions)
    assert [step.kind for step in asked["far"]] == ["finetune", "finetune"]
    assert [(s.kind, s.spec.shots, s.spec.seed) for s in asked["zero"]] == [("zeroshot", 0, 0)]
    assert [(s.spec.shots, s.spec.seed) for s in asked["four"]] == [(4, 0), (4, 7)]
    assert {s.spec.style for s in asked["zero"] + asked["four"]} == {"untrained-continuation"}
    digests = {step.digest for steps in asked.values() for step in steps}
    assert len(digests) == 5


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [
        ("glm-large", "{task: far, options: {shots: -1}}", "`shots` is -1: a whole number from 0"),
        ("{variant: glm-large, set: {shots: two}}", "far", "`shots` is 'two': a whole number"),
        ("{variant: bert-large, set: {shots: 2}}", "far", "cannot be asked by `bert-large` after"),
        (
            "{variant: glm-large, style: cloze}",
            "{task: far, options: {shots: 2}}",
            "cannot be asked as `cloze` after `shots`: .*untrained-continuation, untrained-cloze",
        ),
        ("glm-large", "{task: squad_qg, options: {shots: 2}}", "after `shots`"),
        ("{variant: gpt-large, set: {shots: 2}}", "lambada", "after `shots`"),
    ],
)
def test_what_cannot_be_shown_shots_is_refused(tmp_path: Path, row: str, column: str, said: str):
    with pytest.raises(UserError, match=said):
        unfolded(tmp_path, row, column)
