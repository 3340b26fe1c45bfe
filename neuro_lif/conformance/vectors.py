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
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from ..errors import FileFormatError, show
from ..numerics import Strict

SCHEMA = "neuro-lif-conformance/1"
SENT = "s"
"""The variable that is what neurons send; every other is a register, or ``u`` or ``v``."""

Ints = int | tuple[int, ...]
Rows = tuple[tuple[int, ...], ...]


class SparseWeights(Strict):
    """Synapses listed one by one."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    values: tuple[int, ...]
    shape: tuple[int, int]


class Kernel(Strict):
    """A convolution, see :class:`neuro_lif.Convolution`."""

    kernel: tuple[Any, ...]
    input_shape: tuple[int, int, int]
    stride: Ints = 1
    padding: Ints = 0
    dilation: Ints = 1
    groups: int = 1
    layout: Literal["lava", "torch"] = "lava"


class PopulationTable(Strict):
    """See :class:`neuro_lif.FixedPopulation`."""

    name: str
    size: int
    model: str = "lif"
    params: dict[str, Ints] = Field(default_factory=dict)
    init: dict[str, Ints] = Field(default_factory=dict)
    alias: tuple[int, ...] | None = None


class ProjectionTable(Strict):
    """See :class:`neuro_lif.FixedProjection`."""

    name: str
    pre: str
    post: str
    weights: Rows | SparseWeights | Kernel
    exponent: int = 0
    sign_mode: str | None = None
    weight_bits: int | None = None
    delays: Ints = 0
    graded: bool = False
    port: str = "in"
    latency: int | None = None


class InputTable(Strict):
    """See :class:`neuro_lif.FixedSource`."""

    name: str
    size: int
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
    seed: int = 0
    enforce_ranges: bool = True


class Vector(Strict):
    """One golden vector.

    ``result`` is ``valid`` (every engine of that profile gives these values), ``profile-defined``
    (peers differ; the values are those of ``profile``, and ``question`` ties the answers together)
    or ``invalid`` (an engine must refuse it, naming ``error``).
    """

    id: str
    flags: tuple[str, ...]
    peer: str
    peer_version: str
    profile: str
    config: dict[str, int | str] = Field(default_factory=dict)
    result: Literal["valid", "invalid", "profile-defined"]
    question: str = ""
    rule: str = ""
    network: NetworkTable
    n_steps: int = Field(ge=1)
    expect: dict[str, dict[str, Rows]] = Field(default_factory=dict)
    error: str = ""

    @cached_property
    def plain(self) -> dict[str, Any]:
        """The vector as plain JSON data, defaults written out: what an engine is given."""
        data: dict[str, Any] = json.loads(self.model_dump_json(exclude={"expect"}))
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
        faults = [
            f"{'.'.join(map(str, fault['loc']))} = {show(fault['input'])}: {fault['msg']}"
            for fault in error.errors()
        ]
        listing = "\n  ".join(faults[:20])
        raise FileFormatError(
            f"vectors {str(path)!r}: {len(faults)} fault(s), allowed: schema {SCHEMA}\n  {listing}"
        ) from None
