"""A search for the fewest bits at a target, with optuna; resumed, it asks for the same again."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import StudyError, show
from .axes import Axis, Value
from .measures import MEASURES
from .rows import Row
from .tables import lower_is_better, needed

SAMPLERS = ("nsga2", "tpe")


@dataclass(frozen=True)
class Goal:
    """What a search is after.

    Args:
        columns: measures, each to be as good as can be (:data:`neuro_lif.study.MEASURES` says
            which way that is).
        targets: measure -> value it must reach; what does not is worse than all that does.
    """

    columns: tuple[str, ...]
    targets: Mapping[str, float]


def goal_of(minimise: Any, maximise: Any, at_least: Mapping[str, float]) -> Goal:
    """Return what is searched for.

    Raises:
        StudyError: nothing, or a measure in the wrong direction.
    """
    wanted = {"low": _names(minimise), "high": _names(maximise)}
    for better, columns in wanted.items():
        for c in columns:
            if (better == "low") != lower_is_better(c):
                verb = "minimise" if better == "low" else "maximise"
                raise StudyError(
                    f"search: {verb} = {c!r}, allowed: what is better {better}: "
                    + ", ".join(m for m, d in MEASURES.items() if d.better == better)
                )
    columns = (*wanted["low"], *wanted["high"])
    if not columns:
        raise StudyError("search: nothing to minimise or maximise, allowed: at least one measure")
    return Goal(columns, dict(at_least))


def _names(given: Any) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def search(
    axes: Sequence[Axis], goal: Goal, n: int, sampler: str, seed: int, batch: int,
    evaluate: Callable[[list[dict[str, Value]]], list[Row]],
) -> None:  # fmt: skip
    """Try ``n`` configurations, ``batch`` at a time, each chosen from the results of those before.

    The same seed asks for the same configurations, whoever runs them and however often it was
    stopped: what is stored is not run again.

    Args:
        axes, goal: what may be chosen, and what for.
        n: trials, of which some may be the same configuration.
        sampler: of :data:`SAMPLERS`.
        seed: 0..2**32 - 1.
        batch: configurations that are chosen before the first of their results is there; part of
            what the search is, unlike the number of workers.
        evaluate: runs configurations; returns their rows in the same order.

    Raises:
        StudyError: optuna is not installed, or an argument is not valid.
    """
    optuna = needed("optuna")
    if sampler not in SAMPLERS:
        raise StudyError(f"sampler = {show(sampler)}, allowed: {', '.join(SAMPLERS)}")
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study = optuna.create_study(
                directions=["minimize"] * len(goal.columns),
                sampler=_sampler(optuna, sampler, seed, batch, goal),
            )
            for start in range(0, n, batch):
                trials = [study.ask() for _ in range(min(batch, n - start))]
                rows = evaluate([_chosen(trial, axes) for trial in trials])
                for trial, row in zip(trials, rows, strict=True):
                    _tell(optuna, study, trial, row, goal)
    finally:
        optuna.logging.set_verbosity(before)


def _sampler(optuna: Any, name: str, seed: int, batch: int, goal: Goal) -> Any:
    more: dict[str, Any] = {}
    if goal.targets and not hasattr(optuna.trial.Trial, "set_constraint"):  # before optuna 5
        more["constraints_func"] = lambda trial: trial.user_attrs["short"]
    if name == "nsga2":
        return optuna.samplers.NSGAIISampler(population_size=max(batch, 2), seed=seed, **more)
    return optuna.samplers.TPESampler(n_startup_trials=batch, seed=seed, multivariate=True,
                                      constant_liar=True, **more)  # fmt: skip


def _chosen(trial: Any, axes: Sequence[Axis]) -> dict[str, Value]:
    """Return the configuration that a trial asks for: by places, so that numbers have an order."""
    out = {}
    for axis in axes:
        places = list(range(len(axis.values)))
        if axis.ordered:
            place = trial.suggest_int(axis.name, 0, len(places) - 1)
        else:
            place = trial.suggest_categorical(axis.name, places)
        out[axis.name] = axis.values[place]
    return out


def _tell(optuna: Any, study: Any, trial: Any, row: Row, goal: Goal) -> None:
    """Tell what a trial gave; one with an error has failed."""
    short = [_short_of(row.get(c), c, float(target)) for c, target in goal.targets.items()]
    if hasattr(trial, "set_constraint"):
        for column, value in zip(goal.targets, short, strict=True):
            trial.set_constraint(column, value)
    else:
        trial.set_user_attr("short", short)
    values = [row.get(c) for c in goal.columns]
    if any(v is None for v in values):
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return
    signed = [float(v) if lower_is_better(c) else -float(v)
              for v, c in zip(values, goal.columns, strict=True) if v is not None]  # fmt: skip
    study.tell(trial, signed)


def _short_of(value: Any, column: str, target: float) -> float:
    """Return by how much a target is missed; 0 or less where it is reached."""
    if value is None:
        return float("inf")
    return float(value - target if lower_is_better(column) else target - value)
