"""The kinds of step, by name. Each is a frozen spec with `run(work)`.

world                the built-in world's files
  corpus             documents to pretrain on and a held-out part
    tokenizer        a vocabulary, trained on the corpus or read from files
      tokens         the corpus as token ids
        pretrain     a model
          snapshot   the model that it was after some of its steps
        checkpoint   a model that was trained elsewhere
  dataset            one task's checked rows
    leakage          evaluation rows that occur in training rows or in the corpus
          finetune   predictions of a finetuned model
            finetuned  its weights
          zeroshot   predictions of the pretrained model
          ngram      predictions of n-gram models of the pretraining text
            score    numbers with signatures
"""

KINDS = {
    "world": "harness.steps.world:World",
    "corpus": "harness.steps.corpus:Corpus",
    "dataset": "harness.steps.dataset:Dataset",
    "tokenizer": "harness.steps.vocabulary:Vocabulary",
    "tokens": "harness.steps.tokens:Tokens",
    "pretrain": "harness.steps.pretrain:Pretrain",
    "snapshot": "harness.steps.snapshot:Snapshot",
    "checkpoint": "harness.steps.checkpoint:Checkpoint",
    "finetune": "harness.steps.finetune:Finetune",
    "finetuned": "harness.steps.finetuned:Finetuned",
    "zeroshot": "harness.steps.finetune:ZeroShot",
    "ngram": "harness.steps.ngram:Ngram",
    "leakage": "harness.steps.leakage:Leakage",
    "score": "harness.steps.score:Score",
}
