"""The published vocabularies: where they are, and how many ids they have.

Apart from the tokenizer, so that plans can reckon with a vocabulary that nobody has read yet.
"""

from collections.abc import Mapping

# A name on the hub -> the repository, and the family of its files.
HUB: Mapping[str, tuple[str, str]] = {
    "bert-base-uncased": ("google-bert/bert-base-uncased", "bert"),
    "bert-large-uncased": ("google-bert/bert-large-uncased", "bert"),
    "roberta-base": ("FacebookAI/roberta-base", "roberta"),
    "roberta-large": ("FacebookAI/roberta-large", "roberta"),
    "gpt2": ("openai-community/gpt2", "gpt2"),
}

# What a family is called on the hub where nobody says otherwise.
USUAL: Mapping[str, str] = {
    "bert": "bert-large-uncased",
    "roberta": "roberta-large",
    "gpt2": "gpt2",
}

# Ids of a family with the special ids that the original adds: 2 to BERT's 30,522 and RoBERTa's
# 50,265, which have [CLS] and the like of their own; 6 to GPT-2's 50,257.
IDS: Mapping[str, int] = {"bert": 30_524, "roberta": 50_267, "gpt2": 50_263}
