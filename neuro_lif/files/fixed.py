"""A FixedNetwork in one ``.npz`` file, its profile included, so that it means the same for ever."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from scipy import sparse

from ..arrays import is_sparse
from ..errors import FileFormatError, RangeError
from ..fixed import DirectInput, FixedNetwork, FixedPopulation, FixedProjection, FixedSource
from ..network import Probe
from ..profile import HardwareProfile

FORMAT = "neuro-lif-fixed/1"
_PLAIN = (str, int, float, bool, type(None))


def save_fixed(fixed: FixedNetwork, path: str | Path) -> None:
    """Write a FixedNetwork (its ledger as text); the file appears whole or not at all."""
    path = Path(path)
    arrays: dict[str, Any] = {}
    head = {
        "format": FORMAT,
        "dt": fixed.dt,
        "enforce_ranges": fixed.enforce_ranges,
        "profile": fixed.profile.model_dump(mode="json", by_alias=True),
        "ledger": str(fixed.ledger or ""),
        "probes": [[p.population, p.variable] for p in fixed.probes],
    }
    for table in ("populations", "projections", "sources", "directs"):
        head[table] = [
            _pack(item, f"{table}/{i}", arrays) for i, item in enumerate(getattr(fixed, table))
        ]
    temporary = path.with_name(path.name + f".{os.getpid()}.part")
    try:
        with temporary.open("wb") as stream:
            np.savez_compressed(stream, head=np.array(json.dumps(head)), **arrays)
        temporary.replace(path)
    except OSError as error:
        raise FileFormatError(f"fixed network {str(path)!r}: cannot be written: {error}") from None
    finally:
        temporary.unlink(missing_ok=True)


def _pack(item: Any, prefix: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """Return the plain fields of a part; its arrays go into ``arrays`` under ``prefix``."""
    plain: dict[str, Any] = {}
    for name, value in vars(item).items():
        key = f"{prefix}/{name}"
        if isinstance(value, _PLAIN):
            plain[name] = value
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


def _unpack(plain: dict[str, Any], prefix: str, arrays: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in plain.items():
        key = f"{prefix}/{name}"
        if isinstance(value, list):
            fields[name] = {k: arrays[f"{key}/{k}"] for k in value}
        elif isinstance(value, dict) and "csr" in value:
            parts = tuple(arrays[f"{key}/{k}"] for k in ("data", "indices", "indptr"))
            fields[name] = sparse.csr_matrix(parts, shape=tuple(value["csr"]))
        elif isinstance(value, dict):
            fields[name] = arrays[key]
        else:
            fields[name] = value
    return fields


def load_fixed(path: str | Path) -> FixedNetwork:
    """Read a file written by :func:`save_fixed`.

    Raises:
        FileFormatError: the file is missing, damaged or not a fixed network.
    """
    where = f"fixed network {str(path)!r}"
    try:
        with np.load(path, allow_pickle=False) as data:
            head = json.loads(str(data["head"]))
            arrays = {k: data[k] for k in data.files if k != "head"}
        if not isinstance(head, dict) or head.get("format") != FORMAT:
            raise FileFormatError(f"{where}: format is not {FORMAT}")
        kinds: dict[str, type[Any]] = {
            "populations": FixedPopulation,
            "projections": FixedProjection,
            "sources": FixedSource,
            "directs": DirectInput,
        }
        parts: dict[str, Any] = {
            table: tuple(
                kind(**_unpack(plain, f"{table}/{i}", arrays))
                for i, plain in enumerate(head[table])
            )
            for table, kind in kinds.items()
        }
        profile = HardwareProfile.model_validate_json(json.dumps(head["profile"]))
        probes = tuple(Probe(*p) for p in head["probes"])
        return FixedNetwork(
            profile,
            **parts,
            dt=float(head["dt"]),
            probes=probes,
            enforce_ranges=bool(head["enforce_ranges"]),
        )
    except FileNotFoundError:
        raise FileFormatError(f"{where}: no such file") from None
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        zipfile.BadZipFile,
        ValidationError,
    ) as error:
        if isinstance(error, (FileFormatError, RangeError)):
            raise
        raise FileFormatError(f"{where}: not a fixed network: {error}") from None
