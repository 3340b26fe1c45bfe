"""Read ``.net`` files: lava-dl's HDF5 description of a network, layer by layer.

Source: lava-dl 0.6.0, lava/lib/dl/netx/hdf5.py (how it is read), slayer/block/base.py (how it is
written), netx/README.md (the protocol).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import expect_path
from ..errors import FileFormatError, NetworkError, show
from ..nir.hdf import MOST_BYTES, MOST_OBJECTS, expect_limits, read_tree
from .decode import Fields, Tree
from .layers import (
    NO_THRESHOLD,
    AverageLayer,
    ConcatLayer,
    ConvLayer,
    DenseLayer,
    FlattenLayer,
    InputLayer,
    Layer,
    Neuron,
    PoolLayer,
)
from .model import NetxFinding, NetxNetwork, NetxRead, NetxReport

OTHERS = ("convT", "unpool", "dense_comp")


def read(
    path: str | Path, *, max_bytes: int = MOST_BYTES, max_objects: int = MOST_OBJECTS
) -> NetxRead:
    """Read a netx file; what it leaves open is taken as netx takes it, and told.

    Args:
        path: the file, usually ``.net``.
        max_bytes: bytes of arrays that may be read, so that a small hostile file cannot fill the
            memory.
        max_objects: groups and datasets that may be read.

    Returns:
        The network, and the report of each repair and each assumption.

    Raises:
        FileFormatError: the file is missing, damaged, or holds what is not known here; the message
            names file, layer and field.
        RangeError: max_bytes or max_objects is no whole number >= 1.
        TargetError: h5py is not installed.
    """
    path = expect_path(path, "netx.read")
    expect_limits("netx.read", max_bytes, max_objects)
    tree = read_tree(path, max_bytes, max_objects, "netx")
    found: list[NetxFinding] = []
    try:
        network = _network(tree.root, found)
    except NetworkError as error:
        raise FileFormatError(f"{str(path)!r}: {error}") from None
    for where, name, text in tree.unread:
        found.append(NetxFinding("note", None, "/".join(filter(None, (where, name))), text))
    return NetxRead(network, NetxReport(str(path), tuple(found)))


def _network(tree: Tree, found: list[NetxFinding]) -> NetxNetwork:
    groups = tree.get("layer")
    if not isinstance(groups, dict) or not groups:
        raise NetworkError(f"the file: field 'layer' = {show(groups)}, allowed: a group of layers")
    wrong = [name for name in groups if not _is_number(name)]
    if wrong:
        raise NetworkError(f"the file: field 'layer/{wrong[0]}', allowed: layers 0, 1, 2, ...")
    numbers = sorted(int(name) for name in groups)
    if numbers != list(range(len(numbers))):
        missing = next(i for i in range(len(numbers) + 1) if i not in numbers)
        raise NetworkError(f"layer {missing}: is missing, there are {len(numbers)} layers")
    for name in sorted(tree.keys() - {"layer", "simulation"}):
        found.append(NetxFinding("note", None, name, "not known to netx: left out"))
    layers = tuple(_layer(i, groups[str(i)], found) for i in numbers)
    simulation = tree.get("simulation", {})
    if not isinstance(simulation, dict):
        raise NetworkError(f"the file: field 'simulation' = {show(simulation)}, allowed: a group")
    return NetxNetwork(layers, simulation)


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) <= 6 and str(int(name)) == name


def _layer(index: int, group: Any, found: list[NetxFinding]) -> Layer:
    if not isinstance(group, dict):
        raise NetworkError(f"layer {index}: field 'type' is missing, allowed: a group with a type")
    fields = Fields(index, group, found)
    kind = fields.text("type")
    if kind not in MAKERS:
        allowed = ", ".join(MAKERS)
        if kind in OTHERS:
            allowed += f" (there is no rule of Loihi's for {kind} that netx itself runs)"
        raise fields.fail("type", kind, allowed)
    try:
        layer = MAKERS[kind](fields)
    except NetworkError as error:
        text = str(error)
        if not text.startswith(f"layer {index}:"):
            lines = [_named(line, index) for line in text.split("\n")]
            raise NetworkError("\n  ".join(lines)) from None
        raise
    fields.finish()
    return layer


NAMES = {"i_decay": "iDecay", "v_decay": "vDecay", "threshold": "vThMant", "ref_delay": "refDelay",
         "weight_exp": "wgtExp", "message_bits": "messageBits"}  # fmt: skip


def _named(line: str, index: int) -> str:
    """Return a fault of a layer with its number, and the file's name of the field."""
    where, _, rest = line.strip().partition(": ")
    name, sign, value = rest.partition(" = ")
    inner = name.removeprefix("neuron/") if where != "neuron" else name
    named = f"neuron/{NAMES.get(inner, inner)}" if inner != name or where == "neuron" else name
    return f"layer {index}: field {named!r}{sign}{value}"


def _shape(fields: Fields) -> Any:
    return fields.array("shape").ravel()


def _neuron(fields: Fields, needed: bool = True) -> Neuron | None:
    group = fields.inner("neuron")
    if group is None:
        if needed:
            raise fields.fail("neuron", None, "a group with iDecay, vDecay, vThMant")
        return None
    if "type" not in group:
        group.tell("assumption", "type", "not in the file, taken as CUBA")
    kind = group.text("type", "CUBA")
    if kind not in ("CUBA", "LOIHI"):
        raise group.fail("type", kind, "CUBA, LOIHI (no rule for other neurons is built in)")
    values = {name: group.array(name) for name in ("iDecay", "vDecay")}
    threshold = _threshold(group)
    exponent = group.number("wgtExp", 0)
    for name in ("weight_exp",):  # of the batch normalisation that was trained
        if name in group and group.array(name).any():
            group.tell("note", name, "netx does not look at it: left out")
        group.taken.add(name)
    group.leave(("scaleRho", "tauRho"), "for training only: left out")
    neuron = Neuron(
        values["iDecay"], values["vDecay"], threshold, "LOIHI" if kind == "LOIHI" else "CUBA",
        group.number("refDelay", 1), bool(group.number("gradedSpike", 0)), exponent,
        group.number("messageBits", 0),
    )  # fmt: skip
    group.finish()
    return neuron


