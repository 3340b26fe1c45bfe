"""Content digests: the same description gives the same SHA-256, in any process."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

from ..errors import StudyError, show
from ..lazy import is_sparse
from ..profiles import is_profile

SEMANTICS = 1
"""Counts the changes of what a result means; raised when one changes, so old ones are not mixed."""


def canonical(value: Any) -> str:
    """Return JSON with sorted keys and no spaces; the same value gives the same text.

    Raises:
        ValueError: it holds a number that JSON has not (NaN, infinity).
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(*values: Any) -> str:
    """Return the SHA-256 of what values hold, hexadecimal.

    Numbers, texts, arrays (dense or sparse), lists, mappings (in any order), tasks, profiles and
    the frozen parts of networks.

    Raises:
        StudyError: something else.
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
            _feed(found, field.name)
            _feed(found, getattr(value, field.name))
    else:
        allowed = "numbers, texts, arrays, lists, mappings and parts of networks"
        raise StudyError(f"{show(value)} has no digest, allowed: {allowed}")


def function_digest(function: Any) -> str:
    """Return the digest of a function: its code, constants, defaults and what it closes over.

    Of a partial and of an object that can be called also what they hold. Functions and numbers of
    the module that it uses by name are not seen.
    """
    return digest(_told(function))


def _told(value: Any) -> Any:
    """Return what a function or a constant is, as :func:`digest` takes it."""
    if isinstance(value, CodeType):
        told = [_told(c) for c in value.co_consts]
        return ["code", value.co_code.hex(), list(value.co_names), told]
    if isinstance(value, FunctionType):
        cells = [_told(c.cell_contents) for c in value.__closure__ or ()]
        more = [_told(value.__defaults__), _told(value.__kwdefaults__)]
        return ["function", _told(value.__code__), cells, more]
    if isinstance(value, MethodType):
        return ["method", _told(value.__func__), _told(value.__self__)]
    if isinstance(value, partial):
        return ["partial", _told(value.func), _told(value.args), _told(value.keywords)]
    if isinstance(value, (set, frozenset)):
        return ["set", sorted(map(repr, value))]
    if isinstance(value, Mapping):
        return {str(k): _told(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_told(v) for v in value]
    try:
        digest(value)
    except StudyError:
        return _object(value)
    return value


def _object(value: Any) -> list[Any]:
    """Return what an object of another kind is: its type, what calling it does, what it holds."""
    if isinstance(value, (bytes, complex, type)) or value is ...:
        return [repr(value)]
    call = vars(type(value)).get("__call__")
    body = _told(call) if isinstance(call, FunctionType) else None
    held: Any = getattr(value, "__dict__", None)
    if held is None:
        try:
            held = pickle.dumps(value, 4).hex()
        except (pickle.PicklingError, AttributeError, TypeError):
            held = ""
    return [type(value).__qualname__, body, _told(held)]
