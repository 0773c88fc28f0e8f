"""An n-gram language model with interpolated Kneser-Ney smoothing, exact, in numpy.

What a trained model has learnt of a text must be more than how often its words stand together:
this model of the same tokens is the floor of language modelling.

    p_k(w | h) = (max(c(h w) - D_k, 0) + D_k t(h) p_{k-1}(w | h')) / c(h),  p_{k-1} where c(h) = 0

h are the k - 1 tokens before w, h' the same less the first, t(h) how many tokens follow h. The
highest order counts occurrences; a lower one counts the tokens that stand before (h w). p_0 is
uniform over the vocabulary. D_k = n_1 / (n_1 + 2 n_2), with n_r the n-grams counted r times (Chen
and Goodman, 1999, sections 2.7 and 3). Every document is preceded by n - 1 times [CLS], and the end
token at its end is a token like others.

Shapes: L tokens of a stream, with n - 1 times [CLS] before every document; V ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glm.data.stream import TokenStream

DISCOUNT = 0.5  # where n_1 or n_2 is 0: a text of few tokens


@dataclass(frozen=True, eq=False)
class Order:
    """The n-grams of one length k: what follows what, and how often.

    An n-gram's key is `prefix * V + token`, `prefix` the rank of its first k - 1 tokens among the
    order below; its own rank is the place of its key. At k = 1 ranks are token ids.
    """

    keys: np.ndarray  # sorted
    count: np.ndarray  # by rank: occurrences, or distinct tokens before
    discount: float
    total: np.ndarray  # by prefix: the sum of counts
    types: np.ndarray  # by prefix: how many tokens follow


@dataclass(frozen=True, eq=False)
class Ngrams:
    """An n-gram model over `vocabulary` ids; `orders` from 1 to n."""

    orders: tuple[Order, ...]
    vocabulary: int
    cls: int

    def log_probabilities(self, tokens: Sequence[int]) -> np.ndarray:
        """The natural logarithm of each token's probability given all before it in its document."""
        n = len(self.orders)
        padded_L = np.concatenate([np.full(n - 1, self.cls), np.asarray(tokens, np.int64)])
        chance_L = np.full(len(padded_L), 1 / self.vocabulary)
        before_L = np.zeros(len(padded_L), np.int64)  # the rank of the k - 1 tokens before; -1: new
        for order in self.orders:
            rank_L = _ranks(order.keys, before_L, padded_L, self.vocabulary)
            count_L = np.where(rank_L >= 0, order.count[rank_L], 0)
            chance_L = _interpolated(order, before_L, count_L, chance_L)
            before_L = np.concatenate([[-1], rank_L[:-1]])
        return np.log(chance_L[n - 1 :])

    def distribution(self, context: Sequence[int]) -> np.ndarray:
        """The probability of every id after `context`, a document's tokens so far."""
        n = len(self.orders)
        history = [self.cls] * (n - 1) + [int(token) for token in context]
        chance_V = np.full(self.vocabulary, 1 / self.vocabulary)
        for k, order in enumerate(self.orders, 1):
            before = self._rank(history[len(history) - (k - 1) :])
            if before < 0 or not order.total[before]:
                continue
            chance_V = chance_V * (order.discount * order.types[before] / order.total[before])
            first, last = np.searchsorted(
                order.keys, [before * self.vocabulary, (before + 1) * self.vocabulary]
            )
            share = np.maximum(order.count[first:last] - order.discount, 0) / order.total[before]
            chance_V[order.keys[first:last] % self.vocabulary] += share
        return chance_V

    def _rank(self, tokens: Sequence[int]) -> int:
        """The rank of an n-gram among those of its length; 0 for the empty one, -1 if it is new."""
        rank = 0
        for order, token in zip(self.orders, tokens):
            (rank,) = _ranks(order.keys, np.array([rank]), np.array([token]), self.vocabulary)
        return int(rank)


