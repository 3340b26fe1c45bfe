"""A made-up chip with single events, joint ports, aliases and caps: by hand, and all engines."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from chip_networks import random_chip
from pydantic import TypeAdapter
from random_programs import ProgramMaker, compare_program
from scipy import sparse

import neuro_lif as nl
from neuro_lif.emulator import Emulator, EventCounter, OpList
from neuro_lif.emulator.engine import payload
from neuro_lif.emulator.events import EventCarrier, alias_order, packed
from neuro_lif.emulator.oplist import Alias
from neuro_lif.errors import RangeError
from neuro_lif.kernel import native
from neuro_lif.numerics import resolve
from neuro_lif.op_models import Op
from neuro_lif.semantics import neuron_step

RUNS = (nl.run_semantics, nl.run_fixed)


def run_kernel(*args: Any, **more: Any) -> nl.Recording:
    """Run a network in the compiled kernel."""
    return nl.run_fixed(*args, engine="kernel", **more)


NO_KERNEL = pytest.mark.skipif(native() is None, reason="the compiled kernel was not built")
ENGINES = (*RUNS, pytest.param(run_kernel, marks=NO_KERNEL))
BYTE = [{"mode": "sat", "lo": -128, "hi": 127}]


def acc(reg: str, port: str = "in", **rest: Any) -> dict[str, Any]:
    return {"op": "acc", "reg": reg, "port": port, "ovf": BYTE} | rest


FIRE = {"op": "fire", "reg": "v", "thr": "vth", "cmp": ">=", "multi": "loop", "cap": 5,
        "reset": "subtract"}  # fmt: skip
MODELS: dict[str, list[dict[str, Any]]] = {
    "count": [acc("v"), FIRE],
    "single": [
        {"op": "each", "ports": ["in"], "cap": 2, "do": [
            acc("u"),
            {"op": "if", "src": "u", "cmp": ">", "level": 5, "then": [
                {"op": "set", "reg": "u", "value": 0}, {"op": "emit", "src": 1}]},
        ]},
        acc("v", "gate"),
    ],
    "joint": [
        {"op": "each", "ports": ["in", "gate"], "do": [
            {"op": "set", "reg": "q", "value": 0}, acc("q"), acc("h", "gate"),
            {"op": "add", "reg": "u", "src": "q", "shift": 1, "ovf": BYTE},
            {"op": "if", "src": "h", "cmp": ">", "level": "u", "then": [
                {"op": "sub", "reg": "h", "src": "u", "ovf": BYTE}]},
        ]},
        {"op": "copy", "reg": "v", "src": "u"},
        FIRE,
    ],
    "timed": [
        {"op": "if_step", "interval": 3, "offset": 2, "then": [
            {"op": "emit", "src": 4}, acc("u")]},
    ],
    "apart": [
        {"op": "each", "ports": ["gate"], "cap": 1, "do": [acc("u", "gate")]},
        {"op": "decay", "reg": "v", "kind": "mult_keep", "d": "dv", "k": 3, "round": "rtz"},
        acc("v"),
        {"op": "add", "reg": "v", "src": "u", "ovf": BYTE},
        {"op": "emit", "src": "v", "shift": -2},
    ],
}  # fmt: skip


def chip(**routing: Any) -> nl.HardwareProfile:
    base = nl.load_profile("generic")
    raw = copy.deepcopy(base.model_dump(by_alias=True))
    about = {"about": "made up", "source": "US", "status": "assumed", "voltage": "v"}
    raw["models"] = {k: about | {"current": "u", "ops": v} for k, v in MODELS.items()}
    raw["routing"] |= {"alias": True, "alias_cap": 6} | routing
    raw["weights"] |= {"mixed_drops_lsb": False}
    return type(base).model_validate(raw)


CHIP = chip()


@pytest.fixture(autouse=True)
def numpy_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no engine is named it is numpy's; test_kernel*.py hold the kernel against it."""
    monkeypatch.setenv("NEURO_LIF_ENGINE", "numpy")


def network(model: str, size: int, *, projections: Any = (), sources: Any = (), directs: Any = (),
            profile: Any = CHIP, vth: int = 10, **population: Any) -> nl.FixedNetwork:  # fmt: skip
    given = {"vth": vth} if "vth" in profile.used_params(model) else {}
    n = nl.FixedPopulation("n", size, model, given, **population)
    return nl.FixedNetwork(profile, (n,), tuple(projections), tuple(sources), tuple(directs),
                           enforce_ranges=False)  # fmt: skip


def events(recording: nl.Recording) -> list[tuple[Any, ...]]:
    return [(e.where, e.register, e.kind, e.operation, e.count, e.first_step, e.first_neuron)
            for e in recording.events]  # fmt: skip


