"""Networks that overflow all the time: the events counted are those of big integers.

Two oracles. The living definition runs the network on Python integers, which have no width; it is
run with a counting of its own here, which looks at every value before a rule is applied. And for
the plain LIF all of a step is written down once more, apart from everything in the package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from dialect_networks import used_params
from parallel import in_processes

from neuro_lif import (
    DirectInput,
    FixedNetwork,
    FixedPopulation,
    FixedProjection,
    FixedSource,
    available_profiles,
    load_profile,
    machine,
    run_fixed,
    run_semantics,
    semantics,
)
from neuro_lif.numerics import OVERFLOW_FIELDS, walk

Rng = np.random.Generator

SOURCES = 4
STEPS = 20
CONFIGS: dict[str, tuple[dict[str, Any], ...]] = {
    "generic": (
        {"overflow": "sat", "state_bits": 16, "sum_bits": 12},
        {"overflow": "wrap", "state_bits": 12, "sum_bits": 8, "compare": ">="},
        {"overflow": "wrap", "state_bits": 8, "rounding": "floor", "align_shift": 2},
    )
}
"""What profiles with a [config] are loaded with, in turn."""


def extreme(rng: Rng, span: tuple[int, int], size: Any) -> Any:
    """Return numbers of a range, most of them near an end."""
    lo, hi = span
    near = rng.integers(0, max((hi - lo) // 8, 1), size, endpoint=True)
    anywhere = rng.integers(lo, hi, size, endpoint=True)
    kind = rng.integers(0, 4, size)
    found = np.where(kind == 0, lo + near, np.where(kind < 3, hi - near, anywhere))
    return np.clip(found, lo, hi)


def loud_population(rng: Rng, profile: Any, model: str, size: int) -> FixedPopulation:
    """Return a population of a model with parameters near the ends of their ranges."""
    params = {}
    longest = max((op["cap"] for op in walk(profile.ops(model)) if op["op"] == "fire"), default=1)
    for key in used_params(profile, model):
        p = profile.params[key]
        lo, hi = p.span
        if longest > 1000 and key == "thr":  # else one step is thousands of spikes
            lo = max(lo, hi // 16)
        found = extreme(rng, (lo, hi), size)
        if rng.random() < 0.4:  # a threshold that is never reached, no decay
            found = rng.choice([lo, hi]) + np.zeros(size, np.int64)
        params[key] = found if p.per == "neuron" else int(found[0])
    init = {r: extreme(rng, span, size) for r, span in profile.register_ranges.items()}
    alias = None
    if profile.routing.alias:  # to one of the others, or nowhere
        alias = np.where(rng.random(size) < 0.5, rng.permutation(size), -1)
        alias[alias == np.arange(size)] = -1
    return FixedPopulation(f"p {model}", size, model, params, init, alias=alias)


def loud_projection(
    rng: Rng, profile: Any, name: str, pre: Any, post: Any, port: str, graded: bool
) -> FixedProjection:
    """Return a projection with weights and an exponent near the ends of their ranges."""
    rules, routing = profile.weights, profile.routing
    mode = str(rng.choice(["mixed", "excitatory", "inhibitory"]))
    weights = extreme(rng, rules.mode_range(mode), (post.size, pre.size))
    weights = np.where(rng.random(weights.shape) < 3 / pre.size, weights, 0)
    exponent = rules.exponent_hi if rng.random() < 0.7 else 0
    delay = int(rng.integers(routing.delay_lo, min(routing.delay_hi, 3) + 1))
    return FixedProjection(name, pre.name, post.name, weights, exponent, mode, delays=delay,
                           graded=graded and routing.payload_bits > 0, port=port)  # fmt: skip


def loud(rng: Rng, profile: Any, size: int) -> FixedNetwork:
    """Return a network of all models of a profile, driven far out of its ranges."""
    routing = profile.routing
    populations = [loud_population(rng, profile, m, size) for m in profile.models]
    raster = rng.integers(0, 2, (STEPS, SOURCES))
    if any(profile.event_ports(p.model) for p in populations):
        raster = rng.choice(
            [0, 0, 0, 0, 1, 2, 18, 40], raster.shape
        )  # an event is a turn of a loop
    elif routing.payload_bits:
        far = 2 ** min(int(rng.integers(1, 32)), routing.payload_bits)
        raster = rng.integers(-far if routing.payload_bits > 16 else 0, far, raster.shape)
    if not routing.payload_bits:
        raster = np.minimum(raster, 1)
    source = FixedSource("s", SOURCES, raster)
    projections, directs = [], []
    for p in populations:
        singly = profile.event_ports(p.model)
        for port in sorted(profile.ports(p.model)):
            name, ends = f"{p.name} {port}", (port, True)
            projections.append(loud_projection(rng, profile, f"in {name}", source, p, *ends))
            if rng.random() < 0.5:  # counts that breed events that breed counts have no end
                ends = (port, port not in singly)
                projections.append(loud_projection(rng, profile, f"own {name}", p, p, *ends))
            far = 2 ** int(rng.integers(4, 15 if port in singly else 34))
            values = rng.integers(-far, far, (STEPS, size))
            directs.append(DirectInput(f"direct {name}", p.name, values, port=port))
    return FixedNetwork(profile, tuple(populations), tuple(projections), (source,),
                        tuple(directs), seed=int(rng.integers(2**32)))  # fmt: skip


# ------------------------------------------------------------------ counting big integers


def brought(x: int, mode: str, lo: int, hi: int) -> int:
    """Return an integer brought into its range, written down without looking at the package."""
    if mode == "sat":
        return sorted((lo, x, hi))[1]
    period = hi - lo + 1
    if mode == "wrap_once":
        return x + period * ((x < lo) - (x > hi))
    return lo + divmod(x - lo, period)[1]


def bounded(self: Any, x: int, rules: Any, name: str, op: Any) -> int:
    """Apply overflow rules, telling of every value that is outside of a range."""
    for mode, lo, hi in rules:
        if not lo <= x <= hi:
            self.on_event(op["at"], name, mode)
            x = brought(x, mode, lo, hi)
    return x


def bounded_sum(self: Any, p: Any, x: int, post: int) -> int:
    """The same of the sums of a projection."""
    for mode, lo, hi in self.fixed.accumulator(p):
        if not lo <= x <= hi:
            self.counter.add(p.name, -1, "sum", mode, post)
            x = brought(x, mode, lo, hi)
    return x


@contextmanager
def own_counting() -> Iterator[None]:
    """Let the living definition count what is outside of a range, as it is said above."""
    kept = (semantics.Neuron.bounded, machine.Machine._bounded)
    semantics.Neuron.bounded, machine.Machine._bounded = bounded, bounded_sum  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        semantics.Neuron.bounded, machine.Machine._bounded = kept  # type: ignore[method-assign]


def events_of(recording: Any) -> dict[Any, tuple[int, int, int]]:
    """Return (place, register, kind, operation) -> (count, first step, first neuron)."""
    return {
        (e.where, e.register, e.kind, e.operation): (e.count, e.first_step, e.first_neuron)
        for e in recording.events
        if e.first_step
    }


def compare_events(job: tuple[str, int, int, int]) -> dict[str, int]:
    """Run random networks of a profile by emulator and big integers.

    Args:
        job: the profile, the seed, how many neuron-steps at least, and the size of a population.

    Returns:
        neuron-steps, events, places, those missed and invented, steps and neurons that are named
        wrong, and registers or spikes that differ.
    """
    name, seed, wanted, _ = job
    rng = np.random.default_rng([seed, *name.encode()])
    configs = CONFIGS.get(name, ({},))
    profiles = [load_profile(name, **config) for config in configs]
    found = dict.fromkeys(("steps", "events", "places", "missed", "invented", "wrong", "values"), 0)
    while found["steps"] < wanted:
        for profile in profiles:
            fixed = loud(rng, profile, job[3])
            fast = run_fixed(fixed, STEPS, record="registers")
            with own_counting():
                slow = run_semantics(fixed, STEPS, record="registers")
            tally(found, fixed, fast, slow)
    return found


def tally(found: dict[str, int], fixed: FixedNetwork, fast: Any, slow: Any) -> None:
    """Add what two runs of a network have in common and what not."""
    got, expected = events_of(fast), events_of(slow)
    found["steps"] += STEPS * sum(p.size for p in fixed.populations)
    found["events"] += sum(count for count, *_ in expected.values())
    found["places"] += len(expected)
    for key in got.keys() | expected.keys():
        mine, theirs = got.get(key, (0, 0, 0)), expected.get(key, (0, 0, 0))
        found["missed"] += max(theirs[0] - mine[0], 0)
        found["invented"] += max(mine[0] - theirs[0], 0)
        found["wrong"] += mine[1:] != theirs[1:]
    for one, other in ((slow.spikes, fast.spikes), (slow.traces, fast.traces)):
        found["values"] += sum(int(np.sum(a != other[k])) for k, a in one.items())


def summed(found: list[dict[str, int]]) -> dict[str, int]:
    return {key: sum(f[key] for f in found) for key in found[0]}


FAULTS = ("missed", "invented", "wrong", "values")


def ruled(name: str) -> bool:
    """Tell whether a profile has rules of overflow; without any, nothing can be counted."""
    profile = load_profile(name)
    ops = [op for model in profile.models for op in walk(profile.ops(model))]
    return any(op["op"] == "clamp" or any(op.get(key) for key in OVERFLOW_FIELDS) for op in ops)


RULED = sorted(filter(ruled, available_profiles()))


def test_forced_overflow_some_networks() -> None:
    """A network or more of every profile: no event missed, none invented."""
    assert len(RULED) >= 11
    for name in RULED:
        found = compare_events((name, 0, 1, 16))
        assert {key: found[key] for key in FAULTS} == dict.fromkeys(FAULTS, 0), name
        assert found["events"] > found["steps"] / 4, (name, found)


def test_forced_overflow_check_finds_a_wrong_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above sees an emulator that misses values, here those near the ends of a range."""
    assert compare_events(("loihi2", 1, 1, 16))["events"] > 0
    right = semantics.overflow

    def bounded_less(self: Any, x: int, rules: Any, name: str, op: Any) -> int:
        for mode, lo, hi in rules:
            if not lo + 5000 <= x <= hi - 5000:
                self.on_event(op["at"], name, mode)
            x = right(x, mode, lo, hi)
        return x

    monkeypatch.setitem(globals(), "bounded", bounded_less)
    found = compare_events(("loihi2", 1, 1, 16))
    assert found["missed"] > 0 and found["invented"] == found["values"] == 0


