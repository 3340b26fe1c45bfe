"""Content digests: the same description gives the same SHA-256, in any process and any tool."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from .errors import RangeError, show
from .lazy import is_sparse
from .profiles import is_profile

LEFT_OUT = ("ledger",)
"""Fields that tell of the making, not of what there is."""


def digest(*values: Any) -> str:
    """Return the SHA-256 of what values hold, hexadecimal.

    Numbers, texts, arrays (dense or sparse), lists, mappings (in any order), tasks, profiles and
    the frozen parts of networks, described or in integers. Studies and ladders name what they are
    of by it, so that the two can be compared.

    Raises:
        RangeError: something else.
    """
    found = hashlib.sha256()
    for value in values:
        _feed(found, value)
    return found.hexdigest()


def _feed(found: Any, value: Any) -> None:
    """Add a value, its kind before it, so that no two different ones give the same bytes."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        text = f"{type(value).__name__}:{value!r}".encode()
        found.update(f"{len(text)};".encode() + text)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        array = np.ascontiguousarray(value)
        found.update(f"array{array.dtype.str}{value.shape};".encode())
        found.update(array.reshape(-1).view(np.uint8).data if array.size else b"")
    elif is_sparse(value):
        csr = value.tocsr()
        found.update(f"sparse{csr.shape};".encode())
        for part in (csr.data, csr.indices.astype(np.int64), csr.indptr.astype(np.int64)):
            _feed(found, part)
    elif isinstance(value, Mapping):
        found.update(f"map{len(value)};".encode())
        for key in sorted(value, key=repr):
            _feed(found, key)
            _feed(found, value[key])
    elif isinstance(value, (list, tuple)):
        found.update(f"list{len(value)};".encode())
        for item in value:
            _feed(found, item)
    elif is_profile(value):
        _feed(found, value.model_dump(mode="json", by_alias=True))
    elif is_dataclass(value) and not isinstance(value, type):
        found.update(f"{type(value).__name__};".encode())
        for field in fields(value):
            if field.name not in LEFT_OUT:
                _feed(found, field.name)
                _feed(found, getattr(value, field.name))
    else:
        allowed = "numbers, texts, arrays, lists, mappings and parts of networks"
        raise RangeError(f"{show(value)} has no digest, allowed: {allowed}")