# ---------------------------------------------------------------------------------- by hand


@pytest.mark.parametrize("run", ENGINES)
def test_an_alias_adds_its_spikes_before_and_after_a_turn(run: Any) -> None:
    """0 hands on to 2 before its turn, which uses up its cap; 2 to 1 after it."""
    rows = np.array([[25, 7, 38], [0, 30, 60]])
    fixed = network("count", 3, directs=[nl.DirectInput("i", "n", rows)], alias=[2, -1, 1])
    found = run(fixed, 2, record="all")
    assert found.spikes["n"].tolist() == [[2, 5, 5], [0, 6, 5]]
    assert found.trace("n", "v").tolist() == [[5, 7, 8], [5, 7, 18]]
    assert events(found) == [("n", "spikes", "cap", -1, 1, 2, 1)]


@pytest.mark.parametrize("run", ENGINES)
def test_who_hands_on_to_whom_in_a_chain(run: Any) -> None:
    """0 to 1 to 2 and back to 0: each count holds what came before its turn."""
    fixed = network("count", 4, directs=[nl.DirectInput("i", "n", np.array([[10, 20, 10, 9]]))],
                    alias=[1, 2, 0, 0])  # fmt: skip
    found = run(fixed, 1, record="all")
    assert found.spikes["n"].tolist() == [[5, 3, 4, 0]]
    assert not found.events


@pytest.mark.parametrize("run", ENGINES)
def test_several_aliases_of_one_neuron_add_up_in_index_order(run: Any) -> None:
    """3, then 4 (cut to 6), then 1 (cut again): two cuts, whoever hands on to whom before."""
    rows = np.array([[0, 30, 40, 0, 10, 0]])
    fixed = network("count", 6, directs=[nl.DirectInput("i", "n", rows)],
                    alias=[1, 5, 5, -1, 5, -1])  # fmt: skip
    found = run(fixed, 1)
    assert found.spikes["n"].tolist() == [[0, 3, 4, 0, 1, 6]]
    assert events(found) == [("n", "spikes", "cap", -1, 2, 1, 5)]


@pytest.mark.parametrize("run", ENGINES)
def test_events_come_one_by_one_in_order(run: Any) -> None:
    """4, 3, 3 (cut from three times), then -2; of a second projection after all of the first."""
    first = nl.FixedProjection("a", "x", "n", np.array([[4, 3, -2]]), sign_mode=None, graded=True)
    second = nl.FixedProjection("b", "y", "n", np.array([[6]]), graded=True)
    sources = [nl.FixedSource("x", 3, np.array([[1, 3, 1], [0, -2, 0], [0, 0, 0]])),
               nl.FixedSource("y", 1, np.array([[0], [1], [0]]))]  # fmt: skip
    fixed = network("single", 1, projections=[first, second], sources=sources)
    found = run(fixed, 4, record="registers")
    assert found.trace("n", "u")[:, 0].tolist() == [0, -2 + 3, 1 - 6 + 6, 1]
    assert found.spikes["n"][:, 0].tolist() == [0, 1, 0, 0]
    assert events(found) == [("a", "payload", "cap", -1, 1, 1, 1)]


@pytest.mark.parametrize("run", ENGINES)
def test_joint_ports_take_their_turns_together(run: Any) -> None:
    """A neuron's turns: first that of source 0 (both ports), then of 1 (the gate alone has one)."""
    x = nl.FixedSource("x", 2, np.array([[1, 1]]))
    weights = sparse.csr_matrix(([3, 9, 20], ([0, 0, 1], [0, 1, 0])), shape=(2, 2))
    into = nl.FixedProjection("a", "x", "n", np.array([[7, 0], [2, 5]]))
    gate = nl.FixedProjection("b", "x", "n", weights, port="gate")
    fixed = network("joint", 2, projections=[into, gate], sources=[x], vth=100)
    found = run(fixed, 2, record="registers")
    # neuron 0: u = 14, h = 3; then u = 14, h = 12. neuron 1: u = 4, h = 20 - 4; u = 14, 16 - 14
    assert found.trace("n", "u").tolist() == [[0, 0], [14, 14]]
    assert found.trace("n", "h").tolist() == [[0, 0], [12, 2]]
    assert found.trace("n", "v").tolist() == [[0, 0], [14, 14]]


@pytest.mark.parametrize("run", ENGINES)
def test_a_stored_zero_is_an_event_and_a_dense_one_is_none(run: Any) -> None:
    """A weight of 0 still makes the neuron look at its threshold: here u is above it already."""
    x = nl.FixedSource("x", 1, np.array([[1], [0]]))
    stored = sparse.csr_matrix(([0], ([0], [0])), shape=(1, 1))
    for weights, sent in ((stored, [0, 1]), (np.array([[0]]), [0, 0])):
        fixed = network("single", 1, projections=[nl.FixedProjection("a", "x", "n", weights)],
                        sources=[x], init={"u": 9})  # fmt: skip
        assert run(fixed, 2).spikes["n"][:, 0].tolist() == sent


