"""Network files: everything a Network can say comes back bit for bit; every fault is named."""

from __future__ import annotations

import random
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

import neuro_lif
from neuro_lif import (
    IF,
    LI,
    LIF,
    Alpha,
    BiExponential,
    CurrentInput,
    Delta,
    Exponential,
    Network,
    Population,
    Probe,
    Projection,
    SpikeInput,
)
from neuro_lif.errors import FileFormatError
from neuro_lif.files import load_network, save_network
from neuro_lif.stimulus import Constant, Sampled, Sinusoid
from neuro_lif.units import DIMENSIONS, PREFIXES, si_value

EXAMPLE = Path(__file__).parent.parent / "examples" / "network_file" / "balanced.toml"


def same(a: Any, b: Any) -> bool:
    """Equal in type, shape, dtype and every bit (also the sign of zero)."""
    if is_dataclass(a):
        return type(a) is type(b) and all(
            same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a)
        )
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if sparse.issparse(a):
        whole = a.format == b.format and a.shape == b.shape
        # the width of an index is scipy's choice, its value is ours
        indices = (a.indices == b.indices).all() and (a.indptr == b.indptr).all()
        return whole and bool(indices) and same(a.data, b.data)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return type(a) is type(b) and a == b


# ---------------------------------------------------------------------------- round trip

NAMES = ["a", "b_2", "_c", "größe", "名", "True", "nan", "weights"]
REAL = st.floats(-1e9, 1e9) | st.sampled_from([-0.0, 5e-324, 1 / 3, 1e-300])
POSITIVE = st.floats(1e-300, 1e9) | st.sampled_from([5e-324, 0.1, 20e-3])


def spread(draw: Any, elements: st.SearchStrategy[float], size: int) -> Any:
    """A number, or one per neuron."""
    if draw(st.booleans()):
        return draw(elements)
    return np.array(draw(st.lists(elements, min_size=size, max_size=size)))


@st.composite
def neurons(draw: Any, size: int) -> LIF | IF | LI:
    kind = draw(st.sampled_from(["LIF", "IF", "LI"]))
    reset = draw(REAL)
    shared = {"i_bias": spread(draw, REAL, size), "v_init": spread(draw, REAL, size)}
    leak = {"tau_m": spread(draw, POSITIVE, size), "resistance": spread(draw, POSITIVE, size),
            "v_rest": spread(draw, REAL, size)}  # fmt: skip
    if kind == "LI":
        return LI(**leak, **shared)
    fire = {"v_reset": reset, "v_threshold": reset + np.abs(spread(draw, REAL, size)) * 2 + 1e3,
            "t_refractory": spread(draw, POSITIVE, size),
            "reset": draw(st.sampled_from(["value", "subtract"]))}  # fmt: skip
    if kind == "LIF":
        return LIF(**leak, **shared, **fire)
    return IF(capacitance=spread(draw, POSITIVE, size), **shared, **fire)


@st.composite
def matrices(draw: Any, n_post: int, n_pre: int) -> tuple[Any, Any]:
    """Weights, dense or CSR with explicit zeros, and delays."""
    count = n_post * n_pre
    values = np.array(draw(st.lists(REAL | st.just(0.0), min_size=count, max_size=count)))
    weights: Any = values.reshape(n_post, n_pre)
    if draw(st.booleans()):
        kept = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), bool)
        where = np.divmod(np.flatnonzero(kept), n_pre)
        weights = sparse.csr_matrix((values[kept], where), shape=(n_post, n_pre))
        count = weights.nnz
    delay = draw(st.floats(0, 1))
    if draw(st.booleans()):
        delay = np.array(draw(st.lists(st.floats(0, 1), min_size=count, max_size=count)))
    return weights, delay


@st.composite
def stimuli(draw: Any, size: int) -> Constant | Sinusoid | Sampled | None:
    kind = draw(st.sampled_from(["none", "constant", "sinusoid", "sampled"]))
    if kind == "constant":
        return Constant(spread(draw, REAL, size))
    if kind == "sinusoid":
        return Sinusoid(*(spread(draw, REAL, size) for _ in range(2)), draw(POSITIVE),
                        spread(draw, REAL, size))  # fmt: skip
    if kind == "sampled":
        rows, width = draw(st.integers(0, 6)), draw(st.sampled_from([1, size]))
        values = draw(st.lists(REAL, min_size=rows * width, max_size=rows * width))
        return Sampled(np.array(values).reshape(rows, width), draw(POSITIVE))
    return None


