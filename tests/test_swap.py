"""Another attention in networks that others wrote: it runs, learns, keeps weights and comes back."""

import copy

import layouts
import pytest
import torch
from foreign import GRID, IMAGE, NETWORKS, SINGLE, Patches, hugging_face, library, network, x_transformers
from torch import nn

from unroll import FISTA, MultiheadAttention, Unrolled, names, swap
from unroll.attention import attentions
from unroll.models import Swapped


@pytest.mark.parametrize("attention", names())
@pytest.mark.parametrize("name", NETWORKS)
def test_it_runs_learns_and_comes_back(name, attention):
    model = network(name)
    traits = attentions[attention].traits
    if (traits.needs_grid or traits.takes_grid) and not NETWORKS[name][2]:
        with pytest.raises(
            ValueError, match=r"attention must be one without a grid: .* has tokens beside it, .*_token"
        ):
            swap(model, attention, grid=GRID)
        return
    modules, before = dict(model.named_modules()), model(IMAGE)
    report = swap(model, attention, grid=GRID)
    assert len(report.replaced) == (3 if NETWORKS[name][1] == "torch" else 2)
    assert {row.family for row in report.replaced} == {NETWORKS[name][1]}
    assert all(type(row.layer) is attentions[attention] for row in report.replaced)
    assert not any(row.layer.training for row in report.replaced)
    evaluated = model(IMAGE)
    with torch.no_grad():
        torch.testing.assert_close(model(IMAGE), evaluated, rtol=0, atol=1e-12)
    assert evaluated.shape == before.shape
    if attention != "softmax":
        assert not torch.allclose(evaluated, before)
    model.train()(IMAGE).square().sum().backward()
    for row in report.replaced:
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in row.layer.parameters())

    report.undo()
    assert dict(model.named_modules()) == modules  # modules compare by identity
    assert all(module.training for module in modules.values())
    assert torch.equal(model.eval()(IMAGE), before)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("attention", "options"), [("softmax", {}), ("hopfield", {"solver": Unrolled(0)})])
def test_softmax_stays_what_it_was(name, attention, options):
    model = network(name)
    before = model(IMAGE)
    report = swap(model, attention, options=options)
    torch.testing.assert_close(model(IMAGE), before, rtol=0, atol=1e-7 if name in SINGLE else 1e-12)
    assert all(row.kept[:4] == ("query", "key", "value", "output") for row in report.replaced)
    assert all(row.lost == () for row in report.replaced)


@pytest.mark.parametrize(
    ("attention", "kept", "lost"),
    [
        ("kernel", ("query", "key", "value", "output"), ()),
        ("hopfield", ("query", "key", "value", "output"), ()),
        ("vars-d", ("query", "value", "output"), ("key",)),
        ("vars-sd", ("query", "value", "output"), ("key",)),
        ("vars-s", ("value", "output"), ("query", "key")),
    ],
)
def test_what_is_carried_over(attention, kept, lost):
    model = Patches().double()
    old = model.encoder.layers[1].self_attn
    row = swap(model, attention, where=1, grid=GRID).replaced[0]
    assert (row.kept, row.lost) == (kept, lost)
    query, key, value = ((w, b) for w, b in zip(old.in_proj_weight.chunk(3), old.in_proj_bias.chunk(3), strict=True))
    expected = [part for part, name in zip((query, key, value), ("query", "key", "value"), strict=True) if name in kept]
    projection = getattr(row.layer, "qkv", getattr(row.layer, "qv", None))
    assert torch.equal(projection.weight, torch.cat([weight for weight, _ in expected]))
    assert torch.equal(projection.bias, torch.cat([bias for _, bias in expected]))
    assert torch.equal(row.layer.output.weight, old.out_proj.weight)


def test_sources_without_bias_give_zero():
    row = swap(x_transformers(), "vars-d").replaced[0]
    assert not row.layer.qv.bias.any()
    assert not row.layer.output.bias.any()


def test_a_layer_that_is_built_otherwise_takes_nothing_over(monkeypatch):
    class Mean(attentions["softmax"]):
        """The mean of all tokens."""

        def __init__(self, dim, heads):
            super().__init__(dim, heads)
            del self.qkv, self.output

    monkeypatch.setitem(attentions._entries, "mean", Mean)
    row = swap(Patches(), "mean").replaced[0]
    assert (row.kept, row.lost) == ((), ("query", "key", "value", "output"))


def test_what_is_lost_is_named():
    assert swap(Patches(dropout=0.2), "softmax").replaced[0].lost == ("attention dropout 0.2",)
    assert swap(layouts.timm(qk_norm=True), "softmax").replaced[0].lost == ("q_norm", "k_norm")
    lost = swap(layouts.vit_pytorch(dim_head=64, dropout=0.1), "vars-d").replaced[0].lost
    assert lost[0] == "query (of shape [128, 16])"
    assert lost[-1] == "attention dropout 0.1"
    unlike = x_transformers(attn_qk_norm=True, attn_gate_values=True, attn_sigmoid=True, attn_kv_heads=1)
    lost = swap(unlike, "softmax").replaced[0].lost
    assert lost == (
        "key (of shape [8, 16])",
        "value (of shape [8, 16])",
        "to_v_gate",
        "qk_norm",
        "an activation that is not softmax",
    )


