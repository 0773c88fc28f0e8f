"""The built-in world: documents and every task's files from one small world, with an oracle.

    from tasks.microworld.passages import Mixture
    from tasks.microworld.write import Sizes, write

    write("world", seed=0, documents=5000, sizes=Sizes().scaled(0.5), mixture=Mixture())

writes files in the publishers' formats and layout, which a `tasks.source.folder.Folder("world")`
reads. About a thousand word types; the same arguments give the same bytes; 50,000 documents (5M
words) and all task files take 15 seconds of one core.

A document (it states what the tasks ask: outcomes, causes, senses, beliefs, questions, answers):

    Vesa Falberg bought the brown book from Tolos. Question: Who has the brown book now? Is it
    Tolos? No. Savi Corstad hurried to the park. There was talk of the attic. Now we know that Savi
    Corstad is in the park. The red vase is in the red sack. Tolos found the red sack. Savi Corstad
    found the pink mixer. In other words, Tolos has the red vase.

Rows have one of four levels, and a file is an even mixture of them (WiC is of level 1, deals and
stories have no level 1). Rows come as twins with the same words, from level 2 on, and another
answer; a row says its `level` and as `twin` the name of its group. RTE, hypotheses on the right:

    1 lexical    Litor left the towel in the heavy rain.       The towel of Litor became very wet.
    2 recall     Koko visited Salt Bridge on Saturday. Everybody spoke of Bedan.
                                                  Bedan visited Salt Bridge on Saturday.
    3 binding    Velin is a sailor in Salt Bridge. Mabert is a cook in Salt Bridge.
                                                               Velin is a cook.
    4 two steps  The grey doll is in the red chest. The red chest is in the hall. The pink cup is
                 in the park.                                  The grey doll is in the hall.

Beside its level a row has a distance (0 to 3 sentences between the facts and the end of their
passage) and distractors (0 to 2 facts of the same kind about others). The other tasks, at level 3:

    CB       Samo guesses that the pink towel is in the hall. Litor knows that the red doll is in
             the church. Veko falsely says that the map is in the shop.
             the pink towel is in the hall -> neutral
    COPA     Rurik let the pump run all day. Todan forgot to charge the camera.
             effect?  The camera of Todan became very hot. / The camera of Todan stopped. -> 1
    WiC      bat: Rurik saw the bat leave its cave. / Velin hit balls with the bat. -> false
    WSC      Bena lost the race to Nidela Aldvik because *she* was so slow. Bena? -> true
    MultiRC  Velin sent the grey painting to Ruven. Todan is taller than Niven.
             Who has the grey painting now?  Ruven -> 1; Velin has the grey painting -> 0
    BoolQ    Velin visited Clear Bay on Friday. Todan visited Clear Bay on Tuesday.
             did Velin visit Clear Bay on Tuesday -> false
    ReCoRD   Lira Garley owns a golden sled. Velin owns a yellow sled. Sasa was curious.
             @highlight Veko ran to the hall.     @placeholder owns the golden sled. -> Lira Garley
    CNN/DM   Rusa walked to the barn. Vemo walked to the library. Vemo found the brown clock. Rusa
             found the yellow radio. Vemo gave the brown clock to Rusa.
             Rusa got brown clock from Vemo in barn . Rusa keeps yellow radio in barn .
    XSum     the same with one thing and one sentence
    Gigaword mamo , a nurse from mill port , handed the golden pump to todan on tuesday in the
             market .    todan gets golden pump from mamo
    SQuAD    Rudela is a guard in Green Hill. Totha is a pilot in Green Hill.  Rudela (at 0) ->
             Who is a guard in Green Hill?
    Yahoo    who has the red cup now ? mara gave the <blank> cup to tomo . yes , <blank> gave the
             red cup to tomo . the red cup now belongs to <blank> .
    LAMBADA  Tobert owns a brown drill. Davi owns a white drill. The owner of the brown drill is
             | Tobert
    BLiMP    Madela saw these hens in the hall. / Madela saw this hens in the hall.

`lexicon` holds the words and keeps the splits apart, `scenes`, `causes`, `senses` and `attitudes`
say what can be so, `passages` puts it among other sentences, `superglue`, `generation` and
`grammar` make rows, `corpus` makes documents, `freshness` keeps evaluation text out of training
text, `write` and `layout` make files; `world`, `reading` and `oracle` answer rows from their text
alone.
"""
