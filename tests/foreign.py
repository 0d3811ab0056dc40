"""Small networks of other libraries, each listed once: what the tests of swap cross with the attentions."""

import warnings

import layouts
import pytest
import torch
from torch import nn

IMAGE = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
GRID = (3, 3)


def library(name):
    with warnings.catch_warnings():  # x-transformers, by way of torch-einops-utils
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
        return pytest.importorskip(name)


class Patches(nn.Module):
    """Torch's encoder on nine patches, without a class token."""

    def __init__(self, **options):
        super().__init__()
        self.embed = nn.Conv2d(3, 16, 4, 4)
        layer = nn.TransformerEncoderLayer(16, 2, 32, **({"dropout": 0.0, "batch_first": True} | options))
        self.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=not layer.norm_first)

    def forward(self, images):
        return self.encoder(self.embed(images).flatten(2).mT).mean(dim=1)


class Logits(nn.Module):
    """A network of transformers whose output is a tensor."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(images).logits


def hugging_face(kind, **options):
    library("transformers")
    import transformers

    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    settings = sizes | {"image_size": 12, "patch_size": 4, "num_labels": 5} | options
    configuration = getattr(transformers, f"{kind}Config")(**settings)
    return Logits(getattr(transformers, f"{kind}ForImageClassification")(configuration))


def x_transformers(heads=2, dim_head=8, depth=2, **options):
    module = library("x_transformers")
    layers = module.Encoder(dim=16, depth=depth, heads=heads, attn_dim_head=dim_head, verbose=False, **options)
    return module.ViTransformerWrapper(image_size=12, patch_size=4, num_classes=5, attn_layers=layers)


def timm(**options):
    library("timm")
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(img_size=12, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=5, **options)


def vit_pytorch(kind, **options):
    module = library("vit_pytorch")
    settings = {"dim": 16, "depth": 2, "heads": 2, "mlp_dim": 32, "dim_head": 8} | options
    return getattr(module, kind)(image_size=12, patch_size=4, num_classes=5, **settings)


class OnTokens(nn.Module):
    """A network on tokens, that takes them from an image."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(images.unfold(2, 4, 4).unfold(3, 4, 4).flatten(4).flatten(2, 3).mean(1)).mean(dim=1)


# These compute their softmax in single precision whatever they are given.
SINGLE = ("vit-eager", "x-transformers", "x-transformers-one-head")

# name: how to build it, its library, whether its tokens are exactly the grid
NETWORKS = {
    "torch": (Patches, "torch", True),
    "torch-pre-norm": (lambda: Patches(norm_first=True, activation="gelu", bias=False), "torch", True),
    "vit": (lambda: hugging_face("ViT"), "transformers", False),
    "vit-eager": (lambda: hugging_face("ViT", attn_implementation="eager", qkv_bias=False), "transformers", False),
    "deit": (lambda: hugging_face("DeiT"), "transformers", False),
    "x-transformers": (x_transformers, "x-transformers", True),
    "x-transformers-one-head": (lambda: x_transformers(1, 16), "x-transformers", True),
    "x-transformers-flash": (lambda: x_transformers(attn_flash=True, ff_glu=True), "x-transformers", True),
    "timm-layout": (lambda: OnTokens(layouts.timm()), "timm", True),
    "timm-layout-no-bias": (lambda: OnTokens(layouts.timm(qkv_bias=False)), "timm", True),
    "vit-pytorch-layout": (lambda: OnTokens(layouts.vit_pytorch()), "vit-pytorch", True),
    "vit-pytorch-layout-one-head": (lambda: OnTokens(layouts.vit_pytorch(1, 16)), "vit-pytorch", True),
    "timm": (timm, "timm", False),
    "timm-mean": (lambda: timm(class_token=False, global_pool="avg"), "timm", True),
    "vit-pytorch": (lambda: vit_pytorch("ViT"), "vit-pytorch", False),
    "vit-pytorch-simple": (lambda: vit_pytorch("SimpleViT"), "vit-pytorch", True),
}


def network(name):
    torch.manual_seed(0)
    return NETWORKS[name][0]().double().eval()
