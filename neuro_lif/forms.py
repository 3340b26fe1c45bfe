"""Other ways to write a LIF network: NNMT's names, and the units of an electronics book.

:class:`~neuro_lif.network.LIF` itself goes to and from ``C dV/dt = -g (V - E) + I``
(``from_conductance``, ``to_conductance``) and NNMT's neuron (``from_nnmt``, ``to_nnmt``). Here are
whole networks in NNMT's names, and neurons in kOhm, uF, mA, mV and ms. All else is in SI units.

Sources: documentation of NNMT (Layer et al., Front. Neuroinform. 2022), module lif, for the names;
"Neuromorphic Engineering", section 5.1, for the units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray, entries, per_neuron
from .checks import expect, number_array
from .draws import check_seed
from .errors import Faults, NetworkError
from .lazy import sparse
from .network import LIF, Delta, Exponential, Network, Population, Projection, SpikeInput
from .units import CAPACITANCE, CURRENT, RESISTANCE, TIME, VOLTAGE, Dimension, quantity

WHERE = "NnmtParameters"


@dataclass(frozen=True, eq=False)
class NnmtParameters:
    """A network of populations in NNMT's names, in SI units: random, with fixed in-degrees.

    Numbers of a population are scalars or ``(n,)``, those of a pair ``(n, n)``: row the target,
    column the source. J and J_ext are what one spike moves V by in the end if nothing leaks: the
    synaptic norm ``"nnmt"``.

    Args:
        names: the populations.
        N: neurons of each.
        K: in-degrees, whole numbers.
        J: weights, V.
        D: delays, s.
        tau_m: membrane time constants, s.
        tau_s: synaptic time constants, s; 0: delta synapses.
        tau_r: refractory periods, s.
        V_th_rel, V_0_rel: threshold and reset above the leak potential, V.
        K_ext, J_ext: in-degrees and weights from external populations ``(n, n_ext)``.
        nu_ext: their rates, Hz, ``(n_ext,)``.
        C: capacitance, F; None: a resistance of 1 ohm.
    """

    names: tuple[str, ...]
    N: npt.ArrayLike
    K: npt.ArrayLike
    J: npt.ArrayLike
    D: npt.ArrayLike
    tau_m: npt.ArrayLike
    tau_s: npt.ArrayLike
    tau_r: npt.ArrayLike
    V_th_rel: npt.ArrayLike
    V_0_rel: npt.ArrayLike
    K_ext: npt.ArrayLike = ()
    J_ext: npt.ArrayLike = ()
    nu_ext: npt.ArrayLike = ()
    C: npt.ArrayLike | None = None

    def __post_init__(self) -> None:
        faults = Faults()
        names: Any = self.names
        if isinstance(names, (str, bytes)) or not np.iterable(names) or not len(tuple(names)):
            faults.add(WHERE, "names", names, "the names of the populations, one or more")
            faults.raise_if_any(NetworkError)
        object.__setattr__(self, "names", tuple(names))
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "names"}
        found = {name: number_array(WHERE, name, value, faults)
                 for name, value in given.items() if name != "C" or value is not None}  # fmt: skip
        faults.raise_if_any(NetworkError)
        for name, value in found.items():
            object.__setattr__(self, name, self._spread(name, np.asarray(value), faults))
        faults.raise_if_any(NetworkError)
        self._check_values(faults)
        faults.raise_if_any(NetworkError)

    @property
    def n_external(self) -> int:
        """How many external populations there are."""
        return int(np.size(self.nu_ext))

    def _spread(self, name: str, value: FloatArray, faults: Faults) -> FloatArray:
        """Return the array in full, after noting a shape that does not fit."""
        n, m = len(self.names), int(np.size(np.atleast_1d(self.nu_ext)))
        shapes = {"K": (n, n), "J": (n, n), "D": (n, n), "K_ext": (n, m), "J_ext": (n, m),
                  "nu_ext": (m,)}  # fmt: skip
        shape = shapes.get(name, (n,))
        if m == 0 and name in ("K_ext", "J_ext") and not value.size:
            return np.zeros(shape)
        if value.shape not in ((), shape):
            faults.add(WHERE, name, f"shape {value.shape}", f"a number or shape {shape}")
            return value
        return np.array(np.broadcast_to(value, shape))

    def _check_values(self, faults: Faults) -> None:
        rules: dict[str, tuple[str, Any]] = {
            "N": ("whole numbers >= 1", lambda x: (x >= 1) & (x == np.rint(x))),
            "K": ("whole numbers >= 0", lambda x: (x >= 0) & (x == np.rint(x))),
            "K_ext": (">= 0", lambda x: x >= 0),
            "nu_ext": (">= 0 Hz", lambda x: x >= 0),
            "D": (">= 0 s", lambda x: x >= 0),
            "tau_m": ("> 0 s", lambda x: x > 0),
            "tau_s": (">= 0 s", lambda x: x >= 0),
            "tau_r": (">= 0 s", lambda x: x >= 0),
            "C": ("> 0 F", lambda x: x > 0),
        }
        for name, (allowed, fine) in rules.items():
            value = getattr(self, name)
            if value is not None and not np.all(fine(value)):
                faults.add(WHERE, name, float(value[~fine(value)][0]), allowed)
        if np.any(np.asarray(self.V_th_rel) <= np.asarray(self.V_0_rel)):
            faults.add(WHERE, "V_th_rel", self.V_th_rel, "above V_0_rel")
        if np.any(np.asarray(self.K) > np.asarray(self.N)[None, :]):
            faults.add(WHERE, "K", float(np.max(self.K)), "at most N of the source")

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters under NNMT's names; ``NnmtParameters(**d)`` is the same."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def neuron(self, k: int) -> LIF:
        """Return the neuron of population ``k``."""
        own = {name: np.asarray(getattr(self, name))[k]
               for name in ("tau_m", "tau_r", "V_th_rel", "V_0_rel")}  # fmt: skip
        capacitance = None if self.C is None else np.asarray(self.C)[k]
        return LIF.from_nnmt(**own, C=capacitance)

    def synapse(self, k: int) -> Delta | Exponential:
        """Return the synapse onto population ``k``."""
        tau = float(np.asarray(self.tau_s)[k])
        return Exponential(tau, "nnmt") if tau > 0 else Delta()

    def to_network(self, seed: int) -> Network:
        """Draw the connections: every neuron gets K different sources of each population.

        External population j is, for every population, a spike input ``ext<j>__<name>`` with one
        channel per neuron, given when the network is run: :meth:`inputs` draws them.

        Args:
            seed: of the connections, 0..2**32 - 1.

        Raises:
            NetworkError: no such seed, or a name that no population can have.
        """
        _check_drawn("to_network", seed)
        rng = np.random.default_rng(seed)
        sizes = np.asarray(self.N).astype(int)
        populations = [
            Population(name, int(sizes[k]), self.neuron(k)) for k, name in enumerate(self.names)
        ]
        projections: list[Projection] = []
        inputs: list[SpikeInput] = []
        for i, post in enumerate(self.names):
            for j, pre in enumerate(self.names):
                degree = int(np.asarray(self.K)[i, j])
                if degree:
                    matrix = _drawn(rng, sizes[i], sizes[j], degree, np.asarray(self.J)[i, j])
                    delay = float(np.asarray(self.D)[i, j])
                    name = f"{pre}__{post}"
                    projections.append(Projection(name, pre, post, matrix, self.synapse(i), delay))
            for j in range(self.n_external):
                name = _external(j, post)
                inputs.append(SpikeInput(name, int(sizes[i])))
                each = _diagonal(sizes[i], np.asarray(self.J_ext)[i, j])
                projections.append(Projection(f"{name}__in", name, post, each, self.synapse(i)))
        return Network(populations, projections, inputs)

    def inputs(self, dt: float, n_steps: int, seed: int) -> dict[str, npt.NDArray[np.int64]]:
        """Draw what the external populations send: Poisson counts ``(n_steps, n)`` per input.

        Args:
            dt: step, s.
            n_steps: so many.
            seed: of the counts, 0..2**32 - 1.

        Raises:
            NetworkError: an argument is not allowed.
        """
        _check_drawn("inputs", seed, dt, n_steps)
        rng = np.random.default_rng(seed)
        found = {}
        for i, name in enumerate(self.names):
            for j in range(self.n_external):
                mean = np.asarray(self.K_ext)[i, j] * np.asarray(self.nu_ext)[j] * dt
                found[_external(j, name)] = rng.poisson(mean, (n_steps, int(np.asarray(self.N)[i])))
        return found

    @classmethod
    def from_network(
        cls, network: Network, external: Mapping[str, tuple[float, float]] | None = None
    ) -> NnmtParameters:
        """Return the parameters of a network: K the mean in-degree, J and D the means.

        Args:
            network: of LIF populations with delta or exponential synapses; neurons of a population
                alike.
            external: spike input -> (K_ext, nu_ext in Hz): in-degree of each neuron, and rate of
                each of its sources. Inputs named ``ext0__<population>``, as :meth:`to_network`
                does, are one external population, others are one each.

        Raises:
            NetworkError: NNMT has no name for something; each is named.
        """
        expect(network, Network, "NnmtParameters.from_network")
        known: Any = {} if external is None else external
        faults = Faults()
        if not isinstance(known, Mapping) or not all(np.shape(x) == (2,) for x in known.values()):
            faults.add(WHERE, "external", known, "spike input -> (K_ext, nu_ext in Hz)")
        faults.raise_if_any(NetworkError)
        return cls(**_Read(network, dict(known)).parameters())


def _check_drawn(where: str, seed: int, dt: float = 1.0, n_steps: int = 1) -> None:
    faults = Faults()
    check_seed(f"{WHERE}.{where}", seed, faults)
    if isinstance(dt, bool) or not isinstance(dt, (int, float, np.number)) or not 0 < dt < np.inf:
        faults.add(f"{WHERE}.{where}", "dt", dt, "a step > 0 s")
    if isinstance(n_steps, bool) or not isinstance(n_steps, (int, np.integer)) or n_steps < 1:
        faults.add(f"{WHERE}.{where}", "n_steps", n_steps, "a whole number >= 1")
    faults.raise_if_any(NetworkError)


def _external(j: int, name: str) -> str:
    return f"ext{j}__{name}"


def _column(source: str, post: str) -> str:
    """Return the external population that a spike input belongs to."""
    return source.removesuffix(f"__{post}")


def _drawn(rng: np.random.Generator, n: int, sources: int, degree: int, weight: float) -> Any:
    """Return CSR weights ``(n, sources)``, ``degree`` different sources in every row."""
    columns = np.concatenate([np.sort(rng.choice(sources, degree, replace=False))
                              for _ in range(n)])  # fmt: skip
    starts = np.arange(n + 1) * degree
    return sparse.csr_matrix((np.full(n * degree, weight), columns, starts), shape=(n, sources))


def _diagonal(n: int, weight: float) -> Any:
    return sparse.csr_matrix((np.full(n, weight), np.arange(n), np.arange(n + 1)), shape=(n, n))


class _Read:
    """Reads a network as NNMT's parameters, noting what has no name there."""

    def __init__(self, network: Network, external: dict[str, tuple[float, float]]) -> None:
        self.network, self.external, self.faults = network, external, Faults()
        self.places = {p.name: k for k, p in enumerate(network.populations)}
        self.capacitance = np.ones(len(self.places))
        self.taus: dict[str, set[float]] = {p.name: set() for p in network.populations}

    def parameters(self) -> dict[str, Any]:
        """Return the arguments of NnmtParameters.

        Raises:
            NetworkError: lists what has no name in NNMT.
        """
        neurons = [self._neuron(p) for p in self.network.populations]
        self.faults.raise_if_any(NetworkError)
        self.capacitance = np.array([x["C"] for x in neurons])
        pairs = self._projections()
        for name, taus in self.taus.items():
            if len(taus) > 1:
                self.faults.add(f"population {name!r}", "tau_s", sorted(taus), "one for all inputs")
        self.faults.raise_if_any(NetworkError)
        own = {key: np.array([x[key] for x in neurons])
               for key in ("tau_m", "tau_r", "V_th_rel", "V_0_rel", "C")}  # fmt: skip
        tau_s = np.array([max(taus, default=0.0) for taus in self.taus.values()])
        sizes = np.array([p.size for p in self.network.populations])
        return {"names": tuple(self.places), "N": sizes, "tau_s": tau_s, **own, **pairs}

    def _neuron(self, p: Population) -> dict[str, float]:
        where, neuron = f"population {p.name!r}", p.neuron
        if not isinstance(neuron, LIF):
            self.faults.add(where, "neuron", type(neuron).__name__, "LIF")
            return {}
        if neuron.reset != "value":
            self.faults.add(where, "reset", neuron.reset, '"value"')
        if np.any(np.asarray(neuron.i_bias) != 0):
            self.faults.add(
                where, "i_bias", neuron.i_bias, "0 A (an external current has no place)"
            )
        found = {}
        for key, value in neuron.to_nnmt().items():
            if key in ("reset", "i_bias", "v_init", "E_L"):
                continue
            each = per_neuron(value, p.size)
            if np.ptp(each) > 1e-9 * np.abs(each).max():
                self.faults.add(where, key, f"{each.min()}..{each.max()}", "one for all neurons")
            found[key] = float(each[0])
        return found

    def _projections(self) -> dict[str, Any]:
        n, columns = len(self.places), self._columns()
        count, weight, delay = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
        K_ext, J_ext = np.zeros((n, len(columns))), np.zeros((n, len(columns)))
        for q in self.network.projections:
            values = self._volts(q)
            if values is None:
                continue
            i, present = self.places[q.post], values != 0
            if q.pre in self.places:
                j = self.places[q.pre]
                count[i, j] += present.sum()
                weight[i, j] += values.sum()
                delay[i, j] += np.broadcast_to(q.delay, values.shape)[present].sum()
            elif q.pre in self.external:
                j = list(columns).index(_column(q.pre, q.post))
                K_ext[i, j] = self.external[q.pre][0]
                J_ext[i, j] = values[present].mean() if present.any() else 0.0
            else:
                self.faults.add(f"input {q.pre!r}", "external", "absent", "its (K_ext, nu_ext)")
        sizes = np.array([p.size for p in self.network.populations])
        safe = np.maximum(count, 1)
        return {"K": np.rint(count / sizes[:, None]), "J": weight / safe, "D": delay / safe,
                "K_ext": K_ext, "J_ext": J_ext,
                "nu_ext": np.array(list(columns.values()), np.float64)}  # fmt: skip

    def _columns(self) -> dict[str, float]:
        """Return external population -> its rate, Hz."""
        found: dict[str, float] = {}
        for q in self.network.projections:
            if q.pre not in self.external:
                continue
            name, nu = _column(q.pre, q.post), self.external[q.pre][1]
            if found.setdefault(name, nu) != nu:
                self.faults.add(f"input {q.pre!r}", "nu_ext", nu, f"{found[name]}, that of {name}")
        return found

    def _volts(self, q: Projection) -> FloatArray | None:
        """Return the weights as voltages (norm "nnmt"), or None after a fault."""
        values = np.asarray(entries(q.weights))
        if isinstance(q.synapse, Delta):
            self.taus[q.post].add(0.0)
            return values
        if not isinstance(q.synapse, Exponential):
            self.faults.add(f"projection {q.name!r}", "synapse", q.synapse, "Delta or Exponential")
            return None
        self.taus[q.post].add(q.synapse.tau)
        capacitance = float(self.capacitance[self.places[q.post]])
        return np.asarray(values * (q.synapse.area(capacitance) / capacitance))


