"""Study: one network, one profile, and what varies; results are stored once and can be resumed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .axes import Axis, Configuration, axes_of
from .measures import GROUPS

Row = dict[str, Any]
"""One configuration of a table, flat, in this order:

- ``key``: 64 hexadecimal digits, under which the result is stored;
- the varied names, in the order of ``vary``: number, text, truth or None;
- ``error``: None, or why there are no measures (which are None then);
- the measures of :data:`neuro_lif.study.MEASURES` whose groups were asked for, and of ``spikes``,
  ``rate_error`` and ``spike_agreement`` one for each population: ``spike_agreement.hidden``.

With ``times=True`` also ``seconds`` (of the configuration), ``engine_seconds`` (in the engine) and
``worker``; they differ from run to run and are stored apart.
"""


class Study:
    """One network lowered in many ways.

    ``network`` (a Network with ``dt``, or a SteppedNetwork), ``profile``, ``vary``; see the module.
    """

    def __init__(
        self, network: Any, profile: Any, vary: Mapping[str, Iterable[Any]], *,
        dt: float | None = None, rule: str = "exact", inputs: Any = None, task: Any = None,
        n_steps: int | None = None, measure: Iterable[str] = GROUPS,
        options: Mapping[str, Any] | None = None, seed: int = 0, store: str | Path | None = None,
        keep: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self.axes: tuple[Axis, ...] = axes_of(vary)

    def grid(self) -> list[Configuration]:
        """Return every combination of the values, the last name changing quickest."""
        raise NotImplementedError

    def random(self, n: int) -> list[Configuration]:
        """Return ``n`` different configurations of the grid, drawn with the study's seed."""
        raise NotImplementedError

    def run(
        self, configurations: Iterable[Configuration] | None = None, *, workers: int | None = None,
        scheduler: str | None = None, client: Any = None, progress: Any = None,
    ) -> Study:  # fmt: skip
        """Run what is not stored yet: the grid, or the given configurations."""
        raise NotImplementedError

    def search(self, n: int, goals: Mapping[str, str] | None = None, **how: Any) -> list[Row]:
        """Search for the fewest bits at a target with ``n`` trials; return the Pareto front."""
        raise NotImplementedError

    def table(self, times: bool = False) -> list[Row]:
        """Return the stored rows of this study, ordered by configuration."""
        raise NotImplementedError

    def pareto(self, x: str = "bits", y: str = "accuracy") -> list[Row]:
        """Return the rows that no other beats in both columns, ordered by ``x``."""
        raise NotImplementedError

    def best(self, column: str, at_least: Mapping[str, float] | None = None) -> Row:
        """Return the best row in a column among those that reach a target."""
        raise NotImplementedError

    def replay(self, key: str) -> Any:
        """Run one stored configuration again and hold it against what is stored."""
        raise NotImplementedError
