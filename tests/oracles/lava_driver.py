"""lava-nc 0.10.0: its runtime with its own processes, or its process models in this process.

``run`` and ``run_many`` build the networks from Lava's stock processes and run them in Lava's
runtime, in a Python of their own, because a failure inside Lava hangs as often as it ends. Many
small networks run side by side in one runtime: starting one costs a second.

``run_direct`` builds the same process models by Lava's own builder and calls their ``run_spk``
here, with plain lists for ports; it is a thousand times faster, and the runtime's judge is ``run``.

    PYTHONPATH=tests python -m oracles.lava_driver IN.json OUT.json
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing.shared_memory
import os
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lava.magma.runtime.runtime as lava_runtime
    from lava.magma.core.decorator import implements, requires, tag
    from lava.magma.core.model.py.model import PyLoihiProcessModel
    from lava.magma.core.model.py.ports import PyInPort, PyRefPort
    from lava.magma.core.model.py.type import LavaPyType
    from lava.magma.core.process.ports.ports import InPort, RefPort
    from lava.magma.core.process.process import AbstractProcess
    from lava.magma.core.resources import CPU
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
    from lava.proc.io.source import RingBuffer

from .lava_direct import InProcess, run_direct
from .lava_processes import MODELS, check_wire, connection, is_wire, neurons
from .schema import Trace, Vector, check_network, raster_of, rows_of

__all__ = ["InProcess", "run", "run_direct", "run_many"]

PEER = "lava-nc"
VERSION = "0.10.0"
SIDE_BY_SIDE = 150
"""Processes of one runtime; each is a process of the operating system."""

# ----------------------------------------------------------------------------- the runtime


def _recorder(outputs: list[Any], variables: list[Any], n_steps: int, path: Path) -> Any:
    """Return one process that notes everything, and its model, made to measure.

    Lava's Monitor takes one variable and hands its data back one number per message.
    """
    types: dict[str, Any] = {}
    for i in range(len(outputs)):
        types[f"out_{i}"] = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    for i in range(len(variables)):
        types[f"var_{i}"] = LavaPyType(PyRefPort.VEC_DENSE, np.int64)

    class Recorder(AbstractProcess):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            for i, output in enumerate(outputs):
                setattr(self, f"out_{i}", InPort(shape=output.shape))
            for i, variable in enumerate(variables):
                setattr(self, f"var_{i}", RefPort(shape=variable.shape))

    class PyRecorder(PyLoihiProcessModel):  # type: ignore[misc]
        def __init__(self, proc_params: Any) -> None:
            super().__init__(proc_params)
            self.rows: dict[str, list[Any]] = {name: [] for name in types}

        def post_guard(self) -> bool:
            return True

        def run_spk(self) -> None:
            for i in range(len(outputs)):
                self.rows[f"out_{i}"].append(getattr(self, f"out_{i}").recv())

        def run_post_mgmt(self) -> None:
            for i in range(len(variables)):
                self.rows[f"var_{i}"].append(getattr(self, f"var_{i}").read().copy())
            if self.time_step == n_steps:
                np.savez(path, **{k: np.array(v) for k, v in self.rows.items()})

    for name, kind in types.items():
        setattr(PyRecorder, name, kind)
    model = implements(proc=Recorder, protocol=LoihiProtocol)(
        requires(CPU)(tag("fixed_pt")(PyRecorder))
    )
    recorder = Recorder()
    for i, output in enumerate(outputs):
        output.connect(getattr(recorder, f"out_{i}"))
    for i, variable in enumerate(variables):
        getattr(recorder, f"var_{i}").connect_var(variable)
    return recorder, model


def _shaped(port: Any, shape: tuple[int, ...]) -> Any:
    return port if port.shape == shape else port.reshape(shape)


def _wire_up(vector: Vector, n_steps: int) -> dict[str, Any]:
    """Create and connect the processes of one vector; return its populations."""
    network = check_network(vector)
    populations = {p["name"]: neurons(p) for p in network["populations"]}
    # a source plays its rows once: shorter vectors are given silence to the end of the run
    sources = {
        s["name"]: RingBuffer(data=raster_of(s, n_steps, s["size"]).T.astype(np.int32).copy())
        for s in network.get("inputs", ())
    }
    for d in network.get("directs", ()):
        target = populations[d["population"]]
        rows = raster_of(d, n_steps, target.a_in.shape[0]).T
        RingBuffer(data=rows.astype(np.int32).copy()).s_out.connect(target.a_in)
    for p in network.get("projections", ()):
        pre = sources[p["pre"]] if p["pre"] in sources else populations[p["pre"]]
        post = populations[p["post"]]
        if is_wire(p):
            check_wire(p)
            pre.s_out.connect(post.a_in)
            continue
        process = connection(p)
        _shaped(pre.s_out, process.s_in.shape).connect(process.s_in)
        _shaped(process.a_out, post.a_in.shape).connect(post.a_in)
    return populations


def _run_batch(vectors: Sequence[Vector]) -> list[Trace]:
    """Run vectors side by side in one runtime of this process."""
    n_steps = max(int(v["n_steps"]) for v in vectors)
    networks = [_wire_up(v, n_steps) for v in vectors]
    outputs: list[Any] = []
    variables: list[Any] = []
    places: list[dict[str, dict[str, str]]] = []
    for vector, processes in zip(vectors, networks, strict=True):
        models = {p["name"]: p["model"] for p in vector["network"]["populations"]}
        place: dict[str, dict[str, str]] = {}
        for name, process in processes.items():
            place[name] = {"s": f"out_{len(outputs)}"}
            outputs.append(process.s_out)
            for register in MODELS[models[name]][2]:
                place[name][register] = f"var_{len(variables)}"
                variables.append(getattr(process, register))
        places.append(place)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npz"
        recorder, model = _recorder(outputs, variables, n_steps, path)
        config = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map={recorder: model})
        recorder.run(RunSteps(num_steps=n_steps), config)
        recorder.stop()
        with np.load(path) as file:
            rows = {name: file[name] for name in file.files}
    return [
        {
            name: {variable: rows_of(rows[key][: int(vector["n_steps"])])
                   for variable, key in variables.items()}
            for name, variables in place.items()
        }
        for vector, place in zip(vectors, places, strict=True)
    ]  # fmt: skip


def _batches(vectors: Sequence[Vector], most: int) -> Iterator[list[Vector]]:
    """Return the vectors in groups of at most so many processes."""
    group: list[Vector] = []
    count = 0
    for vector in vectors:
        network = vector["network"]
        needed = sum(len(network.get(k, ())) for k in
                     ("populations", "projections", "inputs", "directs"))  # fmt: skip
        if group and count + needed > most:
            yield group
            group, count = [], 0
        group.append(vector)
        count += needed
    if group:
        yield group


def run_many(
    vectors: Sequence[Vector], timeout: float = 300.0, side_by_side: int = SIDE_BY_SIDE,
    say: Callable[[str], None] = lambda text: None,
) -> list[Trace]:  # fmt: skip
    """Run vectors in Lava's runtime.

    Args:
        vectors: conformance vectors; only their networks are looked at.
        timeout: s for each runtime.
        side_by_side: processes of one runtime.
        say: told how far it is.

    Raises:
        RuntimeError: Lava failed or hung; says its last words.
        Unsupported: Lava has no meaning for something a vector says.
    """
    found: list[Trace] = []
    for group in _batches(vectors, side_by_side):
        found += _in_child(group, timeout)
        say(f"{len(found)} of {len(vectors)}")
    return found


def run(vector: Vector, timeout: float = 120.0) -> Trace:
    """Run one vector in Lava's runtime: population -> variable -> ``[step][neuron]``."""
    return run_many([vector], timeout)[0]


