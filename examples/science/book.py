"""The figure of the Neuromorphic Engineering book, 5.1: a triangular current into a LIF neuron.

    python examples/science/book.py                    the spikes and the figure
    python examples/science/book.py --paint            spikes painted to +50 mV, as the book does
    python examples/science/book.py --out FOLDER       where to save it

1 kOhm, 5 uF (tau = 5 ms), rest and reset -70 mV, threshold -40 mV, refractory period 1 ms, steps of
0.1 ms with the exact propagator. The book's program has quirks, and its 15 spikes follow from them:

- its times, ``arange(0, .05 + .0001, .0001)``, are 502 and not 501, so the triangle has two largest
  samples, each 1 - 1/502 of the peak;
- V of the next step is computed before the spike is detected and stays: one sample above the
  threshold after every spike, which no membrane has;
- a spike is followed by the first sample whose time is ``> t_spike + 1 ms``. These are sums of
  floats, so V is held for 10 steps after the first two spikes, then for 11.

All else is a plain LIF neuron. Here each interval is a run of its own that begins where V is let
go, with the dead time that the comparison of the floats gives. Without a grid there are 16 spikes:
looking at V every 0.1 ms, and holding it from there, costs one.

Source: "Neuromorphic Engineering" (online book), section 5.1, Python listing and figure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import drawing
import numpy as np
import numpy.typing as npt

import neuro_lif as nl
from neuro_lif.reference import run_exact
from neuro_lif.stimulus import Sampled, triangle_samples
from neuro_lif.units import quantity

Array = npt.NDArray[Any]

DT, HELD, PEAK = quantity("0.1 ms"), quantity("1 ms"), quantity("0.2 mA")
REST, THRESHOLD = quantity("-70 mV"), quantity("-40 mV")
TIMES = np.arange(0, 0.05 + 0.0001, 0.0001)
"""The book's times, s: 502 of them, as the sum is a little more than 0.0501."""
PAINT = quantity("50 mV")


def neuron(steps_held: int = 0) -> nl.LIF:
    """Return the book's neuron, with a refractory period of so many steps."""
    capacitance, resistance = quantity("5 uF"), quantity("1 kOhm")
    return nl.LIF.from_conductance(capacitance, 1 / resistance, REST, v_threshold=THRESHOLD,
                                   t_refractory=steps_held * DT)  # fmt: skip


def amperes() -> Array:
    """Return the current of each step; the book's loop skips the first."""
    current = PEAK * triangle_samples(len(TIMES))
    current[0] = 0.0
    return current


def membrane(current: Array, steps_held: int = 0) -> nl.Network:
    """Return the neuron, and the same without a threshold, under a sampled current."""
    lif = neuron(steps_held)
    free = nl.LI(lif.tau_m, lif.resistance, REST)
    held = Sampled(current[:, None], DT)
    return nl.Network(
        [nl.Population("n", 1, lif), nl.Population("free", 1, free)],
        inputs=[nl.CurrentInput("to_n", "n", held), nl.CurrentInput("to_free", "free", held)],
        probes=[nl.Probe("n"), nl.Probe("free")],
    )


# ----------------------------------------------------------------------- the book's program


class Book(NamedTuple):
    """V at the book's times (V, as its loop leaves it), indices of its spikes, steps V is held."""

    v: Array
    spikes: list[int]
    held: list[int]


def steps_held(spike: int) -> int:
    """Return for how many steps the book holds V after a spike: until a time is above the sum."""
    return int(np.argmax(TIMES > TIMES[spike] + HELD)) - spike


def as_in_the_book() -> Book:
    """Return what the book's program does."""
    current, first = amperes(), 1
    v, spikes, held = np.full(len(TIMES), REST), [], []
    while first < len(TIMES) - 1:
        left = current[first:-1]  # the sample at first drives V to the next index
        run = nl.run_clocked(nl.discretize(membrane(left), DT, "exact-ge"), len(left))
        _, times = run.spike_times("n")
        last = len(left) if not len(times) else round(times[0] / DT)
        stale = min(last + 1, len(left)) if len(times) else last
        v[first + 1 : first + stale + 1] = run.volts("free")[:stale, 0]
        if not len(times):
            break
        spikes.append(first + last)
        held.append(steps_held(spikes[-1]))
        first = spikes[-1] + held[-1]
    return Book(v, spikes, held)


# -------------------------------------------------------------------------- clean references


