"""How frameworks step: a NIR file leaves fifteen things open, a rule says each of them.

Source: specs of the frameworks' own code (snnTorch 1.0.0, Norse 1.1.0, Sinabs 3.1.3, Rockpool
3.1.0, Nengo 4.1.0, Spyx 1.0.0, SpikingJelly 2.0.0, lava-dl 0.6.0, py-spinnaker2), each compared
with that framework's own output from the same file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ..errors import Faults, RangeError, show
from .switches import CHOICES, NUMBERS, SWITCHES


@dataclass(frozen=True)
class NirRule:
    """How a graph is stepped.

    Args:
        name: of the rule.
        dt: step that is taken where the call gives none, in the unit of tau; None: none.
        layer_dt: each layer takes the step of the ``run``, or that of its own which Rockpool's
            import finds in it, the least ``tau/(1+r)``.
        integrator: of the membrane. ``euler``: keep 1 - dt/tau; ``exact``: keep exp(-dt/tau);
            ``event``: exact, and a spike falls between steps where v crosses the threshold;
            ``shift``: integers of 1/4096, decays of 12 bits, rounded towards zero.
        synapse_integrator: of the current; ``same``: as the membrane.
        input_gain: what the input of LIF and LI is multiplied by. ``r``: r (1 - keep); ``leak``:
            1 - keep, so r is not looked at; ``one``: 1.
        if_gain: the same of IF and I: ``r``: r dt; ``one``: 1.
        cuba_gain: the same of the current of CubaLIF and CubaLI.
        synapse_gain: the same of the current: ``w_in``, ``leak``, ``one``.
        compare: a spike where v > threshold, or >=.
        reset: to ``v_reset``, to zero, by subtraction, by subtraction except of a spike that was
            already pending (snnTorch's "avoid double reset"), or none.
        reset_time: in the step of the spike, or in the next one.
        recurrent_reset_time: the same for neurons that reach themselves.
        late_before: where a late reset comes before the leak: ``"LIF zero"``, ``"recurrent
            CubaLIF subtract"``; elsewhere it comes after the input was added.
        spikes: one in a step, or as many as the threshold goes into v.
        most_spikes: at most so many in a step; None: any number.
        current: ``first``: i = keep i + gain x, then v takes it; ``last``: v takes the old i;
            ``add-decay``: i = keep (i + gain x), then v takes it;
            ``add-use-decay``: i + gain x is what v takes, and i = keep (i + gain x) what is left.
        synapse_leak: what a current rests at, and begins with: zero, or v_leak.
        integrators: an LI node is a ``membrane``, or is stepped as a ``current``:
            v = keep (v + gain x).
        emit: spikes from the voltage of this step, or from what the last step left (one late).
        input_delay: steps until an input arrives.
        delay: steps from a neuron's spikes to what they feed.
        synapse_delay: steps until a low-pass (LI, CubaLI, CubaLIF) takes what comes in.
        recurrent_delay: steps of an edge that closes a cycle; 0 only where emit is ``old``, and
            none is needed there.
        recurrent_bias: the bias inside a cycle acts ``always``, ``after-first`` step, ``never``.
        bias: a bias passes through the synapse, or acts on the membrane at once (``direct``).
        v_init: first voltage: zero, v_leak, or v_reset where there is one.
        floor: least voltage: none, zero, minus the threshold, ``floor_value``, or so many
            ``thresholds``; ``IF -threshold``: minus the threshold in IF nodes only.
        floor_value: see floor.
        amplitude: of a spike.
        tau_unit: of times in the file. ``s*dt``: seconds times dt (norse#411).
        state: a run begins fresh, or where the last one ended.
        weights: as given; ``int8``: whole multiples of max/127 for each population, rounded
            towards zero; ``lava``: as nir_to_lava.py makes integers.
        weight_scale: of ``int8``, in place of 127/max.
        arithmetic: of states and sums.
        layout: ``channels-last``: Flatten orders (H, W, C), and a SumPool2d with padding pads as
            little as gives one window for each stride, the odd one behind (Spyx).
        recurrent_input: what comes into a nested graph whose Input feeds its recurrent weights
            goes along that ``edge``, or to the ``neuron`` as Spyx runs what it writes.
        shown_at_spike: what a probe of the voltage shows in the step of a spike; None: v.
        own_files: the rule for files that the framework wrote itself, where its import is another
            thing; they are known by time constants below a step.
        about: one line.

    Raises:
        RangeError: a field is not one of what is allowed.
    """

    name: str
    dt: float | None = None
    layer_dt: str = "run"
    integrator: str = "euler"
    synapse_integrator: str = "same"
    input_gain: str = "r"
    if_gain: str = "r"
    cuba_gain: str = "r"
    synapse_gain: str = "w_in"
    compare: str = ">"
    reset: str = "value"
    reset_time: str = "same"
    recurrent_reset_time: str = "same"
    late_before: tuple[str, ...] = ()
    spikes: str = "one"
    most_spikes: int | None = None
    current: str = "first"
    synapse_leak: str = "zero"
    integrators: str = "membrane"
    emit: str = "new"
    input_delay: int = 0
    delay: int = 0
    synapse_delay: int = 0
    recurrent_delay: int = 1
    recurrent_bias: str = "always"
    bias: str = "weighted"
    v_init: str = "zero"
    floor: str = "none"
    floor_value: float = 0.0
    amplitude: str = "one"
    tau_unit: str = "s"
    state: str = "fresh"
    weights: str = "given"
    weight_scale: float | None = None
    arithmetic: str = "float32"
    shown_at_spike: float | None = None
    layout: str = "channels-first"
    recurrent_input: str = "edge"
    own_files: str = ""
    about: str = ""

    def __post_init__(self) -> None:
        faults, where = Faults(), f"rule {self.name!r}"
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                faults.add(where, name, getattr(self, name), ", ".join(allowed))
        for name in ("input_delay", "delay", "synapse_delay", "recurrent_delay"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 2**20:
                faults.add(where, name, value, "whole steps >= 0")
        for name in ("dt", "weight_scale"):
            value = getattr(self, name)
            if value is not None and not (_number(value) and 0 < value < float("inf")):
                faults.add(where, name, value, "a number > 0")
        most = self.most_spikes
        if most is not None and not (_number(most) and isinstance(most, int) and most >= 1):
            faults.add(where, "most_spikes", most, "a whole number >= 1, or None")
        for name in ("floor_value", "shown_at_spike"):
            value = getattr(self, name)
            if not _number(value) and (name == "floor_value" or value is not None):
                faults.add(where, name, value, "a number")
        late: Any = self.late_before
        if not isinstance(late, tuple) or not all(isinstance(part, str) for part in late):
            faults.add(where, "late_before", self.late_before, "a tuple of texts")
        named: Any = self.name
        if not isinstance(named, str):
            faults.add(where, "name", self.name, "a text")
        if self.emit == "new" and self.recurrent_delay == 0:
            faults.add(where, "recurrent_delay", 0, "1 or more where emit is 'new'")
        faults.raise_if_any(RangeError)

    def switches(self) -> dict[str, Any]:
        """Return the fields of the fifteen switches and of the numbers."""
        known = [n for names in SWITCHES.values() for n in names] + list(NUMBERS)
        return {name: getattr(self, name) for name in known}


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_ONE: Any = dict.fromkeys(("input_gain", "if_gain", "cuba_gain", "synapse_gain"), "one")
_EULER = NirRule(
    "nir-euler", arithmetic="float64", about="NIR's equations, forward Euler, reset to v_reset"
)
_SNNTORCH = NirRule(
    "snntorch",
    dt=1e-4,
    reset="zero",
    if_gain="one",
    recurrent_reset_time="next",
    late_before=("LIF zero", "IF zero"),
    about="snnTorch 1.0.0; recurrent layers reset one step late, as RSynaptic does",
)
_NORSE = NirRule(
    "norse",
    dt=1e-3,
    input_gain="leak",
    if_gain="one",
    reset="zero",
    synapse_leak="v_leak",
    v_init="leak",
    recurrent_bias="after-first",
    own_files="norse-written",
    about="Norse 1.1.0: from_nir, or a file that Norse wrote itself",
)
_SINABS = NirRule(
    "sinabs",
    dt=1.0,
    integrator="exact",
    **_ONE,
    compare=">=",
    reset="subtract",
    spikes="many",
    current="add-decay",
    tau_unit="steps",
    about="Sinabs 3.1.3: MultiSpike, subtraction; set input_gain=leak where norm_input was True",
)
_ROCKPOOL = NirRule(
    "rockpool",
    dt=1e-3,
    integrator="exact",
    **_ONE,
    compare=">=",
    reset="subtract",
    spikes="many",
    most_spikes=2**16,
    current="add-decay",
    integrators="current",
    about="Rockpool 3.1.0, torch back-end",
)
_SPYX = NirRule(
    "spyx",
    dt=1e-3,
    **_ONE,
    reset="subtract",
    reset_time="next",
    recurrent_reset_time="next",
    late_before=("CubaLIF subtract", "recurrent CubaLIF subtract"),
    emit="old",
    recurrent_delay=0,
    layout="channels-last",
    recurrent_input="neuron",
    about="Spyx 1.0.0: spikes from the last step's voltage, r is not looked at",
)
_NENGO = NirRule(
    "nengo",
    dt=1e-3,
    integrator="exact",
    reset="zero",
    synapse_delay=1,
    floor="zero",
    recurrent_bias="after-first",
    amplitude="1/dt",
    arithmetic="float64",
    about="Nengo 4.1.0 with min_voltage 0 and tau_ref 0",
)
_LAVA = NirRule(
    "lava",
    dt=1e-4,
    integrator="shift",
    input_delay=1,
    weights="lava",
    reset="zero",
    arithmetic="float64",
    about="Lava's fixed-point LIF with nir_to_lava.py's integers",
)

RULES: Mapping[str, NirRule] = {
    rule.name: rule
    for rule in (
        _EULER,
        NirRule(
            "exact",
            integrator="event",
            v_init="leak",
            arithmetic="float64",
            about="NIR's equations solved exactly, spikes between the steps",
        ),
        _SNNTORCH,
        replace(
            _SNNTORCH,
            name="snntorch-2023",
            recurrent_reset_time="same",
            if_gain="r",
            about="snnTorch as the NIR paper ran it: recurrent layers reset at once",
        ),
        _NORSE,
        replace(
            _NORSE,
            name="norse-written",
            own_files="",
            tau_unit="s*dt",
            synapse_gain="one",
            synapse_leak="zero",
            current="add-use-decay",
            about="a file that Norse wrote: tau times dt (norse#411), no w_in",
        ),
        _SINABS,
        replace(
            _SINABS,
            name="sinabs-imported",
            floor="IF -threshold",
            about="Sinabs 3.1.3, from_nir: IF nodes get min_v_mem = -threshold",
        ),
        _ROCKPOOL,
        replace(
            _ROCKPOOL,
            name="rockpool-imported",
            layer_dt="tau/(1+r)",
            recurrent_bias="never",
            about="Rockpool 3.1.0, from_nir: a step for each layer, no recurrent bias",
        ),
        _NENGO,
        replace(
            _NENGO,
            name="nengo-2023",
            dt=1e-4,
            synapse_integrator="euler",
            amplitude="one",
            about="Nengo as the NIR paper ran it: spikes of height 1",
        ),
        _SPYX,
        NirRule(
            "spikingjelly",
            dt=1e-3,
            compare=">=",
            v_init="reset",
            about="SpikingJelly 2.0.0: hard reset",
        ),
        NirRule(
            "slayer",
            dt=1e-4,
            integrator="shift",
            reset="zero",
            recurrent_bias="never",
            arithmetic="float64",
            about="lava-dl's slayer blocks: states in 1/4096",
        ),
        NirRule(
            "spinnaker2",
            dt=1e-4,
            reset="zero",
            bias="direct",
            weights="int8",
            arithmetic="float64",
            about="py-spinnaker2: int8 weights, one tick of delay",
            input_delay=1,
            delay=1,
        ),
        _LAVA,
        replace(
            _LAVA,
            name="loihi2",
            shown_at_spike=128.0,
            about="as lava, on the chip: a probe shows 128 in the step of a spike",
        ),
    )
}
"""All rules by name."""


KEY = "neuro_lif"
"""The entry of a graph's metadata that says how it was run."""


def rule_said(metadata: Mapping[str, Any]) -> NirRule | None:
    """Return the rule that a graph's metadata hold, as :func:`with_rule` writes it; None: none.

    Raises:
        RangeError: the entry is there and is not one.
    """
    entry = metadata.get(KEY)
    if entry is None:
        return None
    if not isinstance(entry, Mapping):
        raise RangeError(f"metadata {KEY!r} = {show(entry)}, allowed: the fields of a rule")
    values = {k: v.item() if hasattr(v, "item") and v.ndim == 0 else v for k, v in entry.items()}
    values["name"] = values.pop("rule", "metadata")
    late = values.get("late_before", "")
    values["late_before"] = tuple(part for part in str(late).split(", ") if part)
    unknown = sorted(values.keys() - {f.name for f in fields(NirRule)})
    if unknown:
        raise RangeError(f"metadata {KEY!r}: {unknown[0]!r}, allowed: the fields of a rule")
    return NirRule(**values)


def find_rule(rule: NirRule | str, **changes: Any) -> NirRule:
    """Return a rule, by name or as given, with some fields changed.

    >>> find_rule("snntorch", reset="subtract-once").reset
    'subtract-once'

    Raises:
        RangeError: no rule of that name, or a field that is not allowed.
    """
    found: Any = RULES.get(rule) if isinstance(rule, str) else rule
    if not isinstance(found, NirRule):
        raise RangeError(f"rule = {show(rule)}, allowed: {', '.join(sorted(RULES))} or a NirRule")
    known = {f.name for f in fields(NirRule)}
    unknown = sorted(changes.keys() - known)
    if unknown:
        raise RangeError(
            f"rule {found.name!r}: {unknown[0]!r}, allowed: {', '.join(sorted(known))}"
        )
    return replace(found, **changes) if changes else found
