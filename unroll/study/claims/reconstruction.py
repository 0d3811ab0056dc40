"""Claims about attention as sparse reconstruction."""

from unroll.study.claims.claim import Claim, claims
from unroll.study.claims.evidence import Difference, Level

_SHI = "Shi et al. 2022 (VARS)"
_PUBLISHED = "vars-d, published"
_STUDY = "python -m unroll study --preset vars --networks"
_NETWORKS = "one small vision transformer on 5,000 digits, trained with each"


claims.register("vars-noise")(
    Claim(
        "Recurrent sparse reconstruction, as published, stands noise better than self-attention.",
        _SHI,
        f"accuracy under Gaussian noise, five severities, less that of softmax; {_NETWORKS}",
        _STUDY,
        Difference("vars", _PUBLISHED, "softmax", condition="gaussian noise"),
    )
)
claims.register("vars-occlusion")(
    Claim(
        "Recurrent sparse reconstruction, as published, stands missing patches better than self-attention.",
        f"follows from {_SHI}: sturdier in general",
        f"accuracy with patches blanked, 10 to 80 %, less that of softmax; {_NETWORKS}",
        _STUDY,
        Difference("vars", _PUBLISHED, "softmax", condition="token occlusion"),
    )
)
claims.register("vars-attack")(
    Claim(
        "Recurrent sparse reconstruction, as published, stands one-step attacks better than self-attention.",
        f"follows from {_SHI}: sturdier in general",
        f"accuracy under FGSM, five strengths, less that of softmax; {_NETWORKS}",
        _STUDY,
        Difference("vars", _PUBLISHED, "softmax", condition="fgsm"),
    )
)
claims.register("sparse-noise")(
    Claim(
        "Sparse reconstruction as such, with a true threshold and an energy, stands noise better than self-attention.",
        f"follows from {_SHI}, if it is sparsity that helps",
        f"accuracy of the default vars-d under Gaussian noise less that of softmax; {_NETWORKS}",
        _STUDY,
        Difference("vars", "vars-d", "softmax", condition="gaussian noise"),
    )
)
claims.register("vars-maps")(
    Claim(
        "Maps of sparse reconstruction, as published, are sparser than those of self-attention.",
        f"follows from {_SHI}: salient objects emerge by sparsity",
        "effective number of tokens that an output hears, mean over layers, less that of softmax",
        _STUDY,
        Difference("vars", _PUBLISHED, "softmax", "effective tokens", "tokens"),
        direction="less",
    )
)
claims.register("sparse-maps")(
    Claim(
        "A code that is exactly sparse makes sparser maps than self-attention has.",
        f"follows from {_SHI}, if a sparse code is a sparse map",
        "effective number of tokens that an output of the default vars-d hears, mean over layers, less that of softmax",
        _STUDY,
        Difference("vars", "vars-d", "softmax", "effective tokens", "tokens"),
        direction="less",
    )
)
claims.register("sparse-code")(
    Claim(
        "The code of the default setting is sparse after training: a fifth at least is exactly zero.",
        "our own aim",
        "share of exact zeros in the code of vars-d, mean over layers",
        _STUDY,
        Level("vars", "vars-d", "exact zeros", "of the code"),
        threshold=0.2,
    )
)
