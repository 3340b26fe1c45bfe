"""Load .nir files in frameworks and run them: ``run_files.py FOLDER``.

Each NAME-SEED.nir in the folder has NAME-SEED.npz with "input" and "dt"; NAME is the framework.
What it gave goes to NAME-SEED.out.npz ("output": (n_steps, *shape)), or the reason why there is
nothing to NAME-SEED.out.txt.
"""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import numpy as np


def in_snntorch(graph: Any, inputs: Any, dt: float) -> Any:
    """import_from_nir: its step is 1e-4, its layers hold their states."""
    import torch
    from snntorch.import_nir import import_from_nir

    net, state, out = import_from_nir(graph), None, []
    for row in torch.from_numpy(inputs):
        # its Flatten has NIR's axes, which do not count the batch: so there is none
        y = net(row, state) if state is not None else net(row)
        y, state = y if isinstance(y, tuple) else (y, None)
        out.append(y.detach().numpy().copy())
    return np.stack(out)


def in_norse(graph: Any, inputs: Any, dt: float) -> Any:
    """from_nir."""
    import norse.torch as norse
    import torch

    net, state, out = norse.from_nir(graph, ignore_warnings=True, dt=dt), None, []
    for row in torch.from_numpy(inputs):
        y, state = net(row, state)
        out.append(y.detach().numpy().copy())
    return np.stack(out)


def in_sinabs(graph: Any, inputs: Any, dt: float) -> Any:
    """from_nir; all steps at once, as a batch."""
    import sinabs.nir
    import torch

    net = sinabs.nir.from_nir(graph, batch_size=1)
    y = net(torch.from_numpy(inputs))
    return (y[0] if isinstance(y, tuple) else y).detach().numpy().copy()


def in_spikingjelly(graph: Any, inputs: Any, dt: float) -> Any:
    """import_from_nir; the state is handed on."""
    import torch
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    net, state, out = import_from_nir(graph, dt=dt), None, []
    for row in torch.from_numpy(inputs):
        y, state = net(row[None], state)
        out.append(y[0].detach().numpy().copy())
    return np.stack(out)


def in_rockpool(graph: Any, inputs: Any, dt: float) -> Any:
    """from_nir; all steps at once, each layer with the step that the import finds for it."""
    import torch
    from rockpool.nn.modules.torch.nir import from_nir

    y = from_nir(graph)(torch.from_numpy(inputs)[None])
    return (y[0] if isinstance(y, tuple) else y).detach().numpy()[0].copy()


def in_spyx(graph: Any, inputs: Any, dt: float) -> Any:
    """from_nir; channels are its last axis."""
    import jax.numpy as jnp
    from spyx.nir import from_nir

    x = np.moveaxis(inputs, 1, -1) if inputs.ndim == 4 else inputs
    _, y = from_nir(graph, jnp.asarray(x)[:, None], dt)
    y = np.asarray(y)[:, 0]
    return np.moveaxis(y, -1, 1) if y.ndim == 4 else y


RUNNERS: dict[str, Callable[[Any, Any, float], Any]] = {
    "snntorch": in_snntorch,
    "norse": in_norse,
    "sinabs": in_sinabs,
    "spikingjelly": in_spikingjelly,
    "rockpool": in_rockpool,
    "spyx": in_spyx,
}


def main(folder: Path) -> None:
    """Run all files of the folder; a framework that is not installed is named once."""
    warnings.simplefilter("ignore")
    missing: set[str] = set()
    for path in sorted(folder.glob("*.nir")):
        framework = path.stem.partition("-")[0]
        graph = nir.read(path)  # with its checks of types and structure
        if framework in missing:
            continue
        with np.load(path.with_suffix(".npz")) as found:
            inputs, dt = found["input"], float(found["dt"])
        try:
            y = RUNNERS[framework](copy.deepcopy(graph), inputs, dt)
        except ModuleNotFoundError as error:
            missing.add(framework)
            (folder / f"{framework}.missing").write_text(str(error))
            continue
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            path.with_suffix(".out.txt").write_text(reason)
            continue
        np.savez_compressed(path.with_suffix(".out.npz"), output=y)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
