"""Claims about attention as sparse reconstruction."""

from dataclasses import dataclass
from pathlib import Path

from unroll.study.claims.claim import Claim, Estimate, NotThereError, claims
from unroll.study.claims.evidence import Difference, Level, estimate, read

_SHI = "Shi et al. 2022 (VARS)"
_PUBLISHED = "vars-d, published"
_STUDY = "python -m unroll study --preset vars --networks"
_NETWORKS = "one small vision transformer on 5,000 digits, trained with each"


@dataclass(frozen=True)
class Steps:
    """What the same weights gain by ``ours`` in the place of ``theirs``, two solvers, under one condition."""

    ours: str
    theirs: str
    condition: str

    def __call__(self, results: Path) -> Estimate:
        table = read(results, "vars/solvers-vars-d.csv")
        table = table if "seed" in table else table.assign(seed=0)  # one network, as the command judges it
        part = table[table.condition == self.condition]
        accuracies = part.pivot_table(index="seed", columns="solver", values="accuracy")
        for solver in (self.ours, self.theirs):
            if solver not in accuracies:
                raise NotThereError(f"the table has no {solver!r} under {self.condition!r}")
        return estimate(accuracies[self.ours], accuracies[self.theirs], "points")


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
claims.register("more-steps")(
    Claim(
        "More thinking helps under noise: the same weights gain by more steps of their solver.",
        "our own question",
        "accuracy of vars-d, trained with five steps, under Gaussian noise with ten less that with five",
        "python -m unroll solvers results/vars/networks/vars-d.safetensors --out results/vars/solvers-vars-d.csv",
        Steps("10 plain steps", "5 plain steps", "gaussian noise"),
    )
)
