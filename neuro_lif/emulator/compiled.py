"""Builds the kernel's network from a FixedNetwork, or says why it cannot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ..fixed import FixedNetwork, FixedPoisson, FixedProjection
from ..kernel import missing_reason, native
from ..numerics import ports_of, walk
from ..runs import may_lose_counts
from ..stored import delivered_weights
from .bounds import FLOAT32, INT32
from .program import MOST_EVENTS, MOST_PORTS, Event, Model, Program, live_registers
from .quick import written
from .synapses import Rows, rows_of

Array = npt.NDArray[Any]

GRADED_MOST = 2**28
"""What the values of one step, times their weights, may add up to; more is run elsewhere."""

RING_MOST = 2**30
"""Sums of weights above this are not kept in 32 bits."""


class NotInKernel(Exception):
    """The kernel does not run this network; the reason is the message."""


@dataclass
class Built:
    """A network in the kernel and what its numbers mean.

    Args:
        kernel: the compiled network.
        registers: name -> number.
        ports: population -> port -> number.
        live: population -> bits of the registers that live on.
        sources: source -> number.
        populations: population -> number.
        events: event number -> (where, register, kind, operation).
        why: population -> why it does not run in 32 bits, empty where it does.
    """

    kernel: Any
    registers: dict[str, int]
    ports: dict[str, dict[str, int]]
    live: dict[str, int]
    sources: dict[str, int]
    populations: dict[str, int]
    events: list[tuple[str, str, str, int]] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)

    def event(self, where: str, register: str, kind: str, operation: int) -> int:
        """Return the number of an event, a new one if need be."""
        key = (where, register, kind, operation)
        if key not in self.events:
            self.events.append(key)
        return self.events.index(key)


_built: WeakKeyDictionary[FixedNetwork, Built | str] = WeakKeyDictionary()


def built(fixed: FixedNetwork) -> Built:
    """Return a network in the kernel; the second call for a network is quick.

    Raises:
        NotInKernel: with the reason.
    """
    if fixed not in _built:
        try:
            _built[fixed] = _build(fixed)
        except NotInKernel as reason:
            _built[fixed] = str(reason)
    found = _built[fixed]
    if isinstance(found, str):
        raise NotInKernel(found)
    return found


def _build(fixed: FixedNetwork) -> Built:
    module = native()
    if module is None:
        raise NotInKernel(f"the compiled kernel is not there: {missing_reason()}")
    _check(fixed)
    names = ["ref", *(r for r in fixed.profile.registers if r != "ref")]
    if len(names) > module.MOST_REGISTERS:
        raise NotInKernel(f"{len(names)} registers")
    out = Built(
        module.Kernel(), {name: k for k, name in enumerate(names)},
        {p.name: _ports(fixed, p.name) for p in fixed.populations}, {}, {},
        {p.name: k for k, p in enumerate(fixed.populations)},
    )  # fmt: skip
    for source in fixed.sources:
        out.sources[source.name] = out.kernel.add_source(source.size)
    synapses = [(p, _rows(fixed, p)) for p in fixed.projections]
    for population in fixed.populations:
        _add_population(fixed, population.name, out, synapses, names)
    for drive in fixed.poissons:
        _add_drive(fixed, drive, out)
    for place, (projection, rows) in enumerate(synapses):
        _add_projection(fixed, projection, rows, out)
        if may_lose_counts(fixed, projection):
            event = out.event(projection.name, "payload", "binary", -1)
            out.kernel.count_binary(place, event)
    out.kernel.finish(len(out.events))
    return out


def _check(fixed: FixedNetwork) -> None:
    for p in fixed.populations:
        if p.alias is not None:
            raise NotInKernel(f"population {p.name!r} has aliases")
        if ports_of(fixed.profile.ops(p.model)):
            raise NotInKernel(f"population {p.name!r} takes events one by one")
    places = {p.name: k for k, p in enumerate(fixed.populations)}
    for q in fixed.projections:
        soonest = fixed.latency(q) + (int(np.min(q.delays)) if np.size(q.delays) else 1)
        if q.pre in places and soonest < 1 and places[q.pre] >= places[q.post]:
            raise NotInKernel(f"projection {q.name!r} arrives in the step it was sent")


def _ports(fixed: FixedNetwork, name: str) -> dict[str, int]:
    ops = walk(fixed.profile.ops(fixed.population(name).model))
    ports = list(dict.fromkeys(op["port"] for op in ops if op["op"] == "acc"))
    if len(ports) > MOST_PORTS:
        raise NotInKernel(f"population {name!r} has {len(ports)} ports")
    return {port: k for k, port in enumerate(ports)}


def _rows(fixed: FixedNetwork, p: FixedProjection) -> Rows:
    try:
        rows = rows_of(delivered_weights(fixed.profile, p), p.delays)
    except OverflowError as error:
        raise NotInKernel(f"projection {p.name!r}: {error}") from None
    exponent = fixed.sum_exponent(p)
    most = _most(fixed, p, rows)
    shifted = most << max(exponent, 0)
    for _, lo, hi in fixed.accumulator(p):
        if most > min(-lo, hi) or shifted > min(-lo, hi):
            raise NotInKernel(f"projection {p.name!r}: its accumulator may overflow")
    if shifted > RING_MOST or rows.shift + exponent > 30:
        raise NotInKernel(f"projection {p.name!r}: its sums may leave 32 bits")
    if exponent < 0 and rows.segment_start is not None:
        raise NotInKernel(f"projection {p.name!r}: sums of several delays are shifted right")
    if p.graded and int(rows.row_most.max(initial=0)) > GRADED_MOST:
        raise NotInKernel(f"projection {p.name!r}: its weights may leave 32 bits")
    return rows


def _most(fixed: FixedNetwork, p: FixedProjection, rows: Rows) -> int:
    """Return a bound of what arrives in one step, before the exponent."""
    if not p.graded:
        return rows.reach
    limit = GRADED_MOST >> max(fixed.sum_exponent(p), 0)
    for _, lo, hi in fixed.accumulator(p):
        limit = min(limit, min(-lo, hi) >> max(fixed.sum_exponent(p), 0))
    return max(limit // rows.n_delays, 0) * rows.n_delays


def _add_population(
    fixed: FixedNetwork, name: str, out: Built, synapses: list[tuple[FixedProjection, Rows]],
    names: list[str],
) -> None:  # fmt: skip
    population = fixed.population(name)
    ops = fixed.profile.ops(population.model)
    own = fixed.profile.used_params(population.model)
    params = {k: np.ascontiguousarray(v, np.int64) for k, v in fixed.params(name).items()
              if k in own}  # fmt: skip
    ports = out.ports[name]

    def event(found: Event) -> int:
        return out.event(name, found[1], found[2], found[0])

    model = Model(ops, params, names, list(ports), event)
    live = live_registers(ops, names)
    arriving = {port: _arriving(fixed, name, port, synapses) for port in ports}
    start = {r: _start_span(fixed, r, ops) for r in names}
    before = len(out.events)
    exact, quick, why = written(model, start, arriving)
    if len(out.events) - before > MOST_EVENTS:
        raise NotInKernel(f"population {name!r}: {len(out.events) - before} kinds of overflow")
    out.why[name] = why
    out.live[name] = sum(1 << out.registers[r] for r in live)
    initial = fixed.initial(name)
    rows = np.stack([np.asarray(initial[r], np.int64) for r in names])
    spans = [start[r] if r in live else INT32 for r in names]
    number = out.kernel.add_population(
        population.size, len(names), len(ports), exact.params,
        np.ascontiguousarray(rows), spans,
    )  # fmt: skip
    out.kernel.set_exact(number, exact.code(), exact.rule_table(), exact.constants)
    if quick is not None:
        _set_quick(out.kernel, number, quick)


def _set_quick(kernel: Any, number: int, quick: Program) -> None:
    kernel.set_quick(number, quick.code(), quick.rule_table(), quick.constants, quick.params,
                     quick.factors)  # fmt: skip


def _start_span(fixed: FixedNetwork, register: str, ops: Any) -> tuple[int, int]:
    """Return the interval a register is expected in; what leaves it is run in 64 bits."""
    if register == "ref":
        return (0, 2**30)
    lo, hi = fixed.profile.registers[register].span
    for op in walk(ops):  # a rule's own range may reach one further than the register's
        rules, target = op.get("ovf", ()), op.get("into") or op.get("reg")
        if target == register and rules:
            lo, hi = min(lo, rules[-1][1]), max(hi, rules[-1][2])
    return (max(lo, -FLOAT32), min(hi, FLOAT32))


def _arriving(
    fixed: FixedNetwork, name: str, port: str, synapses: list[tuple[FixedProjection, Rows]]
) -> tuple[int, int]:
    total = 0
    for p, rows in synapses:
        if p.post == name and p.port == port:
            total += _most(fixed, p, rows) << max(fixed.sum_exponent(p), 0)
    for drive in fixed.poissons:
        if drive.population == name and drive.port == port:
            total += int(np.abs(drive.span(fixed.population(name).size)).max(initial=0))
    if total > RING_MOST:
        raise NotInKernel(f"population {name!r}: its input may leave 32 bits")
    noise = fixed.profile.noise
    if any(d.population == name and d.port == port for d in fixed.directs):
        return INT32
    if noise is not None and noise.port == port:
        return INT32
    return (-total, total)


def _add_drive(fixed: FixedNetwork, drive: FixedPoisson, out: Built) -> None:
    if drive.port not in out.ports[drive.population]:
        return  # nothing reads it
    if len(drive.tables) > 2**16:
        raise NotInKernel(f"input {drive.name!r} has {len(drive.tables)} different means")
    span = drive.span(fixed.population(drive.population).size)
    if max(int(np.abs(span).max(initial=0)), int(np.abs(drive.weight).max())) > RING_MOST:
        raise NotInKernel(f"input {drive.name!r} may leave 32 bits")
    out.kernel.add_drive(
        out.populations[drive.population], out.ports[drive.population][drive.port],
        int(drive.seed), int(fixed.seed), [list(table) for table in drive.tables],
        drive.table_of.tolist() if drive.table_of.ndim else [], drive.weight.reshape(-1).tolist(),
    )  # fmt: skip


def _add_projection(fixed: FixedNetwork, p: FixedProjection, rows: Rows, out: Built) -> None:
    if p.port not in out.ports[p.post]:
        raise NotInKernel(f"projection {p.name!r} leads to a port that nothing reads")
    exponent = fixed.sum_exponent(p)
    post, ring = out.populations[p.post], out.ports[p.post][p.port]
    if exponent < 0:
        ring = out.kernel.add_ring(post, ring, min(-exponent, 31))
    from_source = p.pre in out.sources
    pre = out.sources[p.pre] if from_source else out.populations[p.pre]
    shift = rows.shift + max(exponent, 0)
    per_step = _most(fixed, p, rows) // rows.n_delays
    common = (from_source, pre, post, ring, fixed.latency(p), bool(p.graded))
    if rows.posts is None:
        out.kernel.add_dense(*common, rows.weights, rows.n_post, shift, rows.delay, rows.row_most,
                             per_step)  # fmt: skip
        return
    weight = rows.weight << max(exponent, 0)
    out.kernel.add_sparse(
        *common, rows.n_pre, rows.n_post, rows.row_start, rows.segment_start, rows.segment_delay,
        rows.delay, rows.posts, rows.weights, weight, shift, rows.row_most, per_step,
    )  # fmt: skip
