"""Rows of a study from its file, without the network it was made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..study.store import Store

Row = dict[str, Any]


def stored_study(path: str | Path) -> tuple[list[Row], Mapping[str, str]]:
    """Read the results of a study file (SQLite).

    Returns:
        The rows as :meth:`neuro_lif.study.Study.table` gives them, ordered by configuration, and
        what the study says it is: name -> text.

    Raises:
        StudyError: the file is none of a study.
    """
    store = Store(path)
    try:
        stored, identity = list(store.rows()), store.identity
    finally:
        store.close()
    configurations = [json.loads(s.configuration) for s in stored]
    names = list(dict.fromkeys(name for c in configurations for name in c))
    results = [json.loads(s.result) if s.result else {} for s in stored]
    measures = list(dict.fromkeys(name for r in results for name in r))
    rows = [
        {"key": s.key} | {n: c.get(n) for n in names} | {"error": s.error}
        | {m: r.get(m) for m in measures}
        for s, c, r in zip(stored, configurations, results, strict=True)
    ]  # fmt: skip
    rows.sort(key=lambda r: [_order(r[n]) for n in names])
    return rows, {str(k): _told(v) for k, v in identity.items()}


def _order(value: Any) -> tuple[bool, Any]:
    known = isinstance(value, (int, float))
    return (not known, value if known else str(value))


def _told(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
