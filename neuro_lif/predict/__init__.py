"""What becoming integers costs, predicted: error formulas, rates, and proofs of equal spikes."""

from .identity import certify_spikes
from .verdict import REASONS, NeuronVerdicts, SpikeCertificate

__all__ = ["REASONS", "NeuronVerdicts", "SpikeCertificate", "certify_spikes"]
