"""How far clocked runs are from the event-exact one, and how far equal spikes can be proved.

    python examples/science/integrators.py                 both figures, in some seconds
    python examples/science/integrators.py --out FOLDER    where to save them

1. Neurons with an exponential synapse, and steps from 1/64 ms to 1 ms. V of the exact propagator
   equals that of the event-exact run to the last digits where input spikes are on the grid; where
   they are not, and with Euler and exponential Euler, its error is of first order. So is that of
   spike times, for all of them: a step sees the threshold at its end.
2. The same random network in float64 and in a chip's integers of 6, 8 and 12 bit weights: for how
   many neurons the spikes so far are equal, and for how many that is proved without looking at the
   integer run (``neuro_lif.predict.certify_spikes``).

Source: S. Rotter, M. Diesmann, Biol. Cybern. 81:381 (1999) for the exact propagator; R. Brette,
Neural Comput. 18:2004 (2006) for event-exact runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import drawing
import numpy as np
import numpy.typing as npt

import neuro_lif as nl
from neuro_lif import predict
from neuro_lif.reference import run_exact

Array = npt.NDArray[Any]

TAU, TAU_S, THRESHOLD, CAPACITANCE = 20e-3, 5e-3, 15e-3, 250e-12
DURATION, COARSE = 60e-3, 1e-3
STEPS = COARSE / 2.0 ** np.arange(7)
KINDS = {
    "euler": ("Euler", "euler", True),
    "exp-euler": ("exponential Euler", "exp-euler", True),
    "off grid": ("exact propagator, input off the grid", "exact", False),
    "exact": ("exact propagator", "exact", True),
}
"""Kind -> (name, integrator, whether input spikes are on the grid)."""


# ------------------------------------------------------------------------ orders of convergence


def driven(on_grid: bool, spiking: bool, n: int = 40, seed: int = 1) -> nl.Network:
    """Return n neurons, each with its own input spikes, through an exponential synapse.

    Args:
        on_grid: whether input spikes are at whole milliseconds.
        spiking: with a threshold, and a current that passes it; else without.
        n, seed: neurons, and of the input.
    """
    rng = np.random.default_rng(seed)
    times = rng.uniform(0.0, 0.9 * DURATION, (n, 12))
    times = np.sort(np.rint(times / COARSE) * COARSE if on_grid else times, axis=1)
    resistance = TAU / CAPACITANCE
    lif = nl.LIF(TAU, resistance, v_threshold=THRESHOLD, i_bias=0.19e-9)
    return nl.Network(
        [nl.Population("n", n, lif if spiking else nl.LI(TAU, resistance, i_bias=0.1e-9))],
        [nl.Projection("p", "in", "n", 60e-12 * np.eye(n), nl.Exponential(TAU_S, "peak"))],
        [nl.SpikeInput.from_trains("in", list(times))],
        [nl.Probe("n")],
    )


class Errors(NamedTuple):
    """For each step: largest error of V (V), and mean lateness of the first spikes (s)."""

    voltage: Array
    lateness: Array


def errors(kind: str) -> Errors:
    """Return the errors of one of :data:`KINDS` at each of :data:`STEPS`."""
    _, integrator, on_grid = KINDS[kind]
    rule = nl.StepRule(integrator, input_latency=0)
    free, spiking = driven(on_grid, False), driven(on_grid, True)
    at = COARSE * np.arange(1, round(DURATION / COARSE) + 1)
    v = run_exact(free, DURATION, sample_times=at).v("n")
    first = first_spikes(run_exact(spiking, DURATION).spike_times("n"), 40)
    assert np.isfinite(first).all()
    found: list[tuple[float, float]] = []
    for dt in STEPS:
        n, every = round(DURATION / dt), round(COARSE / dt)
        clocked = nl.run_clocked(nl.discretize(free, dt, rule), n).volts("n")[every - 1 :: every]
        run = nl.run_clocked(nl.discretize(spiking, dt, rule), n)
        late = first_spikes(run.spike_times("n"), 40) - first
        found.append((float(np.abs(clocked - v).max()), float(np.mean(late))))
    return Errors(*np.array(found).T)


def first_spikes(spikes: tuple[Array, Array], n: int) -> Array:
    """Return the time of the first spike of each neuron (s), inf where there is none."""
    out = np.full(n, np.inf)
    np.minimum.at(out, spikes[0], spikes[1])
    return out


def order(values: Array) -> float:
    """Return the power of the step with which errors fall, from the four shortest steps."""
    return float(np.polyfit(np.log(STEPS[-4:]), np.log(np.abs(values[-4:])), 1)[0])


@drawing.styled
def draw_orders(folder: Path, found: dict[str, Errors]) -> Path:
    figure, (left, right) = drawing.axes(1, 2, (9.0, 3.8))
    colours = (drawing.ORANGE, drawing.BLUE, drawing.PINK, drawing.BLACK)
    for (kind, e), colour, marker in zip(found.items(), colours, "os^D", strict=True):
        label = KINDS[kind][0]
        left.loglog(1e3 * STEPS, 1e3 * e.voltage, marker + "-", color=colour, ms=4, label=label)
        right.loglog(1e3 * STEPS, 1e3 * np.abs(e.lateness), marker + "-", color=colour, ms=4,
                     label=label)  # fmt: skip
    right.loglog(1e3 * STEPS, 0.5e3 * STEPS, "--", color=drawing.GREY, lw=1, label="half a step")
    left.set(xlabel="step (ms)", ylabel="largest error of V (mV)", ylim=(1e-16, 1e4),
             title="V without a threshold: first order, or exact")  # fmt: skip
    right.set(xlabel="step (ms)", ylabel="mean error of first spikes (ms)", ylim=(1e-3, 1e1),
              title="Spike times: first order for all")  # fmt: skip
    left.legend(loc="upper left", ncols=1)
    right.legend(loc="upper left", ncols=1)
    return drawing.save(figure, folder, "integrators")


# -------------------------------------------------------------------------- proved equal spikes


def random_network(n: int = 200, channels: int = 40, seed: int = 3) -> nl.Network:
    """Return neurons with random weights from random spikes."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(18e-12, 30e-12, (n, channels))
    times = [np.flatnonzero(rng.random(300) < 0.06) * COARSE for _ in range(channels)]
    lif = nl.LIF(TAU, TAU / CAPACITANCE, v_threshold=THRESHOLD, t_refractory=2e-3)
    return nl.Network(
        [nl.Population("n", n, lif)],
        [nl.Projection("p", "in", "n", weights, nl.Exponential(TAU_S, "peak"))],
        [nl.SpikeInput.from_trains("in", times)],
    )


