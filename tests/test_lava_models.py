"""Every neuron and connection that Lava has in fixed point, in its runtime: an independent oracle.

What runs is Lava's own code; the emulator must equal it in every register and step.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lava_runs import LAVA_TESTS, kinds, raster, same
from random_fixed import merged
from random_programs import REGISTERS, ProgramMaker
from random_stock import LAVA, MODELS, convolution, population, random_stock
from scipy import sparse

import neuro_lif.targets.lava as lava
from neuro_lif import (
    Convolution,
    FixedNetwork,
    FixedPopulation,
    FixedProjection,
    FixedSource,
    HardwareProfile,
    load_profile,
    run_fixed,
)
from neuro_lif.errors import RangeError, TargetError
from neuro_lif.targets.lava_stock import STOCK


def needing_lava(test: Any) -> Any:
    for mark in LAVA_TESTS:
        test = mark(test)
    return test


# ------------------------------------------------------------------------------------ neurons


def test_every_model_of_the_profile_has_an_entry() -> None:
    """One entry of the table per model, and every entry is found by its operations."""
    assert sorted(STOCK) == MODELS
    sizes = {name: FixedPopulation("a", 2, name) for name in MODELS}
    found = {n: kinds(FixedNetwork(LAVA, (p,)))["a"] for n, p in sizes.items()}
    assert found == {name: stock.process for name, stock in STOCK.items()}


def zoo(seed: int, copies: int) -> FixedNetwork:
    """Return a network of every model, some copies of each, driven and connected to itself."""
    rng = np.random.default_rng(seed)
    source = FixedSource("s", 6, raster(seed, 6, top=9) * rng.choice([-1, 1], (40, 6)))
    populations, projections = [], []
    for model in MODELS:
        for k in range(copies):
            name = f"{model}{k}"
            populations.append(population(rng, name, model, 5))
            weights = rng.integers(-128, 128, (5, 6)) * 2
            exponent = 3 if k else int(rng.integers(-3, 1))
            projections.append(
                FixedProjection(f"{name}<", "s", name, weights, exponent, graded=bool(k % 2))
            )
            back = sparse.csr_matrix(rng.integers(-60, 61, (5, 5)) * (rng.random((5, 5)) < 0.5))
            projections.append(FixedProjection(f"{name}o", name, name, back, -5, graded=not k % 2))
    return FixedNetwork(LAVA, tuple(populations), tuple(projections), (source,))


@needing_lava
def test_every_neuron_of_lava() -> None:
    """Eleven models, two of each: graded and plain recurrence, starts anywhere, every register."""
    fixed = zoo(4, copies=2)
    found = same(fixed, 40, record="registers")
    used = kinds(fixed)
    assert {used[p.name] for p in fixed.populations} == {s.process for s in STOCK.values()}
    assert sum(found.spikes[p.name].any() for p in fixed.populations) > 18
    assert found.trace("atrlif0", "theta").any() and found.trace("delta_cum_error0", "error").any()
    assert "x of ATRLIF" in found.provenance["not in Lava"].replace("d, ", "")
    with pytest.raises(RangeError, match="was not recorded"):
        found.trace("sigma_delta0", "x")
    assert found.trace("lif0", "theta").max() == 0  # never written: its start stands


@needing_lava
def test_samples_side_by_side() -> None:
    """A batch of every model: arrays of what differs between neurons are repeated with it."""
    fixed = zoo(6, copies=1)
    rows = np.stack([raster(k, 6, 25, top=9) for k in range(2)])
    used = kinds(fixed, batch=2)
    assert {used[p.name] for p in fixed.populations} == {s.process for s in STOCK.values()}
    same(fixed, None, {"s": rows}, record="registers")


def model_of(name: str, **params: Any) -> tuple[str, str]:
    """Return what a population of three becomes, and why."""
    init = params.pop("init", {})
    p = FixedPopulation("a", 3, name, params, init)
    fixed = FixedNetwork(LAVA, (p,), enforce_ranges=False)
    choice = lava.plan_lava(fixed)[0]
    return choice.process, choice.why


@pytest.mark.parametrize("model, params, why", [
    ("lif_reset", {"reset_interval": 0}, "reset_interval below 1"),
    ("lif_reset", {"reset_interval": [1, 2, 3]}, "reset_interval differs between neurons"),
    ("ternary_lif", {"vth_lo": 9, "vth_hi": 8}, "vth_lo above vth_hi"),
    ("ternary_lif", {"vth_hi": [7, 8, 9]}, "vth_hi differs"),
    ("delta", {"spike_exp": -1}, "spike_exp"),
    ("delta", {"spike_exp": 20, "state_exp": 12}, "both at most 31"),
    ("sigma_delta", {"vth": 2**20, "spike_exp": 7, "state_exp": 7}, "does not fit Lava's 32"),
    ("sigma_delta", {"bias": 2**31}, "bias is too wide"),
    ("graded_vec", {"vth": 2**31}, "vth is too wide"),
    ("atrlif", {"theta_step": [1, 2, 3]}, "theta_step differs"),
    ("sigma", {"init": {"sigma": 2**31}}, "sigma starts too wide"),
    ("lif", {"init": {"u": -(2**31) - 1}}, "u starts too wide"),
])  # fmt: skip
def test_what_lava_cannot_hold_is_ours(model: str, params: dict[str, Any], why: str) -> None:
    """Lava would refuse, wrap or misread these values; our own process takes them."""
    process, reason = model_of(model, **params)
    assert process == "OpListNeuron" and why in reason


def test_per_neuron_values_are_told() -> None:
    """Lava documents one value; where it takes more, the plan says so."""
    process, why = model_of("atrlif", delta_v=[1, 2, 3])
    assert process == "ATRLIF" and "delta_v per neuron, where Lava documents one" in why


def dialect(models: dict[str, Any], **tables: Any) -> HardwareProfile:
    """Return profile lava-0.10 with more models, or with others where registers are replaced."""
    raw = LAVA.model_dump(by_alias=True)
    made = {
        name: {"source": "LV", "status": "run", "ops": ops, "voltage": v, "current": u}
        for name, (ops, v, u) in models.items()
    }
    kept = {} if "registers" in tables else raw["models"]
    return HardwareProfile.model_validate(raw | tables | {"models": kept | made})


@needing_lava
def test_ours_equals_lavas() -> None:
    """Every model in Lava's neuron and, for an operation of no effect, in ours: all the same."""
    raw = LAVA.model_dump(by_alias=True)["models"]
    profile = dialect({
        f"{n}_ours": ((*raw[n]["ops"], {"op": "tick_ref"}), raw[n]["voltage"], raw[n]["current"])
        for n in MODELS
    })  # fmt: skip
    fixed = zoo(5, copies=1)
    twins = [replace(p, name=f"{p.name}_ours", model=f"{p.model}_ours") for p in fixed.populations]
    more = [
        replace(q, name=f"{q.name}_ours", post=f"{q.post}_ours",
                pre=q.pre if q.pre == "s" else f"{q.pre}_ours")
        for q in fixed.projections
    ]  # fmt: skip
    both = FixedNetwork(profile, (*fixed.populations, *twins), (*fixed.projections, *more),
                        fixed.sources)  # fmt: skip
    used = kinds(both)
    assert {used[p.name] for p in twins} == {"OpListNeuron"}
    assert {used[p.name] for p in fixed.populations} == {s.process for s in STOCK.values()}
    found = same(both)
    for p in fixed.populations:
        assert np.array_equal(found.spikes[p.name], found.spikes[f"{p.name}_ours"])
        for variable in ("u", "v"):
            ours = found.trace(f"{p.name}_ours", variable)
            assert np.array_equal(found.trace(p.name, variable), ours)


