"""The levels of the common corruptions, as published for images of 32 and of 224 pixels a side.

Source: Hendrycks and Dietterich 2019; the numbers are those of the code that made CIFAR-10-C and ImageNet-C
(github.com/hendrycks/robustness, ``ImageNet-C/create_c/make_cifar_c.py`` and ``make_imagenet_c.py``). What each of a
row stands for, in this order, say the arguments of its function.
"""

from unroll.study.corruptions.blur import defocus_blur, glass_blur, motion_blur, zoom_blur
from unroll.study.corruptions.common import Common
from unroll.study.corruptions.digital import contrast, elastic_transform, jpeg_compression, pixelate
from unroll.study.corruptions.frost import frost
from unroll.study.corruptions.noise import impulse_noise, shot_noise
from unroll.study.corruptions.weather import brightness, fog, snow

LEVELS: dict[str, Common] = {
    "shot noise": Common(
        shot_noise,
        cifar=((500,), (250,), (100,), (75,), (50,)),
        imagenet=((60,), (25,), (12,), (5,), (3,)),
    ),
    "impulse noise": Common(
        impulse_noise,
        cifar=((0.01,), (0.02,), (0.03,), (0.05,), (0.07,)),
        imagenet=((0.03,), (0.06,), (0.09,), (0.17,), (0.27,)),
    ),
    "defocus blur": Common(
        defocus_blur,
        cifar=((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        imagenet=((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    ),
    "glass blur": Common(
        glass_blur,
        cifar=((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        imagenet=((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    ),
    "motion blur": Common(
        motion_blur,
        cifar=((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        imagenet=((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    ),
    "zoom blur": Common(
        zoom_blur,
        cifar=((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
        imagenet=((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    ),
    "snow": Common(
        snow,
        cifar=(
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        imagenet=(
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    ),
    # Photographs at a fifth of their size, or as they are.
    "frost": Common(
        frost,
        cifar=((1, 0.2, 5), (1, 0.3, 5), (0.9, 0.4, 5), (0.85, 0.4, 5), (0.75, 0.45, 5)),
        imagenet=((1, 0.4, 1), (0.8, 0.6, 1), (0.7, 0.7, 1), (0.65, 0.7, 1), (0.6, 0.75, 1)),
    ),
    "fog": Common(
        fog,
        cifar=((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        imagenet=((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    ),
    "brightness": Common(
        brightness,
        cifar=((0.05,), (0.1,), (0.15,), (0.2,), (0.3,)),
        imagenet=((0.1,), (0.2,), (0.3,), (0.4,), (0.5,)),
    ),
    "contrast": Common(
        contrast,
        cifar=((0.75,), (0.5,), (0.4,), (0.3,), (0.15,)),
        imagenet=((0.4,), (0.3,), (0.2,), (0.1,), (0.05,)),
    ),
    # Shares of 32 pixels, and of 244, not 224, as published.
    "elastic transform": Common(
        elastic_transform,
        cifar=((0, 0, 2.56), (1.6, 6.4, 2.24), (2.56, 1.92, 1.92), (3.2, 1.28, 1.6), (3.2, 0.96, 0.96)),
        imagenet=((488, 170.8, 24.4), (488, 19.52, 48.8), (12.2, 2.44, 4.88), (17.08, 2.44, 4.88), (29.28, 2.44, 4.88)),
    ),
    "pixelate": Common(
        pixelate,
        cifar=((0.95,), (0.9,), (0.85,), (0.75,), (0.65,)),
        imagenet=((0.6,), (0.5,), (0.4,), (0.3,), (0.25,)),
    ),
    "jpeg compression": Common(
        jpeg_compression,
        cifar=((80,), (65,), (58,), (50,), (40,)),
        imagenet=((25,), (18,), (15,), (10,), (7,)),
    ),
}
