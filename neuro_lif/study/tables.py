"""Tables of a study: rows in an order of their own, Pareto fronts, and other libraries' tables."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import expect_path
from ..errors import StudyError, show
from ..npz import replacing
from .axes import Axis, unknown
from .measures import MEASURES
from .rows import Row
from .store import Stored


def rows_of(stored: Iterable[Stored], axes: Sequence[Axis], times: bool = False) -> list[Row]:
    """Return rows in the order of the axes' values, whatever the order they were stored in.

    Args:
        stored: results; those of other configurations than the axes have are left out.
        axes: the varied names.
        times: add what differs from run to run.
    """
    found = []
    names = [a.name for a in axes]
    columns: dict[str, None] = {}
    for s in stored:
        configuration, result = _read(s)
        if configuration.keys() != set(names):
            continue
        if not all(_is_of(a, configuration[a.name]) for a in axes):
            continue
        where = [a.place(configuration[a.name]) for a in axes]
        columns |= dict.fromkeys(result)
        found.append((where, s, configuration, result))
    found.sort(key=lambda f: f[0])
    order = sorted(columns, key=_column_order)
    return [
        {"key": s.key} | {n: c[n] for n in names} | {"error": s.error}
        | {name: result.get(name) for name in order}
        | ({"seconds": s.seconds, "engine_seconds": s.engine, "worker": s.worker} if times else {})
        for _, s, c, result in found
    ]  # fmt: skip


def _read(stored: Stored) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the configuration and the measures of a result."""
    try:
        return json.loads(stored.configuration), json.loads(stored.result or "{}")
    except ValueError as error:
        raise StudyError(f"result {stored.key[:10]} of the study's file is damaged: {error}; "
                         "something else changed it") from None  # fmt: skip


def _is_of(axis: Axis, value: Any) -> bool:
    """Tell whether a stored value is one of an axis: 1 is not 1.0, which has a key of its own."""
    return axis.has(value) and type(axis.values[axis.place(value)]) is type(value)


def _column_order(name: str) -> tuple[int, str, str]:
    """Put the measures in the order of their table, those of populations after that of all."""
    head, _, population = name.partition(".")
    known = list(MEASURES)
    return (known.index(head) if head in known else len(known), population, name)


# -------------------------------------------------------------------------------- choices


def lower_is_better(column: str) -> bool:
    """Tell whether the smaller number is the better one; so it is of varied numbers, too."""
    known = MEASURES.get(column.partition(".")[0])
    return known is None or known.better == "low"


def numbers(rows: Sequence[Row], columns: Iterable[str]) -> list[Row]:
    """Return the rows that have a number in all of some columns.

    Raises:
        StudyError: there is no such column.
    """
    columns = list(columns)
    for name in columns:  # where every row has an error, none has measures
        if rows and name not in rows[0] and name.partition(".")[0] not in MEASURES:
            raise unknown(name, rows[0], "column")
    return [r for r in rows if all(_is_number(r.get(c)) for c in columns)]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def pareto_rows(rows: Sequence[Row], *columns: str) -> list[Row]:
    """Return the rows that no other beats: as good in all columns and better in one.

    Of rows that are equal in all columns the first stays. Ordered by the first column.
    """
    known = numbers(rows, columns)
    signs = [1.0 if lower_is_better(c) else -1.0 for c in columns]
    points = np.array([[s * r[c] for s, c in zip(signs, columns, strict=True)] for r in known])
    kept: list[int] = []
    for k, point in enumerate(points):
        beaten = (points <= point).all(axis=1) & (points < point).any(axis=1)
        same = (points[:k] == point).all(axis=1).any()
        if not beaten.any() and not same:
            kept.append(k)
    kept.sort(key=lambda k: (tuple(points[k]), k))
    return [known[k] for k in kept]


def best_row(rows: Sequence[Row], column: str, at_least: Mapping[str, float]) -> Row:
    """Return the best row in a column, the first of equals, among those that reach targets.

    Raises:
        StudyError: no such column, or no row reaches them.
    """
    known = numbers(rows, [column, *at_least])
    reached = reaching(known, at_least)
    if not reached:
        got = {c: _nearest(known, c) for c in at_least}
        raise StudyError(f"no configuration of {len(rows)} reaches {show(dict(at_least), 120)}; "
                         f"the best there is: {show(got, 200)}")  # fmt: skip
    return min(reached, key=lambda r: r[column] if lower_is_better(column) else -r[column])


