"""What a ladder is made of: plain numbers, which a file and a page can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..compare import Divergence
from ..errors import RangeError, show

RUNGS = {
    "time_step": ("time step", "spikes and inputs on a grid of dt, in place of any time"),
    "weights": ("weights", "weights rounded to mantissas and exponents"),
    "decays": ("decays", "decays per step of u and v rounded, gains made up for where asked"),
    "threshold": ("threshold", "thresholds rounded, and the chip's comparison"),
    "bias": ("bias", "bias and constant currents rounded"),
    "delays": ("delays", "delays, latencies and refractory periods as the chip has them"),
    "start": ("start and reset", "initial v rounded, reset as the chip has it"),
    "state": ("rounded state", "u, v and varying currents whole numbers, registers endless"),
    "overflow": ("overflow", "registers and sums as wide as the chip's"),
}
"""Rung -> (title, what is lost on it), in their order. Each keeps what those before it lost."""


@dataclass(frozen=True)
class PopulationCost:
    """What one rung does to one population. Spikes are counted over all neurons and samples.

    ``own``: the population by itself takes the rung, and hears the spikes of the rung before (those
    of itself, too), so that nothing is inherited.

    Args:
        name, size: of the population.
        spikes_before, spikes_after: counts before and after the rung.
        spikes_own: count where the population alone took the rung.
        changed, either: spikes that only one of before and after has, and that any of them has
            (after the lag of the rung, if it has one).
        changed_own, either_own: the same, after being ``own``.
        seconds: of all neurons and samples together, so that spikes / seconds is the rate.
        v_rms, v_max, v_rms_own, v_max_own: error of v below threshold, V; None: not recorded, or
            nothing to compare.
        lsb: V per LSB (mean over the population); None where there are no integers.
        divergence, divergence_own: first step in which a neuron spikes otherwise.
        correct_alone, decided_alone: of a task, on the rung of a parameter: right decisions more,
            and decisions that differ, where this population alone takes the rung and the others,
            as they were, hear what it then sends; else None.
    """

    name: str
    size: int
    spikes_before: int
    spikes_after: int
    spikes_own: int
    changed: int
    either: int
    changed_own: int
    either_own: int
    seconds: float
    v_rms: float | None = None
    v_max: float | None = None
    v_rms_own: float | None = None
    v_max_own: float | None = None
    lsb: float | None = None
    divergence: Divergence | None = None
    divergence_own: Divergence | None = None
    correct_alone: int | None = None
    decided_alone: int | None = None

    @property
    def spikes(self) -> int:
        """Spikes more (or, negative, fewer) than before."""
        return self.spikes_after - self.spikes_before

    @property
    def own(self) -> int:
        """Spikes more that are its own doing; ``own + inherited == spikes``."""
        return self.spikes_own - self.spikes_before

    @property
    def inherited(self) -> int:
        """Spikes more because of what it hears."""
        return self.spikes_after - self.spikes_own

    @property
    def rate_before(self) -> float:
        """Mean rate before, Hz."""
        return self.spikes_before / self.seconds

    @property
    def rate_after(self) -> float:
        """Mean rate after, Hz."""
        return self.spikes_after / self.seconds

    @property
    def share(self) -> float:
        """Share of the spikes that differ, 0..1."""
        return self.changed / self.either if self.either else 0.0

    @property
    def share_own(self) -> float:
        """Share of the spikes that differ by the population's own doing, 0..1."""
        return self.changed_own / self.either_own if self.either_own else 0.0

    @property
    def v_rms_lsb(self) -> float | None:
        """Error of v in LSB."""
        return None if self.v_rms is None or not self.lsb else self.v_rms / self.lsb


@dataclass(frozen=True)
class Distance:
    """Mean distance of spike trains before and after.

    Args:
        metric: name in :data:`neuro_lif.metrics.METRICS`.
        timescale: s; tau of van Rossum, 1/cost of Victor-Purpura.
        trains: how many were compared, of how many ``of``.
        value: mean over the trains as they are; ``lag`` the steps that those after are late where
            they are nearest, ``at_lag`` the mean there.
    """

    metric: str
    timescale: float
    trains: int
    of: int
    value: float
    lag: int
    at_lag: float


@dataclass(frozen=True)
class Alone:
    """What a parameter costs alone: only it rounded, everything else as described.

    Args:
        spikes: more than without any rounding.
        changed, either: spikes that only one has, that any has.
        correct: decisions right more than without; None without a task.
        decided: decisions that differ.
    """

    spikes: int
    changed: int
    either: int
    correct: int | None = None
    decided: int | None = None


@dataclass(frozen=True)
class Overflow:
    """A register, sum or stored number that did not fit.

    Args:
        population: whose; of a projection, where it leads to.
        where: population or projection.
        register, kind, count, first_step, first_neuron: as of
            :class:`neuro_lif.OverflowEvent`; ``first_step`` 0 is: as it was stored.
    """

    population: str
    where: str
    register: str
    kind: str
    count: int
    first_step: int
    first_neuron: int


