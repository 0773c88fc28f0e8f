"""The loss curve and the ledger of a training run, and the alarm when a loss is no number.

So it is when a gradient is none, or a weight after the last update.
"""

import math
import time
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from glm.training.optimisation import Optimisation
from glm.training.pieces import Piece
from glm.training.session import Diverged, Session

LOG_STEPS = 10  # optimizer steps between two lines of the loss curve


class Curve:
    """The loss curve, the ledger, and the alarm when a loss is no number.

    On a GPU losses stay on the device until a line is due, so that the loop never waits for it.
    """

    def __init__(
        self,
        session: Session,
        device: torch.device,
        optimisation: Optimisation,
        lead: bool,
        ledger: Mapping[str, float],
        losses: Sequence[float] = (),
    ) -> None:
        """`ledger` is that of earlier attempts; `losses` are theirs since the last line."""
        self.session, self.optimisation, self.lead = session, optimisation, lead
        self.every = 1 if device.type == "cpu" else LOG_STEPS
        self.pending: list[tuple[int, Tensor, Tensor, float, Sequence[Piece]]] = []
        self.amounts = {name: value for name, value in ledger.items() if name != "seconds"}
        self.before, self.started = ledger.get("seconds", 0.0), time.monotonic()
        self.since, self.positions, self.losses = self.started, 0.0, list(losses)

    def ledger(self) -> dict[str, float]:
        """Amounts so far, with the device-seconds of earlier attempts."""
        return self.amounts | {"seconds": self.before + time.monotonic() - self.started}

    def see(
        self, step: int, loss: Tensor, norm: Tensor, rate: float, batch: Sequence[Piece]
    ) -> None:
        for piece in batch:
            for name, value in piece.amounts.items():
                self.amounts[name] = self.amounts.get(name, 0.0) + value
            self.positions += piece.amounts.get("positions", 0.0)
        self.pending.append((step, loss, norm, rate, batch))
        if len(self.pending) >= self.every:
            self.flush()

    def end(self, weights: Iterable[Tensor]) -> None:
        """The lines still due; raises `Diverged` where the last update has made no numbers."""
        self.flush()
        if not all(bool(weight.isfinite().all()) for weight in weights):
            raise Diverged(self.optimisation.steps, {"weights": "not finite after the last update"})

    def flush(self) -> None:
        for step, loss, norm, rate, batch in self.pending:
            value, length = float(loss), float(norm)
            if not (math.isfinite(value) and math.isfinite(length)):
                ids = [str(name) for piece in batch for name in piece.ids][:32]
                facts = {"loss": str(value), "gradient_norm": str(length), "lr": rate}
                raise Diverged(step, facts | {"batch": ids})
            self.losses.append(value)
            last = step + 1 == self.optimisation.steps
            if (step + 1) % LOG_STEPS == 0 or last:
                self._line(step + 1, rate, length)
        self.pending.clear()

    def _line(self, step: int, rate: float, norm: float) -> None:
        now = time.monotonic()
        if self.lead:
            self.session.log(
                "step",
                step=step,
                of=self.optimisation.steps,
                loss=sum(self.losses) / len(self.losses),
                lr=rate,
                gradient_norm=norm,
                tokens_per_second=self.positions / max(now - self.since, 1e-9),
            )
        self.since, self.positions, self.losses = now, 0.0, []
