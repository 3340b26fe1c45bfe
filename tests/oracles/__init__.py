"""The peers, run live: each driver plays conformance vectors on the real thing.

Nothing in here imports neuro_lif, so that what a driver returns is the peer's word alone. A driver
knows the keys of the schema ``neuro-lif-conformance/1`` that its peer has a meaning for; any other
key, and any value it cannot hand to the peer as it stands, is an error and never ignored.

* ``lava_driver``: lava-nc 0.10.0, the runtime or its process models in this process
* ``nengo_driver``: nengo-loihi 1.1.0, the emulator or its compartments alone
* ``brian2_driver``: brian2_loihi 0.5.2
* ``nnmt_driver``: NNMT 1.3.0, for the theory; run by an interpreter of its own
* ``recorded``: vectors of the schema ``loihi-vectors/1`` in the new schema
* ``generate``: writes conformance vectors by running the peers
"""
