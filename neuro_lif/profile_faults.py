"""What is wrong with a profile file, in words that name the place and what is allowed there."""

from __future__ import annotations

import typing
from typing import Any

from .errors import show
from .op_models import Op, Strict
from .profile_model import HardwareProfile


def explain(fault: Any) -> str:
    """Return one of pydantic's faults as a line: where, value, what is allowed."""
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "missing":
        return f"{where} = (absent): needed"
    message = fault["msg"]
    if fault["type"] == "extra_forbidden":
        message = f"unknown key, allowed: {', '.join(_keys_at(fault['loc'][:-1])) or 'none'}"
    return f"{where} = {show(fault['input'])}: {message}"


def _keys_at(path: tuple[int | str, ...]) -> list[str]:
    """Return the keys allowed in the table at ``path`` of a profile."""
    kind: Any = HardwareProfile
    for part in path:
        kind = _below(kind, part)
    return [f.alias or n for m in _tables(kind) for n, f in m.model_fields.items()]


def _below(kind: Any, part: int | str) -> Any:
    """Return the type of entry ``part`` of a value of type ``kind`` (None: not known)."""
    if isinstance(kind, type) and issubclass(kind, Strict):
        fields = {f.alias or n: f.annotation for n, f in kind.model_fields.items()}
        return fields.get(str(part))
    # a model that mentions itself names its own type as text: the list of operations
    inner = tuple(
        Op if isinstance(k, (str, typing.ForwardRef)) else k for k in typing.get_args(kind)
    )
    if typing.get_origin(kind) in (dict, tuple):
        return inner[-1] if typing.get_origin(kind) is dict else inner[0]
    tagged = [m for m in _tables(kind) if _tag(m) == part]
    if tagged:  # one operation of a union, told by its tag
        return tagged[0]
    return next((found for k in inner if (found := _below(k, part)) is not None), None)


def _tables(kind: Any) -> list[type[Strict]]:
    """Return the types of table that a value of type ``kind`` can be."""
    if isinstance(kind, type) and issubclass(kind, Strict):
        return [kind]
    if typing.get_origin(kind) in (dict, tuple):
        return []
    return [m for part in typing.get_args(kind) for m in _tables(part)]


def _tag(model: type[Strict]) -> object:
    field = model.model_fields.get("op")
    return typing.get_args(field.annotation)[0] if field is not None else None
