"""The compiled kernel on models that take events one by one and on aliases.

Equal to the numpy engine and to the definition in every register, spike and overflow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chip_networks import random_chip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_fixed import first_difference
from random_programs import ProgramMaker
from scipy import sparse
from test_kernel import same

import neuro_lif as nl
from neuro_lif.kernel import native

pytestmark = pytest.mark.skipif(native() is None, reason="the compiled kernel was not built")

CHIPS = ("catalyst-n1", "dynapcnn", "odin", "reckon", "tinyodin", "truenorth", "xylo-v1", "xylo-v2")
SINGLY = ("odin", "reckon", "tinyodin", "xylo-v1", "xylo-v2")
"""Chips whose neurons the kernel runs one by one."""


def compared(fixed: nl.FixedNetwork, n_steps: int, what: Any, **more: Any) -> nl.Recording:
    """Run a network in kernel and numpy; return the kernel's recording."""
    got = nl.run_fixed(fixed, n_steps, record="registers", engine="kernel", **more)
    assert "compiled" in got.provenance["engine"], what
    wanted = nl.run_fixed(fixed, n_steps, record="registers", engine="numpy", **more)
    same(wanted, got, what)
    return got


@pytest.mark.parametrize("chip", CHIPS)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1), n_steps=st.integers(1, 12))
def test_random_chips_are_as_defined(chip: str, seed: int, n_steps: int) -> None:
    """Both engines and the definition: order of arrival, caps, joint ports, aliases, delays."""
    fixed = random_chip(np.random.default_rng(seed), nl.load_profile(chip), n_steps)
    got = compared(fixed, n_steps, (chip, seed))
    wanted = nl.run_semantics(fixed, n_steps, record="registers")
    assert first_difference(wanted, got) is None
    assert wanted.events == got.events


@pytest.mark.parametrize("chip", SINGLY)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_samples_of_a_batch(chip: str, threads: int) -> None:
    """Several at once, in several threads, are the samples one by one."""
    rng = np.random.default_rng([3, len(chip)])
    fixed = random_chip(rng, nl.load_profile(chip), 15)
    rows = {s.name: np.asarray(s.raster) for s in fixed.sources}
    batch = {k: np.stack([v, np.roll(v, 1, axis=0), 0 * v, v[::-1]]) for k, v in rows.items()}
    got = compared(fixed, 15, chip, inputs=batch, threads=threads)
    for k in range(4):
        alone = compared(fixed, 15, (chip, k), inputs={name: b[k] for name, b in batch.items()})
        assert first_difference(alone, got.sample(k)) is None


@pytest.mark.parametrize("chip", SINGLY)
def test_strict_stops_where_numpy_does(chip: str) -> None:
    """In the same words; a run without overflow ends."""
    told = []
    for seed in range(6):
        fixed = random_chip(np.random.default_rng([4, seed]), nl.load_profile(chip), 12)
        texts = []
        for engine in ("kernel", "numpy"):
            try:
                nl.run_fixed(fixed, 12, strict=True, engine=engine)
                texts.append("")
            except nl.NeuroLifError as error:
                texts.append(str(error))
        assert texts[0] == texts[1]
        told.append(texts[0])
    assert chip == "odin" or any("overflowed" in text for text in told)


# ------------------------------------------------------------------- a made-up chip


def made_up(ops: Any, noise: bool = False, **routing: Any) -> nl.HardwareProfile:
    """Return a profile with one model of these operations, and perhaps noise."""
    base = nl.load_profile("generic")
    raw = base.model_dump(by_alias=True)
    model = {"about": "made up", "source": "US", "status": "assumed", "voltage": "v"}
    raw["models"] = {"m": model | {"current": "u", "ops": ops}}
    raw["routing"] |= {"alias": True, "alias_cap": 6, "payload_bits": 8} | routing
    raw["weights"] |= {"mixed_drops_lsb": False}
    if noise:
        raw["noise"] = {"generator": "mt19937_randint", "lo": -9, "hi": 9, "source": "US",
                        "status": "assumed"}  # fmt: skip
    for register in raw["registers"].values():
        register["bits"] = 10
    return type(base).model_validate(raw)