def test_the_report_reads_well():
    report = swap(hugging_face("ViT"), "vars-d", where=[0])
    assert isinstance(report, Swapped)
    assert repr(report) == (
        "vars-d in the place of 1 self-attention\n"
        "  network.vit.layers.0.attention: transformers ViTAttention -> VarsD; kept query, value, output; lost key"
    )
    assert "in the place of 3 self-attentions" in repr(swap(Patches(), "vars-d"))


LAYERS = [f"encoder.layers.{i}.self_attn" for i in range(3)]


@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        (None, [0, 1, 2]),
        (1, [1]),
        ([0, -1], [0, 2]),
        (LAYERS[2], [2]),
        ([LAYERS[0], 1], [0, 1]),
        (lambda name: "layers.0" in name, [0]),
        (range(2), [0, 1]),
    ],
)
def test_where(where, chosen):
    model = Patches()
    report = swap(model, "vars-d", where=where)
    assert [row.name for row in report.replaced] == [LAYERS[i] for i in chosen]
    kinds = [type(layer.self_attn) for layer in model.encoder.layers]
    assert kinds == [MultiheadAttention if i in chosen else nn.MultiheadAttention for i in range(3)]


@pytest.mark.parametrize("where", [None, [0], [1], [2]])
def test_torchs_encoder_hands_on_no_nested_tensors(where):
    model = network("torch")
    encoder = model.encoder
    x = torch.randn(2, 5, 16, dtype=torch.float64)
    padding = torch.tensor([[False] * 4 + [True], [False] * 3 + [True] * 2])
    assert encoder.use_nested_tensor
    report = swap(model, "vars-d", where=where)
    expected = encoder(x, src_key_padding_mask=padding)
    with torch.no_grad():
        y = encoder(x, src_key_padding_mask=padding)
        short = encoder(x[1:, :3])
    assert y.shape == x.shape
    torch.testing.assert_close(y[~padding], expected[~padding], rtol=0, atol=1e-12)
    torch.testing.assert_close(y[1:, :3], short, rtol=0, atol=1e-10)
    report.undo()
    assert encoder.use_nested_tensor


def test_masks_reach_the_layer_in_x_transformers():
    encoder = library("x_transformers").Encoder(dim=16, depth=2, heads=2, attn_dim_head=8, verbose=False).double()
    x, mask = torch.randn(2, 5, 16, dtype=torch.float64), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    swap(encoder, "vars-d")
    torch.testing.assert_close(encoder(x, mask=mask)[1:, :3], encoder(x[1:, :3]), rtol=0, atol=1e-10)
    y, hiddens = encoder(x, return_hiddens=True)
    assert y.shape == x.shape
    assert len(hiddens.attn_intermediates) == 2


def test_device_dtype_and_mode_are_kept():
    model = Patches().to(torch.bfloat16).train()
    model.encoder.layers[1].eval()
    report = swap(model, "vars-d", options={"solver": FISTA(3)})
    assert all(p.dtype == torch.bfloat16 for p in model.parameters())
    assert [layer.self_attn.attention.training for layer in model.encoder.layers] == [True, False, True]
    assert model(IMAGE.bfloat16()).dtype == torch.bfloat16
    report.undo()
    meta = Patches().to("meta")
    swap(meta, "vars-d")
    assert {p.device.type for p in meta.parameters()} == {"meta"}


def test_undo_follows_what_happened_meanwhile():
    model = Patches()
    old = model.encoder.layers[0].self_attn
    report = swap(model, "vars-d")
    model.double().eval()
    report.undo()
    assert model.encoder.layers[0].self_attn is old
    assert old.in_proj_weight.dtype == torch.float64
    assert not old.training
    model(IMAGE)


def test_training_the_new_layer_leaves_the_old_one_alone():
    model = layouts.vit_pytorch()
    before = model(layouts.tokens())
    report = swap(model, "vars-d")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    report.undo()
    assert torch.equal(model(layouts.tokens()), before)


def test_undo_refuses_what_it_did_not_put_there():
    model = Patches()
    report = swap(model, "vars-d")
    model.encoder.layers[2].self_attn = other = nn.MultiheadAttention(16, 2, batch_first=True)
    before = dict(model.named_modules())
    message = r"encoder.layers.2.self_attn must still hold what swap put there, got MultiheadAttention"
    with pytest.raises(ValueError, match=message):
        report.undo()
    assert dict(model.named_modules()) == before
    model.encoder.layers[2].self_attn = report.replaced[2].host
    report.undo()
    assert model.encoder.layers[2].self_attn is not other
    with pytest.raises(ValueError, match=r"encoder.layers.0.self_attn must still hold what swap put there"):
        report.undo()


def test_a_module_in_two_places_is_replaced_by_one():
    shared = layouts.timm()[0].attn
    model = nn.ModuleDict({"a": nn.ModuleList([shared]), "b": nn.ModuleList([shared])})
    report = swap(model, "vars-d")
    assert [row.name for row in report.replaced] == ["a.0", "b.0"]
    assert model["a"][0] is model["b"][0]
    report.undo()
    assert model["a"][0] is model["b"][0] is shared


def test_a_swapped_network_is_copied_and_saved():
    model = network("vit")
    swap(model, "vars-d")
    assert torch.equal(copy.deepcopy(model)(IMAGE), model(IMAGE))
    other = network("vit")
    swap(other, "vars-d")
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(IMAGE), model(IMAGE))
