"""R4: which resolution of weights keeps a network's statistics: one scale, or one for each sign.

    python examples/replications/r4.py            3 to 4 minutes
    python examples/replications/r4.py --quick    2 s of simulated time, three seeds of noise

A balanced network of 1,250 neurons, each hearing 100 excitatory and 25 inhibitory ones (J = 0.5 mV,
g = 6, external Poisson input of twice the rate that reaches the threshold), weights with a spread
of 20 %. What counts is the distribution of the neurons' rates: its Kolmogorov-Smirnov distance from
that of the float network, beside the same distance of two float runs that differ in their noise
alone (the baseline; connections, weights and start stay, as rates of such small networks differ by
14 % between realisations of the connections).

1. Float runs with rounded weights, "b bits" being 2^b levels from the smallest to the largest
   weight of a group. As in the study this follows, two groups (excitatory, inhibitory) keep the
   statistics at 4 bits, one group for all does not: with 3 bits the excitatory weights become
   larger by a third, and balance is lost; truncation makes all smaller.
2. The same on a chip's integers, by ``quantize(granularity=..., rounding=..., scaling="max_abs")``
   and the emulator: "sign" against "projection", all recurrent synapses being one projection.

What is allowed: a KS distance counts as the baseline's where it is at most the largest of the
baseline's seeds and 0.01; a group "distorts" where its distance is larger. Means of rates: 15 % for
another realisation of the connections; changes in percent: 5 points, +71 %: 20; what
depends on the largest weight or on few: 4 standard deviations between realisations.

Source: S. Dasbach, T. Tetzlaff, M. Diesmann, J. Senk, Front. Neurosci. 15:757790 (2021): the
method, at full size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, identity
from table import Row, near, note, run, say

import neuro_lif as nl
from neuro_lif.metrics import apart, r_of

TITLE = "R4  resolution of weights and the statistics of a balanced network"
Array = npt.NDArray[Any]

N_EXC, N_INH, K_EXC, K_INH = 1000, 250, 100, 25
J, G, ETA, SPREAD = 0.5e-3, 6, 2, 0.2  # V
TAU, THRESHOLD, RESET, T_REF, DELAY, DT = 20e-3, 20e-3, 10e-3, 2e-3, 1.5e-3, 1e-4
EXTERNAL = ETA * THRESHOLD / (J * TAU)  # Hz
WARM_UP = 0.2  # s
REFERENCE = 1  # seed of the reference's noise


def connections(seed: int = 1) -> tuple[Array, Array]:
    """Return which neurons each hears and its weights (V), ``(n, K_EXC + K_INH)``."""
    rng, n = np.random.default_rng(seed), N_EXC + N_INH
    exc = np.argsort(rng.random((n, N_EXC)), axis=1)[:, :K_EXC]
    inh = N_EXC + np.argsort(rng.random((n, N_INH)), axis=1)[:, :K_INH]
    weights = np.concatenate([np.full((n, K_EXC), J), np.full((n, K_INH), -G * J)], axis=1)
    weights *= 1 + SPREAD * rng.standard_normal(weights.shape)
    weights[:, :K_EXC] = np.maximum(weights[:, :K_EXC], 0)
    weights[:, K_EXC:] = np.minimum(weights[:, K_EXC:], 0)
    return np.concatenate([exc, inh], axis=1), weights


def network(pre: Array, weights: Array, noise: int) -> nl.SteppedNetwork:
    """Return the network in steps, all recurrent synapses in one projection.

    Args:
        pre, weights: as of :func:`connections`.
        noise: seed of the external input.
    """
    n, k = weights.shape
    matrix = csr_matrix((weights.ravel(), pre.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))
    start = np.random.default_rng(7).uniform(RESET, THRESHOLD, n)
    cell = nl.LIF(TAU, 1.0, v_rest=0.0, v_threshold=THRESHOLD, v_reset=RESET,
                  t_refractory=T_REF, v_init=start)  # fmt: skip
    net = nl.Network(
        [nl.Population("n", n, cell)],
        [nl.Projection("rec", "n", "n", matrix, nl.Delta(), DELAY),
         nl.Projection("in", "ext", "n", identity(n, format="csr") * J, nl.Delta(), DT)],
        [nl.PoissonInput("ext", n, EXTERNAL, noise)],
    )  # fmt: skip
    return nl.discretize(net, DT)


def levels(weights: Array, bits: int, truncate: bool = False) -> Array:
    """Return weights on ``2**bits`` levels from the smallest to the largest of them.

    Args:
        weights: V.
        bits: of a level.
        truncate: towards zero instead of to the nearest multiple of a step.
    """
    step = float(np.ptp(weights)) / (2**bits - 1)
    whole = np.trunc(weights / step) if truncate else np.rint(weights / step)
    return np.asarray(step * whole)


def by_sign(weights: Array, bits: int) -> Array:
    """Return weights on levels of their own for each sign, from 0 to the largest."""
    out = weights.copy()
    for part in (out[:, :K_EXC], out[:, K_EXC:]):
        step = np.abs(part).max() / (2**bits - 1)
        part[:] = step * np.rint(part / step)
    return out


@dataclass(frozen=True)
class Rates:
    """Rates of the neurons, Hz, ``(n,)``."""

    each: Array

    @property
    def mean(self) -> float:
        return float(self.each.mean())

    def beside(self, reference: Rates) -> tuple[float, float]:
        """Return the KS distance from a reference, and the change of the mean, percent."""
        change = 100 * (self.mean / reference.mean - 1)
        return apart(reference.each, self.each).ks, change


def rates(net: nl.SteppedNetwork | nl.FixedNetwork, seconds: float) -> Rates:
    """Run a network in float64 or in integers."""
    steps, warm = round((WARM_UP + seconds) / DT), round(WARM_UP / DT)
    if isinstance(net, nl.FixedNetwork):
        raster = nl.run_fixed(net, steps).spikes["n"]
    else:
        raster = nl.run_clocked(net, steps).spikes["n"]
    return Rates(np.asarray(raster[warm:]).sum(axis=0, dtype=np.int64) / seconds)


@dataclass(frozen=True)
class Setting:
    """What all rows share: connections, the reference's rates, what the baseline's noise makes."""

    pre: Array
    weights: Array
    seconds: float
    reference: Rates
    seeds: tuple[int, ...]
    baseline: float

    def ks(self, make: Callable[[int], Any]) -> tuple[float, float]:
        """Return mean KS distance and change of the rate (percent) over the seeds of noise.

        Args:
            make: makes the network of a seed.
        """
        found = [rates(make(s), self.seconds).beside(self.reference) for s in self.seeds]
        ks, change = np.mean(found, axis=0)
        return float(ks), float(change)

    def floats(self, weights: Array) -> tuple[float, float]:
        """Return :meth:`ks` of float runs with other weights (V)."""
        return self.ks(lambda seed: network(self.pre, weights, seed))

    def integers(self, granularity: str, bits: int, rounding: str) -> tuple[float, float]:
        """Return :meth:`ks` of runs of :func:`integers`."""
        return self.ks(lambda seed: integers(network(self.pre, self.weights, seed), granularity,
                                             bits, rounding))  # fmt: skip


def integers(net: nl.SteppedNetwork, granularity: str, bits: int, rounding: str) -> nl.FixedNetwork:
    """Return the network in integers, states so wide that only weights matter.

    The external synapses keep 8 bits: what is studied are the recurrent ones.
    """
    profile = nl.load_profile("generic", align_shift=0, state_bits=32, threshold_bits=24,
                              bias_bits=24)  # fmt: skip
    fixed = nl.quantize(net, profile, granularity=granularity, weight_bits=bits, rounding=rounding,
                        scaling="max_abs")  # fmt: skip
    own = next(p for p in fixed.projections if p.name == "in")
    unit = float(np.ravel(fixed.population("n").lsb)[0]) * 2.0 ** fixed.sum_exponent(own)
    # as all weights, less by what the coded leak is less
    leak = float(fixed.params("n")["dv"][0]) / 4096 / -np.expm1(-DT / TAU)
    exact = identity(net.population("n").size, np.int64, "csr") * round(J * leak / unit)
    return nl.with_changes(fixed, weights={"in": exact}, projections={"in": {"weight_bits": 8}})


def setting(quick: bool) -> tuple[Setting, list[Row]]:
    """Run the reference and the baseline; return what the rows share, and the first rows."""
    pre, weights = connections()
    seconds, seeds = (2.0, (2, 3, 4)) if quick else (4.0, (2, 3, 4, 5, 6))
    say("the float network, and the same with other noise")
    reference = rates(network(pre, weights, REFERENCE), seconds)
    others = [rates(network(pre, weights, s), seconds) for s in seeds]
    ks = [o.beside(reference)[0] for o in others]
    r = float(np.mean([r_of(reference.each, o.each) for o in others]))
    made = Setting(pre, weights, seconds, reference, seeds, max(ks))
    spread = float(np.std(ks, ddof=1))
    first = [
        near("rate of the float network", reference.mean, 45.34, 0.15 * 45.34, "Hz", 2,
             "another realisation: 15 %"),
        near("    by mean-field theory", reference.mean, 45.60, 0.15 * 45.60, "Hz", 2, "15 %"),
        near("baseline: KS of rates, other noise", float(np.mean(ks)), 0.040,
             0.04 if quick else 0.02, "", 3, "noise of a KS distance", spread),
        near("    correlation of the neurons' rates", r, 0.964, 0.06 if quick else 0.03, "", 3),
        note("    largest KS of the seeds", made.baseline, None, "", 3),
    ]  # fmt: skip
    return made, first


def as_baseline(name: str, at: Setting, ks: float, expected: float | None) -> Row:
    """Return a row that holds where a distance is the baseline's."""
    return Row(name, ks, expected, None, at.baseline + 0.01, "", 3, "KS, as the baseline")


