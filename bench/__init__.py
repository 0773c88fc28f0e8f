"""What is fast, against what: each module measures ours and a peer side by side in one process."""
