"""The rasters and membrane traces of float and chip over each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compare import Comparison, Divergence, compare
from ..discretize import SteppedNetwork
from ..recording import Recording
from .numbers import NARROW, count, number, percent, prefix_of, si
from .scales import Scale, Tick, spanning
from .svg import Line, Plot, down, joined, ticks_at

Array = npt.NDArray[Any]

MOST_ROWS = 100
"""Neurons of a population in a raster; of more, a regular choice is drawn."""
MOST_SPIKES = 40_000
"""Marks in all rasters together."""
MOST_POINTS = 1_500
"""Points of a trace; longer ones are drawn by their extremes."""
TRACES = 2
"""Traces for each population."""
ROOM = 56
"""CSS pixels left of all rasters and traces, so that their steps stand below each other."""


@dataclass(frozen=True)
class Trace:
    """The membrane of one neuron: the chart, and its values for whoever points at them."""

    neuron: int
    why: str
    plot: Plot
    data: dict[str, Any]


@dataclass(frozen=True)
class PopulationRuns:
    """What is shown of one population.

    Args:
        key: for ids, made of letters and digits only.
        name: as the user wrote it.
        size: how many neurons; ``rows``: those drawn.
        note: what was left out, or empty.
        raster: the chart; None where nothing ever spikes.
        traces: membranes.
        cells: its row of the table.
        diverges: whether the first divergence is in it.
    """

    key: str
    name: str
    size: int
    rows: tuple[int, ...]
    note: str
    raster: Plot | None
    traces: tuple[Trace, ...]
    cells: tuple[str, ...]
    diverges: bool


@dataclass(frozen=True)
class Runs:
    """The whole part.

    Args:
        steps, dt: of the run; s.
        populations: in order.
        divergence: the first, None where there is none or only one run.
        sample: which sample of a batch is shown; None: there is no batch.
        samples: how many there are.
        both: whether there are two runs.
        comparison: of all samples, None where there is one run.
    """

    steps: int
    dt: float
    populations: tuple[PopulationRuns, ...]
    divergence: Divergence | None
    sample: int | None
    samples: int
    both: bool
    comparison: Comparison | None

    @property
    def data(self) -> dict[str, Any]:
        """What the page's script needs."""
        traces = [t.data for p in self.populations for t in p.traces]
        step = self.divergence.step if self.divergence else None
        rows = {p.key: list(p.rows) if len(p.rows) < p.size else [] for p in self.populations}
        return {"steps": self.steps, "dt": self.dt, "divergence": step, "both": self.both,
                "rows": rows, "traces": traces}  # fmt: skip

    @property
    def thresholds(self) -> bool:
        """Whether a threshold is drawn."""
        return any(line.style == "threshold" for p in self.populations for t in p.traces
                   for line in t.plot.lines)  # fmt: skip

    @property
    def head(self) -> tuple[str, ...]:
        """Columns of the table."""
        if not self.both:
            return ("population", "neurons", "spikes", "rate, Hz")
        return ("population", "neurons", "spikes, float", "spikes, chip", "same spikes",
                "same trains", "rate, float, Hz", "rate, chip, Hz", "v off, rms")  # fmt: skip


def runs_of(
    reference: Recording | None, chip: Recording | None, stepped: SteppedNetwork | None = None,
    sample: int | None = None,
) -> Runs | None:  # fmt: skip
    """Return what the page shows of two runs, of one, or None."""
    given = [r for r in (reference, chip) if r is not None]
    if not given:
        return None
    comparison = _compared(given)
    first = next(iter(given[0].spikes.values()), np.zeros((0, 0)))
    samples = len(first) if np.ndim(first) == 3 else 0
    if samples:
        found = comparison.divergence if comparison else None
        sample = sample if sample is not None else (found.sample if found else 0) or 0
        given = [r.sample(sample) for r in given]
    shown = _compared(given)
    divergence = shown.divergence if shown else None
    steps = min(r.n_steps for r in given)
    names = [n for n in given[0].spikes if n in given[-1].spikes]
    share = MOST_SPIKES / max(1, sum(int(np.count_nonzero(r.spikes[n][:steps]))
                                     for r in given for n in names))  # fmt: skip
    rows = {p.name: _cells(p) for p in comparison.populations} if comparison else {}
    populations = tuple(
        _population(k, name, given, steps, divergence, share, stepped,
                    rows.get(name) or _alone(given[0], name))
        for k, name in enumerate(names)
    )  # fmt: skip
    return Runs(steps, given[0].dt, populations, divergence, sample if samples else None, samples,
                len(given) == 2, comparison)  # fmt: skip