@pytest.mark.verify
def test_forced_overflow_of_ten_million_steps(record_figure: Callable[..., None]) -> None:
    """10^7 neuron-steps in all dialects, fewer of those that take events one by one."""
    singly = [n for n in RULED if any(map(load_profile(n).event_ports, load_profile(n).models))]
    sums = [name for name in RULED if name not in singly]
    share = 9_800_000 // (8 * len(sums)) + 1
    jobs = [(name, 1, 50_000, 96) for name in singly]
    jobs += [(name, seed, share, 96) for seed in range(1, 9) for name in sums]
    parts = in_processes(compare_events, jobs)
    found = summed(parts)
    record_figure(
        f"forced overflow: {found['steps']:,} neuron-steps in {len(RULED)} profiles, "
        f"{found['events']:,} events counted, {found['missed']} missed, {found['invented']} "
        f"invented, {found['wrong']} first steps or neurons wrong, {found['values']} values differ"
    )
    assert {key: found[key] for key in FAULTS} == dict.fromkeys(FAULTS, 0)
    assert found["steps"] >= 10_000_000
    assert all(part["events"] for part in parts)


# ------------------------------------------------------------------ the LIF written down again


def plain_lif(p: dict[str, int], port: list[int], start: tuple[int, int]) -> list[tuple[int, str]]:
    """Return (step, what overflowed) of Lava's LIF, on fractions without rounding or width.

    Source: lava-nc 0.10.0, lava/proc/lif/models.py, PyLifModelBitAcc; what wraps or is cut there.
    """
    u, v = start
    found = []

    def into(t: int, what: str, x: int, mode: str, lo: int, hi: int) -> int:
        if lo <= x <= hi:
            return x
        found.append((t, what))
        return brought(x, mode, lo, hi)

    word = (-(2**31), 2**31 - 1)
    for t, arriving in enumerate(port, 1):
        left = abs(u) * (4095 - p["du"]) // 4096
        arriving = into(t, "sum wrap", into(t, "sum wrap", arriving, "wrap", *word) * 64,
                        "wrap", *word)  # fmt: skip
        u = into(t, "u wrap", arriving + (left if u > 0 else -left), "wrap", *word)
        u = into(t, "u wrap_once", u, "wrap_once", -(2**23) + 1, 2**23)
        bias = into(t, "bias_mant wrap", p["bias_mant"] * 2 ** p["bias_exp"], "wrap", *word)
        left = abs(v) * (4096 - p["dv"]) // 4096
        v = into(t, "v wrap", u + bias + (left if v > 0 else -left), "wrap", *word)
        v = into(t, "v sat", v, "sat", -(2**23) + 1, 2**23 - 1)
        if v > p["vth"] * 64:
            v = 0
    return found


