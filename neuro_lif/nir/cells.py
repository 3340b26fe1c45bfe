"""Neuron nodes as populations to be stepped: what they keep, add and compare, and what they take.

A spike that resets a step late, and spikes that come a step late, are said with what a stepped
population has (v is counted from the reset value):

- reset to a value in the next step: v is held there for one step more (a refractory period of 1)
- subtraction in the next step, after the leak: in the spike's step the threshold is subtracted, and
  one step later a synapse of the neuron onto itself takes what the leak had left of it,
  ``(1 - keep) threshold``
- no reset: such a synapse gives back ``keep threshold``
- spikes from the last step's voltage: the spikes of the step before, one step later

Source: :mod:`neuro_lif.nir.neurons`, whose steps these repeat.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..errors import LoweringError
from ..stepped import NO_SPIKE
from .chains import Chains, Signal
from .layer import Coefficients
from .model import INTEGRATORS, NEURONS
from .neurons import count, first_state
from .nodes import Output, Threshold
from .plan import Plan


@dataclass(frozen=True)
class Cell:
    """A population before its place in time is known.

    Args:
        name: of the population.
        node: which it stands for; of a filter stage, the one it belongs to.
        size: neurons.
        keep_u, keep_v: ``(n,)`` what u and v keep per step; of a filter stage u is all it has.
        drift: ``(n,)`` what is added to v in every step.
        threshold: ``(n,)`` above ``v_zero``, infinite where it does not spike.
        v_zero, v_init: ``(n,)``, v_init not counted from v_zero.
        reset: ``"value"`` or ``"subtract"``.
        held: steps v is held after a spike.
        stage: it is a filter stage.
        most: spikes in a step at most; None: any number.
        rows: ``(n,)`` what is multiplied by what comes in, before it is added to u.
        late: steps until what comes in is taken.
        back: ``(n,)`` what a spike adds to its own neuron in the next step; None: nothing.
        synapse: u is more than what came in this step.
        behind: steps after it passed the threshold until its spikes count as sent.
    """

    name: str
    node: str
    size: int
    keep_u: FloatArray
    keep_v: FloatArray
    drift: FloatArray
    threshold: FloatArray
    v_zero: FloatArray
    v_init: FloatArray
    rows: FloatArray
    reset: str = "value"
    held: int = 0
    stage: bool = False
    most: int | None = 1
    late: int = 0
    back: FloatArray | None = None
    synapse: bool = False
    behind: int = 0
    feed: Signal = field(default_factory=lambda: Signal(0))
    """What comes in."""


def cells_of(plan: Plan, chains: Chains, names: dict[str, str], free: Any) -> list[Cell]:
    """Return the populations of a graph; an integrator that feeds others is stages, too.

    Args:
        plan: of the graph.
        chains: what comes into the nodes.
        names: node -> population.
        free: makes a name that is not taken.
    """
    found = []
    feeding = _feeding(plan)
    for node in plan.sequence:
        kind = plan.nodes[node]
        if isinstance(kind, Threshold):
            found.append(_gate(plan, node, names[node], chains.into(node)))
        elif isinstance(kind, NEURONS):
            came = chains.into(node)
            found.append(_neuron(plan, node, names[node], came))
            if isinstance(kind, INTEGRATORS) and node in feeding:
                found += _stages(plan, node, came, free)
    return found


def _feeding(plan: Plan) -> set[str]:
    """Return the nodes whose numbers reach more than outputs."""
    useful: set[str] = set()
    waiting = [n for n, node in plan.nodes.items() if isinstance(node, (*NEURONS, Threshold))]
    while waiting:
        for way in plan.ways[waiting.pop()]:
            if way.source not in useful:
                useful.add(way.source)
                if not isinstance(plan.nodes[way.source], NEURONS):
                    waiting.append(way.source)
    return {n for n in useful if not isinstance(plan.nodes[n], Output)}


def _flat(plan: Plan, node: str, value: Any) -> FloatArray:
    shape = plan.shapes[node]
    return np.asarray(np.broadcast_to(np.asarray(value, np.float64), shape).ravel())


def _gate(plan: Plan, node: str, name: str, came: Signal) -> Cell:
    """Return a Threshold node: v is what comes in, and nothing is kept."""
    n = came.size
    none = np.zeros(n)
    threshold = _flat(plan, node, plan.weights[node])
    if plan.rule.compare == ">=":  # x > a is x >= the next number above a
        threshold = np.nextafter(threshold, np.inf)
    return Cell(name, node, n, none, none, none, threshold, none, none, np.ones(n), feed=came)


def _neuron(plan: Plan, node: str, name: str, came: Signal) -> Cell:
    c, rule, n = plan.coefficients[node], plan.rule, came.size
    keep, leak = _flat(plan, node, c.keep), _flat(plan, node, c.leak)
    v_zero = _v_zero(plan, node, c)
    drift = leak - (1.0 - keep) * v_zero + _besides(plan, node, c)
    first = first_state(plan.nodes[node], c, rule, plan.shapes[node])
    values: dict[str, Any] = {
        "keep_u": np.zeros(n),
        "keep_v": keep,
        "drift": drift,
        "threshold": np.full(n, NO_SPIKE),
        "v_zero": v_zero,
        "v_init": np.asarray(first.v, np.float64).ravel(),
        "rows": _membrane_gain(plan, node, c),
        "feed": came,
    }
    if c.keep_i is not None:
        values["keep_u"] = _flat(plan, node, c.keep_i)
        values["rows"] = values["rows"] * _synapse_gain(plan, node, c)
        values |= {"synapse": True, "late": int(rule.current == "last")}
    if c.spiking:
        values["threshold"] = _flat(plan, node, c.threshold) - v_zero
        values["behind"] = int(rule.emit == "old")
        values |= _reset(plan, node, c, values["keep_v"], values["threshold"])
        _check_start(plan, node, c, first.v)
    return Cell(name, node, n, **values)


def _besides(plan: Plan, node: str, c: Coefficients) -> FloatArray:
    """Return what is added to v besides leak and synapse: direct biases, currents at rest."""
    total = np.zeros(int(np.prod(plan.shapes[node], dtype=np.int64)))
    if node in plan.direct:
        total = total + _flat(plan, node, plan.direct[node])
    if c.leak_i is not None:  # a current begins where it rests, so u is counted from there
        rest: Any = plan.nodes[node]
        total = total + _flat(plan, node, c.gain) * _flat(plan, node, rest.v_leak)
    return total


def _membrane_gain(plan: Plan, node: str, c: Coefficients) -> FloatArray:
    gain = _flat(plan, node, c.gain)
    if c.kind == "LI" and plan.rule.integrators == "current":
        return gain * _flat(plan, node, c.keep)
    return gain


def _synapse_gain(plan: Plan, node: str, c: Coefficients) -> FloatArray:
    gain = _flat(plan, node, c.gain_i)
    return gain * _flat(plan, node, c.keep_i) if plan.rule.current == "add-decay" else gain


def _v_zero(plan: Plan, node: str, c: Coefficients) -> FloatArray:
    """Return what v = 0 means: the reset value."""
    n = int(np.prod(plan.shapes[node], dtype=np.int64))
    if not c.spiking or plan.rule.reset not in ("value", "zero"):
        return np.zeros(n)
    return _flat(plan, node, c.reset)


def _reset(
    plan: Plan, node: str, c: Coefficients, keep: FloatArray, threshold: FloatArray
) -> dict[str, Any]:
    """Return what happens after a spike."""
    rule = plan.rule
    many = rule.spikes == "many"
    if many and (np.any(c.reset != 0) or np.any(threshold <= 0)):
        raise LoweringError(
            f"node {node!r}: several spikes in a step with a reset other than to 0, or with "
            "thresholds <= 0, allowed: spikes='one', or v_reset = 0 and thresholds > 0"
        )
    found: dict[str, Any] = {"most": rule.most_spikes if many else 1}
    late = (c.late or rule.emit == "old") and not c.late_before
    if rule.reset == "none":
        return found | {"reset": "subtract", "back": keep * threshold}
    if rule.reset == "subtract":
        back = (keep - 1.0) * threshold
        return found | {"reset": "subtract", "back": back if late and back.any() else None}
    return found | {"reset": "value", "held": int(late)}


def _check_start(plan: Plan, node: str, c: Coefficients, v: Any) -> None:
    """Refuse spikes that would come from the state before the first step."""
    if (c.late or plan.rule.emit == "old") and np.any(count(c, v, plan.rule) > 0):
        raise LoweringError(
            f"node {node!r}: its first voltage is above the threshold, and rule "
            f"{plan.rule.name!r} looks at it before the first step, allowed: v_init below it"
        )


def _stages(plan: Plan, node: str, came: Signal, free: Any) -> list[Cell]:
    """Return what sends an integrator's v: its recurrence as a filter stage, or two in a row."""
    c, n = plan.coefficients[node], came.size
    none = np.zeros(n)
    first = first_state(plan.nodes[node], c, plan.rule, plan.shapes[node])
    keep = _flat(plan, node, c.keep)
    drift = _flat(plan, node, c.leak) + _besides(plan, node, c)
    start = np.asarray(first.v, np.float64).ravel()

    def stage(
        name: str, kept: FloatArray, added: FloatArray, begun: FloatArray,
        rows: FloatArray, feed: Signal, late: int,
    ) -> Cell:  # fmt: skip
        unbounded = np.full(n, NO_SPIKE)
        return Cell(free(name), node, n, kept, none, added, unbounded, none, begun, rows,
                    stage=True, late=late, feed=feed)  # fmt: skip

    rows = _membrane_gain(plan, node, c)
    if c.keep_i is None:
        return [stage(f"{node}__v", keep, drift, start, rows, came, 0)]
    late = int(plan.rule.current == "last")
    gain = rows * _synapse_gain(plan, node, c)
    current = stage(f"{node}__i", _flat(plan, node, c.keep_i), none, none, gain, came, late)
    from ..lazy import sparse

    through = Signal(n, {(current.name, 0): sparse.identity(n, format="csr")})
    return [current, stage(f"{node}__v", keep, drift, start, np.ones(n), through, 0)]
