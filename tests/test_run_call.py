"""What the two executors say to arguments they cannot take, and which engine they choose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

import neuro_lif as nl
from neuro_lif.emulator import engine as engine_module
from neuro_lif.engines import NotInKernel, chosen_engine
from neuro_lif.errors import LoweringError, RangeError
from neuro_lif.quantize import _too_large


def network(**more: Any) -> nl.FixedNetwork:
    """Two neurons with an input."""
    population = nl.FixedPopulation("p", 2, "lif", {"vth": 3})
    projection = nl.FixedProjection("w", "x", "p", [[4], [6]])
    return nl.FixedNetwork(nl.load_profile("loihi2"), (population,), (projection,),
                           (nl.FixedSource("x", 1, [[1], [0], [1]]),), **more)  # fmt: skip


def refused(message: str, *args: Any, run: Any = nl.run_fixed, **kwargs: Any) -> None:
    with pytest.raises(RangeError) as caught:
        run(network(), 3, *args, **kwargs)
    assert str(caught.value) == message


@pytest.mark.parametrize("engine", ["fast", "", 3, True])
def test_unknown_engines(engine: Any) -> None:
    shown = f'"{engine}"' if isinstance(engine, str) else str(engine)
    with pytest.raises(RangeError) as caught:
        chosen_engine(engine, None)
    text = str(caught.value)
    assert text.replace("'", '"') == f"engine = {shown}, allowed: auto, kernel, numpy"


def test_the_environment_asks_where_nobody_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURO_LIF_ENGINE", "numpy")
    assert chosen_engine(None, None) == "numpy"
    assert chosen_engine("auto", None) == "auto"
    monkeypatch.setenv("NEURO_LIF_ENGINE", "fast")
    assert chosen_engine("kernel", None) == "kernel"
    with pytest.raises(RangeError) as caught:
        chosen_engine(None, None)
    text = str(caught.value).replace("'", '"')
    assert text == 'NEURO_LIF_ENGINE = "fast", allowed: auto, kernel, numpy'
    monkeypatch.delenv("NEURO_LIF_ENGINE")
    assert chosen_engine(None, None) == "auto"


@pytest.mark.parametrize("threads", [0, -1, True, False, 1.5, "2"])
def test_threads_are_a_whole_number(threads: Any) -> None:
    with pytest.raises(RangeError) as caught:
        chosen_engine("numpy", threads)
    shown = f'"{threads}"' if isinstance(threads, str) else str(threads)
    text = str(caught.value).replace("'", '"')
    assert text == f"threads = {shown}, allowed: a whole number >= 1, or None"


@pytest.mark.parametrize("threads", [1, 2, np.int64(3), None])
def test_threads_that_are_fine(threads: Any) -> None:
    assert chosen_engine("numpy", threads) == "numpy"


@pytest.mark.parametrize("run, name", [(nl.run_fixed, "run_fixed"),
                                       (nl.run_semantics, "run_semantics")])  # fmt: skip
def test_flags_are_flags(run: Any, name: str) -> None:
    refused(f"{name}: strict = 1, allowed: True or False", run=run, strict=1)


def test_progress_is_a_function() -> None:
    refused("run_fixed: progress = 5, allowed: a function of (steps done, steps in all), or None",
            progress=5)  # fmt: skip


def test_a_drive_alone_at_its_port() -> None:
    """And beside a projection: both add up, as the definition has it."""
    drives = (nl.FixedPoisson("a", "p", 2.0, 40, seed=1),
              nl.FixedPoisson("b", "q", 1.0, 50, seed=2))  # fmt: skip
    alone = nl.FixedPopulation("q", 3, "lif", {"vth": 3})
    one = network()
    fixed = nl.FixedNetwork(one.profile, (*one.populations, alone), one.projections, one.sources,
                            poissons=drives)  # fmt: skip
    wanted = nl.run_semantics(fixed, 3, record="all")
    got = nl.run_fixed(fixed, 3, record="all", engine="numpy")
    assert wanted.spikes["q"].any()
    for key, trace in wanted.traces.items():
        np.testing.assert_array_equal(trace, got.traces[key])
    for name, spikes in wanted.spikes.items():
        np.testing.assert_array_equal(spikes, got.spikes[name])


def test_what_the_kernel_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is run by numpy, which says why, or refused where the kernel was asked for."""
    given: list[Any] = []

    def odd(*args: Any) -> Any:
        given.append(args)
        raise NotInKernel("it is odd")

    monkeypatch.setattr(engine_module, "run_compiled", odd)
    monkeypatch.setenv("NEURO_LIF_ENGINE", "auto")
    fixed = network()
    seen: list[tuple[int, int]] = []

    def progress(done: int, most: int) -> None:
        seen.append((done, most))

    got = nl.run_fixed(fixed, 3, {"x": [[1], [1], [0]]}, record="all", progress=progress, threads=2)
    assert got.provenance["engine"] == "numpy integer emulator"
    assert got.provenance["not in the kernel"] == "it is odd"
    assert seen == [(1, 3), (2, 3), (3, 3)]
    [args] = given
    assert args[0] is fixed and args[1] == 3 and list(args[2]) == ["x"] and args[3] is None
    assert args[4:] == ("all", progress, False, 2)
    with pytest.raises(RangeError) as caught:
        nl.run_fixed(fixed, 3, engine="kernel")
    assert str(caught.value) == 'engine = "kernel": it is odd; allowed: "auto"'
    plain = nl.run_fixed(fixed, 3, engine="numpy")
    assert "not in the kernel" not in plain.provenance
    assert len(given) == 2


