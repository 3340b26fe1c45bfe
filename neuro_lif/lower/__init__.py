"""The passes from a stepped network to integers; :func:`neuro_lif.quantize` runs them in order."""
