"""What every sampler can do: give each row of a pool its inclusion probability, then draw."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from continual.core.family import Family, Strategy

if TYPE_CHECKING:
    from continual.samplers._columns import Column

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
SAMPLERS = Family("sampler", "continual.samplers")
#: `predict_proba`'s (n, K) answers -> (n, K) probabilities that can be believed.
Calibration = Callable[[Floats], Floats]
Reads = Literal["model", "rival", "committee", "slices", "needed", "event_time"]


@dataclass(frozen=True)
class Pool:
    """Rows to choose from, n of them. What is unknown is None or empty, and no sampler depends on more than it reads.

    keys, features, event_time and the members of slices are read in slices of rows and never as a whole: they may be
    anything that knows its length and gives a slice. keys: (n,) record keys. features: (n, d) table. model: the fitted
    champion with `predict_proba` (regression: `predict`), None before the first one. event_time: (n,) datetime64.
    slices: name -> (n,) members. needed: slice -> further labels that the last verdict asked for. rival: fitted
    candidate or challenger. committee: fitted models. calibration: of the champion's probabilities. notes: what
    samplers worked out about these rows, so that it is worked out once.
    """

    keys: Any
    features: Any
    model: Any | None = None
    event_time: Any | None = None
    slices: Mapping[str, Any] = field(default_factory=dict)
    needed: Mapping[str, int] = field(default_factory=dict)
    rival: Any | None = None
    committee: tuple[Any, ...] = ()
    calibration: Calibration | None = None
    notes: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True)
class Piece:
    """A chunk of a draw, m rows: `rows` of the pool. chosen, probability, components: as of `Sample`, each (m,)."""

    rows: slice
    chosen: Bools
    probability: Floats
    components: Mapping[str, Floats]


@dataclass(frozen=True)
class Sample:
    """chosen: (n,) bool. probability: (n,) inclusion probability in (0, 1] of every row, chosen or not. components:
    the same by component of the sampler, each (n,) in [0, 1], with probability = 1 - prod(1 - component)."""

    chosen: Bools
    probability: Floats
    components: Mapping[str, Floats] = field(default_factory=dict)

    def components_of(self, row: int) -> dict[str, float]:
        """Inclusion probabilities of one row by component, those that are 0 left out."""
        return {name: float(pi[row]) for name, pi in self.components.items() if pi[row] > 0}


class Sampler(Strategy):
    """Each row is drawn with its own recorded probability; a draw depends on keys, probabilities and seed alone."""

    family: ClassVar[Family] = SAMPLERS

    budget: int | None = Field(
        None, ge=1, description="Expected number of labelled rows per retrain; none = every row, probability 1."
    )
    design: Literal["poisson", "fixed"] = Field(
        "poisson",
        description="poisson: rows are drawn independently, the number varies; fixed: exactly the budget is drawn.",
    )

    @property
    def tasks(self) -> frozenset[str]:
        """Values of label.task it serves."""
        return frozenset({"binary", "multiclass", "regression"})

    @property
    def reads(self) -> frozenset[Reads]:
        """Fields of the pool, besides keys and features, that it looks at; loading a model costs seconds."""
        return frozenset()

    @abstractmethod
    def weigh(self, pool: Pool) -> Column | Floats:
        """(n,) non-negative weights; probabilities are proportional to them, capped at 1."""

    def parts(self, pool: Pool, budget: float) -> Mapping[str, Column | Floats]:
        """Component -> (n,) inclusion probabilities for `budget` < n labels; together they make sum(pi) = budget."""
        from continual.samplers._designs import shared

        return {self.kind: shared(self.weigh(pool), budget)}

    def strata(self, pool: Pool) -> Column | npt.NDArray[np.int64] | None:
        """(n,) groups among which a fixed design spreads its rows evenly; None = no groups."""
        return None

    def draw(self, pool: Pool, seed: int, budget: int | None = None) -> Sample:
        """Draw with a seed; `budget` stands in for the policy's. The draw does not depend on the order of the pool.

        Raises
        ------
        ValueError: weights are no numbers, for example because the model's scores are none.
        """
        pieces = list(self.pieces(pool, seed, budget))
        if not pieces:
            return Sample(np.zeros(0, dtype=bool), np.zeros(0))
        names = pieces[0].components
        return Sample(
            np.concatenate([piece.chosen for piece in pieces]),
            np.concatenate([piece.probability for piece in pieces]),
            {name: np.concatenate([piece.components[name] for piece in pieces]) for name in names},
        )

    def pieces(self, pool: Pool, seed: int, budget: int | None = None) -> Iterator[Piece]:
        """The same draw, a chunk of rows at a time: memory is bounded by the chunk (and the number of labels).

        Raises
        ------
        ValueError: as `draw`.
        """
        from continual.samplers._columns import CHUNK, chunks
        from continual.samplers._draws import drawn, everything

        budget = self.budget if budget is None else budget
        if budget is None or budget >= len(pool):
            yield from everything(chunks(len(pool), CHUNK))
            return
        strata = self.strata(pool) if self.design == "fixed" else None
        yield from drawn(pool.keys, self.parts(pool, budget), seed, self.design == "fixed", strata)