def clean(steps: int) -> list[int]:
    """Return the spikes of a clocked run whose neuron is held for so many steps."""
    current = amperes()[:-1]
    stepped = nl.discretize(membrane(current, steps), DT, "exact-ge")
    _, times = nl.run_clocked(stepped, len(current)).spike_times("n")
    return [int(k) for k in np.rint(times / DT)]


def without_a_grid(steps: int = 10) -> Array:
    """Return the spike times (s) of an event-exact run with a refractory period of so many steps.

    The current is the same stairs; V is watched in between.
    """
    current = amperes()[:-1]
    run = run_exact(membrane(current, steps), len(current) * DT, compare=">=")
    return run.train("n")


def trace_without_a_grid(times: Array, steps: int = 10) -> Array:
    """Return V (V) of that event-exact run at ``times`` (s)."""
    current = amperes()[:-1]
    run = run_exact(membrane(current, steps), len(current) * DT, compare=">=", sample_times=times)
    return run.v("n")[:, 0]


def painted(v: Array, spikes: list[int]) -> Array:
    """Return V as the book draws it: +50 mV at every spike. No state, a matter of drawing."""
    out = v.copy()
    out[spikes] = PAINT
    return out


# --------------------------------------------------------------------------------- script


@drawing.styled
def draw(folder: Path, book: Book, paint: bool) -> Path:
    figure, (top, middle, low) = drawing.axes(3, 1, (7.5, 5.8), sharex=True,
                                              height_ratios=(0.6, 1.6, 1))  # fmt: skip
    ms = 1e3 * TIMES
    top.step(ms, 1e3 * amperes(), where="post", color=drawing.BLACK, lw=1)
    top.set(ylabel="I (mA)", title="A triangular current; the book's two largest samples are equal")
    shown = painted(book.v, book.spikes) if paint else book.v
    middle.plot(ms, 1e3 * shown, color=drawing.ORANGE, lw=1.1, label="the book's program")
    fine = np.linspace(0.0, DT * (len(TIMES) - 1), 5011)
    middle.plot(1e3 * fine, 1e3 * trace_without_a_grid(fine), color=drawing.BLUE, lw=1.1,
                label="event-exact, 1 ms held")  # fmt: skip
    middle.axhline(-40, color=drawing.GREY, lw=0.9, ls="--")
    title = "The program leaves one stale sample above the threshold per spike"
    middle.set(ylabel="V (mV)", ylim=(-73, 72 if paint else -27),
               title=f"{title}{'; painted to +50 mV' if paint else ''}")  # fmt: skip
    middle.legend(loc="upper left", ncols=2)
    rows = {
        "the book's program:\n10, 10, then 11 steps": (TIMES[book.spikes], drawing.ORANGE),
        "clocked, 11 steps held": (DT * np.array(clean(11)), drawing.BLACK),
        "clocked, 10 steps held": (DT * np.array(clean(10)), drawing.BLACK),
        "event-exact, 1 ms held": (without_a_grid(), drawing.BLUE),
    }
    for k, (times, colour) in enumerate(rows.values()):
        low.vlines(1e3 * times, -k - 0.36, -k + 0.36, color=colour, lw=1.4)
    low.set_yticks(-np.arange(len(rows)), list(rows))
    low.set(
        xlabel="time (ms)",
        xlim=(0, 50.1),
        title="15 spikes, in the clean clocked runs too; 16 without a grid",
    )
    low.grid(axis="y", visible=False)
    return drawing.save(figure, folder, "book")


def main(arguments: list[str] | None = None) -> list[Path]:
    """Print the spikes, draw the figure; return the file."""
    parser = drawing.parser(__doc__)
    parser.add_argument("--paint", action="store_true", help="draw spikes at +50 mV")
    given = parser.parse_args(arguments)
    book = as_in_the_book()
    print(f"the book's program: {len(book.spikes)} spikes at steps {book.spikes}")
    print(f"  held for {book.held} steps")
    above = ", ".join(f"{1e3 * book.v[k + 1]:.3f}" for k in book.spikes)
    print(f"  stale samples (mV): {above}")
    for steps in (10, 11):
        found = clean(steps)
        print(f"clean, {steps} steps held: {len(found)} spikes at steps {found}")
        exact = ", ".join(f"{1e3 * t:.4f}" for t in without_a_grid(steps))
        print(f"  event-exact, {steps * 0.1:.1f} ms held (ms): {exact}")
    return [draw(given.out, book, given.paint)]


if __name__ == "__main__":
    main()