@st.composite
def networks(draw: Any) -> Network:
    names = draw(st.permutations(NAMES))
    n_pops = draw(st.integers(1, 3))
    populations = []
    for name in names[:n_pops]:
        size = draw(st.integers(1, 6))
        populations.append(Population(name, size, draw(neurons(size))))
    inputs: list[Any] = []
    for name in names[n_pops : n_pops + draw(st.integers(0, 3))]:
        if draw(st.booleans()):
            target = draw(st.sampled_from(populations))
            inputs.append(CurrentInput(name, target.name, draw(stimuli(target.size))))
            continue
        size = draw(st.integers(1, 6))
        spikes = st.tuples(st.integers(0, size - 1), st.floats(0, 1e3))
        found = draw(st.none() | st.lists(spikes, max_size=30))
        columns = [None, None] if found is None else np.array(found).reshape(-1, 2).T
        inputs.append(SpikeInput(name, size, *columns))
    sources = [*populations, *(i for i in inputs if isinstance(i, SpikeInput))]
    projections = []
    for name in draw(st.permutations(NAMES))[: draw(st.integers(0, 4))]:
        pre, post = draw(st.sampled_from(sources)), draw(st.sampled_from(populations))
        weights, delay = draw(matrices(post.size, pre.size))
        if not sparse.issparse(weights) and np.ndim(delay):
            delay = delay.reshape(weights.shape)
        norm = draw(st.sampled_from(["delta", "peak", "area", "psp", "nnmt"]))
        kind = draw(st.sampled_from([Exponential, Alpha, BiExponential]))
        taus = [draw(POSITIVE) for _ in range(1 + (kind is BiExponential))]
        synapse = Delta() if norm == "delta" else kind(*taus, norm)
        projections.append(Projection(name, pre.name, post.name, weights, synapse, delay))
    variables = st.sampled_from(["spikes", "v", "u"])
    probes = draw(st.lists(st.builds(
        Probe, st.sampled_from([p.name for p in populations]), variables), max_size=3))  # fmt: skip
    return Network(populations, projections, inputs, probes)


