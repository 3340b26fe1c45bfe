"""Turns the inputs of a run into rasters: what was described, or what the caller hands over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .discretize import MOST_STEPS
from .errors import RangeError, show
from .network import Network, SpikeInput
from .numerics import WIDEST
from .stimulus import Constant

Inputs = Mapping[str, npt.ArrayLike]
"""Input name -> ``(n_steps, n)`` or ``(batch, n_steps, n)``."""


def raster_of(
    spikes: SpikeInput, dt: float, n_steps: int, narrow: bool = False
) -> npt.NDArray[Any]:
    """Return the described spikes as ``(n_steps, n)``: row i counts those in [i dt, (i+1) dt).

    Args:
        spikes, dt, n_steps: the input, s, and rows.
        narrow: in bytes where the counts fit; else int64.
    """
    shape = (n_steps, spikes.size)
    if spikes.times is None or spikes.indices is None:
        return np.zeros(shape, np.uint8 if narrow else np.int64)
    # the small offset keeps a spike at exactly i*dt in row i
    rows = np.floor(np.asarray(spikes.times) / dt + 1e-9).astype(np.int64)
    inside = rows < n_steps
    places = rows[inside] * spikes.size + np.asarray(spikes.indices, np.int64)[inside]
    places, counts = np.unique(places, return_counts=True)
    fits = narrow and counts.max(initial=0) <= 255
    raster = np.zeros(shape, np.uint8 if fits else np.int64)
    raster.reshape(-1)[places] = counts
    return raster


def check_given(
    given: Inputs | None, known: Mapping[str, int], whole: bool = False
) -> dict[str, npt.NDArray[Any]]:
    """Check arrays handed to a run: names, shapes, one batch size and one length.

    Args:
        given: what the caller gave.
        known: input name -> width.
        whole: whether only whole numbers are allowed.

    Raises:
        RangeError: naming the input, what is wrong and what is allowed.
    """
    if given is not None and not isinstance(given, Mapping):
        raise RangeError(f"inputs = {show(given)}, allowed: a mapping of input name to array")
    checked: dict[str, npt.NDArray[Any]] = {}
    for name, value in (given or {}).items():
        if name not in known:
            raise RangeError(
                f"inputs: {name!r} is unknown, allowed: {', '.join(sorted(known)) or 'none'}"
            )
        checked[name] = _check_array(name, value, known[name], whole)
    for axis, what in ((-2, "steps"), (0, "samples")):
        lengths = {n: a.shape[axis] for n, a in checked.items() if axis == -2 or a.ndim == 3}
        if len(set(lengths.values())) > 1:
            raise RangeError(f"inputs: different numbers of {what}: {lengths}")
    return checked


def _check_array(name: str, value: Any, width: int, whole: bool) -> npt.NDArray[Any]:
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different length
        raise RangeError(f"inputs[{name!r}] = {show(value)}, allowed: one array") from None
    allowed = f"(n_steps, {width}) or (batch, n_steps, {width}), none of them 0"
    if array.dtype.kind not in "biuf":
        raise RangeError(f"inputs[{name!r}] = {show(value)}, allowed: finite numbers")
    if array.ndim not in (2, 3) or array.shape[-1] != width or array.size == 0:
        raise RangeError(f"inputs[{name!r}]: shape {array.shape}, allowed: {allowed}")
    checks: list[tuple[str, Any]] = []
    if array.dtype.kind == "f":
        checks.append(("finite numbers", np.isfinite))
    if whole and array.dtype.kind == "f":
        checks.append(("whole numbers", lambda x: x == np.rint(x)))
    if whole and (array.dtype.kind == "f" or array.dtype.itemsize == 8):
        far = float(WIDEST)  # exact in every type that an array may have
        checks.append(("whole numbers -2**48..2**48", lambda x: (x >= -far) & (x <= far)))
    for kind, fine in checks:
        if not fine(array).all():
            raise RangeError(f"inputs[{name!r}]: holds {array[~fine(array)][0]}, allowed: {kind}")
    return array


def steps_of(n_steps: int | None, given: Mapping[str, npt.NDArray[Any]]) -> int:
    """Return the length of a run: what was asked for, or the length of the inputs.

    Raises:
        RangeError: neither is known, or it is not a whole number >= 1.
    """
    if n_steps is None:
        if not given:
            raise RangeError("n_steps = None, allowed: a whole number >= 1 (no inputs were given)")
        return next(iter(given.values())).shape[-2]
    if isinstance(n_steps, bool) or not isinstance(n_steps, (int, np.integer)) or n_steps < 1:
        raise RangeError(f"n_steps = {n_steps!r}, allowed: a whole number >= 1")
    if n_steps > MOST_STEPS:
        raise RangeError(f"n_steps = {n_steps}, allowed: at most {MOST_STEPS}")
    longest = max((a.shape[-2] for a in given.values()), default=0)
    if longest > n_steps:
        raise RangeError(f"n_steps = {n_steps}, allowed: at least the inputs' {longest} steps")
    return int(n_steps)


def batch_of(given: Mapping[str, npt.NDArray[Any]]) -> int | None:
    """Return the batch size, or None for an unbatched run."""
    return next((a.shape[0] for a in given.values() if a.ndim == 3), None)


def padded(array: npt.NDArray[Any], batch: int, n_steps: int, dtype: Any) -> npt.NDArray[Any]:
    """Return ``(batch, n_steps, n)``: repeated over the batch, zeros after the last row."""
    out = np.zeros((batch, n_steps, array.shape[-1]), dtype)
    out[:, : array.shape[-2]] = array
    return out


def float_inputs(
    network: Network, dt: float, n_steps: int, batch: int, given: Mapping[str, npt.NDArray[Any]]
) -> dict[str, npt.NDArray[Any]]:
    """Return every input of a float run as ``(batch, n_steps, n)``: spike counts, or A.

    Counts are uint8 where they are whole by type and fit, all else is float64. What is the same in
    all samples or all steps is there once (a stride of 0), so nobody may write to these arrays.

    Raises:
        RangeError: a negative count.
    """
    out: dict[str, npt.NDArray[Any]] = {}
    for spikes in network.spike_inputs:
        rows = given.get(spikes.name, None)
        if rows is None and spikes.times is None:
            rows = np.broadcast_to(np.uint8(0), (n_steps, spikes.size))
        elif rows is None:
            rows = raster_of(spikes, dt, n_steps, narrow=True)
        elif rows.dtype.kind not in "bu" and rows.min() < 0:
            raise RangeError(f"inputs[{spikes.name!r}]: holds {rows.min()}, allowed: counts >= 0")
        out[spikes.name] = _narrowed(rows)
    for current in network.current_inputs:
        size = network.population(current.population).size
        rows = given.get(current.name, None)
        if rows is None:
            rows = _described(current.stimulus, dt, n_steps, size)
        out[current.name] = rows.astype(np.float64, copy=False)
    return {k: _to_length(rows, batch, n_steps) for k, rows in out.items()}


def _described(stimulus: Any, dt: float, n_steps: int, size: int) -> npt.NDArray[np.float64]:
    """Return a described current ``(n_steps, n)`` in A."""
    if stimulus is None:
        return np.broadcast_to(0.0, (n_steps, size))
    if isinstance(stimulus, Constant):
        return np.broadcast_to(stimulus.sample(np.zeros(1), size), (n_steps, size))
    return np.asarray(stimulus.sample(np.arange(n_steps) * dt, size))


def _narrowed(counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return counts >= 0 in bytes where they are integers that fit, else as float64."""
    if counts.dtype.kind == "b":
        return counts.view(np.uint8)
    fits = counts.dtype.kind in "iu" and (counts.dtype == np.uint8 or counts.max() <= 255)
    return counts.astype(np.uint8 if fits else np.float64, copy=False)


def _to_length(rows: npt.NDArray[Any], batch: int, n_steps: int) -> npt.NDArray[Any]:
    """Return ``(batch, n_steps, n)``, zeros after the last row."""
    rows = rows if rows.ndim == 3 else rows[None]
    if rows.shape[1] < n_steps:
        rows = padded(rows, len(rows), n_steps, rows.dtype)
    return np.broadcast_to(rows, (batch, n_steps, rows.shape[2]))


def input_sizes(network: Network) -> dict[str, int]:
    """Return input name -> width."""
    sizes = {i.name: i.size for i in network.spike_inputs}
    return sizes | {i.name: network.population(i.population).size for i in network.current_inputs}
