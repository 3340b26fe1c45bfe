"""Checks the description types share; each notes its faults, so one report can hold them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .arrays import FloatArray, entries, frozen, frozen_matrix, in_stored_order, is_sparse
from .errors import Faults, FileFormatError, NetworkError, NeuroLifError, RangeError, show

_FIXED_WAYS = "a FixedNetwork has its own: run_fixed, save_fixed, run_nengo_fixed, fixed_to_nengo"
_MENDS = {
    ("Network", "SteppedNetwork"): "give its .network",
    ("Network", "FixedNetwork"): _FIXED_WAYS,
    ("Network", "path"): "call load_network(path) first",
    ("SteppedNetwork", "Network"): "call discretize(network, dt) first",
    ("SteppedNetwork", "FixedNetwork"): f"{_FIXED_WAYS}; discretize gives a SteppedNetwork",
    ("SteppedNetwork", "path"): "call discretize(load_network(path), dt) first",
    ("FixedNetwork", "Network"): "call quantize(discretize(network, dt), profile) first",
    ("FixedNetwork", "SteppedNetwork"): "call quantize(stepped, profile) first",
    ("FixedNetwork", "path"): "call load_fixed(path) first",
    ("Recording", "Network"): "call run_clocked(discretize(network, dt), n_steps) first",
    ("Recording", "SteppedNetwork"): "call run_clocked(stepped, n_steps) first",
    ("Recording", "FixedNetwork"): "call run_fixed(fixed, n_steps) first",
    ("Recording", "path"): "call Recording.load(path) first",
}
"""(wanted, given) -> how to come from the one to the other."""


def expect(value: object, kind: type[Any], where: str) -> None:
    """Refuse a value of the wrong kind, saying how to come to the right one.

    Args:
        value: what was given.
        kind: the type that is allowed.
        where: the function, with the argument where it has several.

    Raises:
        NetworkError: a Network was wanted.
        RangeError: anything else was wanted.
    """
    if isinstance(value, kind):
        return
    given = "path" if isinstance(value, (str, Path)) else type(value).__name__
    mend = _MENDS.get((kind.__name__, given), "")
    error: type[NeuroLifError] = NetworkError if kind.__name__ == "Network" else RangeError
    article = "an" if kind.__name__[0] in "AEIOU" else "a"
    text = f"{where} wants {article} {kind.__name__}, got {_what(value)}"
    raise error(text + (f" ({mend})" if mend else ""))


def expect_path(value: object, where: str, error: type[NeuroLifError] = FileFormatError) -> Path:
    """Return a path; anything but a text or a Path is refused with ``error``."""
    if not isinstance(value, (str, Path)):
        raise error(f"{where} wants a path (str or Path), got {_what(value)}")
    if not str(value) or "\0" in str(value):
        raise error(f"{where} wants a path (str or Path), got {value!r}")
    return Path(value)


def expect_flag(value: object, where: str) -> None:
    """Refuse anything but True and False: a text would count as True.

    Raises:
        RangeError: naming the argument.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise RangeError(f"{where} = {show(value)}, allowed: True or False")


def expect_progress(value: object, where: str) -> None:
    """Refuse what cannot be called to tell of progress.

    Raises:
        RangeError: naming the argument.
    """
    if value is not None and not callable(value):
        allowed = "a function of (steps done, steps in all), or None"
        raise RangeError(f"{where} = {show(value)}, allowed: {allowed}")


def _what(value: object) -> str:
    """Name a value by its type; where that says little, with the value."""
    if value is None or isinstance(value, type):
        return show(value)
    name = type(value).__name__
    return f"{name} {show(value)}" if type(value).__module__ == "builtins" else name


def check_name(where: str, name: object, faults: Faults) -> None:
    """Note a fault unless ``name`` can name a part of a network."""
    if not isinstance(name, str) or not name.isidentifier():
        faults.add(where, "name", name, "letters, digits and _, not starting with a digit")


def check_link(where: str, name: str, value: object, faults: Faults) -> None:
    """Note a fault unless ``value`` is a text, so that it can be looked up as a name."""
    if not isinstance(value, str):
        faults.add(where, name, value, "the name of another part of the network")


