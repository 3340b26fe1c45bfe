"""Writes conformance vectors by running a peer.

    PYTHONPATH=tests python -m oracles.generate lava OUT.json --count 700 --seed 1
    PYTHONPATH=tests python -m oracles.generate lava OUT.json --count 160 --seed 2 --more

The networks are drawn at random, in turn from the templates of ``draw_<peer>``, and kept where what
the peer did with them exercises a rule; the flags are what ``flags`` finds in its answer. Then come
the vectors of ``named``: upstream bugs, corners, and questions asked of all peers. The same seed
gives the same file. With ``--more`` there are random ones only, of networks that no other shipped
file has, and only such as expect something other than 0; their names tell the seed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import named
from .schema import SCHEMA, Trace, Vector

SHIPPED = Path(__file__).resolve().parents[2] / "neuro_lif" / "conformance" / "data"
LONGEST = 2600
"""Characters of one vector; longer ones are drawn again, so that the files stay small."""
UNTOLD = {"a_in"}
DULL = {"source_latency", "recurrent_latency", "direct_input", "sparse", "several_blocks", "bias",
        "fan_in", "sign_mode_mixed", "sign_mode_excitatory", "sign_mode_inhibitory"}  # fmt: skip
"""Flags that nearly every network has: one of these alone is no reason to keep a vector."""


class Peer:
    """How one peer is drawn from, run and looked at."""

    name: str
    short: str
    patience = 20
    """Draws for each vector wanted before one that shows nothing rare is kept as well."""
    templates: Sequence[tuple[int, Callable[[np.random.Generator], Vector]]]

    def run(self, vectors: list[Vector]) -> list[Trace]:
        """Run vectors on the real peer."""
        raise NotImplementedError

    def quick(self, vector: Vector) -> Trace:
        """Run one vector the quickest way, to choose by."""
        return self.run([vector])[0]

    def flags(self, vector: Vector, trace: Trace) -> set[str]:
        """Return what a vector exercises."""
        raise NotImplementedError


class Lava(Peer):
    """lava-nc: chosen by its models in this process, expectations from its runtime."""

    name, short = "lava-nc", "lava"

    def __init__(self) -> None:
        from . import draw_lava, flags, lava_driver

        self.driver, self.templates, self.found = lava_driver, draw_lava.TEMPLATES, flags.lava_flags

    def run(self, vectors: list[Vector]) -> list[Trace]:
        return self.driver.run_many(vectors, say=say)

    def quick(self, vector: Vector) -> Trace:
        return self.driver.run_direct(vector, arriving=True)

    def flags(self, vector: Vector, trace: Trace) -> set[str]:
        return self.found(vector, self.quick(vector))


class Nengo(Peer):
    """nengo-loihi."""

    name, short = "nengo-loihi", "nengo"

    def __init__(self) -> None:
        from . import draw_nengo, flags, nengo_driver

        self.driver, self.templates = nengo_driver, draw_nengo.TEMPLATES
        self.found = flags.nengo_flags

    def run(self, vectors: list[Vector]) -> list[Trace]:
        return [self.driver.run(v) for v in vectors]

    def flags(self, vector: Vector, trace: Trace) -> set[str]:
        return self.found(vector, trace, self.driver.overflows(vector))


class Brian2(Peer):
    """brian2_loihi."""

    name, short, patience = "brian2_loihi", "brian2", 2

    def __init__(self) -> None:
        from . import brian2_driver, draw_brian2, flags

        self.driver, self.templates = brian2_driver, draw_brian2.TEMPLATES
        self.found = flags.brian2_flags

    def run(self, vectors: list[Vector]) -> list[Trace]:
        return self.driver.run_many(vectors)

    def flags(self, vector: Vector, trace: Trace) -> set[str]:
        return self.found(vector, trace)


PEERS: dict[str, type[Peer]] = {"lava": Lava, "nengo": Nengo, "brian2": Brian2}


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


def shown(trace: Trace) -> Trace:
    """Return what an expectation states of a run."""
    return {
        name: {k: rows for k, rows in variables.items() if k not in UNTOLD}
        for name, variables in trace.items()
    }


def compact(value: Any) -> str:
    """Return JSON without a needless character."""
    return json.dumps(value, separators=(",", ":"))


def worth(vector: Vector, trace: Trace, flags: set[str]) -> bool:
    """Tell whether a vector exercises something, and is not too long."""
    if not flags - DULL:
        return False
    sent = sum(x != 0 for v in trace.values() for row in v["s"] for x in row)
    moved = sum(
        x != 0 for v in trace.values() for k, rows in v.items() if k != "s" for row in rows
        for x in row
    )  # fmt: skip
    if not (sent or moved > 4):
        return False
    return len(compact(vector | {"expect": shown(trace)})) <= LONGEST


def alive(trace: Trace) -> bool:
    """Tell whether an expectation has a value other than 0."""
    return any(x for v in shown(trace).values() for rows in v.values() for row in rows for x in row)


def question_of(vector: Vector) -> str:
    """Return what tells one network with its input and profile from another."""
    return json.dumps([vector[k] for k in ("profile", "network", "n_steps")], sort_keys=True)


def shipped(leave_out: Path) -> set[str]:
    """Return the questions of the shipped files, but for one that is written anew."""
    return {
        question_of(vector)
        for path in sorted(SHIPPED.glob("*.json"))
        if path.name != leave_out.name
        for vector in json.loads(path.read_text(encoding="utf-8"))["vectors"]
    }


def draw(peer: Peer, count: int, seed: int, known: set[str] | None = None) -> list[Vector]:
    """Return vectors drawn from the templates in turn, without expectations.

    Args:
        peer: who is asked.
        count: how many are wanted.
        seed: of the draws.
        known: questions not to ask again; given, the vectors expect something other than 0.
    """
    rng = np.random.default_rng(seed)
    shares = np.array([share for share, _ in peer.templates], float)
    goal = np.floor(shares / shares.sum() * count).astype(int)
    goal[: count - goal.sum()] += 1
    kept: list[Vector] = []
    for (_, template), number in zip(peer.templates, goal.tolist(), strict=True):
        seen: Counter[str] = Counter()
        wanted, tried, patience = number, 0, peer.patience * number
        while wanted and tried < 3 * patience + 60:
            many = [template(rng) for _ in range(max(2 * wanted, 10))]
            tried += len(many)
            traces = peer.run(many) if peer.short == "brian2" else [peer.quick(v) for v in many]
            for vector, trace in zip(many, traces, strict=True):
                flags = peer.flags(vector, trace)
                # later in a template, only what shows something its first ones did not show often
                common = all(seen[f] > number // 2 for f in flags)
                if known is not None and (not alive(trace) or question_of(vector) in known):
                    continue
                if wanted and worth(vector, trace, flags) and (not common or tried > patience):
                    if known is not None:
                        known.add(question_of(vector))
                    vector["flags"] = sorted(flags)
                    seen.update(flags)
                    kept.append(vector)
                    wanted -= 1
    for k, vector in enumerate(kept, 1):
        series = "random" if known is None else f"random{seed}"
        vector["id"] = f"{peer.short}.{series}.{k:04d}"
    return kept


def generate(short: str, count: int, seed: int, known: set[str] | None = None) -> dict[str, Any]:
    """Return a file of vectors of one peer; see ``draw``."""
    peer = PEERS[short]()
    vectors = draw(peer, count, seed, known)
    if known is None:
        more = (*named.upstream(), *named.corners(), *named.questions())
        vectors += [v for v in more if v["peer"] == peer.name]
    for vector, trace in zip(vectors, peer.run(vectors), strict=True):
        vector["flags"] = sorted(peer.flags(vector, trace) | set(vector["flags"]))
        vector["expect"] = shown(trace)
    about = (
        f"What {peer.name} {vectors[0]['peer_version']} did with small networks: drawn at random "
        f"(seed {seed})" + (", from bug reports, and questions also asked of the other peers."
                            if known is None else ".")
    )  # fmt: skip
    return {"schema": SCHEMA, "about": about, "vectors": vectors}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Write conformance vectors by running a peer.")
    parser.add_argument("peer", choices=sorted(PEERS))
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=200, help="random vectors (default: 200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--more", action="store_true", help="random ones only, none shipped yet")
    options = parser.parse_args(arguments)
    known = shipped(options.out) if options.more else None
    data = generate(options.peer, options.count, options.seed, known)
    lines = ",\n".join(compact(v) for v in data["vectors"])
    head = compact({k: v for k, v in data.items() if k != "vectors"})[:-1]
    options.out.write_text(f'{head},"vectors":[\n{lines}\n]}}\n', encoding="utf-8")
    flags = Counter(flag for v in data["vectors"] for flag in v["flags"])
    size = options.out.stat().st_size
    print(f"{len(data['vectors'])} vectors, {size} bytes, {len(flags)} flags")
    print(", ".join(f"{flag} {n}" for flag, n in sorted(flags.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