# the folder may be shared by all examples: each save replaces the one before
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(network=networks())
def test_everything_comes_back_bit_for_bit(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    save_network(network, path)
    first = path.read_bytes()
    again = load_network(path)
    assert same(again, network)
    save_network(again, path)
    assert path.read_bytes() == first  # and the files are the same bytes


def test_large_matrices_and_many_spikes_come_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    weights = sparse.random(200, 300, 0.1, "csr", random_state=rng)
    weights.data[::7] = 0.0
    net = Network(
        [Population("a", 200, LIF(tau_m=rng.uniform(1e-3, 2e-2, 200)))],
        [Projection("p", "s", "a", weights, delay=rng.uniform(0, 1e-2, weights.nnz)),
         Projection("q", "a", "a", rng.normal(size=(200, 200)),
                    delay=rng.uniform(0, 1e-2, (200, 200)))],
        [SpikeInput("s", 300, rng.integers(0, 300, 5000), rng.uniform(0, 1, 5000)),
         CurrentInput("c", "a", Sampled(rng.normal(size=(50, 200)), 1e-3))],
    )  # fmt: skip
    save_network(net, tmp_path / "net.toml")
    assert same(load_network(str(tmp_path / "net.toml")), net)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.npz", "net.toml"]
    assert len((tmp_path / "net.toml").read_text().splitlines()) < 50


def test_a_small_network_needs_no_npz(tmp_path: Path) -> None:
    net = Network([Population("a", 2, LI(tau_m=1e-3))], [Projection("p", "a", "a", np.eye(2))])
    save_network(net, tmp_path / "net.toml")
    assert [p.name for p in tmp_path.iterdir()] == ["net.toml"]
    assert same(load_network(tmp_path / "net.toml"), net)


# --------------------------------------------------------------------------- by hand

HAND = """
format = "neuro-lif-network/1"

[populations.exc]
size = 3
neuron = "LIF"
tau_m = ["10 ms", 0.02, "3e4 us"]
resistance = "100 MΩ"
v_rest = "-65mV"
v_threshold = "-50 mV"
t_refractory = "2 ms"
i_bias = "0.1 nA"

[populations.membrane]
size = 2
neuron = "LIF"
capacitance = "250 pF"
conductance = "12.5 nS"
e_leak = "-70 mV"

[populations.sum]
size = 3
neuron = "IF"
capacitance = "2 µF"
v_threshold = 1
reset = "subtract"

[projections.all]
pre = "exc"
post = "membrane"
synapse = { kind = "exponential", tau = "5 ms" }
weights = { value = "0.5 nA", all_to_all = true }
delay = "1.5 ms"

[projections.each]
pre = "exc"
post = "sum"
weights = { value = "2 mV", one_to_one = true }

[projections.rows]
pre = "train"
post = "membrane"
synapse = { kind = "exponential", tau = "5 ms", norm = "area" }
weights = [["1 pC", 0.0], [2e-12, "-1e3 fC"]]
delay = [["1 ms", 0], [0, "2 ms"]]

[inputs.train]
kind = "spikes"
size = 2
indices = [0, 1]
times = ["3 ms", 0.001]

[inputs.wave]
kind = "current"
population = "exc"
stimulus = { kind = "sinusoid", offset = "1 nA", amplitude = 1e-9, period = "20 ms" }

[inputs.later]
kind = "current"
population = "sum"

[[probes]]
population = "exc"
"""


def test_a_hand_written_file_with_units(tmp_path: Path) -> None:
    (tmp_path / "hand.toml").write_text(HAND, "utf-8")
    net = load_network(tmp_path / "hand.toml")
    exc, membrane = net.population("exc").neuron, net.population("membrane").neuron
    assert isinstance(exc, LIF) and isinstance(membrane, LIF)
    assert np.asarray(exc.tau_m).tolist() == [0.01, 0.02, 0.03]
    assert (exc.resistance, exc.v_rest, exc.v_reset, exc.i_bias) == (1e8, -0.065, -0.065, 1e-10)
    assert membrane.tau_m == pytest.approx(20e-3, rel=1e-15) and membrane.v_rest == -0.07
    every, each, rows = net.projections
    assert (every.weights == 0.5e-9).all() and every.weights.shape == (2, 3)
    assert every.delay == 0.0015 and every.synapse == Exponential(0.005)
    assert sparse.issparse(each.weights) and (each.weights.toarray() == np.eye(3) * 2e-3).all()
    assert each.synapse == Delta()
    assert rows.weights.tolist() == [[1e-12, 0.0], [2e-12, -1e-12]]
    assert rows.delay.tolist() == [1e-3, 0, 0, 2e-3]
    assert np.asarray(net.spike_inputs[0].times).tolist() == [0.001, 0.003]
    assert net.current_inputs[1].stimulus is None and net.probes == (Probe("exc", "v"),)


def test_the_example_file_runs() -> None:
    net = load_network(EXAMPLE)
    run = neuro_lif.run_clocked(neuro_lif.discretize(net, 1e-3), 300)
    rates = {name: run.spikes[name].mean() * 1e3 for name in ("exc", "inh")}
    assert 8 < rates["exc"] < 18 and 5 < rates["inh"] < 14


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda d: d.what)
def test_units_are_exact(dimension: Any, prefix: str) -> None:
    for unit in (dimension.unit, *dimension.spellings):
        for digits in ("1", "20", "-0.1", "3.3e2", "7.", ".5", "+4"):
            wanted = float(f"{float(digits)!r}e{PREFIXES[prefix]}".replace("e2e", "e"))
            if "e" not in digits:
                assert si_value(f"{digits} {prefix}{unit}", dimension) == wanted
            assert si_value(f" {digits}{prefix}{unit} ", dimension) is not None
    for other in DIMENSIONS:
        text = f"1 {prefix}{dimension.unit}"
        assert (si_value(text, other) is None) == (other is not dimension)


