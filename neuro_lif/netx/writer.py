"""Write netx files: layers as they are, or a chip's integers where layers can say them.

Source: lava-dl 0.6.0, lava/lib/dl/slayer/block/base.py (export_hdf5), for names, types and shapes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..checks import expect_path
from ..errors import FileFormatError, RangeError, show
from ..fixed import FixedNetwork
from ..nir.hdf import import_h5py
from ..npz import replacing
from .from_fixed import from_fixed
from .layers import ConcatLayer, ConvLayer, DenseLayer, InputLayer, Layer, Neuron, PoolLayer
from .model import NetxNetwork


def write(path: str | Path, network: NetxNetwork | FixedNetwork) -> None:
    """Write a netx file that :func:`read` and lava-dl read; it appears whole or not at all.

    Args:
        path: the file, usually ``.net``.
        network: layers; or integers, which are written where :func:`from_fixed` finds layers that
            give the same integers again.

    Raises:
        FileFormatError: the file cannot be written.
        LoweringError: integers that netx cannot say, by population and field.
        RangeError: neither a NetxNetwork nor a FixedNetwork.
        TargetError: h5py is not installed.
    """
    path = expect_path(path, "netx.write")
    given: object = network
    if isinstance(given, FixedNetwork):
        given = from_fixed(given)
    if not isinstance(given, NetxNetwork):
        raise RangeError(f"netx.write: network = {show(given)}, allowed: a NetxNetwork or a "
                         "FixedNetwork")  # fmt: skip
    h5py = import_h5py("netx")
    try:
        with replacing(path) as temporary, h5py.File(temporary, "w", libver="earliest") as file:
            for index, layer in enumerate(given.layers):
                _layer(file.create_group(f"layer/{index}"), layer)
            for name, value in given.simulation.items():
                if isinstance(value, (int, float, str, np.ndarray, np.generic)):
                    file[f"simulation/{name}"] = value
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        text = show(str(error), 200)
        raise FileFormatError(f"{str(path)!r}: cannot be written: {text}") from None


def _layer(group: Any, layer: Layer) -> None:
    recurrent = isinstance(layer, DenseLayer) and layer.weight_rec is not None
    kind = "dense_rec" if recurrent else layer.kind
    group.create_dataset("type", (1,), "S10", [kind.encode()])
    group["shape"] = np.array(layer.shape)
    if isinstance(layer, InputLayer) and layer.neuron is not None:
        for name in ("weight", "bias"):
            if getattr(layer, name) is not None:
                # netx makes an int of it, so it is one number
                group[name] = np.array([getattr(layer, name)], np.float32)
    elif isinstance(layer, DenseLayer):
        group["inFeatures"], group["outFeatures"] = layer.weight.shape[1], layer.size
        _arrays(group, layer, ("weight", "weight_rec", "bias", "delay"))
    elif isinstance(layer, (ConvLayer, PoolLayer)):
        _arrays(group, layer, ("weight", "bias", "delay"))
        group["kernelSize"] = np.array(layer.weight.shape[2:])
        for name in ("stride", "padding", "dilation"):
            group[name] = np.array(getattr(layer, name))
        if isinstance(layer, ConvLayer):
            group["inChannels"] = layer.weight.shape[1] * layer.groups
            group["outChannels"] = layer.weight.shape[0]
            group["groups"] = layer.groups
    elif isinstance(layer, ConcatLayer):
        group["layers"] = np.array(layer.layers, np.int64)
    if layer.neurons is not None:
        _neuron(group, layer.neurons)


def _arrays(group: Any, layer: Layer, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(layer, name, None)
        if value is not None:
            array = np.asarray(value)
            # float32 as lava-dl writes them, where that holds them
            exact = not array.size or np.abs(array).max() <= 2**24
            if name == "bias" and not array.ndim:
                array = array.reshape(1)
            group.create_dataset(name, data=array.astype(np.float32) if exact else array)


def _neuron(group: Any, neuron: Neuron) -> None:
    group["neuron/type"] = np.bytes_(neuron.kind)
    numbers = {"iDecay": neuron.i_decay, "vDecay": neuron.v_decay, "vThMant": neuron.threshold}
    for name, value in numbers.items():
        group[f"neuron/{name}"] = np.asarray(value)
    group["neuron/refDelay"] = neuron.ref_delay
    group["neuron/gradedSpike"] = neuron.graded
    if neuron.weight_exp:
        group["neuron/wgtExp"] = neuron.weight_exp
    if neuron.message_bits:
        group["neuron/messageBits"] = neuron.message_bits
