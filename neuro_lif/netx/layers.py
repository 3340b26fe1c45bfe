"""The layers of a netx file: what it says, checked, with arrays in the file's own order.

Planes are (channels, height, width), in C order; weights are integers of Loihi's units: a spike
adds ``weight * 64`` to u. Source: lava-dl 0.6.0, lava/lib/dl/netx/hdf5.py and slayer/block/base.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from ..arrays import IntArray, frozen
from ..errors import Faults, NetworkError

NO_THRESHOLD = 131072
"""Threshold mantissa of the neuron that netx puts where a dense layer has none (1 << 18 - 1)."""
MOST_THRESHOLD = 2**25 - 1
"""Largest threshold mantissa: 64 times as much is a number of 32 bits."""
MOST_DELAY = 62
"""Longest delay of netx; longer ones are cut to it."""
MOST_WEIGHT = 2**24
Shape = tuple[int, ...]
Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Neuron:
    """The neurons of a layer.

    Args:
        i_decay, v_decay: 0..4096, what u and v lose per step, in 1/4096; one number, or one per
            channel or neuron.
        threshold: mantissa ``vThMant``: a spike where ``v > 64 * threshold``.
        kind: ``CUBA`` or ``LOIHI``: two names of the same neuron.
        ref_delay: refractory period in steps; 1: none.
        graded: spikes carry v, where the file says so.
        weight_exp: ``wgtExp`` of old files: weights are to be shifted left by this.
        message_bits: of the spikes it sends; 0: plain spikes.
    """

    i_decay: Any
    v_decay: Any
    threshold: Any
    kind: Literal["CUBA", "LOIHI"] = "CUBA"
    ref_delay: int = 1
    graded: bool = False
    weight_exp: int = 0
    message_bits: int = 0

    def __post_init__(self) -> None:
        faults = Faults()
        spans = {"i_decay": (0, 4096), "v_decay": (0, 4096), "threshold": (0, MOST_THRESHOLD)}
        for name, (low, high) in spans.items():
            value = _whole("neuron", name, getattr(self, name), (low, high), faults)
            object.__setattr__(self, name, value)
        if self.kind not in ("CUBA", "LOIHI"):
            faults.add("neuron", "kind", self.kind, "CUBA, LOIHI")
        for name, low, high in (
            ("ref_delay", 1, 64),
            ("weight_exp", -8, 8),
            ("message_bits", 0, 32),
        ):
            number = _number("neuron", name, getattr(self, name), low, high, faults)
            object.__setattr__(self, name, number)
        object.__setattr__(self, "graded", bool(self.graded))
        faults.raise_if_any(NetworkError)


@dataclass(frozen=True, eq=False)
class Layer:
    """What every layer has.

    Args:
        shape: (channels, height, width) or (neurons,) of what it sends.
    """

    kind: ClassVar[str] = ""
    shape: Shape

    def __post_init__(self) -> None:
        faults = Faults()
        shape: Any = self.shape
        given = np.asarray(shape)
        whole = given.dtype.kind in "iu" and given.ndim == 1 and 1 <= given.size <= 3
        if not whole or given.min() < 1 or np.prod(given.astype(float)) > 2**31:
            faults.add("layer", "shape", shape, "1 to 3 whole numbers >= 1, less than 2**31 in all")
            faults.raise_if_any(NetworkError)
        object.__setattr__(self, "shape", tuple(int(n) for n in given))
        self._check(faults)
        faults.raise_if_any(NetworkError)

    def _check(self, faults: Faults) -> None:
        """Note what is wrong with the fields of this kind of layer."""

    @property
    def size(self) -> int:
        """How many values it sends."""
        return int(np.prod(self.shape))

    @property
    def neurons(self) -> Neuron | None:
        """Its neurons, None where it has none."""
        return getattr(self, "neuron", None)

    def _check_neurons(self, faults: Faults) -> None:
        neuron = self.neurons
        for name in ("i_decay", "v_decay", "threshold") if neuron else ():
            self._check_spread(f"neuron/{name}", getattr(neuron, name), faults)

    def _check_spread(self, name: str, value: Any, faults: Faults) -> None:
        if np.ndim(value) and value.size not in (1, self.shape[0], self.size):
            allowed = f"one number, {self.shape[0]} (channels) or {self.size} (neurons)"
            faults.add("layer", name, f"{value.size} numbers", allowed)

    def spread(self, value: Any) -> IntArray:
        """Return one number for all, for each channel or for each neuron as ``(size,)``."""
        flat = np.ravel(value)
        if flat.size == self.shape[0] != self.size:
            flat = np.repeat(flat, self.size // self.shape[0])
        return np.asarray(np.broadcast_to(flat, (self.size,)).astype(np.int64))


@dataclass(frozen=True, eq=False)
class InputLayer(Layer):
    """Spikes from outside; or with a neuron, numbers x that drive it by ``weight * x + bias``.

    Args:
        neuron: None: what comes in is sent on in the same step.
        weight, bias: of the numbers that come in; netx takes 64 and 0 where the file has none.
    """

    kind = "input"
    neuron: Neuron | None = None
    weight: int | None = None
    bias: int | None = None

    def _check(self, faults: Faults) -> None:
        self._check_neurons(faults)
        for name in ("weight", "bias"):
            value = getattr(self, name)
            if value is not None:
                number = _number("layer", name, value, -MOST_WEIGHT, MOST_WEIGHT, faults)
                object.__setattr__(self, name, number)


@dataclass(frozen=True, eq=False)
class DenseLayer(Layer):
    """All to all; with ``weight_rec`` (type ``dense_rec``) recurrent, too.

    Args:
        weight: ``(n, n_in)``.
        neuron: None: netx's own, see :data:`NO_THRESHOLD`.
        bias: 64 times this is added to v in every step; one number or one per neuron.
        delay: whole steps; one number, one per neuron or one per input.
        weight_rec: ``(n, n)``, from this layer's spikes of the step before.
    """

    kind = "dense"
    weight: Any = None
    neuron: Neuron | None = None
    bias: Any = None
    delay: Any = None
    weight_rec: Any = None

    def _check(self, faults: Faults) -> None:
        self._check_neurons(faults)
        weight = _matrix(self, "weight", (self.size, None), faults)
        n_in = weight.shape[1] if weight is not None else 0
        if self.weight_rec is not None:
            _matrix(self, "weight_rec", (self.size, self.size), faults)
        _vector(self, "bias", (1, self.size), (-MOST_WEIGHT, MOST_WEIGHT), faults)
        _vector(self, "delay", (1, self.size, n_in), (0, 2**20), faults)


@dataclass(frozen=True, eq=False)
class ConvLayer(Layer):
    """A cross-correlation as PyTorch's ``Conv2d``.

    Args:
        weight: ``(channels, channels in / groups, kh, kw)``.
        neuron: of every place.
        stride, padding, dilation: (height, width).
        groups: of channels.
        bias: one number, one per channel or one per neuron.
        delay: steps; one number or one per channel, of what it sends (netx ignores it).
    """

    kind = "conv"
    weight: Any = None
    neuron: Neuron | None = None
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: Any = None
    delay: Any = None

    def _check(self, faults: Faults) -> None:
        _check_plane(self, faults)
        number = _number("layer", "groups", self.groups, 1, 2**16, faults)
        object.__setattr__(self, "groups", number)
        _vector(self, "bias", (1, self.shape[0], self.size), (-MOST_WEIGHT, MOST_WEIGHT), faults)


@dataclass(frozen=True, eq=False)
class PoolLayer(Layer):
    """A sum over places, channel by channel, all with the same kernel.

    Args:
        weight: ``(1, 1, kh, kw)``.
        neuron, stride, padding, dilation, delay: as of :class:`ConvLayer`.
    """

    kind = "pool"
    weight: Any = None
    neuron: Neuron | None = None
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    delay: Any = None

    def _check(self, faults: Faults) -> None:
        _check_plane(self, faults)
        if self.weight is not None and self.weight.shape[:2] != (1, 1):
            faults.add("layer", "weight", f"shape {self.weight.shape}", "shape (1, 1, kh, kw)")


@dataclass(frozen=True, eq=False)
class FlattenLayer(Layer):
    """(channels, height, width) as one row, in this order."""

    kind = "flatten"


@dataclass(frozen=True, eq=False)
class AverageLayer(Layer):
    """Means of equal groups of what comes in, one group per output."""

    kind = "average"


@dataclass(frozen=True, eq=False)
class ConcatLayer(Layer):
    """What the layer before sends, followed by what others send.

    Args:
        layers: their numbers; those of this or a later layer come one step later: a recurrence.
    """

    kind = "concat"
    layers: tuple[int, ...] = ()

    def _check(self, faults: Faults) -> None:
        given = np.atleast_1d(np.asarray(self.layers))
        if given.dtype.kind not in "iu" or given.ndim != 1 or (given.size and given.min() < 0):
            faults.add("layer", "layers", self.layers, "numbers of layers")
        else:
            object.__setattr__(self, "layers", tuple(int(n) for n in given))


KINDS = (InputLayer, DenseLayer, ConvLayer, PoolLayer, FlattenLayer, AverageLayer, ConcatLayer)


# --------------------------------------------------------------------------------- checks


def _check_plane(layer: ConvLayer | PoolLayer, faults: Faults) -> None:
    if len(layer.shape) != 3:
        faults.add("layer", "shape", layer.shape, "(channels, height, width)")
        return
    if layer.neuron is None:
        faults.add("layer", "neuron", None, "neurons: netx has none of its own for this layer")
    layer._check_neurons(faults)
    _kernel(layer, faults)
    for name, low in (("stride", 1), ("padding", 0), ("dilation", 1)):
        given = np.asarray(getattr(layer, name))
        if given.dtype.kind not in "iu" or given.size not in (1, 2):
            faults.add("layer", name, getattr(layer, name), "one or two whole numbers")
            continue
        if given.min() < low or given.max() > 2**16:
            faults.add("layer", name, getattr(layer, name), f"{low}..2**16")
        pair = np.broadcast_to(given.ravel(), (2,))
        object.__setattr__(layer, name, (int(pair[0]), int(pair[1])))
    _vector(layer, "delay", (1, layer.shape[0]), (0, 2**20), faults)


def _kernel(layer: ConvLayer | PoolLayer, faults: Faults) -> None:
    array = np.asarray(layer.weight)
    if array.ndim == 5 and array.shape[4] == 1:
        array = array[..., 0]
    if array.dtype.kind not in "iu" or array.ndim != 4 or not array.size:
        faults.add("layer", "weight", f"{array.dtype} {array.shape}",
                   "whole numbers (channels, channels in / groups, kh, kw)")  # fmt: skip
        return
    if isinstance(layer, ConvLayer) and array.shape[0] != layer.shape[0]:
        faults.add("layer", "weight", f"{array.shape[0]} channels out", str(layer.shape[0]))
    _keep(layer, "weight", array, (-MOST_WEIGHT, MOST_WEIGHT), faults)


def _matrix(layer: DenseLayer, name: str, shape: tuple[Any, Any], faults: Faults) -> Any:
    array = np.asarray(getattr(layer, name))
    if array.ndim == 1 and array.size and array.size % shape[0] == 0:
        array = array.reshape(shape[0], -1)
    fits = array.ndim == 2 and array.shape[0] == shape[0] and shape[1] in (None, array.shape[1])
    if array.dtype.kind not in "iu" or not fits or not array.size:
        allowed = f"whole numbers ({shape[0]}, {'n_in' if shape[1] is None else shape[1]})"
        faults.add("layer", name, f"{array.dtype} {array.shape}", allowed)
        return None
    return _keep(layer, name, array, (-MOST_WEIGHT, MOST_WEIGHT), faults)


def _vector(
    layer: Layer, name: str, sizes: tuple[int, ...], span: tuple[int, int], faults: Faults
) -> None:
    value = getattr(layer, name)
    if value is None:
        return
    array = np.asarray(value)
    if array.ndim > 1:
        array = array.ravel()
    if array.dtype.kind not in "iu" or array.size not in sizes:
        allowed = " or ".join(str(n) for n in sorted(set(sizes))) + " whole numbers"
        faults.add("layer", name, f"{array.dtype} {array.shape}", allowed)
        return
    _keep(layer, name, array if array.size > 1 else array.reshape(()), span, faults)


def _keep(layer: Layer, name: str, array: Any, span: tuple[int, int], faults: Faults) -> Any:
    outside = array[(array < span[0]) | (array > span[1])]
    if outside.size:
        faults.add("layer", name, int(outside.flat[0]), f"{span[0]}..{span[1]}")
    object.__setattr__(layer, name, frozen(array, np.int64))
    return array


def _whole(where: str, name: str, value: Any, span: tuple[int, int], faults: Faults) -> Any:
    array = np.asarray(value)
    if array.dtype.kind not in "iu" or not array.size or array.ndim > 3:
        faults.add(where, name, value, "whole numbers")
        return array
    if array.min() < span[0] or array.max() > span[1]:
        bad = array[(array < span[0]) | (array > span[1])].flat[0]
        faults.add(where, name, int(bad), f"{span[0]}..{span[1]}")
    flat = array.ravel() if array.size > 1 else array.reshape(())
    return frozen(flat, np.int64)


def _number(where: str, name: str, value: Any, low: int, high: int, faults: Faults) -> int:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or not low <= value <= high:
        faults.add(where, name, value, f"a whole number {low}..{high}")
        return low
    return int(value)
