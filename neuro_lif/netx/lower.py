"""A netx network as integers on a chip: what netx hands to Lava, and the layers that it cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..checks import expect
from ..errors import Faults, LoweringError, RangeError, show
from ..fixed import FixedNetwork
from ..fixed_inputs import DirectInput, FixedSource
from ..fixed_parts import FixedPopulation, FixedProjection
from ..ledger import Ledger
from ..profile import load_profile
from ..profile_model import HardwareProfile
from .layers import (
    NO_THRESHOLD,
    AverageLayer,
    ConcatLayer,
    ConvLayer,
    DenseLayer,
    FlattenLayer,
    InputLayer,
    Layer,
    Neuron,
    PoolLayer,
)
from .model import NetxNetwork, layer_name
from .rule import NetxRule
from .streams import Part, Stream, averaged, fault, joined, reshaped
from .synapses import Site, convolution, dense, pool, sent_delay

INPUT = "input"
"""Name of the input of a lowered network."""
BIAS_EXP = 6
NEEDED = ("du", "dv", "vth", "bias_mant", "bias_exp")


@dataclass
class Draft:
    """A network on its way."""

    profile: HardwareProfile
    rule: NetxRule
    reset: tuple[int, int] | None
    populations: list[FixedPopulation] = field(default_factory=list)
    projections: list[FixedProjection] = field(default_factory=list)
    sources: list[FixedSource] = field(default_factory=list)
    directs: list[DirectInput] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    strict: bool = True


def to_fixed(
    network: NetxNetwork,
    profile: str | HardwareProfile = "loihi2",
    *,
    rule: NetxRule | None = None,
    input_shape: Sequence[int] | None = None,
    input_message_bits: int = 0,
    reset_interval: int | None = None,
    reset_offset: int = 0,
    dt: float = 1e-3,
) -> FixedNetwork:
    """Return the integers that Loihi runs for a netx file.

    Populations are called by number and kind (``3-dense``), their neurons are in C order of
    (channels, height, width), and the input is called ``input``: a source of spikes; or numbers,
    ``weight * x + bias``, where the input layer has neurons. Each layer takes one step.

    Args:
        network: the layers.
        profile: name of a profile, or the profile, with Loihi's parameters (``loihi2``,
            ``lava-0.10``).
        rule: what to do where lava-dl's own readers differ; None: as netx.
        input_shape: (channels, height, width) of what comes in, where the file does not say.
        input_message_bits: above 0: the spikes that come in carry numbers.
        reset_interval: steps after which u and v of each layer become 0; None: never.
        reset_offset: the first layer with neurons is reset before the steps t with
            ``t = 1 + reset_offset`` modulo ``reset_interval``, each further one a step later.
        dt: s per step.

    Returns:
        The network; notes about what was left out or assumed stand in its ledger.

    Raises:
        LoweringError: naming layer and field: the file says what Loihi's neurons cannot, or sizes
            do not fit each other.
        RangeError: the profile has other parameters, or an argument is wrong.

    Source: lava-dl 0.6.0, lava/lib/dl/netx/hdf5.py.
    """
    expect(network, NetxNetwork, "netx.to_fixed")
    chosen = load_profile(profile) if isinstance(profile, str) else profile
    missing = [n for n in NEEDED if n not in chosen.params]
    if missing or "lif" not in chosen.models:
        raise RangeError(f"netx.to_fixed: profile = {chosen.name!r}, allowed: a profile with model "
                         f"lif and {', '.join(NEEDED)}, such as loihi2 and lava-0.10")  # fmt: skip
    draft = Draft(chosen, rule or NetxRule(), _reset(chosen, reset_interval, reset_offset))
    for index, layer in enumerate(network.layers):
        if not index and not isinstance(layer, InputLayer):
            draft.streams.append(_outside(draft, layer, input_shape, input_message_bits))
        draft.streams.append(_lowered(draft, network, index, layer, input_message_bits))
        if not index and not isinstance(layer, InputLayer):
            del draft.streams[0]
    _check_inhibitory(draft)
    return FixedNetwork(
        chosen, tuple(draft.populations), tuple(_distinct(draft.projections)),
        tuple(draft.sources), tuple(draft.directs), dt,
        ledger=Ledger(chosen.name, notes=tuple(draft.notes)), enforce_ranges=draft.strict,
    )  # fmt: skip


def _check_inhibitory(draft: Draft) -> None:
    """Let -256 through where no weight is above 0: netx hands it on, and Lava stores -255."""
    for p in draft.projections:
        if p.convolution is None and p.sign_mode == "inhibitory" and p.values.min() < -255:
            draft.strict = False
            draft.notes.append(f"{p.name}: weights of -256 are stored as -255, as netx has it in "
                               "Lava, since none is above 0")  # fmt: skip


def _reset(profile: HardwareProfile, interval: Any, offset: Any) -> tuple[int, int] | None:
    faults = Faults()
    for name, value, least in (("reset_interval", interval, 1), ("reset_offset", offset, 0)):
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if value is not None and not (whole and least <= value < 2**31):
            faults.add("netx.to_fixed", name, value, f"a whole number >= {least}")
    if interval is not None and "lif_reset" not in profile.models:
        faults.add("netx.to_fixed", "reset_interval", interval,
                   f"None: profile {profile.name} has no model lif_reset")  # fmt: skip
    faults.raise_if_any(RangeError)
    return None if interval is None else (int(interval), int(offset))


def _outside(draft: Draft, layer: Layer, given: Sequence[int] | None, bits: int) -> Stream:
    """Return the input of a network without an input layer."""
    if given is not None:
        shape = tuple(int(n) for n in given)
    elif isinstance(layer, DenseLayer):
        shape = (layer.weight.shape[1],)
    else:
        raise fault(
            0, "type", show(layer.kind), "an input layer before it, or input_shape= (--input-shape)"
        )
    draft.sources.append(FixedSource(INPUT, int(np.prod(shape))))
    return Stream(shape, (Part(INPUT, shape, graded=bits > 0),))


def _lowered(draft: Draft, network: NetxNetwork, index: int, layer: Layer, bits: int) -> Stream:
    """Add a layer, and return what it sends."""
    if isinstance(layer, InputLayer):
        return _input(draft, index, layer, bits)
    before = draft.streams[-1]
    if isinstance(layer, FlattenLayer):
        return reshaped(index, layer, before)
    if isinstance(layer, AverageLayer):
        return averaged(index, layer, before, index == len(network.layers) - 1)
    if isinstance(layer, ConcatLayer):
        return joined(network, index, layer, draft.streams)
    site = Site(index, layer_name(index, layer), draft.rule, draft.notes)
    if isinstance(layer, DenseLayer):
        if len(before.shape) > 1 and before.size != before.shape[0]:
            site.note("planes come in without a flatten layer: taken as (channels, height, width)")
        draft.projections += dense(site, layer, before)
    elif isinstance(layer, ConvLayer):
        draft.projections += convolution(site, layer, before)
    elif isinstance(layer, PoolLayer):
        draft.projections += pool(site, layer, before)
    else:
        raise fault(index, "type", layer.kind, "a layer that netx knows")
    neuron = layer.neurons
    _population(draft, site, layer, neuron, getattr(layer, "bias", None))
    graded = neuron is not None and neuron.message_bits > 0
    part = Part(site.name, layer.shape, sent_delay(site, layer), graded)
    return Stream(layer.shape, (part,))


def _input(draft: Draft, index: int, layer: InputLayer, bits: int) -> Stream:
    if layer.neuron is None:
        draft.sources.append(FixedSource(INPUT, layer.size))
        return Stream(layer.shape, (Part(INPUT, layer.shape, graded=bits > 0),))
    site = Site(index, layer_name(index, layer), draft.rule, draft.notes)
    # nothing else reaches u, so that with all of u lost in each step v is as by a bias
    neuron = layer.neuron
    if draft.rule.input == "bias":
        neuron = replace(neuron, i_decay=4096)
    _population(draft, site, layer, neuron, None)
    draft.directs.append(DirectInput(INPUT, site.name))
    part = Part(site.name, layer.shape, graded=layer.neuron.message_bits > 0)
    return Stream(layer.shape, (part,))


def _population(draft: Draft, site: Site, layer: Layer, neuron: Neuron | None, bias: Any) -> None:
    """Add the neurons of a layer."""
    if neuron is None:
        neuron = Neuron(0, 4096, NO_THRESHOLD)
    _check_neuron(site, neuron)
    params: dict[str, Any] = {
        "du": layer.spread(neuron.i_decay) - 1,
        "dv": layer.spread(neuron.v_decay),
        "vth": layer.spread(neuron.threshold),
    }
    if bias is not None:
        params |= {"bias_mant": layer.spread(bias), "bias_exp": BIAS_EXP}
    model = "lif"
    if draft.reset is not None:
        interval, offset = draft.reset
        model = "lif_reset"
        number = 1 + offset + len(draft.populations)
        params |= {"reset_interval": interval, "reset_offset": number % interval}
    for name, value in params.items():
        low, high = draft.profile.params[name].span
        outside = np.ravel(value)[(np.ravel(value) < low) | (np.ravel(value) > high)]
        if outside.size:
            site.note(f"{name}: {outside[0]} is outside of {low}..{high}, what the profile states; "
                      "kept, as netx does")  # fmt: skip
            draft.strict = False
    params = {k: int(np.ravel(v)[0]) if np.unique(v).size == 1 else v for k, v in params.items()}
    draft.populations.append(FixedPopulation(site.name, layer.size, model, params))


def _check_neuron(site: Site, neuron: Neuron) -> None:
    """Refuse what Loihi's LIF does not do and netx leaves out, unless it is to be left out."""
    found = {
        "gradedSpike": (neuron.graded, "spikes that carry v"),
        "refDelay": (neuron.ref_delay != 1, f"a refractory period of {neuron.ref_delay} steps"),
        "wgtExp": (neuron.weight_exp != 0, f"a shift of the weights by {neuron.weight_exp}"),
    }
    for name, (there, text) in found.items():
        if not there:
            continue
        if name not in site.rule.ignore:
            raise LoweringError(
                f"layer {site.index}: field 'neuron/{name}' asks for {text}, which netx leaves "
                f"out, allowed: without it, or ignore=({name!r},)"
            )
        site.note(f"neuron/{name}: {text}: left out, as in netx")


def _distinct(projections: list[FixedProjection]) -> list[FixedProjection]:
    """Return projections with names of their own."""
    counts: Counter[str] = Counter()
    found = []
    for p in projections:
        counts[p.name] += 1
        n = counts[p.name]
        found.append(p if n == 1 else replace(p, name=f"{p.name} {n}"))
    return found
