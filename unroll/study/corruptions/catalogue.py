"""Every corruption by name, with what its severities mean."""

from unroll.study.corruptions.base import SEVERITIES, Corruption, corruptions
from unroll.study.corruptions.levels import LEVELS
from unroll.study.corruptions.natural import natural_patch
from unroll.study.corruptions.noise import gaussian_noise
from unroll.study.corruptions.occlusion import non_salient_occlusion, salient_occlusion, token_occlusion
from unroll.study.corruptions.shift import shift
from unroll.study.corruptions.shuffling import patch_shuffling

# The fifteen that make up a corruption error: Hendrycks and Dietterich 2019.
COMMON = (
    "gaussian noise",
    "shot noise",
    "impulse noise",
    "defocus blur",
    "glass blur",
    "motion blur",
    "zoom blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic transform",
    "pixelate",
    "jpeg compression",
)

_SHARES = (0.1, 0.2, 0.4, 0.6, 0.8)

# Gaussian noise has the levels of ImageNet-C at every size: results that are kept were made with them.
# The streams of these three were handed out before names decided; results that are kept depend on them.
corruptions.register("gaussian noise")(
    Corruption(gaussian_noise, (0.08, 0.12, 0.18, 0.26, 0.38), "standard deviation (pixels run from 0 to 1)", stream=0)
)
# Random PatchDrop: Naseer et al. 2021.
corruptions.register("token occlusion")(Corruption(token_occlusion, _SHARES, "share of patches blanked", stream=1))
# The default augmentation shifts an image of 28 pixels by up to two: from three on networks have not seen the like.
corruptions.register("shift")(
    Corruption(shift, (1, 2, 3, 4, 5), "shift (pixels), mean over eight directions", stream=2)
)

# Salient and non-salient PatchDrop: Naseer et al. 2021, where a trained network says what is salient. Contrast says
# the same to every network.
corruptions.register("salient occlusion")(
    Corruption(salient_occlusion, _SHARES, "share of patches blanked, highest contrast first")
)
corruptions.register("non-salient occlusion")(
    Corruption(non_salient_occlusion, _SHARES, "share of patches blanked, lowest contrast first")
)
# After Naseer et al. 2021, who shuffle all cells of coarser and finer grids.
corruptions.register("patch shuffling")(Corruption(patch_shuffling, _SHARES, "share of patches that change places"))
# Gu, Tresp and Qin 2022.
corruptions.register("natural patch")(Corruption(natural_patch, (1, 2, 4, 8, 16), "patches under impulse noise"))

for _name in COMMON:
    if _name not in corruptions:
        corruptions.register(_name)(Corruption(LEVELS[_name], SEVERITIES, "severity"))
