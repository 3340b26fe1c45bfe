"""The commands of the ``neuro-lif`` program, one module each."""