@pytest.mark.parametrize("text", ["20", "ms", "", "20 sec", "20 m s", "0x1 s", "nan s", "1,5 ms",
                                  "1e9999 s", "20 Ms s", "1 e3 s", "20  msV", "--1 s"])  # fmt: skip
def test_texts_that_are_no_time(text: str) -> None:
    assert all(si_value(text, d) is None for d in DIMENSIONS)


# ---------------------------------------------------------------------------- faults


def faults_of(tmp_path: Path, text: str, **arrays: Any) -> list[str]:
    """Load a file and return the lines of the error."""
    if arrays:
        np.savez(tmp_path / "net.npz", **{k.replace("__", "."): v for k, v in arrays.items()})
        text = 'arrays = "net.npz"\n' + text
    (tmp_path / "net.toml").write_text('format = "neuro-lif-network/1"\n' + text, "utf-8")
    with pytest.raises(FileFormatError) as caught:
        load_network(tmp_path / "net.toml")
    assert str(tmp_path / "net.toml") in str(caught.value)
    return str(caught.value).split("\n  ")


A = '[populations.a]\nsize = 2\nneuron = "LIF"\ntau_m = 0.02\n'
P = '[projections.p]\npre = "a"\npost = "a"\n'
S = '[inputs.s]\nkind = "spikes"\n'
C = '[inputs.c]\nkind = "current"\npopulation = "a"\n'
CASES = {
    "wrong dimension": (A.replace("0.02", '"20 mV"'),
                        "populations.a.tau_m = '20 mV', allowed: a time: a number in s"),
    "no unit": (A.replace("0.02", '"20"'), "populations.a.tau_m = '20', allowed: a time"),
    "a truth": (A.replace("0.02", "true"), "populations.a.tau_m = True, allowed: a time"),
    "a date": (A.replace("0.02", "2020-01-01"), "populations.a.tau_m = datetime.date(2020, 1, 1)"),
    "nan": (A.replace("0.02", "nan"), "populations.a.tau_m = nan, allowed: finite"),
    "huge": (A.replace("0.02", "1" + "0" * 400), "populations.a.tau_m = 1000"),
    "negative": (A.replace("0.02", '"-20 ms"'), "populations.a.tau_m = -0.02, allowed: > 0"),
    "absent": (A.replace("tau_m = 0.02", ""), "populations.a.tau_m = (absent), allowed: a value"),
    "no size": (A.replace("size = 2", ""), "populations.a.size = (absent), allowed: a whole"),
    "size 0": (A.replace("size = 2", "size = 0"), "populations.a.size = 0, allowed: a whole"),
    "real size": (A.replace("size = 2", "size = 2.0"), "populations.a.size = 2.0, allowed"),
    "unknown neuron": (A.replace("LIF", "lif"), "a.neuron = 'lif', allowed: one of \"LIF\", \"IF"),
    "no neuron": (A.replace('neuron = "LIF"', ""), "a.neuron = (absent), allowed: one of"),
    "unknown key": (A + "tau = 1\n", "populations.a.tau = 1, allowed: keys size, neuron, tau_m"),
    "two forms": (A + "conductance = 1\ncapacitance = 1\n", "a.tau_m = 0.02, allowed: keys size"),
    "half a form": (A.replace("tau_m = 0.02", "conductance = 1"), "a.capacitance = (absent)"),
    "bad conductance": (A.replace("tau_m = 0.02", "conductance = -1\ncapacitance = 1"),
                        "populations.a.conductance = -1.0, allowed: > 0"),
    "reset": (A + 'reset = "hard"\n', "a.reset = 'hard', allowed: one of \"value\", \"subtract\""),
    "reset of LI": (A.replace("LIF", "LI") + 'reset = "value"\n', "a.reset = 'value', allowed: ke"),
    "threshold": (A + "v_threshold = -1\n", "populations.a.v_threshold = -1.0, allowed: above"),
    "wrong length": (A + "v_init = [1, 2, 3]\n", "a.v_init = 'shape (3,)', allowed: a scalar"),
    "ragged": (A + "v_init = [[1], [2, 3]]\n", "a.v_init = [[1], [2, 3]], allowed: a list"),
    "bad entry": (A + 'v_init = [0, "1 s"]\n', "populations.a.v_init = '1 s', allowed: a list"),
    "not a table": ("[populations]\na = 3\n", "populations.a = 3, allowed: a table"),
    "not tables": ("populations = 3\n", "populations = 3, allowed: tables"),
    "no population": ("", "populations = (), allowed: at least one Population"),
    "bad name": (A.replace("populations.a", 'populations."a b"'), "populations = 'a b', allowed: "),
    "unknown table": (A + "[neurons.x]\n", "neurons = {'x': {}}, allowed: keys format, arrays"),
    "one name twice": (A + S.replace("inputs.s", "inputs.a") + "size = 1\n",
                       "name = 'a', allowed: a name used once"),
    "unknown pre": (A + P.replace('"a"', '"z"', 1) + "weights = [[1]]\n",
                    "projections.p.pre = 'z', allowed: one of \"a\""),
    "unknown post": (A + P.replace('post = "a"', 'post = "z"') + "weights = [[1]]\n",
                     "projections.p.post = 'z', allowed: one of \"a\""),
    "no weights": (A + P, "projections.p.weights = (absent), allowed: rows"),
    "weights text": (A + P + 'weights = "1 mV"\n', "p.weights = '1 mV', allowed: rows [[...], ..."),
    "weights pattern": (A + P + "weights = { value = 1 }\n", "p.weights = {'value': 1}, allowed: "),
    "both patterns": (A + P + "weights = { value = 1, all_to_all = true, one_to_one = true }\n",
                      "projections.p.weights = {'value': 1"),
    "pattern key": (A + P + "weights = { value = 1, all_to_all = true, p = 0.1 }\n",
                    "projections.p.weights.p = 0.1, allowed: keys value, all_to_all"),
    "pattern unit": (A + P + 'weights = { value = "1 nA", all_to_all = true }\n',
                     "projections.p.weights.value = '1 nA', allowed: a voltage"),
    "pattern list": (A + P + "weights = { value = [1], all_to_all = true }\n",
                     "projections.p.weights.value = [1], allowed: one number"),
    "one to one": (A + S + "size = 3\n" + P.replace('"a"', '"s"', 1)
                   + "weights = { value = 1, one_to_one = true }\n",
                   "weights.one_to_one = '3 -> 2 neurons', allowed: a source and a target of one"),
    "weights shape": (A + P + "weights = [[1, 2]]\n",
                      "projections.p.weights = 'shape (1, 2)', allowed: shape (n_post, n_pre) = ("),
    "weights axis": (A + P + "weights = [1, 2]\n", "projections.p.weights = 'shape (2,)', allowed"),
    "synapse text": (A + P + 'weights = [[1]]\nsynapse = "delta"\n',
                     "projections.p.synapse = 'delta', allowed: { kind = "),
    "synapse kind": (A + P + 'weights = [[1]]\nsynapse = { kind = "gamma" }\n',
                     "projections.p.synapse.kind = 'gamma', allowed: one of \"delta\""),
    "synapse tau": (A + P + 'weights = [[1]]\nsynapse = { kind = "exponential" }\n',
                    "projections.p.synapse.tau = (absent), allowed: a time"),
    "synapse tau 0": (A + P + 'weights = [[1]]\nsynapse = { kind = "exponential", tau = 0 }\n',
                      "projections.p.synapse.tau = 0.0, allowed: one time constant > 0 s"),
    "synapse norm": (A + P + 'weights = [[1]]\n'
                     + 'synapse = { kind = "exponential", tau = 1, norm = "x" }\n',
                     "projections.p.synapse.norm = 'x', allowed: one of \"peak\""),
    "delta with tau": (A + P + 'weights = [[1]]\nsynapse = { kind = "delta", tau = 1 }\n',
                       "projections.p.synapse.tau = 1, allowed: keys kind"),
    "delay": (A + P + "weights = [[1, 1], [1, 1]]\ndelay = -1\n", "p.delay = -1.0, allowed: delay"),
    "delay shape": (A + P + "weights = [[1, 1], [1, 1]]\ndelay = [1, 2]\n", "p.delay = 'shape (2,"),
    "input kind": (A + S.replace("spikes", "noise"), "inputs.s.kind = 'noise', allowed: one of"),
    "spikes size": (A + S, "inputs.s.size = (absent), allowed: a whole number"),
    "times alone": (A + S + "size = 1\ntimes = [1]\n", "inputs.s.times = array([1.]), allowed: in"),
    "index": (A + S + "size = 1\ntimes = [1]\nindices = [1]\n", "s.indices = 1.0, allowed: whole "),
    "index text": (A + S + 'size = 1\ntimes = [1]\nindices = ["1 s"]\n', "s.indices = '1 s', allo"),
    "time": (A + S + 'size = 1\ntimes = ["1 V"]\nindices = [0]\n', "inputs.s.times = '1 V', allow"),
    "current target": (A + C.replace('"a"', '"b"'), "inputs.c.population = 'b', allowed: one of "),
    "stimulus": (A + C + "stimulus = 1\n", "inputs.c.stimulus = 1, allowed: { kind = ... }"),
    "stimulus kind": (A + C + 'stimulus = { kind = "x" }\n', "c.stimulus.kind = 'x', allowed: one"),
    "stimulus field": (A + C + 'stimulus = { kind = "constant" }\n',
                       "inputs.c.stimulus.amplitude = (absent), allowed: a value"),
    "stimulus key": (A + C + 'stimulus = { kind = "constant", amplitude = 1, tau = 1 }\n',
                     "inputs.c.stimulus.tau = 1, allowed: keys kind, amplitude"),
    "stimulus unit": (A + C + 'stimulus = { kind = "constant", amplitude = "1 mV" }\n',
                      "inputs.c.stimulus.amplitude = '1 mV', allowed: a current"),
    "stimulus shape": (A + C + 'stimulus = { kind = "constant", amplitude = [1, 2, 3] }\n',
                       "inputs.c.stimulus.amplitude = 'shape (3,)', allowed: shape (2,)"),
    "period": (A + C + 'stimulus = { kind = "sinusoid", offset = 1, amplitude = 1, period = 0 }\n',
               "inputs.c.stimulus.period = 0.0, allowed: one time > 0 s"),
    "probe": (A + '[[probes]]\npopulation = "b"\n', "probes[0].population = 'b', allowed: one of"),
    "probe variable": (A + '[[probes]]\npopulation = "a"\nvariable = "w"\n', "probes[0].variable "),
    "probe key": (A + '[[probes]]\npopulation = "a"\nname = "w"\n', "probes[0].name = 'w', allowe"),
    "probes": (A + "[probes.a]\n", "probes = {'a': {}}, allowed: tables [[probes]]"),
    "no arrays": (A + P + 'weights = { array = "w" }\n',
                  "projections.p.weights = {'array': 'w'}, allowed: the name of an array of a fil"),
    "array folder": ('arrays = "../net.npz"\n' + A, "arrays = '../net.npz', allowed: the name of "),
    "array type": ("arrays = 1\n" + A, "arrays = 1, allowed: the name of an .npz file"),
    "array absent": ('arrays = "no.npz"\n' + A, "arrays = 'no.npz', allowed: a whole .npz file"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_fault_names_file_field_value_and_what_is_allowed(case: str, tmp_path: Path) -> None:
    text, expected = CASES[case]
    lines = faults_of(tmp_path, text)
    assert len(lines) == 1, lines
    assert expected in lines[0] and ", allowed: " in lines[0]


def test_all_faults_of_a_file_in_one_report(tmp_path: Path) -> None:
    text = (
        A.replace("0.02", '"20 mV"') + "colour = 1\n"
        + P.replace('"a"', '"z"', 1) + 'delay = "1 V"\n'
        + C + 'stimulus = { kind = "sinusoid", offset = "1 mV", period = -1 }\n'
        + '[[probes]]\npopulation = "q"\n'
    )  # fmt: skip
    lines = faults_of(tmp_path, text)
    fields = [line.split(": ", 1)[1].split(" = ")[0] for line in lines]
    assert fields == [
        "populations.a.colour", "populations.a.tau_m", "projections.p.pre", "projections.p.weights",
        "projections.p.delay", "inputs.c.stimulus.amplitude", "inputs.c.stimulus.offset",
        "probes[0].population",
    ]  # fmt: skip


@pytest.mark.parametrize("head", ["", "format = 1\n", 'format = "neuro-lif-network/2"\n'])
def test_another_format_is_refused(head: str, tmp_path: Path) -> None:
    (tmp_path / "n.toml").write_text(head + A)
    with pytest.raises(FileFormatError, match='format = .*, allowed: "neuro-lif-network/1"'):
        load_network(tmp_path / "n.toml")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a = ", "not valid TOML"), (b"\xff\xfe", "not valid TOML"), (b"a = 1\na = 2", "not valid T"),
     (b"a = " + b"[" * 5000, "not valid TOML"), (b"a = " + b"1" * 9999, "not valid|neuro")],
)  # fmt: skip
def test_no_toml(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "n.toml").write_bytes(content)
    with pytest.raises(FileFormatError, match=message):
        load_network(tmp_path / "n.toml")


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="no such file"):
        load_network(tmp_path / "n.toml")
    with pytest.raises(FileFormatError, match="cannot be read"):
        load_network(tmp_path)


