"""A netx network as a NIR graph: Linear or Conv2d before a CubaLIF, in slayer's units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import nir
from ..checks import expect
from ..errors import RangeError
from ..nir.golden import rule_entry
from ..nir.rules import KEY
from .layers import (
    NO_THRESHOLD,
    ConvLayer,
    DenseLayer,
    FlattenLayer,
    InputLayer,
    Layer,
    Neuron,
    PoolLayer,
    Shape,
)
from .model import NetxNetwork, layer_name
from .streams import fault

UNIT = 64.0
"""A weight of 64 is 1.0."""


def to_nir(
    network: NetxNetwork, dt: float = 1e-3, *, input_shape: Sequence[int] | None = None
) -> nir.NIRGraph:
    """Return the NIR graph of a netx network, to be stepped with ``dt``.

    Weights and thresholds are divided by 64, as slayer has them. Under the rule ``slayer`` the
    graph gives the spikes that Loihi gives, but without the step that each of its layers takes. A
    bias becomes ``v_leak``; on Loihi it acts while a layer still waits for its first spikes, so
    with biases the starts differ.

    Args:
        network: the layers.
        dt: s per step.
        input_shape: of what comes in, where the file does not say.

    Returns:
        A graph with nodes called as the populations of :func:`to_fixed` (``3-dense``), their
        synapses (``3-dense.weight``), ``input`` and ``output``; the rule and ``dt`` are in its
        metadata, where :func:`neuro_lif.nir.run` finds them.

    Raises:
        LoweringError: naming layer and field: what NIR cannot say (an endless time constant,
            graded input, several layers joined, averages, delays of single synapses).
        RangeError: dt is not above 0.

    Source: the equations of NIR's CubaLIF, with alpha = 1 - dt / tau_syn and
    beta = 1 - dt / tau_mem.
    """
    expect(network, NetxNetwork, "netx.to_nir")
    if isinstance(dt, bool) or not isinstance(dt, (int, float)) or not 0 < dt < float("inf"):
        raise RangeError(f"netx.to_nir: dt = {dt!r}, allowed: a step > 0 s")
    nodes: dict[str, nir.Node] = {}
    edges: list[tuple[str, str]] = []
    shape = _first(network, input_shape)
    nodes["input"] = nir.Input(shape)
    last = "input"
    for index, layer in enumerate(network.layers):
        name = layer_name(index, layer)
        if isinstance(layer, InputLayer):
            if layer.neuron is not None:
                raise fault(
                    index, "neuron", "neurons driven by numbers", "none: NIR cannot say them"
                )
            continue
        _add(index, layer, name, last, shape, dt, nodes, edges)
        last, shape = name, (layer.size,) if isinstance(layer, FlattenLayer) else layer.shape
        if isinstance(layer, DenseLayer):
            shape = (layer.size,)
    nodes["output"] = nir.Output(shape)
    edges.append((last, "output"))
    said = rule_entry(nir.find_rule("slayer"), float(dt))
    return nir.NIRGraph(nodes, tuple(edges), metadata={KEY: said})


def _first(network: NetxNetwork, given: Sequence[int] | None) -> Shape:
    first = network.layers[0]
    if given is not None:
        return tuple(int(n) for n in given)
    if isinstance(first, InputLayer):
        return first.shape
    if isinstance(first, DenseLayer):
        return (first.weight.shape[1],)
    raise fault(0, "type", first.kind, "an input layer before it, or input_shape= (--input-shape)")


def _add(
    index: int, layer: Layer, name: str, last: str, shape: Shape, dt: float,
    nodes: dict[str, nir.Node], edges: list[tuple[str, str]],
) -> None:  # fmt: skip
    """Add the nodes and edges of a layer."""
    if isinstance(layer, FlattenLayer):
        nodes[name] = nir.Flatten(shape, 0, -1)
        edges.append((last, name))
        return
    if not isinstance(layer, (DenseLayer, ConvLayer, PoolLayer)):
        raise fault(index, "type", layer.kind, "dense, dense_rec, conv, pool, flatten")
    if layer.delay is not None and np.any(layer.delay):
        raise fault(index, "delay", "steps", "none: they would be lost")
    synapse = f"{name}.weight"
    nodes[synapse] = _synapse(index, layer, shape)
    edges.append((last, synapse))
    if isinstance(layer, DenseLayer) and shape != (layer.weight.shape[1],):
        nodes[f"{name}.row"] = nir.Flatten(shape, 0, -1)
        edges[-1] = (last, f"{name}.row")
        edges.append((f"{name}.row", synapse))
    edges.append((synapse, name))
    nodes[name] = _neurons(index, layer, dt)
    if isinstance(layer, DenseLayer) and layer.weight_rec is not None:
        nodes[f"{name}.recurrent"] = nir.Linear(layer.weight_rec / UNIT)
        edges += [(name, f"{name}.recurrent"), (f"{name}.recurrent", name)]


def _synapse(index: int, layer: DenseLayer | ConvLayer | PoolLayer, shape: Shape) -> nir.Node:
    if isinstance(layer, DenseLayer):
        return nir.Linear(layer.weight / UNIT)
    channels = shape[0]
    pooled = isinstance(layer, PoolLayer)
    if isinstance(layer, PoolLayer) and any(
        n % k for n, k in zip(shape[1:], layer.weight.shape[2:], strict=True)
    ):
        raise fault(index, "kernelSize", layer.weight.shape[2:], f"divisors of {shape[1:]}")
    weight = np.tile(layer.weight, (channels, 1, 1, 1)) if pooled else layer.weight
    groups = layer.groups if isinstance(layer, ConvLayer) else channels
    plane: Any = shape[1:]
    return nir.Conv2d(
        plane, weight / UNIT, layer.stride, layer.padding, layer.dilation, groups,
        np.zeros(layer.shape[0]),
    )  # fmt: skip


def _neurons(index: int, layer: DenseLayer | ConvLayer | PoolLayer, dt: float) -> nir.CubaLIF:
    neuron = layer.neuron or Neuron(0, 4096, NO_THRESHOLD)
    shape = (layer.size,) if isinstance(layer, DenseLayer) else layer.shape
    taus = {}
    for name, value in (("iDecay", neuron.i_decay), ("vDecay", neuron.v_decay)):
        decay = layer.spread(value).astype(float)
        if not decay.all():
            raise fault(
                index, f"neuron/{name}", 0, "1..4096: NIR has no endless time constant here"
            )
        taus[name] = (dt * 4096 / decay).reshape(shape)
    if neuron.graded or neuron.ref_delay != 1 or neuron.weight_exp:
        raise fault(index, "neuron/gradedSpike, refDelay or wgtExp", "given", "none of them")
    bias = getattr(layer, "bias", None)
    push = layer.spread(0 if bias is None else bias).reshape(shape) / UNIT
    gain = taus["vDecay"] / dt
    zeros = np.zeros(shape)
    return nir.CubaLIF(
        taus["iDecay"], taus["vDecay"], gain, push * gain,
        layer.spread(neuron.threshold).reshape(shape) / UNIT, zeros, taus["iDecay"] / dt,
    )  # fmt: skip