@pytest.mark.parametrize("run", ENGINES)
def test_events_keep_their_delays_and_exponent(run: Any) -> None:
    x = nl.FixedSource("x", 2, np.array([[1, 1], [0, 0], [1, 0]]))
    a = nl.FixedProjection("a", "x", "n", np.array([[1, 2]]), 1, delays=np.array([2, 0]))
    fixed = network("single", 1, projections=[a], sources=[x])
    assert run(fixed, 6, record="registers").trace("n", "u")[:, 0].tolist() == [0, 4, 4, 0, 0, 2]


@pytest.mark.parametrize("run", ENGINES)
def test_a_negative_event_is_rounded_down_like_any_other(run: Any) -> None:
    """3 halved is 1, and -3 halved is -2: the sign comes before the shift to the right."""
    x = nl.FixedSource("x", 1, np.array([[1], [-1], [0]]))
    a = nl.FixedProjection("a", "x", "n", np.array([[3]]), -1, graded=True)
    fixed = network("single", 1, projections=[a], sources=[x])
    assert run(fixed, 3, record="registers").trace("n", "u")[:, 0].tolist() == [0, 1, -1]


@pytest.mark.parametrize("run", ENGINES)
def test_three_inputs_into_a_joint_port_keep_their_order(run: Any) -> None:
    """200 is cut to 127, then -200 and 100 are added: any other order ends elsewhere."""
    directs = [nl.DirectInput(f"i{v}", "n", np.array([[v]])) for v in (100, -100, 50)]
    found = run(network("joint", 1, directs=directs, vth=1000), 1, record="registers")
    assert found.trace("n", "u").tolist() == [[127 - 200 + 100]]
    assert [e[:5] for e in events(found)] == [("n", "u", "sat", 4, 1)]


@pytest.mark.parametrize("run", ENGINES)
def test_steps_count_from_1_in_a_network(run: Any) -> None:
    rows = np.array([[1], [2], [4], [8], [16], [32]])
    fixed = network("timed", 1, directs=[nl.DirectInput("i", "n", rows)])
    found = run(fixed, 6, record="registers")
    assert found.spikes["n"][:, 0].tolist() == [0, 4, 0, 0, 4, 0]
    assert found.trace("n", "u")[:, 0].tolist() == [0, 2, 2, 2, 18, 18]


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("run", RUNS)  # the kernel has no sums that overflow on their way
def test_spikes_of_several_steps_that_arrive_together_are_bounded_together(
    run: Any, stored: bool
) -> None:
    """80 on its way for two steps, 80 for one: what is stored wraps when the second comes in."""
    rules = [{"mode": "wrap", "lo": -100, "hi": 100}]
    weights: Any = np.array([[0, 0], [80, 80]])
    delays = np.array([0, 0, 1, 0])
    if stored:
        weights, delays = sparse.csr_matrix(weights), delays[2:]
    c = nl.FixedProjection("c", "x", "n", weights, delays=delays)
    x = nl.FixedSource("x", 2, np.array([[1, 0], [0, 1], [0, 0]]))
    fixed = network("count", 2, projections=[c], sources=[x], vth=1000,
                    profile=chip(accumulator=rules))  # fmt: skip
    found = run(fixed, 3, record="all")
    assert found.trace("n", "v").tolist() == [[0, 0], [0, 0], [0, 160 - 201]]
    assert events(found) == [("c", "sum", "wrap", -1, 1, 2, 1)]


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("run", ENGINES)
def test_each_event_has_the_delay_of_its_own_synapse(run: Any, stored: bool) -> None:
    """Dense: the delay at its place in the matrix, row by row, where the zeros have one too."""
    weights: Any = np.array([[0, 2, 0], [3, 0, 4]])
    delays = np.array([9, 1, 9, 0, 9, 2])
    if stored:
        weights, delays = sparse.csr_matrix(weights), delays[[1, 3, 5]]
    a = nl.FixedProjection("a", "x", "n", weights, delays=delays)
    x = nl.FixedSource("x", 3, np.array([[1, 1, 1]]))
    fixed = network("single", 2, projections=[a], sources=[x])
    found = run(fixed, 5, record="registers").trace("n", "u")
    assert found.tolist() == [[0, 0], [0, 3], [2, 3], [2, 0], [2, 0]]


