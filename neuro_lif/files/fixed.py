"""A FixedNetwork in one ``.npz`` file, its profile included, so that it means the same for ever."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import is_sparse
from ..checks import expect, expect_path
from ..convolution import Convolution
from ..errors import FileFormatError, RangeError
from ..fixed import (
    DirectInput,
    FixedNetwork,
    FixedPoisson,
    FixedPopulation,
    FixedProjection,
    FixedSource,
)
from ..lazy import sparse
from ..network import Probe
from ..npz import NpzFile, replacing, write_npz
from .streams import pack_stream, unpack_stream

if TYPE_CHECKING:
    from ..profile_model import HardwareProfile

FORMAT = "neuro-lif-fixed/1"
WITH_POISSON = "neuro-lif-fixed/2"
"""Written where there are Poisson inputs, which readers of the first format would leave out."""
WITH_STREAMS = "neuro-lif-fixed/3"
"""Written where inputs are made as a run goes, which readers of the others do not know."""
FORMATS = (FORMAT, WITH_POISSON, WITH_STREAMS)
KINDS: dict[str, type[Any]] = {
    "populations": FixedPopulation,
    "projections": FixedProjection,
    "sources": FixedSource,
    "directs": DirectInput,
    "poissons": FixedPoisson,
}
_PLAIN = (str, int, float, bool, type(None))


def save_fixed(fixed: FixedNetwork, path: str | Path) -> None:
    """Write a FixedNetwork (its ledger as text); the file appears whole or not at all.

    Raises:
        FileFormatError: the file cannot be written.
        RangeError: that is no FixedNetwork.
    """
    expect(fixed, FixedNetwork, "save_fixed")
    path = expect_path(path, "save_fixed")
    arrays = pack_fixed(fixed)
    try:
        with replacing(path) as temporary:
            write_npz(temporary, arrays)
    except (OSError, ValueError) as error:
        raise FileFormatError(f"fixed network {str(path)!r}: cannot be written: {error}") from None


def pack_fixed(fixed: FixedNetwork) -> dict[str, Any]:
    """Return all of a FixedNetwork as arrays by name; ``head`` is a text."""
    arrays: dict[str, Any] = {}
    head = {
        "format": _format(fixed),
        "dt": fixed.dt,
        "enforce_ranges": fixed.enforce_ranges,
        "seed": int(fixed.seed),
        "profile": fixed.profile.model_dump(mode="json", by_alias=True),
        "ledger": str(fixed.ledger or ""),
        "probes": [[p.population, p.variable] for p in fixed.probes],
    }
    for table in KINDS:
        head[table] = [
            _pack(item, f"{table}/{i}", arrays) for i, item in enumerate(getattr(fixed, table))
        ]
    arrays["head"] = np.array(json.dumps(head))
    return arrays


def _format(fixed: FixedNetwork) -> str:
    items: tuple[Any, ...] = (*fixed.sources, *fixed.directs)
    if any(item.stream is not None for item in items):
        return WITH_STREAMS
    return WITH_POISSON if fixed.poissons else FORMAT


def _pack(item: Any, prefix: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """Return the plain fields of a part; its arrays go into ``arrays`` under ``prefix``."""
    plain: dict[str, Any] = {}
    for name, value in _fields(item).items():
        key = f"{prefix}/{name}"
        if isinstance(value, np.generic):
            value = value.item()
        if name == "stream" and value is None:
            continue  # as files were before there were streams
        if isinstance(value, _PLAIN):
            plain[name] = value
        elif name == "stream":
            plain[name] = {"stream": pack_stream(value, key, arrays)}
        elif isinstance(value, Convolution):  # the kernel is all that is not plain
            plain[name] = {"convolution": {k: v for k, v in vars(value).items() if k != "kernel"}}
            arrays[f"{key}/kernel"] = np.asarray(value.kernel)
        elif isinstance(value, dict):
            plain[name] = list(value)
            arrays |= {f"{key}/{k}": np.asarray(v) for k, v in value.items()}
        elif is_sparse(value):
            plain[name] = {"csr": list(value.shape)}
            parts = {"data": value.data, "indices": value.indices, "indptr": value.indptr}
            arrays |= {f"{key}/{k}": v for k, v in parts.items()}
        else:
            plain[name] = {"array": True}
            arrays[key] = np.asarray(value)
    return plain


def _fields(item: Any) -> dict[str, Any]:
    """Return the fields of a part; a convolution as the weights it was given as."""
    given: dict[str, Any] = {}
    if isinstance(item, FixedProjection) and item.is_folded:
        given = {"weights": item.convolution, "convolution": None}
    names = [field.name for field in fields(item)]
    return {name: given[name] if name in given else getattr(item, name) for name in names}


def _unpack(plain: dict[str, Any], prefix: str, arrays: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in plain.items():
        key = f"{prefix}/{name}"
        if isinstance(value, list):
            found[name] = {k: arrays[f"{key}/{k}"] for k in value}
        elif isinstance(value, dict) and "stream" in value:
            found[name] = unpack_stream(value["stream"], key, arrays)
        elif isinstance(value, dict) and "convolution" in value:
            stated = {k: _tuples(v) for k, v in value["convolution"].items()}
            found[name] = Convolution(arrays[f"{key}/kernel"], **stated)
        elif isinstance(value, dict) and "csr" in value:
            parts = tuple(arrays[f"{key}/{k}"] for k in ("data", "indices", "indptr"))
            found[name] = sparse.csr_matrix(parts, shape=tuple(value["csr"]))
        elif isinstance(value, dict):
            found[name] = arrays[key]
        else:
            found[name] = value
    return found


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def load_fixed(path: str | Path) -> FixedNetwork:
    """Read a file written by :func:`save_fixed`.

    Raises:
        FileFormatError: the file is missing, damaged or not a fixed network.
    """
    path = expect_path(path, "load_fixed")
    try:
        file = NpzFile(path)
        arrays = {name: file.array(name) for name in file.names}
    except FileFormatError as error:
        raise FileFormatError(f"fixed network {error}, allowed: a file of save_fixed()") from None
    return unpack_fixed(arrays, f"fixed network {str(path)!r}")


def unpack_fixed(arrays: dict[str, Any], where: str) -> FixedNetwork:
    """Return the FixedNetwork of which :func:`pack_fixed` gave the arrays.

    Raises:
        FileFormatError: they are none; begins with ``where``.
        RangeError: they hold what the profile does not allow.
    """
    try:
        head = json.loads(str(arrays["head"]))
        if head["format"] not in FORMATS:
            raise ValueError(f"format = {head['format']!r}")
        return _rebuild(head, arrays)
    except RangeError:
        raise
    except (
        ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError,
    ) as error:  # fmt: skip
        raise FileFormatError(
            f"{where}: not a fixed network: {type(error).__name__} {error}, "
            f"allowed: format {', '.join(FORMATS)}, as save_fixed() writes it"
        ) from None


def _profile(text: str) -> HardwareProfile:
    from ..profile_model import HardwareProfile  # here, because it takes a library to import

    return HardwareProfile.model_validate_json(text)


def _rebuild(head: dict[str, Any], arrays: dict[str, Any]) -> FixedNetwork:
    parts: dict[str, Any] = {
        table: tuple(
            kind(**_unpack(plain, f"{table}/{i}", arrays))
            for i, plain in enumerate(head.get(table, ()))
        )
        for table, kind in KINDS.items()
    }
    return FixedNetwork(
        _profile(json.dumps(head["profile"])),
        **parts,
        dt=float(head["dt"]),
        probes=tuple(Probe(*p) for p in head["probes"]),
        enforce_ranges=bool(head["enforce_ranges"]),
        seed=int(head.get("seed", 0)),
    )
