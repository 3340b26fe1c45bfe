"""The table of the blog post "Iterating Toward Realism": four inputs of a LIF neuron, in steps.

    python examples/science/blog.py                 the table, compared with what was printed
    python examples/science/blog.py --out FOLDER    where to save the figures

tau = 10 ms, rest and reset -65 mV, threshold -50 mV, 10 MOhm; Euler's steps of 1 ms. A row holds V
before the step and the current that drives it. The post gives no parameters of its inputs; those
here were inferred, and give all printed digits back:

- constant: 1.5 nA, which converges to exactly the threshold and so never spikes;
- sinusoid: 0.8 (1 + sin(2 pi t / 20 ms)) nA;
- noise: 1 + 0.5 z nA, z the first 11 normal numbers of numpy's ``default_rng(42)``;
- "Poisson": the next 11 uniform numbers of the same generator, a spike where they are below
  rate * dt. The post speaks of an exponential synaptic current; what its table holds is a pulse of
  0.6 nA for one step. Both are here.

Source: "Testing Input Models in the Leaky Integrate-and-Fire Neuron: Iterating Toward Realism"
(2025).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import drawing
import numpy as np
import numpy.typing as npt

import neuro_lif as nl
from neuro_lif.reference import run_exact
from neuro_lif.stimulus import Constant, Sampled, Sinusoid, Stimulus

Array = npt.NDArray[Any]

DT, ROWS = 1e-3, 11
TAU, REST, THRESHOLD, RESISTANCE = 10e-3, -65e-3, -50e-3, 10e6
NEURON = nl.LIF(TAU, RESISTANCE, v_rest=REST, v_threshold=THRESHOLD)
CONSTANT, RATE, PULSE = 1.5e-9, 100.0, 0.6e-9  # A, Hz, A
SHOWN = {"V_const": "V const", "V_sin": "V sin", "I_noise": "I noise", "V_noise": "V noise",
         "spike": "spike", "V_poisson": "V Poisson"}  # fmt: skip
PRINTED = {
    "V_const": (-65.0, -63.5, -62.15, -60.935, -59.842, -58.857, -57.972, -57.174, -56.457,
                -55.811, -55.23),
    "V_sin": (-65.0, -64.2, -63.233, -62.139, -60.978, -59.819, -58.738, -57.803, -57.075,
              -56.598, -56.391),
    "I_noise": (1.152, 0.48, 1.375, 1.47, 0.024, 0.349, 1.064, 0.842, 0.992, 0.573),
    "V_noise": (-65.0, -63.848, -63.483, -62.259, -61.063, -61.432, -61.44, -60.732, -60.317,
                -59.794, -59.741),
    "spike": (0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0),
    "V_poisson": (-65.0, -65.0, -65.0, -65.0, -65.0, -65.0, -65.0, -64.4, -64.46, -64.514,
                  -64.563),
}  # fmt: skip
"""What the post prints, mV and nA; its last current is not printed."""


# ------------------------------------------------------------------------------- the table


def draws() -> tuple[Array, Array]:
    """Return the post's random numbers: 11 normal ones, and whether a spike comes in each step."""
    rng = np.random.default_rng(42)
    z, u = rng.standard_normal(ROWS), rng.random(ROWS)
    return z, u < RATE * DT


def inputs() -> dict[str, Stimulus]:
    """Return the currents of the table."""
    z, spikes = draws()
    return {
        "const": Constant(CONSTANT),
        "sin": Sinusoid.raised(0.8e-9, 20e-3),
        "noise": Sampled((1e-9 + 0.5e-9 * z)[:, None], DT),
        "poisson": Sampled(PULSE * spikes[:, None], DT),
    }


def membranes(currents: dict[str, Stimulus]) -> nl.Network:
    """Return one neuron for each current."""
    return nl.Network(
        [nl.Population(name, 1, NEURON) for name in currents],
        inputs=[nl.CurrentInput(f"to_{name}", name, s) for name, s in currents.items()],
        probes=[nl.Probe(name) for name in currents],
    )


def before_steps(run: nl.Recording, population: str) -> Array:
    """Return V (V) at the beginning of each step, where the table reads it, and at the end."""
    return np.concatenate([[REST], run.volts(population)[:, 0]])


def table() -> dict[str, Array]:
    """Return the columns of the table: mV, nA, and 0 or 1."""
    currents = inputs()
    run = nl.run_clocked(nl.discretize(membranes(currents), DT, "euler-ge"), ROWS - 1)
    times = np.arange(ROWS) * DT
    columns: dict[str, Array] = {}
    for name, stimulus in currents.items():
        columns[f"I_{name}"] = 1e9 * stimulus.sample(times, 1)[:, 0]
        columns[f"V_{name}"] = 1e3 * before_steps(run, name)
    columns["spike"] = draws()[1].astype(int)
    return columns