RENAMED = {"a": "u", "b": "v", "c": "d", "p": "vth", "q": "bias_mant", "s": "bias_exp",
           "r": "refract"}  # fmt: skip
"""Registers and parameters of random programs, by those of the profile ``generic``."""


def renamed(op: Any) -> Any:
    """Return an operation of a random program in the words of the profile ``generic``."""
    if isinstance(op, (list, tuple)):
        return [renamed(inner) for inner in op]
    if isinstance(op, dict):
        return {k: v if k == "op" else renamed(v) for k, v in op.items() if k != "at"}
    if isinstance(op, str):
        sign = "-" if op.startswith("-") else ""
        return sign + RENAMED.get(op.removeprefix("-"), op.removeprefix("-"))
    return op


def random_program(rng: np.random.Generator) -> list[Any]:
    """Return random operations; the last ones bring every register back to 9 bits."""
    maker = ProgramMaker(rng)
    ops = [maker.op() for _ in range(maker.number(3, 12))]
    for op in flat(ops):  # where no range is given it would be the register's own of 24 bits
        for field in ("ovf", "sum_ovf", "shift_ovf", "src_ovf"):
            for rule in op.get(field, ()):
                rule.setdefault("lo", -64)
                rule.setdefault("hi", 63)
    ops += [{"op": "clamp", "reg": r, "lo": -256, "hi": 255} for r in ("a", "b", "c")]
    return renamed(ops)  # type: ignore[no-any-return]


def flat(ops: Any) -> list[Any]:
    inner = [op.get(branch, []) for op in ops for branch in ("then", "else", "do")]
    return [*ops, *(o for branch in inner for o in flat(branch))]


def random_network(rng: np.random.Generator, profile: nl.HardwareProfile) -> nl.FixedNetwork:
    """Return two populations of the profile's model with inputs and aliases."""
    populations = []
    for name in ("m", "n"):
        size = int(rng.integers(1, 9))
        spans = {"vth": (-30, 31), "bias_mant": (-30, 31), "bias_exp": (0, 4), "refract": (1, 5)}
        used = profile.used_params("m")
        params = {k: rng.integers(*span, size) for k, span in spans.items() if k in used}
        init = {r: rng.integers(-200, 200, size) for r in ("u", "v", "d")}
        alias = rng.integers(-1, size, size)
        alias[alias == np.arange(size)] = -1
        populations.append(nl.FixedPopulation(
            name, size, "m", params, init, alias=alias if rng.random() < 0.5 else None,
        ))  # fmt: skip
    ports = sorted(profile.ports("m"))
    x = nl.FixedSource("x", 3, rng.integers(-2, 4, (12, 3)))
    projections, directs = [], []
    for post in populations:
        for port in ports:
            for k in range(rng.integers(0, 3)):
                pre: Any = [x, *populations][rng.integers(3)]
                weights = rng.integers(-30, 31, (post.size, pre.size))
                weights[rng.random(weights.shape) < 0.4] = 0
                stored: Any = sparse.csr_matrix(weights) if rng.random() < 0.5 else weights
                n = stored.data.size if sparse.issparse(stored) else weights.size
                projections.append(nl.FixedProjection(
                    f"{k} {pre.name} {post.name} {port}", pre.name, post.name, stored,
                    exponent=int(rng.choice([0, 0, 1, -1])), port=port, sign_mode="mixed",
                    delays=rng.integers(0, 4, n) if rng.random() < 0.4 else 1,
                    graded=pre is x and bool(rng.random() < 0.6),
                ))  # fmt: skip
            if rng.random() < 0.4:
                directs.append(nl.DirectInput(f"{post.name} {port}", post.name,
                                              rng.integers(-9, 10, (12, post.size)),
                                              port=port))  # fmt: skip
    return nl.FixedNetwork(profile, tuple(populations), tuple(projections), (x,), tuple(directs),
                           enforce_ranges=False)  # fmt: skip


