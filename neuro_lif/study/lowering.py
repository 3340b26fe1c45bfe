"""From a configuration to the network that is run; what configurations share is made once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..changes import with_changes
from ..digests import digest
from ..discretize import SteppedNetwork, StepRule, discretize
from ..errors import NeuroLifError, StudyError, show
from ..fixed import FixedNetwork
from ..fixed_parts import FixedPopulation
from ..network import Network
from ..quantize import quantize
from ..stimulate import Inputs
from ..task import Task, narrow
from .axes import Configuration, Value
from .digests import SEMANTICS, canonical, function_digest
from .names import varied_network, varied_profile

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

T = TypeVar("T")
MOST_KEPT = 64
"""Lowered networks that are kept for configurations to come."""
MOST_POPULATIONS = 1024
"""Populations with other integers that are kept; what the kernel makes of one is kept with it."""


@dataclass(frozen=True, eq=False)
class Base:
    """All of a study but what it varies; goes to every worker once.

    Args:
        network: what is described.
        stepped: handed over in steps already; None: ``network`` is taken to steps of ``dt``.
        dt: s per step.
        rule: how time becomes steps.
        profile: the profile.
        source: its file's tables, so that its ``[config]`` can be varied; None: it cannot.
        options: of :func:`neuro_lif.quantize`, the same for all.
        calibration: inputs or a task that scales may be calibrated on.
        inputs: of every run, one array per input name.
        task: what the network is for; None: nothing is decided.
        n_steps: of every run; None: the inputs' length.
        groups: what is measured.
        more: functions that measure more.
        keep: what is kept of each run as arrays: ``"spikes"``.
        seed: of the profile's noise.
    """

    network: Network
    stepped: SteppedNetwork | None
    dt: float
    rule: StepRule
    profile: HardwareProfile
    source: dict[str, Any] | None
    options: Mapping[str, Any]
    calibration: Any
    inputs: Inputs | None
    task: Task | None
    n_steps: int | None
    groups: tuple[str, ...]
    more: tuple[Callable[..., Mapping[str, Any]], ...] = ()
    keep: tuple[str, ...] = ()
    seed: int = 0

    def identity(self) -> dict[str, Any]:
        """Return what results depend on besides a configuration: name -> number, text or digest."""
        return {
            "network": digest(self.network if self.stepped is None else self.stepped),
            "dt": self.dt,
            "rule": digest(self.rule),
            "profile": digest(self.profile),
            "profile file": digest(self.source),
            "options": digest(dict(self.options)),
            "calibration": digest(self.calibration),
            "inputs": digest({k: narrow(np.asarray(a)) for k, a in (self.inputs or {}).items()}),
            "task": None if self.task is None else self.task.digest,
            "n_steps": self.n_steps,
            "measure": [*self.groups, *map(_named, self.more)],
            "keep": list(self.keep),
            "seed": self.seed,
            "version": package_version(),
            "semantics": SEMANTICS,
        }


def package_version() -> str:
    """Return the version of this package."""
    from importlib import import_module  # the package itself, which imports most of its modules

    return str(import_module(__package__.partition(".")[0]).__version__)


def _named(function: Callable[..., Any]) -> str:
    """Return where a function is, and the digest of what it does as far as Python shows it."""
    name = getattr(function, "__qualname__", type(function).__name__)
    return f"{getattr(function, '__module__', '')}:{name}:{function_digest(function)[:16]}"


def configuration_key(identity: str, configuration: Configuration) -> str:
    """Return the key of a result: SHA-256, hexadecimal.

    Args:
        identity: digest of :meth:`Base.identity`.
        configuration: in any order of names.
    """
    return digest(identity, canonical(dict(configuration)))


class Kept:
    """Results of a function by key, the latest ones; an error on purpose is kept as one.

    Args:
        most: how many.
    """

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._found: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.RLock()

    def of(self, key: Any, make: Callable[[], T]) -> T:
        """Return what belongs to a key, made at the first call; several threads may ask."""
        with self._lock:
            return self._of(key, make)

    def _of(self, key: Any, make: Callable[[], T]) -> T:
        if key not in self._found:
            try:
                self._found[key] = make()
            except NeuroLifError as error:
                self._found[key] = error
            while len(self._found) > self._most:
                self._found.popitem(last=False)
        self._found.move_to_end(key)
        found: Any = self._found[key]
        if isinstance(found, NeuroLifError):
            raise type(found)(str(found)) from found
        return found  # type: ignore[no-any-return]


@dataclass
class Lowering:
    """Takes configurations to networks in integers.

    Args:
        base: the study's.
    """

    base: Base
    _networks: Kept = field(default_factory=Kept)
    _profiles: Kept = field(default_factory=Kept)
    _lowered: Kept = field(default_factory=Kept)
    _populations: Kept = field(default_factory=lambda: Kept(MOST_POPULATIONS))

    def stepped_key(self, configuration: Configuration) -> str:
        """Return what tells the float networks of configurations apart."""
        return canonical(_parts(configuration, "network", "dt", "rule"))

    def stepped(self, configuration: Configuration) -> SteppedNetwork:
        """Return the network in steps, the float64 one of a configuration.

        Raises:
            NeuroLifError: the configuration describes none.
        """
        chosen = _parts(configuration, "network", "dt", "rule")
        return self._networks.of(canonical(chosen), lambda: self._step(chosen))

    def _step(self, chosen: Mapping[str, Value]) -> SteppedNetwork:
        base = self.base
        if not chosen and base.stepped is not None:
            return base.stepped
        changes = {k.partition(".")[2]: v for k, v in chosen.items() if k.startswith("network.")}
        network = varied_network(base.network, changes)
        dt: Any = chosen.get("dt", base.dt)
        rule: Any = chosen.get("rule", base.rule)
        return discretize(network, dt, rule)

    def lowered_key(self, configuration: Configuration) -> str:
        """Return what tells configurations apart that must be lowered each by itself."""
        return canonical(_parts(configuration, "network", "dt", "rule", "profile", "quantize"))

    def fixed(self, configuration: Configuration) -> FixedNetwork:
        """Return the network in integers.

        Raises:
            NeuroLifError: it cannot be lowered; says why.
        """
        key = self.lowered_key(configuration)
        lowered = self._lowered.of(key, lambda: self._lower(configuration))
        params = _by_population(_parts(configuration, "params"))
        seed: Any = configuration.get("seed", self.base.seed)
        if not params:
            return lowered if seed == lowered.seed else with_changes(lowered, seed=seed)
        populations = list(lowered.populations)
        for k, p in enumerate(populations):
            if p.name in params:
                made = partial(_with_params, lowered, p.name, params[p.name])
                place = (key, p.name, canonical(params[p.name]))
                populations[k] = self._populations.of(place, made)
        return replace(lowered, populations=tuple(populations), seed=seed)

    def _lower(self, configuration: Configuration) -> FixedNetwork:
        base = self.base
        changes = {k.partition(".")[2]: v for k, v in _parts(configuration, "profile").items()}
        profile = self._profiles.of(
            canonical(changes), lambda: varied_profile(base.profile, base.source, changes)
        )
        chosen = _parts(configuration, "quantize")
        options = dict(base.options) | {k.partition(".")[2]: v for k, v in chosen.items()}
        if isinstance(options.get("calibrate"), bool):
            options["calibrate"] = base.calibration if options["calibrate"] else None
        return quantize(self.stepped(configuration), profile, **options)


def _parts(configuration: Configuration, *heads: str) -> dict[str, Value]:
    """Return the entries of some groups of names, in order of names."""
    return {k: v for k, v in sorted(configuration.items()) if k.partition(".")[0] in heads}


def _by_population(changes: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
    """Return population -> ``PARAMETER[.scale]`` -> value."""
    out: dict[str, dict[str, Value]] = {}
    for name, value in changes.items():
        _, population, parameter = name.split(".", 2)
        out.setdefault(population, {})[parameter] = value
    return out


def _with_params(fixed: FixedNetwork, name: str, changes: Mapping[str, Value]) -> FixedPopulation:
    """Return a population with other integers."""
    params: dict[str, Any] = {}
    for which, value in changes.items():
        parameter, _, scale = which.partition(".")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise StudyError(f"vary: params.{name}.{which} = {show(value)}, allowed: a number")
        if scale:
            params[parameter] = np.rint(fixed.params(name)[parameter] * value).astype(np.int64)
        elif isinstance(value, float):
            raise StudyError(f"vary: params.{name}.{which} = {value!r}, allowed: a whole number")
        else:
            params[parameter] = value
    return with_changes(fixed, params={name: params}).population(name)


def param_names(fixed: FixedNetwork) -> list[str]:
    """Return ``POPULATION.PARAMETER`` for all that can be varied without lowering again."""
    return [f"{p.name}.{name}" for p in fixed.populations
            for name in fixed.profile.used_params(p.model)]  # fmt: skip