def test_run_fixed_hands_on_what_it_is_given() -> None:
    for wrong, value in (("engine", "fast"), ("threads", 0)):
        with pytest.raises(RangeError, match=f"^{wrong} = "):
            nl.run_fixed(network(), 3, engine=value if wrong == "engine" else "numpy",
                         threads=value if wrong == "threads" else None)  # fmt: skip


@pytest.mark.parametrize("batch", [None, 2])
def test_interrupted_in_numpy(batch: int | None) -> None:
    """After three steps: a recording of three. Before the first is done: nothing to keep."""
    raster = np.ones((10, 1) if batch is None else (batch, 10, 1), np.int64)

    def stop(done: int, most: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(nl.Interrupted) as caught:
        nl.run_fixed(network(), 10, {"x": raster}, "all", stop, engine="numpy")
    got = caught.value.recording
    wanted = nl.run_fixed(network(), 3, {"x": raster[..., :3, :]}, "all", engine="numpy")
    assert got.n_steps == 3 and got.provenance["interrupted"] == "after 3 of 10 steps"
    np.testing.assert_array_equal(got.spikes["p"], wanted.spikes["p"])
    np.testing.assert_array_equal(got.trace("p", "v"), wanted.trace("p", "v"))


def test_interrupted_before_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(*args: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine_module.Emulator, "step", step)
    with pytest.raises(KeyboardInterrupt) as caught:
        nl.run_fixed(network(), 10, engine="numpy")
    assert not isinstance(caught.value, nl.Interrupted)


def huge(weights: dict[str, float], threshold: float = 1.0) -> nl.SteppedNetwork:
    """A float network with numbers that no scale takes."""
    projections = [nl.Projection(name, "x", "p", np.array([[w]]), nl.Delta(), delay=1e-3)
                   for name, w in weights.items()]  # fmt: skip
    neuron = nl.LIF(tau_m=20e-3, v_threshold=threshold)
    return nl.discretize(nl.Network([nl.Population("p", 1, neuron)], projections,
                                    [nl.SpikeInput("x", 1)]), 1e-3)  # fmt: skip


def test_numbers_that_leave_a_float() -> None:
    allowed = (
        "numbers this large leave a float64 while scales are chosen, allowed: weights "
        "that a chip can be lowered to (are they in SI units?)"
    )
    with pytest.raises(LoweringError) as caught:
        nl.quantize(huge({"small": 1.0, "large": -1.7e308, "other": 2e300}), "loihi2")
    assert str(caught.value) == f"projection 'large': weights up to 1.7e+308: {allowed}"
    assert _too_large(huge({})) == f"the network: {allowed}"
    assert (
        _too_large(huge({"b": 0.5, "c": 0.25})) == f"projection 'b': weights up to 0.5: {allowed}"
    )
    empty = nl.Projection("e", "x", "p", sparse.csr_matrix((1, 1)), nl.Delta(), delay=1e-3)
    none = huge({})
    none = nl.discretize(
        nl.Network(none.network.populations, [empty], none.network.spike_inputs), 1e-3
    )
    assert _too_large(none) == f"projection 'e': weights up to 0: {allowed}"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
def test_narrow_delays_of_events(dtype: Any) -> None:
    """Events of the oldest emission come first, whatever type the delays are kept in."""
    delays = np.array([3, 0], dtype)
    population = nl.FixedPopulation("p", 1, "lif", {}, {})
    twice = sparse.csr_matrix(([7, -6], [0, 0], [0, 2]), (1, 1))  # two synapses of one pair
    projection = nl.FixedProjection("w", "x", "p", twice, delays=delays)
    raster = np.zeros((210, 1), np.int64)
    raster[[2, 5]] = 1
    fixed = nl.FixedNetwork(nl.load_profile("odin"), (population,), (projection,),
                            (nl.FixedSource("x", 1, raster),), enforce_ranges=False)  # fmt: skip
    wanted = nl.run_semantics(fixed, 210, record="registers")
    got = nl.run_fixed(fixed, 210, record="registers", engine="numpy")
    for key, trace in wanted.traces.items():
        np.testing.assert_array_equal(trace, got.traces[key])
