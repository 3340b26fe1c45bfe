"""A chip's integers as layers of netx: only where the layers give the same integers again."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import is_sparse
from ..checks import expect
from ..errors import LoweringError, NeuroLifError
from ..fixed import FixedNetwork
from ..fixed_parts import FixedPopulation, FixedProjection
from .layers import (
    MOST_DELAY,
    ConcatLayer,
    ConvLayer,
    DenseLayer,
    FlattenLayer,
    InputLayer,
    Layer,
    Neuron,
)
from .lower import BIAS_EXP, to_fixed
from .model import NetxNetwork, layer_name


def from_fixed(fixed: FixedNetwork) -> NetxNetwork:
    """Return the layers of a fixed network whose populations follow one another.

    Each population becomes a layer that receives from the one before it (after a concat layer from
    others too), from itself (``dense_rec``), and the first one from the only source; or the first
    is an input layer that a direct input drives. Weights are written with their exponents applied.

    Raises:
        LoweringError: naming population or projection and the field that netx cannot say, or where
            netx would make other integers of it.
        RangeError: that is no FixedNetwork.
    """
    expect(fixed, FixedNetwork, "netx.from_fixed")
    for name in ("du", "dv", "vth", "bias_mant", "bias_exp"):
        if name not in fixed.profile.params:
            raise _no("profile", name, fixed.profile.name, "a profile with Loihi's parameters")
    if fixed.poissons:
        raise _no("network", "poissons", len(fixed.poissons), "none: netx has no random inputs")
    layers: list[Layer] = []
    places: dict[str, int] = {}
    start = _start(fixed, layers, places)
    for population in fixed.populations[start:]:
        incoming = [p for p in fixed.projections if p.post == population.name]
        own = [p for p in incoming if p.pre == population.name]
        _layer(fixed, population, [p for p in incoming if p not in own], own, layers, places)
    network = NetxNetwork(tuple(layers))
    _check_same(fixed, network, places)
    return network


def _no(where: str, name: str, value: object, allowed: str) -> LoweringError:
    return LoweringError(f"{where}: field {name!r} = {value}, allowed: {allowed}")


def _start(fixed: FixedNetwork, layers: list[Layer], places: dict[str, int]) -> int:
    """Add the input layer; return how many populations it takes."""
    if len(fixed.sources) + len(fixed.directs) != 1:
        count = len(fixed.sources) + len(fixed.directs)
        raise _no("network", "inputs", count, "one input: a source, or a direct input")
    if fixed.sources:
        source = fixed.sources[0]
        shape: Any = (source.size,)
        for p in fixed.projections:
            if p.pre == source.name and p.convolution is not None:
                shape = _plane(p)
        layers.append(InputLayer(shape))
        places[source.name] = 0
        return 0
    direct, first = fixed.directs[0], fixed.populations[0]
    if direct.population != first.name or any(p.post == first.name for p in fixed.projections):
        raise _no(f"input {direct.name!r}", "population", direct.population,
                  "the first population, to which nothing else leads")  # fmt: skip
    shape = (first.size,)
    for p in fixed.projections:
        if p.pre == first.name and p.convolution is not None:
            shape = _plane(p)
    neuron, bias = _neuron(fixed, first)
    if bias is not None and np.unique(bias).size > 1:
        raise _no(f"population {first.name!r}", "bias_mant", "several values", "one for the layer")
    layers.append(InputLayer(shape, neuron, 1, 0 if bias is None else int(np.ravel(bias)[0])))
    places[first.name] = 0
    return 1


def _plane(p: FixedProjection) -> Any:
    if p.convolution is None or p.convolution.layout != "torch":
        raise _no(f"projection {p.name!r}", "convolution", "in Lava's layout",
                  "PyTorch's: (channels, height, width)")  # fmt: skip
    return p.convolution.input_shape


def _neuron(fixed: FixedNetwork, population: FixedPopulation) -> tuple[Neuron, Any]:
    """Return the neurons of a population and their bias, None where it is 0."""
    where = f"population {population.name!r}"
    if population.model != "lif":
        raise _no(where, "model", repr(population.model), "'lif' (a reset interval is given to the "
                  "run, not to the file)")  # fmt: skip
    if population.alias is not None or any(np.any(v) for v in population.init.values()):
        raise _no(where, "init or alias", "given", "none: netx starts at 0")
    stored = {k: np.asarray(v) for k, v in fixed.params(population.name).items()}
    for name, value in stored.items():
        known = ("du", "dv", "vth", "bias_mant", "bias_exp")
        if name in population.params and name not in known:
            raise _no(where, name, value.flat[0], "what netx has: " + ", ".join(known))
    bias = np.left_shift(stored["bias_mant"], np.maximum(stored["bias_exp"], 0))
    if np.any(stored["bias_exp"] < 0) and np.any(stored["bias_mant"]):
        raise _no(where, "bias_exp", int(stored["bias_exp"].min()), ">= 0")
    if np.any(bias % 2**BIAS_EXP):
        bad = int(bias[bias % 2**BIAS_EXP != 0][0])
        raise _no(where, "bias_mant", f"{bad} LSB", f"multiples of {2**BIAS_EXP} LSB")
    neuron = Neuron(_one(stored["du"] + 1), _one(stored["dv"]), _one(stored["vth"]))
    return neuron, (bias >> BIAS_EXP if np.any(bias) else None)


def _one(values: Any) -> Any:
    return int(values[0]) if np.all(values == values[0]) else values


def _layer(
    fixed: FixedNetwork, population: FixedPopulation, incoming: list[FixedProjection],
    own: list[FixedProjection], layers: list[Layer], places: dict[str, int],
) -> None:  # fmt: skip
    """Add the layer of a population, and a concat layer before it where it needs one."""
    where = f"population {population.name!r}"
    neuron, bias = _neuron(fixed, population)
    if not incoming or len(own) > 1:
        raise _no(where, "projections", f"{len(incoming)}, and {len(own)} from itself",
                  "at least one, and at most one from itself")  # fmt: skip
    unknown = [p.pre for p in incoming if p.pre not in places]
    if unknown or len({p.pre for p in incoming}) != len(incoming):
        raise _no(where, "projections", f"from {[p.pre for p in incoming]}",
                  "one from each of some populations listed before it")  # fmt: skip
    before = len(layers) - 1
    incoming = sorted(incoming, key=lambda p: (places[p.pre] != before, places[p.pre]))
    for p in (*incoming, *own):
        if p.graded or p.latency is not None:
            raise _no(
                f"projection {p.name!r}", "graded or latency", "given", "as the profile has it"
            )
    made: Layer
    if incoming[0].convolution is not None:
        made = _conv(population, neuron, bias, incoming, own)
        if places[incoming[0].pre] != before:
            raise _no(where, "projections", f"from {incoming[0].pre!r}", NEXT)
    else:
        _bridge(where, incoming, layers, places)
        made = _dense(fixed, population, neuron, bias, incoming, own)
    places[population.name] = len(layers)
    layers.append(made)


NEXT = "one from the population before it"


def _bridge(
    where: str, incoming: list[FixedProjection], layers: list[Layer], places: dict[str, int]
) -> None:
    """Add what joins others to the layer before it, or makes a row of its planes."""
    before = len(layers) - 1
    if places[incoming[0].pre] != before:
        raise _no(where, "projections", f"from {incoming[0].pre!r}", NEXT)
    size = sum(p.shape[1] for p in incoming)
    if len(incoming) > 1:
        layers.append(ConcatLayer((size,), tuple(places[p.pre] for p in incoming[1:])))
    elif len(layers[before].shape) > 1:
        layers.append(FlattenLayer((size,)))


def _conv(
    population: FixedPopulation, neuron: Neuron, bias: Any, incoming: list[FixedProjection],
    own: list[FixedProjection],
) -> ConvLayer:  # fmt: skip
    p = incoming[0]
    where = f"projection {p.name!r}"
    _plane(p)
    conv = p.convolution
    if conv is None or len(incoming) > 1 or own:
        raise _no(where, "convolution", "beside others", "a convolution alone")
    if np.any(p.delays) or p.exponent < 0:
        raise _no(where, "delays or exponent", "given", "0: netx gives convolutions neither")
    kernel = np.asarray(conv.kernel) << p.exponent
    steps: list[tuple[int, int]] = []
    for n in (conv.stride, conv.padding, conv.dilation):
        steps.append(n if isinstance(n, tuple) else (n, n))
    return ConvLayer(
        conv.output_shape, kernel, neuron, steps[0], steps[1], steps[2], conv.groups, bias
    )


def _dense(
    fixed: FixedNetwork, population: FixedPopulation, neuron: Neuron, bias: Any,
    incoming: list[FixedProjection], own: list[FixedProjection],
) -> DenseLayer:  # fmt: skip
    weight = np.hstack([_weights(fixed, p) for p in incoming])
    rec = _weights(fixed, own[0]) if own else None
    late = np.hstack([_delays(p) for p in incoming])
    if own:  # netx delays all that a neuron receives alike; where no synapse is, none is known
        both = np.hstack([late, _delays(own[0])])
        each = np.maximum(both.max(axis=1, keepdims=True), 0)
        if np.any((both != each) & (both >= 0)):
            raise _no(
                f"projection {own[0].name!r}", "delays", "given", "those of the other weights"
            )
        late = np.broadcast_to(each, late.shape)
    return DenseLayer((population.size,), weight, neuron, bias, _said(incoming[0], late), rec)


def _weights(fixed: FixedNetwork, p: FixedProjection) -> Any:
    """Return what a spike delivers, in units of 64 LSB."""
    delivered = fixed.effective_weights(p)
    if is_sparse(delivered):
        if delivered.has_canonical_format is False:
            delivered = delivered.copy()
            delivered.sum_duplicates()
        delivered = delivered.toarray()
    values, exponent = np.asarray(delivered, np.int64), fixed.sum_exponent(p)
    if exponent < 0 and np.any(values % 2**-exponent):
        bad = int(values[values % 2**-exponent != 0].flat[0])
        raise _no(f"projection {p.name!r}", "weights", f"{bad} * 2**{exponent}", "whole numbers")
    return values >> -exponent if exponent < 0 else values << exponent


def _delays(p: FixedProjection) -> Any:
    """Return the delays ``(n_post, n_pre)``, -1 where there is no synapse and they are several."""
    delays = np.asarray(p.delays)
    if not delays.ndim:
        return np.full(p.shape, int(delays))
    if is_sparse(p.weights):
        found = np.full(p.shape, -1, np.int64)
        rows = np.repeat(np.arange(p.shape[0]), np.diff(p.weights.indptr))
        found[rows, p.weights.indices] = delays
        return found
    return np.where(np.asarray(p.weights) != 0, delays.reshape(p.shape), -1)


def _said(p: FixedProjection, late: Any) -> Any:
    """Return delays as one number, one per neuron or one per input; None: no delays."""
    there = late >= 0
    if not np.any(late > 0):
        return None
    if late.max() > MOST_DELAY:
        raise _no(f"projection {p.name!r}", "delays", int(late.max()), f"0..{MOST_DELAY}")
    for axis in (1, 0):
        most = np.maximum(late.max(axis=axis, keepdims=True), 0)
        if np.all((late == most) | ~there):
            flat = most.ravel()
            return int(flat[0]) if np.all(flat == flat[0]) else flat
    raise _no(f"projection {p.name!r}", "delays", "one per synapse",
              "one for all, one per neuron or one per input")  # fmt: skip


def _check_same(fixed: FixedNetwork, network: NetxNetwork, places: dict[str, int]) -> None:
    """Refuse layers of which netx would make other integers."""
    try:
        again = to_fixed(network, fixed.profile)
    except NeuroLifError as error:
        raise LoweringError(f"netx would refuse these integers: {error}") from None
    names = {name: layer_name(i, network.layers[i]) for name, i in places.items()}
    names |= {s.name: "input" for s in fixed.sources}
    made = {(p.pre, p.post): p for p in again.projections}
    for p in fixed.projections:
        twin = made[names[p.pre], names[p.post]]
        if p.convolution is not None:
            if np.array_equal(_kernel(p), _kernel(twin)):
                continue
        elif np.array_equal(_weights(fixed, p), _weights(again, twin)):
            _check_delays(p, twin)
            continue
        raise _no(f"projection {p.name!r}", "weights", "given", "weights that netx's choice of "
                  "exponent and bits keeps (-256..254, even where signs are mixed)")  # fmt: skip


def _check_delays(p: FixedProjection, twin: FixedProjection) -> None:
    meant, made = _delays(p), _delays(twin)
    if np.any((meant != made) & (meant >= 0) & (made >= 0)):
        raise _no(f"projection {p.name!r}", "delays", "one per input",
                  "one per neuron: netx takes them for that where both are as many")  # fmt: skip


def _kernel(p: FixedProjection) -> Any:
    return None if p.convolution is None else np.asarray(p.convolution.kernel) << p.exponent
