"""Golden vectors: a small network, its input, and what a named peer did with it, step by step.

Schema ``neuro-lif-conformance/1``. A vector says everything in plain JSON, so that an engine that
knows nothing of this package can read it:

``populations``
    ``name``, ``size``, ``model`` and ``params`` and ``init`` of the named profile.
``projections``
    ``weights``: rows ``[n_post][n_pre]``, or ``rows``, ``columns``, ``values``, ``shape``, or a
    convolution's ``kernel``, ``input_shape``, ``stride``, ``padding``, ``dilation``, ``groups``.
``inputs``, ``directs``
    ``raster``: row i is sent (or put straight into the port) in step i + 1.
``expect``
    population -> variable -> row i is the end of step i + 1; ``s`` is what was sent.

An engine is given what describes the network and no more: ``profile``, ``config``, ``network``,
``n_steps``, and ``wanted``, the variables to return.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from ..errors import FileFormatError, show
from ..op_models import Strict
from . import checks

SCHEMA = "neuro-lif-conformance/1"
SENT = "s"
"""The variable that is what neurons send; every other is a register, or ``u`` or ``v``."""

DESCRIBES = {"profile", "config", "network", "n_steps"}
"""The fields that describe a network; the others tell what is expected, or hint at it."""

Int = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Ints = Int | tuple[Int, ...]
Rows = Annotated[tuple[tuple[Int, ...], ...], AfterValidator(checks.rectangular)]


class SparseWeights(Strict):
    """Synapses listed one by one."""

    rows: tuple[Int, ...]
    columns: tuple[Int, ...]
    values: tuple[Int, ...]
    shape: tuple[Int, Int]

    @model_validator(mode="after")
    def _fits(self) -> SparseWeights:
        checks.sparse_fits(self)
        return self


class Kernel(Strict):
    """A convolution, see :class:`neuro_lif.Convolution`."""

    kernel: Annotated[tuple[Any, ...], AfterValidator(checks.whole)]
    input_shape: tuple[Int, Int, Int]
    stride: Ints = 1
    padding: Ints = 0
    dilation: Ints = 1
    groups: Int = 1
    layout: Literal["lava", "torch"] = "lava"


class PopulationTable(Strict):
    """See :class:`neuro_lif.FixedPopulation`."""

    name: str
    size: Int
    model: str = "lif"
    params: dict[str, Ints] = Field(default_factory=dict)
    init: dict[str, Ints] = Field(default_factory=dict)
    alias: tuple[Int, ...] | None = None


class ProjectionTable(Strict):
    """See :class:`neuro_lif.FixedProjection`."""

    name: str
    pre: str
    post: str
    weights: Rows | SparseWeights | Kernel
    exponent: Int = 0
    sign_mode: str | None = None
    weight_bits: Int | None = None
    delays: Ints = 0
    graded: bool = False
    port: str = "in"
    latency: Int | None = None


class InputTable(Strict):
    """See :class:`neuro_lif.FixedSource`."""

    name: str
    size: Int
    raster: Rows


class DirectTable(Strict):
    """See :class:`neuro_lif.DirectInput`."""

    name: str
    population: str
    port: str = "in"
    raster: Rows


class NetworkTable(Strict):
    """See :class:`neuro_lif.FixedNetwork`."""

    populations: tuple[PopulationTable, ...]
    projections: tuple[ProjectionTable, ...] = ()
    inputs: tuple[InputTable, ...] = ()
    directs: tuple[DirectTable, ...] = ()
    seed: Int = 0
    enforce_ranges: bool = True


class Vector(Strict):
    """One golden vector.

    ``result`` is ``valid`` (every engine of that profile gives these values), ``profile-defined``
    (peers differ; the values are those of ``profile``, and ``question`` ties the answers together)
    or ``invalid`` (an engine must refuse it, naming ``error`` in the text of the refusal: every
    word of it, as in "init u = ...").
    """

    id: str
    flags: tuple[str, ...]
    peer: str
    peer_version: str
    profile: str
    config: dict[str, Int | str] = Field(default_factory=dict)
    result: Literal["valid", "invalid", "profile-defined"]
    question: str = ""
    rule: str = ""
    network: NetworkTable
    n_steps: int = Field(ge=1, lt=2**63)
    expect: dict[str, dict[str, Rows]] = Field(default_factory=dict)
    error: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Vector:
        if faults := checks.faults_of(self):
            raise ValueError("; ".join(faults))
        return self

    @property
    def plain(self) -> dict[str, Any]:
        """What describes the network, as plain JSON data of its own, defaults written out."""
        data: dict[str, Any] = json.loads(self.model_dump_json(include=DESCRIBES))
        return data

    @property
    def n_values(self) -> int:
        """How many values it states."""
        return sum(len(r) for v in self.expect.values() for rows in v.values() for r in rows)


class VectorFile(Strict):
    """A file of vectors."""

    schema_: Literal["neuro-lif-conformance/1"] = Field(alias="schema")
    about: str = ""
    vectors: tuple[Vector, ...]


def shipped_files() -> list[Path]:
    """Return the files of vectors that come with the package."""
    return sorted((Path(__file__).resolve().parent / "data").glob("*.json"))


def load_vectors(files: Iterable[str | Path] | None = None) -> list[Vector]:
    """Read files of vectors, the shipped ones unless others are named.

    Raises:
        FileFormatError: a file is missing, is no JSON, or a field of it is wrong (all are listed).
    """
    found: list[Vector] = []
    for file in shipped_files() if files is None else files:
        found += _load(Path(file))
    seen: set[str] = set()
    for vector in found:
        if vector.id in seen:
            raise FileFormatError(f"vectors: id = {vector.id!r} twice, allowed: once")
        seen.add(vector.id)
    return found


def _load(path: Path) -> tuple[Vector, ...]:
    try:
        return VectorFile.model_validate_json(path.read_bytes()).vectors
    except OSError as error:
        raise FileFormatError(f"vectors {str(path)!r}: cannot be read: {error}") from None
    except ValidationError as error:
        faults = [_line(fault) for fault in _meant(error.errors())]
        listing = "\n  ".join(faults[:20])
        raise FileFormatError(
            f"vectors {str(path)!r}: {len(faults)} fault(s), allowed: schema {SCHEMA}\n  {listing}"
        ) from None


def _kind(part: int | str) -> bool:
    """Tell the name that pydantic gives to one of several kinds a field may be of."""
    if part in ("Kernel", "int", "str"):
        return True
    return isinstance(part, str) and part.startswith(("function-", "tuple[", "constrained-"))


def _meant(faults: Iterable[Any]) -> list[Any]:
    """Leave out what only says that a field is not of another kind than the one it is of."""
    found = [(f, next((k for k, p in enumerate(f["loc"]) if _kind(p)), None)) for f in faults]
    other = {
        f["loc"][: k + 1]
        for f, k in found
        if k is not None
        and (len(f["loc"]) == k + 1 and f["type"] != "value_error"
             or f["type"] in ("missing", "extra_forbidden"))
    }  # fmt: skip
    left = [f for f, k in found if k is None or f["loc"][: k + 1] not in other]
    return left or [f for f, _ in found]


def _line(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"] if not _kind(part))
    if fault["type"] == "value_error":  # a check of ours: it names the value itself
        return f"{where}: {fault['ctx']['error']}"
    return f"{where} = {show(fault['input'])}: {fault['msg']}"
