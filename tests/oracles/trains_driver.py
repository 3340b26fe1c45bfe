"""PySpike 0.9.0 and elephant 1.2.1 as peers of the metrics: JSON on standard input and output.

Run by the Python of .venv-trains, in a process of its own. Times in s, costs in 1/s.

    {"pairs": [{a, b, t_start, t_stop, cost, tau}, ...], "trains": [[...], ...],
     "groups": [{trains, t_start, t_stop, width}, ...]}
    ->  {"versions", "pairs": [{name: value}, ...], "trains": [{cv, lv}, ...],
         "groups": [{rates, correlations}, ...]}
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any


def _pair(case: dict[str, Any], peers: Any) -> dict[str, float]:
    neo, pq, pyspike, dissimilarity = peers
    edges = (case["t_start"], case["t_stop"])
    one, two = (pyspike.SpikeTrain(case[k], edges) for k in "ab")
    given = [neo.SpikeTrain(case[k], units="s", t_start=edges[0], t_stop=edges[1]) for k in "ab"]
    vp = dissimilarity.victor_purpura_distance(given, case["cost"] * pq.Hz, sort=False)
    vr = dissimilarity.van_rossum_distance(given, case["tau"] * pq.s, sort=False)
    return {
        "victor_purpura": float(vp[0, 1]),
        "van_rossum": float(vr[0, 1]),
        "isi_distance": float(pyspike.isi_distance(one, two)),
        "spike_distance": float(pyspike.spike_distance(one, two)),
        "spike_synchronization": float(pyspike.spike_sync(one, two)),
    }


def _group(case: dict[str, Any], neo: Any, pq: Any) -> dict[str, Any]:
    """Return the rates of some trains, and the correlations of their counts in bins."""
    from elephant.conversion import BinnedSpikeTrain
    from elephant.spike_train_correlation import correlation_coefficient
    from elephant.statistics import mean_firing_rate

    given = [neo.SpikeTrain(t, units="s", t_start=case["t_start"], t_stop=case["t_stop"])
             for t in case["trains"]]  # fmt: skip
    binned = BinnedSpikeTrain(given, bin_size=case["width"] * pq.s, tolerance=1e-8)
    return {
        "rates": [float(mean_firing_rate(t).rescale("Hz").magnitude) for t in given],
        "correlations": correlation_coefficient(binned).tolist(),
    }


def main() -> None:
    """Answer one document of cases."""
    warnings.simplefilter("ignore")
    import elephant
    import neo
    import numpy as np
    import pyspike
    import quantities as pq
    from elephant import spike_train_dissimilarity as dissimilarity
    from elephant.statistics import cv, lv

    given = json.load(sys.stdin)
    peers = (neo, pq, pyspike, dissimilarity)
    found = {
        "versions": f"elephant {elephant.__version__}, PySpike {pyspike.__version__}",
        "pairs": [_pair(case, peers) for case in given["pairs"]],
        "trains": [{"cv": float(cv(np.diff(t))), "lv": float(lv(np.diff(t)))}
                   for t in given["trains"]],
        "groups": [_group(case, neo, pq) for case in given.get("groups", ())],
    }  # fmt: skip
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
