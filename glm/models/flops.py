"""What training costs, counted: the analytic FLOPs of the models of this package.

Counted as `torch.utils.flop_counter` counts: a multiply-add is two operations, only matrix
products count, and attention counts the full square that a dense backend computes. Backward is
twice forward.
"""

from glm.data.extent import Extent


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


def pair_flops(
    encoder: int, decoder: int, hidden: int, vocabulary: int, extent: Extent, targets: float
) -> float:
    """FLOPs of one forward pass of an encoder-decoder with so many layers in either stack.

    Cross attention has four more projections a decoder layer, two of them of what was written and
    two of what was read.
    """
    reading = forward_flops(encoder, hidden, 0, extent.read, extent.read_squares, 0)
    own = (extent.written, extent.written_squares, targets)
    writing = forward_flops(decoder, hidden, vocabulary, *own)
    projected = 4 * decoder * hidden**2 * (extent.read + extent.written)
    return reading + writing + projected + 4 * decoder * hidden * extent.crossings


def parameter_count(
    layers: int, hidden: int, vocabulary: int, positions: int, inner: bool, decoder: int = 0
) -> int:
    """Parameters of the model: blocks, final norm, word table and the position tables; with a
    `decoder` of so many layers its own blocks, cross attention, norm and position tables too."""
    tables = (2 * (positions + 1) if inner else positions) * hidden
    blocks = layers * (12 * hidden**2 + 13 * hidden) + 2 * hidden
    written = decoder * (16 * hidden**2 + 19 * hidden) + 2 * hidden + tables if decoder else 0
    return blocks + vocabulary * hidden + tables + written
