"""Every way in which a task's sample row is asked: task, style, pattern, mode, options."""

from collections.abc import Iterator

from tasks import TASKS
from tasks.spec import How, Question, Task
from tests.tasks.samples import rows

MODES = {"wsc": ("rank", "generate"), "language": ("unidirectional", "bidirectional")}
OPTIONS = {
    "cnndm": ({}, {"profile": "paper"}, {"layout": "unilm"}),
    "xsum": ({}, {"profile": "paper"}),
    "gigaword": ({}, {"profile": "paper"}),
    "yahoo": ({}, {"ratio": 0.5}),
}


def ways(task: Task) -> Iterator[How]:
    """All styles, patterns, modes and options of a task, as trained and as evaluated."""
    for style in task.styles:
        patterns = range(task.patterns) if style == "cloze" else (0,)
        modes = MODES.get(task.name, MODES.get(task.group, ("",)))
        for pattern in patterns:
            for mode in ("",) if style == "classifier" else modes:
                for options in OPTIONS.get(task.name, ({},)):
                    for train in (False, True):
                        yield How(style, train, pattern, mode, options=options)


def called(task: Task, how: How) -> str:
    """A name for a way of asking: "wsc cloze 2 rank train"."""
    parts = [task.name, how.style, str(how.pattern), how.mode, "train" if how.train else "eval"]
    return " ".join([part for part in parts if part] + [f"{k}={v}" for k, v in how.options.items()])


def asked() -> dict[str, list[Question]]:
    """The sample row's questions, for every task and way."""
    return {
        called(task, how): [question for row in rows(task.name) for question in task.ask(row, how)]
        for task in TASKS.values()
        for how in ways(task)
    }
