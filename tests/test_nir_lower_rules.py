"""Every rule and every value of every switch: lowered step for step, or refused by name."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from neuro_lif import nir, run_clocked
from neuro_lif.errors import LoweringError, NetworkError
from neuro_lif.nir.lowered import Lowered
from neuro_lif.nir.switchable import STAND_INS
from neuro_lif.nir.switches import CHOICES

N = 4
STEPS = 40


def neurons(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> Any:
    """A layer that spikes now and then; every neuron is another one."""
    values: dict[str, Any] = {
        "tau": rng.uniform(2.0, 9.0, shape), "tau_mem": rng.uniform(2.0, 9.0, shape),
        "tau_syn": rng.uniform(1.5, 6.0, shape), "r": rng.uniform(0.5, 2.5, shape),
        "w_in": rng.uniform(0.5, 2.0, shape), "v_leak": rng.uniform(-0.2, 0.3, shape),
        "v_threshold": rng.uniform(0.3, 1.2, shape), "v_reset": rng.uniform(-0.3, 0.1, shape),
    }  # fmt: skip
    made: Any = getattr(nir, kind)
    return made(**{name: values[name] for name in made.CHECKS})


def named(edges: str, **nodes: nir.Node) -> nir.NIRGraph:
    return nir.NIRGraph(nodes, tuple(tuple(e.split(">")) for e in edges.split()))  # type: ignore[arg-type]


def of_kinds(seed: int = 3, leak: bool = True, kinds: tuple[str, ...] = ("LIF",)) -> nir.NIRGraph:
    """LIF, low-passes, a recurrent CubaLIF with biases, an LI and a CubaLI between neurons."""
    rng = np.random.default_rng(seed)

    def w(high: float = 1.2) -> nir.Affine:
        return nir.Affine(rng.uniform(-0.3, high, (N, N)), rng.uniform(-0.05, 0.1, N))

    made = {k: neurons(rng, k, (N,)) for k in ("LIF", "CubaLIF", "IF", "LI", "CubaLI")}
    edges = "i>x x>a a>y y>c c>z z>c c>u u>l l>m m>b c>p p>k k>q q>d d>o b>o"
    return named(
        edges, i=nir.Input((N,)), o=nir.Output((N,)), x=w(), y=w(), z=w(0.4), u=w(), m=w(2.0),
        p=w(), q=w(2.0), a=made["LIF"], c=made["CubaLIF"], l=made["LI"], k=made["CubaLI"],
        b=neurons(rng, "LIF", (N,)), d=made["IF"] if "IF" in kinds else neurons(rng, "LIF", (N,)),
    )  # fmt: skip


def of_pixels(seed: int = 5) -> nir.NIRGraph:
    """A convolution, a padded pool and a Flatten, whose order the layout decides."""
    rng = np.random.default_rng(seed)
    conv = nir.Conv2d((6, 6), rng.uniform(-0.3, 0.8, (3, 2, 3, 3)), 1, 1, 1, 1, np.zeros(3))
    return named(
        "i>x x>a a>p p>f f>y y>b b>o", i=nir.Input((2, 6, 6)), o=nir.Output((N,)), x=conv,
        a=neurons(rng, "LIF", (3, 6, 6)), p=nir.SumPool2d((3, 3), (2, 2), (1, 1)),
        f=nir.Flatten((3, 3, 3), 0, -1), b=neurons(rng, "LIF", (N,)),
        y=nir.Linear(rng.uniform(-0.2, 0.4, (N, 27))),
    )  # fmt: skip


def of_loops(seed: int = 7) -> nir.NIRGraph:
    """A nested graph whose Input feeds its recurrent weights."""
    rng = np.random.default_rng(seed)
    inner = named(
        "input>w w>a a>w a>output", input=nir.Input((N,)), output=nir.Output((N,)),
        w=nir.Linear(rng.uniform(-0.4, 0.6, (N, N))), a=neurons(rng, "CubaLIF", (N,)),
    )  # fmt: skip
    return named("i>x x>g g>o", i=nir.Input((N,)), o=nir.Output((N,)), g=inner,
                 x=nir.Linear(rng.uniform(0, 4.0, (N, N))))  # fmt: skip


GRAPHS = {"kinds": of_kinds(), "kinds with IF": of_kinds(kinds=("IF",)), "pixels": of_pixels(),
          "loops": of_loops()}  # fmt: skip


def given_to(graph: nir.NIRGraph, seed: int = 0, n_steps: int = STEPS) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {n: (rng.random((n_steps, *graph.nodes[n].shape)) < 0.4).astype(float)
            for n in graph.inputs}  # fmt: skip


def difference(graph: nir.NIRGraph, x: Any, low: Lowered, dt: float | None) -> str:
    """Return the first difference from the rule's own run; "": none."""
    ran = nir.run(graph, x, low.rule, dt=dt)
    n_steps = len(next(iter(ran.voltage.values())))
    recording = run_clocked(low.stepped, inputs=low.inputs(x), record="all")
    sent = low.spikes(recording, n_steps)
    for node, meant in ran.spikes.items():
        high = 1.0 / ran.dt if low.rule.amplitude == "1/dt" and meant.max() > 1 else 1.0
        other = np.argwhere(sent[node] != meant / high)
        if other.size:
            return f"{node}: spike at {other[0].tolist()}"
    for node, v in low.voltages(recording, n_steps).items():
        if node in ran.voltage and node not in ran.spikes:
            meant = ran.voltage[node]
            far = np.abs(v - meant) > 1e-10 * max(1.0, np.abs(meant).max())
            if far.any():
                return f"{node}: v at {np.argwhere(far)[0].tolist()}"
    return ""


