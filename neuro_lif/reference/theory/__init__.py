"""What theory says of LIF neurons: closed forms and rates under noise, in SI units.

Not imported by ``import neuro_lif``; arguments carry the field's names (those of NNMT): ``tau_m,
tau_s, tau_r`` in s, ``V_th_rel, V_0_rel`` (threshold and reset above the leak potential), ``mu,
sigma, J, J_ext`` in V, ``nu, nu_ext`` in Hz, in-degrees ``K, K_ext``. Every function takes arrays
that broadcast, checks them, and refuses with a :class:`neuro_lif.errors.RangeError`.
"""

from .derivatives import d_nu_d_mu, d_nu_d_nu_in, d_nu_d_sigma, d_nu_d_V_0, d_nu_d_V_th
from .exponential import ALPHA, siegert_exp
from .irregularity import cv
from .siegert import siegert

__all__ = [
    "ALPHA",
    "cv",
    "d_nu_d_V_0",
    "d_nu_d_V_th",
    "d_nu_d_mu",
    "d_nu_d_nu_in",
    "d_nu_d_sigma",
    "siegert",
    "siegert_exp",
]
