"""Makes the files of this folder again with lava-dl 0.6.0; `make test` needs neither it nor this.

python make.py slayer   Python 3.11, torch 2.13.0 (CPU), h5py, lava-dl 0.6.0's files on the path:
                        NAME.net by lava-dl's own exporter, NAME.slayer.npz: the block's own states
python make.py netx     Python 3.10, lava-nc 0.10.0, h5py, lava-dl 0.6.0: NAME.netx.npz, what netx
                        makes of the file in Lava: spikes, u and v of every layer and step

What lava-dl imports but these runs do not use (cv2, torchvision; without torch, slayer) is stubbed.
Rows of ``slayer`` are 1 step earlier than Lava's where spikes come in from outside.
"""

import sys
import types
from pathlib import Path
from unittest.mock import MagicMock

import h5py
import numpy as np

HERE = Path(__file__).parent
STEPS = 40


# ------------------------------------------------------------------------ files by slayer


def slayer_files() -> None:
    for name in (
        "cv2",
        "torchvision",
        "torchvision.transforms",
        "lava.lib.dl.slayer.object_detection",
    ):
        sys.modules[name] = MagicMock()
    import torch
    from lava.lib.dl import slayer

    block = slayer.block.cuba
    rng = np.random.default_rng(7)
    base = {"threshold": 0.6, "current_decay": 0.25, "voltage_decay": 0.1}

    def seed(k):
        torch.manual_seed(k)

    def params(**changes):
        return base | changes

    def widen(blocks, gain=2.5):
        for b in blocks:
            for name in ("synapse", "input_synapse", "recurrent_synapse"):
                if hasattr(b, name) and getattr(b, name) is not None and not hasattr(b, "pooled"):
                    synapse = getattr(b, name)
                    if not isinstance(b, block.Pool):
                        synapse.weight.data *= gain

    def spikes(shape, p=0.3):
        return (rng.random((STEPS, *shape)) < p).astype(np.float32)

    def run(blocks, x):
        """Feed (T, *shape) through the blocks; return each layer's spikes, u and v, in LSB."""
        out, found = torch.tensor(np.moveaxis(x, 0, -1)[None]), {}
        with torch.no_grad():
            for i, b in enumerate(blocks):
                if (
                    isinstance(b, block.Flatten | block.Average)
                    or getattr(b, "neuron", None) is None
                ):
                    out = b(out)
                    continue
                log = []
                spike = b.neuron.spike
                dynamics = b.neuron.dynamics

                def listened(z, dynamics=dynamics, spike=spike, log=log):
                    u, v = dynamics(z)
                    s = spike(v)
                    log.append((u, v, s))
                    return s

                if isinstance(b, block.Affine):  # it sends v and never spikes
                    u, v = dynamics(b.synapse(out))
                    log.append((u, v, torch.zeros_like(v)))
                    out = v
                else:
                    b.neuron.forward = listened
                    out = b(out)
                    del b.neuron.forward
                u, v, s = (torch.cat([row[k] for row in log], -1)[0].numpy() for k in range(3))
                s = (s > 0).astype(np.int8)
                v = np.where(s > 0, 0, np.round(v * 4096))
                rows = (np.moveaxis(a, -1, 0) for a in (s, np.round(u * 4096), v))
                for what, rows_of in zip(("s", "u", "v"), rows, strict=True):
                    found[f"{what}/{i}"] = rows_of.astype(np.int32)
        found["out"] = np.moveaxis(out[0].numpy(), -1, 0)
        return found

    def write(name, blocks, x, extra=None):
        found = run(blocks, x)
        with h5py.File(HERE / f"{name}.net", "w") as file:
            for i, b in enumerate(blocks):
                if isinstance(b, block.Average):  # its own export asks for a neuron it has not
                    group = file.create_group(f"layer/{i}")
                    group.create_dataset("type", (1,), "S10", [b"average"])
                    group.create_dataset("shape", data=np.array([b.num_outputs, 1, 1]))
                else:
                    b.export_hdf5(file.create_group(f"layer/{i}"))
            file["simulation/Ts"] = 1
            file["simulation/tSample"] = STEPS
            if extra is not None:
                extra(file)
        np.savez_compressed(HERE / f"{name}.slayer.npz", input=x.astype(np.int16), **found)
        print(name, {k: int(v.sum()) for k, v in found.items() if k[0] == "s"})

    seed(1)
    blocks = [block.Dense(params(), 6, 9), block.Dense(params(threshold=0.9), 9, 4)]
    widen(blocks)
    write("dense", blocks, spikes((6,)))

    seed(2)
    blocks = [block.Conv(params(), 2, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2),
                         groups=2),
              block.Pool(params(threshold=1.2), (2, 2), weight_scale=1.25),
              block.Flatten(), block.Dense(params(), 4 * 2 * 2, 5)]  # fmt: skip
    widen(blocks)
    write("conv", blocks, spikes((2, 7, 6)))

    seed(3)
    blocks = [block.Input(params(voltage_decay=0.02), weight=0.75, bias=0.125),
              block.Conv(params(), 1, 3, 3, padding=1), block.Flatten(),
              block.Dense(params(), 3 * 4 * 5, 4)]  # fmt: skip
    widen(blocks)
    x = np.minimum(rng.integers(-2, 5, (STEPS, 1, 4, 5)), 3)  # slayer cuts what is above 3.97
    write("input", blocks, x.astype(np.float32))

    seed(4)
    blocks = [block.Recurrent(params(), 5, 7), block.Dense(params(), 7, 3)]
    widen(blocks)
    write("recurrent", blocks, spikes((5,)))

    seed(5)
    blocks = [block.Dense(params(), 5, 8, delay=True), block.Dense(params(), 8, 6, delay=True),
              block.Dense(params(threshold=0.25), 6, 3)]  # fmt: skip
    widen(blocks)
    for b, n in zip(blocks[:2], (8, 6), strict=True):
        b.delay.delay.data = torch.FloatTensor(rng.integers(0, 7, n))
        b.delay.init = True
    write("delay", blocks, spikes((5,)))

    seed(6)
    blocks = [
        block.Conv(params(), 2, 3, 3, delay=True),
        block.Flatten(),
        block.Dense(params(), 27, 4),
    ]
    widen(blocks)
    blocks[0].delay.delay.data = torch.FloatTensor([0, 4, 2])
    blocks[0].delay.init = True
    write("conv_delay", blocks, spikes((2, 5, 5)))

    seed(7)
    own = params(current_decay=(0.1, 0.4), voltage_decay=(0.0, 0.3), shared_param=False)
    blocks = [block.Dense(dict(own), 6, 9), block.Dense(dict(own), 9, 5)]
    widen(blocks)
    write("own_decays", blocks, spikes((6,)))
    blocks = [block.Conv(dict(own), 2, 3, 2), block.Flatten(), block.Dense(dict(own), 27, 5)]
    widen(blocks)
    # on a CPU slayer spreads the channels' decays along the width: 3 of each here
    write("own_decays_conv", blocks, spikes((2, 4, 4)))

    seed(8)  # sides that the kernel does not divide: slayer adds zeros at the end
    blocks = [block.Pool(params(threshold=3.5), 3), block.Flatten(), block.Dense(params(), 12, 6),
              block.Average(num_outputs=2)]  # fmt: skip
    widen(blocks)
    write("pool_across", blocks, spikes((2, 8, 7), 0.4))

    seed(11)
    blocks = [block.Pool(params(threshold=2.5), 2), block.Flatten(), block.Dense(params(), 24, 6),
              block.Average(num_outputs=2)]  # fmt: skip
    widen(blocks)
    write("pool_average", blocks, spikes((2, 5, 7), 0.4))

    seed(9)
    blocks = [block.Dense(params(), 6, 5), block.Affine(params(), 5, 4)]
    widen(blocks)
    write("affine", blocks, spikes((6,)))

    concat(block, widen, spikes, run, params, seed)


