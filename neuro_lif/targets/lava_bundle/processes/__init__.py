"""Our own Lava processes: any neuron model, any integer synapse, and a recorder.

A package of one module, because Lava imports every module that lies beside a process when it looks
for its model. Ports and Vars are int64 throughout, so nothing wraps that the rules do not wrap.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort, PyRefPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort, RefPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from ....connect import Carrier
from ....emulator.oplist import OpList
from ....formats import overflow_array, shift_array


class OpListNeuron(AbstractProcess):  # type: ignore[misc]
    """A population whose neuron model is a list of operations.

    Args:
        ops: resolved operations.
        params: parameter -> ``(n,)`` int64.
        state: register -> ``(n,)`` int64 at the start, ``ref`` among them.
        voltage: register shown as Var ``v``.
        current: register shown as Var ``u``.
    """

    def __init__(
        self, *, ops: Any, params: Any, state: Any, voltage: str, current: str, **kwargs: Any
    ) -> None:
        super().__init__(ops=ops, params=params, state=state, voltage=voltage, current=current,
                         **kwargs)  # fmt: skip
        shape = state["ref"].shape
        self.a_in, self.s_out = InPort(shape=shape), OutPort(shape=shape)
        self.u = Var(shape=shape, init=state[current])
        self.v = Var(shape=shape, init=state[voltage])


@implements(proc=OpListNeuron, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyOpListNeuron(PyLoihiProcessModel):  # type: ignore[misc]
    """Receives, steps the operation list, sends: in one step, as Lava's own neurons do."""

    a_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    s_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    u: Any = LavaPyType(np.ndarray, np.int64)
    v: Any = LavaPyType(np.ndarray, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.voltage, self.current = proc_params["voltage"], proc_params["current"]
        self.neurons = OpList(proc_params["ops"], proc_params["params"], proc_params["state"])

    def run_spk(self) -> None:
        """Advance one step; the Vars are read before and written after, so ``Var.set`` works."""
        state = self.neurons.state
        state[self.current] = self.u.copy()
        state[self.voltage] = self.v.copy()
        spikes = self.neurons.step(self.a_in.recv())
        self.u[:], self.v[:] = state[self.current], state[self.voltage]
        self.s_out.send(spikes.astype(np.int32))


class IntegerSynapses(AbstractProcess):  # type: ignore[misc]
    """Synapses with any exponent rule, any overflow rule of the sum, and any delay.

    Args:
        weights: ``(n_post, n_pre)`` int64 of one sample, dense or CSR.
        delays: steps, scalar or one per stored weight.
        latency: steps between emission and the soonest arrival; 0 only where no cycle comes of it.
        exponent: shift of each arriving sum.
        accumulator: overflow rules (mode, lo, hi) of the sum.
        batch: samples side by side.
        graded: the spike's value multiplies the weight.
    """

    def __init__(
        self, *, weights: Any, delays: Any, latency: int, exponent: int, accumulator: Any,
        batch: int, graded: bool, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            weights=weights, delays=delays, latency=latency, exponent=exponent,
            accumulator=accumulator, batch=batch, graded=graded, **kwargs,
        )  # fmt: skip
        n_post, n_pre = weights.shape
        self.s_in, self.a_out = InPort(shape=(batch * n_pre,)), OutPort(shape=(batch * n_post,))


@implements(proc=IntegerSynapses, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyIntegerSynapses(PyLoihiProcessModel):  # type: ignore[misc]
    """Sends what arrives now, then takes in the spikes of this step (like Lava's Dense)."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    a_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.graded, self.batch = proc_params["graded"], proc_params["batch"]
        self.exponent, self.rules = proc_params["exponent"], proc_params["accumulator"]
        self.carrier = Carrier(
            proc_params["weights"], np.asarray(proc_params["delays"]), proc_params["latency"],
            self.batch, self.finish, self.bounded,
        )  # fmt: skip

    def bounded(self, x: Any) -> Any:
        """Apply the overflow rules of the sum."""
        for mode, lo, hi in self.rules:
            x = overflow_array(x, mode, lo, hi)
        return x

    def finish(self, sums: Any) -> Any:
        """Bound, shift and bound again the sum of one step and delay."""
        return self.bounded(shift_array(self.bounded(sums), self.exponent))

    def run_spk(self) -> None:
        """Advance one step; without latency the spikes must be there before anything is sent."""
        if self.carrier.latency == 0:
            self.take()
            self.a_out.send(self.carrier.arriving(self.time_step).ravel())
        else:
            self.a_out.send(self.carrier.arriving(self.time_step).ravel())
            self.take()

    def take(self) -> None:
        """Receive this step's spikes and put them on their way."""
        spikes = self.s_in.recv().reshape(self.batch, -1)
        payload = spikes if self.graded else (spikes != 0).astype(np.int64)
        self.carrier.emit(self.time_step, payload)


class Recorder(AbstractProcess):  # type: ignore[misc]
    """Writes a population's spikes, and u and v where connected, to ``.npy`` files.

    Lava's Monitor hands its data back one number per message (about 0.2 ms each); a file does not.
    The recorders of a network are tied together by ``link_out`` and ``link_in``, which never carry
    anything: Lava runs only what is connected to the process it was told to run.

    Args:
        n: neurons.
        n_steps: length of the run.
        files: ``spikes``, ``u``, ``v`` -> path, only those wanted.
    """

    def __init__(self, *, n: int, n_steps: int, files: Any, **kwargs: Any) -> None:
        super().__init__(n=n, n_steps=n_steps, files=files, **kwargs)
        self.s_in, self.u, self.v = InPort(shape=(n,)), RefPort(shape=(n,)), RefPort(shape=(n,))
        self.link_in, self.link_out = InPort(shape=(1,)), OutPort(shape=(1,))


@implements(proc=Recorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRecorder(PyLoihiProcessModel):  # type: ignore[misc]
    """Reads the Vars after every step, when all neurons are done (Lava's POST_MGMT phase)."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    u: Any = LavaPyType(PyRefPort.VEC_DENSE, np.int64)
    v: Any = LavaPyType(PyRefPort.VEC_DENSE, np.int64)
    link_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    link_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        shape = (proc_params["n_steps"], proc_params["n"])
        create: Any = np.lib.format.open_memmap
        self.rows = {
            name: create(path, mode="w+", dtype=np.int64, shape=shape)
            for name, path in proc_params["files"].items()
        }
        self.traces = [name for name in ("u", "v") if name in self.rows]
        self.n_steps = shape[0]

    def post_guard(self) -> bool:
        """Tell Lava whether there is something to read."""
        return bool(self.traces)

    def run_spk(self) -> None:
        """Write this step's spikes; after the last step see the file whole."""
        self.rows["spikes"][self.time_step - 1] = self.s_in.recv()
        if self.time_step == self.n_steps:
            self.rows["spikes"].flush()

    def run_post_mgmt(self) -> None:
        """Write u and v as they stand at the end of the step."""
        for name in self.traces:
            self.rows[name][self.time_step - 1] = getattr(self, name).read()
            if self.time_step == self.n_steps:
                self.rows[name].flush()
