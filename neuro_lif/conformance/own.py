"""The executors of this package as engines of the suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..emulator import run_fixed
from ..errors import NeuroLifError, RangeError, TargetError
from ..fixed import FixedNetwork
from ..machine import run_semantics
from ..recording import Recording
from .networks import network_of
from .protocol import Answer, Engine, Refused, Unsupported
from .vectors import SENT

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
        fixed, n_steps = _network(vector), int(vector["n_steps"])
        try:
            recording = self.runner(fixed, n_steps)
        except TargetError as error:
            raise Unsupported(str(error)) from None
        return _answer(recording, vector, n_steps, "")


class SideBySide(OwnEngine):
    """An executor that takes long to start: networks that know nothing of each other share a run.

    Args:
        at_once: most vectors in one run.
    """

    def __init__(self, name: str, runner: Runner, at_once: int) -> None:
        super().__init__(name, runner)
        self.at_once = at_once

    def run_many(self, vectors: list[dict[str, Any]]) -> list[Any]:
        """Run vectors of one profile and one strictness together."""
        answers: list[Any] = [None] * len(vectors)
        groups: dict[Any, list[tuple[int, FixedNetwork]]] = {}
        for k, vector in enumerate(vectors):
            try:
                fixed = _network(vector)
                self.check(fixed)
            except (Refused, Unsupported) as error:
                answers[k] = error
                continue
            # noise is drawn for the whole network at once: such a network must run alone
            alone = k if fixed.profile.noise is not None else -1
            key = (alone, id(fixed.profile), fixed.enforce_ranges)
            groups.setdefault(key, []).append((k, fixed))
        for group in groups.values():
            longest = max(int(vectors[k]["n_steps"]) for k, _ in group)
            recording = self.runner(_merged([f for _, f in group]), longest)
            for place, (k, _) in enumerate(group):
                n_steps = int(vectors[k]["n_steps"])
                answers[k] = _answer(recording, vectors[k], n_steps, f"{place}:")
        return answers

    def check(self, fixed: FixedNetwork) -> None:
        """Raise Unsupported where the target cannot run a network."""
        from ..targets.lava_plan import plan_lava

        try:
            plan_lava(fixed)
        except TargetError as error:
            raise Unsupported(str(error)) from None


def _network(vector: dict[str, Any]) -> FixedNetwork:
    try:
        return network_of(vector)
    except NeuroLifError as error:
        raise Refused(str(error)) from None


def _answer(recording: Recording, vector: dict[str, Any], n_steps: int, prefix: str) -> Answer:
    return {
        population: {name: _rows(recording, prefix + population, name)[:n_steps] for name in names}
        for population, names in vector["wanted"].items()
    }


def _rows(recording: Recording, population: str, variable: str) -> Any:
    if variable == SENT:
        return recording.spikes[population].tolist()
    try:
        return recording.trace(population, variable).tolist()
    except RangeError as error:
        raise Unsupported(str(error)) from None


def _merged(networks: list[FixedNetwork]) -> FixedNetwork:
    """Return networks of one profile side by side, their parts renamed."""
    populations, projections, sources, directs = [], [], [], []
    for k, fixed in enumerate(networks):
        new = f"{k}:".__add__
        populations += [replace(p, name=new(p.name)) for p in fixed.populations]
        sources += [replace(s, name=new(s.name)) for s in fixed.sources]
        projections += [
            replace(p, name=new(p.name), pre=new(p.pre), post=new(p.post))
            for p in fixed.projections
        ]
        directs += [
            replace(d, name=new(d.name), population=new(d.population)) for d in fixed.directs
        ]
    return replace(
        networks[0], populations=tuple(populations), projections=tuple(projections),
        sources=tuple(sources), directs=tuple(directs),
    )  # fmt: skip


def _emulator(fixed: FixedNetwork, n_steps: int) -> Recording:
    return run_fixed(fixed, n_steps, record="registers")


def _semantics(fixed: FixedNetwork, n_steps: int) -> Recording:
    return run_semantics(fixed, n_steps, record="registers")


def _lava(fixed: FixedNetwork, n_steps: int) -> Recording:
    from ..targets.lava import run_lava

    return run_lava(fixed, n_steps, record="registers")


def _nengo(fixed: FixedNetwork, n_steps: int) -> Recording:
    from ..targets.nengo_fixed import run_nengo_fixed

    return run_nengo_fixed(fixed, n_steps, record="registers")


OWN: dict[str, Callable[[], Engine]] = {
    "emulator": lambda: OwnEngine("emulator", _emulator),
    "semantics": lambda: OwnEngine("semantics", _semantics),
    "lava": lambda: SideBySide("lava", _lava, 20),
    "nengo": lambda: OwnEngine("nengo", _nengo),
}
