"""What flows from layer to layer: which populations send it, in which order, and how late."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import LoweringError
from .layers import AverageLayer, ConcatLayer, FlattenLayer, Layer, Shape
from .model import NetxNetwork, layer_name


@dataclass(frozen=True, eq=False)
class Part:
    """What one population sends.

    Args:
        pre: the population, or the input.
        shape: of what it sends.
        delay: steps for each of its neurons, or 0; on top of the one that every layer takes.
        graded: its spikes carry numbers.
    """

    pre: str
    shape: Shape
    delay: Any = 0
    graded: bool = False

    @property
    def size(self) -> int:
        """How many neurons."""
        return int(np.prod(self.shape))


@dataclass(frozen=True, eq=False)
class Stream:
    """What a layer sends: parts, one after another along the first axis."""

    shape: Shape
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """How many values."""
        return int(np.prod(self.shape))

    @property
    def spans(self) -> list[tuple[Part, int, int]]:
        """Each part with its first value and the one after its last."""
        ends = np.cumsum([part.size for part in self.parts])
        return [(p, int(e) - p.size, int(e)) for p, e in zip(self.parts, ends, strict=True)]


def fault(index: int, name: str, value: object, allowed: str) -> LoweringError:
    """Return the error about a layer's field."""
    return LoweringError(f"layer {index}: field {name!r} = {value}, allowed: {allowed}")


def reshaped(index: int, layer: Layer, stream: Stream) -> Stream:
    """Return what a flatten layer makes of a stream.

    Raises:
        LoweringError: the sizes differ.
    """
    if layer.size != stream.size:
        raise fault(index, "shape", layer.shape, f"{stream.size} values, as come in")
    return replace(stream, shape=(stream.size,))


def averaged(index: int, layer: AverageLayer, stream: Stream, last: bool) -> Stream:
    """Return the stream before an average layer, whose means are taken as it is read out.

    Raises:
        LoweringError: it is not the last layer, or its groups are not equal.
    """
    if not last:
        raise fault(index, "type", "'average'", "an average as the last layer: no neuron of "
                    "Loihi's takes the mean of spikes")  # fmt: skip
    if stream.size % layer.size:
        raise fault(index, "shape", layer.shape, f"a divisor of the {stream.size} values coming in")
    return stream


def joined(network: NetxNetwork, index: int, layer: ConcatLayer, streams: list[Stream]) -> Stream:
    """Return what a concat layer sends: the layer before it, then those that it names.

    Where it names the layer before it, the order is the one in which it names them.

    Raises:
        LoweringError: planes of different sizes, a shape that is not that of the sum, or a later
            layer without neurons.
    """
    names = layer.layers if index - 1 in layer.layers else (index - 1, *layer.layers)
    found = [streams[j] if j < index else _later(network, index, j) for j in names]
    planes = {s.shape[1:] for s in found}
    parts = tuple(part for s in found for part in s.parts)
    size = sum(s.size for s in found)
    if size != layer.size:
        raise fault(index, "shape", layer.shape, f"{size} values, as come in")
    if len(layer.shape) == 3 and layer.shape[1:] != (1, 1):
        if len(planes) > 1:
            raise fault(index, "layers", names, f"planes of one size, not {sorted(planes)}")
        return Stream((sum(s.shape[0] for s in found), *found[0].shape[1:]), parts)
    return Stream((size,), parts)


def _later(network: NetxNetwork, index: int, j: int) -> Stream:
    layer = network.layers[j]
    if layer.neurons is None and layer.kind != "dense":
        raise fault(index, "layers", j, "a later layer only where it has neurons")
    return Stream(layer.shape, (Part(layer_name(j, layer), layer.shape),))


PASSIVE = (FlattenLayer, AverageLayer, ConcatLayer)
"""Layers without neurons, which take no step."""
