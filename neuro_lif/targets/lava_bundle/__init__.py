"""What runs inside Lava's interpreter: copied into every exported folder, and only run there.

Nothing here may import more than lava-nc brings (numpy, scipy) and the integer rules beside it.
"""

FORMAT = "neuro-lif-lava/2"
"""What ``network.npz`` calls itself."""