# --------------------------------------------------------------------------- the book's units

BOOK: dict[str, tuple[str, Dimension, float]] = {
    "R_m": ("resistance", RESISTANCE, 1e3),
    "C_m": ("capacitance", CAPACITANCE, 1e-6),
    "V_rest": ("v_rest", VOLTAGE, 1e-3),
    "V_th": ("v_threshold", VOLTAGE, 1e-3),
    "V_reset": ("v_reset", VOLTAGE, 1e-3),
    "tau_ref": ("t_refractory", TIME, 1e-3),
    "I": ("i_bias", CURRENT, 1e-3),
}
"""The book's names -> (field, dimension, its unit in SI: kOhm, uF, mV, ms, mA)."""


def from_book(**values: npt.ArrayLike) -> LIF:
    """Build a LIF from the book's names and units: kOhm, uF, mV, ms, mA.

    Args:
        **values: of :data:`BOOK`, a number or one per neuron; R_m, C_m, V_rest and V_th are needed.
            A text has its own unit: ``R_m="10 MOhm"``. tau_m = R_m C_m: 1 kOhm and 5 uF are 5 ms.

    Raises:
        NetworkError: an unknown name, a needed one that is absent, or no such quantity.
    """
    faults = Faults()
    for name in values.keys() - BOOK.keys():
        faults.add("from_book", name, values[name], "names " + ", ".join(BOOK))
    for name in ("R_m", "C_m", "V_rest", "V_th"):
        if name not in values:
            faults.add("from_book", name, None, "a value (no default)")
    faults.raise_if_any(NetworkError)
    found: dict[str, Any] = {}
    for name, value in values.items():
        field, dimension, unit = BOOK[name]
        if isinstance(value, str):
            found[field] = quantity(value, dimension)
        elif (array := number_array("from_book", name, value, faults)) is not None:
            found[field] = float(array) * unit if array.ndim == 0 else array * unit
    faults.raise_if_any(NetworkError)
    capacitance = found.pop("capacitance")
    return LIF(tau_m=found["resistance"] * capacitance, **found)


def to_book(neuron: LIF) -> dict[str, FloatArray]:
    """Return a LIF under the book's names and units (:data:`BOOK`); the inverse of from_book."""
    fields = {**vars(neuron), "capacitance": neuron.to_conductance()["capacitance"]}
    return {name: np.asarray(fields[field]) / unit for name, (field, _, unit) in BOOK.items()}