def concat(block, widen, spikes, run, params, seed) -> None:
    """A skip connection, which slayer's own blocks compute and nothing in lava-dl 0.6.0 exports."""
    import torch

    seed(10)
    first, second, last = (block.Dense(params(), 4, 6), block.Dense(params(), 6, 5),
                           block.Dense(params(), 11, 3))  # fmt: skip
    widen([first, second, last])
    x = spikes((4,))
    found = {}
    one = run([first], x)
    two = run([second], one["out"])
    three = run([last], np.concatenate([two["out"], one["out"]], axis=1))
    for i, made in ((0, one), (1, two), (3, three)):
        found |= {f"{w}/{i}": made[f"{w}/0"] for w in ("s", "u", "v")}
    with h5py.File(HERE / "concat.net", "w") as file:
        for i, b in ((0, first), (1, second), (3, last)):
            b.export_hdf5(file.create_group(f"layer/{i}"))
        group = file.create_group("layer/2")
        group.create_dataset("type", (1,), "S10", [b"concat"])
        group["shape"] = np.array([11])
        group["layers"] = np.array([0])
    np.savez_compressed(
        HERE / "concat.slayer.npz", input=x.astype(np.int16), out=three["out"], **found
    )
    print("concat", int(three["s/0"].sum()))
    assert torch is not None


# ------------------------------------------------------------- files by hand, and netx on all


def neuron(group, i_decay, v_decay, threshold, **more) -> None:
    group["neuron/type"] = np.bytes_("CUBA")
    group["neuron/iDecay"], group["neuron/vDecay"] = i_decay, v_decay
    group["neuron/vThMant"] = threshold
    for name, value in more.items():
        group[f"neuron/{name}"] = value


