"""What training costs, counted: the analytic FLOPs of the Transformer of `glm.models.transformer`.

Counted as `torch.utils.flop_counter` counts: a multiply-add is two operations, only matrix
products count, and attention counts the full square that a dense backend computes. Backward is
twice forward.
"""


def forward_flops(
    layers: int, hidden: int, vocabulary: int, positions: float, squares: float, targets: float
) -> float:
    """FLOPs of one forward pass.

    Args:
        positions: sequence positions processed, padding included.
        squares: the sum over rows of width squared (query-key pairs that attention computes).
        targets: positions at which logits over `vocabulary` are taken.
    """
    body = 24 * layers * hidden**2 * positions
    attention = 4 * layers * hidden * squares
    head = 2 * vocabulary * hidden * targets
    return float(body + attention + head)


def training_flops(
    layers: int, hidden: int, vocabulary: int, positions: float, squares: float, targets: float
) -> float:
    """FLOPs of forward and backward; arguments as in `forward_flops`."""
    return 3 * forward_flops(layers, hidden, vocabulary, positions, squares, targets)


def parameter_count(layers: int, hidden: int, vocabulary: int, positions: int, inner: bool) -> int:
    """Parameters of the model: blocks, final norm, word table and the position tables."""
    blocks = layers * (12 * hidden**2 + 13 * hidden) + 2 * hidden
    rows = vocabulary + (2 * (positions + 1) if inner else positions)
    return blocks + rows * hidden