def distorted(name: str, at: Setting, ks: float, expected: float | None) -> Row:
    """Return a row that holds where a distance is larger than the baseline's."""
    return Row(name, ks, expected, at.baseline + 0.01, None, "", 3, "KS, beyond the baseline")


def in_floats(at: Setting) -> Iterator[Row]:
    """Yield the rows of float runs with rounded weights."""
    say("rounded weights in float runs")
    w = at.weights
    yield as_baseline("each sign, 4 bits, nearest", at, at.floats(by_sign(w, 4))[0], 0.032)
    two = at.floats(by_sign(w, 2))[0]
    yield distorted("each sign, 2 bits, nearest", at, two, 0.097)
    yield as_baseline("one scale, 8 bits, nearest", at, at.floats(levels(w, 8))[0], 0.049)
    for bits, truncate, ks, change, allowed in (
        (4, False, 0.114, None, 0), (4, True, 0.378, -29, 5), (3, False, 0.502, 71, 20),
        (3, True, 0.803, None, 0),
    ):  # fmt: skip
        name = f"one scale, {bits} bits, {'truncated' if truncate else 'nearest'}"
        got, moved = at.floats(levels(w, bits, truncate))
        yield distorted(name, at, got, ks)
        if change is not None:
            yield near("    change of the mean rate", moved, change, allowed, "%", 1)


