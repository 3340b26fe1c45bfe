"""The numpy emulator equals the living definition: registers, spikes and overflow events."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from random_fixed import lif_models, merged, random_fixed
from random_programs import ProgramMaker, compare_program

from neuro_lif import FixedNetwork, FixedPopulation, Recording, load_profile, run_fixed
from neuro_lif.arrays import with_entries
from neuro_lif.connect import Carrier
from neuro_lif.emulator import Emulator, OpList
from neuro_lif.errors import RangeError
from neuro_lif.fixed import FixedProjection
from neuro_lif.formats import (
    OVERFLOWS,
    ROUNDINGS,
    overflow,
    overflow_array,
    round_shift,
    round_shift_array,
)
from neuro_lif.machine import Machine, run_semantics
from neuro_lif.numerics import resolve, walk
from neuro_lif.op_models import Op
from neuro_lif.run_inputs import input_rows
from neuro_lif.semantics import neuron_step

PROFILES = ("lava-0.10", "loihi1", "loihi2", "generic")
PER_PROFILE = 30
"""Random networks of each profile, within ranges and again past them: 240 in all."""
STEPS = 30

IntArray = npt.NDArray[np.int64]


# ------------------------------------------------------------------------ random networks


def any_config(rng: np.random.Generator, name: str) -> dict[str, Any]:
    """Return random config values of the profile (empty where it has none)."""
    config: dict[str, Any] = {}
    for key, entry in load_profile(name).config.items():
        if rng.random() < 0.4:
            continue
        if entry.choices:
            config[key] = str(rng.choice(entry.choices))
        elif entry.lo is not None and entry.hi is not None:
            config[key] = int(rng.integers(entry.lo, min(entry.hi, 255) + 1))
    return config


def wild(rng: np.random.Generator, fixed: FixedNetwork) -> FixedNetwork:
    """Return the network with values at and past every limit, so that everything overflows."""
    return replace(
        fixed,
        populations=tuple(_wild_population(rng, fixed, p) for p in fixed.populations),
        projections=tuple(_wild_projection(rng, fixed, p) for p in fixed.projections),
        sources=tuple(replace(s, raster=s.raster * rng.integers(-(2**12), 2**12, s.raster.shape))
                      if rng.random() < 0.3 else s for s in fixed.sources),
        directs=tuple(replace(d, raster=d.raster * int(rng.integers(1, 2**18)))
                      for d in fixed.directs),
        enforce_ranges=False,
    )  # fmt: skip


def _wild_population(
    rng: np.random.Generator, fixed: FixedNetwork, p: FixedPopulation
) -> FixedPopulation:
    params: dict[str, Any] = dict(p.params)
    for name, parameter in fixed.profile.params.items():
        lo, hi = parameter.span
        if rng.random() < 0.25:
            params[name] = rng.choice([lo - 3, lo, lo + 1, hi - 1, hi, hi + 1], p.size)
    if rng.random() < 0.2:
        params["bias_exp"] = rng.integers(-20, 20, p.size)
    used = fixed.profile.used_params(p.model)
    params = {name: values for name, values in params.items() if name in used}
    init = {}
    for name, register in fixed.profile.registers.items():
        lo, hi = register.span
        near = [lo - 1, lo, lo + 1, -1, 0, 1, hi - 1, hi, hi + 1, 2 * hi]
        if rng.random() < 0.6:
            init[name] = rng.choice(near, p.size)
    return replace(p, params=params, init=init)


def _wild_projection(
    rng: np.random.Generator, fixed: FixedNetwork, p: FixedProjection
) -> FixedProjection:
    changed: dict[str, Any] = {}
    if rng.random() < 0.4:
        changed["weights"] = p.weights * int(rng.integers(2, 900))
    if rng.random() < 0.4:
        changed["exponent"] = int(rng.integers(-12, 17))
    if rng.random() < 0.5:
        changed["delays"] = rng.integers(0, 64, np.shape(p.weights.data)) if hasattr(
            p.weights, "indptr") else rng.integers(0, 64, p.weights.size)  # fmt: skip
    if rng.random() < 0.5:
        changed["graded"] = not p.graded
    if rng.random() < 0.1 and p.pre in {s.name for s in fixed.sources}:
        changed["latency"] = 0
    return replace(p, **changed)


def networks(profile: str, seed: int, count: int, wildly: bool) -> list[FixedNetwork]:
    rng = np.random.default_rng([seed, PROFILES.index(profile)])
    found = []
    for _ in range(count):
        config, prefixes = any_config(rng, profile), ["", "second_"][: 1 + (rng.random() < 0.15)]
        parts = [random_fixed(rng, profile, STEPS, prefix=p, **config) for p in prefixes]
        fixed = merged(parts) if len(parts) > 1 else parts[0]
        found.append(wild(rng, fixed) if wildly else fixed)
    return found


def compare_stepwise(fixed: FixedNetwork, n_steps: int) -> tuple[int, int]:
    """Step both engines side by side; return (values that were equal, kinds of overflow)."""
    emulator, machine = Emulator(fixed), Machine(fixed)
    rows = input_rows(fixed, {}, 1, n_steps)
    compared = 0
    for t in range(1, n_steps + 1):
        fed = {name: values[:, t - 1] for name, values in rows.items()}
        spikes = emulator.step(fed)
        expected = machine.step(t, {name: v[0].tolist() for name, v in fed.items()})
        for name in spikes:
            assert spikes[name][0].tolist() == expected[name], (t, name, "spikes")
            for register in machine.state[name][0]:
                got = emulator.register(name, register)[0].tolist()
                assert got == [n[register] for n in machine.state[name]], (t, name, register)
                compared += len(got)
            compared += len(expected[name])
    events = emulator.counter.events()
    assert events == machine.counter.events()
    return compared, len(events)


@pytest.mark.parametrize("wildly", [False, True], ids=["in_range", "wild"])
@pytest.mark.parametrize("profile", PROFILES)
def test_every_register_spike_and_event_of_random_networks(profile: str, wildly: bool) -> None:
    nets = networks(profile, 1, PER_PROFILE, wildly)
    found = [compare_stepwise(fixed, STEPS) for fixed in nets]
    values, counts = sum(v for v, _ in found), [c for _, c in found]
    print(
        f"{profile}: {len(nets)} networks, {STEPS} steps, {values} values, 0 differences, "
        f"{sum(c > 0 for c in counts)} networks with {sum(counts)} kinds of overflow"
    )
    assert values > 20_000
    assert not wildly or sum(c > 0 for c in counts) > PER_PROFILE / 2


def same(a: Recording, b: Recording) -> None:
    assert a.spikes.keys() == b.spikes.keys()
    assert a.traces.keys() == b.traces.keys()
    for key in a.spikes:
        np.testing.assert_array_equal(a.spikes[key], b.spikes[key], err_msg=str(key))
    for pair in a.traces:
        np.testing.assert_array_equal(a.traces[pair], b.traces[pair], err_msg=str(pair))


@pytest.mark.parametrize("profile", PROFILES)
def test_recordings_are_the_same(profile: str) -> None:
    """Through the public API: traces, spikes, events (storage events too)."""
    for fixed in networks(profile, 2, 5, True):
        a, b = (run(fixed, STEPS, record="all") for run in (run_semantics, run_fixed))
        same(a, b)
        assert a.events == b.events


@pytest.mark.parametrize("profile", PROFILES)
def test_a_batch_equals_separate_runs(profile: str) -> None:
    rng = np.random.default_rng(4)
    for k, fixed in enumerate(networks(profile, 3, 6, True)):
        sizes = fixed.input_sizes()
        batch = {name: rng.integers(-3, 4, (3, STEPS, n)) for name, n in sizes.items()}
        batch |= {s.name: batch[s.name] * 2**10 for s in fixed.sources if k % 2}
        together = run_fixed(fixed, STEPS, batch, record="all")
        counts: Counter[Any] = Counter()
        for i in range(3):
            one = run_fixed(fixed, STEPS, {n: a[i] for n, a in batch.items()}, record="all")
            same(together.sample(i), one)
            counts += Counter({(e.where, e.register, e.kind, e.operation): e.count
                               for e in one.events if e.first_step > 0})  # fmt: skip
        assert counts == Counter({(e.where, e.register, e.kind, e.operation): e.count
                                  for e in together.events if e.first_step > 0})  # fmt: skip


def test_sums_of_a_batch_past_float64_are_exact() -> None:
    """The batch uses float64 products only where they are exact."""
    weights = np.array([[2**23 - 1, 2**22 + 1], [-3, 5]])
    for payload in (1, 2**29 + 1, 2**31 - 1, 2**35 + 3):
        spikes = np.array([[payload, 1], [payload, payload], [0, -payload]])
        carrier = Carrier(weights, np.zeros((), np.int64), 1, 3)
        carrier.emit(1, spikes)
        expected = [[sum(w * s for w, s in zip(row, sample, strict=True))
                     for row in weights.tolist()] for sample in spikes.tolist()]  # fmt: skip
        assert carrier.arriving(2).tolist() == expected


def as_stored(fixed: FixedNetwork) -> FixedNetwork:
    """Return the network with what its profile stores of parameters and weights."""
    return replace(
        fixed,
        populations=tuple(
            replace(p, params={k: fixed.params(p.name)[k] for k in p.params})
            for p in fixed.populations
        ),
        projections=tuple(
            replace(p, weights=with_entries(p.weights, fixed._coded(p))) for p in fixed.projections
        ),
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_strict_stops_at_the_first_overflow(profile: str) -> None:
    stopped = 0
    for fixed in networks(profile, 5, 8, True):
        if any(e.register == "weights" for e in fixed.storage_events()):
            with pytest.raises(RangeError, match="as it was stored"):
                run_fixed(fixed, STEPS, strict=True)
        fixed = as_stored(fixed)
        events = list(run_fixed(fixed, STEPS).events)
        if not events:
            run_fixed(fixed, STEPS, strict=True)
            continue
        first = events[0]
        assert first.first_step == min(e.first_step for e in events)
        seen: list[int] = []
        when = f"step {first.first_step}, neuron" if first.first_step else "as it was stored"
        with pytest.raises(RangeError, match=when) as error:
            run_fixed(fixed, STEPS, strict=True, engine="numpy",
                      progress=lambda t, _, seen=seen: seen.append(t))  # fmt: skip
        assert seen == list(range(1, max(first.first_step, 1)))
        assert str(error.value).startswith(f"{first.where}: {first.register} overflowed")
        if first.first_step:
            with pytest.raises(RangeError) as judged:
                run_semantics(fixed, STEPS, strict=True)
            assert str(judged.value) == str(error.value)
        stopped += 1
    assert stopped


def test_a_run_goes_on_where_the_emulator_stopped() -> None:
    for fixed in networks("loihi2", 6, 5, False):
        recording = run_fixed(fixed, STEPS, record="all")
        emulator = Emulator(fixed)
        rows = input_rows(fixed, {}, 1, STEPS)
        for t in range(STEPS):
            spikes = emulator.step({name: v[:, t] for name, v in rows.items()})
            for p in fixed.populations:
                np.testing.assert_array_equal(spikes[p.name][0], recording.spikes[p.name][t])
                v = emulator.register(p.name, "v")[0]
                np.testing.assert_array_equal(v, recording.trace(p.name, "v")[t])
        assert emulator.t == STEPS


# ------------------------------------------------------------------------ random programs


def test_random_programs() -> None:
    """600 random operation lists: every register, spike and event."""
    rng = np.random.default_rng(8)
    used: Counter[str] = Counter()
    values = 0
    for _ in range(600):
        ops = ProgramMaker(rng).program()
        used.update(op["op"] for op in walk(ops))
        values += compare_program(rng, ops)
    print(f"600 programs, {values} values, 0 differences; operations: {dict(used)}")
    assert min(used.values()) > 50
    assert len(used) == 15


def test_a_port_nobody_feeds_is_silent() -> None:
    ops = resolve(TypeAdapter(tuple[Op, ...]).validate_python(
        [{"op": "acc", "reg": "a", "port": "other"}]), {"a": (-8, 7)})  # fmt: skip
    neurons = OpList(ops, {}, {"a": np.array([[3]]), "ref": np.array([[0]])})
    neurons.step(np.array([[5]]))
    assert neurons.state["a"].tolist() == [[3]]


# ---------------------------------------------------------------------------- exhaustively


def all_of(*ranges: range) -> list[IntArray]:
    """Return every combination of the ranges, one flat array per range."""
    grids = np.meshgrid(*(np.arange(r.start, r.stop) for r in ranges), indexing="ij")
    return [g.ravel().astype(np.int64) for g in grids]


def narrowed(ops: Any, span: tuple[int, int]) -> Any:
    """Return a model's operations with every overflow range and decay cut to 4 bits."""
    small = []
    for op in ops:
        op = dict(op)
        for key in ("sum_ovf", "shift_ovf", "src_ovf", "ovf"):
            if key in op:
                op[key] = tuple((mode, *span) for mode, _, _ in op[key])
        if op["op"] == "decay":
            op["k"] = 2
        for key in ("then", "else"):
            if key in op:
                op[key] = narrowed(op[key], span)
        small.append(op)
    return small


