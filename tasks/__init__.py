"""What is asked: tasks as text, their sources and their metrics. No torch, no tokenizer.

`TASKS` is the registry: a task is a value in its own module and one line here.
"""

from tasks.generation.cnndm import CNNDM
from tasks.generation.gigaword import GIGAWORD
from tasks.generation.squad_qg import SQUAD_QG
from tasks.generation.xsum import XSUM
from tasks.generation.yahoo import YAHOO
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

TASKS: dict[str, Task] = {task.name: task for task in (*SUPERGLUE, *GENERATION, *LANGUAGE)}
GROUPS: dict[str, tuple[str, ...]] = {
    "superglue": tuple(task.name for task in SUPERGLUE),
    "generation": tuple(task.name for task in GENERATION),
    "language": tuple(task.name for task in LANGUAGE),
}