class Proof(NamedTuple):
    """Neurons and steps ``(n_steps, n)``: spikes so far are equal, and proved to be."""

    equal: Array
    proved: Array

    @property
    def false(self) -> int:
        """How often something was proved that is not so."""
        return int(np.count_nonzero(self.proved & ~self.equal))


def proof(weight_bits: int, n_steps: int = 300, seed: int = 3) -> Proof:
    """Return what is equal and what is proved of a random network on the chip ``generic``."""
    stepped = nl.discretize(random_network(seed=seed), COARSE)
    profile = nl.load_profile("generic", weight_bits=weight_bits)
    fixed = nl.quantize(stepped, profile)
    certificate = predict.certify_spikes(fixed, stepped, n_steps)
    a, b = nl.run_clocked(stepped, n_steps), nl.run_fixed(fixed, n_steps)
    equal = np.logical_and.accumulate(a.spikes["n"] == b.spikes["n"], axis=0)
    return Proof(equal, certificate.certified_steps("n"))


@drawing.styled
def draw_proofs(folder: Path, found: dict[int, Proof]) -> Path:
    figure, ax = drawing.axes(1, 1, (6.6, 3.6))
    colours = (drawing.ORANGE, drawing.BLUE, drawing.GREEN)
    for (bits, p), colour in zip(found.items(), colours, strict=True):
        steps = np.arange(1, len(p.equal) + 1)
        ax.plot(steps, 100 * p.equal.mean(axis=1), "--", color=colour, lw=1)
        ax.plot(steps, 100 * p.proved.mean(axis=1), "-", color=colour, lw=1.5,
                label=f"weights of {bits} bits")  # fmt: skip
    ax.plot([], [], "-", color=drawing.BLACK, label="proved equal")
    ax.plot([], [], "--", color=drawing.BLACK, lw=1, label="equal")
    ax.set(xlabel="step", ylabel="neurons (%)", ylim=(-2, 102), xlim=(0, len(steps)),
           title="Spikes so far as in float64: what is proved, and what is so")  # fmt: skip
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return drawing.save(figure, folder, "certificate")


# --------------------------------------------------------------------------------- script


def main(arguments: list[str] | None = None) -> list[Path]:
    """Print the numbers, draw the figures; return the files."""
    given = drawing.parser(__doc__).parse_args(arguments)
    found = {kind: errors(kind) for kind in KINDS}
    print("order of the error of V and of spike times, and V's error at steps of 1/8 ms:")
    for kind, e in found.items():
        by = "   -" if e.voltage.max() < 1e-12 else f"{order(e.voltage):4.2f}"
        print(f"  {KINDS[kind][0]:38s} {by} {order(e.lateness):5.2f}   {1e3 * e.voltage[3]:.1e} mV")
    proofs = {bits: proof(bits) for bits in (6, 8, 12)}
    print("neurons of 200 whose spikes are equal, and are proved so, up to step:")
    for bits, p in proofs.items():
        counts = ", ".join(f"{t}: {p.equal[t - 1].sum()} / {p.proved[t - 1].sum()}"
                           for t in (30, 100, 300))  # fmt: skip
        print(f"  weights of {bits:2d} bits   {counts}; false proofs: {p.false}")
    return [draw_orders(given.out, found), draw_proofs(given.out, proofs)]


if __name__ == "__main__":
    main()