@pytest.mark.parametrize("run", ENGINES)
def test_integers_put_straight_into_a_port_of_events(run: Any) -> None:
    """One event each, none where it is 0; several inputs come in the order of the network."""
    rows = np.array([[6, 0], [0, -3]])
    more, gate = np.array([[-4, 2], [0, 0]]), np.array([[1, 1], [0, 2]])
    directs = [nl.DirectInput("i", "n", rows), nl.DirectInput("j", "n", more),
               nl.DirectInput("k", "n", gate, port="gate")]  # fmt: skip
    found = run(network("single", 2, directs=directs), 2, record="registers")
    assert found.trace("n", "u").tolist() == [[-4, 2], [-4, -1]]
    assert found.trace("n", "v").tolist() == [[1, 1], [1, 3]]
    assert found.spikes["n"].tolist() == [[1, 0], [0, 0]]


@pytest.mark.parametrize("run", ENGINES)
def test_sums_of_projections_and_inputs_on_one_port_add_up(run: Any) -> None:
    x = nl.FixedSource("x", 1, np.array([[1], [0]]))
    projections = [
        nl.FixedProjection(k, "x", "n", np.array([[w]])) for k, w in (("a", 3), ("b", 4))
    ]
    directs = [nl.DirectInput(k, "n", np.array([[0], [w]])) for k, w in (("i", 20), ("j", -1))]
    fixed = network("count", 1, projections=projections, sources=[x], directs=directs, vth=100)
    assert run(fixed, 2, record="all").trace("n", "v")[:, 0].tolist() == [0, 26]


@pytest.mark.parametrize("run", ENGINES)
def test_an_overflow_is_counted_where_it_first_happens(run: Any) -> None:
    """Neuron 1 in step 2, then both in step 3: three in all, the first is neuron 1 in step 2."""
    rows = np.array([[0, 0], [3, 300], [200, 300]])
    fixed = network("count", 2, directs=[nl.DirectInput("i", "n", rows)], vth=1000)
    assert events(run(fixed, 3)) == [("n", "v", "sat", 0, 3, 2, 1)]


# ----------------------------------------------------------------------- both engines alike


def same(fixed: nl.FixedNetwork, n_steps: int) -> int:
    """Compare every register, everything sent and every event; return how many events."""
    slow, fast = (run(fixed, n_steps, record="registers") for run in RUNS)
    assert slow.traces.keys() == fast.traces.keys()
    for name, sent in slow.spikes.items():
        np.testing.assert_array_equal(sent, fast.spikes[name], name)
    for place, trace in slow.traces.items():
        np.testing.assert_array_equal(trace, fast.traces[place], str(place))
    assert events(slow) == events(fast)
    return len(slow.events)


@pytest.mark.parametrize("seed", range(12))
def test_random_networks_of_the_made_up_chip(seed: int) -> None:
    rng = np.random.default_rng([5, seed])
    profile = chip(alias_cap=int(rng.integers(1, 9)), duplicates=str(rng.choice(["sum", "last"])))
    assert sum(same(random_chip(rng, profile, 10), 10) for _ in range(3)) > 0


@pytest.mark.parametrize("seed", range(4))
def test_a_batch_of_the_made_up_chip_is_its_samples(seed: int) -> None:
    rng = np.random.default_rng([6, seed])
    fixed = random_chip(rng, CHIP, 8)
    sizes = fixed.input_sizes()
    rows = {name: rng.integers(-3, 6, (3, 8, n)) for name, n in sizes.items()}
    together = nl.run_fixed(fixed, 8, rows, record="registers")
    for k in range(3):
        alone = nl.run_semantics(fixed, 8, {n: a[k] for n, a in rows.items()}, record="registers")
        for name, sent in alone.spikes.items():
            np.testing.assert_array_equal(sent, together.spikes[name][k], name)
        for place, trace in alone.traces.items():
            np.testing.assert_array_equal(trace, together.traces[place][k], str(place))


KINDS = ("acc", "decay", "add", "sub", "copy", "set", "clamp", "floor", "fire", "tick_ref", "emit",
         "if_ref", "if", "if_step")  # fmt: skip
SPANS = {"a": (-32, 31), "b": (-64, 63), "c": (-128, 127)}


def resolved(*ops: dict[str, Any]) -> Any:
    return resolve(TypeAdapter(tuple[Op, ...]).validate_python(ops), SPANS)


