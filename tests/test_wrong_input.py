"""Wrong input of every kind: always an error of ours that names place, field, value and allowed."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import neuro_lif
from neuro_lif import (
    IF,
    LI,
    LIF,
    CurrentInput,
    DirectInput,
    Exponential,
    FixedNetwork,
    FixedPopulation,
    FixedProjection,
    FixedSource,
    Network,
    NeuroLifError,
    Population,
    Probe,
    Projection,
    Recording,
    SpikeInput,
    StepRule,
    dequantize,
    discretize,
    load_fixed,
    load_profile,
    run_clocked,
    run_fixed,
    run_semantics,
    save_fixed,
)
from neuro_lif.errors import FileFormatError, NetworkError, ProfileError, RangeError, TargetError
from neuro_lif.files import load_network, save_network
from neuro_lif.npz import npz_bytes
from neuro_lif.stimulus import Constant, Sampled, Sinusoid
from neuro_lif.targets import lava

Make = Callable[[], Any]
Case = tuple[Make, type[NeuroLifError], tuple[str, ...]]
NAN, INF = float("nan"), float("inf")
ROWS = [[1.0, 2.0], [3.0, 4.0]]


def lif(**fields: Any) -> Make:
    return lambda: Population("exc", 2, LIF(**{"tau_m": 0.02} | fields))


def synapses(weights: Any = ROWS, **fields: Any) -> Make:
    return lambda: Projection("p", "a", "a", weights, **fields)


def spikes(indices: Any, times: Any) -> Make:
    return lambda: SpikeInput("s", 2, indices, times)


def network(*parts: Any) -> Make:
    def make() -> Network:
        kinds = {Projection: [], SpikeInput: [], Probe: []}  # type: ignore[var-annotated]
        for part in parts:
            kind = SpikeInput if isinstance(part, (SpikeInput, CurrentInput)) else type(part)
            kinds[kind].append(part)
        a = Population("a", 2, LIF(tau_m=0.02))
        return Network([a], kinds[Projection], kinds[SpikeInput], kinds[Probe])

    return make


def described(*parts: Any) -> Network:
    return network(*parts)()  # type: ignore[no-any-return]


WHERE = "population 'exc': "
NEURONS: dict[str, Case] = {
    "tau_m negative": (lif(tau_m=-0.02), NetworkError, (WHERE + "tau_m = -0.02", "> 0")),
    "tau_m zero": (lif(tau_m=0), NetworkError, (WHERE + "tau_m = 0,", "> 0")),
    "tau_m nan": (lif(tau_m=NAN), NetworkError, (WHERE + "tau_m = nan", "finite numbers")),
    "tau_m inf": (lif(tau_m=[1, INF]), NetworkError, (WHERE + "tau_m = [1, inf]", "finite")),
    "tau_m text": (lif(tau_m="20 ms"), NetworkError, (WHERE + "tau_m = '20 ms'", "a real number")),
    "tau_m numeric text": (lif(tau_m="0.02"), NetworkError, ("tau_m = '0.02'", "a real number")),
    "tau_m truth": (lif(tau_m=True), NetworkError, (WHERE + "tau_m = True", "a real number")),
    "tau_m none": (lif(tau_m=None), NetworkError, (WHERE + "tau_m = None", "a real number")),
    "tau_m complex": (lif(tau_m=1j), NetworkError, (WHERE + "tau_m = 1j", "a real number")),
    "tau_m table": (lif(tau_m={"a": 1}), NetworkError, (WHERE + "tau_m = {'a': 1}", "a real numb")),
    "tau_m ragged": (lif(tau_m=[[1], [1, 2]]), NetworkError, ("tau_m = [[1], [1, 2]]", "a real")),
    "wrong shape": (lif(tau_m=[1, 2, 3]), NetworkError,
                    (WHERE + "tau_m = 'shape (3,)'", "a scalar or shape (2,)")),
    "empty": (lif(v_threshold=[]), NetworkError, ("v_threshold = 'shape (0,)'", "shape (2,)")),
    "two axes": (lif(v_init=ROWS), NetworkError, ("v_init = 'shape (2, 2)'", "shape (2,)")),
    "resistance": (lif(resistance=-1), NetworkError, (WHERE + "resistance = -1", "> 0")),
    "t_refractory": (lif(t_refractory=-1e-3), NetworkError, ("t_refractory = -0.001", ">= 0 s")),
    "threshold below reset": (lif(v_threshold=-1), NetworkError,
                              (WHERE + "v_threshold = -1", "above v_reset = array(0.)")),
    "threshold at reset": (lif(v_threshold=[1, 0]), NetworkError, ("v_threshold = [1, 0]", "abov")),
    "reset": (lif(reset="hard"), NetworkError, (WHERE + "reset = 'hard'", '"value" or "subtract"')),
    "reset list": (lif(reset=["value"]), NetworkError, ("reset = ['value']", '"value" or')),
    "bias": (lif(i_bias=[0, NAN]), NetworkError, (WHERE + "i_bias = [0, nan]", "finite")),
    "capacitance": (lambda: Population("c", 1, IF(capacitance=0)), NetworkError,
                    ("population 'c': capacitance = 0", "> 0")),
    "no v_reset": (lambda: Population("c", 1, IF(v_reset=None)), NetworkError,
                   ("population 'c': v_reset = None", "a real number")),
    "read-out tau": (lambda: Population("o", 1, LI(tau_m=-1)), NetworkError,
                     ("population 'o': tau_m = -1", "> 0")),
    "conductance": (lambda: LIF.from_conductance(1e-12, 0), NetworkError,
                    ("LIF: conductance = 0", "> 0")),
    "conductance text": (lambda: LIF.from_conductance("1 pF", 1e-9), NetworkError,
                         ("LIF: capacitance = '1 pF'", "a real number")),
    "conductance shapes": (lambda: LIF.from_conductance([1, 2], [1, 2, 3]), NetworkError,
                           ("LIF: conductance = 'shape (3,)'", "shape (2,)")),
    "neuron": (lambda: Population("x", 1, "LIF"), NetworkError,  # type: ignore[arg-type]
               ("population 'x': neuron = 'LIF'", "LIF, IF or LI")),
    "name with a space": (lambda: Population("a b", 1, IF()), NetworkError,
                          ("population 'a b': name = 'a b'", "letters, digits and _")),
    "name number": (lambda: Population(3, 1, IF()), NetworkError,  # type: ignore[arg-type]
                    ("population 3: name = 3", "letters, digits and _")),
    "name empty": (lambda: Population("", 1, IF()), NetworkError, ("name = ''", "letters")),
    "size zero": (lambda: Population("x", 0, IF()), NetworkError, ("size = 0", "whole number >= ")),
    "size real": (lambda: Population("x", 2.0, IF()), NetworkError,  # type: ignore[arg-type]
                  ("population 'x': size = 2.0", "a whole number >= 1")),
    "size truth": (lambda: Population("x", True, IF()), NetworkError, ("size = True", ">= 1")),
}  # fmt: skip

CSR = sparse.csr_matrix(ROWS)
BROKEN = sparse.csr_matrix(ROWS)
BROKEN.indices = np.array([0, 7, 0, 1], np.int32)
PW = "projection 'p': "
SYNAPSES: dict[str, Case] = {
    "weights one axis": (synapses([1, 2]), NetworkError, (PW + "weights = 'shape (2,)'", "(n_pos")),
    "weights scalar": (synapses(3), NetworkError, (PW + "weights = 'shape ()'", "(n_post, n_pre)")),
    "weights nan": (synapses([[NAN]]), NetworkError, (PW + "weights = [[nan]]", "finite")),
    "weights text": (synapses("all"), NetworkError, (PW + "weights = 'all'", "a real number")),
    "weights texts": (synapses([["1", "2"]]), NetworkError, ("weights = [['1', '2']]", "a real n")),
    "weights none": (synapses(None), NetworkError, (PW + "weights = None", "a real number")),
    "weights ragged": (synapses([[1], [1, 2]]), NetworkError, ("[[1], [1, 2]]", "a real number")),
    "weights truths": (synapses([[True]]), NetworkError, (PW + "weights = [[True]]", "a real num")),
    "sparse nan": (synapses(sparse.csr_matrix([[NAN]])), NetworkError, (PW + "weights = ", "fini")),
    "sparse truths": (synapses(sparse.csr_matrix([[True]])), NetworkError, (PW, "a real number")),
    "sparse complex": (synapses(sparse.csr_matrix([[1j]])), NetworkError, (PW, "a real number")),
    "sparse broken": (synapses(BROKEN), NetworkError, (PW + "weights = 'a sparse matrix'",
                                                       "a consistent one")),
    "sparse sum overflows": (
        synapses(sparse.coo_matrix(([1.7e308, 1.7e308], ([0, 0], [0, 0])))), NetworkError,
        (PW + "weights = ", "finite")),
    "delay negative": (synapses(delay=-1e-3), NetworkError, (PW + "delay = -0.001", "delays >= 0")),
    "delay nan": (synapses(delay=NAN), NetworkError, (PW + "delay = nan", "finite numbers")),
    "delay text": (synapses(delay="1 ms"), NetworkError, (PW + "delay = '1 ms'", "a real number")),
    "delay shape": (synapses(delay=[1, 2]), NetworkError,
                    (PW + "delay = 'shape (2,)'", "one per synapse, shape (2, 2)")),
    "delay shape, sparse": (synapses(CSR, delay=ROWS), NetworkError,
                            (PW + "delay = 'shape (2, 2)'", "one per synapse, shape (4,)")),
    "one delay negative": (synapses(delay=[[0, 1], [2, -3]]), NetworkError, ("delay = -3.0", ">=")),
    "delay of other structure": (
        synapses(CSR, delay=sparse.csr_matrix([[1.0, 0], [0, 1]])), NetworkError,
        (PW + "delay = 'a sparse matrix'", "the same structure as the weights", "explicit zeros")),
    "sparse delay, dense weights": (synapses(delay=CSR), NetworkError, ("delay = 'a sparse", "sa")),
    "synapse": (synapses(synapse="delta"), NetworkError,
                (PW + "synapse = 'delta'", "Delta(), Exponential(tau), Alpha(tau) or")),
    "synapse class": (synapses(synapse=Exponential), NetworkError,
                      (PW + "synapse = ", "Delta(), ")),
    "synapse tau": (synapses(synapse=Exponential(0)), NetworkError,
                    (PW + "synapse.tau = 0", "one time constant > 0 s")),
    "synapse taus": (synapses(synapse=Exponential([1, 2])), NetworkError,  # type: ignore[arg-type]
                     (PW + "synapse.tau = [1, 2]", "one time constant > 0 s")),
    "synapse tau text": (synapses(synapse=Exponential("5 ms")), NetworkError,  # type: ignore[arg-type]
                         (PW + "synapse.tau = '5 ms'", "a real number")),
    "synapse norm": (synapses(synapse=Exponential(1, "max")), NetworkError,  # type: ignore[arg-type]
                     (PW + "synapse.norm = 'max'", '"peak", "area", "nnmt" or "psp"')),
    "pre no text": (lambda: Projection("p", ["a"], "a", ROWS), NetworkError,  # type: ignore[arg-type]
                    (PW + "pre = ['a']", "the name of another part")),
}  # fmt: skip

IN = "input 's': "
INPUTS: dict[str, Case] = {
    "index out of range": (spikes([0, 2], [0, 0]), NetworkError, (IN + "indices = 2.0", "0..1")),
    "index negative": (spikes([-1], [0]), NetworkError, (IN + "indices = -1.0", "numbers 0..1")),
    "index real": (spikes([0.5], [0]), NetworkError, (IN + "indices = 0.5", "whole numbers 0..1")),
    "index text": (spikes(["0"], [0]), NetworkError, (IN + "indices = ['0']", "a real number")),
    "time negative": (spikes([0], [-1]), NetworkError, (IN + "times = -1.0", "times >= 0 s")),
    "time nan": (spikes([0], [NAN]), NetworkError, (IN + "times = [nan]", "finite numbers")),
    "times alone": (spikes(None, [1]), NetworkError, (IN + "times = [1]", "or neither")),
    "lengths": (spikes([0, 1], [1]), NetworkError, (IN + "times = (1,)", "as many as indices (2,")),
    "train text": (lambda: SpikeInput.from_trains("s", [[1], ["x"]]), NetworkError,
                   (IN + "trains[1] = ['x']", "a real number")),
    "no train": (lambda: SpikeInput.from_trains("s", []), NetworkError, (IN + "size = 0", ">= 1")),
    "amplitude text": (lambda: Constant("1 nA"), NetworkError,
                       ("Constant: amplitude = '1 nA'", "a real number")),
    "amplitude nan": (lambda: Constant(NAN), NetworkError, ("Constant: amplitude = nan", "finite")),
    "period": (lambda: Sinusoid(0, 1, 0), NetworkError, ("Sinusoid: period = ", "one time > 0 s")),
    "periods": (lambda: Sinusoid(0, 1, [1, 2]), NetworkError,  # type: ignore[arg-type]
                ("Sinusoid: period = [1, 2]", "one time > 0 s")),
    "samples": (lambda: Sampled([1, 2], 1), NetworkError,
                ("Sampled: values = 'shape (2,)'", "shape (n_samples, n)")),
    "interval": (lambda: Sampled([[1]], -1), NetworkError, ("Sampled: interval = -1", "> 0 s")),
    "interval inf": (lambda: Sampled([[1]], INF), NetworkError, ("interval = inf", "finite")),
    "interval text": (lambda: Sampled([[1]], "1 ms"), NetworkError,  # type: ignore[arg-type]
                      ("Sampled: interval = '1 ms'", "a real number")),
    "stimulus": (lambda: CurrentInput("s", "a", 1.0), NetworkError,  # type: ignore[arg-type]
                 (IN + "stimulus = 1.0", "a stimulus (Constant, Sinusoid, ... of")),
    "variable": (lambda: Probe("a", "w"), NetworkError,  # type: ignore[arg-type]
                 ("probe of 'a': variable = 'w'", "spikes, v, u")),
    "probe of a list": (lambda: Probe(["a"]), NetworkError,  # type: ignore[arg-type]
                        ("population = ['a']", "the name of another part")),
}  # fmt: skip

A = Population("a", 2, LIF(tau_m=0.02))
NETWORKS: dict[str, Case] = {
    "nothing": (lambda: Network([]), NetworkError, ("populations = ()", "at least one Population")),
    "no list": (lambda: Network(3), NetworkError,  # type: ignore[arg-type]
                ("network: populations = 3", "a list of Population objects")),
    "a text": (lambda: Network(["a"]), NetworkError,  # type: ignore[list-item]
               ("network: populations = 'a'", "Population objects")),
    "mixed up": (lambda: Network([A], [A]), NetworkError,  # type: ignore[list-item]
                 ("network: projections = Population(", "Projection objects")),
    "duplicate": (lambda: Network([A, A]), NetworkError, ("name = 'a'", "a name used once")),
    "duplicate input": (network(SpikeInput("a", 1)), NetworkError, ("name = 'a'", "used once")),
    "duplicate projection": (network(synapses()(), synapses()()), NetworkError,
                             ("projection name = 'p'", "a name used once")),
    "unknown pre": (network(Projection("p", "b", "a", ROWS)), NetworkError,
                    (PW + "pre = 'b'", "one of a")),
    "unknown post": (network(Projection("p", "a", "b", ROWS)), NetworkError,
                     (PW + "post = 'b'", "one of a")),
    "an input as post": (network(SpikeInput("s", 2), Projection("p", "a", "s", ROWS)), NetworkError,
                         (PW + "post = 's'", "one of a")),
    "weights turned": (network(SpikeInput("s", 3), Projection("p", "s", "a", np.ones((3, 2)))),
                       NetworkError, (PW + "weights = 'shape (3, 2)'", "(n_post, n_pre) = (2, 3)")),
    "current target": (network(CurrentInput("s", "b")), NetworkError,
                       (IN + "population = 'b'", "one of a")),
    "current width": (network(CurrentInput("s", "a", Constant([1, 2, 3]))), NetworkError,
                      (IN + "stimulus.amplitude = 'shape (3,)'", "shape (2,)")),
    "current axes": (network(CurrentInput("s", "a", Constant(np.ones((5, 2))))), NetworkError,
                     (IN + "stimulus.amplitude = 'shape (5, 2)'", "shape (2,)")),
    "samples width": (network(CurrentInput("s", "a", Sampled(np.ones((4, 3)), 1))), NetworkError,
                      (IN + "stimulus.values = 'shape (4, 3)'", "(n_samples, 1) or (n_samples, 2")),
    "probe": (network(Probe("b")), NetworkError, ("probe: population = 'b'", "one of a")),
    "no population of that name": (lambda: described().population("b"), NetworkError,
                                   ("network: population = 'b'", "one of a")),
}  # fmt: skip


def stepped(**neuron: Any) -> Any:
    a = Population("a", 2, LIF(**{"tau_m": 0.02} | neuron))
    return Network([a], [Projection("p", "a", "a", ROWS, Exponential(5e-3))])


STEPS: dict[str, Case] = {
    **{
        f"dt {dt!r}": (lambda dt=dt: discretize(described(), dt), RangeError,
                       (f"dt = {dt!r}", "a step > 0 s"))
        for dt in (0, 0.0, -1e-3, NAN, INF, "1 ms", None, True, 1j, [1e-3])
    },
    "unknown rule": (lambda: discretize(described(), 1e-3, "rk4"), RangeError,
                     ("rule = 'rk4'", "exact, euler, exact-ge, euler-ge")),
    "rule none": (lambda: discretize(described(), 1e-3, None), RangeError,  # type: ignore[arg-type]
                  ("rule = None", "exact, euler")),
    "no network": (lambda: discretize("net.toml", 1e-3), NetworkError,  # type: ignore[arg-type]
                   ("network = 'net.toml'", "a Network")),
    "euler membrane": (lambda: discretize(stepped(tau_m=[1.0, 1e-3]), 2e-3, "euler"), RangeError,
                       ("population 'a'", "dt = 0.002 s", "time constant 0.001 s", "dt <= tau",
                        'use the rule "exact"')),
    "euler synapse": (lambda: discretize(stepped(), 6e-3, "euler"), RangeError,
                      ("synapses onto 'a'", "dt = 0.006 s", "0.005 s", "dt <= tau")),
    "endless delay": (lambda: discretize(stepped(t_refractory=1.0), 1e-12), RangeError,
                      ("population 'a': t_refractory = 1 s", "at most 2147483648 steps")),
    "integrator": (lambda: StepRule(integrator="rk4"), NetworkError,  # type: ignore[arg-type]
                   ("StepRule: integrator = 'rk4'", "'exact', 'euler'")),
    "compare": (lambda: StepRule(compare="=="), NetworkError,  # type: ignore[arg-type]
                ("StepRule: compare = '=='", "'>', '>='")),
    "rounding": (lambda: StepRule(delay="down", refractory="floor"), NetworkError,  # type: ignore[arg-type]
                 ("StepRule: refractory = 'floor'", "StepRule: delay = 'down'", "'nearest', 'up'")),
    "latency": (lambda: StepRule(input_latency=2), NetworkError,  # type: ignore[arg-type]
                ("StepRule: input_latency = 2", "0, 1")),
    "stepped population": (lambda: discretize(described(), 1e-3).population("b"), NetworkError,
                           ("population = 'b'", "one of a")),
}  # fmt: skip

# every fault of a profile file is in test_profiles.py
PROFILES: dict[str, Case] = {
    "unknown profile": (lambda: load_profile("loihi9"), ProfileError,
                        ("profile = 'loihi9'", "generic", "loihi2", "or a path")),
    "missing profile": (lambda: load_profile("no/such.toml"), ProfileError,
                        ("'no/such.toml'", "no such file", "allowed")),
    "config range": (lambda: load_profile("generic", weight_bits=99), ProfileError,
                     ("generic.toml", "config.weight_bits = 99", "a whole number 1..16")),
    "config choice": (lambda: load_profile("generic", overflow="clip"), ProfileError,
                      ("config.overflow = 'clip'", "sat, wrap")),
    "config key": (lambda: load_profile("loihi2", bits=3), ProfileError,
                   ("config.bits = 3: unknown", "none")),
    "config twice": (lambda: load_profile("generic", weight_bits=0, compare="<"), ProfileError,
                     ("2 fault(s)", "config.weight_bits = 0", "config.compare = '<'", ">=")),
    "model": (lambda: load_profile("loihi1").model("izhikevich"), ProfileError,
              ("no neuron model 'izhikevich'", "allowed: lif")),
}  # fmt: skip


def fixed_pop(**fields: Any) -> FixedPopulation:
    return FixedPopulation(**{"name": "a", "size": 2} | fields)


def fixed(population: Any = None, *parts: Any, **fields: Any) -> Make:
    def make() -> FixedNetwork:
        kinds: dict[type, list[Any]] = {FixedProjection: [], FixedSource: [], DirectInput: []}
        for part in parts:
            made = part()
            kinds[type(made)].append(made)
        pop = fixed_pop(**(population or {}))
        return FixedNetwork(load_profile("loihi2"), (pop,), *map(tuple, kinds.values()), **fields)

    return make


def mantissas(weights: Any = ((1, 2), (3, 4)), **fields: Any) -> Make:
    return lambda: FixedProjection(**{"name": "p", "pre": "a", "post": "a"} | fields,
                                   weights=np.array(weights))  # fmt: skip


PA = "population 'a': "
FIXED: dict[str, Case] = {
    "float weights": (mantissas([[1.0, 2.0]]), RangeError,
                      (PW + "weights = 'float64 (1, 2)'", "integers (n_post, n_pre)")),
    "weights one axis": (mantissas([1, 2]), RangeError, (PW + "weights = 'int64 (2,)'", "(n_post")),
    "weights shape": (fixed(None, mantissas([[1, 2]])), RangeError,
                      (PW + "weights = 'shape (1, 2)'", "(n_post, n_pre) = (2, 2)")),
    "weight range": (fixed(None, mantissas([[300, 0], [0, 0]])), RangeError,
                     ("profile loihi2", PW + "weights = 300", "0..255")),
    "weight sign": (fixed(None, mantissas(sign_mode="inhibitory")), RangeError,
                    (PW + "weights = 1", "-255..0")),
    "sign mode": (mantissas(sign_mode="both"), RangeError, (PW + "sign_mode = 'both'", "mixed, e")),
    "exponent": (fixed(None, mantissas(exponent=9)), RangeError, (PW + "exponent = 9", "-8..7")),
    "exponent real": (mantissas(exponent=1.5), RangeError, (PW + "exponent = 1.5", "a whole numb")),
    "weight bits": (fixed(None, mantissas(weight_bits=9)), RangeError,
                    (PW + "weight_bits = 9", "1..8")),
    "delay range": (fixed(None, mantissas(delays=64)), RangeError, (PW + "delays = 64", "0..63")),
    "delay real": (mantissas(delays=1.5), RangeError, (PW + "delays = 1.5", "whole numbers")),
    "delay shape": (mantissas(delays=np.array([1, 2])), RangeError,
                    (PW + "delays = 'shape (2,)'", "a scalar or shape (4,)")),
    "pre": (fixed(None, mantissas(pre="x")), RangeError, (PW + "pre = 'x'", "one of a")),
    "post": (fixed(None, mantissas(post="x")), RangeError, (PW + "post = 'x'", "one of a")),
    "unknown param": (fixed({"params": {"tau": 3}}), RangeError,
                      (PA + "tau = ", "3", "a parameter: du, dv, vth")),
    "unknown model": (fixed({"model": "hh"}), RangeError, (PA + "model = 'hh'", "lif")),
    "unknown register": (fixed({"init": {"w": 1}}), RangeError, (PA + "init w = ", "a register: ")),
    "param range": (fixed({"params": {"vth": 131072}}), RangeError, (PA + "vth = 131072", "0..13")),
    "param real": (lambda: fixed_pop(params={"vth": 1.5}), RangeError,
                   (PA + "vth = 1.5", "whole numbers")),
    "param shape": (lambda: fixed_pop(params={"dv": [1, 2, 3]}), RangeError,
                    (PA + "dv = 'shape (3,)'", "a scalar or shape (2,)")),
    "init range": (fixed({"init": {"v": 2**23}}), RangeError,
                   (PA + "init v = 8388608", "-8388607..8388607")),
    "size": (lambda: fixed_pop(size=0), RangeError, (PA + "size = 0", "a whole number >= 1")),
    "raster width": (lambda: FixedSource("s", 3, np.zeros((4, 2), int)), RangeError,
                     (IN + "raster = int64 (4, 2)", "integers (n_steps, 3)")),
    "raster real": (lambda: FixedSource("s", 2, np.zeros((4, 2))), RangeError,
                    (IN + "raster = float64 (4, 2)", "integers (n_steps, 2)")),
    "direct target": (fixed(None, lambda: DirectInput("d", "x")), RangeError,
                      ("input 'd': population = 'x'", "one of a")),
    "direct width": (fixed(None, lambda: DirectInput("d", "a", np.zeros((4, 3), int))), RangeError,
                     ("input 'd': raster = 'shape (4, 3)'", "shape (n_steps, 2)")),
    "two names": (fixed(None, lambda: FixedSource("a", 1)), RangeError,
                  ("network: name = 'a'", "a name used once")),
    "graded": (lambda: FixedNetwork(load_profile("loihi1"), (fixed_pop(),),
                                    (mantissas(graded=True)(),)), RangeError,
               (PW + "graded = True", "no graded spikes")),
}  # fmt: skip


def runs(inputs: Any = None, n_steps: Any = None) -> list[tuple[str, Make]]:
    """The same call on the float reference, the emulator and the living definition."""
    net = described(SpikeInput("s", 2), Projection("p", "s", "a", ROWS))
    chip = FixedNetwork(load_profile("loihi2"), (fixed_pop(),),
                        (mantissas(pre="s")(),), (FixedSource("s", 2),))  # fmt: skip
    return [("clocked", lambda: run_clocked(discretize(net, 1e-3), n_steps, inputs)),
            ("fixed", lambda: run_fixed(chip, n_steps, inputs)),
            ("semantics", lambda: run_semantics(chip, n_steps, inputs))]  # fmt: skip


ZEROS = np.zeros((5, 2), np.int64)
RUNS: dict[str, tuple[Any, Any, tuple[str, ...]]] = {
    "no length": (None, None, ("n_steps = None", "a whole number >= 1")),
    "n_steps zero": (None, 0, ("n_steps = 0", "a whole number >= 1")),
    "n_steps negative": (None, -3, ("n_steps = -3", "a whole number >= 1")),
    "n_steps real": (None, 10.0, ("n_steps = 10.0", "a whole number >= 1")),
    "n_steps truth": (None, True, ("n_steps = True", "a whole number >= 1")),
    "n_steps text": (None, "10", ("n_steps = '10'", "a whole number >= 1")),
    "n_steps too few": ({"s": ZEROS}, 4, ("n_steps = 4", "at least the inputs' 5 steps")),
    "unknown input": ({"x": ZEROS}, None, ("inputs: 'x'", "allowed: s")),
    "width": ({"s": np.zeros((5, 3), int)}, None, ("inputs['s']: shape (5, 3)", "(n_steps, 2)")),
    "one axis": ({"s": [0, 1]}, None, ("inputs['s']: shape (2,)", "(batch, n_steps, 2)")),
    "nan": ({"s": ZEROS * NAN}, None, ("inputs['s']", "finite numbers")),
    "text": ({"s": [["a", "b"]]}, None, ("inputs['s']", "finite numbers")),
}

CASES = NEURONS | {f"projection: {k}": v for k, v in SYNAPSES.items()}
CASES |= {f"input: {k}": v for k, v in INPUTS.items()} | {
    f"net: {k}": v for k, v in NETWORKS.items()
}
CASES |= {f"steps: {k}": v for k, v in STEPS.items()} | {
    f"load: {k}": v for k, v in PROFILES.items()
}
CASES |= {f"fixed: {k}": v for k, v in FIXED.items()}


def refused(make: Make, kind: type[NeuroLifError], parts: tuple[str, ...]) -> str:
    with pytest.raises(NeuroLifError) as caught:
        make()
    assert type(caught.value) is kind
    text = str(caught.value)
    for part in parts:
        assert part in text, text
    return text


@pytest.mark.parametrize("case", CASES)
def test_wrong_input_is_named(case: str) -> None:
    text = refused(*CASES[case])
    assert "allowed" in text and len(text) < 600


@pytest.mark.parametrize("engine", range(3), ids=["clocked", "fixed", "semantics"])
@pytest.mark.parametrize("case", RUNS)
def test_wrong_runs_are_named(case: str, engine: int) -> None:
    inputs, n_steps, parts = RUNS[case]
    refused(runs(inputs, n_steps)[engine][1], RangeError, parts)


@pytest.mark.parametrize("axis", ["samples", "steps"])
@pytest.mark.parametrize("engine", ["clocked", "fixed"])
def test_inputs_that_do_not_fit_each_other(axis: str, engine: str) -> None:
    shapes = {"samples": ((2, 5, 2), (3, 5, 2)), "steps": ((5, 2), (6, 2))}[axis]
    inputs = {name: np.zeros(shape, int) for name, shape in zip("st", shapes, strict=True)}
    net = described(SpikeInput("s", 2), SpikeInput("t", 2))
    chip = FixedNetwork(load_profile("loihi2"), (fixed_pop(),), (),
                        (FixedSource("s", 2), FixedSource("t", 2)))  # fmt: skip
    make = {"clocked": lambda: run_clocked(discretize(net, 1e-3), None, inputs),
            "fixed": lambda: run_fixed(chip, None, inputs)}[engine]  # fmt: skip
    sizes = [shape[0] for shape in shapes]
    refused(make, RangeError, (f"different numbers of {axis}", f"'s': {sizes[0]}, 't': {sizes[1]}"))


@pytest.mark.parametrize("engine", [1, 2], ids=["fixed", "semantics"])
def test_integers_are_wanted(engine: int) -> None:
    refused(runs({"s": ZEROS + 0.5})[engine][1], RangeError, ("inputs['s']", "whole numbers"))


@pytest.mark.parametrize("engine", range(3), ids=["clocked", "fixed", "semantics"])
def test_a_trace_that_was_not_recorded(engine: int) -> None:
    run = runs(None, 3)[engine][1]()
    refused(
        lambda: run.trace("a", "v"), RangeError, ("trace a.v", "recorded: none", 'record="all"')
    )


def test_spike_times_of_a_batch() -> None:
    run = runs({"s": np.zeros((4, 5, 2), int)})[0][1]()
    refused(lambda: run.spike_times("a"), RangeError, ("one sample", ".sample(k)"))


# ----------------------------------------------------------------------------- recordings


def recorded(folder: Path) -> Path:
    runs(None, 50)[1][1]().save(folder / "run.npz")
    return folder / "run.npz"


def test_a_recording_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    refused(lambda: Recording.load(path), FileFormatError, (str(path), "no such file", "allowed"))
    refused(lambda: Recording.load(tmp_path), FileFormatError, ("recording", "allowed"))


@pytest.mark.parametrize("keep", [0, 1, 30, 0.5, -1])
def test_a_recording_cut_off(keep: float, tmp_path: Path) -> None:
    path = recorded(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if 0 < keep < 1 else int(keep)])
    refused(
        lambda: Recording.load(path), FileFormatError, (str(path), "not a whole .npz", "allowed")
    )


HEAD = {"format": "neuro-lif-recording/2", "dt": 1e-3, "n_steps": 5, "events": [], "provenance": {},
        "spikes": {}, "arrays": []}  # fmt: skip
COUNTS, NEURON = np.array([1, 0, 2, 0, 0], np.uint32), np.array([0, 1, 2], np.uint16)


def of_events(counts: Any = COUNTS, neuron: Any = NEURON, how: Any = ([5, 3], "int8"),
              **more: Any) -> dict[str, Any]:  # fmt: skip
    """Return a recording's arrays, of one population whose spikes are events."""
    arrays = {"events/p/counts": counts, "events/p/neuron": neuron,
              **{f"events/p/{k}": v for k, v in more.items()}}  # fmt: skip
    head = HEAD | {"spikes": {"p": how}, "arrays": list(arrays)}
    return {"head": json.dumps(head), **arrays}


