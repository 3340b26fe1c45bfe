"""Study files: TOML that says what is varied and how it is chosen."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import expect_path
from ..errors import FileFormatError, NeuroLifError, StudyError, show
from ..files.task import read_task
from ..files.toml import load_network
from ..npz import NpzFile
from ..profile import available_profiles
from ..task import Task
from ..units import TIME, si_value
from .limits import Limits
from .measures import GROUPS
from .study import Study

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FORMAT = "neuro-lif-study-file/1"
KEYS = ("format", "network", "profile", "dt", "rule", "inputs", "n_steps", "measure", "seed",
        "store", "keep", "task", "calibration", "vary", "quantize", "choose", "timeout",
        "stop_after", "worker_wait")  # fmt: skip
TASK = ("inputs", "labels", "output", "readout", "n_steps")
CHOOSE = {
    "grid": (),
    "random": ("n",),
    "search": ("n", "minimise", "maximise", "at_least", "sampler", "batch"),
}
"""How configurations are chosen, and what each way is told."""


@dataclass(frozen=True, eq=False)
class StudyFile:
    """A study file that was read.

    Args:
        study: what it describes.
        how: ``"grid"``, ``"random"`` or ``"search"``.
        told: the arguments of that.
        limits: ``timeout``, ``stop_after`` and ``worker_wait`` of :meth:`Study.run`, where said.
    """

    study: Study
    how: str = "grid"
    told: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)

    def run(self, **where: Any) -> Study:
        """Run it as it says; ``where`` as of :meth:`Study.run`, before what the file says."""
        where = {**self.limits, **where}
        if self.how == "search":
            self.study.search(**self.told, **where)
            return self.study
        return self.study.run(self.configurations(), **where)

    def configurations(self) -> list[Any]:
        """Return what is run; of a search, the grid it chooses from."""
        if self.how == "random":
            return self.study.random(self.told["n"])
        return self.study.grid()


def load_study(path: str | Path) -> StudyFile:
    """Read a study file; the files it names are beside it.

    Raises:
        NeuroLifError: it is no such file, or a field is not valid: names file, field and value.
    """
    path = expect_path(path, "load_study")
    raw = _read(path)
    where = f"study file {str(path)!r}"
    if raw.get("format") != FORMAT:
        raise _refused(where, "format", raw.get("format"), f'"{FORMAT}"')
    for key in raw:
        if key not in KEYS:
            raise _refused(where, key, raw[key], "keys " + ", ".join(KEYS))
    for key in ("network", "profile", "vary"):
        if key not in raw:
            raise StudyError(f"{where}: {key} is missing")
    how, told = _choose(where, raw.get("choose", {}))
    try:
        return StudyFile(_study(where, path, raw), how, told, _limits(where, raw))
    except NeuroLifError as error:
        text = str(error)
        raise type(error)(text if text.startswith(where) else f"{where}: {text}") from error


def _read(path: Path) -> dict[str, Any]:
    where = f"study file {str(path)!r}"
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        raise FileFormatError(f"{where}: no such file") from None
    except OSError as error:
        raise FileFormatError(f"{where}: cannot be read: {error}") from None
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{where}: not valid TOML: {error}") from None


def _refused(where: str, name: str, value: object, allowed: str) -> StudyError:
    return StudyError(f"{where}: {name} = {show(value)}, allowed: {allowed}")


def _study(where: str, path: Path, raw: dict[str, Any]) -> Study:
    folder = path.parent
    profile: Any = raw["profile"]
    if isinstance(profile, str) and profile not in available_profiles() and "." in profile:
        profile = folder / profile
    task = None if "task" not in raw else _task(where, folder, "task", raw["task"])
    calibration = None
    if "calibration" in raw:
        calibration = _task(where, folder, "calibration", raw["calibration"])
    options = raw.get("quantize", {})
    if not isinstance(options, dict):
        raise _refused(where, "quantize", options, "a table of options of quantize")
    measure = raw.get("measure", GROUPS)
    return Study(
        load_network(folder / _text(where, raw, "network")), profile,
        _vary(where, raw["vary"]), dt=_time(where, "dt", raw.get("dt", 1e-3)),
        rule=raw.get("rule"), task=task,
        inputs=None if "inputs" not in raw else _arrays(folder / _text(where, raw, "inputs")),
        n_steps=raw.get("n_steps"), measure=measure, options=options, calibration=calibration,
        seed=raw.get("seed", 0), keep=raw.get("keep", ()),
        store=folder / raw.get("store", path.stem + ".sqlite"),
    )  # fmt: skip


def _limits(where: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run puts up with, as far as a file says it; ``stop_after = 0`` is any number.

    Raises:
        StudyError: a value is not valid.
    """
    out: dict[str, Any] = {}
    for name in ("timeout", "worker_wait"):
        if name in raw:
            out[name] = _time(where, name, raw[name])
    if "stop_after" in raw:
        out["stop_after"] = None if raw["stop_after"] == 0 else raw["stop_after"]
    Limits(**out)
    return out


