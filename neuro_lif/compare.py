"""How two recordings differ: first divergence, spike agreement, rate and voltage errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .checks import expect
from .errors import RangeError, show
from .recording import Recording


@dataclass(frozen=True)
class Divergence:
    """The first place where two recordings differ.

    Args:
        population, variable: where (``spikes``, ``v`` or ``u``).
        sample: sample of a batch, None for an unbatched run.
        step: 1 is the first step.
        neuron: index.
        first, second: the two values.
    """

    population: str
    variable: str
    sample: int | None
    step: int
    neuron: int
    first: float
    second: float

    def __str__(self) -> str:
        sample = "" if self.sample is None else f"sample {self.sample}, "
        return (
            f"{self.population}.{self.variable}: {sample}step {self.step}, neuron {self.neuron}: "
            f"{self.first:.10g} against {self.second:.10g}"
        )


@dataclass(frozen=True)
class PopulationComparison:
    """How one population differs.

    Args:
        name: population.
        spikes_first, spikes_second: numbers of spikes.
        agreement: spikes that both have in the same neuron and step, as a share of all that either
            has (1.0 where neither spikes).
        identical_neurons: share of neurons (of all samples) with the same spike train.
        rate_first, rate_second: mean rate, Hz.
        rate_error: root mean square difference of the neurons' rates, Hz.
        v_rms_lsb, v_max_lsb: difference of v in LSB, None where no LSB is known or v not recorded.
        v_rms_volts, v_max_volts: the same in V, None where v was not recorded.
    """

    name: str
    spikes_first: int
    spikes_second: int
    agreement: float
    identical_neurons: float
    rate_first: float
    rate_second: float
    rate_error: float
    v_rms_lsb: float | None
    v_max_lsb: float | None
    v_rms_volts: float | None
    v_max_volts: float | None


@dataclass(frozen=True)
class Comparison:
    """The whole comparison; ``print`` it for a table."""

    populations: tuple[PopulationComparison, ...]
    divergence: Divergence | None
    steps: int
    shift: int

    @property
    def identical(self) -> bool:
        """True where nothing compared differs."""
        return self.divergence is None

    def __str__(self) -> str:
        head = f"{self.steps} steps compared" + (f", shift {self.shift}" if self.shift else "")
        lines = [head, f"first divergence: {self.divergence or 'none'}"]
        for p in self.populations:
            lines.append(
                f"  {p.name}: spikes {p.spikes_first} / {p.spikes_second}, same spikes "
                f"{p.agreement:.2%}, identical trains {p.identical_neurons:.2%}, rate "
                f"{p.rate_first:.4g} / {p.rate_second:.4g} Hz (rms {p.rate_error:.3g} Hz)"
            )
            if p.v_rms_volts is not None:
                lsb = "" if p.v_rms_lsb is None else f" = {p.v_rms_lsb:.4g} LSB"
                most = "" if p.v_max_lsb is None else f" = {p.v_max_lsb:.4g} LSB"
                lines.append(
                    f"    v differs by {p.v_rms_volts:.3g} V{lsb} rms, "
                    f"at most {p.v_max_volts:.3g} V{most}"
                )
        return "\n".join(lines)


def compare(
    first: Recording, second: Recording, populations: Iterable[str] | None = None, shift: int = 0
) -> Comparison:
    """Compare two recordings of the same network.

    Runs of one kind (float, or integers of the same LSB) are compared exactly, u and v included.
    An integer run against a float run, or against one with another LSB, is compared in volts, so
    there only spikes count for the first divergence.

    Args:
        first, second: recordings with the same dt and the same number of samples; of runs of
            different length the steps both have are compared.
        populations: which to compare; absent means all that both have.
        shift: compare step ``t`` of the first with step ``t + shift`` of the second (a target that
            delivers its input later).

    Raises:
        RangeError: dt, sizes, samples or populations do not match, or no step is common.
    """
    expect(first, Recording, "compare (first)")
    expect(second, Recording, "compare (second)")
    names = _names(first, second, populations)
    if not np.isclose(first.dt, second.dt, rtol=1e-9):
        raise RangeError(f"dt = {first.dt} and {second.dt}, allowed: the same step in both")
    _check_shift(shift)
    steps = min(first.n_steps - max(-shift, 0), second.n_steps - max(shift, 0))
    if steps < 1:
        raise RangeError(
            f"shift = {shift}, allowed: one at which the runs of {first.n_steps} and "
            f"{second.n_steps} steps overlap"
        )
    for name in names:
        a, b = first.spikes[name].shape, second.spikes[name].shape
        if a[-1] != b[-1] or a[:-2] != b[:-2]:
            raise RangeError(f"population {name!r}: shapes {a} and {b}, allowed: the same")
    windows = _windows(steps, shift)
    rows = tuple(_population(first, second, name, windows) for name in names)
    return Comparison(rows, _first(first, second, names, windows), steps, shift)


def _names(first: Recording, second: Recording, wanted: Iterable[str] | None) -> list[str]:
    common = [n for n in first.spikes if n in second.spikes]
    if wanted is None:
        if not common:
            raise RangeError(
                f"populations {sorted(first.spikes)} and {sorted(second.spikes)} share no name"
            )
        return common
    given: object = wanted
    allowed = ", ".join(common) or "none: the recordings share no name"
    if not isinstance(given, Iterable):
        raise RangeError(f"populations = {show(given)}, allowed: {allowed}, or None for all")
    names: list[str] = [given] if isinstance(given, str) else list(given)
    if not names:
        raise RangeError(f"populations = {show(given)}, allowed: {allowed}, or None for all")
    for name in names:
        if not isinstance(name, str) or name not in common:
            raise RangeError(f"populations = {show(name)}, allowed: {allowed}")
    return names


def _windows(steps: int, shift: int) -> tuple[slice, slice]:
    start_first, start_second = max(-shift, 0), max(shift, 0)
    return (slice(start_first, start_first + steps), slice(start_second, start_second + steps))


def _cut(array: npt.NDArray[Any], window: slice) -> npt.NDArray[Any]:
    return np.asarray(array)[..., window, :]


def _first(
    first: Recording, second: Recording, names: list[str], windows: tuple[slice, slice]
) -> Divergence | None:
    """Return the earliest difference; at equal steps the traces come before the spikes."""
    found: list[Divergence] = []
    for name in names:
        exact = _same_unit(first, second, name)
        # u moves v, and v makes spikes: the cause comes first
        pairs = [
            (variable, first.traces[name, variable], second.traces[name, variable])
            for variable in ("u", "v")
            if exact and (name, variable) in first.traces and (name, variable) in second.traces
        ]
        pairs.append(("spikes", first.spikes[name], second.spikes[name]))
        for variable, a, b in pairs:
            place = _earliest(_cut(a, windows[0]), _cut(b, windows[1]))
            if place is not None:
                sample, row, neuron, x, y = place
                found.append(
                    Divergence(name, variable, sample, row + windows[0].start + 1, neuron, x, y)
                )
    return min(found, key=lambda d: d.step, default=None)


def _same_unit(first: Recording, second: Recording, name: str) -> bool:
    """Tell whether the traces of a population are in the same unit, so that they can be equal."""
    a, b = first.lsb.get(name), second.lsb.get(name)
    if a is None or b is None:
        return a is None and b is None
    return bool(np.array_equal(a, b))


def _check_shift(shift: object) -> None:
    if isinstance(shift, bool) or not isinstance(shift, (int, np.integer)):
        raise RangeError(f"shift = {shift!r}, allowed: whole steps")


def _earliest(
    a: npt.NDArray[Any], b: npt.NDArray[Any]
) -> tuple[int | None, int, int, float, float] | None:
    different = a != b
    if not different.any():
        return None
    by_step = different.reshape(-1, *different.shape[-2:])
    row = int(np.argmax(by_step.any(axis=(0, 2))))
    sample, neuron = np.argwhere(by_step[:, row])[0]
    x = a.reshape(by_step.shape)[sample, row, neuron]
    y = b.reshape(by_step.shape)[sample, row, neuron]
    return (int(sample) if a.ndim == 3 else None, row, int(neuron), float(x), float(y))


def _population(
    first: Recording, second: Recording, name: str, windows: tuple[slice, slice]
) -> PopulationComparison:
    a, b = _cut(first.spikes[name], windows[0]), _cut(second.spikes[name], windows[1])
    both = float(np.minimum(a, b).sum())
    either = float(np.maximum(a, b).sum())
    same = np.all(a == b, axis=-2)
    seconds = a.shape[-2] * first.dt
    rate_a, rate_b = a.sum(axis=-2) / seconds, b.sum(axis=-2) / seconds
    rms_v, max_v, rms_lsb, max_lsb = _voltage(first, second, name, windows)
    return PopulationComparison(
        name,
        int(a.sum()),
        int(b.sum()),
        both / either if either else 1.0,
        float(same.mean()),
        float(rate_a.mean()),
        float(rate_b.mean()),
        float(np.sqrt(np.mean((rate_a - rate_b) ** 2))),
        rms_lsb,
        max_lsb,
        rms_v,
        max_v,
    )


def _voltage(
    first: Recording, second: Recording, name: str, windows: tuple[slice, slice]
) -> tuple[float | None, float | None, float | None, float | None]:
    """Return (rms V, max V, rms LSB, max LSB) of the difference of v, None where unknown."""
    if (name, "v") not in first.traces or (name, "v") not in second.traces:
        return None, None, None, None
    volts = _cut(first.volts(name), windows[0]) - _cut(second.volts(name), windows[1])
    lsb = first.lsb.get(name, second.lsb.get(name))
    rms, most = _sizes(volts)
    if lsb is None:
        return rms, most, None, None
    return (rms, most, *_sizes(volts / lsb))


def _sizes(difference: npt.NDArray[np.float64]) -> tuple[float, float]:
    return float(np.sqrt(np.mean(difference**2))), float(np.abs(difference).max(initial=0.0))
