from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from models.checkpoints import Card, Checkpoint, NetCard, NetRole, with_role
from models.inference import InputForm, export_onnx, open_session
from models.nets import CENTRED, UNIT, EncoderName, NetKind, NetOptions, Segmenter, build_net

PLAIN = NetOptions(encoder=EncoderName.PLAIN, encoder_channels=(4, 4), decoder_channels=(4, 4), stem_channels=4)
NET = NetCard(NetRole.HIGH, PLAIN, ("Background", "A"), 0.5, 32, CENTRED)


@pytest.fixture(scope="module")
def model() -> bytes:
    weights = with_role(build_net(PLAIN, 2).state_dict(), NetRole.HIGH)
    return export_onnx(Checkpoint.of(Card("deepzoom", (NET,)), weights))


def test_the_graph_is_valid_and_takes_raw_pixels(model: bytes) -> None:
    graph = onnx.load_from_string(model)
    onnx.checker.check_model(graph)
    (pixels,) = graph.graph.input
    assert pixels.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [d.dim_param or d.dim_value for d in pixels.type.tensor_type.shape.dim] == ["n", "height", "width", 3]


@pytest.mark.parametrize("shape", [(1, 32, 32, 3), (3, 16, 40, 3)])
def test_any_number_and_size_of_tiles_runs(model: bytes, shape: tuple[int, ...]) -> None:
    session = open_session(model, threads=1)
    (result,) = session.run(None, {"pixels": np.zeros(shape, np.uint8)})
    assert result.shape == (shape[0], 2, *shape[1:3])
    assert np.allclose(result.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("kind", [PLAIN, replace(PLAIN, kind=NetKind.REFINEMENT)], ids=["unet", "refinement"])
def test_the_graph_does_not_depend_on_the_tile_that_is_traced(kind: NetOptions) -> None:
    normalization = CENTRED if kind.kind is NetKind.UNET else UNIT
    card = NetCard(NetRole.HIGH, kind, ("Background", "A"), 0.5, 256, normalization)
    weights = with_role(build_net(kind, 2).state_dict(), NetRole.HIGH)
    checkpoint = Checkpoint.of(Card("deepzoom", (card,)), weights)
    assert export_onnx(checkpoint) == export_onnx(checkpoint, tile_px=256)


def test_a_pass_holds_no_map_that_is_padded_or_joined() -> None:
    options = NetOptions()
    card = NetCard(NetRole.HIGH, options, ("Background", "A"), 0.5, 64, CENTRED)
    net = build_net(options, 2, seed=0).eval()
    model = export_onnx(Checkpoint.of(Card("deepzoom", (card,)), with_role(net.state_dict(), NetRole.HIGH)))
    assert not {"Pad", "Concat"} & {node.op_type for node in onnx.load_from_string(model).graph.node}
    pixels = np.random.default_rng(0).integers(0, 256, (1, 96, 64, 3), np.uint8)
    (found,) = open_session(model, threads=1).run(None, {"pixels": pixels})
    with torch.inference_mode():
        expected = Segmenter(net, CENTRED)(torch.from_numpy(pixels)).numpy()
    assert np.abs(found - expected).max() < 1e-5


def test_planes_are_the_pixels_with_their_channels_first() -> None:
    weights = with_role(build_net(PLAIN, 2).state_dict(), NetRole.HIGH)
    checkpoint = Checkpoint.of(Card("deepzoom", (NET,)), weights)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), np.uint8)
    session = open_session(export_onnx(checkpoint, form=InputForm.PLANES, tile_px=48), threads=1)
    (found,) = session.run(None, {"pixels": pixels.transpose(0, 3, 1, 2).astype(np.float32)})
    (expected,) = open_session(export_onnx(checkpoint), threads=1).run(None, {"pixels": pixels})
    assert np.abs(found - expected).max() < 1e-6
    assert session.get_inputs()[0].shape == ["n", 3, 48, 48]