def _threshold(group: Fields) -> Any:
    """Return the mantissa; old files have ``theta``, 64 times as much, beside or in place of it."""
    theta = group.array("theta", needed=False)
    if "vThMant" in group or theta is None:
        mantissa = group.array("vThMant")
        if theta is not None and np.any(mantissa * 64 != theta):
            group.tell("note", "theta", "is not 64 vThMant: vThMant counts, as in netx")
        return mantissa
    if np.any(theta % 64):
        raise group.fail("theta", int(np.ravel(theta)[0]), "a multiple of 64, or a field vThMant")
    group.tell("assumption", "vThMant", "not in the file, taken as theta / 64")
    return theta // 64


def _input(fields: Fields) -> Layer:
    neuron = _neuron(fields, needed=False)
    numbers: dict[str, int | None] = {"weight": None, "bias": None}
    if neuron is not None:
        for name, default in (("weight", 64), ("bias", 0)):
            if name in fields:
                numbers[name] = fields.number(name)
            else:
                fields.tell("assumption", name, f"not in the file, taken as {default}, as in netx")
    else:
        fields.leave(("weight", "bias"), "there is no neuron to drive: left out, as in netx")
    return InputLayer(_shape(fields), neuron, **numbers)


def _dense(fields: Fields) -> Layer:
    neuron = _neuron(fields, needed=False)
    if neuron is None:
        text = (
            f"not in the file, taken as iDecay 0, vDecay 4096, vThMant {NO_THRESHOLD}, as in netx"
        )
        fields.tell("assumption", "neuron", text)
    recurrent = fields.text("type") == "dense_rec"
    shape = _shape(fields)
    weights = {"weight": fields.array("weight")}
    if recurrent:
        weights["weight_rec"] = fields.array("weight_rec")
    for name, array in weights.items():
        if array.ndim > 2:
            weights[name] = array.reshape(array.shape[0], -1)
    layer = DenseLayer(
        shape, weights["weight"], neuron, fields.array("bias", needed=False), _delay(fields),
        weights.get("weight_rec"),
    )  # fmt: skip
    fields.check_equal("inFeatures", layer.weight.shape[1])
    fields.check_equal("outFeatures", layer.size)
    return layer


def _delay(fields: Fields) -> Any:
    delay = fields.array("delay", needed=False)
    if delay is not None and delay.min() < 0:
        raise fields.fail("delay", int(delay.min()), "whole steps >= 0")
    return delay


def _conv(fields: Fields) -> Layer:
    layer = ConvLayer(
        _shape(fields), _kernel(fields), _neuron(fields), fields.pair("stride", 1),
        fields.pair("padding", 0), fields.pair("dilation", 1), _groups(fields),
        fields.array("bias", needed=False), _delay(fields),
    )  # fmt: skip
    fields.check_equal("inChannels", layer.weight.shape[1] * layer.groups)
    fields.check_equal("outChannels", layer.weight.shape[0])
    _check_kernel(fields, layer.weight)
    return layer


def _groups(fields: Fields) -> int:
    if "groups" not in fields:
        fields.tell("assumption", "groups", "not in the file, taken as 1")
    return fields.number("groups", 1)


def _kernel(fields: Fields) -> Any:
    weight = fields.array("weight")
    if weight.ndim == 5 and weight.shape[4] == 1:
        return weight[..., 0]
    return weight


def _check_kernel(fields: Fields, weight: Any) -> None:
    if "kernelSize" in fields:
        said = tuple(int(n) for n in np.broadcast_to(fields.array("kernelSize").ravel()[:2], (2,)))
        if said != weight.shape[2:]:
            raise fields.fail("kernelSize", said, f"{weight.shape[2:]}, as the weights have it")


def _pool(fields: Fields) -> Layer:
    weight = _kernel(fields)
    if weight.ndim in (0, 1) and weight.size == 1 and "kernelSize" in fields:
        size = np.broadcast_to(fields.array("kernelSize").ravel()[:2], (2,))
        weight = np.full((1, 1, *(int(n) for n in size)), int(weight.reshape(())))
    stride = None if "stride" in fields else weight.shape[-2:]
    layer = PoolLayer(
        _shape(fields), weight, _neuron(fields), stride or fields.pair("stride", 1),
        fields.pair("padding", 0), fields.pair("dilation", 1), _delay(fields),
    )  # fmt: skip
    if stride is not None:
        fields.tell("assumption", "stride", "not in the file, taken as the kernel's size")
    _check_kernel(fields, layer.weight)
    return layer


def _flatten(fields: Fields) -> Layer:
    return FlattenLayer(_shape(fields))


def _average(fields: Fields) -> Layer:
    return AverageLayer(_shape(fields))


def _concat(fields: Fields) -> Layer:
    return ConcatLayer(_shape(fields), tuple(int(n) for n in fields.array("layers").ravel()))


MAKERS: dict[str, Callable[[Fields], Layer]] = {
    "input": _input,
    "conv": _conv,
    "dense": _dense,
    "dense_rec": _dense,
    "flatten": _flatten,
    "pool": _pool,
    "average": _average,
    "concat": _concat,
}
