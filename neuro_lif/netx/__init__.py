"""lava-dl's netx files (``.net``): read, run in the integers that Loihi would run, write.

>>> from neuro_lif import netx
>>> found = netx.read("network.net")  # doctest: +SKIP
>>> print(found.report)  # doctest: +SKIP
>>> fixed = netx.to_fixed(found.network, "loihi2")  # doctest: +SKIP
>>> ran = netx.run(found.network, inputs)  # doctest: +SKIP

Not imported by ``import neuro_lif``; h5py is needed where a file is read or written.
"""

from .from_fixed import from_fixed
from .layers import (
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
from .lower import to_fixed
from .model import NetxFinding, NetxNetwork, NetxRead, NetxReport, layer_name
from .reader import read
from .rule import NetxRule
from .runner import NetxRun, encode, run
from .to_nir import to_nir
from .writer import write

__all__ = [
    "AverageLayer",
    "ConcatLayer",
    "ConvLayer",
    "DenseLayer",
    "FlattenLayer",
    "InputLayer",
    "Layer",
    "NetxFinding",
    "NetxNetwork",
    "NetxRead",
    "NetxReport",
    "NetxRule",
    "NetxRun",
    "Neuron",
    "PoolLayer",
    "encode",
    "from_fixed",
    "layer_name",
    "read",
    "run",
    "to_fixed",
    "to_nir",
    "write",
]
