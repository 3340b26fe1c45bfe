"""The ledger: every rounding, clip and approximation that lowering made, printable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Entry:
    """What happened to one field of one population or projection.

    Args:
        where: population or projection.
        field: the profile's field (``weights``, ``vth``, ``du`` ...).
        values: how many numbers.
        rounded: how many changed by rounding.
        clipped: how many were cut to the range.
        max_error: largest absolute error, in the unit of the meant values.
        rms_error: root mean square of the error, same unit.
        unit: ``V``, ``V/step``, ``LSB``, ``steps`` ...
        headroom_bits: log2(largest allowed / largest used); inf where nothing is used.
        near_ties: values within 1e-12 of a rounding boundary, which another platform may round
            the other way.
    """

    where: str
    field: str
    values: int
    rounded: int
    clipped: int
    max_error: float
    rms_error: float
    unit: str
    headroom_bits: float
    near_ties: int = 0


@dataclass(frozen=True)
class TimeConstant:
    """A time constant as meant and as the integers realise it, s (mean over the population)."""

    where: str
    field: str
    meant: float
    realised: float


@dataclass(frozen=True)
class Headroom:
    """How far a register can go, in LSB, against its range.

    ``proved`` is True where the bound holds for every input; otherwise it holds as long as at most
    the stated fraction of the presynaptic neurons fire in every step.
    """

    where: str
    register: str
    bound: float
    limit: float
    proved: bool
    activity: float

    @property
    def bits(self) -> float:
        """log2(limit / bound): negative where the bound passes the limit."""
        if self.bound <= 0:
            return float("inf")
        return float(np.log2(self.limit / self.bound)) if self.limit > 0 else float("-inf")

    @property
    def sure(self) -> bool:
        """True where the register cannot overflow, whatever the input."""
        return self.proved and self.bound <= self.limit


@dataclass(frozen=True)
class Chosen:
    """The scale of one population that a calibration chose.

    Args:
        where: population.
        clip: largest weight over the largest that can be coded; above 1 some are cut.
        lsb: V, of v; of the coarsest neuron.
        correction: root mean square of what was added to its biases, V per step; None: nothing.
        candidates: how many scales were predicted for it, ``run`` how many of them were run.
        predicted: mean error of v by the laws, as a share of the threshold, of the one chosen.
        predicted_own: the same of the scale that is chosen without calibration.
    """

    where: str
    clip: float
    lsb: float
    correction: float | None
    candidates: int
    run: int
    predicted: float
    predicted_own: float

    @property
    def corrected(self) -> bool:
        """Whether biases were corrected."""
        return self.correction is not None


@dataclass(frozen=True)
class Calibrated:
    """What a calibration chose, and what it gained on its own inputs.

    Scores are (share of samples decided otherwise than in float, or None without a task; root mean
    square of the difference of spike counts to float, over all neurons and samples); less is
    better.

    Args:
        samples, n_steps: of the calibration inputs; ``runs`` of the emulator in all.
        chosen: one entry per population.
        score: of what was chosen, as coded in the end.
        own: of what is chosen without calibration; ``max_abs`` of the naive scale, None where
            the profile cannot express it.
        kept_own: True where nothing tried was better than without calibration.
    """

    samples: int
    n_steps: int
    runs: int
    chosen: tuple[Chosen, ...]
    score: tuple[float | None, float]
    own: tuple[float | None, float]
    max_abs: tuple[float | None, float] | None
    kept_own: bool = False

    def __str__(self) -> str:
        text = f"calibrated on {self.samples} sample(s) of {self.n_steps} steps, {self.runs} runs: "
        text += f"{_score(self.score)}; without {_score(self.own)}; max-abs "
        text += _score(self.max_abs) if self.max_abs is not None else "not expressible"
        lines = [text + ("; what is chosen without was kept" if self.kept_own else "")]
        for c in self.chosen:
            clip = f"cuts weights above {1 / c.clip:.3g} of the largest" if c.clip > 1 else "no cut"
            bias = "bias as it is"
            if c.correction is not None:
                bias = f"bias corrected by {c.correction:.3g} V/step rms"
            lines.append(
                f"  {c.where}: {clip}, {bias}; best of {c.candidates} ({c.run} run), predicted "
                f"error {100 * c.predicted:.3g} % (without {100 * c.predicted_own:.3g} %)"
            )
        return "\n  ".join(lines)


def _score(score: tuple[float | None, float]) -> str:
    shared = "" if score[0] is None else f"{100 * (1 - score[0]):.4g} % agree, "
    return f"{shared}count error {score[1]:.4g} spikes"


@dataclass(frozen=True)
class Ledger:
    """Everything that lowering changed; ``print(ledger)`` or ``str(ledger)`` for a table."""

    profile: str
    entries: tuple[Entry, ...] = ()
    time_constants: tuple[TimeConstant, ...] = ()
    headroom: tuple[Headroom, ...] = ()
    scales: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()
    approximations: tuple[str, ...] = ()
    calibrated: Calibrated | None = None

    @property
    def clipped(self) -> int:
        """How many numbers were cut to their range."""
        return sum(e.clipped for e in self.entries)

    @property
    def proved(self) -> bool:
        """True where no register can overflow, whatever spikes come in.

        Currents count as described; an input given at run time in place of a described one does
        not. A ledger without head-room proves nothing.
        """
        return bool(self.headroom) and all(h.sure for h in self.headroom)

    def __str__(self) -> str:
        lines = [f"Ledger for profile {self.profile}"]
        if self.scales:
            lines.append("  scale: " + ", ".join(f"{n} 1 LSB = {v:.4g} V" for n, v in self.scales))
        lines += _table(_ENTRY_HEAD, [_entry_row(e) for e in self.entries])
        lines += _table(
            ("where", "time constant", "meant", "realised", "error"),
            [
                (t.where, t.field, _ms(t.meant), _ms(t.realised), _percent(t))
                for t in self.time_constants
            ],
        )
        lines += _table(
            ("where", "register", "can reach", "range", "head-room", "holds"),
            [
                (h.where, h.register, f"{h.bound:.0f}", f"{h.limit:.0f}", _bits(h.bits), _holds(h))
                for h in self.headroom
            ],
        )
        if self.calibrated is not None:
            lines.append(f"  {self.calibrated}")
        lines += [f"  approximated: {a}" for a in self.approximations]
        lines += [f"  note: {n}" for n in self.notes]
        ties = sum(e.near_ties for e in self.entries)
        if ties:
            lines.append(f"  note: {ties} value(s) within 1e-12 of a rounding boundary")
        return "\n".join(lines)


_ENTRY_HEAD = (
    "where",
    "field",
    "values",
    "rounded",
    "clipped",
    "max error",
    "rms error",
    "unit",
    "head-room",
)


def _entry_row(e: Entry) -> tuple[str, ...]:
    counts = (str(e.values), str(e.rounded), str(e.clipped))
    errors = (f"{e.max_error:.3g}", f"{e.rms_error:.3g}")
    return (e.where, e.field, *counts, *errors, e.unit, _bits(e.headroom_bits))


def _bits(bits: float) -> str:
    return f"{bits:.2f} bit" if np.isfinite(bits) else "-"


def _holds(h: Headroom) -> str:
    if h.bound > h.limit:
        return f"OVERFLOWS if the worst {h.activity:.0%} of the sources fire on and on"
    if h.proved:
        return "for every input"
    if h.activity == 1.0:
        return "for 1,000 steps (or as noted), and currents as foreseen"
    return f"while at most {h.activity:.0%} of the sources fire at once"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.5g} ms" if np.isfinite(seconds) else "no leak"


def _percent(t: TimeConstant) -> str:
    if not np.isfinite(t.meant) or t.meant == 0:
        return "exact" if t.meant == t.realised else "-"
    if not np.isfinite(t.realised):
        return "leak lost"
    return f"{100 * (t.realised / t.meant - 1):+.3f} %"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    widths = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
    return [
        "  " + "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip()
        for r in [head, *rows]
    ]


def entry(
    where: str,
    field: str,
    meant: npt.ArrayLike,
    got: npt.ArrayLike,
    unit: str,
    clipped: int = 0,
    headroom_bits: float = float("inf"),
    near_ties: int = 0,
    tolerance: npt.ArrayLike = 0.0,
) -> Entry:
    """Build an entry from the meant and the realised values, in the same unit."""
    a, b = np.asarray(meant, np.float64).ravel(), np.asarray(got, np.float64).ravel()
    # equal infinities differ by nothing
    error = np.abs(np.subtract(b, a, out=np.zeros_like(a), where=a != b))
    finite = error[np.isfinite(error)]
    return Entry(
        where,
        field,
        int(a.size),
        int(np.sum(error > tolerance)),
        clipped,
        float(finite.max(initial=0.0)),
        float(np.sqrt(np.mean(finite**2))) if finite.size else 0.0,
        unit,
        headroom_bits,
        near_ties,
    )
