"""Figures 1 to 3 of Orhan's note on the leaky integrate-and-fire neuron, with numbers beside them.

    python examples/science/orhan.py                  all three, in some seconds
    python examples/science/orhan.py --figure 3       one of them
    python examples/science/orhan.py --out FOLDER     where to save them

One neuron: tau = 10 ms, threshold 15 mV, reset 0; the note's drives R I are in mV, so the
resistance here is 1 MOhm, and 1 nA is 1 mV.

1. A constant drive of 20 mV: the exact propagator, Euler, event-exact spike times; the f-I curve.
2. Gaussian noise, 15 mV with a standard deviation of 5 mV, drawn anew every 0.1 ms.
3. 25 Poisson sources of 40 Hz with weights of 1.62 +- 0.5 mV: once as the note's program does it,
   by a bug through an exponential synapse, and twice as its text says, with alpha synapses.

Source: E. Orhan, "The Leaky Integrate-and-Fire Neuron Model" (2012), with programs for Brian 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import drawing
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

import neuro_lif as nl
from neuro_lif.network import PoissonInput
from neuro_lif.reference import run_exact, theory
from neuro_lif.stimulus import GaussianNoise

Array = npt.NDArray[Any]

TAU, THRESHOLD, RESISTANCE, DT = 10e-3, 15e-3, 1e6, 1e-4
DURATION = 0.1  # s, of each of the note's figures
CELL = {"tau_m": TAU, "resistance": RESISTANCE, "v_threshold": THRESHOLD}


# ---------------------------------------------------------------- figure 1: a constant drive

RI = 20e-3
DRIVES = (16e-3, 20e-3, 25e-3, 30e-3, 40e-3, 50e-3)  # V, of the table of the f-I curve
HELD = 5e-3  # s, the note's refractory period


def constant(drive: npt.ArrayLike = RI, tau_r: float = 0.0) -> nl.Network:
    """Return a neuron for each drive (R I, V), which is constant."""
    amperes = np.atleast_1d(drive) / RESISTANCE
    neuron = nl.LIF(**CELL, i_bias=amperes, t_refractory=tau_r)
    return nl.Network([nl.Population("n", len(amperes), neuron)], probes=[nl.Probe("n")])


def grid_run(dt: float, rule: str, tau_r: float = 0.0) -> nl.Recording:
    """Return a clocked run of 100 ms under the constant drive."""
    return nl.run_clocked(nl.discretize(constant(RI, tau_r), dt, rule), round(DURATION / dt))


def grid_steps(dt: float, rule: str, tau_r: float = 0.0) -> list[int]:
    """Return after how many steps the spikes of a clocked run are seen."""
    _, times = grid_run(dt, rule, tau_r).spike_times("n")
    return [int(k) for k in np.rint(times / dt)]


def exact_times(tau_r: float = 0.0) -> Array:
    """Return the spike times (s) of an event-exact run of 100 ms."""
    return run_exact(constant(RI, tau_r), DURATION, compare=">=").train("n")


def exact_rates(drives: npt.ArrayLike = DRIVES, tau_r: float = 0.0) -> Array:
    """Return one over the interval of the spikes of event-exact runs, Hz, for each drive (V)."""
    n = np.size(drives)
    run = run_exact(constant(drives, tau_r), 1.0)
    trains = [run.train("n", k) for k in range(n)]
    return np.array([(len(t) - 1) / (t[-1] - t[0]) if len(t) > 1 else 0.0 for t in trains])


def print_figure_1() -> None:
    times = ", ".join(f"{1e3 * t:.6f}" for t in exact_times())
    print(f"figure 1: RI = 20 mV for 100 ms\n  event-exact (ms): {times}")
    for dt, rule, tau_r in ((1e-4, "exact-ge", 0.0), (1e-4, "euler-ge", 0.0),
                            (1e-3, "exact-ge", 0.0), (1e-4, "exact-ge", HELD)):  # fmt: skip
        held = ", refractory 5 ms" if tau_r else ""
        name = rule.removesuffix("-ge")
        print(f"  {name}, dt = {1e3 * dt:g} ms{held}: steps {grid_steps(dt, rule, tau_r)}")
    print("  RI (mV)   f (Hz)   refractory 5 ms (Hz): closed form, event-exact run")
    columns = [theory.rate(DRIVES, THRESHOLD, 0.0, TAU, tau_r) for tau_r in (0.0, HELD)]
    runs = [exact_rates(DRIVES, tau_r) for tau_r in (0.0, HELD)]
    for k, drive in enumerate(DRIVES):
        row = "  ".join(f"{columns[j][k]:11.6f} {runs[j][k]:11.6f}" for j in (0, 1))
        print(f"  {1e3 * drive:7.0f} {row}")


@drawing.styled
def draw_figure_1(folder: Path) -> Path:
    figure, (left, right) = drawing.axes(1, 2, (9.0, 3.4), width_ratios=(1.5, 1))
    times = np.linspace(0.0, 45e-3, 901)
    v = run_exact(constant(), 45e-3, sample_times=times).v("n")[:, 0]
    left.plot(1e3 * times, 1e3 * v, color=drawing.BLACK, lw=1.2, label="event-exact")
    for rule, marker, colour in (
        ("exact-ge", "o", drawing.BLUE),
        ("euler-ge", "x", drawing.ORANGE),
    ):
        run = grid_run(1e-3, rule)
        shown = 1e3 * np.concatenate([[0.0], run.volts("n")[:45, 0]])
        name = "exact propagator" if rule == "exact-ge" else "Euler"
        left.plot(np.arange(46), shown, marker, color=colour, ms=4, mfc="none",
                  label=f"{name}, dt = 1 ms")  # fmt: skip
    left.axhline(15, color=drawing.GREY, lw=0.9, ls="--")
    left.text(45.5, 15.2, "threshold", color=drawing.GREY, ha="right", va="bottom", fontsize=8)
    left.set(xlabel="time (ms)", ylabel="V (mV)", ylim=(-0.5, 19.5), xlim=(-0.5, 46),
             title="A constant drive of RI = 20 mV: the grid sees each spike late")  # fmt: skip
    left.legend(loc="upper left", ncols=3, columnspacing=1.0, handletextpad=0.3)
    curve = np.linspace(0.0, 52e-3, 600)
    for tau_r, colour in ((0.0, drawing.BLUE), (HELD, drawing.ORANGE)):
        right.plot(1e3 * curve, theory.rate(curve, THRESHOLD, 0.0, TAU, tau_r), color=colour)
        right.plot(1e3 * np.array(DRIVES), exact_rates(DRIVES, tau_r), "o", color=colour, ms=4)
    right.text(40, 232, "no refractory\nperiod", color=drawing.BLUE, ha="right", va="center")
    right.text(52, 66, "refractory 5 ms", color=drawing.ORANGE, ha="right", va="center")
    right.set(xlabel="drive RI (mV)", ylabel="rate (Hz)",
              title="f-I: closed form (lines), runs (points)")  # fmt: skip
    return drawing.save(figure, folder, "orhan_1")


# ----------------------------------------------------------------- figure 2: a noisy drive

MEAN, SPREAD = 15e-3, 5e-3  # V, of R I in each step of 0.1 ms


class Noisy(NamedTuple):
    """Rate (Hz) and its standard error; standard deviation of V without a threshold (V)."""

    rate: float
    error: float
    sd: float
    spikes: int


def noisy(n: int, free: int, seed: int) -> nl.Network:
    """Return n neurons, and ``free`` without a threshold that receive the noise of the first."""
    noise = GaussianNoise(MEAN / RESISTANCE, SPREAD / RESISTANCE, seed)
    return nl.Network(
        [
            nl.Population("n", n, nl.LIF(**CELL)),
            nl.Population("free", free, nl.LI(TAU, RESISTANCE)),
        ],
        inputs=[nl.CurrentInput("to_n", "n", noise), nl.CurrentInput("to_free", "free", noise)],
        probes=[nl.Probe("free"), *([nl.Probe("n")] if n == 1 else [])],
    )


def noisy_run(
    n: int = 500, seconds: float = 4.0, rule: str = "exact", seed: int = 1, warm_up: float = 0.1
) -> Noisy:
    """Return what n neurons do; ``warm_up`` (s) is not counted."""
    stepped, first = nl.discretize(noisy(n, min(n, 200), seed), DT, rule), round(warm_up / DT)
    run = nl.run_clocked(stepped, first + round(seconds / DT))
    counts = run.spikes["n"][first:].sum(axis=0)
    rates = counts / seconds
    sd = float(np.std(run.volts("free")[first:]))
    return Noisy(float(rates.mean()), float(rates.std(ddof=1) / np.sqrt(n)), sd, int(counts.sum()))


def noisy_rates(rule: str = "exact") -> tuple[float, float]:
    """Return the rate in continuous time (Siegert) and that of a clocked run, Hz."""
    stepped = nl.discretize(noisy(1, 1, 0), DT, rule)
    clocked = theory.stepped_rate(stepped, "n")  # reads the noise that the network describes
    sigma = SPREAD * np.sqrt(DT / TAU)  # of the white noise that this noise is
    return float(theory.siegert(MEAN, sigma, THRESHOLD, 0.0, TAU)), float(clocked)


def noisy_sd(rule: str = "exact") -> float:
    """Return the standard deviation that V has without a threshold, V."""
    p = nl.discretize(noisy(1, 1, 0), DT, rule).population("free")
    kept, gain = float(p.decay_v[0]), float(p.gain[0])
    return gain * SPREAD / RESISTANCE / float(np.sqrt(1 - kept**2))


def print_figure_2(found: Noisy) -> None:
    continuous, clocked = noisy_rates()
    print(
        "figure 2: RI ~ N(15, 5) mV anew every 0.1 ms\n"
        f"  rate of {found.spikes} spikes: {found.rate:.3f} +- {found.error:.3f} Hz\n"
        f"  theory: {clocked:.4f} Hz on the grid, {continuous:.4f} Hz in continuous time\n"
        f"  spikes in the note's 100 ms: {DURATION * clocked:.3f}\n"
        f"  sd of V without threshold: {1e3 * found.sd:.4f} mV, theory {1e3 * noisy_sd():.6f} mV"
        f" (Euler {1e3 * noisy_sd('euler'):.6f} mV)"
    )


@drawing.styled
def draw_figure_2(folder: Path, found: Noisy) -> Path:
    figure, (left, right) = drawing.axes(1, 2, (9.0, 3.2), width_ratios=(2, 1))
    run = nl.run_clocked(nl.discretize(noisy(1, 1, 4), DT), round(2 * DURATION / DT))
    times = 1e3 * DT * np.arange(1, run.n_steps + 1)
    left.plot(times, 1e3 * run.volts("free"), color=drawing.SKY, lw=1, label="without a threshold")
    left.plot(times, 1e3 * run.volts("n"), color=drawing.BLACK, lw=1, label="V")
    left.axhline(15, color=drawing.GREY, lw=0.9, ls="--")
    for t in run.spike_times("n")[1]:
        left.plot(1e3 * t, 16.6, "v", color=drawing.ORANGE, ms=5)
    left.set(xlabel="time (ms)", ylabel="V (mV)", ylim=(-0.5, 20.5), xlim=(0, times[-1]),
             title="Noise around the threshold (one neuron; triangles: spikes)")  # fmt: skip
    left.legend(loc="upper left", ncols=2)
    continuous, clocked = noisy_rates()
    right.errorbar([2], [found.rate], [2 * found.error], fmt="o", color=drawing.BLACK, ms=5,
                   capsize=3)  # fmt: skip
    right.plot([0, 1], [continuous, clocked], "D", color=drawing.ORANGE, ms=6)
    right.axhline(clocked, color=drawing.GREY, lw=0.9, ls="--")
    names = ["theory,\ncontinuous", "theory,\nsteps", "clocked run\n(2 s.e.)"]
    right.set_xticks([0, 1, 2], names)
    right.set(ylabel="rate (Hz)", xlim=(-0.5, 2.5), ylim=(21.9, 23.0),
              title="Steps of 0.1 ms cost 2.4 % of the rate")  # fmt: skip
    right.grid(axis="x", visible=False)
    return drawing.save(figure, folder, "orhan_2")


# ------------------------------------------------------------- figure 3: Poisson sources

SOURCES, RATE, TAU_S = 25, 40.0, 10e-3
WEIGHT, WEIGHT_SD = 1.62e-3, 0.5e-3  # V, as R times the current's peak
VARIANTS = {
    "coded": "as the program is\n(bug: exponential)",
    "brian": "alpha, as Brian 1\nscales it (peak 1/e)",
    "alpha": "alpha, as Eq. 10\nsays (peak 1)",
}
LOOPS = {"coded": (2.756, 0.024), "brian": (2.074, 0.022), "alpha": (17.86, 0.05)}
"""Spikes in 100 ms and their standard errors, of 4000 trials by a plain loop of another program."""


def synapses() -> dict[str, tuple[nl.Exponential | nl.Alpha, float]]:
    """Return for each variant the synapse, and the factor of the weights.

    The program connects the sources to ``ge``, which decays, and not to ``I_in``, which is what
    turns ``ge`` into an alpha function. Brian's own alpha function misses a factor of e.
    """
    return {
        "coded": (nl.Exponential(TAU_S, "peak"), 1.0),
        "brian": (nl.Alpha(TAU_S, "area"), TAU_S),
        "alpha": (nl.Alpha(TAU_S, "peak"), 1.0),
    }


def bombarded(trials: int, seed: int) -> nl.Network:
    """Return a neuron for each trial and variant; variants hear the same spikes and weights.

    Each trial has 25 sources and 25 weights of its own.
    """
    rng = np.random.default_rng(seed)
    volts = WEIGHT + WEIGHT_SD * rng.standard_normal(trials * SOURCES)
    rows = np.arange(0, trials * SOURCES + 1, SOURCES)
    each = np.arange(trials * SOURCES)
    links = [
        nl.Projection(f"to_{name}", "sources", name,
                      csr_matrix((volts * factor / RESISTANCE, each, rows)), synapse)
        for name, (synapse, factor) in synapses().items()
    ]  # fmt: skip
    sources = PoissonInput("sources", trials * SOURCES, RATE, seed, draw="bernoulli")
    return nl.Network(
        [nl.Population(name, trials, nl.LIF(**CELL)) for name in VARIANTS], links, [sources],
        [nl.Probe(name) for name in VARIANTS],
    )  # fmt: skip


def bombarded_run(trials: int = 1000, seed: int = 1) -> nl.Recording:
    """Return a run of 100 ms from rest with the exact propagator and Brian's comparison, ``>``."""
    return nl.run_clocked(nl.discretize(bombarded(trials, seed), DT), round(DURATION / DT))


