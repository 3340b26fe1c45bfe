"""What keys of results are made of: canonical JSON, and the digests of functions."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

from ..digests import digest
from ..errors import RangeError

SEMANTICS = 1
"""Counts the changes of what a result means; raised when one changes, so old ones are not mixed."""


def canonical(value: Any) -> str:
    """Return JSON with sorted keys and no spaces; the same value gives the same text.

    Raises:
        ValueError: it holds a number that JSON has not (NaN, infinity).
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


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
    except RangeError:
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
