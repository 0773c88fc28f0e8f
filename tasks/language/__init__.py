"""Tasks that score given text: perplexity of documents, and a passage's last word."""
