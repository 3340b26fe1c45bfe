"""What :func:`neuro_lif.predict.certify_spikes` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray
from ..errors import RangeError

REASONS = (
    "certified",
    "the bound reaches the threshold",
    "an overflow cannot be excluded",
    "it hears a neuron that is no longer certified",
    "the integers surely do something else",
)
"""Why a neuron is no longer certified, by ``NeuronVerdicts.reason``."""


@dataclass(frozen=True, eq=False)
class NeuronVerdicts:
    """What is proved of the neurons of one population; arrays ``(n,)`` or ``(batch, n)``.

    Args:
        first: the first step (1 is the first) in which the neuron may differ from the float
            reference; 0: in none, its whole raster is certified.
        reason: index in :data:`REASONS`.
        margin: LSB between the threshold and the nearest end of the bound, the least over the
            certified steps (>= 0, inf where v was never compared).
        tightest: the step of that margin, 0 for none.
        error: the largest proved ``|lsb * v - v_float|`` after a certified step, V.
    """

    first: IntArray
    reason: npt.NDArray[np.int8]
    margin: FloatArray
    tightest: IntArray
    error: FloatArray

    @property
    def certified(self) -> npt.NDArray[np.bool_]:
        """Whose whole raster is certified."""
        return np.asarray(self.first == 0)


@dataclass(frozen=True, eq=False)
class SpikeCertificate:
    """A proof that integers emit the spikes of the float reference, as far as it goes.

    Args:
        profile: name of the hardware profile.
        rounding: ``"profile"`` or ``"any"``: which roundings the proof covers.
        n_steps: length of the run it is about.
        populations: population -> :class:`NeuronVerdicts`.
        bounds: population -> ``(n_steps, n)`` or ``(batch, n_steps, n)`` bound of
            ``|lsb * v - v_float|`` after each step, V, inf where nothing is certified; empty unless
            it was asked for.
    """

    profile: str
    rounding: str
    n_steps: int
    populations: Mapping[str, NeuronVerdicts]
    bounds: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)

    def of(self, population: str) -> NeuronVerdicts:
        """Return what is proved of one population.

        Raises:
            RangeError: there is none of that name.
        """
        if population not in self.populations:
            known = ", ".join(self.populations)
            raise RangeError(f"population = {population!r}, allowed: {known}")
        return self.populations[population]

    @property
    def holds(self) -> bool:
        """Whether every spike of every neuron is certified: the two rasters are equal."""
        return all(bool(v.certified.all()) for v in self.populations.values())

    @property
    def differs(self) -> bool:
        """Whether some neuron is proved to differ from the float reference."""
        return any(bool((v.reason == 4).any()) for v in self.populations.values())

    @property
    def first_possible_divergence(self) -> int:
        """The first step in which any neuron may differ; 0: none within the run."""
        found = [int(v.first[v.first > 0].min()) for v in self.populations.values()
                 if (v.first > 0).any()]  # fmt: skip
        return min(found, default=0)

    @property
    def share(self) -> float:
        """Share of the neurons (of all samples) whose whole raster is certified."""
        flat = np.concatenate([v.certified.ravel() for v in self.populations.values()])
        return float(flat.mean())

    @property
    def margin(self) -> float:
        """LSB between the threshold and the nearest bound in the certified steps."""
        return min(float(v.margin.min()) for v in self.populations.values())

    def certified_steps(self, population: str) -> npt.NDArray[np.bool_]:
        """Return which spikes (and silences) are certified, ``(..., n_steps, n)``."""
        first = self.of(population).first
        step = np.arange(1, self.n_steps + 1)[:, None]
        return np.asarray((first[..., None, :] == 0) | (step < first[..., None, :]))

    def __str__(self) -> str:
        lines = [self._verdict()]
        head = ("population", "neurons", "certified", "may differ from", "least margin", "because")
        rows: list[tuple[str, ...]] = [head]
        rows += [_row(name, v) for name, v in self.populations.items()]
        widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
        lines += ["  " + "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip()
                  for r in rows]  # fmt: skip
        return "\n".join(lines)

    def _verdict(self) -> str:
        how = "as the profile rounds" if self.rounding == "profile" else "however it rounds"
        head = f"{self.profile}, {self.n_steps} steps, {how}: "
        if self.holds:
            return head + f"the same spikes, proved (margin {self.margin:.3g} LSB)"
        if self.differs:
            return head + "other spikes, proved"
        return head + (
            f"the same spikes are proved up to step {self.first_possible_divergence - 1}, and to "
            f"the end for {100 * self.share:.3g} % of the neurons"
        )


def _row(name: str, v: NeuronVerdicts) -> tuple[str, ...]:
    open_ = v.first > 0
    first = str(int(v.first[open_].min())) if open_.any() else "-"
    counts = np.bincount(v.reason[open_].ravel(), minlength=len(REASONS))
    why = "; ".join(f"{REASONS[k]} ({n})" for k, n in enumerate(counts.tolist()) if n)
    least: Any = v.margin.min()
    margin = f"{least:.4g} LSB" if np.isfinite(least) else "-"
    return (name, str(v.first.size), str(int(v.certified.sum())), first, margin, why)