def differences(columns: dict[str, Array]) -> dict[str, int]:
    """Return for each printed column in how many rows its three decimals differ from ours."""
    return {name: int(np.sum(np.round(columns[name][: len(values)], 3) != np.array(values)))
            for name, values in PRINTED.items()}  # fmt: skip


# ----------------------------------------------------------- a real synapse, and other rungs


def with_synapse(tau_s: float) -> Array:
    """Return V (mV) at the rows of the table, with the exponential current that the post means.

    Euler's membrane, as in the post, and the exact current ``w exp(-(t - t_k) / tau_s)``.
    """
    synapse, times = nl.Exponential(tau_s, "peak"), np.arange(ROWS) * DT
    amperes = sum((PULSE * synapse.current(times - k * DT) for k in np.flatnonzero(draws()[1])),
                  np.zeros(ROWS))  # fmt: skip
    net = membranes({"n": Sampled(amperes[:, None], DT)})
    run = nl.run_clocked(nl.discretize(net, DT, "euler-ge"), ROWS - 1)
    return 1e3 * before_steps(run, "n")


def synapse_exact(tau_s: float, times: Array) -> Array:
    """Return V (mV) at ``times`` (s) with that current, without a grid."""
    spikes = np.flatnonzero(draws()[1]) * DT
    net = nl.Network(
        [nl.Population("n", 1, NEURON)],
        [nl.Projection("p", "in", "n", [[PULSE]], nl.Exponential(tau_s, "peak"))],
        [nl.SpikeInput.from_trains("in", [spikes])],
    )
    return 1e3 * run_exact(net, float(times[-1]), sample_times=times).v("n")[:, 0]


def chosen_codes(rounding: str = "rtz", compare: str = ">=", more: int = 0) -> nl.FixedNetwork:
    """Return the constant input in integers that say it exactly: 4096 bias = dv threshold.

    With dv = 410 (0.1 of 4096, rounded) a threshold of 4096 k and a bias of 410 k do; ``more`` is
    added to the bias.
    """
    profile, k = nl.load_profile("generic", rounding=rounding, compare=compare), 8
    # vth counts 64 LSB
    codes = {"du": 4096, "dv": 410, "vth": 64 * k, "bias_mant": 410 * k + more}
    lsb = (THRESHOLD - REST) / (4096 * k)
    neuron = nl.FixedPopulation("n", 1, "lif", codes, lsb=lsb, v_zero=REST)
    return nl.FixedNetwork(profile, (neuron,), dt=DT, probes=(nl.Probe("n"),))


def never(n_steps: int = 2000) -> dict[str, tuple[int, float]]:
    """Return for each way to run the constant input: spikes, and threshold - largest V (V).

    R I = 15 mV is the distance of the threshold from rest, and V converges to it from below. Where
    the bias has one LSB more than it should, V converges to something else.
    """
    net, found = membranes({"n": Constant(CONSTANT)}), {}

    def add(name: str, run: nl.Recording) -> None:
        found[name] = (int(run.spikes["n"].sum()), float(THRESHOLD - run.volts("n").max()))

    for rule in ("euler-ge", "euler", "exp-euler-ge", "exact-ge", "exact"):
        add(f"float64, {rule}", nl.run_clocked(nl.discretize(net, DT, rule), n_steps))
    for compare in (">", ">="):
        run = run_exact(net, n_steps * DT, sample_times=[n_steps * DT], compare=compare)
        found[f"event-exact, {compare}"] = (len(run.train("n")), THRESHOLD - run.v("n").max())
    for rounding in ("rtz", "floor", "nearest_up"):
        for compare in (">", ">="):
            fixed = chosen_codes(rounding, compare)
            add(f"integers that say it exactly, {rounding} {compare}", nl.run_fixed(fixed, n_steps))
    for profile in ("loihi2", "lava-0.10", "generic"):
        fixed = nl.quantize(nl.discretize(net, DT, "euler-ge"), profile)
        add(f"integers of quantize, {profile}", nl.run_fixed(fixed, n_steps))
    add("integers, one LSB of bias too many", nl.run_fixed(chosen_codes(more=1), n_steps))
    return found


# --------------------------------------------------------------------------------- script