# ------------------------------------------------------------------------- faults of arrays

W = A + P + 'weights = { array = "w" }\n'
CSR = {"w__data": [1.0], "w__indices": [1], "w__indptr": [0, 1, 1], "w__shape": [2, 2]}


def test_arrays_by_hand(tmp_path: Path) -> None:
    np.savez(tmp_path / "n.npz", **{k.replace("__", "."): v for k, v in CSR.items()}, d=[3])
    text = 'format = "neuro-lif-network/1"\narrays = "n.npz"\n' + W + 'delay = { array = "d" }\n'
    (tmp_path / "net.toml").write_text(text)
    p = load_network(tmp_path / "net.toml").projections[0]
    assert p.weights.toarray().tolist() == [[0, 1], [0, 0]] and p.delay.tolist() == [3.0]


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"x": [1]}, "projections.p.weights = {'array': 'w'}, allowed: an array of net.npz: x"),
        ({"w": ["a", "b"]}, "projections.p.weights = 'w: <U1', allowed: an array of numbers"),
        ({"w": [True]}, "projections.p.weights = 'w: bool', allowed: an array of numbers"),
        ({"w": [1j]}, "projections.p.weights = 'w: complex128', allowed: an array of numbers"),
        ({"w": np.array([{}, 1], object)}, "Object arrays cannot be loaded"),
        (
            {"w": np.eye(3)},
            "projections.p.weights = 'shape (3, 3)', allowed: shape (n_post, n_pre)",
        ),
        ({"w": [[1, np.inf], [1, 1]]}, "allowed: finite numbers"),
        ({k: v for k, v in CSR.items() if k != "w__indptr"}, "w.indptr (absent)"),
        (CSR | {"w__indices": [1.0]}, "'w.indices: float64', allowed: an array of whole numbers"),
        (CSR | {"w__indices": [2]}, "projections.p.weights = "),
        (CSR | {"w__indices": [-1]}, "projections.p.weights = "),
        (CSR | {"w__indptr": [0, 9, 9]}, "projections.p.weights = "),
        (CSR | {"w__indptr": [0, 1]}, "projections.p.weights = 'w', allowed: a consistent CSR"),
        (CSR | {"w__shape": [2]}, "projections.p.weights = 'w', allowed: a consistent CSR"),
        (CSR | {"w__shape": [2, -2]}, "projections.p.weights = 'w', allowed: a consistent CSR"),
        (CSR | {"w__data": [np.nan]}, "allowed: finite numbers"),
        (CSR | {"w__shape": [2, 3]}, "projections.p.weights = 'shape (2, 3)', allowed: shape"),
    ],
)
def test_wrong_arrays(arrays: dict[str, Any], expected: str, tmp_path: Path) -> None:
    lines = faults_of(tmp_path, W, **arrays)
    assert len(lines) == 1 and expected in lines[0] and ", allowed: " in lines[0]