@needing_lava
def test_programs_of_every_operation() -> None:
    """Random operation lists with two ports, steps that count, graded output and noise."""
    models: dict[str, Any] = {}
    seed = 0
    while len(models) < 12:
        seed += 1
        ops = tuple(plain(ProgramMaker(np.random.default_rng(seed)).program()))
        if "each" not in {op["op"] for op in flat(ops)}:
            noise = {"op": "acc", "reg": "c", "port": "noise", "ovf": [{"mode": "sat"}]}
            models[f"m{seed}"] = ((noise, *ops) if seed % 2 else ops, "a", "b")
    told = {"source": "LV", "status": "assumed"}
    registers = {r: {"bits": k, **told} for r, k in zip(REGISTERS, (6, 7, 8), strict=True)}
    params = {n: {"lo": -99, "hi": 99, **told} for n in "pqsr"}
    noise = {"generator": "mt19937_randint", "lo": -9, "hi": 20, **told}
    profile = dialect(models, registers=registers, params=params, noise=noise)
    rng = np.random.default_rng(8)
    given = {"p": (-40, 41), "q": (0, 70), "s": (-3, 6), "r": (0, 4)}
    populations = [
        FixedPopulation(
            name, 4, name,
            {k: rng.integers(*span, 4) for k, span in given.items()
             if k in profile.used_params(name)},
        )
        for name in models
    ]  # fmt: skip
    ports = {p.name: sorted(profile.ports(p.model)) for p in populations}
    assert {len(found) for found in ports.values()} >= {1, 2}
    projections = [
        FixedProjection(f"{p.name}{port}", "s", p.name, rng.integers(-9, 10, (4, 5)) * 2,
                        graded=True, port=port, delays=k)
        for p in populations for k, port in enumerate(ports[p.name])
    ]  # fmt: skip
    source = FixedSource("s", 5, raster(3, 5, top=9))
    fixed = FixedNetwork(profile, tuple(populations), tuple(projections), (source,), seed=77)
    assert sum(profile.hears_noise(p.model) for p in populations) > 2
    found = same(fixed, 40, record="registers")
    assert sum(rows.any() for rows in found.spikes.values()) > 6
    same(fixed, None, {"s": np.stack([raster(k, 5, 12, top=9) for k in range(2)])})


