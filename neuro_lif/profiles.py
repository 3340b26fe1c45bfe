"""Which profile is meant, without importing the library that reads one before it is needed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from .profile_model import HardwareProfile


def is_profile(given: object) -> TypeGuard[HardwareProfile]:
    """Tell whether ``given`` is a hardware profile."""
    # where it was not imported, or another thread is about to, none is
    module = sys.modules.get(f"{__package__}.profile_model")
    kind = getattr(module, "HardwareProfile", None)
    return kind is not None and isinstance(given, kind)


def profile_of(given: HardwareProfile | str) -> HardwareProfile:
    """Return a profile, loaded where it is only named.

    Raises:
        ProfileError: no such profile.
    """
    if is_profile(given):
        return given
    from .profile import shared_profile

    name: Any = given
    return shared_profile(name)
