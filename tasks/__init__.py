"""What is asked: tasks as text, their sources and their metrics. No torch, no tokenizer.

`TASKS` is the registry: a task is a value in its own module and one line here.
"""

from tasks.errors import UserError
from tasks.generation.cnndm import CNNDM
from tasks.generation.gigaword import GIGAWORD
from tasks.generation.squad_qg import SQUAD_QG
from tasks.generation.xsum import XSUM
from tasks.generation.yahoo import YAHOO
from tasks.language.blimp import BLIMP
from tasks.language.heldout import HELDOUT
from tasks.language.lambada import LAMBADA
from tasks.language.wikitext import WIKITEXT
from tasks.spec import Task
from tasks.superglue.boolq import BOOLQ
from tasks.superglue.cb import CB
from tasks.superglue.copa import COPA
from tasks.superglue.multirc import MULTIRC
from tasks.superglue.record import RECORD
from tasks.superglue.rte import RTE
from tasks.superglue.wic import WIC
from tasks.superglue.wsc import WSC

# In the order of the paper's Table 1.
SUPERGLUE = (RECORD, COPA, WSC, RTE, BOOLQ, WIC, CB, MULTIRC)
GENERATION = (CNNDM, XSUM, GIGAWORD, SQUAD_QG, YAHOO)
LANGUAGE = (LAMBADA, HELDOUT, WIKITEXT)

AT = "@"  # "rte@2" is RTE at level 2

TASKS: dict[str, Task] = {task.name: task for task in (*SUPERGLUE, *GENERATION, *LANGUAGE, BLIMP)}
GROUPS: dict[str, tuple[str, ...]] = {
    "superglue": tuple(task.name for task in SUPERGLUE),
    "generation": tuple(task.name for task in GENERATION),
    "language": tuple(task.name for task in LANGUAGE),
}


def leveled(name: str) -> tuple[str, dict[str, int]]:
    """A task's name and the options that a level in it stands for. Raises `UserError` for a level
    that the task does not have; whether there is such a task is not looked at.

    >>> leveled("rte@2"), leveled("rte")
    (('rte', {'level': 2}), ('rte', {}))
    """
    plain, at, level = name.partition(AT)
    if not at or plain not in TASKS:
        return (plain if at else name), {}
    levels = TASKS[plain].levels
    if level not in map(str, levels):
        has = f"levels {', '.join(map(str, levels))}" if levels else "no levels"
        raise UserError(f"{name}: {TASKS[plain].title} has {has} in the built-in world.")
    return plain, {"level": int(level)}
