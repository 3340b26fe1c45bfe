"""Streams of a FixedNetwork as plain values and arrays."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from ..network import PoissonInput, SpikeInput
from ..stimulus import (
    Constant,
    GaussianNoise,
    Sampled,
    Sinusoid,
    Sum,
    Triangle,
    Window,
)
from ..streams import CodedCurrent, DrawnSpikes, ListedSpikes

KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        CodedCurrent, DrawnSpikes, ListedSpikes, PoissonInput, SpikeInput, Constant, Sinusoid,
        Sampled, Triangle, GaussianNoise, Window, Sum,
    )
}  # fmt: skip
_PLAIN = (str, int, float, bool, type(None))


def pack_stream(stream: Any, key: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """Return the plain fields of a stream; its arrays go into ``arrays`` under ``key``."""
    plain: dict[str, Any] = {"kind": type(stream).__name__}
    for name in (field.name for field in fields(stream)):
        value = getattr(stream, name)
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, _PLAIN):
            plain[name] = value
        elif type(value) in KINDS.values():
            plain[name] = pack_stream(value, f"{key}/{name}", arrays)
        elif isinstance(value, tuple):
            plain[name] = [pack_stream(v, f"{key}/{k}", arrays) for k, v in enumerate(value)]
        else:
            plain[name] = {"array": True}
            arrays[f"{key}/{name}"] = np.asarray(value)
    return plain


def unpack_stream(plain: dict[str, Any], key: str, arrays: dict[str, Any]) -> Any:
    """Return what :func:`pack_stream` packed.

    Raises:
        KeyError: a kind or an array that is not there.
    """
    found: dict[str, Any] = {}
    for name, value in plain.items():
        if name == "kind":
            continue
        if isinstance(value, list):
            parts = [unpack_stream(v, f"{key}/{k}", arrays) for k, v in enumerate(value)]
            found[name] = tuple(parts)
        elif isinstance(value, dict) and "kind" in value:
            found[name] = unpack_stream(value, f"{key}/{name}", arrays)
        else:
            found[name] = arrays[f"{key}/{name}"] if isinstance(value, dict) else value
    return KINDS[plain["kind"]](**found)
