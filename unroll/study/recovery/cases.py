"""The cases of the recovery study: what is to be recovered, and who tries."""

from collections.abc import Callable
from dataclasses import dataclass

from unroll.registry import Registry
from unroll.solvers import FISTA, Unrolled
from unroll.study.recovery.crops import photograph_crops
from unroll.study.recovery.methods import Learned, Parent, fista
from unroll.study.recovery.natural import photograph_patches
from unroll.study.recovery.schedule import Schedule
from unroll.study.recovery.sensing import Sensing, SparseCodes, gaussian_dictionary

LAYERS, SEED = 16, 0
_STAGES = Schedule("stage-wise", iterations=150, batch=64)
_LONG_STEPS = Schedule("stage-wise", rate=0.05, iterations=150, batch=64)
_CONTROLLED = Schedule(rate=5e-3, matrix_share=1.0)


@dataclass(frozen=True)
class Case:
    """A supply of signals, made when it is asked for, and the methods that compete on it."""

    sensing: Callable[[], Sensing]
    methods: tuple[Parent | Learned, ...]


cases: Registry[Case] = Registry("case")


def _coupled(label: str, **options: object) -> Learned:
    return Learned(label, "lista-cp", {"start": "analytic", **options})


_ANY_NOISE = (
    Parent("ISTA", Unrolled),
    Parent("FISTA", fista),
    Learned("learned step", "step-lista", {}, _LONG_STEPS),
    _coupled("LISTA-CPSS", trusted=13.0),
    Learned("ALISTA", "alista", {}, Schedule(iterations=2_000)),
    Learned("ALISTA, stage-wise", "alista", {}, _STAGES),
    Learned("ALISTA-AT", "alista", {"adaptive": True, "momentum": True}),
    Learned("HyperLISTA", "hyperlista", {}, None),
    Learned("LAMP", "lamp"),
)
_SNR_40 = (
    Parent("ISTA, lambda 0.4", Unrolled, 0.4),
    Parent("FISTA, lambda 0.4", fista, 0.4),
    *_ANY_NOISE,
    Learned("ADMM, unrolled", "admm"),
    Learned("LISTA, tied", "lista", {"tied": True}),
    Learned("LISTA", "lista"),
    _coupled("LISTA-CP"),
    Learned("ALISTA, no support", "alista", {"trusted": 0.0}),
    Learned("NA-ALISTA", "na-alista", {}, _CONTROLLED),
)
_PATCHES = (
    Parent("ISTA", Unrolled),
    Parent("FISTA", fista),
    Parent("FISTA, restart", FISTA),
    Learned("learned step", "step-lista", {}, _LONG_STEPS),
    Learned("ADMM, unrolled", "admm"),
    Learned("LISTA, tied", "lista", {"tied": True}),
    Learned("LISTA", "lista"),
    Learned("LISTA-CP", "lista-cp"),
    Learned("LISTA-CPSS", "lista-cp", {"trusted": 13.0}),
    Learned("ALISTA", "alista", {"step": 0.2}),
    Learned("ALISTA-AT", "alista", {"adaptive": True, "momentum": True, "step": 0.2}),
    Learned("NA-ALISTA", "na-alista", {"step": 0.2}, _CONTROLLED),
    Learned("HyperLISTA", "hyperlista", {}, None),
    Learned("LAMP", "lamp"),
)


def _codes(snr: float | None) -> Callable[[], Sensing]:
    return lambda: SparseCodes(gaussian_dictionary(250, 500, SEED), snr=snr)


cases.register("SNR 40")(Case(_codes(40.0), _SNR_40))
cases.register("SNR 20")(Case(_codes(20.0), _ANY_NOISE))
# Without noise the mean error is that of a few hard signals: larger batches, so that there are some in each.
_PATIENT = Learned("ALISTA", "alista", {}, Schedule(iterations=3_000, batch=256))
cases.register("noiseless")(Case(_codes(None), tuple(_PATIENT if m.label == "ALISTA" else m for m in _ANY_NOISE)))
cases.register("denoising")(Case(lambda: photograph_patches("denoising"), _PATCHES))
cases.register("compressed sensing")(Case(lambda: photograph_patches("compressed sensing"), _PATCHES))
cases.register("photographs")(
    Case(photograph_crops, (Learned("convolutional LISTA", "convolutional", {}, Schedule(iterations=500, batch=8)),))
)