def hand_files() -> None:
    """Files with what today's exporter does not write: old fields, scalars, bias, 12 layers ..."""
    rng = np.random.default_rng(3)

    def even(*shape, low=-80, high=120):
        return (rng.integers(low // 2, high // 2, shape) * 2).astype(np.float32)

    with h5py.File(HERE / "bias.net", "w") as file:
        g = file.create_group("layer/0")
        g["type"], g["shape"] = np.bytes_("dense"), np.array([6])
        g["weight"], g["bias"] = even(6, 4), rng.integers(-20, 60, 6).astype(np.float32)
        neuron(g, 600, 200, 90, refDelay=1, theta=90 * 64, wgtExp=0, tauRho=1.0, scaleRho=1.0)
        g = file.create_group("layer/1")
        g["type"], g["shape"] = np.bytes_("dense"), np.array([3])
        g["weight"] = even(3, 6, low=2, high=40)
        g["bias"] = np.array([1.0, -2.0, 0.0])
        neuron(g, 4096, 0, 120)

    with h5py.File(HERE / "conv_bias.net", "w") as file:
        g = file.create_group("layer/0")
        g["type"], g["shape"] = np.bytes_("input"), np.array([2, 5, 4])
        g = file.create_group("layer/1")
        g["type"], g["shape"] = np.bytes_("conv"), np.array([3, 3, 4])
        g["weight"], g["bias"] = even(3, 2, 3, 1), np.array([4.0, -3.0, 9.0])
        g["stride"], g["padding"], g["dilation"], g["groups"] = 1, 0, 1, 1
        neuron(g, 1024, 128, 80)
        g = file.create_group("layer/2")
        g["type"], g["shape"] = np.bytes_("flatten"), np.array([36, 1, 1])
        g = file.create_group("layer/3")
        g["type"], g["shape"] = np.bytes_("dense"), np.array([4])
        g["weight"] = even(4, 36)

    with h5py.File(HERE / "deep.net", "w") as file:  # 12 layers: 10 and 11 sort after 9
        for i in range(12):
            g = file.create_group(f"layer/{i}")
            g["type"], g["shape"] = np.bytes_("dense"), np.array([3 + i % 2])
            g["weight"] = even(3 + i % 2, 4 - i % 2 if i else 4, low=10, high=200)
            neuron(g, 2048, 512, 60 + i)

    delays = {"scalar": 3, "inputs": rng.integers(0, 6, 5), "outputs": rng.integers(0, 70, 4)}
    for name, delay in delays.items():
        with h5py.File(HERE / f"delay_{name}.net", "w") as file:
            g = file.create_group("layer/0")
            g["type"], g["shape"] = np.bytes_("dense"), np.array([4])
            g["weight"], g["delay"] = even(4, 5), np.asarray(delay, np.float32)
            neuron(g, 700, 300, 100)

    with h5py.File(HERE / "delay_recurrent.net", "w") as file:
        g = file.create_group("layer/0")
        g["type"], g["shape"] = np.bytes_("dense_rec"), np.array([4])
        g["weight"], g["weight_rec"] = even(4, 4, low=-20, high=40), even(4, 4, low=-30, high=20)
        g["delay"] = np.array([0.0, 2.0, 5.0, 1.0])
        neuron(g, 700, 300, 100)

    for sign, low, high in (("excitatory", 0, 250), ("inhibitory", -250, -2)):
        with h5py.File(HERE / f"{sign}.net", "w") as file:
            g = file.create_group("layer/0")
            g["type"], g["shape"] = np.bytes_("dense"), np.array([5])
            weight = even(5, 6, low=low, high=high)
            weight[0, 0] = -256 if high < 0 else 254
            g["weight"] = weight
            g["bias"] = np.full(5, 30.0 if high < 0 else 0.0)
            neuron(g, 1000, 400, 300 if low >= 0 else 3)


def weight_codes() -> None:
    """What netx's optimize_weight_bits makes of matrices; null where it breaks down."""
    import json

    from lava.lib.dl.netx.utils import optimize_weight_bits

    rng = np.random.default_rng(11)
    found = []
    for k in range(120):
        low, high = [(-256, 256), (0, 256), (-256, 0), (-8, 8), (-400, 400), (0, 3)][k % 6]
        weight = rng.integers(low, high + 1, (3, 4)) // 2 ** (k % 4) * 2 ** (k % 4)
        weight = weight if k % 7 else np.minimum(weight, 0)
        try:
            coded, bits, exponent, _ = optimize_weight_bits(weight.copy())
            made = [coded.tolist(), bits, exponent]
        except (OverflowError, ValueError):
            made = None
        found.append([weight.tolist(), made])
    (HERE / "weight_codes.json").write_text(json.dumps(found))


RESET = 13


def netx_runs() -> None:
    slayer = types.ModuleType("lava.lib.dl.slayer")
    slayer.__path__ = []
    sub = types.ModuleType("lava.lib.dl.slayer.neuron")
    sub.__path__ = []
    rf = types.ModuleType("lava.lib.dl.slayer.neuron.rf")
    rf.neuron_params = None
    sys.modules |= {m.__name__: m for m in (slayer, sub, rf)}
    modules = types.ModuleType("lava.lib.dl.netx.sequential_modules")
    modules.__file__ = __file__
    sys.modules[modules.__name__] = modules
    from lava.lib.dl.netx.hdf5 import Network

    hand_files()
    weight_codes()
    names = sorted(p.stem for p in HERE.glob("*.net"))
    for name in sys.argv[2:] or names:
        try:
            arrays = {k: v for r in (None, RESET) for k, v in record(Network, name, r).items()}
        except Exception as error:
            print(f"{name}: netx does not run it: {type(error).__name__}: {str(error)[:150]}")
            continue
        np.savez_compressed(HERE / f"{name}.netx.npz", **arrays)
        print(name, {k: int(v.sum()) for k, v in arrays.items() if k.startswith("s/")})


def record(network, name, reset):
    """Run a file in Lava step by step; planes come back as (channels, height, width)."""
    rng = np.random.default_rng(sum(map(ord, name)))
    slayer = HERE / f"{name}.slayer.npz"
    prefix = "" if reset is None else "reset/"
    found = {}
    more = {} if reset is None else {"reset_interval": reset}
    if slayer.exists():
        more["input_shape"] = np.load(slayer)["input"].shape[:0:-1]
    whole = network(str(HERE / f"{name}.net"), **more)
    drives = whole.layers[0].__class__.__name__ == "Input"
    shape = whole.inp.shape
    if slayer.exists():
        x = np.load(slayer)["input"].astype(int)
    else:
        x = (rng.random((STEPS, *shape[::-1])) < 0.4).astype(int)
    found[prefix + "input"] = x.astype(np.int16)
    rows = np.array([r.transpose() for r in x])  # (W, H, C)
    for last in range(len(whole)):
        net = network(str(HERE / f"{name}.net"), **more)
        if last < len(whole) - 1:
            net = network(str(HERE / f"{name}.net"), num_layers=cut(name, last), **more)
        sent, us, vs = one_run(net, rows, drives)
        found[f"{prefix}s/{last}"] = planes(sent, np.int8)
        if last == len(whole) - 1:
            for k in range(len(whole)):
                found[f"{prefix}u/{k}"] = planes(us[k], np.int32)
                found[f"{prefix}v/{k}"] = planes(vs[k], np.int32)
    return found


def cut(name, last) -> int:
    """How many layers of the file make ``last + 1`` layers with neurons."""
    with h5py.File(HERE / f"{name}.net", "r") as file:
        count = 0
        for i in range(len(file["layer"])):
            kind = file[f"layer/{i}/type"]
            text = (kind[0] if kind.shape else kind[()]).decode()
            count += text in ("dense", "dense_rec", "conv") or (
                text == "input" and "neuron" in file[f"layer/{i}"])  # fmt: skip
            if count == last + 1:
                return i + 1
    raise ValueError(name)


def planes(rows, dtype):
    return np.array([np.asarray(r).transpose() for r in rows]).astype(dtype)


def one_run(net, rows, drives):
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source

    sink = Sink(shape=net.out.shape, buffer=len(rows))
    net.out.connect(sink.a_in)
    if not drives:
        source = Source(data=np.moveaxis(rows, 0, -1).astype(np.int32))
        source.s_out.connect(net.inp)
    us, vs = [[] for _ in net.layers], [[] for _ in net.layers]
    with h5py.File(net.filename, "r") as file:
        weight = int(np.ravel(file["layer/0/weight"][()])[0]) if drives else 0
        bias = int(np.ravel(file["layer/0/bias"][()])[0]) if drives else 0
    config = Loihi2SimCfg(select_tag="fixed_pt")
    try:
        if drives:
            net.layers[0].neuron.bias_mant.init = (weight * rows[0] + bias).astype(np.int32)
        for t in range(len(rows)):
            if drives and t:
                net.layers[0].neuron.bias_mant.set((weight * rows[t] + bias).astype(np.int32))
            net.run(condition=RunSteps(num_steps=1), run_cfg=config)
            for k, layer in enumerate(net.layers):
                us[k].append(layer.neuron.u.get().copy())
                vs[k].append(layer.neuron.v.get().copy())
        sent = np.moveaxis(sink.data.get(), -1, 0)
    finally:
        net.stop()
    return sent, us, vs


if __name__ == "__main__":
    {"slayer": slayer_files, "netx": netx_runs}[sys.argv[1]]()