OTHER_FILES: dict[str, Any] = {
    "other npz": {"x": np.zeros(3)},
    "other format": {"head": json.dumps(HEAD | {"format": "x"})},
    "head no text": {"head": np.zeros(3)},
    "head no json": {"head": "{"},
    "head no table": {"head": "3"},
    "head of a list": {"head": "[]"},
    "no dt": {"head": json.dumps({k: v for k, v in HEAD.items() if k != "dt"})},
    "dt no number": {"head": json.dumps(HEAD | {"dt": "x"})},
    "events": {"head": json.dumps(HEAD | {"events": [{"a": 1}]})},
    "event no table": {"head": json.dumps(HEAD | {"events": [3]})},
    "events no list": {"head": json.dumps(HEAD | {"events": 3})},
    "provenance": {"head": json.dumps(HEAD | {"provenance": 3})},
    "trace name": {"head": json.dumps(HEAD | {"arrays": ["trace/a"]}), "trace/a": np.zeros(3)},
    "spikes no table": {"head": json.dumps(HEAD | {"spikes": 3})},
    "spikes of nobody": {"head": json.dumps(HEAD | {"spikes": {"p": [[5, 3], "int8"]}})},
    "events too few": of_events(neuron=NEURON[:2]),
    "events of a neuron beyond": of_events(neuron=NEURON + np.uint16(1)),
    "negative events": of_events(neuron=NEURON.astype(np.int16)),
    "steps too few": of_events(counts=COUNTS[:4]),
    "no shape": of_events(how=3),
    "a shape of one": of_events(how=([5], "int8")),
    "objects": of_events(how=([5, 3], "O")),
    "type no name": of_events(how=([5, 3], 7)),
    "values too few": of_events(value=np.ones(2, np.int64)),
    "values no integers": of_events(value=np.ones(3)),
}