MODELS = [(p, m) for p in PROFILES for m in lif_models(load_profile(p))]


@pytest.mark.parametrize(("profile", "model"), MODELS, ids=[f"{p}-{m}" for p, m in MODELS])
def test_every_transition_of_a_4_bit_neuron(profile: str, model: str) -> None:
    """All (u, v, input, ref, dv) of each shipped model with its registers cut to 4 bits."""
    ops = narrowed(load_profile(profile).ops(model), (-8, 7))
    for op in ops:  # the alignment shifts would leave nothing of 4 bits
        op |= {k: 1 for k in ("shift", "thr_shift") if op.get(k) == 6}
    axes = all_of(range(-8, 8), range(-8, 8), range(-8, 8), range(2), range(5))
    u, v, port, ref, dv = axes
    params = {"du": np.int64(1), "dv": dv, "vth": np.int64(2), "bias_mant": np.int64(1),
              "bias_exp": np.int64(0), "refract": np.int64(2)}  # fmt: skip
    names = load_profile(profile).registers
    start = {r: np.zeros_like(u) for r in names} | {"u": u, "v": v, "ref": ref}
    counted: Counter[Any] = Counter()
    fast = OpList(
        ops, params, start, lambda i, r, kind, where: counted.update({(i, r, kind): where.sum()})
    )
    spikes = fast.step(port)
    expected: Counter[Any] = Counter()
    zero = dict.fromkeys(names, 0)
    for k, (a, b, c, d, e) in enumerate(zip(*(x.tolist() for x in axes), strict=True)):
        state = zero | {"u": a, "v": b, "ref": d}
        mine = {"du": 1, "dv": e, "vth": 2, "bias_mant": 1, "bias_exp": 0, "refract": 2}
        emitted = neuron_step(ops, mine, state, {"in": c}, lambda *event: expected.update([event]))
        assert spikes[k] == emitted
        assert all(fast.state[r][k] == x for r, x in state.items()), (state, a, b, c, d, e)
    assert counted == expected
    print(f"{profile} {model}: {len(u)} transitions, 0 differences")