def _in_child(vectors: list[Vector], timeout: float) -> list[Trace]:
    """Run vectors in a Python of their own, and end it if it does not."""
    with tempfile.TemporaryDirectory(prefix="lava-oracle-") as folder:
        given, out = Path(folder) / "in.json", Path(folder) / "out.json"
        given.write_text(json.dumps(vectors, default=_plain), encoding="utf-8")
        prefix = f"lo{os.urandom(3).hex()}"
        path = os.pathsep.join([str(Path(__file__).resolve().parents[1]),
                                os.environ.get("PYTHONPATH", "")])  # fmt: skip
        # relative, because the socket Lava opens in there may have a path of 107 bytes at most
        environment = os.environ | {"PYTHONPATH": path, "TMPDIR": os.curdir}
        environment |= {k: "1" for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        said = Path(folder) / "said.txt"
        with said.open("wb") as stream:
            child = subprocess.Popen(
                [sys.executable, "-m", "oracles.lava_driver", str(given), str(out), prefix],
                cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=stream,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            why = ""
            try:
                child.wait(timeout)
            except subprocess.TimeoutExpired:
                why = f"did not end within {timeout:g} s"
            finally:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                for left in Path("/dev/shm").glob(prefix + "_*"):
                    left.unlink(missing_ok=True)
        if why or child.returncode or not out.is_file():
            last = said.read_text(encoding="utf-8", errors="replace").strip()[-3000:]
            raise RuntimeError(f"Lava {why or 'failed'}; its last words:\n{last}")
        return list(json.loads(out.read_text(encoding="utf-8")))


def _plain(value: Any) -> Any:
    """Return an array or a numpy number as JSON knows it."""
    return value.tolist()


def main(given: str, out: str, prefix: str = "lo") -> int:
    """Run the vectors of a file, side by side, and write what Lava did."""
    memory: Any = multiprocessing.shared_memory
    memory._SHM_NAME_PREFIX = "/" + prefix + "_"
    memory._SHM_SAFE_NAME_LENGTH = 30
    original = lava_runtime.target_fn

    def loud(*args: Any, **kwargs: Any) -> None:
        # Lava logs a traceback at INFO, which is hidden, and then often waits for ever
        try:
            original(*args, **kwargs)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            sys.stderr.flush()
            raise

    lava_runtime.target_fn = loud
    vectors = json.loads(Path(given).read_text(encoding="utf-8"))
    Path(out).write_text(json.dumps(_run_batch(vectors)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