def saved(folder: Path) -> Path:
    """A network with an .npz beside it."""
    net = Network([Population("a", 40, LIF(tau_m=np.linspace(1e-3, 2e-2, 40)))],
                  [Projection("p", "a", "a", np.arange(1600.0).reshape(40, 40))])  # fmt: skip
    save_network(net, folder / "net.toml")
    return folder / "net.toml"


@pytest.mark.parametrize("keep", [0, 1, 4, 100, 0.5, 0.9, -1])
def test_a_cut_off_npz(keep: float, tmp_path: Path) -> None:
    path = saved(tmp_path)
    whole = path.with_suffix(".npz").read_bytes()
    path.with_suffix(".npz").write_bytes(
        whole[: int(keep * len(whole)) if 0 < keep < 1 else int(keep)]
    )
    with pytest.raises(FileFormatError, match=r"arrays = 'net.npz', allowed: a whole .npz file"):
        load_network(path)


def test_a_mixed_pair_of_files(tmp_path: Path) -> None:
    path = saved(tmp_path)
    np.savez(path.with_suffix(".npz"), **{"a.tau_m": np.ones(40), "p.weights": np.ones((40, 40))})
    with pytest.raises(FileFormatError, match="arrays_sha256 = .*, allowed: .*remove the line"):
        load_network(path)
    text = [x for x in path.read_text().splitlines() if not x.startswith("arrays_sha256")]
    path.write_text("\n".join(text))
    assert load_network(path).projections[0].weights.sum() == 1600


