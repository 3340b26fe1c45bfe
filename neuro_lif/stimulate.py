"""Turns the inputs of a run into rasters: what was described, or what the caller hands over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .discretize import MOST_STEPS
from .errors import RangeError, show
from .network import Network
from .numerics import WIDEST
from .streams import raster_of as raster_of

Inputs = Mapping[str, npt.ArrayLike]
"""Input name -> ``(n_steps, n)`` or ``(batch, n_steps, n)``."""


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


def batch_of(given: Mapping[str, npt.NDArray[Any]], asked: int | None = None) -> int | None:
    """Return the batch size, or None for an unbatched run.

    Args:
        given: checked inputs of the run.
        asked: so many samples; None: as many as the inputs have.

    Raises:
        RangeError: not a whole number >= 1, or the inputs have another number of samples.
    """
    found = next((a.shape[0] for a in given.values() if a.ndim == 3), None)
    if asked is None:
        return found
    if isinstance(asked, bool) or not isinstance(asked, (int, np.integer)) or asked < 1:
        raise RangeError(f"batch = {show(asked)}, allowed: a whole number >= 1, or None")
    if found not in (None, asked):
        raise RangeError(f"batch = {asked}, allowed: {found}, the samples of the inputs, or None")
    return int(asked)


def padded(array: npt.NDArray[Any], batch: int, n_steps: int, dtype: Any) -> npt.NDArray[Any]:
    """Return ``(batch, n_steps, n)``: repeated over the batch, zeros after the last row."""
    out = np.zeros((batch, n_steps, array.shape[-1]), dtype)
    out[:, : array.shape[-2]] = array
    return out


def input_sizes(network: Network) -> dict[str, int]:
    """Return input name -> width."""
    sizes = {i.name: i.size for i in network.spike_inputs}
    return sizes | {i.name: network.population(i.population).size for i in network.current_inputs}
