"""Checked arguments: real numbers that broadcast against each other, in SI units."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...arrays import FloatArray
from ...checks import number_array
from ...errors import Faults, RangeError, show

_ABOVE_ZERO = frozenset({"tau_m", "dt", "C", "tau_1", "tau_2"})
_NOT_BELOW_ZERO = frozenset(
    {"sigma", "tau_s", "tau_r", "nu", "nu_in", "nu_ext", "K", "K_ext", "sd", "nu_0", "lsb"}
    | {"n_ref", "t"}
)


def numbers(where: str, **values: npt.ArrayLike) -> tuple[Any, ...]:
    """Return float64 arrays that broadcast against each other, in the order of the names.

    Args:
        where: the function they are for.
        **values: the arguments. What a time constant, a rate, a spread or an in-degree may be is
            known by its name; a threshold has to be above the reset that is given with it.

    Raises:
        RangeError: naming every argument that is not allowed.
    """
    faults = Faults()
    arrays = {name: _number(where, name, value, faults) for name, value in values.items()}
    faults.raise_if_any(RangeError)
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise RangeError(
            f"{where}: shapes {shapes}, allowed: shapes that broadcast against each other"
        ) from None
    threshold, reset = arrays.get("V_th_rel"), arrays.get("V_0_rel")
    if threshold is not None and reset is not None and not np.all(threshold > reset):
        faults.add(
            where, "V_th_rel", values["V_th_rel"], f"above V_0_rel = {show(values['V_0_rel'])}"
        )
    faults.raise_if_any(RangeError)
    return tuple(np.broadcast_to(array, shape) for array in arrays.values())


def _number(where: str, name: str, value: npt.ArrayLike, faults: Faults) -> FloatArray:
    array = number_array(where, name, value, faults)
    if array is None:
        return np.zeros(())
    if name in _ABOVE_ZERO and not np.all(array > 0):
        faults.add(where, name, value, "> 0")
    if name in _NOT_BELOW_ZERO and not np.all(array >= 0):
        faults.add(where, name, value, ">= 0")
    return array


def single(where: str, **values: npt.ArrayLike) -> tuple[float, ...]:
    """Return one float for each name; otherwise as :func:`numbers`.

    Raises:
        RangeError: naming the first argument that is not allowed.
    """
    for name, value in values.items():
        (array,) = numbers(where, **{name: value})
        if array.ndim:
            raise RangeError(f"{where}: {name} = {show(value)}, allowed: one number")
    return tuple(float(array) for array in numbers(where, **values))


def whole(where: str, name: str, value: Any, least: int, most: int) -> int:
    """Return a whole number.

    Raises:
        RangeError: it is none, or not in ``least .. most``.
    """
    integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not integer or not least <= value <= most:
        raise RangeError(
            f"{where}: {name} = {show(value)}, allowed: a whole number {least}..{most}"
        )
    return int(value)


def choice(where: str, name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Refuse a text that is not one of those allowed.

    Raises:
        RangeError: naming the argument.
    """
    if not isinstance(value, str) or value not in allowed:
        raise RangeError(f"{where}: {name} = {show(value)}, allowed: {', '.join(allowed)}")


def plain(array: Any) -> Any:
    """Return a number where the array has no axes, else the array."""
    return np.asarray(array)[()]
