"""What theory says of LIF neurons: closed forms and rates under noise, in SI units.

Not imported by ``import neuro_lif``; arguments carry the field's names (those of NNMT): ``tau_m,
tau_s, tau_r`` in s, ``V_th_rel, V_0_rel`` (threshold and reset above the leak potential), ``mu,
sigma, J, J_ext`` in V, ``nu, nu_ext`` in Hz, in-degrees ``K, K_ext``. Every function takes arrays
that broadcast, checks them, and refuses with a :class:`neuro_lif.errors.RangeError`.
"""

from ...errors import ConvergenceError
from .derivatives import d_nu_d_mu, d_nu_d_nu_in, d_nu_d_sigma, d_nu_d_V_0, d_nu_d_V_th
from .deterministic import (
    convolution_solution,
    first_spike_time,
    grid_spikes,
    n1_euler,
    n1_exact,
    period,
    rate,
    spike_times,
    voltage,
)
from .discrete import (
    OVERSHOOT,
    Step,
    clocked_rate,
    decay_of_code,
    nu_dt,
    step_of,
    tau_eff,
    truncation_shift,
)
from .exponential import ALPHA, siegert_exp
from .fixed_point import WorkingPoint, solve_rates, working_point
from .inputs import mean_input, std_input
from .integers import IntegerStep, integer_step
from .irregularity import cv
from .populations import fixed_rate, stepped_rate
from .siegert import siegert
from .transfer import transfer_function

__all__ = [
    "ALPHA",
    "OVERSHOOT",
    "ConvergenceError",
    "IntegerStep",
    "Step",
    "WorkingPoint",
    "clocked_rate",
    "convolution_solution",
    "cv",
    "d_nu_d_V_0",
    "d_nu_d_V_th",
    "d_nu_d_mu",
    "d_nu_d_nu_in",
    "d_nu_d_sigma",
    "decay_of_code",
    "first_spike_time",
    "fixed_rate",
    "grid_spikes",
    "integer_step",
    "mean_input",
    "n1_euler",
    "n1_exact",
    "nu_dt",
    "period",
    "rate",
    "siegert",
    "siegert_exp",
    "solve_rates",
    "spike_times",
    "std_input",
    "step_of",
    "stepped_rate",
    "tau_eff",
    "transfer_function",
    "truncation_shift",
    "voltage",
    "working_point",
]