def test_damaged_bytes_never_show_another_error(tmp_path: Path) -> None:
    path = saved(tmp_path)
    text = path.read_text().replace("arrays_sha256", "# ")
    whole, rng = path.with_suffix(".npz").read_bytes(), random.Random(5)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 5)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.with_suffix(".npz").write_bytes(damaged)
        path.write_text(text)
        try:
            load_network(path)
        except FileFormatError as error:
            assert ", allowed: " in str(error)


def test_damaged_text_never_shows_another_error(tmp_path: Path) -> None:
    rng, path = random.Random(6), tmp_path / "net.toml"
    words = ['"x"', "3", "-1.5", "true", "[]", "{}", "nan", '"20 ms"', "[[1]]", '{ array = "q" }']
    lines = HAND.splitlines()
    for _ in range(300):
        changed = list(lines)
        for _ in range(rng.randint(1, 3)):
            k = rng.randrange(len(changed))
            key = changed[k].split(" = ")[0]
            changed[k] = rng.choice(
                ["", f"{key} = {rng.choice(words)}", changed[k][: len(key) + 4]]
            )
        path.write_text("\n".join(changed), "utf-8")
        try:
            load_network(path)
        except FileFormatError:
            pass


# --------------------------------------------------------------------------- writing


@pytest.mark.parametrize("name", ["net", "net.npz", "net.json", "folder.toml"])
def test_where_no_network_can_be_saved(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(FileFormatError, match=r"allowed: a file name.toml"):
        save_network(Network([Population("a", 1, LI(tau_m=1))]), tmp_path / name)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="cannot be written"):
        save_network(Network([Population("a", 1, LI(tau_m=1))]), tmp_path / "no" / "net.toml")


@pytest.mark.parametrize("fails_at", ["first write", "second write", "first name", "second name"])
def test_a_failing_save_leaves_the_old_files(
    fails_at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    old = load_network(path)
    other = Network([Population("b", 40, LIF(tau_m=np.linspace(5e-3, 6e-3, 40)))])
    method = "replace" if fails_at.endswith("name") else "write_bytes"
    original, calls = getattr(Path, method), []

    def failing(self: Path, *args: Any) -> Any:
        calls.append(self)
        if len(calls) == (1 if fails_at.startswith("first") else 2):
            raise OSError(28, "No space left on device")
        return original(self, *args)

    monkeypatch.setattr(Path, method, failing)
    with pytest.raises(FileFormatError, match="cannot be written: .*No space left"):
        save_network(other, path)
    monkeypatch.undo()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    assert same(load_network(path), old)