@dataclass(frozen=True)
class Rung:
    """One step down the ladder: what is lost between the run before and the run after.

    Args:
        name: of :data:`RUNGS`.
        spikes_before, spikes_after: of all populations.
        changed, either: spikes that only one of the two runs has, that any of them has, after the
            run after was moved by the lag.
        lag: steps that the run after is late by own doing; other than 0 only where time has no
            steps before (``time_step``, and the whole ladder).
        populations: what it does to each.
        culprit: population with the largest own error; where right decisions are lost and it is
            known, the one that loses the most alone. None where nobody has an error.
        seconds: of all neurons and samples together.
        correct_before, correct_after: right decisions; None without a task.
        decided: decisions that differ; None without a task.
        distances: of spike trains.
        divergence: the first step in which a spike differs.
        alone: what the parameter costs alone; None for what is no parameter.
        overflow: what did not fit (rung ``overflow``).
        detail: what was rounded, in words, for each population and projection concerned.
    """

    name: str
    spikes_before: int
    spikes_after: int
    changed: int
    either: int
    lag: int
    populations: tuple[PopulationCost, ...]
    culprit: str | None
    seconds: float
    correct_before: int | None = None
    correct_after: int | None = None
    decided: int | None = None
    distances: tuple[Distance, ...] = ()
    divergence: Divergence | None = None
    alone: Alone | None = None
    overflow: tuple[Overflow, ...] = ()
    detail: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Its name for people."""
        return RUNGS[self.name][0]

    @property
    def about(self) -> str:
        """What is lost on it."""
        return RUNGS[self.name][1]

    @property
    def spikes(self) -> int:
        """Cost in spikes: so many more (negative: fewer) than before."""
        return self.spikes_after - self.spikes_before

    @property
    def rate(self) -> float:
        """Cost in mean rate of all neurons, Hz."""
        return self.spikes / self.seconds

    @property
    def correct(self) -> int | None:
        """Cost in right decisions: negative where some are lost; None without a task."""
        if self.correct_after is None or self.correct_before is None:
            return None
        return self.correct_after - self.correct_before

    @property
    def share(self) -> float:
        """Share of the spikes that differ, 0..1."""
        return self.changed / self.either if self.either else 0.0

    @property
    def changed_own(self) -> int:
        """Spikes that differ by the populations' own doing."""
        return sum(p.changed_own for p in self.populations)

    def of(self, population: str) -> PopulationCost:
        """Return what the rung does to one population.

        Raises:
            RangeError: there is none of that name.
        """
        for p in self.populations:
            if p.name == population:
                return p
        known = ", ".join(p.name for p in self.populations)
        raise RangeError(f"population = {show(population)}, allowed: {known}")


@dataclass(frozen=True)
class Verdict:
    """Which rung costs most, whose doing it is, and what mends it.

    Args:
        rung: of :data:`RUNGS`; None where nothing is lost.
        population: with the largest own error on it; None where nobody has one.
        measure: ``accuracy``, ``decisions``, ``spikes``, or ``volts``: what decided.
        cost: in samples, or spikes that differ; 0 of ``volts``.
        text: one or two sentences.
        mend: what to do.
    """

    rung: str | None
    population: str | None
    measure: str
    cost: int
    text: str
    mend: str

    def __str__(self) -> str:
        return f"{self.text} {self.mend}".strip()


@dataclass(frozen=True)
class Levels:
    """Where accuracy goes between a description and a chip's integers: the numbers.

    Every count adds up: the sum of the rungs' costs is the last run's count less the first's.

    Args:
        rungs: from the first to the last; the run before the first is the reference.
        verdict: which costs most.
        total: the whole ladder as one rung: the last run against the reference (named after the
            last rung).
        reference: ``exact`` (no time step) or ``clocked`` (float64 in steps).
        samples, n_steps, dt: of every run; s.
        populations: name -> size of those looked at.
        labels: samples of the task; 0 without one.
        left_out: rung -> why it is not here.
        notes: what a reader should know.
        provenance: versions, digests, profile, options, inputs.
    """

    rungs: tuple[Rung, ...]
    verdict: Verdict
    total: Rung
    reference: str
    samples: int
    n_steps: int
    dt: float
    populations: Mapping[str, int]
    labels: int = 0
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)

    def rung(self, name: str) -> Rung:
        """Return one rung.

        Raises:
            RangeError: there is none of that name here.
        """
        for rung in self.rungs:
            if rung.name == name:
                return rung
        why = self.left_out.get(name) if isinstance(name, str) else None
        known = ", ".join(r.name for r in self.rungs)
        raise RangeError(f"rung = {show(name)}" + (f" was left out: {why}" if why else "")
                         + f", allowed: {known}")  # fmt: skip

    def accuracy(self, rung: str | None = None) -> float | None:
        """Return the accuracy after a rung, 0..1 (None: of the reference); None without a task."""
        right = self.total.correct_before if rung is None else self.rung(rung).correct_after
        return None if right is None else right / self.labels

    @property
    def overflow(self) -> tuple[Overflow, ...]:
        """What did not fit, in the order of the first step."""
        found = [event for rung in self.rungs for event in rung.overflow]
        return tuple(sorted(found, key=lambda e: e.first_step))
