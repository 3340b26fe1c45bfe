"""SteppedNetwork -> FixedNetwork: chooses the scales and codes every number in the chip's integers.

A coding is an explicit row of passes, each a pure function from one draft to the next; what a
profile cannot express is refused by name, or approximated where the caller asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import entries
from .discretize import SteppedNetwork
from .errors import LoweringError, RangeError, show
from .fixed import FixedNetwork
from .ledger import Ledger
from .profiles import profile_of
from .stimulate import Inputs, steps_of
from .task import Task

if TYPE_CHECKING:
    from .lower.draft import Options
    from .profile_model import HardwareProfile

__all__ = ["quantize"]


def quantize(
    stepped: SteppedNetwork,
    profile: HardwareProfile | str,
    *,
    coding: str = "own",
    approximate: Iterable[str] = (),
    weight_bits: int | None = None,
    n_steps: int | None = None,
    gain_compensation: bool = True,
    proved: bool = False,
    calibrate: Inputs | Task | None = None,
    granularity: str | None = None,
    rounding: str = "nearest",
    rounding_seed: int = 0,
    scaling: str = "own",
    bias_correction: bool | None = None,
    headroom: str = "sources",
    progress: Callable[[int, int], None] | None = None,
) -> FixedNetwork:
    """Code a stepped network in a chip's integers.

    Alpha and bi-exponential synapses, and further synaptic time constants of one population, become
    filter stages where the profile has a model for them: populations of their own in the result,
    and in what is recorded of it.

    Args:
        stepped: from :func:`neuro_lif.discretize`.
        profile: a profile, or the name of a shipped one.
        coding: one of :data:`neuro_lif.CODINGS`: our own, or a peer's, which gives that peer's
            integers and takes neither weight_bits nor gain_compensation nor proved.
        approximate: names of :data:`neuro_lif.APPROXIMATIONS` that are allowed.
        weight_bits: bits of the weight mantissa; absent means the profile's.
        n_steps: a current input that has no end of its own (a sinusoid) is coded ahead for so many
            steps; None: as a run goes, as is what is random or long, for runs of any length. Where
            v hardly leaks, its head-room is for so many steps, else for 1,000.
        gain_compensation: rescale weights and bias so that rounding the decays changes only the
            time constants, not the steady state.
        proved: choose only scales at which no input whatever can overflow a register, even where
            that costs resolution.
        calibrate: inputs of samples the network is meant for, as of :func:`neuro_lif.run_clocked`,
            or a :class:`~neuro_lif.task.Task` with them: scales are chosen by running candidates on
            them, see :mod:`neuro_lif.calibrate`. Take training samples, never those that judge.
            ``{}`` where the network describes all its inputs; ``n_steps`` is then how long to run.
        granularity: what has a resolution of its own, of
            :data:`neuro_lif.lower.draft.GRANULARITIES`: ``"global"``, ``"projection"`` (None: the
            same), ``"sign"`` or ``"neuron"``.
        rounding: of weights, of :data:`neuro_lif.lower.rounding.ROUNDINGS`: ``"nearest"``,
            ``"floor"``, ``"toward_zero"`` or ``"stochastic"`` (a function of ``rounding_seed``, the
            projection and the two neurons).
        rounding_seed: of stochastic rounding, 0..2**32 - 1.
        scaling: how scales are chosen without calibration: ``"own"`` or ``"max_abs"``, the largest
            weight at the largest code, as other tools do.
        bias_correction: add to every bias what rounding takes from the mean input and from v on the
            calibration inputs: True, False, or None: where it makes their runs better.
        headroom: what the registers keep room for at least, of
            :data:`neuro_lif.lower.draft.HEADROOMS`: ``"sources"``, 1 % of them firing in every
            step, or ``"samples"``: for v, four times as far as it goes on the calibration inputs.
            That is finer where inhibition and excitation balance, and no bound for other inputs.
        progress: of a calibration: called with (runs done, runs in all).

    Returns:
        A new FixedNetwork with its :class:`~neuro_lif.ledger.Ledger`.

    Raises:
        LoweringError: the profile cannot express something; names it and what to do.
        RangeError: an argument is not valid.
    """
    # here, because whoever only runs networks does without the passes
    from .codings import approximations_of, coding_of
    from .lower.draft import Draft

    options = {
        "weight_bits": (weight_bits, None),
        "gain_compensation": (gain_compensation, True),
        "proved": (proved, False),
        "calibrate": (calibrate, None),
        "granularity": (granularity, None),
        "rounding": (rounding, "nearest"),
        "rounding_seed": (rounding_seed, 0),
        "scaling": (scaling, "own"),
        "bias_correction": (bias_correction, None),
        "headroom": (headroom, "sources"),
    }
    chosen = coding_of(coding, **{k: v for k, (v, usual) in options.items() if _other(v, usual)})
    given: Any = stepped
    if not isinstance(given, SteppedNetwork):
        raise RangeError(f"stepped = {show(given)}, allowed: a SteppedNetwork, from discretize()")
    asked = _options(granularity, rounding, rounding_seed, scaling, headroom)
    _check_calibration(calibrate, scaling, bias_correction, progress)
    if headroom == "samples" and (calibrate is None or proved):
        raise RangeError("headroom = 'samples', allowed: with calibrate=inputs, and without proved")
    profile = profile_of(profile)
    if n_steps is not None:
        n_steps = steps_of(n_steps, {})
    allowed, bits = approximations_of(approximate), _bits(profile, weight_bits)
    parts, notes = _parts(stepped, asked)
    start = Ledger(profile.name, notes=(*stepped.notes, *notes))
    draft = Draft(parts, profile, allowed, bits, n_steps, gain_compensation, proved, ledger=start,
                  options=asked)  # fmt: skip
    passes = chosen.passes
    if calibrate is not None:
        from .calibrate import code_calibrated

        code = partial(code_calibrated, stepped=stepped, samples=calibrate,
                       bias_correction=bias_correction, progress=progress)  # fmt: skip
        passes = (*passes[:-1], code)
    try:
        with np.errstate(over="raise"):
            for step in passes:
                draft = step(draft)
    except FloatingPointError:
        raise LoweringError(_too_large(stepped)) from None
    if draft.fixed is None:
        raise LoweringError("no pass produced a network")
    return replace(draft.fixed, ledger=draft.ledger)


def _other(value: Any, usual: Any) -> bool:
    """Tell whether an option was given another value than its default."""
    same = value is usual or (isinstance(value, (str, int)) and value == usual)
    return not same


def _parts(stepped: SteppedNetwork, asked: Options) -> tuple[SteppedNetwork, tuple[str, ...]]:
    """Return the network as it is lowered, and what the ledger says of that."""
    from .lower.granularity import split_signs

    told = _told(asked)
    if asked.granularity != "sign":
        return stepped, told
    parts = split_signs(stepped)
    kept = {q.name for q in parts.projections}
    split = [q.name for q in stepped.projections if q.name not in kept]
    text = f"weights of both signs become two projections, __exc and __inh: {', '.join(split)}"
    return parts, (*told, text) if split else told


def _told(asked: Options) -> tuple[str, ...]:
    """Return what the ledger says of options that are not the usual ones (not of ``sign``)."""
    rounding = f"rounding {asked.rounding}"
    if asked.rounding == "stochastic":
        rounding += f" (rounding_seed {asked.seed})"
    wanted = (
        (asked.granularity in ("global", "neuron"), f"granularity {asked.granularity}"),
        (asked.rounding != "nearest", rounding),
        (asked.scaling != "own", f"scaling {asked.scaling}"),
        (asked.headroom != "sources", f"head-room for {asked.headroom}"),
    )
    text = ", ".join(t for there, t in wanted if there)
    return (f"asked for: {text}",) if text else ()


def _options(granularity: Any, rounding: Any, seed: Any, scaling: Any, room: Any) -> Options:
    """Return what is asked of scales and weights; refuse what there is not."""
    from .draws import WORD
    from .lower.draft import GRANULARITIES, HEADROOMS, SCALINGS, Options
    from .lower.rounding import ROUNDINGS

    asked = (
        ("granularity", granularity, GRANULARITIES),
        ("rounding", rounding, ROUNDINGS),
        ("scaling", scaling, SCALINGS),
        ("headroom", room, HEADROOMS),
    )
    for name, value, known in asked:
        usual = name == "granularity" and value is None
        if not usual and (not isinstance(value, str) or value not in known):
            raise RangeError(f"{name} = {show(value)}, allowed: {', '.join(known)}")
    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if not whole or not 0 <= seed <= WORD:
        raise RangeError(f"rounding_seed = {show(seed)}, allowed: a whole number 0..2**32 - 1")
    return Options(granularity or "projection", rounding, int(seed), scaling, room)


def _check_calibration(calibrate: Any, scaling: str, correction: Any, progress: Any) -> None:
    """Refuse a calibration that is none."""
    if calibrate is not None and not isinstance(calibrate, (Mapping, Task)):
        raise RangeError(f"calibrate = {show(calibrate)}, allowed: input name -> array, or a Task")
    if calibrate is not None and scaling != "own":
        raise RangeError(f"scaling = {scaling!r} with calibrate, which chooses the scales, "
                         "allowed: 'own'")  # fmt: skip
    if correction is not None and not isinstance(correction, (bool, np.bool_)):
        raise RangeError(f"bias_correction = {show(correction)}, allowed: True, False or None")
    if correction and calibrate is None:
        raise RangeError("bias_correction = True without calibrate, whose spikes it is made from, "
                         "allowed: with calibrate=inputs")  # fmt: skip
    if progress is not None and not callable(progress):
        raise RangeError(f"progress = {show(progress)}, allowed: a function of (runs done, runs "
                         "in all), or None")  # fmt: skip


def _too_large(stepped: SteppedNetwork) -> str:
    """Name the projection whose weights are the largest: numbers on the way left a float."""
    most = {p.name: float(np.abs(entries(p.weights)).max(initial=0)) for p in stepped.projections}
    name = max(most, key=lambda p: most[p], default="")
    where = f"projection {name!r}: weights up to {most[name]:.3g}" if most else "the network"
    return (
        f"{where}: numbers this large leave a float64 while scales are chosen, allowed: weights "
        "that a chip can be lowered to (are they in SI units?)"
    )


def _bits(profile: HardwareProfile, bits: int | None) -> int:
    if bits is None:
        return profile.weights.default_bits
    whole = isinstance(bits, (int, np.integer)) and not isinstance(bits, bool)
    if not whole or not 1 <= bits <= profile.weights.mantissa_bits:
        top = profile.weights.mantissa_bits
        raise RangeError(f"weight_bits = {bits!r}, allowed: 1..{top} ({profile.name})")
    return int(bits)