def same_or_refused(graph: nir.NIRGraph, rule: nir.NirRule, dt: float | None, latency: str) -> str:
    """Return what refuses the rule, "": nothing; fail where the steps differ."""
    x = given_to(graph)
    try:
        low = nir.to_stepped(graph, rule, dt=dt, latency=latency)
    except LoweringError as error:
        return str(error)
    told = [note for note in low.notes if "differ" in note]
    if told:  # an LI that starts at rest and feeds neurons
        assert latency == "chip" and rule.v_init == "leak"
        assert all("sends its first value before the inputs begin" in note for note in told)
        return ""
    assert difference(graph, x, low, dt) == "", low.notes
    ran = nir.run(graph, x, low.rule, dt=dt)
    assert sum(s.sum() for s in ran.spikes.values()) > 10
    return ""


REFUSED = {"exact": "integrator = 'event'", "slayer": "integrator = 'shift'",
           "lava": "integrator = 'shift'", "loihi2": "integrator = 'shift'",
           "nengo": "floor = 'zero'", "nengo-2023": "floor = 'zero'"}  # fmt: skip


@pytest.mark.parametrize("latency", ["rule", "chip"])
@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("name", nir.RULES)
def test_each_rule_is_stepped_or_refused_by_name(name: str, graph: str, latency: str) -> None:
    wanted = REFUSED.get(name, "")
    if name == "sinabs-imported" and graph == "kinds with IF":
        wanted = "floor = 'IF -threshold'"
    said = same_or_refused(GRAPHS[graph], nir.RULES[name], 1.0, latency)
    assert bool(said) == bool(wanted), said
    assert re.search(f"rule '{name}'.*{wanted}.*allowed", said) or not wanted


UNLIKE = [(f, v) for f, values in CHOICES.items() for v in values
          if v != getattr(nir.RULES["nir-euler"], f) and f != "arithmetic"]  # fmt: skip
MORE: list[tuple[str, Any]] = [
    ("input_delay", 2), ("delay", 2), ("synapse_delay", 1), ("recurrent_delay", 3),
    ("shown_at_spike", 9.0),
]  # fmt: skip


@pytest.mark.parametrize("base", ["nir-euler", "norse", "sinabs", "spyx"])
@pytest.mark.parametrize(("field", "value"), [*UNLIKE, *MORE])
def test_each_value_of_each_switch_is_stepped_or_refused(field: str, value: Any, base: str) -> None:
    start = nir.find_rule(base, own_files="")
    if field == "emit" and value == "old":
        start = nir.find_rule(start, recurrent_delay=1)
    rule = nir.find_rule(start, **{field: value})
    refusable = {name for name, *_ in STAND_INS.values()} | {"weights"}
    for name, graph in GRAPHS.items():
        try:
            said = same_or_refused(graph, rule, 1e-3 if value == "ms" else 1.0, "rule")
        except NetworkError as error:  # nir.run refuses it as well
            said = str(error)
        assert not said or (field in refusable or said.startswith("node")), (name, said)


