"""Reading netx files: old fields, scalars, order of layers; wrong and hostile ones are told."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuro_lif import netx
from neuro_lif.errors import FileFormatError, LoweringError, NeuroLifError, RangeError

h5py = pytest.importorskip("h5py")
FILES = Path(__file__).parent / "data" / "netx"


def build(path: Path, change: Callable[[Any], None] | None = None) -> Path:
    """Write a small file of an input, a convolution, a flatten and two dense layers."""
    with h5py.File(path, "w") as file:
        layers: list[dict[str, Any]] = [
            {"type": np.bytes_("input"), "shape": np.array([2, 4, 3])},
            {"type": np.bytes_("conv"), "shape": np.array([2, 3, 2]),
             "weight": np.full((2, 2, 2, 2), 4.0), "stride": 1, "padding": np.array([0]),
             "dilation": np.array([1, 1]), "groups": np.array([1])},
            {"type": np.bytes_("flatten"), "shape": np.array([12, 1, 1])},
            {"type": np.bytes_("dense"), "shape": np.array([3]),
             "weight": np.arange(36.0).reshape(3, 12) * 2, "inFeatures": 12},
            {"type": np.bytes_("dense_rec"), "shape": np.array([1]), "weight": np.full(3, 8.0),
             "weight_rec": np.array([2.0]), "bias": np.array([3.0])},
        ]  # fmt: skip
        for i, layer in enumerate(layers):
            group = file.create_group(f"layer/{i}")
            for name, value in layer.items():
                group[name] = value
            if i in (1, 3, 4):
                group["neuron/type"] = np.bytes_("CUBA")
                group["neuron/iDecay"] = 1024 if i == 1 else np.array([1024])
                group["neuron/vDecay"], group["neuron/vThMant"] = np.int32(128), 100.0
        if change is not None:
            change(file)
    return path


def test_scalars_and_arrays_of_one_number_are_the_same(tmp_path: Path) -> None:
    found = netx.read(build(tmp_path / "a.net"))
    conv, dense, rec = (found.network.layers[i] for i in (1, 3, 4))
    assert isinstance(conv, netx.ConvLayer) and isinstance(rec, netx.DenseLayer)
    assert (conv.stride, conv.padding, conv.dilation, conv.groups) == ((1, 1), (0, 0), (1, 1), 1)
    assert dense.neurons is not None and dense.neurons.i_decay.shape == ()
    assert rec.weight.shape == (1, 3) and rec.weight_rec.shape == (1, 1)
    assert not found.report.findings, found.report
    assert [y.kind for y in found.network.layers] == ["input", "conv", "flatten", "dense", "dense"]


def test_layers_are_sorted_as_numbers() -> None:
    layers = netx.read(FILES / "deep.net").network.layers
    assert [int(y.neurons.threshold) for y in layers if y.neurons] == [60 + i for i in range(12)]


@pytest.mark.parametrize(
    ("change", "layer", "field", "text"),
    [
        (lambda f: (f["layer/1/neuron"].pop("vThMant"), f.update({"layer/1/neuron/theta": 6400})),
         1, "neuron/vThMant", "theta / 64"),
        (lambda f: f.update({"layer/1/neuron/theta": 6401}), 1, "neuron/theta", "vThMant counts"),
        (lambda f: f["layer/3"].pop("neuron"), 3, "neuron", "vDecay 4096, vThMant 131072"),
        (lambda f: f["layer/1"].pop("groups"), 1, "groups", "taken as 1"),
        (lambda f: f.update({"layer/3/extra": 4}), 3, "extra", "left out"),
        (lambda f: f.update({"layer/3/neuron/tauRho": 4.5}), 3, "neuron/tauRho", "training"),
        (lambda f: f["layer/3/weight"].write_direct(np.arange(36.0).reshape(3, 12) + 0.5),
         3, "weight", "36 of 36 numbers are not whole"),
        (lambda f: f["layer/4/neuron"].pop("type"), 4, "neuron/type", "taken as CUBA"),
    ],
)  # fmt: skip
def test_what_is_assumed_or_mended_is_told(
    tmp_path: Path, change: Any, layer: int, field: str, text: str
) -> None:
    class File:
        """h5py's, with update()."""

        def __init__(self, file: Any) -> None:
            self.file = file

        def __getitem__(self, name: str) -> Any:
            return self.file[name]

        def update(self, items: dict[str, Any]) -> None:
            for name, value in items.items():
                self.file[name] = value

    found = netx.read(build(tmp_path / "a.net", lambda f: change(File(f))))
    assert len(found.report.findings) == 1, found.report
    finding = found.report.findings[0]
    assert (finding.layer, finding.field) == (layer, field) and text in finding.text
    netx.to_fixed(found.network)