def plain(ops: Iterable[Any]) -> Iterable[dict[str, Any]]:
    """Return resolved operations as a profile file has them."""
    for op in ops:
        found = {k: v for k, v in op.items() if k != "at"}
        for key, value in found.items():
            if key.endswith("ovf"):
                names = ("mode", "lo", "hi")
                found[key] = tuple(dict(zip(names, rule, strict=True)) for rule in value)
            elif key in ("then", "else", "do"):
                found[key] = tuple(plain(value))
        yield found


def flat(ops: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    for op in ops:
        yield op
        yield from flat(part for key in ("then", "else", "do") for part in op.get(key, ()))


# ------------------------------------------------------------------------------- convolutions


def convolved(
    profile: HardwareProfile, convs: dict[str, Convolution], top: int = 1, **given: Any
) -> FixedNetwork:
    """Return one source and one population for each convolution."""
    populations, projections, sources = [], [], []
    for k, (name, conv) in enumerate(convs.items()):
        n_post, n_pre = conv.shape
        rows = raster(k, n_pre, top=top) * np.random.default_rng(k).choice([-1, 1], (40, n_pre))
        sources.append(FixedSource(f"s{name}", n_pre, rows))
        populations.append(FixedPopulation(f"p{name}", n_post, params={"vth": 50, "dv": 99}))
        projections.append(
            FixedProjection(name, f"s{name}", f"p{name}", conv, graded=top > 1, **given)
        )
    return FixedNetwork(profile, tuple(populations), tuple(projections), tuple(sources))


@needing_lava
@pytest.mark.parametrize("name", ["lava-0.10", "generic"])
def test_convolutions(name: str) -> None:
    """Both layouts, strides, padding, dilation, groups; raw kernels, and coded ones."""
    rng = np.random.default_rng(30)
    made = {f"{kind}{k}": convolution(rng, 120) for kind in "ab" for k in range(5)}
    assert {c.layout for c in made.values()} == {"lava", "torch"}
    plain, graded = ({n: c for n, c in made.items() if n[0] == kind} for kind in "ab")
    profile = load_profile(name)
    fixed = merged([convolved(profile, plain), convolved(profile, graded, top=9)])
    assert {kinds(fixed)[c] for c in made} == {"Conv"}
    same(fixed)


@needing_lava
def test_sums_of_a_convolution_wrap_to_24_bits() -> None:
    """As Lava's own Conv does; what does not fit int32 goes through ours, and wraps as well."""
    kernel = np.array([[-127, 126], [125, -124]]).reshape(1, 2, 2, 1)
    conv = Convolution(kernel, (4, 4, 1), padding=1)
    parts = [convolved(LAVA, {name: conv}, 2**bits) for name, bits in (("fits", 21), ("wide", 27))]
    fixed = merged(parts)
    assert (kinds(fixed)["fits"], kinds(fixed)["wide"]) == ("Conv", "IntegerSynapses")
    found = same(fixed)
    assert {e.where for e in found.events if e.register == "sum"} == {"fits", "wide"}


@needing_lava
def test_a_batch_of_convolutions_is_a_matrix() -> None:
    """Samples side by side are no plane; the matrix does the same where nothing overflows."""
    conv = Convolution(np.arange(-4, 5).reshape(1, 1, 3, 3) * 2, (1, 5, 5), layout="torch")
    fixed = convolved(load_profile("loihi2"), {"c": conv})
    assert kinds(fixed, batch=2)["c"] == "Sparse"
    same(fixed, None, {"sc": np.stack([raster(k, 25, 20) for k in range(2)])})


@pytest.mark.parametrize("conv, given, why", [
    ({}, {"delays": 1}, "Conv knows no delays"),
    ({"padding": (64, 0)}, {}, "8 bits"),
    ({"padding": (60, 0), "input_shape": (9, 9, 1)}, {}, "8 bits"),
    ({"padding": (60, 0), "input_shape": (128, 9, 1)}, {}, ""),
    ({"dilation": 127, "input_shape": (200, 200, 1)}, {}, "8 bits"),
    ({"stride": 128}, {}, "8 bits"),
])  # fmt: skip
def test_what_conv_cannot_do(conv: dict[str, Any], given: dict[str, Any], why: str) -> None:
    """Lava computes places in int8; a convolution beyond that is a matrix."""
    kernel = np.full((1, 2, 2, 1), 2)
    made = Convolution(kernel, **{"input_shape": (5, 5, 1)} | conv)
    choice = lava.plan_lava(convolved(LAVA, {"c": made}, **given))[1]
    assert (choice.process == "Conv") == (not why) and why in str(choice)


def test_exponents_of_a_convolution() -> None:
    """A coded kernel takes a left shift into itself while nothing overflows; never a right one."""
    kernel = np.full((1, 2, 2, 1), 100)
    conv = Convolution(kernel, (5, 5, 1))
    for exponent, process in ((2, "Conv"), (-1, "Sparse")):
        fixed = convolved(load_profile("generic"), {"c": conv}, exponent=exponent)
        assert kinds(fixed)["c"] == process


# ---------------------------------------------------------------------------- payloads, limits


def counting(top: int) -> FixedNetwork:
    """Return a neuron whose output grows by 1000 a step into a Conv exact up to 2**31 / top."""
    populations = (FixedPopulation("grow", 1, "sigma"), FixedPopulation("end", 1))
    conv = Convolution(np.full((1, 1, 1, 1), top), (1, 1, 1))
    projections = (
        FixedProjection("in", "s", "grow", np.array([[200]]), 2, graded=True),
        FixedProjection("c", "grow", "end", conv, graded=True),
    )
    source = FixedSource("s", 1, np.full((10, 1), 5))
    return FixedNetwork(LAVA, populations, projections, (source,))


@needing_lava
def test_the_choice_holds_for_what_is_sent(tmp_path: Path) -> None:
    """Conv is taken for the values of this run; in a longer one a folder fails aloud."""
    fixed = counting(2**18)
    assert kinds(fixed)["c"] == "IntegerSynapses"
    assert kinds(fixed, payloads={"grow": 4000})["c"] == "Conv"
    folder = lava.export_lava(fixed, tmp_path / "net", 2)
    assert any("Lava's Conv" in line for line in lava.exported_plan(folder))
    assert alone(folder, 2) == ""
    assert "population 'grow' sends 8000 in step 3; what it is connected" in alone(folder, 9)


def alone(folder: Path, steps: int) -> str:
    """Run a folder as its owner would; return what it complains of."""
    python = lava.find_lava_python().executable
    done = subprocess.run([python, "run.py", "--steps", str(steps)], cwd=folder, timeout=120,
                          capture_output=True, text=True, check=False)  # fmt: skip
    return done.stderr if done.returncode else ""


def test_values_beyond_32_bits_are_refused() -> None:
    """Lava's ports carry int32: told by name, before anything is started."""
    registers = {"d": {"bits": 48, "source": "LV", "status": "assumed"}}
    ops = ({"op": "acc", "reg": "d", "shift": 20}, {"op": "emit", "src": "-d"})
    profile = dialect({"wide": (ops, "d", None)}, registers=registers)
    source = FixedSource("s", 1, np.full((4, 1), 100))
    projection = FixedProjection("c", "s", "a", np.array([[20]]), graded=True)
    fixed = FixedNetwork(profile, (FixedPopulation("a", 1, "wide"),), (projection,), (source,))
    with pytest.raises(TargetError, match="population 'a' sends -4194304000 in step 3, allowed"):
        lava.run_lava(fixed, 4, python=None if lava.lava_status()[0] else "none")


# -------------------------------------------------------------------------- overflow, progress


def overflowing() -> FixedNetwork:
    """Return a LIF whose v saturates in step 2."""
    source = FixedSource("s", 1, np.full((8, 1), 2**15))
    projection = FixedProjection("c", "s", "a", np.array([[200]]), graded=True)
    population = FixedPopulation("a", 1, params={"du": 4095, "dv": 0})
    return FixedNetwork(LAVA, (population,), (projection,), (source,))


@needing_lava
def test_overflow_is_counted() -> None:
    """The events are the emulator's, whose replay equals Lava's run; strict makes them an error."""
    found = same(overflowing(), 8)
    assert {(e.where, e.register) for e in found.events} >= {("a", "u")}
    assert found.events[0].first_step > 0 and "replay" in found.provenance["overflow counts"]
    with pytest.raises(RangeError, match=r"a: u overflowed .*strict=True"):
        lava.run_lava(overflowing(), 8, strict=True)


@needing_lava
def test_a_replay_that_differs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nobody knows whether Lava overflowed: provenance says so, and strict refuses."""

    def other(*args: Any) -> Any:
        recording = run_fixed(*args[:2])
        recording.spikes["a"][3, 0] += 1
        return recording

    monkeypatch.setattr(lava, "replay", other)
    found = lava.run_lava(overflowing(), 8)
    assert found.provenance["overflow"].startswith("not counted: ")
    assert "a.spikes, step 4, neuron 0: 2 and 1" in found.provenance["overflow"]
    assert [e.first_step for e in found.events] == []
    with pytest.raises(TargetError, match="overflow not counted: .*step 4"):
        lava._counted(found, other(overflowing(), 8), (), strict=True)


@needing_lava
def test_progress() -> None:
    """Steps done, rising, the last one always."""
    told: list[tuple[int, int]] = []
    lava.run_lava(overflowing(), 300, progress=lambda *steps: told.append(steps))
    assert told == sorted(set(told)) and told[-1] == (300, 300)
    with pytest.raises(ZeroDivisionError):  # a callback may end the run
        lava.run_lava(overflowing(), 300, progress=lambda done, total: 1 // 0)


# ------------------------------------------------------------------------------- random networks


def differential(seeds: Iterable[int]) -> tuple[Counter[str], int]:
    """Run random networks together; return which processes they were, and how many numbers."""
    networks = [random_stock(np.random.default_rng([k, 3]), f"n{k}_") for k in seeds]
    fixed = merged(networks)
    found = same(fixed, 40, record="registers")
    payloads = {n: int(np.abs(rows).max()) for n, rows in found.spikes.items()}
    used = Counter(c.process for c in lava.plan_lava(fixed, payloads))
    return used, sum(rows.size for rows in (*found.traces.values(), *found.spikes.values()))


@needing_lava
@pytest.mark.parametrize("first", range(0, 20, 5))
def test_random_networks_of_lavas_own(first: int) -> None:
    """Twenty: every model, delays, fan-in, recurrence, graded, convolutions; every register."""
    used, _ = differential(range(first, first + 5))
    assert used["Conv"] == 5 and used["IntegerSynapses"] <= 3 and used["OpListNeuron"] == 0


@needing_lava
@pytest.mark.verify
def test_a_hundred_random_networks(record_figure: Callable[[str], None]) -> None:
    """A hundred more."""
    used: Counter[str] = Counter()
    numbers = 0
    for first in range(100, 200, 5):
        more, compared = differential(range(first, first + 5))
        used, numbers = used + more, numbers + compared
    record_figure(
        f"Lava runtime, 100 random networks of {len(used)} processes: {numbers:,} numbers, "
        "0 differences"
    )
    assert not used["OpListNeuron"]
