"""Every case there is: all products of a decay, all steps of neurons of four bits.

`make test` runs a cut of each; `make verify` runs all of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from parallel import in_processes
from pydantic import TypeAdapter

from neuro_lif import available_profiles, load_profile
from neuro_lif.emulator import OpList
from neuro_lif.emulator.program import Model
from neuro_lif.emulator.quick import written
from neuro_lif.formats import OVERFLOWS, ROUNDINGS
from neuro_lif.kernel import native
from neuro_lif.numerics import resolve, walk
from neuro_lif.op_models import Op
from neuro_lif.semantics import neuron_step

IntArray = npt.NDArray[np.int64]

STRIDE = int(os.environ.get("NEURO_LIF_VERIFY_STRIDE", "1"))
"""`make verify` takes every such decay, and every such combination of modes; 1 is all."""

# ------------------------------------------------------------------ the product of a decay

K = 12
LOW, HIGH = 2**K, 2 ** (23 - K)
"""A magnitude below 2^23 is ``low + LOW * high``."""
TOGETHER = 8
"""High parts of one call: 2^15 values, which stay in the cache."""

Form = tuple[str, str, int]
"""(kind, rounding, offset) of a decay by a factor in 1/4096."""


def decay_forms() -> dict[Form, Any]:
    """Return the distinct decays in 1/4096 of all shipped profiles, one operation each."""
    found: dict[Form, Any] = {}
    profiles = [load_profile(name) for name in available_profiles()]
    profiles += [load_profile("generic", rounding=r) for r in ("floor", "nearest_up")]
    for profile in profiles:
        for op in (op for model in profile.models for op in walk(profile.ops(model))):
            if op["op"] == "decay" and op["k"] == K:
                form = (op["kind"], op["round"], op["offset"])
                found.setdefault(form, op | {"ovf": (), "into": None})
    return found


LEAK: Form = ("mult_keep", "rtz", 0)
"""v (4096 - dv) / 4096 toward zero: what Lava's, Loihi's and nengo-loihi's v does."""


def slope(form: Form, d: int) -> int:
    """Return how much more is left of a magnitude that is larger by 4096.

    That it is so for every magnitude is proved in test_lemmas.py.
    """
    kind, _, offset = form
    return d if kind == "mult_by" else LOW - offset - d


def table_of(op: Any, d: int, sign: int) -> IntArray:
    """Return what the living definition leaves of ``sign * 0 .. sign * 4095``."""
    left = []
    for low in range(LOW):
        state = {op["reg"]: sign * low}
        neuron_step((op,), {op["d"]: d}, state, {})
        left.append(state[op["reg"]])
    return np.array(left, np.int64)


def decay_differences(job: tuple[Form, int, Any]) -> tuple[int, int]:
    """Compare every magnitude of both signs under one decay.

    Args:
        job: the form, ``d``, and what the emulator is given instead of the form's operation.

    Returns:
        (values compared, differences).
    """
    form, d, given = job
    op = decay_forms_once()[form]
    register, compared, different = op["reg"], 0, 0
    neurons = OpList((given or op,), {op["d"]: np.full(LOW, d)},
                     {register: np.zeros((TOGETHER, LOW)), "ref": np.zeros(LOW)})  # fmt: skip
    silence = np.zeros(LOW, np.int64)
    compiled, factor = native(), factor_of(form, d)
    highs = np.arange(TOGETHER)[:, None]
    for sign in (1, -1):
        block = sign * (np.arange(LOW) + LOW * highs)
        expected = table_of(op, d, sign) + sign * slope(form, d) * highs
        for start in range(0, HIGH, TOGETHER):
            neurons.state[register] = block + sign * LOW * start
            neurons.step(silence)
            wanted = expected + sign * slope(form, d) * start
            different += int(np.count_nonzero(neurons.state[register] != wanted))
            if compiled is not None and factor is not None and given is None:
                values = np.ascontiguousarray(block + sign * LOW * start, np.int32)
                left = compiled.decayed(values.ravel(), factor).reshape(wanted.shape)
                different += int(np.count_nonzero(left != wanted))
            compared += wanted.size
    return compared, different