def print_table(columns: dict[str, Array]) -> None:
    print("t (ms)" + "".join(f"{text:>11}" for text in SHOWN.values()))
    for k in range(ROWS):
        cells = [f"{columns[name][k]:11d}" if name == "spike" else f"{columns[name][k]:11.3f}"
                 for name in SHOWN]  # fmt: skip
        print(f"{k:6d}{''.join(cells)}")
    off = differences(columns)
    rows = sum(len(values) for values in PRINTED.values())
    print(f"printed values: {rows}; that differ in three decimals: {sum(off.values())}")
    for tau_s in (2e-3, 5e-3):
        last = ", ".join(f"{v:.6f}" for v in with_synapse(tau_s)[7:])
        print(f"with a synapse of {1e3 * tau_s:g} ms, V Poisson from 7 ms on: {last}")


@drawing.styled
def draw_inputs(folder: Path, columns: dict[str, Array]) -> Path:
    figure, (left, right) = drawing.axes(1, 2, (9.0, 3.4), width_ratios=(1.5, 1))
    kinds = {"const": ("constant", drawing.BLACK, "o"), "sin": ("sinusoid", drawing.BLUE, "s"),
             "noise": ("noise", drawing.ORANGE, "^"),
             "poisson": ('"Poisson"', drawing.GREEN, "D")}  # fmt: skip
    for name, (text, colour, marker) in kinds.items():
        v = columns[f"V_{name}"]
        left.plot(np.arange(ROWS), v, "-", marker=marker, color=colour, ms=4, lw=1)
        left.text(10.25, v[-1], text, color=colour, va="center")
        left.plot(np.arange(len(PRINTED[f"V_{name}"])), PRINTED[f"V_{name}"], "o", ms=9,
                  mfc="none", mec=drawing.GREY, mew=0.7)  # fmt: skip
    left.axhline(-50, color=drawing.GREY, lw=0.9, ls="--")
    left.text(0, -50.3, "threshold", color=drawing.GREY, va="top", fontsize=8)
    left.set(xlabel="time (ms)", ylabel="V (mV)", xlim=(-0.4, 12.4), ylim=(-66, -49),
             title="The post's table, run (grey rings: as printed)")  # fmt: skip
    fine = np.linspace(0.0, 10e-3, 501)
    right.plot(np.arange(ROWS), columns["V_poisson"], "D-", color=drawing.GREEN, ms=4, lw=1,
               label="as in the table: one step of 0.6 nA")  # fmt: skip
    for tau_s, colour in ((2e-3, drawing.BLUE), (5e-3, drawing.ORANGE)):
        right.plot(np.arange(ROWS), with_synapse(tau_s), "o", color=colour, ms=4,
                   label=f"as in the text: synapse of {1e3 * tau_s:g} ms")  # fmt: skip
        right.plot(1e3 * fine, synapse_exact(tau_s, fine), color=colour, lw=1)
    right.set(xlabel="time (ms)", ylabel="V (mV)", ylim=(-65.1, -62.9),
              title="One spike (lines: without a grid)")  # fmt: skip
    right.legend(loc="upper left")
    return drawing.save(figure, folder, "blog_table")


@drawing.styled
def draw_never(folder: Path) -> Path:
    figure, ax = drawing.axes(1, 1, (6.4, 3.6))
    net, n = membranes({"n": Constant(CONSTANT)}), 500
    times = np.arange(1, n + 1) * DT
    stepped = nl.discretize(net, DT, "euler-ge")
    fixed = nl.quantize(stepped, "loihi2")
    curves = {
        "event-exact": (run_exact(net, n * DT, sample_times=times).v("n"), drawing.BLACK),
        "Euler, float64": (nl.run_clocked(stepped, n).volts("n"), drawing.BLUE),
        "integers of quantize, Loihi 2": (nl.run_fixed(fixed, n).volts("n"), drawing.GREEN),
        "integers, one LSB of bias too many": (nl.run_fixed(chosen_codes(more=1), n).volts("n"),
                                               drawing.ORANGE),
    }  # fmt: skip
    for text, (v, colour) in curves.items():
        gap = 1e3 * (THRESHOLD - v[:, 0])
        ax.semilogy(1e3 * times, np.where(gap > 0, gap, np.nan), color=colour, label=text)
    ax.set(xlabel="time (ms)", ylabel="threshold - V (mV)", xlim=(0, 500),
           title="V converges to exactly its threshold: what spikes is rounding")  # fmt: skip
    ax.legend(loc="center right", bbox_to_anchor=(1.0, 0.38))
    return drawing.save(figure, folder, "blog_never")


def main(arguments: list[str] | None = None) -> list[Path]:
    """Print the numbers, draw the figures; return the files."""
    given = drawing.parser(__doc__).parse_args(arguments)
    columns = table()
    print_table(columns)
    print("the constant input, 2 s:")
    for name, (spikes, gap) in never().items():
        print(f"  {name:44s} {spikes:3d} spikes, V stays {gap:.1e} V below the threshold")
    return [draw_inputs(given.out, columns), draw_never(given.out)]


if __name__ == "__main__":
    main()