def train(corpus: TokenStream, vocabulary: int, n: int, limit: int = 0) -> Ngrams:
    """The model of a corpus's documents, or of as many first ones as have `limit` tokens."""
    tokens_L, event_L, cls = padded(corpus, n, limit)
    ranks = [tokens_L]  # of the k-gram that ends at each place
    firsts, sizes, keys = [np.arange(0)], [vocabulary], [np.arange(vocabulary)]
    before_L = tokens_L
    for _ in range(1, n):
        shifted_L = np.concatenate([[0], before_L[:-1]])
        key_L = shifted_L * vocabulary + tokens_L
        found, first, before_L = np.unique(key_L, return_index=True, return_inverse=True)
        ranks.append(before_L)
        firsts.append(first)
        sizes.append(len(found))
        keys.append(found)

    # Counts from the longest down: what stands before a shorter one is known from the longer.
    orders: list[Order] = []
    count = np.bincount(ranks[n - 1][event_L], minlength=sizes[n - 1])
    for k in range(n, 0, -1):
        prefix = keys[k - 1] // vocabulary if k > 1 else np.zeros(vocabulary, np.int64)
        width = sizes[k - 2] if k > 1 else 1
        orders.append(_order(keys[k - 1], prefix, count, width))
        if k > 1:
            shorter = ranks[k - 2][firsts[k - 1]]
            count = np.bincount(shorter[count > 0], minlength=sizes[k - 2])
    return Ngrams(tuple(reversed(orders)), vocabulary, cls)


def padded(corpus: TokenStream, n: int, limit: int = 0) -> tuple[np.ndarray, np.ndarray, int]:
    """The tokens with n - 1 times [CLS] before every document, which are events, and [CLS]'s id."""
    documents = corpus.documents
    if limit:
        documents = int(np.searchsorted(corpus.offsets, limit, side="right")) - 1
        documents = min(max(documents, 1), corpus.documents)
    offsets = corpus.offsets[: documents + 1]
    text_L = np.asarray(corpus.tokens_L[: offsets[-1]], np.int64)
    cls = int(text_L[0])
    starts = np.zeros(len(text_L), bool)
    starts[offsets[:-1]] = True
    place_L = np.arange(len(text_L)) + np.cumsum(starts) * (n - 2)
    tokens_L = np.full(len(text_L) + documents * max(n - 2, 0), cls)
    event_L = np.zeros(len(tokens_L), bool)
    if n == 1:  # nothing stands before: the documents' own [CLS] is no event either
        return text_L, ~starts, cls
    tokens_L[place_L] = text_L
    event_L[place_L] = ~starts
    return tokens_L, event_L, cls


def _order(keys: np.ndarray, prefix: np.ndarray, count: np.ndarray, width: int) -> Order:
    once, twice = int((count == 1).sum()), int((count == 2).sum())
    discount = once / (once + 2 * twice) if once and twice else DISCOUNT
    total = np.bincount(prefix, weights=count, minlength=width)
    types = np.bincount(prefix[count > 0], minlength=width)
    return Order(keys, count.astype(float), discount, total, types)


def _ranks(
    keys: np.ndarray, before_L: np.ndarray, tokens_L: np.ndarray, vocabulary: int
) -> np.ndarray:
    """The ranks of n-grams from those of all but their last token; -1 for those not seen."""
    wanted_L = before_L * vocabulary + tokens_L
    place_L = np.minimum(np.searchsorted(keys, wanted_L), len(keys) - 1)
    return np.where((keys[place_L] == wanted_L) & (before_L >= 0), place_L, -1)


def _interpolated(
    order: Order, before_L: np.ndarray, count_L: np.ndarray, lower_L: np.ndarray
) -> np.ndarray:
    """p_k from p_{k-1}, for each place of a text."""
    total_L = np.where(before_L >= 0, order.total[before_L], 0)
    types_L = order.types[before_L]
    own_L = np.maximum(count_L - order.discount, 0) + order.discount * types_L * lower_L
    return np.where(total_L > 0, own_L / np.maximum(total_L, 1), lower_L)