def _compared(given: list[Recording]) -> Comparison | None:
    return compare(given[0], given[1]) if len(given) == 2 else None


def _cells(p: Any) -> tuple[str, ...]:
    off = "\u2013" if p.v_rms_volts is None else si(p.v_rms_volts, "V", 3)
    if p.v_rms_lsb is not None:
        off += f" ({number(p.v_rms_lsb, 3)}{NARROW}LSB)"
    return (
        p.name,
        "",
        number(p.spikes_first),
        number(p.spikes_second),
        percent(p.agreement, 2),
        percent(p.identical_neurons, 1),
        number(p.rate_first),
        number(p.rate_second),
        off,
    )


def _alone(run: Recording, name: str) -> tuple[str, ...]:
    spikes = np.asarray(run.spikes[name])
    sent = int(np.count_nonzero(spikes))
    rate = sent / max(spikes.shape[-1] * run.n_steps * run.dt, 1e-300)
    return (name, "", number(sent), number(rate))


def _population(
    k: int, name: str, given: list[Recording], steps: int, divergence: Divergence | None,
    share: float, stepped: SteppedNetwork | None, cells: tuple[str, ...],
) -> PopulationRuns:  # fmt: skip
    spikes = [np.asarray(r.spikes[name])[:steps] for r in given]
    size = spikes[0].shape[1]
    here = divergence if divergence is not None and divergence.population == name else None
    rows = _rows(size, min(MOST_ROWS, max(1, int(size * min(share, 1.0)))), here)
    note = ""
    if len(rows) < size:
        note = f"{number(len(rows))} of {count(size, 'neuron')} are drawn, evenly chosen"
    marked = None if divergence is None else divergence.step
    spiking = any(s.any() for s in spikes)
    raster = _raster(name, [s[:, rows] for s in spikes], rows, steps, marked) if spiking else None
    traces = tuple(
        _trace(f"{k}.{i}", name, neuron, why, given, steps, stepped, marked)
        for i, (neuron, why) in enumerate(_worst(name, given, steps, here))
    )
    cells = (cells[0], number(size), *cells[2:])
    return PopulationRuns(f"p{k}", name, size, tuple(rows.tolist()), note, raster, traces, cells,
                          here is not None)  # fmt: skip


def _rows(size: int, most: int, here: Divergence | None) -> Array:
    rows: Array = np.unique(np.linspace(0, size - 1, min(size, most)).round().astype(int))
    if here is not None and here.neuron not in rows:  # the one people look for
        rows[np.abs(rows - here.neuron).argmin()] = here.neuron
    return rows