def check_random_program(seed: int) -> bool:
    """Compare one; tell whether the kernel ran its neurons one by one."""
    rng = np.random.default_rng([9, seed])
    profile = made_up(random_program(rng), alias_cap=int(rng.integers(1, 7)))
    fixed = random_network(rng, profile)
    got = compared(fixed, 12, seed)
    wanted = nl.run_semantics(fixed, 12, record="registers")
    assert first_difference(wanted, got) is None
    assert wanted.events == got.events
    singly = bool(profile.event_ports("m")) or any(p.alias is not None for p in fixed.populations)
    return singly


@pytest.mark.parametrize("seed", range(8))
def test_random_programs(seed: int) -> None:
    """Any operations in any order, inside and outside of each."""
    assert sum(check_random_program(100 * seed + k) for k in range(12)) > 3


@pytest.mark.verify
def test_many_random_programs(record_figure: Any) -> None:
    """Tolerance zero."""
    ran = sum(check_random_program(10_000 + seed) for seed in range(1500))
    record_figure(f"kernel, neurons one by one: {ran} random programs with events or aliases, "
                  "0 differences")  # fmt: skip
    assert ran > 400


def big(chip: str, n: int, rng: np.random.Generator, **projection: Any) -> nl.FixedNetwork:
    """Return ``n`` neurons of a chip's first model that spike, with inputs and recurrence."""
    profile = nl.load_profile(chip)
    model = next(iter(profile.models))
    ports = sorted(profile.event_ports(model))
    inward = next(p for p in ports if p.startswith("in"))
    back = "rec0" if "rec0" in ports else "rec" if "rec" in ports else inward
    lo, hi = profile.weights.mode_range("mixed")

    def matrix(shape: tuple[int, int]) -> Any:
        weights = np.where(rng.random(shape) < 0.2, rng.integers(lo, hi + 1, shape), 0)
        return sparse.csr_matrix(weights)

    params = {"thr": 100 if chip.startswith("xylo") else 20}
    params |= {k: 3 for k in profile.used_params(model) if k.startswith("dash")}
    return nl.FixedNetwork(
        profile, (nl.FixedPopulation("n", n, model, params),),
        (nl.FixedProjection("i", "x", "n", matrix((n, 20)), port=inward, sign_mode="mixed"),
         nl.FixedProjection("r", "n", "n", matrix((n, n)), port=back, sign_mode="mixed")),
        (nl.FixedSource("x", 20, (rng.random((20, 20)) < 0.3).astype(int)),),
    )  # fmt: skip


@pytest.mark.parametrize("chip", SINGLY)
@pytest.mark.parametrize("n", [1, 255, 256, 257, 600])
def test_sizes_around_a_block(chip: str, n: int) -> None:
    """Registers are kept in blocks of 256 neurons."""
    got = compared(big(chip, n, np.random.default_rng(n)), 20, (chip, n))
    assert n == 1 or got.spikes["n"].any()


def test_an_alias_alone_is_enough() -> None:
    """A model without events, with sums of every kind: shifted right, delayed, put straight in."""
    ops = [{"op": "acc", "reg": "u", "ovf": [{"mode": "sat"}]},
           {"op": "add", "reg": "v", "src": "u", "ovf": [{"mode": "wrap", "lo": -500, "hi": 499}]},
           {"op": "fire", "reg": "v", "thr": "vth", "multi": "loop", "cap": 5,
            "reset": "subtract"}]  # fmt: skip
    rng = np.random.default_rng(11)
    n = 300
    alias = rng.integers(-1, n, n)
    alias[alias == np.arange(n)] = -1
    weights = rng.integers(-40, 50, (n, 6))
    fixed = nl.FixedNetwork(
        made_up(ops), (nl.FixedPopulation("n", n, "m", {"vth": 90}, alias=alias),),
        (nl.FixedProjection("a", "x", "n", weights, exponent=-2, sign_mode="mixed",
                            delays=rng.integers(0, 3, weights.size)),
         nl.FixedProjection("b", "x", "n", weights, sign_mode="mixed", delays=2),
         nl.FixedProjection("c", "n", "n", np.eye(n, dtype=int), sign_mode="mixed")),
        (nl.FixedSource("x", 6),), (nl.DirectInput("d", "n"),), enforce_ranges=False,
    )  # fmt: skip
    given_ones = {"x": rng.integers(0, 2, (30, 6)), "d": rng.integers(-20, 60, (30, n))}
    got = compared(fixed, 30, "alias", inputs=given_ones)
    assert {"cap", "wrap", "binary"} <= {e.kind for e in got.events}


