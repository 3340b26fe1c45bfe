"""Somebody else's engine, held against the golden vectors.

    neuro-lif conformance --target examples/conformance/my_engine.py

It knows nothing of neuro_lif but the two exceptions: plain Python, one class with a `name` and a
`run`. It does Lava's LIF with dense all-to-all synapses and no more, and says so where it is asked
for something else.
"""

from neuro_lif.conformance import Refused, Unsupported

KNOWN = {"du", "dv", "vth", "bias_mant", "bias_exp"}


class MyEngine:
    name = "my engine"

    def run(self, vector):
        net, n_steps = vector["network"], vector["n_steps"]
        if vector["profile"] != "lava-0.10":
            raise Unsupported(f"profile {vector['profile']}")
        if len(net["populations"]) > 1 or net["projections"] or net["inputs"]:
            raise Unsupported("synapses")
        (population,) = net["populations"]
        if population["model"] != "lif":
            raise Unsupported(f"model {population['model']}")
        if unknown := population["params"].keys() - KNOWN:
            raise Refused(f"params: {sorted(unknown)} unknown")
        neurons = [
            Neuron({k: at(v, i) for k, v in population["params"].items()},
                   {k: at(v, i) for k, v in population["init"].items()}, net["enforce_ranges"])
            for i in range(population["size"])
        ]  # fmt: skip
        rows = {"u": [], "v": [], "s": []}
        for t in range(n_steps):
            arriving = [
                sum(d["raster"][t][i] for d in net["directs"] if t < len(d["raster"]))
                for i in range(len(neurons))
            ]
            rows["s"].append([n.step(a) for n, a in zip(neurons, arriving, strict=True)])
            rows["u"].append([n.u for n in neurons])
            rows["v"].append([n.v for n in neurons])
        wanted = vector["wanted"].get(population["name"], [])
        if missing := set(wanted) - rows.keys():
            raise Unsupported(f"variables {sorted(missing)}")
        return {population["name"]: {name: rows[name] for name in wanted}}


def at(value, i):
    """One value for all neurons, or one for each."""
    return value[i] if isinstance(value, list) else value


def wrap(x, bits):
    half = 1 << (bits - 1)
    return (x + half) % (2 * half) - half


def toward_zero(x, factor):
    return (abs(x) * abs(factor) >> 12) * (1 if x * factor >= 0 else -1)


class Neuron:
    def __init__(self, params, state, strict):
        self.du, self.dv = params.get("du", 4095), params.get("dv", 0)
        self.vth = params.get("vth", 131071)
        mantissa, exponent = params.get("bias_mant", 0), params.get("bias_exp", 0)
        for name, value, lo, hi in (
            ("du", self.du, 0, 4095), ("dv", self.dv, 0, 4095), ("vth", self.vth, 0, 131071),
            ("bias_mant", mantissa, -4096, 4095), ("bias_exp", exponent, 0, 7),
        ):  # fmt: skip
            if strict and not lo <= value <= hi:
                raise Refused(f"{name} = {value}, allowed: {lo}..{hi}")
        mantissa, exponent = wrap(mantissa, 16), wrap(exponent, 16)
        if abs(exponent) > 31:
            raise Unsupported("a shift by more than 31 bits")
        self.bias = mantissa << exponent if exponent >= 0 else mantissa >> -exponent
        self.bias = wrap(self.bias, 32)
        self.u, self.v = state.get("u", 0), state.get("v", 0)
        if strict and not -(2**23) <= self.u < 2**23:
            raise Refused(f"init u = {self.u}, allowed: 24 bits")
        if strict and not -(2**23) < self.v < 2**23:
            raise Refused(f"init v = {self.v}, allowed: 24 bits, symmetric")

    def step(self, arriving):
        u = wrap(toward_zero(self.u, 4095 - self.du) + wrap(wrap(arriving, 32) << 6, 32), 32)
        if u > 2**23:
            u -= 2**24
        elif u <= -(2**23):
            u += 2**24
        self.u = u
        v = wrap(toward_zero(self.v, 4096 - self.dv) + u + self.bias, 32)
        self.v = min(max(v, -(2**23) + 1), 2**23 - 1)
        if self.v > self.vth << 6:
            self.v = 0
            return 1
        return 0