def spike_counts(trials: int = 4000, seed: int = 1, at_once: int = 1000) -> dict[str, Array]:
    """Return the spikes in 100 ms of each trial, for each variant; ``at_once`` trials in a run."""
    runs = [bombarded_run(min(at_once, trials - done), seed + done)
            for done in range(0, trials, at_once)]  # fmt: skip
    return {name: np.concatenate([run.spikes[name].sum(axis=0, dtype=int) for run in runs])
            for name in VARIANTS}  # fmt: skip


def mean_currents() -> dict[str, float]:
    """Return the mean of R I of each variant, V: sources x rate x area of the synapse x weight."""
    return {name: SOURCES * RATE * WEIGHT * factor * synapse.area()
            for name, (synapse, factor) in synapses().items()}  # fmt: skip


def sd_currents() -> dict[str, float]:
    """Return the standard deviation of R I of each variant, V: Campbell's theorem."""
    square, out = WEIGHT**2 + WEIGHT_SD**2, {}
    times = np.linspace(0.0, 30 * TAU_S, 300_001)
    for name, (synapse, factor) in synapses().items():
        shape = np.asarray(synapse.current(times)) ** 2
        area = float(np.sum(shape[1:] + shape[:-1]) / 2 * times[1])
        out[name] = float(np.sqrt(SOURCES * RATE * square * factor**2 * area))
    return out


