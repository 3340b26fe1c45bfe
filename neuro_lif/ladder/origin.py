"""Where a ladder came from: versions, digests, options."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from ..arrays import is_sparse
from ..errors import show


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a value's content: dataclasses, mappings, arrays and plain values."""
    found = hashlib.sha256()
    _feed(value, found)
    return found.hexdigest()


def _feed(value: Any, found: Any) -> None:
    if is_sparse(value):
        csr = value.tocsr()
        value = (csr.shape, csr.data, csr.indices.astype(np.int64), csr.indptr.astype(np.int64))
    if is_dataclass(value) and not isinstance(value, type):
        found.update(type(value).__name__.encode())
        for f in fields(value):
            if f.name != "ledger":  # it tells of the making, not of what there is
                found.update(f.name.encode())
                _feed(getattr(value, f.name), found)
    elif hasattr(value, "model_dump_json"):  # a profile
        found.update(value.model_dump_json(by_alias=True).encode())
    elif isinstance(value, np.ndarray):
        found.update(repr((value.dtype.str, value.shape)).encode())
        found.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            found.update(repr(key).encode())
            _feed(value[key], found)
    elif isinstance(value, (list, tuple)):
        found.update(f"{len(value)}:".encode())
        for item in value:
            _feed(item, found)
    else:
        found.update(repr(value).encode())


def versions() -> dict[str, str]:
    """Return the versions of what computed."""
    own = getattr(sys.modules[__name__.split(".", 1)[0]], "__version__", "unknown")
    return {"neuro_lif": str(own), "numpy": np.__version__, "python": platform.python_version()}


def told(options: Mapping[str, Any]) -> str:
    """Return options as a text; of what is large, its digest."""
    return ", ".join(f"{k} = {_shown(v)}" for k, v in sorted(options.items())) or "none"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping) or is_dataclass(value):
        return f"{type(value).__name__} {digest_of(value)[:16]}"
    return show(value)
