"""Files that come in and go out."""

from .toml import load_network, save_network

__all__ = ["load_network", "save_network"]