def check_size(where: str, size: object, faults: Faults) -> None:
    """Note a fault unless ``size`` is a whole number >= 1."""
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        faults.add(where, "size", size, "a whole number >= 1")


def check_unique(names: list[str], what: str, faults: Faults) -> None:
    """Note a fault for every name that is used more than once."""
    for name in sorted({n for n in names if names.count(n) > 1}):
        faults.add("network", what, name, "a name used once")


def one_of(known: dict[str, int]) -> str:
    """Return what is allowed where one of the ``known`` names is."""
    return "one of " + ", ".join(sorted(known)) if known else "(nothing is defined)"


def is_real(value: object) -> bool:
    """Tell whether ``value`` is a real number or a regular array of them (no text, no truths)."""
    if isinstance(value, str):  # numpy would read "1" as a number
        return False
    try:
        return np.asarray(value).dtype.kind in "iuf"
    except ValueError:  # rows of different lengths
        return False


def number_array(where: str, name: str, value: Any, faults: Faults) -> FloatArray | None:
    """Return a read-only float64 array, or None after noting the fault."""
    if not is_real(value):
        faults.add(where, name, value, "a real number or an array of them")
        return None
    array: FloatArray = frozen(value, np.float64)
    if not np.all(np.isfinite(array)):
        faults.add(where, name, value, "finite numbers (no NaN, no infinity)")
        return None
    return array


def check_matrix(where: str, name: str, value: Any, faults: Faults) -> Any:
    """Return a read-only float64 matrix, dense or CSR, or None after noting the fault."""
    if is_real(value) and np.ndim(value) != 2:
        faults.add(where, name, f"shape {np.shape(value)}", "shape (n_post, n_pre)")
        return None
    if not is_sparse(value):
        return number_array(where, name, value, faults)
    if len(value.shape) != 2:
        faults.add(where, name, f"shape {value.shape}", "shape (n_post, n_pre)")
        return None
    try:
        # a copy, since the check prunes; and in full, since a bad index would read foreign memory
        csr = value.tocsr(copy=True)
        csr.check_format(full_check=True)
    except (ValueError, TypeError) as error:
        faults.add(where, name, "a sparse matrix", f"a consistent one: {error}")
        return None
    if number_array(where, name, csr.data, faults) is None:
        return None
    matrix = frozen_matrix(csr, np.float64)
    # duplicates were summed, which may have left the range of a float
    return matrix if number_array(where, name, matrix.data, faults) is not None else None


def check_delays(
    where: str, delay: Any, weights: Any, faults: Faults, given: Any = None
) -> FloatArray | None:
    """Return delays as a scalar array or one value per stored weight; None after a fault.

    ``given`` is the matrix as the caller handed it over: its order is the delays' order.
    """
    if is_sparse(delay):
        delay = _delays_like(delay, weights)
        if delay is None:
            faults.add(where, "delay", "a sparse matrix", "the same structure as the weights",
                       "store explicit zeros for synapses without delay")  # fmt: skip
            return None
    array = number_array(where, "delay", delay, faults)
    if array is None:
        return None
    if not np.all(array >= 0):
        faults.add(where, "delay", float(array.min()), "delays >= 0 s")
        return None
    if array.ndim == 0:
        return array
    count = entries(weights).shape
    matrix = count if is_sparse(weights) else weights.shape
    # the flat form is what a Projection holds, so a copy of one can be built from its fields
    if array.shape not in [count, matrix]:
        faults.add(where, "delay", f"shape {array.shape}",
                   f"a scalar or one per synapse, shape {matrix}")  # fmt: skip
        return None
    return frozen(in_stored_order(given, array.ravel()))  # type: ignore[no-any-return]


def _delays_like(delay: Any, weights: Any) -> Any:
    """Return the stored delays where their structure is that of the weights, else None."""
    if not is_sparse(weights) or delay.shape != weights.shape:
        return None
    delays = frozen_matrix(delay, np.float64)
    same = np.array_equal(delays.indices, weights.indices)
    return delays.data if same and np.array_equal(delays.indptr, weights.indptr) else None