def put(name: str, value: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        if name in file:
            del file[name]
        if value is not None:
            file[name] = value

    return change


WRONG = [
    ("layer", None, "field 'layer'"),
    ("layer/1", None, "layer 1: is missing"),
    ("layer/07", 1.0, "field 'layer/07'"),
    ("layer/x/type", np.bytes_("dense"), "field 'layer/x'"),
    ("layer/1/type", None, "layer 1: field 'type'"),
    ("layer/1/type", np.bytes_("lstm"), "layer 1: field 'type' = 'lstm'"),
    ("layer/1/type", np.bytes_("convT"), "layer 1: field 'type' = 'convT'"),
    ("layer/1/type", 4, "layer 1: field 'type'"),
    ("layer/1/shape", None, "layer 1: field 'shape'"),
    ("layer/1/shape", np.array([2, -3, 2]), "layer 1: field 'shape'"),
    ("layer/1/shape", np.array([2**30, 2**30, 2]), "layer 1: field 'shape'"),
    ("layer/1/shape", np.array([1, 2, 3, 4]), "layer 1: field 'shape'"),
    ("layer/1/weight", np.full((2, 2, 2, 2), np.nan), "layer 1: field 'weight' = nan"),
    ("layer/1/weight", np.full((2, 2, 2, 2), 1e30), "layer 1: field 'weight'"),
    ("layer/1/weight", np.full((2, 2, 2), 2.0), "layer 1: field 'weight'"),
    ("layer/1/weight", np.full((5, 2, 2, 2), 2.0), "layer 1: field 'weight'"),
    ("layer/1/weight", np.bytes_("no"), "layer 1: field 'weight'"),
    ("layer/1/stride", np.array([0, 1]), "layer 1: field 'stride'"),
    ("layer/1/stride", np.array([1, 2, 3]), "layer 1: field 'stride'"),
    ("layer/1/padding", -1, "layer 1: field 'padding'"),
    ("layer/1/groups", 0, "layer 1: field 'groups'"),
    ("layer/1/kernelSize", np.array([3, 3]), "layer 1: field 'kernelSize'"),
    ("layer/1/inChannels", 7, "layer 1: field 'inChannels'"),
    ("layer/1/neuron", None, "layer 1: field 'neuron'"),
    ("layer/1/neuron", 3, "layer 1: field 'neuron'"),
    ("layer/1/neuron/iDecay", None, "layer 1: field 'neuron/iDecay'"),
    ("layer/1/neuron/iDecay", 4097, "layer 1: field 'neuron/iDecay' = 4097"),
    ("layer/1/neuron/vDecay", np.array([1, 2, 3]), "layer 1: field 'neuron/vDecay'"),
    ("layer/1/neuron/vThMant", -1, "layer 1: field 'neuron/vThMant' = -1"),
    ("layer/1/neuron/type", np.bytes_("RF"), "layer 1: field 'neuron/type' = 'RF'"),
    ("layer/1/neuron/refDelay", 0, "layer 1: field 'neuron/refDelay' = 0"),
    ("layer/3/weight", np.zeros((3, 0)), "layer 3: field 'weight'"),
    ("layer/3/weight", np.zeros((4, 12)), "layer 3: field 'weight'"),
    ("layer/3/inFeatures", 13, "layer 3: field 'inFeatures' = 13"),
    ("layer/3/bias", np.zeros(5), "layer 3: field 'bias'"),
    ("layer/3/delay", np.array([-1.0]), "layer 3: field 'delay' = -1"),
    ("layer/3/delay", np.zeros(5), "layer 3: field 'delay'"),
    ("layer/4/weight_rec", None, "layer 4: field 'weight_rec'"),
    ("layer/4/weight_rec", np.zeros((1, 2)), "layer 4: field 'weight_rec'"),
    ("simulation", 3, "field 'simulation'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "text"), WRONG, ids=[f"{w[0]}={w[2]}" for w in WRONG])
def test_wrong_files_are_told_by_layer_and_field(
    tmp_path: Path, name: str, value: Any, text: str
) -> None:
    path = build(tmp_path / "wrong.net", put(name, value))
    with pytest.raises(FileFormatError) as caught:
        netx.read(path)
    assert text in str(caught.value) and "wrong.net" in str(caught.value)


def test_complex_weights_are_refused(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        del file["layer/3/weight"]
        file["layer/3/weight/real"] = file["layer/3/weight/imag"] = np.zeros((3, 12))

    with pytest.raises(FileFormatError, match=r"layer 3: field 'weight'.*complex"):
        netx.read(build(tmp_path / "a.net", change))


LOWERED_WRONG = [
    ("layer/2/shape", np.array([13]), r"layer 2: field 'shape'.*12 values"),
    ("layer/1/shape", np.array([2, 3, 3]), r"layer 1: field 'shape'.*\(2, 3, 2\)"),
    ("layer/0/shape", np.array([3, 4, 3]), r"layer 1: field 'weight'.*3 / 1 groups"),
    ("layer/0/shape", np.array([2, 1, 1]), r"layer 1: field 'shape'.*kernel fits"),
    ("layer/0/shape", np.array([24]), r"layer 1: field 'type'.*planes"),
    ("layer/3/weight", np.zeros((3, 11)), r"layer 3: field 'weight'.*12, as come in"),
    ("layer/3/weight", np.full((3, 12), 300.0), r"layer 3: field 'weight'.*-256\.\.255"),
]


@pytest.mark.parametrize(("name", "value", "text"), LOWERED_WRONG)
def test_layers_that_do_not_fit_each_other_are_told(
    tmp_path: Path, name: str, value: Any, text: str
) -> None:
    def change(file: Any) -> None:
        put(name, value)(file)
        if name == "layer/3/weight":
            del file["layer/3/inFeatures"]

    found = netx.read(build(tmp_path / "a.net", change))
    with pytest.raises(LoweringError, match=text):
        netx.to_fixed(found.network)


def test_an_average_in_between_is_refused(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        put("layer/2/type", np.bytes_("average"))(file)

    with pytest.raises(LoweringError, match=r"layer 2: field 'type'.*last layer"):
        netx.to_fixed(netx.read(build(tmp_path / "a.net", change)).network)


def test_arguments_are_checked(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="no such file"):
        netx.read(tmp_path / "none.net")
    with pytest.raises(RangeError, match="max_bytes"):
        netx.read(FILES / "dense.net", max_bytes=0)
    with pytest.raises(FileFormatError, match=r"dense\.net.*layer/0"):
        netx.read(FILES / "dense.net", max_bytes=50)
    with pytest.raises(FileFormatError, match="more than 3 groups"):
        netx.read(FILES / "dense.net", max_objects=3)
    (tmp_path / "text.net").write_text("no HDF5")
    with pytest.raises(FileFormatError, match=r"text\.net"):
        netx.read(tmp_path / "text.net")


def damaged(data: bytes, k: int) -> bytes:
    """The k-th damaged copy: cut off, bits turned over, blocks of zeros."""
    rng = np.random.default_rng(k)
    if k % 3 == 0:
        return data[: int(rng.integers(0, len(data)))]
    wrong = bytearray(data)
    if k % 3 == 1:
        for at in rng.integers(0, len(data), 1 + k % 9):
            wrong[at] ^= 1 << int(rng.integers(0, 8))
    else:
        at = int(rng.integers(0, len(data)))
        wrong[at : at + 64] = bytes(len(wrong[at : at + 64]))
    return bytes(wrong)


@pytest.mark.parametrize("name", ["conv", "input", "recurrent", "bias"])
def test_damaged_files_are_told_within_two_seconds(tmp_path: Path, name: str) -> None:
    data, told = (FILES / f"{name}.net").read_bytes(), 0
    for k in range(45):
        path = tmp_path / "damaged.net"
        path.write_bytes(damaged(data, k))
        start = time.process_time()
        try:
            netx.to_fixed(
                netx.read(path).network, input_shape=(2, 7, 6) if name == "conv" else None
            )
        except FileFormatError as error:
            told += 1
            assert "damaged.net" in str(error)
        except NeuroLifError:  # what is in the file is no longer what fits
            told += 1
        assert time.process_time() - start < 2
    assert told > 15