def random_graph(rng: np.random.Generator) -> nir.NIRGraph:
    """A chain of layers and weights with edges back and forward, and now and then pixels."""
    nodes: dict[str, nir.Node] = {"i": nir.Input((N,))}
    edges: list[tuple[str, str]] = []
    last, before, shape = "i", "", (N,)
    if rng.random() < 0.25:
        conv = nir.Conv2d((5, 4), rng.uniform(-0.4, 0.9, (2, 1, 2, 3)), 1, (0, 1), 1, 1,
                          rng.uniform(-0.1, 0.1, 2))  # fmt: skip
        nodes = {"i": nir.Input((1, 5, 4)), "c": conv, "n": neurons(rng, "LIF", (2, 4, 4)),
                 "p": nir.AvgPool2d((2, 2), (2, 2), (0, 0)),
                 "f": nir.Flatten((2, 2, 2), 0, -1)}  # fmt: skip
        edges = list(zip("icnp", "cnpf", strict=True))
        last, shape = "f", (8,)
    for k in range(int(rng.integers(1, 4))):
        w, n, more = f"w {k}", f"{k}.\u00e9", f"more{k}"
        weight, bias = rng.uniform(-0.6, 1.6, (N, *shape)), rng.uniform(-0.1, 0.2, N)
        nodes[w] = nir.Affine(weight, bias) if rng.random() < 0.5 else nir.Linear(weight)
        kinds = ["LIF", "CubaLIF", "IF", "LIF", "CubaLIF", "LI", "CubaLI", "I"]
        nodes[n] = neurons(rng, str(rng.choice(kinds)), (N,))
        edges += [(last, w), (w, n)]
        what = rng.random()
        if what < 0.3:
            nodes[more] = nir.Affine(rng.uniform(-0.5, 0.6, (N, N)), bias)
            edges += [(n, more), (more, n)]
        elif what < 0.5:
            nodes[more] = nir.Delay(rng.integers(0, 4, N).astype(float))
            edges.append((n, more))
        elif what < 0.65 and before:
            edges.append((before, w))
        if shape == (N,):
            before = last
        last = more if 0.3 <= what < 0.5 else n
        shape = (N,)
    return nir.NIRGraph({**nodes, "o": nir.Output((N,))}, (*edges, (last, "o")))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck),
          phases=(Phase.explicit, Phase.reuse, Phase.generate))  # fmt: skip
@given(st.integers(0, 2**31))
def test_any_graph_is_stepped_as_by_the_rule(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng)
    rule = nir.find_rule(str(rng.choice([*nir.RULES])), floor="none", own_files="")
    for _ in range(int(rng.integers(0, 3))):
        field, value = (*UNLIKE, *MORE)[int(rng.integers(len(UNLIKE) + len(MORE)))]
        if field not in ("floor", "tau_unit", "emit"):
            rule = nir.find_rule(rule, **{field: value})
    x, latency = given_to(graph, seed, 20), str(rng.choice(["rule", "chip"]))
    try:
        low = nir.to_stepped(graph, rule, dt=1.0, latency=latency)
    except (LoweringError, NetworkError) as error:
        assert "allowed" in str(error) or "close a cycle" in str(error)
        return
    if not any("differ" in note for note in low.notes):
        assert difference(graph, x, low, 1.0) == "", (rule, latency)


def test_a_rule_in_float64_takes_the_gains_of_the_file_as_they_are() -> None:
    values = {"tau": 0.1, "r": np.float32(100.00001), "v_leak": 0.0, "v_threshold": 1.0,
              "v_reset": 0.0}  # fmt: skip
    node = nir.LIF(**{k: np.full(1, v) for k, v in values.items()})
    graph = named("i>a a>o", i=nir.Input((1,)), a=node, o=nir.Output((1,)))
    r = float(node.r[0])
    assert r != 100.0
    own = nir.run(graph, np.ones((1, 1)), nir.find_rule("nir-euler", reset="none"), dt=1e-3)
    assert own.voltage["a"][0, 0] == r * (1e-3 / 0.1)
    other = nir.run(graph, np.ones((1, 1)), nir.find_rule("spikingjelly", reset="none"), dt=1e-3)
    assert other.voltage["a"][0, 0] == 1.0


def test_pools_that_give_other_windows_with_channels_last_are_refused() -> None:
    pool = nir.SumPool2d((2, 2), (2, 2), (1, 1))
    graph = named("i>p p>f f>a a>o", i=nir.Input((1, 4, 4)), p=pool, o=nir.Output((9,)),
                  f=nir.Flatten((1, 3, 3), 0, -1),
                  a=neurons(np.random.default_rng(0), "LIF", (9,)))  # fmt: skip
    for call in (nir.to_stepped, lambda g, rule: nir.run(g, given_to(g), rule)):
        with pytest.raises(NetworkError, match=r"node 'p' .*padding.*\(1, 3, 3\).*\(1, 2, 2\)"):
            call(graph, "spyx")
    assert nir.run(graph, given_to(graph), "sinabs").spikes["a"].shape == (STEPS, 9)


def test_currents_rest_and_begin_where_the_rule_says() -> None:
    graph, rule = GRAPHS["loops"], nir.find_rule("norse", v_init="zero")
    for current in CHOICES["current"]:
        changed = nir.find_rule(rule, current=current)
        ran = nir.run(graph, {"i": np.zeros((30, N))}, nir.find_rule(changed, reset="none"), dt=1.0)
        node: Any = graph.nodes["g"]
        rest = node.nodes["a"].v_leak
        if not ran.spikes["g/a"].any():
            np.testing.assert_allclose(ran.current["g/a"], np.tile(rest, (30, 1)), atol=1e-6)
        assert same_or_refused(graph, changed, 1.0, "chip") == ""
