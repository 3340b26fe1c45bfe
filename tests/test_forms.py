"""One neuron in four forms, units as text, and networks in NNMT's names: each there and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuro_lif as nl
from neuro_lif.errors import NetworkError, RangeError
from neuro_lif.forms import BOOK, NnmtParameters, from_book, to_book
from neuro_lif.units import CURRENT, DIMENSIONS, PREFIXES, VOLTAGE, quantity

MS, MV = 1e-3, 1e-3
FIELDS = ("tau_m", "resistance", "v_rest", "v_threshold", "v_reset", "t_refractory", "i_bias",
          "reset", "v_init")  # fmt: skip
POSITIVE = st.floats(1e-12, 1e12)
VOLTS = st.floats(-0.1, 0.1)


@st.composite
def neurons(draw: Any) -> nl.LIF:
    """Neurons with scalars, or one number per neuron."""
    n = draw(st.sampled_from([0, 3]))

    def some(values: st.SearchStrategy[float]) -> Any:
        many = n and draw(st.booleans())
        return np.array([draw(values) for _ in range(n)]) if many else draw(values)

    reset = some(VOLTS)
    return nl.LIF(
        some(POSITIVE), some(POSITIVE), some(VOLTS), np.max(reset) + draw(st.floats(1e-3, 0.1)),
        reset, some(st.floats(0, 1e-5)), some(st.floats(-1, 1)),
        draw(st.sampled_from(["value", "subtract"])), some(VOLTS),
    )  # fmt: skip


def alike(a: nl.LIF, b: nl.LIF, rel: float = 4e-16, within: float = 0.0) -> None:
    for name in FIELDS:
        x, y = getattr(a, name), getattr(b, name)
        if isinstance(x, str):
            assert x == y
        else:
            np.testing.assert_allclose(y, x, rtol=rel, atol=within, err_msg=name)


@given(neuron=neurons())
def test_conductance_there_and_back(neuron: nl.LIF) -> None:
    form = neuron.to_conductance()
    assert {"capacitance", "conductance", "e_leak"} < form.keys()
    # C dV/dt = -g (V - E) + I
    product = np.asarray(form["conductance"]) * np.asarray(neuron.resistance)
    np.testing.assert_allclose(product, np.ones(product.shape), rtol=4e-16)
    alike(neuron, nl.LIF.from_conductance(**form), 8e-16)


@given(neuron=neurons())
def test_nnmt_there_and_back(neuron: nl.LIF) -> None:
    form = neuron.to_nnmt()
    assert {"tau_m", "tau_r", "V_th_rel", "V_0_rel", "C"} < form.keys()
    alike(neuron, nl.LIF.from_nnmt(**form), 8e-16, 1e-16)


@given(neuron=neurons())
def test_all_forms_step_alike(neuron: nl.LIF) -> None:
    """The recurrences of the other forms are those of the neuron."""

    def stepped(form: nl.LIF) -> Any:
        network = nl.Network([nl.Population("n", 3, form)])
        return nl.discretize(network, 1e-13).populations[0]

    given_, conductance = (
        stepped(neuron),
        stepped(nl.LIF.from_conductance(**neuron.to_conductance())),
    )
    for name in ("decay_v", "bias", "gain", "threshold"):
        a, b = getattr(given_, name), getattr(conductance, name)
        scale = np.abs(a).max() + np.abs(given_.gain).max()
        assert np.abs(a - b).max() <= 1e-14 * scale


def test_nnmt_has_the_leak_at_zero_unless_told() -> None:
    neuron = nl.LIF.from_nnmt(tau_m=10 * MS, tau_r=2 * MS, V_th_rel=15 * MV, V_0_rel=0.0, C=250e-12)
    assert (neuron.v_rest, neuron.v_threshold, neuron.v_reset) == (0.0, 15 * MV, 0.0)
    assert neuron.resistance == pytest.approx(40e6, rel=1e-15)
    alike(nl.LIF.from_nnmt(10 * MS, 0.0, 15 * MV, 0.0), nl.LIF(10 * MS, 1.0, v_threshold=15 * MV))


def test_faults_name_the_field() -> None:
    with pytest.raises(NetworkError, match="LIF.from_nnmt: tau_m = -1.0, allowed: > 0"):
        nl.LIF.from_nnmt(-1.0, 0.0, 1.0, 0.0)
    with pytest.raises(NetworkError, match="LIF.from_nnmt: C = 0, allowed: > 0"):
        nl.LIF.from_nnmt(1.0, 0.0, 1.0, 0.0, C=0)
    with pytest.raises(NetworkError, match="LIF.from_nnmt: V_th_rel = 'a', allowed: a real"):
        nl.LIF.from_nnmt(1.0, 0.0, "a", 0.0)  # type: ignore[arg-type]
    for name in ("V_th_rel", "V_0_rel", "E_L"):
        values: dict[str, Any] = {"tau_m": 1.0, "tau_r": 0.0, "V_th_rel": 1.0, "V_0_rel": 0.0}
        with pytest.raises(NetworkError, match=f"LIF.from_nnmt: {name} = None, allowed: a real"):
            nl.LIF.from_nnmt(**{**values, name: None})
    for value in (None, {}, True, 1j):
        with pytest.raises(NetworkError, match="from_book: V_th = .*, allowed: a real number"):
            from_book(R_m=1.0, C_m=5.0, V_rest=0.0, V_th=value)  # type: ignore[arg-type]
    with pytest.raises(NetworkError, match="from_book: R_M = 1.0, allowed: names R_m, C_m"):
        from_book(R_M=1.0, C_m=5.0, V_rest=0.0, V_th=1.0)
    with pytest.raises(NetworkError, match="from_book: R_m = None, allowed: a value"):
        from_book(C_m=5.0, V_rest=0.0, V_th=1.0)


# ------------------------------------------------------------------------------- the book


def test_the_book() -> None:
    """1 kOhm and 5 uF are 5 ms; 20 mA is 20 V through it."""
    neuron = from_book(R_m=1.0, C_m=5.0, V_rest=-70.0, V_th=-40.0, tau_ref=1.0, I=0.02)
    assert neuron.tau_m == pytest.approx(5 * MS, rel=1e-15)
    assert neuron.resistance == 1e3
    assert neuron.v_reset == neuron.v_rest == pytest.approx(-70 * MV)
    stepped = nl.discretize(nl.Network([nl.Population("n", 1, neuron)]), 0.1 * MS)
    settles = stepped.populations[0].bias / stepped.populations[0].leak_v
    assert settles == pytest.approx(20 * MV, rel=1e-12)  # above rest: R I


@given(
    values=st.fixed_dictionaries({
        "R_m": POSITIVE, "C_m": POSITIVE, "V_rest": st.floats(-100, 0), "V_th": st.floats(1, 100),
        "V_reset": st.floats(-100, 0), "tau_ref": st.floats(0, 100), "I": st.floats(-1, 1),
    })
)  # fmt: skip
def test_the_book_there_and_back(values: dict[str, float]) -> None:
    assert values.keys() == BOOK.keys()
    back = to_book(from_book(**values))
    for name, value in values.items():
        assert back[name] == pytest.approx(value, rel=1e-15, abs=1e-300)
    alike(from_book(**values), from_book(**{k: float(v) for k, v in back.items()}), 2e-15)


def test_the_book_takes_texts() -> None:
    texts = from_book(R_m="10 MOhm", C_m="1 nF", V_rest="-65 mV", V_th="-50 mV", I="1.5 nA")
    plain = from_book(R_m=1e4, C_m=1e-3, V_rest=-65.0, V_th=-50.0, I=1.5e-6)
    alike(texts, plain, 4e-16)
    with pytest.raises(RangeError, match="'-65 nA' is a current, allowed: a voltage"):
        from_book(R_m=1.0, C_m=1.0, V_rest="-65 nA", V_th=0.0)


# ---------------------------------------------------------------------------------- units


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5 kOhm", 5e3), ("5 k\u03a9", 5e3), ("10 MOhm", 1e7), ("1.5 nA", 1.5e-9),
        ("10 ms", 0.01), ("250 pF", 250e-12), ("-65 mV", -0.065), ("5 uF", 5e-6),
        ("5 \u00b5F", 5e-6), ("5 \u03bcF", 5e-6), ("8 Hz", 8.0), ("2 kHz", 2e3), ("30 nS", 30e-9),
        ("20 mA", 0.02), ("1e-3 s", 1e-3), ("+.5V", 0.5),
    ],
)  # fmt: skip
def test_quantities(text: str, value: float) -> None:
    assert quantity(text) == value


@given(
    number=st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6),
    prefix=st.sampled_from(sorted(PREFIXES)), dimension=st.sampled_from(DIMENSIONS),
)  # fmt: skip
def test_a_quantity_is_its_digits_moved(number: float, prefix: str, dimension: Any) -> None:
    text = f"{number!r} {prefix}{dimension.unit}"
    assert quantity(text, dimension) == float(f"{number:.25e}".split("e")[0] + "e" + str(
        int(f"{number:.25e}".split("e")[1]) + PREFIXES[prefix])) or quantity(text) == pytest.approx(
        number * 10.0 ** PREFIXES[prefix], rel=1e-15)  # fmt: skip


def test_unknown_units_are_named() -> None:
    with pytest.raises(RangeError, match=r"'5 furlong': unit 'furlong' is unknown, allowed: s, V"):
        quantity("5 furlong")
    with pytest.raises(RangeError, match="'5 mv': unit 'mv' is unknown"):
        quantity("5 mv")
    for text in ("", "mV", "5", "five mV", None, 5.0):
        with pytest.raises(RangeError, match="allowed: a number and a unit"):
            quantity(text)  # type: ignore[arg-type]
    with pytest.raises(RangeError, match="'5 mV' is a voltage, allowed: a current"):
        quantity("5 mV", CURRENT)
    assert quantity("5 mV", VOLTAGE) == 5e-3


# ----------------------------------------------------------------------------------- NNMT


def example(tau_s: float = 0.5 * MS) -> NnmtParameters:
    return NnmtParameters(
        names=("E", "I"), N=[40, 10], K=[[8, 4], [6, 3]],
        J=[[0.2 * MV, -1 * MV], [0.3 * MV, -0.8 * MV]], D=[[1.5 * MS, 0.8 * MS]] * 2,
        tau_m=10 * MS, tau_s=tau_s, tau_r=2 * MS, V_th_rel=15 * MV, V_0_rel=0.0,
        K_ext=[[30.0], [25.0]], J_ext=0.2 * MV, nu_ext=[8.0], C=250e-12,
    )  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), tau_s=st.sampled_from([0.0, 0.5 * MS, 5 * MS]))
def test_a_network_in_nnmts_names_there_and_back(seed: int, tau_s: float) -> None:
    given_ = example(tau_s)
    network = given_.to_network(seed)
    external = {"ext0__E": (30.0, 8.0), "ext0__I": (25.0, 8.0)}
    back = NnmtParameters.from_network(network, external)
    assert back.names == given_.names
    for name, value in given_.to_dict().items():
        if name != "names":
            np.testing.assert_allclose(getattr(back, name), value, rtol=1e-12, err_msg=name)
    again = NnmtParameters(**back.to_dict())
    assert all(np.array_equal(getattr(again, k), v) for k, v in back.to_dict().items())
    for p in network.projections:  # every neuron has its in-degree, of different sources
        degrees = np.diff(p.weights.indptr)
        assert len(set(degrees)) == 1 and p.weights.has_canonical_format


def test_an_nnmt_network_has_the_mean_and_the_std_of_its_input() -> None:
    """mu and sigma of the free membrane, as NNMT's mean_input and std_input have them.

    tau_m (K J nu + K_ext J_ext nu_ext) and sqrt(tau_m (... J**2 ...)); the membrane's variance is
    sigma**2 / 2. Populations without recurrence here, so that nu is known.
    """
    one = NnmtParameters(
        names=("E",), N=400, K=0, J=0.0, D=0.0, tau_m=20 * MS, tau_s=0.0, tau_r=2 * MS,
        V_th_rel=1.0, V_0_rel=0.0, K_ext=[[800.0]], J_ext=[[0.2 * MV]], nu_ext=[10.0],
    )  # fmt: skip
    dt, n_steps = 0.1 * MS, 4000
    network = one.to_network(0)
    probed = nl.Network(network.populations, network.projections, network.inputs, [nl.Probe("E")])
    inputs = one.inputs(dt, n_steps, 1)
    v = nl.run_clocked(nl.discretize(probed, dt), inputs=inputs).trace("E", "v")[2000:]
    mu, sigma = 20 * MS * 800 * 0.2 * MV * 10, np.sqrt(20 * MS * 800 * (0.2 * MV) ** 2 * 10)
    assert v.mean() == pytest.approx(mu, rel=0.005)
    assert v.std() == pytest.approx(sigma / np.sqrt(2), rel=0.02)


def test_what_nnmt_has_no_name_for_is_named() -> None:
    network = nl.Network(
        [nl.Population("a", 2, nl.LIF(10 * MS, reset="subtract", i_bias=1e-9)),
         nl.Population("b", 2, nl.IF()), nl.Population("c", 2, nl.LIF([10 * MS, 20 * MS]))],
    )  # fmt: skip
    with pytest.raises(NetworkError) as caught:
        NnmtParameters.from_network(network)
    for text in ("'a': reset = 'subtract'", "'a': i_bias", "'b': neuron = 'IF', allowed: LIF",
                 "'c': tau_m = '0.01..0.02', allowed: one for all"):  # fmt: skip
        assert text in str(caught.value)
    cell = nl.Population("a", 2, nl.LIF(10 * MS))
    into = [nl.Projection("p", "x", "a", np.eye(2), nl.Alpha(1 * MS)),
            nl.Projection("q", "x", "a", np.eye(2), nl.Exponential(1 * MS)),
            nl.Projection("r", "x", "a", np.eye(2), nl.Exponential(2 * MS))]  # fmt: skip
    with pytest.raises(NetworkError) as caught:
        NnmtParameters.from_network(nl.Network([cell], into, [nl.SpikeInput("x", 2)]))
    for text in ("'p': synapse = Alpha", "input 'x': external = 'absent'",
                 "'a': tau_s = [0.001, 0.002], allowed: one for all inputs"):  # fmt: skip
        assert text in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("tau_m", 0.0, "tau_m = 0.0, allowed: > 0 s"), ("K", 2.5, "K = 2.5, allowed: whole"),
        ("K", 50, "K = 50.0, allowed: at most N"), ("J", [[1.0]], r"J = 'shape \(1, 1\)'"),
        ("nu_ext", [-1.0], "nu_ext = -1.0"), ("V_th_rel", -1.0, "V_th_rel = .*above V_0_rel"),
        ("N", "x", "N = 'x', allowed: a real number"), ("C", 0.0, "C = 0.0, allowed: > 0 F"),
        ("J", None, "J = None, allowed: a real number"), ("names", None, "names = None, allowed"),
        ("names", (), "names = .*one or more"),
    ],
)  # fmt: skip
def test_faults_of_nnmt_parameters_name_the_field(field: str, value: Any, text: str) -> None:
    with pytest.raises(NetworkError, match="NnmtParameters: " + text):
        NnmtParameters(**(example().to_dict() | {field: value}))


def test_faults_of_what_is_drawn_name_the_argument() -> None:
    parameters = example()
    with pytest.raises(NetworkError, match="to_network: seed = 'x', allowed: a whole number"):
        parameters.to_network("x")  # type: ignore[arg-type]
    for dt, steps, seed, text in (
        (-1.0, 9, 1, "dt = -1.0"), (1e-3, 0, 1, "n_steps = 0"), (1e-3, 9, None, "seed = None")
    ):  # fmt: skip
        with pytest.raises(NetworkError, match="NnmtParameters.inputs: " + text):
            parameters.inputs(dt, steps, seed)  # type: ignore[arg-type]
    with pytest.raises(NetworkError, match="external = 5, allowed: spike input -> "):
        NnmtParameters.from_network(parameters.to_network(1), 5)  # type: ignore[arg-type]


def test_a_network_file_takes_quantities(tmp_path: Any) -> None:
    path = tmp_path / "net.toml"
    path.write_text(
        'format = "neuro-lif-network/1"\n'
        "[populations.n]\nsize = 1\n"
        'neuron = "LIF"\ntau_m = "10 ms"\nresistance = "10 MOhm"\nv_rest = "-65 mV"\n'
        'v_threshold = "-50 mV"\ni_bias = "1.5 nA"\n'
        "[inputs.s]\n"
        'kind = "spikes"\nsize = 1\n'
        "[projections.p]\n"
        'pre = "s"\npost = "n"\nweights = [["20 pA"]]\n'
        'synapse = { kind = "biexponential", tau_rise = "0.5 ms", tau_decay = "3 ms" }\n'
        "[projections.q]\n"
        'pre = "s"\npost = "n"\nweights = [["0.1 mV"]]\n'
        'synapse = { kind = "alpha", tau = "2 ms", norm = "nnmt" }\n'
    )
    network = nl.load_network(path)
    assert network.populations[0].neuron.v_rest == -0.065  # type: ignore[union-attr]
    assert network.projections[0].synapse == nl.BiExponential(0.5e-3, 3e-3)
    assert network.projections[1].synapse == nl.Alpha(2e-3, "nnmt")
    assert network.projections[1].weights[0, 0] == 1e-4
