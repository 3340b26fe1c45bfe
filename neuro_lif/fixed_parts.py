"""The parts of a FixedNetwork: populations, projections and inputs in a chip's integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .arrays import IntArray, distinct, entries, frozen, frozen_synapses, is_sparse, kept, narrow
from .checks import check_size
from .convolution import Convolution
from .errors import Faults, RangeError
from .memo import FrozenDict
from .numerics import MOST_SHIFT, SIGN_MODES, WIDEST

WIDE = "-2**48..2**48 (executors compute in 64 bits)"
MOST_DELAY = 2**20


@dataclass(frozen=True, eq=False)
class FixedPopulation:
    """A population of integer neurons.

    Args:
        name: unique.
        size: number of neurons.
        model: neuron model of the profile.
        params: parameter -> integer or ``(size,)``; absent ones take the profile's default.
        init: register -> integer or ``(size,)`` at the start; absent ones are 0.
        lsb: ``(size,)`` V per LSB of the voltage register.
        v_zero: ``(size,)`` V that v = 0 stands for.
        alias: ``(size,)`` the neuron of this population to which each neuron's spikes are added in
            the same step, -1 for none; None: none at all.
    """

    name: str
    size: int
    model: str = "lif"
    params: Mapping[str, Any] = field(default_factory=dict)
    init: Mapping[str, Any] = field(default_factory=dict)
    lsb: Any = 1.0
    v_zero: Any = 0.0
    alias: Any = None

    def __post_init__(self) -> None:
        faults = Faults()
        where = f"population {self.name!r}"
        check_name(where, self.name, faults)
        check_size(where, self.size, faults)
        for table in ("params", "init"):
            if not isinstance(getattr(self, table), Mapping):
                faults.add(where, table, getattr(self, table), "a mapping of name to integers")
        faults.raise_if_any(RangeError)
        for table in ("params", "init"):
            values = {
                k: integers(where, k, v, (self.size,), faults)
                for k, v in dict(getattr(self, table)).items()
            }
            object.__setattr__(self, table, FrozenDict(values))
        for name in ("lsb", "v_zero"):
            value = np.asarray(getattr(self, name))
            if value.dtype.kind not in "iuf" or value.shape not in ((), (self.size,)):
                faults.add(where, name, value, f"numbers, a scalar or shape ({self.size},)")
                continue
            if not np.all(np.isfinite(value)) or (name == "lsb" and not np.all(value > 0)):
                faults.add(where, name, value, "finite V > 0" if name == "lsb" else "finite V")
                continue
            wide = np.broadcast_to(value.astype(np.float64), (self.size,))
            object.__setattr__(self, name, frozen(wide))
        if self.alias is not None:
            object.__setattr__(self, "alias", _alias(where, self.alias, self.size, faults))
        faults.raise_if_any(RangeError)


@dataclass(frozen=True, eq=False)
class FixedProjection:
    """Integer synapses.

    Args:
        name, pre, post: as described.
        weights: ``(n_post, n_pre)`` integer mantissas as given to the chip, dense or sparse, or a
            :class:`Convolution`. Integers of 8, 16 or 32 bits (unsigned: up to 16) stay as narrow
            as they are, others become int64, and arrays of a CSR matrix that nobody can write to
            are not copied. In a sparse matrix every stored entry is a synapse, zeros and
            several for the same pair of neurons included; in a dense one a zero is none.
        exponent: shift applied to the weights (per synapse or on the sum, as the profile says).
        sign_mode: ``mixed``, ``excitatory``, ``inhibitory``, ``null``; None: from the weights.
        weight_bits: bits kept of the mantissa; None: the profile's default.
        delays: whole steps, scalar or one per stored weight; as narrow as they are given.
        graded: False: any non-zero spike counts 1; True: the spike's value multiplies the weight.
        latency: steps before the delay counts; None: the profile's. 0 is allowed from an input, and
            from a population listed before the target.
        port: the port of the postsynaptic model that the synapses lead to.
        convolution: set where ``weights`` was given as one; ``weights`` is then its matrix, made
            when it is first read.
    """

    name: str
    pre: str
    post: str
    weights: Any
    exponent: int = 0
    sign_mode: str | None = None
    weight_bits: int | None = None
    delays: Any = 0
    graded: bool = False
    latency: int | None = None
    port: str = "in"
    convolution: Convolution | None = None

    def __post_init__(self) -> None:
        faults = Faults()
        where = f"projection {self.name!r}"
        check_name(where, self.name, faults)
        check_port(where, self.port, faults)
        self._fold(where, faults)
        graded: object = self.graded
        if not isinstance(graded, (bool, np.bool_)):
            faults.add(where, "graded", graded, "True or False")
        if not self.is_folded:
            self._check_matrix(where, faults)
        if (wide := too_wide(self.values)) is not None:
            faults.add(where, "weights", wide, WIDE)
            faults.raise_if_any(RangeError)
        delays = self.delays
        if not self.is_folded:
            dtype = (
                self.weights.dtype if is_sparse(self.weights) else np.asarray(self.weights).dtype
            )
            stored, order = frozen_synapses(self.weights, narrow(dtype))
            object.__setattr__(self, "weights", stored)
            delays = delays if order is None else _ordered(delays, order)
        object.__setattr__(self, "delays", _delays(where, delays, (self.n_entries,), faults))
        if self.sign_mode is None:
            object.__setattr__(self, "sign_mode", _sign_mode(self.values))
        elif self.sign_mode not in SIGN_MODES:
            faults.add(where, "sign_mode", self.sign_mode, ", ".join(SIGN_MODES))
        if not isinstance(self.exponent, (int, np.integer)) or isinstance(self.exponent, bool):
            faults.add(where, "exponent", self.exponent, "a whole number")
        elif abs(self.exponent) > MOST_SHIFT:
            allowed = f"{-MOST_SHIFT}..{MOST_SHIFT}, and what the profile allows"
            faults.add(where, "exponent", self.exponent, allowed)
        late = self.latency
        whole = isinstance(late, (int, np.integer)) and not isinstance(late, bool)
        if late is not None and not (whole and 0 <= late <= MOST_DELAY):
            faults.add(where, "latency", late, "a whole number 0..2**20, or None")
        if isinstance(self.delays, np.ndarray) and self.delays.size:
            for delay in (int(self.delays.min()), int(self.delays.max())):
                if not 0 <= delay <= MOST_DELAY:
                    faults.add(where, "delays", delay, "whole steps 0..2**20")
        faults.raise_if_any(RangeError)

    if not TYPE_CHECKING:  # for a type checker, weights is there like any other field

        def __getattr__(self, name: str) -> Any:
            if name != "weights" or self.__dict__.get("convolution") is None:
                raise AttributeError(f"{type(self).__name__} has no {name!r}")
            if "_matrix" not in self.__dict__:
                matrix, _ = frozen_synapses(self.convolution.matrix(), np.int64)
                object.__setattr__(self, "_matrix", matrix)
            return self._matrix

    @property
    def is_folded(self) -> bool:
        """Tell whether the weights were given as a convolution, so that there is its kernel only.

        To read ``weights`` makes the matrix all the same.
        """
        return "weights" not in vars(self)

    @property
    def shape(self) -> tuple[int, int]:
        """Return (n_post, n_pre)."""
        if self.convolution is not None and self.is_folded:
            return self.convolution.shape
        n_post, n_pre = self.weights.shape
        return n_post, n_pre

    @property
    def values(self) -> IntArray:
        """Return the values of the stored entries; of a convolution, those of its kernel once."""
        if self.convolution is not None and self.is_folded:
            return np.asarray(self.convolution.planar_kernel[self.convolution.uses() > 0])
        return np.asarray(entries(self.weights))

    @cached_property
    def different_delays(self) -> IntArray:
        """The different delays, ascending."""
        return distinct(self.delays)

    @property
    def n_entries(self) -> int:
        """Return the number of stored entries."""
        if self.convolution is not None and self.is_folded:
            return int(self.convolution.uses().sum())
        return int(entries(self.weights).size)

    def _check_matrix(self, where: str, faults: Faults) -> None:
        given = self.weights if is_sparse(self.weights) else np.asarray(self.weights)
        if given.dtype.kind not in "iu" or len(given.shape) != 2:
            faults.add(where, "weights", f"{given.dtype} {given.shape}", "integers (n_post, n_pre)")
            faults.raise_if_any(RangeError)

    def _fold(self, where: str, faults: Faults) -> None:
        """Keep a convolution in the place of its matrix."""
        given: object = self.weights
        if isinstance(given, Convolution):
            if not given.is_whole:
                faults.add(where, "weights", f"a convolution of {given.kernel.dtype}",
                           "a convolution of whole numbers")  # fmt: skip
                faults.raise_if_any(RangeError)
            object.__setattr__(self, "convolution", given)
            object.__delattr__(self, "weights")
            object.__setattr__(self, "delays", _flat(self.delays))  # as the matrix is stored
        elif self.convolution is not None:  # a copy with other fields: the two must still agree
            same = is_sparse(given) and given.shape == self.convolution.shape  # type: ignore[attr-defined]
            if not same or (given != self.convolution.matrix()).nnz:
                faults.add(where, "weights", "another matrix", "the matrix of its convolution, or "
                           "convolution=None")  # fmt: skip


def check_name(where: str, name: object, faults: Faults) -> None:
    """Note a name that is none."""
    # files keep arrays under population/variable, so a slash would be ambiguous
    if not isinstance(name, str) or not name or "/" in name:
        faults.add(where, "name", name, "a text that is not empty and has no slash")


def _sign_mode(values: IntArray) -> str:
    if values.size == 0 or values.min() >= 0:
        return "excitatory"
    return "inhibitory" if values.max() <= 0 else "mixed"


def _delays(where: str, delays: Any, shape: tuple[int, ...], faults: Faults) -> Any:
    """Return delays read-only: one of each weight as narrow as given, one of all in 64 bits."""
    if is_sparse(delays) or np.ndim(delays) == 0:
        return integers(where, "delays", delays, shape, faults)
    flat = np.asarray(delays).ravel()
    if flat.shape == shape and narrow(flat.dtype) == flat.dtype:
        if (wide := too_wide(flat)) is None:
            return kept(flat)
        faults.add(where, "delays", wide, WIDE)
    return integers(where, "delays", flat, shape, faults)


def _ordered(delays: Any, order: IntArray) -> Any:
    """Return one delay per stored weight, in the order in which the frozen weights are stored."""
    flat = _flat(delays)
    return flat[order] if np.shape(flat) == order.shape else flat


def _flat(delays: Any) -> Any:
    return delays if is_sparse(delays) or np.ndim(delays) == 0 else np.asarray(delays).ravel()


def _alias(where: str, alias: Any, size: int, faults: Faults) -> Any:
    found = integers(where, "alias", alias, (size,), faults)
    if found.shape != (size,):
        faults.add(where, "alias", alias, f"shape ({size},)")
    elif found.dtype.kind == "i" and (found.min() < -1 or found.max() >= size):
        bad = found[(found < -1) | (found >= size)][0]
        faults.add(where, "alias", int(bad), f"a neuron 0..{size - 1}, or -1 for none")
    elif np.any(found == np.arange(size)):
        faults.add(where, "alias", int(np.flatnonzero(found == np.arange(size))[0]),
                   "another neuron than itself")  # fmt: skip
    return found


def check_port(where: str, port: object, faults: Faults) -> None:
    """Note a port that has no name."""
    if not isinstance(port, str) or not port:
        faults.add(where, "port", port, "the name of a port")


def integers(where: str, name: str, value: Any, shape: tuple[int, ...], faults: Faults) -> Any:
    """Return whole numbers, a scalar or of a shape, as read-only int64; note what is not."""
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        faults.add(where, name, value, "whole numbers")
    elif array.shape not in ((), shape):
        faults.add(where, name, f"shape {array.shape}", f"a scalar or shape {shape}")
    elif (wide := too_wide(array)) is not None:
        faults.add(where, name, wide, WIDE)
        return np.zeros(array.shape, np.int64)  # refused anyway, and int64 could not hold it
    return frozen(array, np.int64) if array.dtype.kind in "iu" else array


def check_span(
    where: str, name: str, value: npt.ArrayLike, span: tuple[int, int], faults: Faults
) -> None:
    """Note the first value that is outside of a range."""
    array = np.asarray(value)
    outside = array[(array < span[0]) | (array > span[1])] if array.size else array
    if outside.size:
        faults.add(where, name, int(outside.flat[0]), f"{span[0]}..{span[1]}")


def too_wide(array: Any) -> int | None:
    """Return a value of an integer array that is larger than ``WIDEST``; None: there is none."""
    if array.size == 0 or array.dtype.kind not in "iu":
        return None
    ends = (int(array.min()), int(array.max()))  # Python integers: numpy's abs(-2**63) is negative
    return next((end for end in ends if abs(end) > WIDEST), None)