@pytest.mark.parametrize("order", [0, 1])
def test_noise_and_events_of_one_neuron(order: int) -> None:
    """The noise is a sum; the neuron takes it before or after its events."""
    each = {"op": "each", "ports": ["in"], "cap": 2,
            "do": [{"op": "acc", "reg": "v", "ovf": [{"mode": "sat"}]},
                   {"op": "fire", "reg": "v", "thr": 30}]}  # fmt: skip
    noise = {"op": "acc", "reg": "v", "port": "noise", "ovf": [{"mode": "sat"}]}
    profile = made_up([each, noise][:: 1 - 2 * order], noise=True)
    fixed = nl.FixedNetwork(
        profile, tuple(nl.FixedPopulation(name, n, "m") for name, n in (("a", 3), ("n", 260))),
        (nl.FixedProjection("p", "x", "n", np.full((260, 2), 20), graded=True),),
        (nl.FixedSource("x", 2),), (nl.DirectInput("d", "n"),), seed=5,
    )  # fmt: skip
    rng = np.random.default_rng(order)
    rows = {"x": rng.integers(-1, 4, (2, 20, 2)), "d": rng.integers(-5, 6, (2, 20, 260))}
    got = compared(fixed, 20, order, inputs=rows)
    assert got.spikes["n"].max() > 1 and {e.kind for e in got.events} >= {"cap"}


@pytest.mark.parametrize("alias", [None, [-1, -1]])
def test_a_threshold_that_is_the_register_itself(alias: Any) -> None:
    """It is read once, in blocks and neuron by neuron: 7 - 7 = 0 is below 7."""
    fire = {"op": "fire", "reg": "v", "thr": "v", "multi": "loop", "cap": 5, "reset": "subtract"}
    profile = made_up([{"op": "acc", "reg": "v", "ovf": [{"mode": "sat"}]}, fire])
    fixed = nl.FixedNetwork(profile, (nl.FixedPopulation("n", 2, "m", alias=alias),),
                            directs=(nl.DirectInput("d", "n", np.array([[7, -3]])),))  # fmt: skip
    assert compared(fixed, 1, alias).spikes["n"].tolist() == [[1, 5]]


def test_a_count_that_32_bits_do_not_hold_is_run_in_numpy() -> None:
    """It may be cut by the cap, but the kernel keeps counts in 32 bits."""
    fixed = nl.FixedNetwork(
        nl.load_profile("xylo-v2"), (nl.FixedPopulation("n", 1, "hidden"),),
        (nl.FixedProjection("i", "x", "n", np.array([[3]]), port="in0", graded=True),),
        (nl.FixedSource("x", 1, np.array([[0], [2**31 - 1], [2**33 + 1]])),),
    )  # fmt: skip
    with pytest.raises(nl.NeuroLifError, match="32 bits in step 3"):
        nl.run_fixed(fixed, 3, engine="kernel")
    assert compared(fixed, 2, "large").events[0].kind == "cap"
    found = nl.run_fixed(fixed, 3, record="registers")
    assert "numpy" in found.provenance["engine"]
    assert first_difference(nl.run_semantics(fixed, 3, record="registers"), found) is None
