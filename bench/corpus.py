"""A corpus larger than the memory that a step may have: its peak, and tokens a second.

    python -m bench.corpus                  # 6 GB of tokens, 0.5 GB of text, some 5 minutes
    python -m bench.corpus --tokens-gb 0.2 --text-gb 0.02

Each part runs in a process of its own with one thread, whose data (what is not a mapped file) is
held below LIMIT by RLIMIT_DATA: a part that read the corpus into memory would end in MemoryError.
`anon` is the peak of its own memory, `peak` of all that was resident at once, pages of mapped files
included, which the kernel takes back when something else needs the room.

    corpus    JSON Lines of 2 kB documents -> the corpus step's parquet files
    tokens    those -> the token step's flat file
    batches   blank infilling's batches of 64 rows of 512 raw tokens, drawn from all over the file
    pretrain  a pretraining step of the smallest GLM on the same file
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.measure import load, one_thread

LIMIT = 3 * 2**30  # bytes of data of a process
WORDS = 8000
PARTS = ("corpus", "tokens", "batches", "pretrain")


def main() -> int:
    """Make the corpora, run every part, print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens-gb", type=float, default=6.0)
    parser.add_argument("--text-gb", type=float, default=0.5)
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(_measured(options.part[0], Path(options.part[1]))))
        return 0
    print(f"load {load()}; limit of data {LIMIT / 2**30:.0f} GiB", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        _text(Path(folder), int(options.text_gb * 1e9))
        _stream(Path(folder), int(options.tokens_gb * 1e9) // 2)
        for part in PARTS:
            child = [sys.executable, "-m", "bench.corpus", "--part", part, folder]
            done = subprocess.run(child, stdout=subprocess.PIPE, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            print(
                f"{part:<9} {found['size'] / 1e9:6.2f} GB  {found['amount']:>13,} {found['unit']}  "
                f"{found['amount'] / found['seconds']:>11,.0f} a CPU second  "
                f"anon {found['anon'] / 1e6:,.0f} MB  peak {found['peak'] / 1e6:,.0f} MB",
                flush=True,
            )
    return 0


def _text(folder: Path, size: int) -> None:
    """Documents of some 2 kB until there are `size` bytes, in text.jsonl."""
    import numpy as np

    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(WORDS)]
    drawn = np.minimum(rng.zipf(1.2, (2000, 350)) - 1, WORDS - 1)
    lines = [json.dumps({"text": " ".join(words[i] for i in row)}) + "\n" for row in drawn]
    block = "".join(lines).encode()
    with open(folder / "text.jsonl", "wb") as file:
        for _ in range(max(1, size // len(block))):
            file.write(block)


def _stream(folder: Path, count: int) -> None:
    """A token step's files with `count` tokens in documents of 400, and its tokenizer."""
    import numpy as np

    from glm.data.stream import token_type
    from glm.data.tokenizer import train_wordpiece

    made = folder / "stream"
    made.mkdir()
    with open(folder / "text.jsonl", encoding="utf-8") as file:
        texts = [json.loads(next(file))["text"] for _ in range(1000)]
    tokenizer = train_wordpiece(texts, 8000)
    tokenizer.save(folder / "tokenizer")
    special = tokenizer.special
    kind = token_type(special)
    block = np.random.default_rng(1).integers(100, special.size, 400 * 25_000).astype(kind)
    block[::400], block[399::400] = special.cls, special.eos
    blocks = max(1, count // len(block))
    with open(made / "tokens.bin", "wb") as file:
        for _ in range(blocks):
            file.write(block.tobytes())
    np.save(made / "offsets.npy", np.arange(0, blocks * len(block) + 1, 400, dtype=np.int64))
    (made / "tokens.json").write_text(json.dumps({"dtype": kind.__name__}))


# --- in a process of its own


def _measured(part: str, folder: Path) -> dict[str, Any]:
    """Run a part under the limit and watch its memory."""
    one_thread()
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    anon, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            anon[0] = max(anon[0], _resident("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.process_time()
    size, amount, unit = RUN[part](folder)
    seconds = time.process_time() - began
    over.set()
    watcher.join()
    peak = _resident("VmHWM")
    return {"size": size, "amount": amount, "unit": unit, "seconds": seconds} | {
        "anon": anon[0],
        "peak": peak,
    }


def _resident(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


def _work(folder: Path, name: str, **given: Path) -> Any:
    """A step's view of the world."""
    from harness.run.working import Working
    from harness.steps.step import Machine

    made = folder / name
    made.mkdir()
    how = {"paths": [str(folder / "text.jsonl")]}
    return Working(made, given, Machine(device="cpu"), how, 1, folder / "stop")


def _corpus(folder: Path) -> tuple[int, int, str]:
    from harness.steps.corpus import Corpus

    work = _work(folder, "corpus")
    Corpus(files=("bench",)).run(work)
    size = (folder / "text.jsonl").stat().st_size
    return size, size, "bytes"


def _tokens(folder: Path) -> tuple[int, int, str]:
    from harness.steps.tokens import Tokens

    given = {"corpus": folder / "corpus", "tokenizer": folder / "tokenizer"}
    Tokens().run(_work(folder, "tokens", **given))
    made = json.loads((folder / "tokens/tokens.json").read_text())
    return (folder / "tokens/tokens.bin").stat().st_size, made["tokens"], "tokens"


def _batches(folder: Path) -> tuple[int, int, str]:
    from glm.data import tokenizer
    from glm.data.stream import TokenStream, batch_at
    from glm.objectives.blank_infilling import BlankInfilling

    stream = TokenStream.open(folder / "stream")
    special, rows, length, count = tokenizer.load(folder / "tokenizer").special, 64, 512, 2000
    for step in range(count):
        batch_at(stream, BlankInfilling(), special, seed=0, step=step, rows=rows, length=length)
    return stream.tokens_L.nbytes, rows * length * count, "tokens"


def _pretrain(folder: Path) -> tuple[int, int, str]:
    from glm.models.shape import Shape
    from glm.objectives.blank_infilling import BlankInfilling
    from glm.training.optimisation import Optimisation
    from harness.steps.pretrain import Pretrain

    shape = Shape(2, 64, 2, 1, positions=256, dropout=0.0, attention_dropout=0.0)
    spec = Pretrain(BlankInfilling(), shape, Optimisation(40, 1e-3, 4, 40), 16, 128, "fp32")
    given = {"tokens": folder / "stream", "tokenizer": folder / "tokenizer"}
    spec.run(_work(folder, "pretrain", **given))
    return (folder / "stream/tokens.bin").stat().st_size, 40 * 16 * 128, "tokens"


RUN: dict[str, Callable[[Path], tuple[int, int, str]]] = {
    "corpus": _corpus,
    "tokens": _tokens,
    "batches": _batches,
    "pretrain": _pretrain,
}


if __name__ == "__main__":
    sys.exit(main())
