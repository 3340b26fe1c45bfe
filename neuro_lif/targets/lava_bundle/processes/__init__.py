"""Our own Lava processes: any neuron model, any integer synapse, and a recorder.

Ports and Vars are int64 throughout, so nothing wraps that the rules do not wrap. How many of them a
process has depends on its network, so each process makes the class of its model itself
(``lava_model``) and the run is told which belongs to which.
"""

from __future__ import annotations

import time
from pathlib import Path
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
from ..names import port_name, register_name

SENT = (-(2**31), 2**31 - 1)
"""What Lava's ports carry."""


def _typed(model: type, **types: Any) -> type:
    """Return a class of its own for a model with these ports and Vars."""
    return type(model.__name__, (model,), types)


class Noise:
    """A population's share of the random integers that the network draws in each step.

    Args:
        port: where they arrive.
        lo, hi: smallest and largest.
        total: neurons of the network, for which numpy draws at once.
        first, size: those of the population.
        seeds: one for each sample.
    """

    def __init__(
        self, port: str, lo: int, hi: int, total: int, first: int, size: int, seeds: list[int]
    ) -> None:
        self.port, self.ends, self.total = port, (lo, hi + 1), total
        self.mine = slice(first, first + size)
        self.generators = [np.random.RandomState(seed) for seed in seeds]

    def draw(self) -> Any:
        """Return one step's draws, sample after sample."""
        rows = [g.randint(*self.ends, size=self.total)[self.mine] for g in self.generators]
        return np.concatenate(rows).astype(np.int64)