def reaching(rows: Sequence[Row], at_least: Mapping[str, float]) -> list[Row]:
    """Return the rows that reach targets."""
    known = numbers(rows, at_least)
    return [r for r in known if all(_reaches(r[c], c, v) for c, v in at_least.items())]


def _reaches(value: float, column: str, target: float) -> bool:
    return value <= target if lower_is_better(column) else value >= target


def _nearest(rows: Sequence[Row], column: str) -> float | None:
    values = [r[column] for r in rows]
    return (min if lower_is_better(column) else max)(values, default=None)


# -------------------------------------------------------------------------------- out


def csv_text(rows: Sequence[Row]) -> str:
    """Return rows as CSV; what is absent is empty."""
    stream = io.StringIO()
    if rows:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return stream.getvalue()


def write_file(path: str | Path, content: bytes) -> Path:
    """Write a file whole or not at all.

    Raises:
        StudyError: it cannot be written.
    """
    to = expect_path(path, "Study: path", StudyError)
    try:
        with replacing(to) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise StudyError(f"{str(to)!r}: cannot be written: {error}") from None
    return to


def needed(module: str) -> Any:
    """Import an optional library.

    Raises:
        StudyError: it is not there; says how to get it.
    """
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        raise StudyError(
            f"{module} is not installed, allowed: pip install 'neuro-lif[study]'"
        ) from None


def to_pandas(rows: Sequence[Row]) -> Any:
    """Return a ``pandas.DataFrame``, one row each."""
    return needed("pandas").DataFrame(list(rows), columns=list(rows[0]) if rows else None)


def to_parquet(rows: Sequence[Row], path: str | Path) -> None:
    """Write a Parquet file."""
    needed("pyarrow")
    stream = io.BytesIO()
    frame = to_pandas([{k: _one_kind(k, v, rows) for k, v in r.items()} for r in rows])
    frame.to_parquet(stream, index=False)
    write_file(path, stream.getvalue())


def _one_kind(column: str, value: Any, rows: Sequence[Row]) -> Any:
    """Return a value of a column with texts and numbers as a text: a Parquet column is of one."""
    kinds = {isinstance(r[column], str) for r in rows if r[column] is not None}
    truths = {isinstance(r[column], bool) for r in rows if r[column] is not None}
    mixed = len(kinds) > 1 or len(truths) > 1
    return str(value) if mixed and value is not None else value


def to_xarray(rows: Sequence[Row], axes: Sequence[Axis]) -> Any:
    """Return an ``xarray.Dataset``: one dimension per varied name, one variable per column.

    Configurations that are not stored are NaN (texts: empty).
    """
    xarray = needed("xarray")
    shape = tuple(len(a.values) for a in axes)
    names = [a.name for a in axes]
    variables: dict[str, Any] = {}
    for column in rows[0] if rows else ():
        if column in names:
            continue
        text = any(isinstance(r[column], str) for r in rows) or column in ("key", "error")
        out = np.full(shape, "", object) if text else np.full(shape, np.nan)
        for r in rows:
            if r[column] is not None:
                out[tuple(a.place(r[a.name]) for a in axes)] = r[column]
        variables[column] = (names, out)
    coordinates = {a.name: _coordinate(a) for a in axes}
    return xarray.Dataset(variables, coordinates)


def _coordinate(axis: Axis) -> Any:
    """Return an axis' values as an array: numbers, or texts."""
    if axis.ordered:
        return np.array(axis.values)
    return np.array([v if isinstance(v, str) else json.dumps(v) for v in axis.values], object)


def text_table(rows: Sequence[Row], columns: Iterable[str] | None = None) -> str:
    """Return rows as text in columns, for people."""
    if not rows:
        return "no results yet"
    chosen = (
        list(columns)
        if columns is not None
        else [c for c in rows[0] if "." not in c or c.partition(".")[0] not in MEASURES]
    )
    cells = [[_cell(c, r.get(c)) for c in chosen] for r in rows]
    widths = [max(map(len, col)) for col in zip(chosen, *cells, strict=True)]
    lines = ["  ".join(t.ljust(w) for t, w in zip(line, widths, strict=True)).rstrip()
             for line in [chosen, *cells]]  # fmt: skip
    return "\n".join(lines)


def _cell(column: str, value: Any) -> str:
    if column == "key":
        return str(value)[:10]
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else str(value)
    return " ".join(str(value).split())[:60]