def test_a_file_of_events(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    path.write_bytes(npz_bytes(of_events()))
    wanted = np.zeros((5, 3), np.int8)
    wanted[[0, 2, 2], [0, 1, 2]] = 1
    np.testing.assert_array_equal(Recording.load(path).spikes["p"], wanted)


@pytest.mark.parametrize("case", OTHER_FILES)
def test_a_file_that_is_no_recording(case: str, tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    path.write_bytes(npz_bytes(OTHER_FILES[case]))
    refused(lambda: Recording.load(path), FileFormatError,
            (str(path), "not a recording", "neuro-lif-recording/2", "allowed"))  # fmt: skip


def test_recordings_with_foreign_content(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    np.save(path.with_suffix(".npy"), np.zeros(3))
    path.write_bytes(path.with_suffix(".npy").read_bytes())
    refused(
        lambda: Recording.load(path), FileFormatError, (str(path), "not a whole .npz", "allowed")
    )
    np.savez(path, head=np.array({"a": 1}, object))  # pickled: must not be read
    refused(lambda: Recording.load(path), FileFormatError, ("'head'", "Object arrays", "allowed"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("head.npy", "PK\x03\x04 not an array")
    refused(lambda: Recording.load(path), FileFormatError, ("recording", "'head'", "allowed"))


def test_a_recording_that_cannot_be_written(tmp_path: Path) -> None:
    run = runs(None, 3)[0][1]()
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "no" / "run.npz", tmp_path / "file" / "run.npz", tmp_path):
        refused(lambda path=path: run.save(path), FileFormatError, (str(path), "cannot be written"))
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


# -------------------------------------------------------------- network files, the rest is in
# test_network_file.py


def test_network_files(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    refused(lambda: load_network(path), FileFormatError, (str(path), "no such file"))
    path.write_text(
        'format = "neuro-lif-network/1"\n[populations.a]\nneuron = "LIF"\ntau_m = "1 V"\n'
    )
    absent, wrong = "populations.a.size = (absent)", "populations.a.tau_m = '1 V'"
    refused(lambda: load_network(path), FileFormatError, (str(path), absent, wrong, "a time"))
    refused(lambda: save_network(described(), tmp_path / "net.json"), FileFormatError,
            ("path = ", "net.json", "allowed: a file name.toml"))  # fmt: skip


# ------------------------------------------------------------------------ things mixed up


NET = described()
STEPPED = discretize(NET, 1e-3)
CHIP = FixedNetwork(load_profile("loihi2"), (fixed_pop(),))
TO_STEPPED, TO_FIXED = "call discretize(network, dt) first", "call quantize(stepped, profile) first"
FROM_NET = "call quantize(discretize(network, dt), profile) first"


def mixed(call: Any, says: str, kind: type[NeuroLifError] = RangeError) -> Any:
    return call, kind, says


def nengo(name: str, *given: Any) -> Make:
    from neuro_lif.targets import nengo as target

    return lambda: getattr(target, name)(*given)


FILE = "a.toml"
MIXED: dict[str, Any] = {
    "run_clocked": mixed(lambda: run_clocked(NET), f"SteppedNetwork, got Network ({TO_STEPPED})"),
    "run_clocked fixed": mixed(lambda: run_clocked(CHIP, 5), "got FixedNetwork (a FixedNetwork ha"),
    "run_clocked path": mixed(lambda: run_clocked(FILE, 5), "str 'a.toml' (call discretize(load_n"),
    "run_clocked none": mixed(lambda: run_clocked(None, 5), "wants a SteppedNetwork, got None"),
    "run_clocked class": mixed(lambda: run_clocked(int, 5), "SteppedNetwork, got <class 'int'>"),
    "dequantize": mixed(lambda: dequantize(STEPPED, CHIP), f"got SteppedNetwork ({TO_FIXED})"),
    "dequantize two": mixed(lambda: dequantize(CHIP, NET), f"got Network ({TO_STEPPED})"),
    "run_lava": mixed(lambda: lava.run_lava(STEPPED, 5), f"got SteppedNetwork ({TO_FIXED})"),
    "export_lava": mixed(lambda: lava.export_lava(NET, "x"), f"got Network ({FROM_NET})"),
    "plan_lava": mixed(lambda: lava.plan_lava(STEPPED), f"got SteppedNetwork ({TO_FIXED})"),
    "to_nengo": mixed(nengo("to_nengo", CHIP), "got FixedNetwork (a FixedNetwork ", NetworkError),
    "run_nengo": mixed(nengo("run_nengo", STEPPED, 1e-3, 5),
                       "a Network, got SteppedNetwork (give its .network)", NetworkError),
    "fixed_to_nengo": mixed(nengo("fixed_to_nengo", STEPPED), f"got SteppedNetwork ({TO_FIXED})"),
    "run_nengo_fixed": mixed(nengo("run_nengo_fixed", NET, 5), f"got Network ({FROM_NET})"),
    "save_network": mixed(lambda: save_network(CHIP, FILE), "a Network, got Fixed", NetworkError),
    "save_network swapped": mixed(lambda: save_network(FILE, NET), "str 'a.toml'", NetworkError),
    "save_fixed": mixed(lambda: save_fixed(STEPPED, "x.npz"), f"got SteppedNetwork ({TO_FIXED})"),
    "save_fixed swapped": mixed(lambda: save_fixed("x.npz", CHIP), "(call load_fixed(path) first)"),
}  # fmt: skip


@pytest.mark.parametrize("case", MIXED)
def test_one_thing_for_another(case: str) -> None:
    make, kind, says = MIXED[case]
    text = refused(make, kind, (case.split()[0], " wants a", says))
    assert "\n" not in text


@pytest.mark.parametrize("path", [None, 3, b"x.toml", ["x"], NET, "", "a\0b.toml"], ids=repr)
def test_paths_that_are_none(path: Any) -> None:
    calls: dict[str, Make] = {
        "load_network": lambda: load_network(path),
        "save_network": lambda: save_network(NET, path),
        "load_fixed": lambda: load_fixed(path),
        "save_fixed": lambda: save_fixed(CHIP, path),
        "Recording.load": lambda: Recording.load(path),
        "Recording.save": lambda: runs(None, 3)[1][1]().save(path),
    }
    for name, make in calls.items():
        refused(make, FileFormatError, (f"{name} wants a path (str or Path), got ",))
    refused(lambda: lava.export_lava(CHIP, path, 3), TargetError,
            ("export_lava (folder) wants a path (str or Path), got ",))  # fmt: skip


@pytest.mark.parametrize("path", [".", "/", ".."])
def test_paths_without_a_name(path: str) -> None:
    refused(lambda: save_network(NET, path), FileFormatError, ("path = ", "a file name.toml"))
    refused(lambda: save_fixed(CHIP, path), FileFormatError, ("cannot be written",))
    refused(lambda: runs(None, 3)[1][1]().save(path), FileFormatError, ("cannot be written",))


@pytest.mark.parametrize("record", ["ALL", "", "v", None, True, ["all"], np.array(["all"])])
def test_what_to_record(record: Any) -> None:
    calls: dict[str, Make] = {
        "clocked": lambda: run_clocked(STEPPED, 3, record=record),
        "fixed": lambda: run_fixed(CHIP, 3, record=record),
        "semantics": lambda: run_semantics(CHIP, 3, record=record),
        "lava": lambda: lava.run_lava(CHIP, 3, record=record),
        "export": lambda: lava.export_lava(CHIP, "no/such", 3, record=record),
    }
    from neuro_lif.targets import nengo as target

    calls["to_nengo"] = lambda: target.to_nengo(NET, record=record)
    calls["run_nengo"] = lambda: target.run_nengo(NET, 1e-3, 3, record=record)
    calls["fixed_to_nengo"] = lambda: target.fixed_to_nengo(CHIP, record=record)
    calls["run_nengo_fixed"] = lambda: target.run_nengo_fixed(CHIP, 3, record=record)
    for make in calls.values():
        refused(make, RangeError, ("record = ", 'allowed: "probes", "all"'))


@pytest.mark.parametrize("trains", [None, 3, "0.1", b"x", {"a": [0.1]}, np.array(0.1)])
def test_trains_that_are_none(trains: Any) -> None:
    refused(lambda: SpikeInput.from_trains("s", trains), NetworkError,
            ("input 's': trains = ", "allowed: one list of spike times (s) per"))  # fmt: skip


@pytest.mark.parametrize("dt", [0, -1e-3, NAN, INF, "1 ms", None, True])
def test_the_step_of_nengo(dt: Any) -> None:
    refused(nengo("run_nengo", NET, dt, 3), RangeError, ("dt = ", "a step > 0 s"))


@pytest.mark.parametrize("timeout", ["x", "5", 0, -1, NAN, True, [1]])
def test_the_time_of_a_run_in_lava(timeout: Any) -> None:
    refused(lambda: lava.run_lava(CHIP, 3, timeout=timeout), TargetError,
            ("timeout = ", "seconds > 0, or None"))  # fmt: skip


@pytest.mark.parametrize("python", [5, b"python", ["python"], "", True])
def test_the_interpreter_of_a_run_in_lava(python: Any) -> None:
    refused(lambda: lava.run_lava(CHIP, 3, python=python), TargetError,
            ("python = ", "the path of an interpreter", "or None"))  # fmt: skip


@pytest.mark.parametrize("population", ["typo", None, 0, ["a"]])
def test_a_population_that_was_not_run(population: Any) -> None:
    run = runs(None, 3)[1][1]()
    for make in (
        lambda: run.spike_times(population),
        lambda: run.volts(population),
        lambda: run.trace(population, "v"),
    ):
        refused(make, RangeError, ("population = ", "allowed: a"))


# --------------------------------------------------------------------------- the errors


def test_there_are_many_cases() -> None:
    assert len(CASES) + len(RUNS) + len(OTHER_FILES) > 150


def test_every_error_is_ours_and_a_standard_one() -> None:
    kinds = [v for v in vars(neuro_lif.errors).values() if isinstance(v, type)]
    ours = [k for k in kinds if issubclass(k, NeuroLifError) and k is not NeuroLifError]
    assert len(ours) >= 6
    assert all(issubclass(k, (ValueError, RuntimeError)) for k in ours)


def test_long_values_are_cut_and_stay_on_one_line() -> None:
    text = refused(
        lif(v_threshold=np.full(2, -1.0), tau_m=list(range(9999))), NetworkError, ("tau_m",)
    )
    assert len(text) < 400 and "above v_reset" in text
    lines = text.split("\n")
    assert len(lines) == 2
