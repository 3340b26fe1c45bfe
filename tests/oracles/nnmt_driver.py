"""NNMT 1.3.0 as a peer of the theory: JSON cases on standard input, its numbers on standard output.

Run by the Python of .venv-nnmt, in a process of its own: NNMT comes under the GPL and is nowhere
imported beside the package. Numbers in and out are SI; complex ones come as [real, imaginary].

    {"neurons": [{mu, sigma, tau_m, tau_s, tau_r, V_th_rel, V_0_rel, omegas, j}, ...],
     "networks": [{J, K, ..., method}, ...]}  ->  {"version", "neurons": [...], "networks": [...]}
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

CELL = ("V_0_rel", "V_th_rel", "tau_m", "tau_r")


def _neuron(case: dict[str, Any], np: Any, delta: Any, exp: Any) -> dict[str, Any]:
    one = {k: np.array([v]) for k, v in case.items() if k not in ("omegas", "j")}
    white = {k: one[k] for k in ("mu", "sigma", *CELL)}
    coloured = {**white, "tau_s": one["tau_s"]}
    scalars = {k: case[k] for k in ("mu", "sigma", *CELL, "tau_s")}
    shift = exp._firing_rates_for_given_input(**coloured, method="shift")
    out = {
        "delta": delta._firing_rates_for_given_input(**white),
        "delta_slope": delta._derivative_of_firing_rates_wrt_mean_input(**white),
        "shift": shift,
        "taylor": exp._firing_rates_for_given_input(**coloured, method="taylor"),
        "taylor_slope": exp._derivative_of_firing_rates_wrt_mean_input(**coloured),
        "by_rate": exp._derivative_of_firing_rates_wrt_input_rate(**scalars, j=case["j"]),
        "cv": exp._cvs(shift, *(one[k] for k in ("mu", "sigma", "V_0_rel", "V_th_rel", "tau_m",
                                                   "tau_s"))),
    }  # fmt: skip
    found = {k: float(np.ravel(v)[0]) for k, v in out.items()}
    omegas = np.array(case["omegas"])
    for method in ("shift", "taylor"):
        values = np.ravel(exp._transfer_function(**coloured, omegas=omegas, method=method))
        found["transfer_" + method] = [[float(v.real), float(v.imag)] for v in values]
    return found


def _network(case: dict[str, Any], np: Any, exp: Any) -> list[float]:
    given = {k: np.array(v) if isinstance(v, list) else v for k, v in case.items()}
    return [float(rate) for rate in exp._firing_rates(**given)]


def main() -> None:
    """Answer one document of cases."""
    warnings.simplefilter("ignore")
    import nnmt
    import numpy as np
    from nnmt.lif import delta, exp

    given = json.load(sys.stdin)
    found = {
        "version": nnmt.__version__,
        "neurons": [_neuron(case, np, delta, exp) for case in given["neurons"]],
        "networks": [_network(case, np, exp) for case in given["networks"]],
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
