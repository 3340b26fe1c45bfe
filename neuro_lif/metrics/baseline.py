"""How far runs of one network are apart whose noise alone differs, and whether a pair is farther.

A distance between two runs says little by itself: two runs of the same network with other noise are
apart, too. The baseline has the distances of all pairs of such runs.

Source: the comparison with other seeds as in van Albada et al. 2018, Front. Neurosci. 12:291, and
Dasbach et al. 2021, Front. Neurosci. 15:757790; ranks of one among exchangeable values as in a
permutation test (Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..checks import expect, is_real
from ..discretize import SteppedNetwork
from ..emulator import run_fixed
from ..errors import RangeError, show
from ..fixed import FixedNetwork
from ..recording import Recording
from ..reference import run_clocked
from .per_neuron import METRICS, per_neuron
from .statistics import Firing, activity_of
from .trains import samples_of

ACTIVITY = (
    "rate KS", "rate Wasserstein", "CV KS", "CV Wasserstein", "correlation KS",
    "correlation Wasserstein", "rates 1 - r",
)  # fmt: skip
"""Measures of two runs' statistics; Wasserstein's in Hz, 1 and 1."""

LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class Verdict:
    """A pair of runs beside the baseline.

    Args:
        values: measure -> distance of the pair, larger is farther.
        p: measure -> the share of the baseline's pairs (and this one) that are as far apart.
        p_of_all: the same of the largest deviation in any measure, in standard deviations of the
            pairs, which makes good that there are several measures.
        farthest: the measure of this deviation.
        level: up to which the pair differs.
    """

    values: Mapping[str, float]
    p: Mapping[str, float]
    p_of_all: float
    farthest: str
    level: float

    @property
    def indistinguishable(self) -> bool:
        """Whether the pair is as near as runs whose noise alone differs."""
        return self.p_of_all > self.level

    def __str__(self) -> str:
        is_ = "indistinguishable from" if self.indistinguishable else "farther than"
        lines = [f"{is_} the noise baseline (p = {self.p_of_all:.3g} of all measures, level "
                 f"{self.level:g}; farthest in {self.farthest})"]  # fmt: skip
        width = max(len(name) for name in self.values)
        lines += [f"  {name.ljust(width)}  {value:10.4g}  p = {self.p[name]:.3g}"
                  for name, value in self.values.items() if name in self.p]  # fmt: skip
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Baseline:
    """Distances of all pairs of runs of one network with other noise.

    Args:
        population: which.
        runs: how many; there are ``runs (runs - 1) / 2`` pairs.
        n_steps, dt: of each run; s.
        values: measure -> ``(pairs,)``, larger is farther: :data:`ACTIVITY`, and the mean over
            neurons of each metric of spikes (of synchronisation and coincidence 1 less it).
        metrics, width, pairs: what they were taken with.
    """

    population: str
    runs: int
    n_steps: int
    dt: float
    values: Mapping[str, FloatArray]
    metrics: Mapping[str, Mapping[str, Any]]
    width: float
    pairs: int

    def judge(self, first: Recording, second: Recording, level: float = LEVEL) -> Verdict:
        """Return whether two runs are as near as runs whose noise alone differs.

        Pairs of one run are not independent, so p is a rank, good where it is far from the level;
        more runs make it finer. The two runs may share their noise: they are nearer then.

        Args:
            first, second: runs as long as the baseline's, without samples.
            level: 0..1.

        Raises:
            RangeError: runs of another length, or a level that so few pairs cannot reach.
        """
        if not is_real(level) or not 0 < level < 1:
            raise RangeError(f"judge: level = {show(level)}, allowed: 0..1")
        count = len(next(iter(self.values.values())))
        if level * (count + 1) < 1:
            least = next(k for k in range(2, 10**6) if level * (k * (k - 1) / 2 + 1) >= 1)
            raise RangeError(f"judge: {count} pairs of {self.runs} runs cannot show p below "
                             f"{1 / (count + 1):.3g}, allowed at level = {level:g}: a baseline of "
                             f"at least {least} runs")  # fmt: skip
        for run in (first, second):
            expect(run, Recording, "judge")
            if run.n_steps != self.n_steps or not np.isclose(run.dt, self.dt, rtol=1e-9):
                raise RangeError(f"judge: a run of {run.n_steps} steps of {run.dt} s, allowed: "
                                 f"as the baseline's, {self.n_steps} of {self.dt} s")  # fmt: skip
        one, two = ((run, _firing(run, self.population, self.width, self.pairs))
                    for run in (first, second))  # fmt: skip
        values = _measured(one, two, self.population, self.metrics)
        return Verdict(values, *_ranks(self.values, values), level)

    def __str__(self) -> str:
        lines = [f"noise baseline of {self.population!r}: {self.runs} runs of {self.n_steps} steps"]
        width = max(len(name) for name in self.values)
        for name, x in self.values.items():
            known = x[~np.isnan(x)]
            if not known.size:
                lines.append(f"  {name.ljust(width)}  -")
                continue
            low, middle, high = np.quantile(known, [0, 0.5, 1])
            lines.append(f"  {name.ljust(width)}  {middle:10.4g}  ({low:.4g} .. {high:.4g})")
        return "\n".join(lines)


def baseline(
    network: SteppedNetwork | FixedNetwork, population: str, n_steps: int, runs: int = 10,
    metrics: Mapping[str, Mapping[str, Any]] | None = None, width: float = 5e-3, pairs: int = 200,
) -> Baseline:  # fmt: skip
    """Run a network that noise drives several times, each with draws of its own.

    Args:
        network: of floats or integers; its inputs are random and described (noise, PoissonInput).
        population: which.
        n_steps: of each run.
        runs: how many, >= 3; 10 of them are 45 pairs.
        metrics: name of :data:`~neuro_lif.metrics.METRICS` -> its options; None: van Rossum's
            distance at 10 ms and the SPIKE-distance.
        width, pairs: of the correlations, as of :func:`~neuro_lif.metrics.compare_activity`.

    Raises:
        RangeError: nothing in the network is random, or an argument is not valid.
    """
    given: Any = network
    if not isinstance(given, (SteppedNetwork, FixedNetwork)):
        raise RangeError(f"baseline: network = {show(network)}, allowed: a SteppedNetwork or a "
                         "FixedNetwork")  # fmt: skip
    if isinstance(runs, bool) or not isinstance(runs, (int, np.integer)) or runs < 3:
        raise RangeError(f"baseline: runs = {show(runs)}, allowed: a whole number >= 3")
    run: Any = run_clocked if isinstance(given, SteppedNetwork) else run_fixed
    found = run(given, n_steps, batch=int(runs))
    return baseline_of([found.sample(k) for k in range(int(runs))], population, metrics, width,
                       pairs)  # fmt: skip


def baseline_of(
    recordings: Iterable[Recording], population: str,
    metrics: Mapping[str, Mapping[str, Any]] | None = None, width: float = 5e-3, pairs: int = 200,
) -> Baseline:  # fmt: skip
    """Return the baseline of runs that are there.

    Args:
        recordings: at least 3, of one network and one length, without samples.
        population, metrics, width, pairs: as of :func:`baseline`.

    Raises:
        RangeError: too few, or they do not match; two of them are the same run.
    """
    runs = list(recordings)
    if len(runs) < 3 or not all(isinstance(run, Recording) for run in runs):
        raise RangeError(f"baseline_of: {len(runs)} recordings, allowed: at least 3 Recordings")
    lengths = {(run.n_steps, float(f"{run.dt:.9g}")) for run in runs}
    if len(lengths) > 1:
        raise RangeError(f"baseline_of: runs of (steps, dt) {sorted(lengths)}, allowed: all alike")
    chosen = _chosen(metrics)
    kept = [(run, _firing(run, population, width, pairs)) for run in runs]
    each = [_measured(a, b, population, chosen) for a, b in combinations(kept, 2)]
    for (i, j), found in zip(combinations(range(len(runs)), 2), each, strict=True):
        if all(x == 0 for x in found.values() if not np.isnan(x)):
            raise RangeError(f"baseline_of: runs {i} and {j} are the same, allowed: runs with "
                             "other noise (of GaussianNoise or a PoissonInput)")  # fmt: skip
    values = {name: np.array([found[name] for found in each]) for name in each[0]}
    return Baseline(population, len(runs), runs[0].n_steps, runs[0].dt, values, chosen, width,
                    pairs)  # fmt: skip


def _chosen(metrics: Mapping[str, Mapping[str, Any]] | None) -> dict[str, dict[str, Any]]:
    if metrics is None:
        return {"van_rossum": {"tau": 10e-3}, "spike_distance": {}}
    if not isinstance(metrics, Mapping) or any(name not in METRICS for name in metrics):
        raise RangeError(f"metrics = {show(metrics)}, allowed: a name of {', '.join(METRICS)} -> "
                         "its options")  # fmt: skip
    return {name: dict(options) for name, options in metrics.items()}


def _firing(run: Recording, population: str, width: float, pairs: int) -> Firing:
    if samples_of(run, population):
        raise RangeError("a run with samples, allowed: one without; take one with .sample(k)")
    return activity_of(run, population, width, pairs)


def _measured(
    first: tuple[Recording, Firing], second: tuple[Recording, Firing], population: str,
    metrics: Mapping[str, Mapping[str, Any]],
) -> dict[str, float]:  # fmt: skip
    """Return every measure of two runs, larger is farther; NaN where there is none."""
    one, two = first[1], second[1]
    if one.rates.size != two.rates.size:
        raise RangeError(f"population {population!r}: {one.rates.size} and {two.rates.size} "
                         "neurons, allowed: as many")  # fmt: skip
    a = one.beside(two)
    apart = [getattr(x, name) for x in (a.rate, a.cv, a.correlation)
             for name in ("ks", "wasserstein")]  # fmt: skip
    found = dict(zip(ACTIVITY, [*apart, 1.0 - a.r], strict=True))
    for name, options in metrics.items():
        each = per_neuron(first[0], second[0], population, name, **options)
        values = each.values[0]
        mean = float(np.nanmean(values)) if not np.all(np.isnan(values)) else float("nan")
        found[name] = 1.0 - mean if each.more_is_nearer else mean
    return found


def _ranks(
    base: Mapping[str, FloatArray], values: Mapping[str, float]
) -> tuple[dict[str, float], float, str]:
    """Return p of each measure, of the largest deviation in any, and in which it is.

    Deviations are from the mean of all pairs, this one among them, in standard deviations: so all
    pairs are treated alike.
    """
    known = [n for n in base if not np.isnan(values[n]) and not np.all(np.isnan(base[n]))]
    if not known:
        raise RangeError("judge: no measure of these runs is a number, allowed: runs with spikes")
    pool = np.array([np.append(base[n], values[n]) for n in known])  # the pair itself is last
    pool = np.where(np.isnan(pool), -np.inf, pool)  # a pair without one is not far
    p = np.array([_share_as_far(row) for row in pool])
    finite = np.where(np.isfinite(pool), pool, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.nanstd(finite, axis=1, keepdims=True)
        far = (finite - np.nanmean(finite, axis=1, keepdims=True)) / spread
    far = np.where(np.isfinite(far), far, 0.0)
    of_all = float(_share_as_far(far.max(axis=0)))
    worst = int(far[:, -1].argmax())
    return dict(zip(known, p.tolist(), strict=True)), of_all, known[worst]


def _share_as_far(row: FloatArray) -> float:
    """Return the share of the values that are as large as the last one, rounding aside."""
    return float(np.mean(row >= row[-1] - 1e-12 * abs(row[-1])))
