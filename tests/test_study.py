"""Studies: names, keys, rows, and the same bytes wherever they are run."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_cases import VARY, network, study, task

import neuro_lif as nl
from neuro_lif.digests import digest
from neuro_lif.errors import StudyError
from neuro_lif.kernel import native
from neuro_lif.study import MEASURES, Study
from neuro_lif.study.axes import Axis, axes_of, grid, random
from neuro_lif.study.digests import canonical
from neuro_lif.study.lowering import Lowering, configuration_key
from neuro_lif.study.measures import Trains
from neuro_lif.study.names import network_names, profile_names, varied_profile
from neuro_lif.study.tables import csv_text, pareto_rows, text_table
from neuro_lif.task import Task


@pytest.fixture(scope="module")
def done() -> Study:
    return study().run(workers=1)


# -------------------------------------------------------------------------------- rows


def test_rows_are_in_the_order_of_the_values_with_the_columns_promised(done: Study) -> None:
    rows = done.table()
    names = list(VARY)
    assert len(rows) == 36
    assert list(rows[0])[:6] == ["key", *names, "error"]
    assert [tuple(r[n] for n in names) for r in rows] == [tuple(c[n] for n in names)
                                                          for c in done.grid()]  # fmt: skip
    heads = {c.partition(".")[0] for c in list(rows[0])[6:]}
    assert heads == set(MEASURES)
    for population in ("hidden", "out"):
        for column in ("spikes", "rate_error", "spike_agreement"):
            assert f"{column}.{population}" in rows[0]


def test_what_cannot_be_lowered_is_a_row_with_its_error(done: Study) -> None:
    for row in done.table():
        wrong = row["quantize.weight_bits"] == 99
        assert (row["error"] is not None) == wrong
        assert (row["spikes"] is None) == wrong
        if wrong:
            assert "weight_bits = 99, allowed: 1.." in row["error"]
    assert done.status().errors == 12


def test_rows_are_what_the_public_functions_give(done: Study) -> None:
    """Every measure again, by quantize, run_fixed, run_clocked, compare and Task."""
    asked = task()
    for row in done.table():
        if row["error"] is not None or row["params.hidden.vth.scale"] == 1.1:
            continue
        net = network()
        first, second = net.projections
        weights = first.weights * row["network.weights.p.scale"]
        scaled = nl.Projection("p", "in", "hidden", weights, nl.Delta())
        net = nl.Network(net.populations, [scaled, second], net.inputs, net.probes)
        stepped = nl.discretize(net, 1e-3)
        profile = nl.load_profile("generic", rounding=row["profile.config.rounding"])
        fixed = nl.quantize(stepped, profile, weight_bits=row["quantize.weight_bits"])
        vth = np.rint(fixed.params("hidden")["vth"] * row["params.hidden.vth.scale"])
        fixed = nl.with_changes(fixed, params={"hidden": {"vth": vth.astype(int)}})
        run, real = (nl.run_fixed(fixed, inputs=asked.inputs),
                     nl.run_clocked(stepped, inputs=asked.inputs))  # fmt: skip
        assert row["accuracy"] == asked.accuracy(run)
        assert row["accuracy_float"] == asked.accuracy(real)
        assert row["agreement"] == np.mean(asked.decide(run) == asked.decide(real))
        for p in nl.compare(run, real).populations:
            assert row[f"spikes.{p.name}"] == p.spikes_first
            assert row[f"spike_agreement.{p.name}"] == p.agreement
            assert row[f"rate_error.{p.name}"] == pytest.approx(p.rate_error, rel=1e-12)
        assert row["overflow"] == sum(e.count for e in run.events if e.first_step)
        assert row["weight_bits"] == row["quantize.weight_bits"]
        assert row["synapse_bits"] == (30 + 18) * row["weight_bits"]
        assert row["bits"] == row["synapse_bits"] + row["neuron_bits"]


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.booleans())
def test_trains_of_events_and_of_arrays_agree_with_plain_counting(
    seed: int, batch: int, several: bool
) -> None:
    rng = np.random.default_rng(seed)
    one, two = (rng.poisson(0.4, (batch, 5, 3)) for _ in range(2))
    if not several:
        one, two = np.minimum(one, 1), np.minimum(two, 1)
    a, b = (Trains.of(nl.Recording(1e-3, 5, {"x": x}), "x") for x in (one, two))
    assert a.total == one.sum()
    assert a.common(b) == b.common(a) == np.minimum(one, two).sum()
    np.testing.assert_array_equal(a.counts.reshape(batch, 3), one.sum(axis=1))
    narrow = Trains(a.shape, a.rows.astype(np.uint32), a.neuron.astype(np.uint16), a.value)
    for trains in (a, narrow, Trains(a.shape, narrow.rows, a.neuron.astype(np.uint32), a.value)):
        both, counts = trains.beside(b)
        assert both == np.minimum(one, two).sum()
        np.testing.assert_array_equal(counts, a.counts)


def test_spikes_that_do_not_fit_each_other_are_refused() -> None:
    module = native()
    if module is None:
        pytest.skip("no compiled kernel here")
    rows, neuron = np.array([1, 0], np.uint32), np.array([3], np.uint16)
    six, eight = np.ones(6, bool), np.ones(8, bool)
    for wrong in (
        (rows, neuron, 3, 1, six),
        (rows, neuron, 4, 1, six),
        (rows, neuron[:0], 4, 1, eight),
        (rows, neuron, 4, 3, eight),
        (rows.astype(int), neuron, 4, 1, eight),
    ):
        with pytest.raises(ValueError, match="tally|neuron"):
            module.tally(*wrong)
    both, counts = module.tally(rows, neuron, 4, 2, np.ones(8, bool))
    assert (both, counts.tolist()) == (1, [0, 0, 0, 1, 0, 0, 0, 0])


# -------------------------------------------------------------------------------- keys

VALUES = st.one_of(st.integers(-9, 9), st.floats(-9, 9), st.text(max_size=3), st.booleans(),
                   st.none())  # fmt: skip
CONFIGURATIONS = st.dictionaries(st.text(max_size=4), VALUES, max_size=4)


@given(CONFIGURATIONS, st.randoms(use_true_random=False))
def test_a_key_does_not_depend_on_the_order_of_names(one: dict[str, Any], dice: Any) -> None:
    items = list(one.items())
    dice.shuffle(items)
    assert configuration_key("x", one) == configuration_key("x", dict(items))


@given(CONFIGURATIONS, CONFIGURATIONS)
def test_different_configurations_have_different_keys(
    one: dict[str, Any], two: dict[str, Any]
) -> None:
    same = canonical(one) == canonical(two)
    assert (configuration_key("x", one) == configuration_key("x", two)) == same
    assert configuration_key("x", one) != configuration_key("y", one)


def _exact(value: Any) -> Any:
    """A value with its kinds, which == does not tell apart."""
    if isinstance(value, np.ndarray):
        return ("array", value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, (list, tuple)):
        return ("list", tuple(map(_exact, value)))
    if isinstance(value, dict):
        return ("map", tuple(sorted((repr(k), _exact(v)) for k, v in value.items())))
    return (type(value).__name__, repr(value))


ARRAYS = st.builds(lambda n, kind: np.arange(n).astype(kind), st.integers(0, 3),
                   st.sampled_from(["i4", "i8", "f8"]))  # fmt: skip
TREES = st.recursive(
    VALUES | ARRAYS,
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=2), x, max_size=2),
    max_leaves=5,
)


@given(TREES, TREES)
def test_a_digest_tells_exactly_what_differs_apart(one: Any, two: Any) -> None:
    assert (digest(one) == digest(two)) == (_exact(one) == _exact(two))


def test_all_that_a_result_depends_on_is_in_its_key(tmp_path: Path) -> None:
    base = study()
    other_net = nl.Network(network().populations, network().projections[:1], network().inputs)
    changed = [
        study(task=task(6)),
        study(dt=2e-3),
        study(rule="euler"),
        study(seed=1),
        study(options={"proved": True}),
        study(measure=["bits"]),
        study(measure=["bits", len]),
        study(task=None, inputs={"in": np.ones((3, 5), int)}),
        study(task=None, n_steps=9, inputs={"in": np.ones((3, 5), int)}),
        study(keep=["spikes"]),
        Study(network(), "loihi2", {"seed": [1]}, dt=1e-3, task=task()),
        Study(other_net, "generic", {"seed": [1]}, dt=1e-3, n_steps=5),
        Study(nl.discretize(network(), 1e-3), "generic", {"seed": [1]}, task=task()),
    ]
    one = {name: 1 for name in VARY}
    keys = [s.key(one) for s in (base, *changed)]
    assert len(set(keys)) == len(keys)
    assert base.key(one) == study().key(one) == study(vary={"seed": [3]}).key(one)


# -------------------------------------------------------------------------------- axes


@given(st.integers(0, 99), st.integers(1, 30))
def test_random_draws_are_different_points_of_the_grid_and_a_prefix(seed: int, n: int) -> None:
    axes = axes_of({"a": range(4), "b": [0.5, "x", True, None]})
    drawn, points = random(axes, n, seed), list(grid(axes))
    assert all(c in points for c in drawn)
    assert len(drawn) == min(n, 16) == len({canonical(c) for c in drawn})
    assert random(axes, n + 3, seed)[: len(drawn)] == drawn


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ({}, "mapping of dotted names"),
        ({"dt": []}, "1..100000 values"),
        ({"dt": 1e-3}, "a list or a range"),
        ({"dt": [1e-3, 1e-3]}, "each value once"),
        ({"dt": [math.nan]}, "numbers, texts or truths"),
        ({"dt": [[1]]}, "numbers, texts or truths"),
        ({"step": [1]}, "vary: name = 'step': unknown"),
        ({"profile.weights.default_bit": [1]}, "profile.weights.default_bits"),
        ({"profile.registers.w.bits": [1]}, "profile.registers.v.bits"),
        ({"profile.config.weight_bit": [1]}, "profile.config.weight_bits"),
        ({"quantize.weigth_bits": [1]}, "quantize.weight_bits"),
        ({"quantize.progress": [1]}, "unknown"),
        ({"network.weights.x.scale": [1]}, "network.weights.p"),
        ({"network.tau.hidden": [1]}, "network.tau_m.hidden"),
        ({"params.hidden.vht": [1]}, "params.hidden.vth"),
    ],
)
def test_wrong_names_and_values_are_refused_with_what_is_near(
    vary: dict[str, Any], said: str
) -> None:
    with pytest.raises(StudyError, match=said.replace(".", r"\.")):
        study(vary=vary)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"dt": None}, "dt is missing"),
        ({"inputs": {"in": np.ones((3, 5), int)}}, "one of them"),
        ({"measure": ["speed"]}, "task, spikes, overflow, bits"),
        ({"measure": ["task"], "task": None, "n_steps": 3}, "without a task"),
        ({"options": {"bits": 3}}, "options = 'bits': unknown, allowed: weight_bits"),
        ({"options": {"weight_bits": 3}}, "options"),
        ({"seed": -1}, "seed = -1"),
        ({"keep": ["v"]}, "keep"),
    ],
)
def test_wrong_arguments_are_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(StudyError, match=said):
        study(**more)


def test_every_name_of_a_profile_can_be_found_and_set() -> None:
    """What is listed can be set to what it is, which changes nothing."""
    profile = nl.load_profile("loihi1")
    tables = profile.model_dump(mode="json", by_alias=True)
    names = profile_names(profile)
    assert len(names) > 200
    for name in names:
        if name.startswith("config."):
            assert name[7:] in profile.config
            continue
        node: Any = tables
        for part in name.split("."):
            node = node[int(part)] if part.isdigit() else node[part]
        assert not isinstance(node, (dict, list))
    assert varied_profile(profile, None, {"registers.v.bits": 20}).registers["v"].bits == 20
    assert profile.registers["v"].bits != 20


def test_network_names_scale_and_set() -> None:
    names = network_names(network())
    assert {"weights", "weights.p", "tau_m.hidden", "v_threshold.out", "delay.q"} <= set(names)
    lowering = Lowering(study().base)
    usual = lowering.stepped({})
    changed = lowering.stepped({"network.v_threshold.scale": 1.5, "network.delay.q": 3e-3,
                                "network.weights.p.scale": 2.0, "dt": 0.5e-3})  # fmt: skip
    assert changed.dt == 0.5e-3
    for p, q in zip(usual.populations, changed.populations, strict=True):
        np.testing.assert_allclose(q.threshold, 1.5 * p.threshold)
    assert changed.projections[1].delays == 5  # of 0.5 ms, the first being the soonest
    np.testing.assert_allclose(changed.projections[0].weights, 2 * usual.projections[0].weights)


def test_the_threshold_is_scaled_above_the_reset() -> None:
    cell = nl.LIF(tau_m=20e-3, v_rest=-65e-3, v_threshold=-50e-3)
    net = nl.Network([nl.Population("a", 2, cell)])
    one = Study(net, "generic", {"network.v_threshold.a.scale": [2.0]}, dt=1e-3, n_steps=3)
    stepped = Lowering(one.base).stepped(one.grid()[0])
    np.testing.assert_allclose(stepped.populations[0].threshold, 30e-3)


def test_a_seed_changes_the_noise_alone() -> None:
    net = nl.Network([nl.Population("a", 4, nl.LIF(tau_m=20e-3, v_threshold=2e-3))],
                     [nl.Projection("p", "in", "a", np.full((4, 6), 4e-4), nl.Delta())],
                     [nl.PoissonInput("in", 6, 200.0, seed=3)])  # fmt: skip
    one = Study(net, "generic", {"seed": [0, 1, 2]}, dt=1e-3, n_steps=200).run(workers=1)
    rows = one.table()
    assert len({r["spikes"] for r in rows}) == 1 or len({r["spike_agreement"] for r in rows}) > 1
    assert all(r["error"] is None and r["spikes"] for r in rows)


# -------------------------------------------------------------------------------- tables


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12))
def test_a_pareto_front_is_what_nothing_beats(points: list[tuple[int, int]]) -> None:
    rows = [{"bits": x, "accuracy": y} for x, y in points]
    front = [(r["bits"], r["accuracy"]) for r in pareto_rows(rows, "bits", "accuracy")]
    wanted = {(x, y) for x, y in points
              if not any((a <= x and b >= y) and (a, b) != (x, y) for a, b in points)}  # fmt: skip
    assert set(front) == wanted
    assert front == sorted(set(front))


def test_best_and_pareto_of_a_study(done: Study) -> None:
    best = done.best("bits", {"spike_agreement": 0.5})
    reach = [r for r in done.table() if r["error"] is None and r["spike_agreement"] >= 0.5]
    assert best["bits"] == min(r["bits"] for r in reach)
    with pytest.raises(StudyError, match="the best there is: {'accuracy'"):
        done.best("bits", {"accuracy": 1.5})
    with pytest.raises(StudyError, match="accuracy_float, accuracy|accuracy"):
        done.pareto("bits", "acuracy")
    front = done.pareto("bits", "spike_agreement")
    assert [r["spike_agreement"] for r in front] == sorted(r["spike_agreement"] for r in front)


def test_other_libraries_get_the_same_table(done: Study, tmp_path: Path) -> None:
    import pandas as pd

    rows = done.table()
    frame = done.to_pandas()
    assert list(frame.columns) == list(rows[0])
    done.to_csv(tmp_path / "t.csv")
    done.to_parquet(tmp_path / "t.parquet")
    assert (tmp_path / "t.csv").read_text() == csv_text(rows)
    # what pandas 3 does anyway, and warns of being told
    exact = {} if int(pd.__version__.split(".")[0]) >= 3 else {"float_precision": "round_trip"}
    for back in (
        pd.read_csv(tmp_path / "t.csv", **exact),
        pd.read_parquet(tmp_path / "t.parquet"),
    ):
        assert list(back.columns) == list(rows[0])
        assert list(back["key"]) == [r["key"] for r in rows]
        fine = back["error"].isna()
        np.testing.assert_array_equal(
            back["rate_error"][fine].to_numpy(),
            [r["rate_error"] for r in rows if r["error"] is None],
        )
    data = done.to_xarray()
    assert dict(data.sizes) == {n: len(v) for n, v in VARY.items()}
    for row in rows:
        value = data["accuracy"].sel({n: row[n] for n in VARY}).item()
        assert value == row["accuracy"] or (math.isnan(value) and row["error"])
    assert text_table(rows).count("\n") == 36


def test_a_replay_gives_the_same_bytes_and_tells_where_it_does_not(done: Study) -> None:
    rows = done.table()
    for row in (rows[0], rows[-1]):
        again = done.replay(row["key"][:12])
        assert again.same and again.stored == again.again
        assert again.key == row["key"]
    with pytest.raises(StudyError, match="no result"):
        done.replay("zz")
    with pytest.raises(StudyError, match="no result"):
        done.replay("")
    assert done._memory is not None
    done._memory._db.execute("UPDATE results SET result = '{}' WHERE key = ?", (rows[0]["key"],))
    wrong = done.replay(rows[0]["key"])
    assert not wrong.same and wrong.stored == "{}"
    done._memory._db.execute("UPDATE results SET result = ? WHERE key = ?",
                             (wrong.again, rows[0]["key"]))  # fmt: skip
    assert json.loads(wrong.again)["spikes"] == rows[0]["spikes"]


def test_an_axis_finds_values_of_its_kind_only() -> None:
    axis = Axis("x", (1, True, 2.5))
    assert [axis.place(v) for v in (1, True, 2.5)] == [0, 1, 2]
    with pytest.raises(StudyError, match="x = 3, allowed: 1, True, 2.5"):
        axis.place(3)


def mean_weight(fixed: nl.FixedNetwork, run: nl.Recording) -> dict[str, float]:
    return {"mean_weight": np.mean(fixed.projections[0].weights), "steps": run.n_steps}


def broken(fixed: nl.FixedNetwork, run: nl.Recording) -> dict[str, float]:
    raise KeyError("what")


def test_functions_measure_more_and_their_errors_are_rows() -> None:
    one = study(vary={"quantize.weight_bits": [3, 4]}, measure=["bits", mean_weight])
    rows = one.run(workers=1).table()
    assert all(r["steps"] == 30 and r["mean_weight"] > 0 and "spikes" not in r for r in rows)
    rows = study(vary={"quantize.weight_bits": [3]}, measure=[broken]).run(workers=1).table()
    assert rows[0]["error"] == "StudyError: broken raised KeyError: 'what'"


def test_the_type_of_whole_inputs_and_labels_is_not_in_the_key() -> None:
    given = task()
    for kind in (np.int64, np.bool_, np.uint16):
        inputs = {"in": np.asarray(given.inputs["in"]).astype(kind)}
        other = Task(inputs, np.asarray(given.labels, np.int32), "out")
        assert study(task=other).identity == study().identity
    inputs = {"in": np.asarray(given.inputs["in"]).astype(np.int64) * 300}
    assert Task(inputs, given.labels, "out").digest != given.digest


def _closing(k: float) -> Any:
    def measure(fixed: Any, run: Any) -> dict[str, float]:
        return {"k": k}

    return measure


class _Calling:
    def __init__(self, k: float) -> None:
        self.k = k

    def __call__(self, fixed: Any, run: Any) -> dict[str, float]:
        return {"k": self.k}


def _partial(k: float) -> Any:
    return partial(lambda fixed, run, k: {"k": k}, k=k)


def _default(k: float) -> Any:
    return lambda fixed, run, k=k: {"k": k}


def _constant(k: float) -> Any:
    found: dict[str, Any] = {}
    exec(f"def measure(fixed, run):\n    return [{{'k': {k}}} for _ in 'x'][0]", found)
    return found["measure"]


@pytest.mark.parametrize("kind", [_closing, _Calling, _partial, _default, _constant])
def test_what_a_measuring_function_computes_is_in_the_key(kind: Any) -> None:
    one, same, other = (study(measure=["bits", kind(k)]) for k in (0.5, 0.5, 0.75))
    assert one.identity == same.identity
    assert one.identity != other.identity


def _raising(fixed: Any, run: Any) -> Any:
    raise AssertionError("no spikes")


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        (_raising, "StudyError: _raising raised AssertionError: no spikes"),
        (lambda fixed, run: {"x": math.nan}, "gave x = nan, allowed: a finite number"),
        (lambda fixed, run: {"x": np.arange(3)}, "allowed: a finite number, a text or None"),
        (lambda fixed, run: {"key": 1}, "gave 'key', a column that there is"),
        (lambda fixed, run: {"bits": 1}, "gave 'bits', a column that there is"),
    ],
)
def test_wrong_measuring_functions_are_rows_that_say_so(measure: Any, said: str) -> None:
    one = study(vary={"quantize.weight_bits": [4]}, measure=["bits", measure])
    (row,) = one.run(workers=1).table()
    assert said in row["error"] and len(row["key"]) == 64


def test_equal_numbers_of_two_kinds_are_not_two_rows(tmp_path: Path) -> None:
    name = "params.hidden.vth.scale"
    study(tmp_path / "s", {name: [1, 2]}, measure=["bits"]).run(workers=1)
    one = study(tmp_path / "s", {name: [0.5, 1.0, 2.0]}, measure=["bits"]).run(workers=1)
    assert [r[name] for r in one.table()] == [0.5, 1.0, 2.0]
    assert (one.status().done, one.status().total) == (3, 3)


def test_a_grid_too_large_for_memory_is_refused_and_can_be_drawn_from() -> None:
    scales = [k / 2000 for k in range(1, 2001)]
    one = study(vary={"params.hidden.vth.scale": scales, "params.out.vth.scale": scales})
    with pytest.raises(StudyError, match=r"4e\+06 configurations, allowed: 1000000, or random"):
        one.run(workers=1)
    assert len(one.random(3)) == 3
