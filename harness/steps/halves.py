"""The two halves of a split: one to choose on, and one to report."""

import hashlib


def half(cluster: str) -> str:
    """Which half of a split a cluster is in: the one that settings are selected on, or the one that
    is reported.

    By the hash of its name, so that no cluster is torn and no other row moves it.
    """
    digest = hashlib.blake2b(cluster.encode(), digest_size=8).digest()
    return ("select", "report")[int.from_bytes(digest) % 2]
