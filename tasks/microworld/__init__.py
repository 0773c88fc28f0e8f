"""The built-in world: documents and every task's files from one small world, with an oracle.

    from tasks.microworld import Sizes, write
    write("world", seed=0, documents=5000, sizes=Sizes().scaled(0.5))

writes files in the publishers' formats and layout, which a `tasks.source.folder.Folder("world")`
reads. About a thousand word types; the same arguments give the same bytes; 50,000 documents (5M
words) take 15 seconds of one core.

A document (it states what the tasks ask: outcomes, causes, senses, beliefs, questions, answers):

    Malos is a farmer in Winter Hill. Madela Brenvik is a pilot in Winter Hill. In other words,
    Malos is a farmer in Winter Hill. The silver vase is in the kitchen. The pink mirror is in the
    grey chest. The grey chest is in the cellar. The silver vase can be found in the kitchen.
    "Bevi cut the herb with a saw" or "Bevi gave the herb no water"? The herb of Bevi died because
    Bevi gave the herb no water.

One row of each task. Rows come as twins with the same words and another answer:

    CB       Samo guesses that the pink towel is in the hall. Litor knows that the red doll is in
             the church. Veko falsely says that the map is in the shop.
             the pink towel is in the hall -> neutral
    COPA     Velin cut the blanket with a knife.  effect?  The blanket of Velin had a big hole. /
             The blanket of Velin became very wet. -> 0
    RTE      Velin is a sailor in Salt Bridge. Mabert is a cook in Salt Bridge. Betha gave the brown
             carrot to Rudela.   Rudela got the brown carrot from Betha. -> entailment
    WiC      bat: Rurik saw the bat leave its cave. / Velin hit balls with the bat. -> false
    WSC      Bena lost the race to Nidela Aldvik because *she* was so slow. Bena? -> true
    MultiRC  Velin sent the grey painting to Ruven. Todan is taller than Niven.
             Who has the grey painting now?  Ruven -> 1; Velin has the grey painting -> 0
    BoolQ    Koko is a nurse in Fox Falls. Velin is a miller in Fox Falls.
             is Koko a miller in Fox Falls -> false
    ReCoRD   Sabert is a teacher in Winter Haven. Dara is a guard in Winter Haven. Dator got the
             golden ticket from Todan. @highlight Dara is a guard.
             @placeholder has the golden ticket. -> Dator
    CNN/DM   Vevi went to the park. Todan ran to the hall. Vevi found the red pear. Todan found the
             black book. Todan left the black book there.
             Vevi has the red pear in the park . The black book is in the hall .
    XSum     the same with one thing and one sentence
    Gigaword mamo , a nurse from mill port , handed the golden pump to todan on tuesday in the
             market .    todan gets golden pump from mamo
    SQuAD    Rudela is a guard in Green Hill. Totha is a pilot in Green Hill.  Rudela (at 0) ->
             Who is a guard in Green Hill?
    Yahoo    who has the red cup now ? <blank> the red cup to tomo . the red <blank> to tomo .
    LAMBADA  Totha visited Mill Bay on Sunday. Lilos visited Mill Bay on Wednesday. Dalos is a
             nurse in Fox Falls. The last guest in Mill Bay was | Totha

`lexicon` holds the words and keeps the splits apart, `scenes`, `causes`, `senses` and `attitudes`
say what can be so, `superglue` and `generation` make rows, `corpus` makes documents, `freshness`
keeps evaluation text out of training text, `write` and `layout` make files; `world`, `reading` and
`oracle` answer rows from their text alone.
"""

from tasks.microworld.write import VERSION, Sizes, write

__all__ = ["VERSION", "Sizes", "write"]
