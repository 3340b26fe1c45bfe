"""THE LIVING DEFINITION: what a profile's operations mean, on plain Python integers.

One neuron, one step at a time, short enough to read aloud. Every executor must equal it in every
register and spike. Nothing here is fast and nothing here can overflow by itself: Python integers
have no width, so every wrap and clip below is one the profile asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .arrays import is_sparse
from .checks import expect
from .errors import RangeError
from .fixed import DirectInput, FixedNetwork, FixedProjection, FixedSource
from .formats import overflow, round_shift, shift
from .recording import OverflowEvent, Recording
from .reference.clocked import wanted_traces
from .stimulate import Inputs, batch_of, check_given, padded, steps_of

OnEvent = Callable[[int, str, str], None]
"""Called with (operation index, register, kind) whenever a value leaves its range."""


def neuron_step(
    ops: Any, params: Mapping[str, int], state: dict[str, int], ports: Mapping[str, int],
    on_event: OnEvent = lambda *_: None,
) -> int:  # fmt: skip
    """Advance one neuron by one step, in place.

    Args:
        ops: resolved operations of the model (``profile.ops(name)``).
        params: parameter -> integer.
        state: register -> integer, ``ref`` being the refractory counter; changed in place.
        ports: port -> sum of the synaptic input that arrives in this step.
        on_event: told of every overflow.

    Returns:
        The spikes emitted (0 or 1, more in multi-spike models).
    """
    emitted = 0
    for index, op in enumerate(ops):
        value = _Reader(params, state, index, on_event)
        kind = op["op"]
        if kind == "acc":
            total = value.bounded(ports.get(op["port"], 0), op["sum_ovf"], "sum")
            total = value.bounded(shift(total, value(op["shift"])), op["shift_ovf"], "sum")
            state[op["reg"]] = value.bounded(state[op["reg"]] + total, op["ovf"], op["reg"])
        elif kind == "decay":
            x = state[op["reg"]]
            target = op["into"] or op["reg"]
            kept = _decayed(op, x, value(op["d"]))
            result = kept - x if op["into"] else kept
            state[target] = value.bounded(result, op["ovf"], target)
        elif kind in ("add", "sub"):
            source = shift(value(op["src"]), value(op["shift"]))
            source = value.bounded(source, op["src_ovf"], str(op["src"]))
            sign = 1 if kind == "add" else -1
            state[op["reg"]] = value.bounded(state[op["reg"]] + sign * source, op["ovf"], op["reg"])
        elif kind == "copy":
            state[op["reg"]] = value(op["src"])
        elif kind == "set":
            state[op["reg"]] = value(op["value"])
        elif kind == "clamp":
            clamped = min(max(state[op["reg"]], value(op["lo"])), value(op["hi"]))
            if clamped != state[op["reg"]]:
                on_event(index, op["reg"], "clamp")
            state[op["reg"]] = clamped
        elif kind == "floor":
            _floor(op, state, value)
        elif kind == "fire":
            emitted += _fire(op, state, value)
        elif kind == "if_ref":
            branch = op["then"] if state["ref"] > 0 else op["else"]
            emitted += neuron_step(branch, params, state, ports, on_event)
        elif kind == "tick_ref":
            state["ref"] = max(state["ref"] - 1, 0)
        else:
            raise ValueError(f"operation {kind!r} has no meaning")
    return emitted


@dataclass
class _Reader:
    """Looks operands up and applies overflow rules, telling of each."""

    params: Mapping[str, int]
    state: Mapping[str, int]
    index: int
    on_event: OnEvent

    def __call__(self, operand: int | str) -> int:
        if isinstance(operand, int):
            return operand
        return self.params[operand] if operand in self.params else self.state[operand]

    def bounded(self, x: int, rules: Any, name: str) -> int:
        for mode, lo, hi in rules:
            bounded = overflow(x, mode, lo, hi)
            if bounded != x:
                self.on_event(self.index, name, mode)
            x = bounded
        return x


def _decayed(op: Any, x: int, d: int) -> int:
    k, rounding = op["k"], op["round"]
    if op["kind"] == "mult_keep":
        return round_shift(x * (2**k - op["offset"] - d), k, rounding)
    if op["kind"] == "mult_step":
        return x - round_shift(x * (d + op["offset"]), k, rounding)
    if op["kind"] == "mult_by":
        return round_shift(x * d, k, rounding)
    if op["kind"] == "linear":
        return x - d
    sign = (x > 0) - (x < 0)
    if op["kind"] == "linear_to_zero":
        return sign * max(abs(x) - d, 0)
    step = shift(x, -d)  # kind "shift"
    return x - (step if step != 0 else sign * op["min_step"])


def _floor(op: Any, state: dict[str, int], value: _Reader) -> None:
    v, level = state[op["reg"]], value(op["level"])
    if v < level or (op["cmp"] == "<=" and v == level):
        state[op["reg"]] = value(op["value"]) if op["action"] == "set" else v - value(op["value"])


def _fire(op: Any, state: dict[str, int], value: _Reader) -> int:
    threshold = shift(value(op["thr"]), op["thr_shift"])

    def above() -> bool:
        v = state[op["cmp_reg"] or op["reg"]]
        passed = v > threshold if op["cmp"] == ">" else v >= threshold
        return passed and (op["min_v"] is None or v >= op["min_v"])

    spikes = 0
    limit = 1 if op["multi"] == "once" else op["cap"]
    while above() and spikes < limit:
        spikes += 1
        if op["reset"] == "subtract":
            lowered = state[op["reg"]] - threshold
            state[op["reg"]] = value.bounded(lowered, op["ovf"], op["reg"])
        if op["reset"] != "subtract" or op["multi"] == "once":
            break
    if spikes and op["reset"] == "value":
        state[op["reg"]] = value(op["value"])
    if spikes and op["ref"] is not None:
        state["ref"] = value(op["ref"])
    return spikes


# ---------------------------------------------------------------------------- the network


@dataclass
class _Counter:
    """Counts overflow events of one run by place."""

    step: int = 0
    found: dict[tuple[str, str, str, int], list[int]] = field(default_factory=dict)

    def add(self, where: str, operation: int, register: str, kind: str, neuron: int) -> None:
        entry = self.found.setdefault((where, register, kind, operation), [0, self.step, neuron])
        entry[0] += 1
        if entry[1] == self.step:
            entry[2] = min(entry[2], neuron)

    def events(self) -> tuple[OverflowEvent, ...]:
        return events_of(self.found)


def events_of(
    found: Mapping[tuple[str, str, str, int], list[int]],
) -> tuple[OverflowEvent, ...]:
    """Return counted overflows, the earliest first; ``first_neuron`` is the lowest of that step.

    Args:
        found: (where, register, kind, operation) -> [count, first step, first neuron].
    """
    events = (OverflowEvent(w, r, k, o, *numbers) for (w, r, k, o), numbers in found.items())
    return tuple(
        sorted(events, key=lambda e: (e.first_step, e.where, e.operation, e.register, e.kind))
    )


def run_semantics(
    fixed: FixedNetwork, n_steps: int | None = None, inputs: Inputs | None = None,
    record: str = "probes",
) -> Recording:  # fmt: skip
    """Run a whole network by the living definition: slow, and the judge of every other engine.

    Args:
        fixed: the network.
        n_steps: number of steps; absent means the length of ``inputs``.
        inputs: input name -> ``(n_steps, n)`` integers (one sample, no batch).
        record: ``"probes"``, or ``"all"`` for u and v of every population.

    Returns:
        A recording with integer traces.
    """
    expect(fixed, FixedNetwork, "run_semantics")
    given = check_given(inputs, fixed.input_sizes(), whole=True)
    if batch_of(given) is not None:
        raise RangeError("inputs: a batch, allowed: one sample (n_steps, n) at a time")
    n_steps = steps_of(n_steps, given)
    rows = input_rows(fixed, given, 1, n_steps)
    feeds = {name: a[0].tolist() for name, a in rows.items()}
    machine = _Machine(fixed)
    spikes = {p.name: np.zeros((n_steps, p.size), np.int64) for p in fixed.populations}
    wanted = wanted_traces(fixed, record)  # type: ignore[arg-type]
    traces = {k: np.zeros((n_steps, fixed.population(k[0]).size), np.int64) for k in wanted}
    for t in range(1, n_steps + 1):
        out = machine.step(t, {name: values[t - 1] for name, values in feeds.items()})
        for name, emitted in out.items():
            spikes[name][t - 1] = emitted
        for (name, variable), trace in traces.items():
            register = register_of(fixed, name, variable)
            trace[t - 1] = [neuron[register] for neuron in machine.state[name]]
    return Recording(
        fixed.dt, n_steps, spikes, traces,
        {p.name: np.asarray(p.lsb) for p in fixed.populations},
        {p.name: np.asarray(p.v_zero) for p in fixed.populations},
        in_order(*input_events(fixed, rows), *machine.counter.events()),
        {"engine": "semantics (plain Python integers)", "profile": fixed.profile.name},
    )  # fmt: skip


def register_of(fixed: FixedNetwork, population: str, variable: str) -> str:
    """Return the register that holds ``v`` or ``u`` of a population."""
    model = fixed.profile.model(fixed.population(population).model)
    return model.voltage if variable == "v" else (model.current or model.voltage)


def input_rows(
    fixed: FixedNetwork, given: Mapping[str, Any], batch: int, n_steps: int
) -> dict[str, Any]:
    """Return every input as integers ``(batch, n_steps, n)``: what was given, else the raster."""
    rows = {}
    items: tuple[FixedSource | DirectInput, ...] = (*fixed.sources, *fixed.directs)
    for item in items:
        values = given.get(item.name, item.raster)
        covers = getattr(item, "covers", None)
        if item.name not in given and covers is not None and n_steps > covers:
            raise RangeError(
                f"input {item.name!r}: n_steps = {n_steps}, allowed: at most {covers}, the steps "
                f"that were coded (lower again with quantize(..., n_steps={n_steps}))"
            )
        if values is None:
            values = np.zeros((n_steps, fixed.input_sizes()[item.name]), np.int64)
        array = np.asarray(values)[..., :n_steps, :]
        rows[item.name] = padded(array, batch, n_steps, np.int64)
    return rows


def input_events(fixed: FixedNetwork, rows: Mapping[str, Any]) -> tuple[OverflowEvent, ...]:
    """Return what is lost before the first step.

    Parameters their storage changed, and spike counts other than 0 and 1 on projections that
    are not graded: there each counts as one spike.
    """
    events = fixed.storage_events()
    for p in fixed.projections:
        if p.graded or p.pre not in rows:
            continue
        lost = (rows[p.pre] != 0) & (rows[p.pre] != 1)
        if lost.any():
            by_step = lost.any(axis=0)
            step = int(np.argmax(by_step.any(axis=1)))
            neuron = int(np.argmax(by_step[step]))
            count = int(lost.sum())
            events.append(OverflowEvent(p.name, "payload", "binary", -1, count, step + 1, neuron))
    return tuple(events)


def in_order(*events: OverflowEvent) -> tuple[OverflowEvent, ...]:
    """Return events by their first step."""
    return tuple(sorted(events, key=lambda e: e.first_step))


class _Machine:
    """All neurons and synapses of a network, one Python integer each."""

    def __init__(self, fixed: FixedNetwork) -> None:
        self.fixed, self.counter = fixed, _Counter()
        self.ops = {p.name: fixed.profile.ops(p.model) for p in fixed.populations}
        self.params = {p.name: _per_neuron(fixed.params(p.name)) for p in fixed.populations}
        self.state = {p.name: _per_neuron(fixed.initial(p.name)) for p in fixed.populations}
        self.synapses = {p.name: _synapses(fixed, p) for p in fixed.projections}
        self.pending: dict[str, dict[int, dict[int, int]]] = {p.name: {} for p in fixed.projections}

    def step(self, t: int, feeds: Mapping[str, list[int]]) -> dict[str, list[int]]:
        """Advance all neurons to the end of step ``t``; return what each emitted."""
        self.counter.step = t
        sources = {s.name for s in self.fixed.sources}
        for p in self.fixed.projections:
            if p.pre in sources:
                self._send(p, t, feeds[p.pre])
        emitted = {}
        for population in self.fixed.populations:
            emitted[population.name] = self._population(population.name, t, feeds)
            for p in self.fixed.projections:
                if p.pre == population.name:
                    self._send(p, t, emitted[p.pre])
        return emitted

    def _population(self, name: str, t: int, feeds: Mapping[str, list[int]]) -> list[int]:
        size = self.fixed.population(name).size
        total = [0] * size
        for p in self.fixed.projections:
            if p.post == name:
                for post, value in self.pending[p.name].pop(t, {}).items():
                    total[post] += value
        for direct in self.fixed.directs:
            if direct.population == name:
                total = [a + b for a, b in zip(total, feeds[direct.name], strict=True)]
        spikes = []
        for i in range(size):
            told = lambda op, reg, kind, i=i: self.counter.add(name, op, reg, kind, i)  # noqa: E731
            spikes.append(
                neuron_step(self.ops[name], self.params[name][i], self.state[name][i],
                            {"in": total[i]}, told)
            )  # fmt: skip
        return spikes

    def _send(self, p: FixedProjection, t: int, spikes: list[int]) -> None:
        """Sum the weights of this step's spikes per delay and target, shift, bound, queue."""
        sums: dict[tuple[int, int], int] = {}
        for pre, spike in enumerate(spikes):
            if spike:
                for post, weight, delay in self.synapses[p.name][pre]:
                    payload = spike if p.graded else 1
                    sums[delay, post] = sums.get((delay, post), 0) + weight * payload
        exponent = self.fixed.sum_exponent(p)
        for (delay, post), value in sums.items():
            slot = self.pending[p.name].setdefault(t + self.fixed.latency(p) + delay, {})
            bounded = self._bounded(p, shift(self._bounded(p, value, post), exponent), post)
            slot[post] = self._bounded(p, slot.get(post, 0) + bounded, post)

    def _bounded(self, p: FixedProjection, x: int, post: int) -> int:
        for mode, lo, hi in self.fixed.profile.accumulator():
            y = overflow(x, mode, lo, hi)
            if y != x:
                self.counter.add(p.name, -1, "sum", mode, post)
            x = y
        return x


def _per_neuron(table: Mapping[str, Any]) -> list[dict[str, int]]:
    size = len(next(iter(table.values())))
    return [{name: int(values[i]) for name, values in table.items()} for i in range(size)]


def _synapses(fixed: FixedNetwork, p: FixedProjection) -> list[list[tuple[int, int, int]]]:
    """Return, for every presynaptic neuron, its (post, effective weight, delay) triples."""
    weights = fixed.effective_weights(p)
    n_post, n_pre = weights.shape
    out: list[list[tuple[int, int, int]]] = [[] for _ in range(n_pre)]
    if is_sparse(weights):
        rows = np.repeat(np.arange(n_post), np.diff(weights.indptr))
        columns, values = weights.indices, weights.data
    else:
        rows, columns = np.divmod(np.arange(n_post * n_pre), n_pre)
        values = np.asarray(weights).ravel()
    delays = np.broadcast_to(p.delays, values.shape)
    for post, pre, weight, delay in zip(
        rows.tolist(), columns.tolist(), values.tolist(), delays.tolist(), strict=True
    ):
        if weight != 0:
            out[pre].append((post, weight, delay))
    return out
