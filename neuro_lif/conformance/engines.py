"""Engines the suite can be run on: ours, and anybody's that has a ``run`` method."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ..emulator import run_fixed
from ..errors import NeuroLifError, RangeError, TargetError
from ..fixed import FixedNetwork
from ..machine import run_semantics
from ..recording import Recording
from .networks import network_of
from .vectors import SENT

Answer = dict[str, dict[str, Any]]
"""Population -> variable -> ``[step][neuron]``."""


class Refused(ValueError):
    """The engine refuses an invalid network; the text names the field."""


class Unsupported(Exception):
    """The engine cannot run this kind of network at all; the text says why."""


@runtime_checkable
class Engine(Protocol):
    """What an engine must have: a name, and a ``run``."""

    name: str

    def run(self, vector: dict[str, Any]) -> Answer:
        """Run one vector.

        Args:
            vector: see :mod:`neuro_lif.conformance.vectors`; everything but what is expected.
                ``vector["wanted"]`` is population -> the variables to return.

        Returns:
            Population -> variable -> ``[step][neuron]``.

        Raises:
            Refused: the network is not valid.
            Unsupported: this engine has nothing like it.
        """
        ...


Runner = Callable[[FixedNetwork, int], Recording]


class OwnEngine:
    """An executor of this package.

    Args:
        name: as it is shown.
        runner: called with (network, number of steps).
    """

    def __init__(self, name: str, runner: Runner) -> None:
        self.name, self.runner = name, runner

    def run(self, vector: dict[str, Any]) -> Answer:
        """Run one vector through the public interface."""
        try:
            fixed = network_of(vector)
        except NeuroLifError as error:
            raise Refused(str(error)) from None
        try:
            recording = self.runner(fixed, int(vector["n_steps"]))
        except TargetError as error:
            raise Unsupported(str(error)) from None
        return {
            population: {name: _rows(recording, population, name) for name in names}
            for population, names in vector["wanted"].items()
        }


def _rows(recording: Recording, population: str, variable: str) -> Any:
    if variable == SENT:
        return recording.spikes[population].tolist()
    try:
        return recording.trace(population, variable).tolist()
    except RangeError as error:
        raise Unsupported(str(error)) from None


def _emulator(fixed: FixedNetwork, n_steps: int) -> Recording:
    return run_fixed(fixed, n_steps, record="registers")


def _semantics(fixed: FixedNetwork, n_steps: int) -> Recording:
    return run_semantics(fixed, n_steps, record="registers")


def _lava(fixed: FixedNetwork, n_steps: int) -> Recording:
    from ..targets.lava import run_lava

    return run_lava(fixed, n_steps, record="all")


def _nengo(fixed: FixedNetwork, n_steps: int) -> Recording:
    from ..targets.nengo_fixed import run_nengo_fixed

    return run_nengo_fixed(fixed, n_steps, record="all")


OWN: dict[str, Runner] = {
    "emulator": _emulator,
    "semantics": _semantics,
    "lava": _lava,
    "nengo": _nengo,
}


def find_engine(target: str) -> Engine:
    """Return an engine by name.

    Args:
        target: ``emulator``, ``semantics``, ``lava``, ``nengo``; or ``module`` or ``file.py``,
            with ``:Class`` where the module has more than one class with a ``run`` method.

    Raises:
        TargetError: there is none, or it has no ``run``; says what is wanted.
    """
    if target in OWN:
        return OwnEngine(target, OWN[target])
    name, _, wanted = target.partition(":")
    module = _module(name)
    made = _class(module, wanted, target)()
    if not isinstance(made, Engine):
        raise TargetError(
            f"target = {target!r}: {type(made).__name__} has no name, "
            "allowed: an object with a text `name` and a method `run(vector)`"
        )
    return made


def _module(name: str) -> Any:
    path = Path(name)
    try:
        if path.suffix != ".py":
            return importlib.import_module(name)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None or not path.is_file():
            raise ImportError(f"no such file: {name}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        return module
    except ImportError as error:
        raise TargetError(
            f"target = {name!r}: {error}, allowed: {', '.join(OWN)}, or a module or .py file with "
            "a class that has `name` and `run(vector)`"
        ) from None


def _class(module: Any, wanted: str, target: str) -> Any:
    own = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and callable(getattr(value, "run", None))
        and value.__module__ == module.__name__
    }  # fmt: skip
    if wanted in own:
        return own[wanted]
    if not wanted and len(own) == 1:
        return next(iter(own.values()))
    known = ", ".join(sorted(own)) or "none"
    raise TargetError(
        f"target = {target!r}: allowed: MODULE:CLASS with a class that has `run(vector)`; "
        f"this module has: {known}"
    )