def factor_of(form: Form, d: int) -> float | None:
    """Return by what the kernel multiplies in float32, None where it takes another way."""
    kind, rounding, offset = form
    if rounding != "rtz" or kind == "mult_step":
        return None
    return (d if kind == "mult_by" else LOW - offset - d) / LOW


_forms: dict[Form, Any] = {}


def decay_forms_once() -> dict[Form, Any]:
    """Return the forms, read once in each process."""
    if not _forms:
        _forms.update(decay_forms())
    return _forms


def decays_of(form: Form) -> range:
    """Return every decay of a form: 4097, or as many as leave the factor at 0 or above."""
    return range(LOW + 1 - form[2])


SOME = (0, 1, 163, 2048, 4095, 4096)


def test_decay_product_of_every_magnitude_some_decays() -> None:
    """2^23 magnitudes of both signs, six decays; and every form with one."""
    found = [decay_differences((LEAK, d, None)) for d in SOME]
    found += [decay_differences((form, 163, None)) for form in decay_forms_once()]
    assert all(different == 0 for _, different in found)
    assert {compared for compared, _ in found} == {2**24}


def test_decay_product_check_finds_another_rounding() -> None:
    """The check above, given floor instead of toward zero: it differs below zero, not above."""
    op = decay_forms_once()[LEAK] | {"round": "floor"}
    compared, different = decay_differences((LEAK, 163, op))
    inexact = sum(1 for m in range(LOW) if m * (LOW - 163) % LOW) * HIGH
    assert (compared, different) == (2**24, inexact)


@pytest.mark.verify
def test_decay_product_of_every_magnitude_every_decay(record_figure: Callable[..., None]) -> None:
    """All 2^23 x 4097 products of both signs; the other forms with every 64th decay."""
    leaks = [(LEAK, d, None) for d in decays_of(LEAK)[::STRIDE]]
    others = [(f, d, None) for f in decay_forms_once() if f != LEAK for d in decays_of(f)[::64]]
    found = in_processes(decay_differences, leaks + others)
    compared, different = (sum(column) for column in zip(*found[: len(leaks)], strict=True))
    more, wrong = (sum(column) for column in zip(*found[len(leaks) :], strict=True))
    record_figure(
        f"decay product: {compared:,} (magnitude, decay, sign) of the numpy engine and "
        f"{'of the kernel' if native() else 'NOT of the kernel, which is not there'} against the "
        f"living definition, {different} differences; {more:,} of "
        f"{len(decay_forms_once()) - 1} other forms, {wrong} differences"
    )
    assert compared == 2**24 * len(leaks)
    assert (different, wrong) == (0, 0)


# ------------------------------------------------------------------ a whole neuron of 4 bits

REGISTERS = {"u": (-8, 7), "v": (-8, 7)}
INPUTS = range(-8, 8)
DECAYS = range(5)
"""With k = 2: from nothing kept or lost to everything."""
KINDS = (
    *((kind, r) for kind in ("mult_keep", "mult_step", "mult_by") for r in ROUNDINGS),
    *((kind, "floor") for kind in ("shift", "linear", "linear_to_zero")),
)
RESETS = ("value", "subtract", "none")
Modes = tuple[str, tuple[str, str], str, str, str, bool]
"""(overflow, (decay, rounding), reset, compare, multi, refractory)."""
Params = dict[str, int]
Events = dict[Any, list[int]]
"""(operation, register, kind) -> the state of each event."""


def neuron_of(modes: Modes) -> Any:
    """Return the operations of a LIF neuron with these modes."""
    overflow, (kind, rounding), reset, compare, multi, refractory = modes
    rule = [{"mode": overflow}]
    leak = {"op": "decay", "kind": kind, "k": 2, "round": rounding, "min_step": 1, "ovf": rule}
    ops: list[dict[str, Any]] = [
        leak | {"reg": "u", "d": "du"},
        {"op": "acc", "reg": "u", "shift": 1, "sum_ovf": [{"mode": overflow, "lo": -4, "hi": 3}],
         "ovf": rule},
        leak | {"reg": "v", "d": "dv"},
        {"op": "add", "reg": "v", "src": "u", "ovf": rule},
    ]  # fmt: skip
    fire = {"op": "fire", "reg": "v", "thr": "vth", "cmp": compare, "multi": multi, "cap": 3,
            "reset": reset, "value": "reset", "ovf": rule}  # fmt: skip
    if not refractory:
        ops.append(fire)
    else:
        held = [{"op": "set", "reg": "v", "value": -1}]
        ops += [{"op": "if_ref", "then": held, "else": [fire | {"ref": 2}]}, {"op": "tick_ref"}]
    return resolve(TypeAdapter(tuple[Op, ...]).validate_python(ops), REGISTERS)