def psp_peaks() -> dict[str, float]:
    """Return the largest V that one spike of the mean weight makes, V."""
    return {name: WEIGHT * factor / RESISTANCE * synapse.psp_peak(TAU, TAU / RESISTANCE)[1]
            for name, (synapse, factor) in synapses().items()}  # fmt: skip


def print_figure_3(counts: dict[str, Array]) -> None:
    print(f"figure 3: 25 sources of 40 Hz, {len(counts['coded'])} trials of 100 ms from rest")
    currents, spreads, peaks = mean_currents(), sd_currents(), psp_peaks()
    for name, text in VARIANTS.items():
        found = counts[name]
        error = found.std(ddof=1) / np.sqrt(len(found))
        print(
            f"  {text.replace(chr(10), ' '):38s} {found.mean():7.3f} +- {error:.3f} spikes"
            f" (another program: {LOOPS[name][0]:.3f} +- {LOOPS[name][1]:.3f});"
            f" R I {1e3 * currents[name]:.3f} +- {1e3 * spreads[name]:.3f} mV,"
            f" peak of a PSP {1e3 * peaks[name]:.4f} mV"
        )


@drawing.styled
def draw_figure_3(folder: Path, counts: dict[str, Array]) -> Path:
    figure, grid = drawing.axes(3, 2, (9.0, 5.4), width_ratios=(1.6, 1), sharex="col")
    run = bombarded_run(1, 12)
    times = 1e3 * DT * np.arange(1, run.n_steps + 1)
    last = int(max(found.max() for found in counts.values()))
    colours = (drawing.ORANGE, drawing.BLUE, drawing.GREEN)
    for (name, text), (left, right), colour in zip(VARIANTS.items(), grid, colours, strict=True):
        left.plot(times, 1e3 * run.volts(name), color=colour, lw=1.2)
        left.axhline(15, color=drawing.GREY, lw=0.9, ls="--")
        left.set(ylabel="V (mV)", ylim=(-0.5, 16.5), xlim=(0, 100))
        left.text(1.01, 0.5, text, transform=left.transAxes, color=colour, va="center", fontsize=8)
        found = counts[name]
        share = np.bincount(found, minlength=last + 1) / len(found)
        right.bar(np.arange(last + 1), share, color=colour, width=0.85)
        error = found.std(ddof=1) / np.sqrt(len(found))
        right.axvline(found.mean(), color=drawing.BLACK, lw=1)
        right.text(found.mean() + 0.5, 0.325, f"{found.mean():.2f} $\\pm$ {error:.2f}", va="top")
        right.set(ylabel="share of trials", ylim=(0, 0.33))
    grid[0, 0].set_title("The same spikes through the three synapses of one text")
    grid[0, 1].set_title(f"Spikes in 100 ms, {len(counts['coded'])} trials (line: mean)")
    grid[-1, 0].set_xlabel("time (ms)")
    grid[-1, 1].set_xlabel("spikes in 100 ms")
    return drawing.save(figure, folder, "orhan_3")


# --------------------------------------------------------------------------------- script


def main(arguments: list[str] | None = None) -> list[Path]:
    """Print the numbers, draw the figures; return the files."""
    parser = drawing.parser(__doc__)
    parser.add_argument("--figure", type=int, choices=(1, 2, 3), action="append")
    parser.add_argument("--trials", type=int, default=4000, help="of figure 3, default 4000")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    if not 2 <= given.trials <= 100_000 or not 0 <= given.seed < 2**31:
        parser.error("allowed: trials 2..100000; seed 0..2**31 - 1")
    files = []
    for k in given.figure or (1, 2, 3):
        if k == 1:
            print_figure_1()
            files.append(draw_figure_1(given.out))
        elif k == 2:
            found = noisy_run(seed=given.seed)
            print_figure_2(found)
            files.append(draw_figure_2(given.out, found))
        else:
            counts = spike_counts(given.trials, given.seed)
            print_figure_3(counts)
            files.append(draw_figure_3(given.out, counts))
    return files


if __name__ == "__main__":
    main()
