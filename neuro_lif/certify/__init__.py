"""Says before a run whether a network of integers can overflow, or gives inputs that make it."""

from .certificate import Certificate, Place
from .decide import certify
from .trial import Witness

__all__ = ["Certificate", "Place", "Witness", "certify"]