@pytest.mark.parametrize("place", ["alone", "if", "each"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_operation_alone_in_a_branch_and_per_event(kind: str, place: str) -> None:
    """Where only some neurons run an operation the others keep all they have."""
    rng = np.random.default_rng([KINDS.index(kind), len(place)])
    for _ in range(16):
        maker = ProgramMaker(rng)
        maker.inside = ("ev",) if place == "each" else ()
        ops = [{"op": kind} | getattr(maker, "_" + kind)(1) for _ in range(3)]
        if place == "if":
            test = {"op": "if", "src": maker.operand(), "level": maker.number(-20, 20),
                    "cmp": maker.pick(">", "<=", "==", "!="), "magnitude": False}  # fmt: skip
            ops = [test | {"then": ops[:2], "else": ops[2:]}]
        elif place == "each":
            ops = [{"op": "each", "ports": ["ev"], "do": ops}]
        cut = [{"op": "clamp", "reg": r, "lo": -256, "hi": 255} for r in SPANS]
        compare_program(rng, resolved(*ops, *cut), 4)


# ------------------------------------------------------------------------ the call of a run


ABOUT = {nl.run_semantics: "semantics (plain Python integers)",
         nl.run_fixed: "numpy integer emulator"}  # fmt: skip


@pytest.mark.parametrize("run", RUNS)
def test_what_a_recording_says_of_itself(run: Any) -> None:
    n = nl.FixedPopulation("n", 2, "count", {"vth": 10}, lsb=[0.5, 0.25], v_zero=[-1.0, 2.0])
    probes = (nl.Probe("n", "v"), nl.Probe("n", "spikes"), nl.Probe("n", "v"))
    rows = np.array([[4, 40], [0, -2]])
    fixed = nl.FixedNetwork(CHIP, (n,), directs=(nl.DirectInput("i", "n", rows),), dt=5e-4,
                            probes=probes)  # fmt: skip
    found = run(fixed, 3)
    assert found.provenance == {"engine": ABOUT[run], "profile": "generic"}
    assert (found.dt, found.n_steps) == (5e-4, 3)
    assert found.lsb["n"].tolist() == [0.5, 0.25]
    assert found.v_zero["n"].tolist() == [-1.0, 2.0]
    assert list(found.traces) == [("n", "v")]
    assert found.traces["n", "v"].dtype == np.int64
    assert found.traces["n", "v"].tolist() == [[4, 0], [4, -2], [4, -2]]
    assert found.spikes["n"].tolist() == [[0, 4], [0, 0], [0, 0]]
    assert list(run(fixed, 1, record="all").traces) == [("n", "u"), ("n", "v")]
    named = [r for _, r in run(fixed, 1, record="registers").traces]
    assert named == ["u", "v", "d", "q", "h", "residue", "g", "ref"]


def test_counts_are_small_and_graded_values_wide() -> None:
    for model, dtype in (("count", np.int16), ("apart", np.int64)):
        assert nl.run_fixed(network(model, 1), 1).spikes["n"].dtype == dtype
        assert nl.run_semantics(network(model, 1), 1).spikes["n"].dtype == np.int64


@pytest.mark.parametrize("run", RUNS)
def test_inputs_of_a_call_replace_the_network_s_own(run: Any) -> None:
    fixed = network("count", 1, directs=[nl.DirectInput("i", "n", np.array([[3], [3]]))], vth=99)
    assert run(fixed, inputs={"i": np.array([[1], [2], [4]])}, record="all").trace(
        "n", "v")[:, 0].tolist() == [1, 3, 7]  # fmt: skip
    with pytest.raises(RangeError, match="n_steps"):
        run(fixed)
    with pytest.raises(RangeError, match=rf"\b{run.__name__}\b"):
        run(CHIP, 3)
    with pytest.raises(RangeError, match=r"inputs\['i'\]: holds 0.5, allowed: whole"):
        run(fixed, inputs={"i": np.array([[0.5]])})
    with pytest.raises(RangeError, match="'nobody'"):
        run(fixed, 3, {"nobody": np.zeros((3, 1), int)})
    with pytest.raises(RangeError, match="record"):
        run(fixed, 3, record="everything")


def test_the_definition_takes_one_sample() -> None:
    fixed = network("count", 1, directs=[nl.DirectInput("i", "n")])
    with pytest.raises(RangeError) as caught:
        nl.run_semantics(fixed, 2, {"i": np.zeros((1, 2, 1), int)})
    assert str(caught.value) == "inputs: a batch, allowed: one sample (n_steps, n) at a time"


@pytest.mark.parametrize("run", RUNS)
def test_strict_stops_in_the_step_of_the_first_overflow(run: Any) -> None:
    rows = np.array([[0], [0], [300], [300]])
    fixed = network("count", 1, directs=[nl.DirectInput("i", "n", rows)], vth=1000)
    assert len(run(fixed, 4).events) == 1
    run(fixed, 2, strict=True)
    with pytest.raises(RangeError, match=r"n: v overflowed \(sat\) in step 3, neuron 0"):
        run(fixed, 4, strict=True)


def test_progress_is_told_of_every_step_and_no_step_after_a_stop() -> None:
    rows = np.array([[0], [0], [300], [300]])
    fixed = network("count", 1, directs=[nl.DirectInput("i", "n", rows)], vth=1000)
    told: list[Any] = []
    nl.run_fixed(fixed, 4, progress=lambda *x: told.append(x))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    told.clear()
    with pytest.raises(RangeError):
        nl.run_fixed(fixed, 4, strict=True, progress=lambda *x: told.append(x))
    assert told == [(1, 4), (2, 4)]


# --------------------------------------------------------------- the steppers by themselves


def test_time_starts_at_1_and_counts_on() -> None:
    ops = resolved({"op": "if_step", "interval": 3, "offset": 1,
                    "then": [{"op": "add", "reg": "a", "src": 1}]})  # fmt: skip
    stepper = OpList(ops, {}, {"a": np.array([0]), "ref": np.array([0])})
    seen = []
    for _ in range(7):
        stepper.step({})
        seen.append(int(stepper.state["a"][0]))
    assert seen == [1, 1, 1, 2, 2, 2, 3]


def test_a_stepper_keeps_its_own_state_in_int64() -> None:
    start = np.array([100], np.int8)
    params = {"p": np.array([3])}
    ops = resolved({"op": "add", "reg": "a", "src": "p", "shift": 5, "ovf": [{"mode": "wrap",
                    "lo": -1000, "hi": 1000}]})  # fmt: skip
    stepper = OpList(ops, params, {"a": start, "ref": np.array([0], np.int8)})
    params["p"] = np.array([9])
    assert stepper.sent.tolist() == [0]
    assert stepper.state["a"].dtype == np.int64
    stepper.step(np.array([0]))
    assert stepper.state["a"].tolist() == [196]
    assert stepper.state["a"].dtype == np.int64
    assert start.tolist() == [100]


def test_a_definition_s_step_is_the_first_and_nothing_is_sent_before_it() -> None:
    ops = resolved({"op": "if_step", "interval": 9, "offset": 1,
                    "then": [{"op": "emit", "src": 5}]})  # fmt: skip
    state = {"a": 0, "ref": 0}
    assert neuron_step(ops, {}, state, {}) == 5
    assert neuron_step(ops, {}, state, {}, t=2, sent=3) == 3
    with pytest.raises(ValueError) as caught:
        neuron_step([{"op": "jump"}], {}, state, {})
    assert str(caught.value) == "operation 'jump' has no meaning"


def test_inputs_that_are_not_fed_are_silent() -> None:
    a = nl.FixedProjection("a", "x", "n", np.array([[7, 7]]))
    for model in ("count", "single"):
        fixed = network(model, 1, projections=[a], sources=[nl.FixedSource("x", 2)],
                        directs=[nl.DirectInput("i", "n")])  # fmt: skip
        emulator = Emulator(fixed, 2)
        emulator.step({"x": np.array([[1, 0], [0, 0]])})
        emulator.step({})
        emulator.step({})
        register = "v" if model == "count" else "u"
        got = emulator.register("n", register)
        assert got.shape == (2, 1)
        assert got.tolist() == ([[7], [0]] if model == "count" else [[0], [0]])


def test_a_counter_by_itself() -> None:
    """Of a batch and several delays the lowest neuron counts, and the first step."""
    counter = EventCounter()
    told = counter.listener("c")
    mask = np.zeros((2, 3, 4), bool)
    mask[1, 2, 3] = mask[0, 0, 2] = True
    told(-1, "sum", "wrap", mask)
    mask[0, 1, 1] = True
    told(-1, "sum", "wrap", mask)
    counter.step = 5
    mask[0, 0, 0] = True
    told(-1, "sum", "wrap", mask)
    (event,) = counter.events()
    assert (event.where, event.register, event.kind, event.operation) == ("c", "sum", "wrap", -1)
    assert (event.count, event.first_step, event.first_neuron) == (2 + 3 + 4, 0, 1)


# ------------------------------------------------------------------------ its parts, one by one


def test_counts_are_kept_as_long_as_the_longest_delay_needs() -> None:
    x = nl.FixedSource("x", 2)
    for delays, latency, length in ((0, 1, 2), (0, 0, 1), ([0, 4], 1, 6), ([2, 2], 0, 3)):
        a = nl.FixedProjection("a", "x", "n", np.array([[1, 2]]), delays=np.array(delays),
                               latency=latency)  # fmt: skip
        fixed = network("single", 1, projections=[a], sources=[x])
        for batch in (1, 3):
            carrier = Emulator(fixed, batch).carriers[0][1]
            assert isinstance(carrier, EventCarrier)
            assert carrier.past.shape == (length, batch, 2)


def test_events_are_packed_turn_by_turn() -> None:
    """Two ports, two samples of two neurons; sample 0: pre 1 twice, then of "b" pre 3."""
    one = (np.array([0, 0, 1]), np.array([1, 1, 0]), np.array([1, 1, 0]), np.array([5, 6, 7]))
    two = (np.array([0]), np.array([1]), np.array([3]), np.array([8]))
    none = (np.zeros(0, int),) * 4
    found = packed({"a": [one, none], "b": [two]}, 2, 2)
    weights, there = found["a"]
    assert weights.tolist() == [[[0, 5], [7, 0]], [[0, 6], [0, 0]], [[0, 0], [0, 0]]]
    assert there.tolist() == (weights != 0).tolist()
    assert weights.dtype == np.int64 and there.dtype == np.bool_
    weights, there = found["b"]
    assert weights.tolist() == [[[0, 0], [0, 0]], [[0, 0], [0, 0]], [[0, 8], [0, 0]]]
    assert there.tolist() == (weights != 0).tolist()
    assert packed({}, 2, 2) == {}
    silent = packed({"a": [none]}, 2, 3)["a"]
    assert [part.shape for part in silent] == [(0, 2, 3), (0, 2, 3)]


def test_what_a_projection_carries_of_spikes() -> None:
    spikes = np.array([[0, 2, -1]], np.int16)
    for graded, carried in ((False, [[0, 1, 1]]), (True, [[0, 2, -1]])):
        p = nl.FixedProjection("a", "x", "n", np.array([[1, 1, 1]]), graded=graded)
        assert payload(p, spikes).tolist() == carried
    assert payload(nl.FixedProjection("a", "x", "n", np.array([[1]])), spikes).dtype == np.int64


def test_an_alias_tells_where_its_cap_cut() -> None:
    """Of two samples the second: 3 + 2 of neuron 0 are more than 4, 4 + 0 are not."""
    told: list[Any] = []
    sent = np.array([[0, 4], [2, 3]])
    alias = Alias(np.array([True, False]), np.array([0]), np.array([1]), 4)
    alias.hand_on(sent, lambda *event: told.append(event))
    assert sent.tolist() == [[0, 4], [2, 4]]
    ((operation, register, kind, where),) = told
    assert (operation, register, kind) == (-1, "spikes", "cap")
    assert where.tolist() == [[False, False], [False, True]]
    assert where.dtype == np.bool_


def test_parameters_of_small_integer_types() -> None:
    """Bytes do not overflow as bytes, and an unsigned count of bits to the right has a negative."""
    params: Any = {"p": np.array([100], np.int8), "k": np.array([3], np.uint8)}
    ops = resolved(
        {"op": "copy", "reg": "a", "src": "p"},
        {"op": "add", "reg": "b", "src": "p", "shift": 4},
        {"op": "decay", "reg": "c", "kind": "shift", "d": "k"},
        {"op": "emit", "src": "p", "shift": 2},
    )
    start = {"a": np.array([1]), "b": np.array([1]), "c": np.array([80]), "ref": np.array([0])}
    stepper = OpList(ops, params, start)
    assert stepper.step({}).tolist() == [400]
    assert {r: values.tolist() for r, values in stepper.state.items()} == {
        "a": [100], "b": [1601], "c": [70], "ref": [0]}  # fmt: skip
    assert all(values.dtype == np.int64 for values in stepper.state.values())


@pytest.mark.parametrize("run", RUNS)
def test_noise_is_the_generator_s_own_and_each_sample_has_one(run: Any) -> None:
    """Two populations of 2 and 1 neurons take three draws per step, in order."""
    raw = copy.deepcopy(CHIP.model_dump(by_alias=True))
    raw["noise"] = {"generator": "mt19937_randint", "lo": -3, "hi": 5, "source": "US",
                    "status": "assumed"}  # fmt: skip
    raw["models"]["count"]["ops"] = [acc("v"), {"op": "acc", "reg": "u", "port": "noise"}]
    profile = type(CHIP).model_validate(raw)
    ends = [nl.FixedPopulation(name, size, "count") for name, size in (("m", 2), ("n", 1))]
    fixed = nl.FixedNetwork(profile, tuple(ends), directs=(nl.DirectInput("i", "n"),), seed=7,
                            enforce_ranges=False)  # fmt: skip
    batch = 2 if run is nl.run_fixed else None
    rows = np.ones((4, 1), int) if batch is None else np.ones((batch, 4, 1), int)
    found = run(fixed, 4, {"i": rows}, record="registers")
    for k in range(batch or 1):
        drawn = np.random.RandomState(7 + k)
        summed = np.cumsum([drawn.randint(-3, 6, size=3) for _ in range(4)], axis=0)
        one = found if batch is None else found.sample(k)
        assert one.trace("m", "u").tolist() == summed[:, :2].tolist()
        assert one.trace("n", "u").tolist() == summed[:, 2:].tolist()
        assert one.trace("n", "v")[:, 0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("run", RUNS)
def test_strict_minds_what_an_input_loses(run: Any) -> None:
    """A count of 2 on a projection that carries only 0 and 1, from step 2 on."""
    a = nl.FixedProjection("a", "x", "n", np.array([[3]]))
    fixed = network("count", 1, projections=[a], vth=99,
                    sources=[nl.FixedSource("x", 1, np.array([[1], [2]]))])  # fmt: skip
    run(fixed, 1, strict=True)
    with pytest.raises(RangeError, match=r"a: payload overflowed \(binary\) in step 2, neuron 0"):
        run(fixed, 2, strict=True)


@pytest.mark.parametrize("run", RUNS)
def test_a_sum_at_the_very_end_of_its_range_is_no_overflow(run: Any) -> None:
    rules = [{"mode": "sat", "lo": -100, "hi": 100}]
    a = nl.FixedProjection("a", "x", "n", np.array([[100, 0], [0, -100]]))
    x = nl.FixedSource("x", 2, np.array([[1, 0], [0, 1], [0, 0]]))
    fixed = network("count", 2, projections=[a], sources=[x], vth=1000,
                    profile=chip(accumulator=rules))  # fmt: skip
    found = run(fixed, 3, record="all")
    assert found.trace("n", "v").tolist() == [[0, 0], [100, 0], [100, -100]]
    assert not found.events


def test_events_stay_integers_of_64_bits() -> None:
    """A negative count turns the weight's sign, and repeats it as often."""
    a = nl.FixedProjection("a", "x", "n", np.array([[3, 4]]), graded=True)
    fixed = network("single", 1, projections=[a], sources=[nl.FixedSource("x", 2)])
    emulator = Emulator(fixed)
    assert emulator.batch == 1
    carrier = emulator.carriers[0][1]
    carrier.emit(1, np.array([[1, -2]]))
    sample, post, pre, weight = carrier.arriving(2)
    assert (sample.tolist(), post.tolist()) == ([0, 0, 0], [0, 0, 0])
    assert (pre.tolist(), weight.tolist()) == ([0, 1, 1], [3, -4, -4])
    assert weight.dtype == np.int64


def test_turns_of_an_alias_are_as_few_as_can_be() -> None:
    """0 goes before 1, 1 before 2; 3 and 4 take their turn with 0, and hand back at the end."""

    def turns(*alias: int) -> list[Any]:
        found = alias_order(nl.FixedPopulation("n", len(alias), "count", alias=alias), 6)
        assert found is not None
        assert {turn.cap for turn in found} == {6}
        return [(np.flatnonzero(turn.neurons).tolist(), turn.pre.tolist(), turn.post.tolist())
                for turn in found]  # fmt: skip

    assert turns(1, 2, -1, 1, 3) == [
        ([0, 3, 4], [0], [1]), ([1], [1], [2]), ([2], [], []), ([], [3, 4], [1, 3])]  # fmt: skip
    assert turns(-1, 0) == [([0, 1], [], []), ([], [1], [0])]
    assert alias_order(nl.FixedPopulation("n", 2, "count"), 6) is None


def test_joint_ports_of_different_lengths() -> None:
    """Two events at "x", one at "y": in the second turn "y" has none."""
    each = [{"op": "acc", "reg": "a", "port": "x"}, {"op": "acc", "reg": "b", "port": "y"}]
    ops = resolved({"op": "each", "ports": ["x", "y"], "do": each})
    stepper = OpList(ops, {}, {r: np.array([0]) for r in ("a", "b", "ref")})
    there = np.array([[True]])
    two, one = (np.array([[3], [4]]), np.vstack([there, there])), (np.array([[5]]), there)
    stepper.step({"x": two, "y": one})
    assert (stepper.state["a"].tolist(), stepper.state["b"].tolist()) == ([7], [5])


def test_magnitudes_are_compared_where_asked_for() -> None:
    test = {"op": "if", "src": "a", "cmp": ">", "level": 3, "then": [{"op": "emit", "src": 1}]}
    start = np.array([-5, -3, 3, 5])
    for magnitude, sent in ((True, [1, 0, 0, 1]), (False, [0, 0, 0, 1])):
        ops = resolved(test | {"magnitude": magnitude})
        stepper = OpList(ops, {}, {"a": start, "ref": np.zeros(4, int)})
        assert stepper.step({}).tolist() == sent
        assert [neuron_step(ops, {}, {"a": a, "ref": 0}, {}) for a in start.tolist()] == sent