def lif_differences(job: tuple[str, int, int]) -> tuple[int, int, int]:
    """Return (neuron-steps, events, those not counted alike by the emulator) of lone LIF neurons.

    Args:
        job: the profile, the seed, and how many neuron-steps at least.
    """
    name, seed, wanted = job
    rng = np.random.default_rng(seed)
    profile, n = load_profile(name), 100
    ranges = {k: profile.params[k].span for k in ("du", "dv", "vth", "bias_mant", "bias_exp")}
    steps = events = different = 0
    while steps < wanted:
        params = {k: extreme(rng, span, n) for k, span in ranges.items()}
        init = {r: extreme(rng, (-(2**23) + 1, 2**23 - 1), n) for r in ("u", "v")}
        far = 2 ** int(rng.integers(15, 34))
        direct = DirectInput("i", "p", rng.integers(-far, far, (STEPS, n)))
        neurons = FixedPopulation("p", n, "lif", params, init)
        fixed = FixedNetwork(profile, (neurons,), directs=(direct,))
        run = run_fixed(fixed, STEPS)
        expected: dict[str, list[Any]] = {}
        for i in range(n):
            mine = {k: int(a[i]) for k, a in params.items()}
            start = (int(init["u"][i]), int(init["v"][i]))
            for t, what in plain_lif(mine, direct.raster[:, i].tolist(), start):
                expected.setdefault(what, []).append((t, i))
        got: dict[str, tuple[Any, ...]] = {}
        for e in run.events:
            assert e.where == "p"
            got[f"{e.register} {e.kind}"] = (e.count, e.first_step, e.first_neuron)
        for what in got.keys() | expected.keys():
            found = expected.get(what, [])
            different += got.get(what) != ((len(found), *min(found)) if found else None)
        steps += n * STEPS
        events += sum(map(len, expected.values()))
    return steps, events, different


@pytest.mark.parametrize("name", ["lava-0.10", "loihi2"])
def test_forced_overflow_of_the_plain_lif(name: str) -> None:
    """Counts, first step and first neuron of every register and kind."""
    steps, events, different = lif_differences((name, 3, 20_000))
    assert events > steps and different == 0


@pytest.mark.verify
def test_forced_overflow_of_the_plain_lif_a_million_steps(
    record_figure: Callable[..., None],
) -> None:
    """2 x 10^6 neuron-steps."""
    jobs = [(name, seed, 500_000) for name in ("lava-0.10", "loihi2") for seed in (4, 5)]
    found = in_processes(lif_differences, jobs)
    steps, events, different = (sum(column) for column in zip(*found, strict=True))
    record_figure(
        f"forced overflow, LIF written down again: {steps:,} neuron-steps, {events:,} events, "
        f"{different} places not counted alike"
    )
    assert steps >= 2_000_000 and different == 0
