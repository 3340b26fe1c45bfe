"""One self-contained HTML page of what is known of a network on a chip."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..checks import expect, expect_path
from ..discretize import SteppedNetwork
from ..errors import FileFormatError, RangeError, show
from ..fixed import FixedNetwork
from ..ladder import RUNGS, Ladder
from ..laws import LawRow, LawSweep
from ..npz import replacing
from ..recording import Recording
from .ladder_part import ladder_part
from .laws_part import laws_part
from .ledger_part import facts_of, ledger_part, origin_of
from .numbers import count, number, si
from .overflow import OverflowTimeline
from .overflow_part import overflow_part
from .prediction_part import prediction_part
from .runs_part import runs_of
from .study_part import study_part
from .verdict import Parts, verdict_of

TEMPLATES = Path(__file__).resolve().parent / "templates"


def write(
    path: str | Path, *, ladder: Ladder | Mapping[str, Any] | None = None, study: Any = None,
    laws: LawSweep | Sequence[Any] | Mapping[str, Any] | None = None,
    reference: Recording | None = None, chip: Recording | None = None,
    fixed: FixedNetwork | None = None, prediction: Any = None,
    overflow: OverflowTimeline | None = None, stepped: SteppedNetwork | None = None,
    sample: int | None = None, title: str | None = None, command: str | None = None,
    facts: Mapping[str, str] | None = None,
) -> Path:  # fmt: skip
    """Write the page; the file appears whole or not at all.

    The page needs nothing but itself: it opens offline, without JavaScript, on a phone and in
    print. Each part is shown where its data is given. The same input gives the same bytes.

    Args:
        path: of the page, ``report.html``.
        ladder: of :func:`neuro_lif.ladder.ladder`, or its ``to_dict()``.
        study: a :class:`neuro_lif.study.Study`, or the rows of its ``table()``.
        laws: a :class:`neuro_lif.laws.LawSweep`, its rows, or its ``to_dict()``.
        reference, chip: recordings of the float64 run and of the integers, with the same dt; of a
            batch the sample with the first divergence is drawn.
        fixed: the integers; they give the ledger, the profile and its citations.
        prediction: what :func:`neuro_lif.predict.beside_run` returned, or any text.
        overflow: of :func:`overflow_timeline`; absent: only the first step of each is known.
        stepped: what the integers were made from; gives thresholds to the traces.
        sample: which sample of a batch is drawn.
        title: of the page.
        command: the command line that makes the page again.
        facts: more for the provenance: what -> value (a date, digests, seeds).

    Returns:
        The path written.

    Raises:
        RangeError: an argument is of the wrong kind, or the recordings do not belong together.
        FileFormatError: the file cannot be written.
    """
    target = expect_path(path, "report.write")
    text = page(
        ladder=ladder, study=study, laws=laws, reference=reference, chip=chip, fixed=fixed,
        prediction=prediction, overflow=overflow, stepped=stepped, sample=sample, title=title,
        command=command, facts=facts,
    )  # fmt: skip
    try:
        with replacing(target) as temporary:
            # file names on a command line may hold bytes that are no text
            Path(temporary).write_text(text, "utf-8", errors="backslashreplace")
    except OSError as error:
        raise FileFormatError(f"report {str(target)!r}: cannot be written: {error}") from None
    return target


def page(
    *, ladder: Any = None, study: Any = None, laws: Any = None, reference: Recording | None = None,
    chip: Recording | None = None, fixed: FixedNetwork | None = None, prediction: Any = None,
    overflow: OverflowTimeline | None = None, stepped: SteppedNetwork | None = None,
    sample: int | None = None, title: str | None = None, command: str | None = None,
    facts: Mapping[str, str] | None = None,
) -> str:  # fmt: skip
    """Return the page as text; the arguments are those of :func:`write`."""
    for name, value, kind in (
        ("reference", reference, Recording), ("chip", chip, Recording),
        ("fixed", fixed, FixedNetwork), ("overflow", overflow, OverflowTimeline),
        ("stepped", stepped, SteppedNetwork), ("title", title, str), ("command", command, str),
        ("facts", facts, Mapping),
    ):  # fmt: skip
        if value is not None:
            expect(value, kind, f"report.write: {name}")
    ladder, rows = _ladder(ladder), _laws(laws)
    profile = fixed.profile if fixed is not None else None
    runs = runs_of(reference, chip, stepped, sample)
    ledger = ledger_part(fixed.ledger if fixed is not None else None)
    events = chip.events if chip is not None else None
    parts = Parts(
        ladder, study_part(study), laws_part(rows), runs,
        overflow_part(events, chip.n_steps if chip is not None else 0, overflow), ledger, profile,
    )  # fmt: skip
    known = {} if command is None else {"command": command}
    known |= {str(k): str(v) for k, v in (facts or {}).items()}
    known |= facts_of(ladder=ladder, laws=laws, float=reference, chip=chip)
    models = {p.model for p in fixed.populations} if fixed is not None else None
    return _rendered(
        parts=parts, verdict=verdict_of(parts), ladder=ladder_part(ladder), runs=runs,
        origin=origin_of(known, profile, models), title=title or _title(parts),
        prediction=prediction_part(prediction), rungs=tuple(RUNGS.values()),
        data=_json(runs.data) if runs else "null",
    )  # fmt: skip


def _ladder(given: Any) -> Ladder | None:
    if isinstance(given, Mapping):
        return Ladder.from_dict(given)
    if given is not None:
        expect(given, Ladder, "report.write: ladder")
    found: Ladder | None = given
    return found


def _laws(given: Any) -> list[LawRow] | None:
    if given is None:
        return None
    rows = given.rows if isinstance(given, LawSweep) else given
    rows = rows.get("rows") if isinstance(rows, Mapping) else rows
    if isinstance(rows, (str, bytes)) or not isinstance(rows, Sequence):
        raise RangeError(f"report.write: laws = {show(given)}, allowed: a LawSweep, or its rows")
    return [r if isinstance(r, LawRow) else LawRow.from_dict(r) for r in rows]


def _title(parts: Parts) -> str:
    return (
        f"A network on {parts.profile.name}" if parts.profile is not None else "A network on a chip"
    )


def _json(data: Any) -> str:
    """Return JSON that can stand inside a script element."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _rendered(**context: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def asset(name: str) -> str:
        return (TEMPLATES / name).read_text("utf-8")

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {"number": number, "count": count, "si": si}
    script = asset("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    context["data"] = Markup(context["data"])
    return environment.get_template("page.html").render(
        style=Markup(asset("page.css")), script=Markup(script), script_digest=digest, **context
    )
