"""A Lava process that counts spikes: reading them out one by one would take a minute."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class Counter(AbstractProcess):
    """Counts spikes.

    Args:
        shape: of what sends them.
    """

    def __init__(self, shape: Any) -> None:
        super().__init__()
        self.s_in = InPort(shape=shape)
        self.total = Var(shape=(1,), init=0)


@implements(proc=Counter, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class CounterModel(PyLoihiProcessModel):  # type: ignore[misc]
    """Its model in Python."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    total: Any = LavaPyType(np.ndarray, np.int64)

    def run_spk(self) -> None:
        """Add the spikes of this step."""
        self.total[0] += np.count_nonzero(self.s_in.recv())