def test_every_state_of_an_8_bit_neuron_of_the_generic_profile() -> None:
    """All 2^16 (u, v) of the smallest generic chip, as a network of 65,536 neurons."""
    profile = load_profile("generic", state_bits=8, decay_bits=3, align_shift=1, sum_bits=6,
                           overflow="wrap", rounding="nearest_up")  # fmt: skip
    u, v = all_of(range(-128, 128), range(-128, 128))
    params = {"du": 3, "dv": 2, "vth": 30, "bias_mant": 5, "refract": 2}
    fixed = FixedNetwork(profile, (FixedPopulation("n", len(u), "lif", params,
                                                   {"u": u, "v": v}),))  # fmt: skip
    a, b = (run(fixed, 1, record="all") for run in (run_semantics, run_fixed))
    same(a, b)
    assert a.events == b.events
    assert len(u) == 2**16


# ------------------------------------------------------------------------------ properties

WORD = st.integers(-(2**40), 2**40)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(p=WORD, k=st.integers(0, 30), rounding=st.sampled_from(ROUNDINGS))
def test_round_shift_of_any_word(p: int, k: int, rounding: str) -> None:
    expected = round_shift(p, k, rounding)
    assert round_shift_array(np.array([p]), k, rounding).tolist() == [expected]


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(x=WORD, lo=st.integers(-(2**33), 0), hi=st.integers(0, 2**33),
       mode=st.sampled_from(OVERFLOWS))  # fmt: skip