def _text(
    where: str, table: Mapping[str, Any], key: str, allowed: str = "the name of a file"
) -> str:
    value = table.get(key)
    if not isinstance(value, str):
        raise _refused(where, key, value, allowed)
    return value


def _arrays(path: Path) -> dict[str, Any]:
    file = NpzFile(path)
    return {name: file.array(name) for name in file.names}


def _task(where: str, folder: Path, name: str, table: Any) -> Task:
    """Return the task of a table: an .npz of inputs with the labels in one of its arrays."""
    if not isinstance(table, dict):
        raise _refused(where, name, table, f"a table [{name}] with {', '.join(TASK)}")
    for key in table:
        if key not in TASK:
            raise _refused(where, f"{name}.{key}", table[key], "keys " + ", ".join(TASK))
    said = {k: _text(f"{where}: {name}", table, k, "a name")
            for k in ("labels", "output", "readout") if k in table}  # fmt: skip
    try:
        return read_task(folder / _text(f"{where}: {name}", table, "inputs"), **said,
                         n_steps=table.get("n_steps"))  # fmt: skip
    except FileFormatError as error:
        more = "" if "output" in said else f", or output in [{name}]"
        raise FileFormatError(f"{where}: {name}: {error}{more}") from None


def _time(where: str, name: str, value: Any) -> Any:
    if isinstance(value, str):
        number = si_value(value, TIME)
        if number is None:
            raise _refused(where, name, value, TIME.allowed)
        return number
    return value


def _vary(where: str, table: Any) -> dict[str, Any]:
    """Return the values of every varied name; dotted names may be tables in tables."""
    if not isinstance(table, dict):
        raise _refused(where, "vary", table, "a table [vary] of names and values")
    out: dict[str, Any] = {}
    for name, value in _flat(table, ""):
        if isinstance(value, dict):
            value = _span(where, f"vary.{name}", value)
        if name == "dt" and isinstance(value, list):
            value = [_time(where, "vary.dt", v) for v in value]
        out[name] = value
    return out


def _flat(table: dict[str, Any], path: str) -> list[tuple[str, Any]]:
    out = []
    for name, value in table.items():
        if isinstance(value, dict) and not {"from", "to"} <= value.keys():
            out += _flat(value, f"{path}{name}.")
        else:
            out.append((path + name, value))
    return out


def _span(where: str, name: str, table: dict[str, Any]) -> list[Any]:
    """Return the values of ``{ from, to, step }`` or ``{ from, to, points[, log] }``."""
    allowed = "{ from, to, step } or { from, to, points } or { from, to, points, log = true }"
    first, last = table["from"], table["to"]
    whole = all(isinstance(table.get(k, 1), int) for k in ("from", "to", "step"))
    real = all(isinstance(table.get(k, 1), (int, float)) for k in ("from", "to", "step"))
    points, log = table.get("points"), table.get("log", False)
    if not real or set(table) - {"from", "to", "step", "points", "log"} or last < first:
        raise _refused(where, name, table, allowed)
    if points is None:
        step = table.get("step", 1)
        if log or not step > 0:
            raise _refused(where, name, table, allowed)
        n = int((last - first) / step + 1e-9) + 1
        return [first + k * step for k in range(n)]
    if not isinstance(points, int) or points < 2 or "step" in table or (log and first <= 0):
        raise _refused(where, name, table, allowed)
    values = (np.geomspace if log else np.linspace)(first, last, points).tolist()
    if whole and log:
        return sorted({round(v) for v in values})
    return list(values)


def _choose(where: str, table: Any) -> tuple[str, dict[str, Any]]:
    """Return how configurations are chosen, and what that is told."""
    if not isinstance(table, dict):
        raise _refused(where, "choose", table, "a table [choose]")
    told = dict(table)
    how = told.pop("how", "grid")
    if how not in CHOOSE:
        raise _refused(where, "choose.how", how, ", ".join(CHOOSE))
    for key in told:
        if key not in CHOOSE[how]:
            allowed = "keys " + ", ".join(("how", *CHOOSE[how]))
            raise _refused(where, f"choose.{key}", told[key], allowed)
    if how != "grid" and (isinstance(told.get("n"), bool) or not isinstance(told.get("n"), int)):
        raise _refused(where, "choose.n", told.get("n"), "how many, a whole number >= 1")
    return how, told
