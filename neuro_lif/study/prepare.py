"""Checks what a study is given, and makes of it what workers are sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..checks import expect
from ..digests import digest
from ..discretize import SteppedNetwork, discretize
from ..errors import NeuroLifError, StudyError, show
from ..network import Network
from ..profile import (
    HardwareProfile,
    available_profiles,
    load_profile,
    profile_from,
    profile_source,
)
from ..stepped import StepRule
from ..stimulate import check_given, input_sizes, steps_of
from ..task import Task
from .axes import Axis, unknown
from .lowering import Base, Lowering, param_names
from .measures import GROUPS
from .names import check_names, quantize_options

KEEP = ("spikes",)


def base_of(
    network: Any, profile: Any, dt: Any, rule: Any, inputs: Any, task: Any, n_steps: Any,
    measure: Any, options: Any, calibration: Any, seed: Any, keep: Any,
) -> Base:  # fmt: skip
    """Return the arguments of a study, checked.

    Raises:
        StudyError: one is not valid; names it.
        NeuroLifError: as of what makes a network, a profile or a task.
    """
    described, stepped, step, chosen = _network(network, dt, rule)
    found, source = _profile(profile)
    given, length = _inputs(described, inputs, task, n_steps)
    groups, more = _measures(measure, task)
    for name in options or {}:
        if name not in quantize_options():
            raise unknown(name, quantize_options(), "Study: options")
    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < 2**32:
        raise StudyError(f"Study: seed = {show(seed)}, allowed: a whole number 0..2**32 - 1")
    kept = (keep,) if isinstance(keep, str) else tuple(keep)
    if set(kept) - set(KEEP):
        raise StudyError(f"Study: keep = {show(keep)}, allowed: {', '.join(KEEP)}")
    return Base(described, stepped, step, chosen, found, source, dict(options or {}), calibration,
                given, task, length, groups, more, kept, int(seed))  # fmt: skip


def _network(network: Any, dt: Any, rule: Any) -> tuple[Network, Any, float, StepRule]:
    if isinstance(network, SteppedNetwork):
        if dt not in (None, network.dt) or rule not in (None, network.rule):
            raise StudyError(f"Study: dt = {show(dt)}, rule = {show(rule)} with a SteppedNetwork, "
                             "allowed: its own, or a Network")  # fmt: skip
        return network.network, network, network.dt, network.rule
    expect(network, Network, "Study")
    if dt is None:
        raise StudyError("Study: dt is missing, allowed: a step > 0 s, or a SteppedNetwork")
    stepped = discretize(network, dt, "exact" if rule is None else rule)  # checks both
    return network, None, stepped.dt, stepped.rule


def _profile(profile: Any) -> tuple[HardwareProfile, dict[str, Any] | None]:
    """Return a profile and its file's tables, where they are known."""
    if not isinstance(profile, HardwareProfile):
        return load_profile(profile), profile_source(profile)
    if available_profiles().get(profile.name):
        source = profile_source(profile.name)
        config = {name: c.value for name, c in profile.config.items()}
        if config.keys() == source.get("config", {}).keys():
            again = profile_from(source, profile.name, config)
            if again == profile:
                return profile, source
    return profile, None


def _inputs(network: Network, inputs: Any, task: Any, n_steps: Any) -> tuple[Any, int]:
    if task is not None:
        expect(task, Task, "Study: task")
        if inputs is not None:
            raise StudyError("Study: inputs and task, allowed: one of them (a task has inputs)")
        inputs, n_steps = task.inputs, n_steps or task.steps
    given = check_given(inputs, input_sizes(network), whole=True)
    for current in network.current_inputs:
        if current.name in given:
            raise StudyError(f"Study: inputs[{current.name!r}] is a current, allowed: spikes; give "
                             "the CurrentInput a stimulus (Sampled, say)")  # fmt: skip
    return (dict(given) or None), steps_of(n_steps, given)


def _measures(measure: Any, task: Any) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    wanted = (measure,) if isinstance(measure, str) or callable(measure) else tuple(measure)
    for item in wanted:
        if not callable(item) and item not in GROUPS:
            raise StudyError(f"Study: measure = {show(item)}, allowed: {', '.join(GROUPS)}, or "
                             "functions of (FixedNetwork, Recording)")  # fmt: skip
    usual = measure is GROUPS
    groups = tuple(g for g in GROUPS if g in wanted)
    if task is None and "task" in groups:
        if not usual:
            raise StudyError("Study: measure = 'task' without a task, allowed: with task=Task(...)")
        groups = tuple(g for g in groups if g != "task")
    return groups, tuple(item for item in wanted if callable(item))


def check_axes(axes: Iterable[Axis], base: Base) -> None:
    """Refuse names that cannot be varied.

    Raises:
        StudyError: naming it and what is near.
    """
    check_names(axes, base.network, base.profile, lambda: _lowered_names(base))
    for axis in axes:
        head, _, name = axis.name.partition(".")
        if axis.name.startswith("profile.config.") and base.source is None:
            raise StudyError(f"vary: {axis.name} with a profile that is not as its file says, "
                             "allowed: give the profile by its name or file")  # fmt: skip
        if axis.name == "quantize.calibrate":
            _check_calibrate(axis, base)
        if head == "quantize" and name in base.options:
            raise StudyError(f"vary: {axis.name} and options[{name!r}], allowed: one of them")
        if base.stepped is not None and head in ("network", "dt", "rule"):
            again = discretize(base.network, base.dt, base.rule)
            if digest(again) != digest(base.stepped):
                raise StudyError(f"vary: {axis.name} with a SteppedNetwork that was changed by "
                                 "hand, allowed: with the Network it comes from")  # fmt: skip


def _check_calibrate(axis: Axis, base: Base) -> None:
    for value in axis.values:
        if not isinstance(value, bool):
            raise StudyError(f"vary: {axis.name} = {show(value)}, allowed: True or False")
        if value and base.calibration is None:
            raise StudyError(f"vary: {axis.name} = True without samples to calibrate on, allowed: "
                             "with calibration=inputs or a Task")  # fmt: skip


def _lowered_names(base: Base) -> list[str]:
    """Return the parameters of the lowered network; of all models, where it cannot be lowered."""
    try:
        return param_names(Lowering(base).fixed({}))
    except NeuroLifError:
        return [f"{p.name}.{name}" for p in base.network.populations
                for name in base.profile.params]  # fmt: skip
