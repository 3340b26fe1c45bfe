"""The description: what it holds, that it cannot be changed, that it keeps no one else's arrays."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from neuro_lif import (
    IF,
    LI,
    LIF,
    CurrentInput,
    Delta,
    Exponential,
    Network,
    NeuroLifError,
    Population,
    Probe,
    Projection,
    SpikeInput,
)
from neuro_lif.errors import NetworkError
from neuro_lif.stimulus import Constant, Sampled, Sinusoid


def small() -> Network:
    return Network(
        [
            Population("exc", 3, LIF(tau_m=20e-3, v_threshold=[1, 2, 3], t_refractory=2e-3)),
            Population("acc", 2, IF(capacitance=2e-12)),
            Population("out", 1, LI(tau_m=[5e-3])),
        ],
        [
            Projection("in_exc", "src", "exc", np.ones((3, 4)), Exponential(5e-3), delay=1e-3),
            Projection("exc_acc", "exc", "acc", sparse.eye(2, 3), delay=[1e-3, 2e-3]),
            Projection("exc_out", "exc", "out", [[1, 0, 2]], delay=[[0, 1e-3, 0]]),
        ],
        [SpikeInput("src", 4, [3, 0], [2e-3, 1e-3]), CurrentInput("dc", "acc", Constant(1e-9))],
        [Probe("exc"), Probe("out", "v"), Probe("exc", "u")],
    )


def arrays_of(item: Any) -> list[np.ndarray]:
    """Every array inside an object, those of sparse matrices included."""
    if isinstance(item, np.ndarray):
        return [item]
    if sparse.issparse(item):
        return [item.data, item.indices, item.indptr]
    if isinstance(item, tuple):
        return [a for part in item for a in arrays_of(part)]
    if is_dataclass(item):
        return [a for f in fields(item) for a in arrays_of(getattr(item, f.name))]
    return []


# ------------------------------------------------------------------------ what it holds


def test_a_network_gives_its_parts_by_kind_and_name() -> None:
    net = small()
    assert net.population("acc").size == 2
    assert [i.name for i in net.spike_inputs] == ["src"]
    assert [i.name for i in net.current_inputs] == ["dc"]
    assert isinstance(net.projections, tuple) and len(net.projections) == 3


@pytest.mark.parametrize("name", ["nobody", "", 3, None])
def test_an_unknown_population_is_refused_by_name(name: Any) -> None:
    with pytest.raises(NetworkError, match="allowed: one of acc, exc, out"):
        small().population(name)


def test_parts_may_come_from_any_iterable_or_alone() -> None:
    population = Population("a", 1, LI(tau_m=1e-3))
    assert Network(p for p in [population]).populations == (population,)
    assert Network(population).populations == (population,)  # type: ignore[arg-type]


def test_absent_voltages_follow_the_resting_or_the_reset_voltage() -> None:
    lif = Population("a", 1, LIF(tau_m=1e-3, v_rest=-65e-3, v_threshold=-50e-3)).neuron
    assert lif.v_reset == lif.v_init == -65e-3  # type: ignore[union-attr]
    acc = Population("a", 1, IF(v_reset=-1.0)).neuron
    assert acc.v_init == -1.0
    assert Population("a", 1, LI(tau_m=1e-3, v_rest=0.5)).neuron.v_init == 0.5


def test_the_conductance_form_is_the_time_constant_form() -> None:
    # the book's 1 kOhm and 5 uF make 5 ms (specs, 1.1 N4)
    neuron = LIF.from_conductance(5e-6, 1e-3, e_leak=-70e-3, v_threshold=-50e-3, reset="subtract")
    assert neuron.tau_m == pytest.approx(5e-3, rel=1e-15)
    assert neuron.resistance == pytest.approx(1e3, rel=1e-15)
    assert (neuron.v_rest, neuron.v_reset, neuron.reset) == (-70e-3, -70e-3, "subtract")
    per_neuron = LIF.from_conductance([1e-12, 2e-12], 1e-9)
    assert np.allclose(per_neuron.tau_m, [1e-3, 2e-3], rtol=1e-15)


def test_whole_numbers_are_numbers() -> None:
    neuron = Population("a", np.int64(2), LIF(tau_m=1, v_threshold=np.array([1, 2]))).neuron
    assert all(getattr(neuron, f).dtype == np.float64 for f in ("tau_m", "v_threshold", "v_rest"))


def test_the_spikes_are_put_in_order_of_time_then_channel() -> None:
    given = SpikeInput("s", 5, [4, 1, 0, 2], [2e-3, 1e-3, 2e-3, 0.0])
    assert np.asarray(given.times).tolist() == [0.0, 1e-3, 2e-3, 2e-3]
    assert np.asarray(given.indices).tolist() == [2, 1, 0, 4]
    assert np.asarray(given.indices).dtype == np.int64


def test_spike_trains_become_a_list_of_spikes() -> None:
    given = SpikeInput.from_trains("s", [[3e-3, 1e-3], [], [2e-3]])
    assert given.size == 3
    assert np.asarray(given.times).tolist() == [1e-3, 2e-3, 3e-3]
    assert np.asarray(given.indices).tolist() == [0, 2, 0]
    assert np.asarray(SpikeInput.from_trains("s", [[], []]).times).size == 0


def test_an_input_may_wait_for_the_run() -> None:
    assert SpikeInput("s", 2).times is None
    assert CurrentInput("c", "a").stimulus is None


@pytest.mark.parametrize("tau", [5e-3, np.float64(5e-3), np.array(5e-3), np.float32(1)])
def test_a_synapse_holds_a_plain_number(tau: Any) -> None:
    p = Projection("p", "a", "a", [[1.0]], Exponential(tau))
    assert isinstance(p.synapse, Exponential) and type(p.synapse.tau) is float
    assert len({p.synapse, replace(p.synapse)}) == 1  # hashable, equal by value


# ----------------------------------------------------------------------------- immutable


@pytest.mark.parametrize("part", ["populations", "projections", "inputs", "probes"])
def test_no_field_can_be_set(part: str) -> None:
    net = small()
    item = getattr(net, part)[0]
    with pytest.raises(FrozenInstanceError):
        setattr(net, part, ())
    for f in fields(item):
        with pytest.raises(FrozenInstanceError):
            setattr(item, f.name, None)


def test_every_array_is_read_only() -> None:
    arrays = arrays_of(small())
    assert len(arrays) > 25
    for array in arrays:
        assert not array.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize("kind", ["dense", "csr", "csc", "coo"])
def test_weights_are_copied(kind: str) -> None:
    mine = np.array([[1.0, 0.0], [2.0, 3.0]])
    given = mine if kind == "dense" else sparse.coo_matrix(mine).asformat(kind)
    delay = np.full(4 if kind == "dense" else 3, 1e-3).reshape((2, 2) if kind == "dense" else -1)
    p = Projection("p", "a", "a", given, delay=delay)
    before = p.weights.copy() if kind == "dense" else p.weights.toarray()
    for array in [mine, delay] + ([given.data] if kind != "dense" else []):
        array[...] = 9.0  # still mine to change
    after = p.weights if kind == "dense" else p.weights.toarray()
    assert (after == before).all() and (p.delay == 1e-3).all()
    assert not any(np.shares_memory(a, mine) for a in arrays_of(p))


def test_parameters_spikes_and_currents_are_copied() -> None:
    taus, values, times = np.array([1e-3, 2e-3]), np.ones((3, 2)), np.array([1e-3, 2e-3])
    indices = np.array([0, 1])
    population = Population("a", 2, LIF(tau_m=taus))
    current, spikes = Sampled(values, 1e-3), SpikeInput("s", 2, indices, times)
    for array in (taus, values, times):
        array[:] = 7.0
    indices[:] = 0
    assert np.asarray(population.neuron.tau_m).tolist() == [1e-3, 2e-3]  # type: ignore[union-attr]
    assert (np.asarray(current.values) == 1).all()
    assert np.asarray(spikes.times).tolist() == [1e-3, 2e-3]
    assert np.asarray(spikes.indices).tolist() == [0, 1]


def test_a_neuron_serves_two_populations_of_different_size() -> None:
    neuron = LIF(tau_m=1e-3)
    Population("a", 1, neuron)
    Population("b", 7, neuron)
    assert neuron.tau_m == 1e-3  # left as it was given


# ---------------------------------------------------------------------------- CSR, delays


def test_csr_is_brought_to_one_form() -> None:
    rows, cols = [1, 0, 1, 1, 0], [2, 1, 0, 2, 1]
    given = sparse.coo_matrix(([1.0, 5.0, 3.0, 2.0, -5.0], (rows, cols)), shape=(2, 3))
    w = Projection("p", "a", "b", given).weights
    assert w.format == "csr" and w.has_canonical_format
    assert w.indptr.tolist() == [0, 1, 3] and w.indices.tolist() == [1, 0, 2]
    assert w.data.tolist() == [0.0, 3.0, 3.0]  # duplicates summed, the zero that results is kept


def test_explicit_zeros_are_kept() -> None:
    given = sparse.csr_matrix(([0.0, 1.0], [0, 1], [0, 2]), shape=(1, 2))
    assert Projection("p", "a", "b", given, delay=[1e-3, 0]).weights.nnz == 2


def test_unsorted_indices_are_sorted_in_the_copy_alone() -> None:
    given = sparse.csr_matrix((np.array([1.0, 2.0]), np.array([1, 0]), np.array([0, 2])), (1, 2))
    w = Projection("p", "a", "b", given).weights
    assert w.indices.tolist() == [0, 1] and w.data.tolist() == [2.0, 1.0]
    assert given.indices.tolist() == [1, 0]


def test_duplicates_of_a_csr_are_summed_in_the_copy_alone() -> None:
    given = sparse.csr_matrix((np.array([1.0, 2.0]), np.array([1, 1]), np.array([0, 2])), (1, 2))
    w = Projection("p", "a", "b", given).weights
    assert w.indices.tolist() == [1] and w.data.tolist() == [3.0]
    assert given.data.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "bsr", "dok", "lil", "dia"])
@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csr_array])
def test_every_sparse_kind_is_welcome(kind: str, make: Any) -> None:
    dense = np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 3.0]])
    w = Projection("p", "a", "b", make(dense).asformat(kind)).weights
    assert w.format == "csr" and (w.toarray() == dense).all()


def test_a_matrix_without_synapses() -> None:
    w = Projection("p", "a", "b", sparse.csr_matrix((2, 3)), delay=np.zeros(0)).weights
    assert w.nnz == 0 and w.shape == (2, 3)


def test_delays_are_held_flat_and_can_be_given_so() -> None:
    delays = np.arange(6).reshape(2, 3) * 1e-3
    p = Projection("p", "a", "b", np.ones((2, 3)), delay=delays)
    assert p.delay.tolist() == delays.ravel().tolist()
    assert replace(p, name="q").delay.tolist() == p.delay.tolist()


def test_sparse_delays_follow_the_weights() -> None:
    weights = sparse.csr_matrix(([1.0, 2.0, 0.0], ([1, 0, 1], [0, 1, 1])), shape=(2, 2))
    delays = sparse.csr_matrix(([3e-3, 1e-3, 2e-3], ([1, 0, 1], [0, 1, 1])), shape=(2, 2))
    assert Projection("p", "a", "b", weights, delay=delays).delay.tolist() == [1e-3, 3e-3, 2e-3]


# ------------------------------------------------------------------------------- stimuli


def test_stimuli_at_given_times() -> None:
    times = np.array([0.0, 5e-3, 10e-3])
    assert (Constant([1.0, 2.0]).sample(times, 2) == [[1, 2]] * 3).all()
    wave = Sinusoid(1.0, 2.0, 20e-3, phase=[0.0, np.pi / 2]).sample(times, 2)
    assert np.allclose(wave, [[1, 3], [3, 1], [1, -1]], atol=1e-15)


def test_samples_are_held_and_then_end() -> None:
    held = Sampled([[1.0], [2.0]], 1e-3).sample(np.arange(6) * 0.5e-3, 3)
    assert held[:, 0].tolist() == [1, 1, 2, 2, 0, 0] and held.shape == (6, 3)
    # 0.0021 / 0.0001 is 20.999999999999996 and means 21
    fine = Sampled(np.arange(30.0)[:, None], 1e-4).sample(np.array([0.0021]), 1)
    assert fine.tolist() == [[21.0]]


# ------------------------------------------------------------------------- several faults


def test_all_faults_of_a_part_come_at_once() -> None:
    neuron = LIF(tau_m=-1.0, resistance="1", v_threshold=np.nan, t_refractory=[1, 2, 3],
                 reset="hard")  # type: ignore[arg-type]  # fmt: skip
    with pytest.raises(NetworkError) as caught:
        Population("a", 2, neuron)
    text = str(caught.value)
    for name in ("tau_m", "resistance", "v_threshold", "t_refractory", "reset"):
        assert f"population 'a': {name} = " in text


def test_all_faults_of_a_network_come_at_once() -> None:
    a = Population("a", 2, LI(tau_m=1e-3))
    with pytest.raises(NetworkError) as caught:
        Network(
            [a, a],
            [Projection("p", "x", "y", [[1.0]]), Projection("q", "a", "a", [[1.0]], Delta())],
            [CurrentInput("c", "z"), CurrentInput("d", "a", Constant([1.0, 2.0, 3.0]))],
            [Probe("w")],
        )
    lines = str(caught.value).splitlines()
    assert len(lines) == 8 and lines[0] == "network"
    assert isinstance(caught.value, (NeuroLifError, ValueError))


@pytest.mark.parametrize("form", ["coo", "csc", "unsorted csr"])
def test_delays_stay_with_their_weights(form: str) -> None:
    """One delay per stored weight, in the caller's order, whatever the sparse form."""
    rows, columns = np.array([2, 0, 1, 0]), np.array([0, 1, 2, 0])
    values, delays = np.array([1.0, 2.0, 3.0, 4.0]), np.array([9e-3, 1e-3, 5e-3, 7e-3])
    given = sparse.coo_matrix((values, (rows, columns)), shape=(3, 3))
    if form == "csc":
        given = given.tocsc()
        delays = np.array([7e-3, 9e-3, 1e-3, 5e-3])  # column by column
    elif form == "unsorted csr":
        given = sparse.csr_matrix(
            (np.array([2.0, 4.0, 3.0, 1.0]), np.array([1, 0, 2, 0]), np.array([0, 2, 3, 4]))
        )
        delays = np.array([1e-3, 7e-3, 5e-3, 9e-3])
    projection = Projection("p", "a", "b", given, Delta(), delays)
    meant = {4.0: 7e-3, 2.0: 1e-3, 3.0: 5e-3, 1.0: 9e-3}
    found = dict(zip(projection.weights.data, projection.delay, strict=True))
    assert found == meant