def test_overflow_of_any_word(x: int, lo: int, hi: int, mode: str) -> None:
    expected = overflow(x, mode, lo, hi)
    assert overflow_array(np.array([x]), mode, lo, hi).tolist() == [expected]
    assert mode == "wrap_once" or lo <= expected <= hi


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(
    profile=st.sampled_from(PROFILES),
    state=st.tuples(*[st.integers(-(2**24), 2**24)] * 2, st.integers(0, 3)),
    params=st.tuples(*[st.integers(-1, 4097)] * 2, st.integers(-1, 131072),
                     st.integers(-5000, 5000), st.integers(-8, 12), st.integers(1, 9)),
    port=st.integers(-(2**26), 2**26),
)  # fmt: skip
def test_one_step_of_any_neuron(
    profile: str, state: tuple[int, ...], params: tuple[int, ...], port: int
) -> None:
    ops = load_profile_cached(profile).ops("lif")
    names = ("du", "dv", "vth", "bias_mant", "bias_exp", "refract")
    given_ = dict(zip(names, params, strict=True))
    slow = dict.fromkeys(load_profile_cached(profile).registers, 0)
    slow |= dict(zip(("u", "v", "ref"), state, strict=True))
    fast = OpList(ops, {k: np.array([x]) for k, x in given_.items()},
                  {k: np.array([x]) for k, x in slow.items()})  # fmt: skip
    emitted = fast.step(np.array([port]))
    assert emitted.tolist() == [neuron_step(ops, given_, slow, {"in": port})]
    assert {k: int(a[0]) for k, a in fast.state.items()} == slow


LOADED: dict[str, Any] = {}


def load_profile_cached(name: str) -> Any:
    """Return a shipped profile, read once."""
    if name not in LOADED:
        LOADED[name] = load_profile(name)
    return LOADED[name]