def of_realisations(seconds: float, quick: bool) -> Iterator[Row]:
    """Yield the rows that depend much on the connections and weights that are drawn.

    What is expected is one such draw; allowed are 4 standard deviations between draws.
    """
    found = []
    for seed in (1, 2, 3) if quick else (1, 2, 3, 4, 5):
        say(f"connections and weights, seed {seed}")
        pre, w = connections(seed)
        base, coarse, equal = (
            rates(network(pre, v, REFERENCE), seconds)
            for v in (w, levels(w, 4), np.where(w > 0, J, -G * J))
        )
        found.append((coarse.beside(base)[1], 100 * (equal.mean / base.mean - 1),
                      base.each.std(), equal.each.std()))  # fmt: skip
    mean, sd = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
    allowed = 4 * sd * np.sqrt(1 + 1 / len(found))
    for k, (name, expected, unit) in enumerate((
        ("one scale, 4 bits: change of the mean rate", -8.0, "%"),
        ("equal weights: change of the mean rate", 100 * (41.9 / 45.34 - 1), "%"),
        ("    spread of the rates with spread weights", 16.6, "Hz"),
        ("    spread of the rates with equal weights", 4.6, "Hz"),
    )):  # fmt: skip
        yield near(name, mean[k], expected, allowed[k], unit, 1, "4 sd of realisations", sd[k])


def in_integers(at: Setting) -> Iterator[Row]:
    """Yield the rows of a chip's integers."""
    for granularity, bits, rounding, judge in (
        ("sign", 8, "nearest", as_baseline), ("sign", 4, "nearest", as_baseline),
        ("projection", 8, "nearest", as_baseline), ("projection", 4, "nearest", distorted),
        ("projection", 4, "floor", distorted), ("projection", 3, "nearest", distorted),
    ):  # fmt: skip
        name = f"integers, {granularity}, {bits} bits, {rounding}"
        say(name)
        ks, change = at.integers(granularity, bits, rounding)
        yield judge(name, at, ks, None)
        yield note("    change of the mean rate", change, None, "%", 1)


def rows(quick: bool = False) -> Iterator[Row]:
    """Yield all rows."""
    at, first = setting(quick)
    yield from first
    yield from in_floats(at)
    yield from of_realisations(at.seconds, quick)
    yield from in_integers(at)


if __name__ == "__main__":
    raise SystemExit(run(__doc__, TITLE, rows))
