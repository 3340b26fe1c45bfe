"""What 64 bits cannot compute with is refused by name, even where ranges are not enforced."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

import neuro_lif as nl
from neuro_lif.errors import RangeError
from neuro_lif.machine import run_semantics

WIDE = [2**48 + 1, -(2**48) - 1, 2**57, -(2**60), 2**62, -(2**63)]
LAVA = "lava-0.10"


def loose(
    params: dict[str, Any] | None = None, profile: str = LAVA, init: Any = None,
    projection: dict[str, Any] | None = None, raster: Any = None, model: str = "lif",
    config: dict[str, Any] | None = None,
) -> nl.FixedNetwork:  # fmt: skip
    """One neuron whose ranges are not enforced."""
    chip = nl.load_profile(profile, **config or {})
    given = {"weights": np.array([[2]])} | (projection or {})
    rows = np.ones((3, 1), np.int64) if raster is None else raster
    return nl.FixedNetwork(
        chip, (nl.FixedPopulation("n", 1, model, params or {}, init or {}),),
        (nl.FixedProjection("c", "x", "n", **given),), (nl.FixedSource("x", 1, rows),),
        enforce_ranges=False,
    )  # fmt: skip


def equal(fixed: nl.FixedNetwork, n_steps: int = 3) -> None:
    ours = nl.run_fixed(fixed, n_steps, record="registers")
    theirs = run_semantics(fixed, n_steps, record="registers")
    assert ours.events == theirs.events
    for key, trace in theirs.traces.items():
        assert np.array_equal(ours.traces[key], trace), key


@pytest.mark.parametrize("value", WIDE)
@pytest.mark.parametrize("name", ["vth", "dv", "du", "bias_mant", "bias_exp"])
def test_parameters(name: str, value: int) -> None:
    with pytest.raises(RangeError, match=rf"'n': {name} = {value}, allowed: -2\*\*48\.\.2\*\*48"):
        loose({name: value})


@pytest.mark.parametrize("value", WIDE)
def test_starts(value: int) -> None:
    with pytest.raises(RangeError, match=rf"v = {value}, allowed"):
        loose(init={"v": value})


@pytest.mark.parametrize("value", [2**48 + 1, -(2**60)])
@pytest.mark.parametrize("where", ["dense", "sparse"])
def test_weights(value: int, where: str) -> None:
    weights: Any = np.array([[value]])
    weights = sparse.coo_matrix(weights) if where == "sparse" else weights
    with pytest.raises(RangeError, match=rf"weights = {value}, allowed"):
        nl.FixedProjection("c", "x", "n", weights)


@pytest.mark.parametrize("value", [2**63, 2**64 - 1])
def test_unsigned_values_do_not_wrap(value: int) -> None:
    wide = np.array([[value]], np.uint64)
    faults = {
        "weights": lambda: nl.FixedProjection("c", "x", "n", wide),
        "raster": lambda: nl.FixedSource("x", 1, wide),
        "vth": lambda: nl.FixedPopulation("n", 1, "lif", {"vth": wide[0]}),
        "u": lambda: nl.FixedPopulation("n", 1, "lif", init={"u": wide[0]}),
        "delays": lambda: nl.FixedProjection("c", "x", "n", np.array([[1]]), delays=wide[0]),
        "alias": lambda: nl.FixedPopulation("n", 1, "lif", alias=wide[0]),
    }
    for name, make in faults.items():
        with pytest.raises(RangeError, match=rf"{name}.*{value}"):
            make()
    with pytest.raises(RangeError, match="weights"):
        nl.FixedProjection("c", "x", "n", sparse.coo_matrix(wide))


@pytest.mark.parametrize("exponent", [32, 50, 57, 100, -32, -100])
def test_exponents(exponent: int) -> None:
    with pytest.raises(RangeError, match=rf"exponent = {exponent}, allowed: -31\.\.31"):
        loose(projection={"exponent": exponent})


def test_delays_and_latency() -> None:
    for field in ("delays", "latency"):
        with pytest.raises(RangeError, match=rf"{field} = 1048577, allowed"):
            loose(projection={field: 2**20 + 1})


@pytest.mark.parametrize("bits", [32, -32, 1000])
def test_weight_bits(bits: int) -> None:
    with pytest.raises(RangeError, match=rf"weight_bits = {bits}, allowed: -31\.\.31"):
        loose(projection={"weight_bits": bits})


def test_shifts() -> None:
    for by in (63, -63, 70):
        with pytest.raises(RangeError, match=rf"bias_exp \(a shift\) = {by}, allowed: -62\.\.62"):
            loose({"bias_exp": by}, "loihi1")
    equal(loose({"bias_exp": 31, "bias_mant": 2**31}, "loihi1"))
    equal(loose({"bias_exp": 62, "bias_mant": -1}, "loihi1"))
    equal(loose({"bias_exp": -62, "bias_mant": -5}, "loihi1"))
    with pytest.raises(RangeError, match=r"\(add of d, bias_mant, bias_exp\) = \d+, allowed"):
        loose({"bias_exp": 31, "bias_mant": 2**32}, "loihi1")


def test_thresholds() -> None:
    equal(loose({"vth": 2**48}, "loihi1"))  # times 64: 2**54


def test_products_of_a_decay() -> None:
    equal(loose({"dv": -(2**38)}, "loihi1", init={"v": 2**20}))
    text = r"operation 4 \(decay of v, dv\) = \d+, allowed: at most 2\*\*62"
    with pytest.raises(RangeError, match=text):
        loose({"dv": -(2**40)}, "loihi1")
    with pytest.raises(RangeError, match=r"'n': operation 4 \(decay of v, dv\) = "):
        loose({"dv": 2**20}, "loihi1", init={"v": 2**45})


def test_sums_of_graded_spikes() -> None:
    big = np.full((3, 1), 2**40)
    graded = {"graded": True, "exponent": 31}
    with pytest.raises(RangeError, match="'c': sum shifted by exponent 31 = 47223.*allowed"):
        loose(projection=graded, raster=big, profile="generic")
    equal(loose(projection=graded, raster=big))  # there the sum wraps at 32 bits first
    fixed = loose(projection=graded, profile="generic")
    equal(fixed)
    with pytest.raises(RangeError, match=r"inputs\s+projection 'c': sum shifted by exponent 31"):
        nl.run_fixed(fixed, 3, {"x": big})
    with pytest.raises(RangeError, match="whole numbers"):
        nl.run_fixed(fixed, 3, {"x": np.full((3, 1), 2**48 + 1)})


def test_sums_of_weights() -> None:
    rows = np.full((3, 1), 2**48)
    given = {"graded": True, "weights": np.array([[2**15]])}
    with pytest.raises(RangeError, match="'c': sum of weights times 281474976710656 = "):
        loose(projection=given, raster=rows, profile="generic", config={"weight_bits": 16})


def test_sums_shifted_in_a_port() -> None:
    rows = np.full((3, 1), 2**44)
    given = {"graded": True, "exponent": 7, "weights": np.array([[254]])}
    equal(loose(projection=given, raster=rows, profile="loihi1"))  # its sum wraps first
    with pytest.raises(RangeError, match=r"population 'n': sum of port 'in' = \d+, allowed"):
        loose(projection=given, raster=rows, profile="loihi1", model="lif_noise")


# ------------------------------------------------------------- parameters nothing reads


@pytest.mark.parametrize(
    ("profile", "model", "name", "users"),
    [
        ("loihi2", "lif", "refract", "lif_refractory, lif_subtract"),
        ("loihi1", "lif", "noise_exp", "lif_noise"),
        ("lava-0.10", "sigma", "vth", "lif, lif_reset, delta"),
        ("reckon", "hidden", "kappa", "output"),
    ],
)
@pytest.mark.parametrize("enforce", [True, False])
def test_a_parameter_the_model_does_not_use(
    profile: str, model: str, name: str, users: str, enforce: bool
) -> None:
    chip = nl.load_profile(profile)
    used = ", ".join(chip.used_params(model))
    value = chip.params[name].default
    with pytest.raises(RangeError) as refusal:
        nl.FixedNetwork(chip, (nl.FixedPopulation("n", 1, model, {name: value}),),
                        enforce_ranges=enforce)  # fmt: skip
    text = str(refusal.value)
    assert f"population 'n': {name} = " in text
    assert f"allowed: what model {model!r} uses: {used}" in text
    assert f"({name} is used by: {users}" in text


def test_every_used_parameter_is_accepted() -> None:
    for name in nl.available_profiles():
        chip = nl.load_profile(name)
        for model in chip.models:
            params = {p: chip.params[p].default for p in chip.used_params(model)}
            nl.FixedNetwork(chip, (nl.FixedPopulation("n", 1, model, params),))


# -------------------------------------------------------------- weights past all floats


@pytest.mark.parametrize("profile", ["loihi2", "loihi1", "generic"])
@pytest.mark.parametrize("weight", [1e200, 1e300, 1e308])
@pytest.mark.filterwarnings("error")
def test_weights_that_leave_a_float_are_refused(profile: str, weight: float) -> None:
    cell = nl.LIF(tau_m=20e-3, v_threshold=15e-3)
    net = nl.Network(
        [nl.Population("a", 2, cell)],
        [nl.Projection("big", "a", "a", np.array([[weight, 0], [1e-3, 0]]), nl.Delta())],
    )
    with pytest.raises(nl.errors.LoweringError, match="projection 'big': weights up to 1e"):
        nl.quantize(nl.discretize(net, 1e-3), profile)