def _raster(
    name: str, spikes: list[Array], rows: Array, steps: int, marked: int | None
) -> Plot:  # fmt: skip
    """Return strokes: full and grey where both spike, half and coloured where one does."""
    n = len(rows)
    lines = []
    if len(spikes) == 2:
        a, b = spikes
        lines = [_strokes("both", (a == b) & (a != 0), 0.1, 0.8)]
        lines += [_strokes("float", (a != b) & (a != 0), 0.02, 0.6)]
        lines += [_strokes("chip", (a != b) & (b != 0), 0.38, 0.6)]
        alone = [int(np.count_nonzero(m & (a != b))) for m in (a != 0, b != 0)]
        text = (f"{number(int(np.count_nonzero((a == b) & (a != 0))))} spikes are the same, "
                f"{number(alone[0])} only in float, {number(alone[1])} only on the chip"
               )  # fmt: skip
    else:
        lines = [_strokes("both", spikes[0] != 0, 0.1, 0.8)]
        text = count(int(np.count_nonzero(spikes[0])), "spike")
    lines += _marked(marked, n)
    wanted = sorted({0, n - 1} if n < 12 else {0, n // 2, n - 1})
    ticks = tuple(Tick(round(100 - 100 * (i + 0.5) / n, 3), number(int(rows[i]))) for i in wanted)
    height = round(n * min(max(340 / n, 5.2), 13.0))
    about = f"Spikes of {name} in {count(steps, 'step')}: {text}."
    return Plot(about, _across(steps), ticks, "step", "neuron", height, f"0.5 0 {steps} {n}",
                tuple(lines), room=ROOM,
                stroke=round(min(max(640 / steps, 1.0), 3.0), 2))  # fmt: skip


def _across(steps: int) -> tuple[Tick, ...]:
    ticks = Scale(0.5, steps + 0.5).ticks(6)
    return tuple(t for t in ticks if t.label != "0" and "." not in t.label)


def _marked(step: int | None, bottom: int) -> list[Line]:
    return [] if step is None else [Line("divergence", f"M{step} 0V{bottom}")]


def _strokes(style: str, mask: Array, top: float, length: float) -> Line:
    step, row = np.nonzero(mask)
    order = np.lexsort((step, row))
    return Line(style, ticks_at(step[order] + 1, row[order] + top, length))


def _worst(
    name: str, given: list[Recording], steps: int, here: Divergence | None
) -> list[tuple[int, str]]:
    """Return (neuron, why) of the membranes worth seeing."""
    if any((name, "v") not in r.traces for r in given):
        return []
    first = "where the runs part first"
    found = {here.neuron: first} if here is not None else {}
    v = [r.volts(name)[:steps] for r in given]
    if len(v) == 2:
        off = np.sqrt(np.mean((v[0] - v[1]) ** 2, axis=0))
        order, why = np.argsort(-off, kind="stable"), "largest difference"
    else:
        order, why = np.argsort(-v[0].std(axis=0), kind="stable"), "moves most"
    for k, neuron in enumerate(order[:TRACES]):
        found.setdefault(int(neuron), why if k == 0 else f"second {why}")
    return list(found.items())[:TRACES]


def _trace(
    key: str, name: str, neuron: int, why: str, given: list[Recording], steps: int,
    stepped: SteppedNetwork | None, marked: int | None,
) -> Trace:  # fmt: skip
    v = [r.volts(name)[:steps, neuron] for r in given]
    theta = _threshold(stepped, name, neuron)
    finite = np.concatenate([*v, [0.0 if theta is None else theta]])
    size = float(np.abs(finite[np.isfinite(finite)]).max(initial=0.0))
    factor, prefix = prefix_of(size)
    v = [x * factor for x in v]
    at = _kept(v, steps)
    shown = [*np.concatenate(v), *([] if theta is None else [theta * factor])]
    scale = spanning(shown)
    chip = [r.is_integer for r in given]
    styles = ["chip" if c else "float" for c in chip] if len(set(chip)) == 2 else ["float", "chip"]
    lines = tuple(
        Line(style, joined(at + 1, (100 - _places(scale, x[at])).tolist()))
        for style, x in zip(styles, v, strict=False)
    )
    if theta is not None:
        y = down(scale, theta * factor)
        lines = (Line("threshold", f"M0 {y}H{steps + 1}"), *lines)
    about = f"Membrane voltage of neuron {neuron} of {name}"
    if len(v) == 2:
        off = np.abs(v[0] - v[1])
        about += (f", float and chip: they differ by {number(float(off.mean()), 3)} {prefix}V on "
                  f"average, by {number(float(off.max()), 3)} {prefix}V at most")  # fmt: skip
    lines = (*lines, *_marked(marked, 100))
    plot = Plot(about + ".", _across(steps), scale.ticks(4), "step", f"v, {prefix}V", 150,
                f"0.5 0 {steps} 100", lines, room=ROOM)  # fmt: skip
    values = {s: [_six(x) for x in y[at]] for s, y in zip(styles, v, strict=False)}
    lsb = next((_one(r.lsb[name], neuron) * factor
                for r in given if name in r.lsb), None)  # fmt: skip
    data = {"key": key, "neuron": neuron, "unit": prefix + "V", "lsb": lsb, **values}
    return Trace(neuron, why, plot, data | ({} if len(at) == steps else {"at": (at + 1).tolist()}))


def _six(x: float) -> float | None:
    """Return six digits, which is more than a picture shows; JSON has no NaN."""
    return float(f"{x:.6g}") if np.isfinite(x) else None


def _places(scale: Scale, values: Array) -> Array:
    return 100.0 * (values - scale.low) / (scale.high - scale.low)


def _threshold(stepped: SteppedNetwork | None, name: str, neuron: int) -> float | None:
    if stepped is None:
        return None
    p = stepped.population(name)
    theta = _one(p.threshold, neuron) + _one(p.v_zero, neuron)
    return theta if np.isfinite(theta) else None


def _one(values: Any, neuron: int) -> float:
    """Return the value of one neuron of an array, or of a number for all."""
    return float(values if np.ndim(values) == 0 else np.asarray(values)[neuron])


def _kept(v: list[Array], steps: int) -> Array:
    """Return the steps (from 0) that are drawn: all, or the extremes of each stretch."""
    if steps <= MOST_POINTS:
        return np.arange(steps)
    edges = np.linspace(0, steps, MOST_POINTS // (2 * len(v)) + 1).astype(int)
    found = {0, steps - 1}
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        for x in v:
            found |= {low + int(np.argmin(x[low:high])), low + int(np.argmax(x[low:high]))}
    return np.array(sorted(found))