def all_modes() -> list[Modes]:
    """Return every combination of modes."""
    return list(product(OVERFLOWS, KINDS, RESETS, (">", ">="), ("once", "loop"), (False, True)))


def jobs_of_a_neuron() -> Iterator[tuple[Modes, list[Params]]]:
    """Yield what to run: modes, and the parameters to run them with, all states each.

    Every combination of modes; every decay of u and of v with every kind of decay and overflow;
    every threshold with every way to fire.
    """
    for i, modes in enumerate(all_modes()):
        drawn = {"du": i % 5, "dv": (i // 5) % 5, "vth": i % 11 - 2, "reset": i % 7 - 3}
        yield modes, [drawn]
    for overflow, kind in product(OVERFLOWS, KINDS):
        pairs = product(DECAYS, DECAYS)
        rows = [{"du": du, "dv": dv, "vth": 5, "reset": 0} for du, dv in pairs]
        yield (overflow, kind, "value", ">=", "once", False), rows
    for overflow, reset, *rest in product(OVERFLOWS, RESETS, (">", ">="), ("once", "loop"),
                                          (False, True)):  # fmt: skip
        fires = [{"du": 1, "dv": 1, "vth": vth, "reset": -2} for vth in range(-8, 8)]
        yield (overflow, ("mult_keep", "rtz"), reset, *rest), fires  # type: ignore[misc]


def states_of(modes: Modes) -> dict[str, IntArray]:
    """Return every (u, v, counter, input)."""
    spans = [range(lo, hi + 1) for lo, hi in REGISTERS.values()]
    counters = range(2) if modes[-1] else range(1)
    grid = np.meshgrid(*spans, counters, INPUTS, indexing="ij")
    return dict(zip(("u", "v", "ref", "in"), (g.ravel() for g in grid), strict=True))


def by_definition(ops: Any, params: Params, states: dict[str, IntArray]) -> Any:
    """Return registers, spikes and events of one step of every state, by the living definition."""
    after: dict[str, list[int]] = {"u": [], "v": [], "ref": [], "sent": []}
    events: Events = {}
    rows = zip(*(states[name].tolist() for name in ("u", "v", "ref", "in")), strict=True)
    for i, (u, v, ref, arriving) in enumerate(rows):
        state = {"u": u, "v": v, "ref": ref}

        def told(*event: Any, i: int = i) -> None:
            events.setdefault(event, []).append(i)

        after["sent"].append(neuron_step(ops, params, state, {"in": arriving}, told))
        for name, value in state.items():
            after[name].append(value)
    return after, events


def by_arrays(ops: Any, params: Params, states: dict[str, IntArray]) -> Any:
    """Return the same by the emulator, all states in one array."""
    events: Events = {}

    def told(place: int, register: str, kind: str, where: Any) -> None:
        events.setdefault((place, register, kind), []).extend(np.flatnonzero(where).tolist())

    size = states["u"].size
    given = {name: np.full(size, value) for name, value in params.items()}
    neurons = OpList(ops, given, {k: a for k, a in states.items() if k != "in"}, told)
    sent = neurons.step(states["in"])
    return neurons.state | {"sent": sent}, events


def by_kernel(ops: Any, params: Params, states: dict[str, IntArray]) -> Any:
    """Return registers, spikes and, of every kind of event, (count, lowest state), by the kernel.

    None where there is no kernel.
    """
    module = native()
    if module is None:
        return None
    numbers: dict[Any, int] = {}
    names, size = ["ref", "u", "v"], states["u"].size
    given = {name: np.full(size, value) for name, value in params.items()}
    model = Model(ops, given, names, ["in"], lambda e: numbers.setdefault(e, len(numbers)))
    start = {"ref": (0, 100)} | dict.fromkeys(("u", "v"), (-100, 100))
    exact, quick, _ = written(model, start, {"in": (-8, 7)})
    kernel = module.Kernel()
    initial = np.stack([states[name] for name in names]).astype(np.int64)
    kernel.add_population(size, 3, 1, exact.params, initial, [start[name] for name in names])
    kernel.set_exact(0, exact.code(), exact.rule_table(), exact.constants)
    if quick is not None:
        kernel.set_quick(0, quick.code(), quick.rule_table(), quick.constants, quick.params,
                         quick.factors)  # fmt: skip
    kernel.finish(len(numbers))
    run = module.Run(kernel, 1, [7])
    run.feed(False, 0, 0, np.ascontiguousarray(states["in"][None, None], np.int64))
    run.advance(1, 1, False)
    after = {name: run.register(0, 0, k) for k, name in enumerate(names)}
    found = {k: (count, neuron) for k, count, _, neuron in run.events()}
    told = {key: found[k] for key, k in numbers.items() if k in found}
    return after | {"sent": run.last_sent(0, 0)}, told


def compare_neuron(job: tuple[Modes, list[Params]]) -> tuple[int, int, int, int]:
    """Return (transitions, events, spikes, differences) of the numpy engine and the kernel."""
    modes, rows = job
    ops, states = neuron_of(modes), states_of(modes)
    steps = events = spikes = different = 0
    for params in rows:
        after, told = by_definition(ops, params, states)
        got, heard = by_arrays(ops, params, states)
        steps += len(after["u"])
        events += sum(map(len, told.values()))
        spikes += sum(after["sent"])
        different += sum(int(np.sum(np.array(after[k]) != got[k])) for k in after)
        for key in told.keys() | heard.keys():
            a, b = (
                np.bincount(np.array(e.get(key, []), int), minlength=len(after["u"]))
                for e in (told, heard)
            )
            different += int(np.abs(a - b).sum())
        compiled = by_kernel(ops, params, states)
        if compiled is not None:
            left, counted = compiled
            different += sum(int(np.sum(np.array(after[k]) != left[k])) for k in after)
            wanted = {key: (len(where), min(where)) for key, where in told.items()}
            different += len(wanted.items() ^ counted.items())
    return steps, events, spikes, different


def test_whole_neuron_some_combinations() -> None:
    """All states of every 71st combination of modes."""
    found = [compare_neuron((modes, rows[:3])) for modes, rows in list(jobs_of_a_neuron())[::71]]
    steps, events, spikes, different = (sum(column) for column in zip(*found, strict=True))
    assert different == 0
    assert steps > 100_000 and events > steps / 4 and spikes > steps / 10


def test_whole_neuron_check_finds_a_wrong_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above sees a threshold, an end of a range and a register's name that are wrong."""
    modes, rows = list(jobs_of_a_neuron())[-1]
    job = (modes, rows[9:12])
    assert compare_neuron(job)[-1] == 0
    above, bound = OpList._above, OpList._bound

    def later(self: Any, op: Any, value: IntArray, threshold: IntArray) -> Any:
        return above(self, op, value, threshold + 1)

    def narrower(self: Any, x: IntArray, rules: Any, *rest: Any) -> IntArray:
        return bound(self, x, [(mode, lo, hi - 1) for mode, lo, hi in rules], *rest)

    def misnamed(self: Any, x: IntArray, rules: Any, op: Any, name: str, where: Any) -> IntArray:
        return bound(self, x, rules, op, "x", where)

    for name, wrong in (("_above", later), ("_bound", narrower), ("_bound", misnamed)):
        monkeypatch.setattr(OpList, name, wrong)
        assert compare_neuron(job)[-1] > 0
        monkeypatch.undo()


@pytest.mark.verify
def test_whole_neuron_every_combination(record_figure: Callable[..., None]) -> None:
    """At least 2^24 transitions."""
    found = in_processes(compare_neuron, list(jobs_of_a_neuron())[::STRIDE])
    steps, events, spikes, different = (sum(column) for column in zip(*found, strict=True))
    record_figure(
        f"whole neuron of 4 bits: {steps:,} transitions of {len(all_modes())} combinations of "
        f"modes, {events:,} overflows, {spikes:,} spikes, {different} differences"
    )
    assert STRIDE > 1 or steps >= 2**24
    assert different == 0