class OpListNeuron(AbstractProcess):  # type: ignore[misc]
    """A population whose neuron model is a list of operations.

    Args:
        label: name of the population.
        ops: resolved operations.
        ports: ports of the model; each becomes an InPort (see ``names.port_name``).
        noise: arguments of :class:`Noise`, or None.
        params: parameter -> ``(n,)`` int64.
        state: register -> ``(n,)`` int64 at the start, ``ref`` among them; each becomes a Var (see
            ``names.register_name``).
    """

    def __init__(
        self, *, label: str, ops: Any, ports: Any, noise: Any, params: Any, state: Any,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(label=label, ops=ops, ports=ports, noise=noise, params=params,
                         state=state, **kwargs)  # fmt: skip
        shape = state["ref"].shape
        self.s_out = OutPort(shape=shape)
        for port in ports:
            setattr(self, port_name(port), InPort(shape=shape))
        for register, values in state.items():
            setattr(self, register_name(register), Var(shape=shape, init=values))

    def lava_model(self) -> type:
        """Return the class that runs this process."""
        params = self.proc_params
        ports = {port_name(p): LavaPyType(PyInPort.VEC_DENSE, np.int64) for p in params["ports"]}
        registers = {register_name(r): LavaPyType(np.ndarray, np.int64) for r in params["state"]}
        return _typed(PyOpListNeuron, **ports, **registers)


@implements(proc=OpListNeuron, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyOpListNeuron(PyLoihiProcessModel):  # type: ignore[misc]
    """Receives, steps the operation list, sends: in one step, as Lava's own neurons do."""

    s_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.label, self.ports = proc_params["label"], proc_params["ports"]
        self.noise = None if proc_params["noise"] is None else Noise(**proc_params["noise"])
        self.neurons = OpList(proc_params["ops"], proc_params["params"], proc_params["state"])

    def run_spk(self) -> None:
        """Advance one step; the Vars are read before and written after, so ``Var.set`` works."""
        state = self.neurons.state
        for register in state:
            state[register] = np.array(getattr(self, register_name(register)))
        self.neurons.t = self.time_step - 1
        arriving = {port: getattr(self, port_name(port)).recv() for port in self.ports}
        if self.noise is not None:
            arriving[self.noise.port] = self.noise.draw()
        sent = self.neurons.step(arriving)
        for register, values in self.neurons.state.items():
            getattr(self, register_name(register))[:] = values
        if sent.size and (sent.min() < SENT[0] or sent.max() > SENT[1]):
            raise OverflowError(
                f"population {self.label!r} sends {int(sent[np.abs(sent).argmax()])} in step "
                f"{self.time_step}; Lava's ports carry {SENT[0]}..{SENT[1]}"
            )
        self.s_out.send(sent.astype(np.int32))


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
        narrow: send int32, for a neuron of Lava's that would otherwise compute in int64.
    """

    def __init__(
        self, *, weights: Any, delays: Any, latency: int, exponent: int, accumulator: Any,
        batch: int, graded: bool, narrow: bool, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            weights=weights, delays=delays, latency=latency, exponent=exponent,
            accumulator=accumulator, batch=batch, graded=graded, narrow=narrow, **kwargs,
        )  # fmt: skip
        n_post, n_pre = weights.shape
        self.s_in, self.a_out = InPort(shape=(batch * n_pre,)), OutPort(shape=(batch * n_post,))

    def lava_model(self) -> type:
        """Return the class that runs this process."""
        sent = np.int32 if self.proc_params["narrow"] else np.int64
        return _typed(PyIntegerSynapses, a_out=LavaPyType(PyOutPort.VEC_DENSE, sent))


@implements(proc=IntegerSynapses, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyIntegerSynapses(PyLoihiProcessModel):  # type: ignore[misc]
    """Sends what arrives now, then takes in the spikes of this step (like Lava's Dense)."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.graded, self.batch = proc_params["graded"], proc_params["batch"]
        self.exponent, self.rules = proc_params["exponent"], proc_params["accumulator"]
        self.dtype = np.int32 if proc_params["narrow"] else np.int64
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
            self.give()
        else:
            self.give()
            self.take()

    def give(self) -> None:
        """Send what arrives in this step (narrow: modulo 2**32, as the neuron would take it)."""
        self.a_out.send(self.carrier.arriving(self.time_step).ravel().astype(self.dtype))

    def take(self) -> None:
        """Receive this step's spikes and put them on their way."""
        spikes = self.s_in.recv().reshape(self.batch, -1)
        payload = spikes if self.graded else (spikes != 0).astype(np.int64)
        self.carrier.emit(self.time_step, payload)


class Recorder(AbstractProcess):  # type: ignore[misc]
    """Writes what populations send, and Vars of theirs, to ``.npy`` files.

    Lava's Monitor hands its data back one number per message (about 0.2 ms each); a file does not.

    Args:
        n_steps: length of the run.
        spikes: (name of the population, OutPort, file, largest magnitude allowed or None).
        variables: (Var, file).
        progress: file that is kept to tell the steps done, or None.
    """

    def __init__(
        self, *, n_steps: int, spikes: Any, variables: Any, progress: Path | None, **kwargs: Any
    ) -> None:
        outputs = [(label, str(file), most) for label, _, file, most in spikes]
        super().__init__(
            n_steps=n_steps, outputs=outputs, progress=progress,
            variables=[str(file) for _, file in variables],
            shapes=[port.shape for _, port, *_ in spikes] + [v.shape for v, _ in variables],
            **kwargs,
        )  # fmt: skip
        for k, (_, port, *_) in enumerate(spikes):
            setattr(self, f"sent_{k}", InPort(shape=port.shape))
            port.connect(getattr(self, f"sent_{k}"))
        for k, (variable, _) in enumerate(variables):
            setattr(self, f"var_{k}", RefPort(shape=variable.shape))
            getattr(self, f"var_{k}").connect_var(variable)

    def lava_model(self) -> type:
        """Return the class that runs this process."""
        params = self.proc_params
        sent = {f"sent_{k}": LavaPyType(PyInPort.VEC_DENSE, np.int64)
                for k in range(len(params["outputs"]))}  # fmt: skip
        read = {f"var_{k}": LavaPyType(PyRefPort.VEC_DENSE, np.int64)
                for k in range(len(params["variables"]))}  # fmt: skip
        return _typed(PyRecorder, **sent, **read)


@implements(proc=Recorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRecorder(PyLoihiProcessModel):  # type: ignore[misc]
    """Reads the Vars after every step, when all neurons are done (Lava's POST_MGMT phase)."""

    TELL_EVERY_S = 0.1

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.n_steps, self.outputs = proc_params["n_steps"], proc_params["outputs"]
        self.variables, self.progress = proc_params["variables"], proc_params["progress"]
        create: Any = np.lib.format.open_memmap
        files = [file for _, file, _ in self.outputs] + self.variables
        self.rows = {
            file: create(file, mode="w+", dtype=np.int64, shape=(self.n_steps, *shape))
            for file, shape in zip(files, proc_params["shapes"], strict=True)
        }
        self.told = time.monotonic()

    def post_guard(self) -> bool:
        """Tell Lava whether there is something to read."""
        return bool(self.variables)

    def run_spk(self) -> None:
        """Write what this step sent; after the last step see the files whole."""
        for k, (label, file, most) in enumerate(self.outputs):
            sent = getattr(self, f"sent_{k}").recv()
            self._write(file, sent)
            if most is not None and np.abs(sent).max(initial=0) > most:
                raise OverflowError(
                    f"population {label!r} sends {int(np.abs(sent).max())} in step "
                    f"{self.time_step}; what it is connected to is exact up to {most}"
                )
        now, last = time.monotonic(), self.time_step == self.n_steps
        if self.progress is not None and (last or now - self.told > self.TELL_EVERY_S):
            self.progress.write_text(str(self.time_step), encoding="ascii")
            self.told = now

    def run_post_mgmt(self) -> None:
        """Write the Vars as they stand at the end of the step."""
        for k, file in enumerate(self.variables):
            self._write(file, getattr(self, f"var_{k}").read())

    def _write(self, file: str, values: Any) -> None:
        self.rows[file][self.time_step - 1] = values
        if self.time_step == self.n_steps:
            self.rows[file].flush()
