"""The common corruptions beside the library that goes image by image, and beside plain loops where it departs."""

import math

import numpy as np
import pytest
import torch
from librarys import levels, librarys
from scipy import ndimage
from sklearn.datasets import load_sample_image
from torch.nn import functional as F

from unroll.study import COMMON, SEVERITIES, corrupt, load
from unroll.study.corruptions.axes import clamped, coarsening, doubled, enlarging, mirrored
from unroll.study.corruptions.blur import glass_blur, motion_blur
from unroll.study.corruptions.digital import elastic_transform
from unroll.study.corruptions.frost import _photographs, frost
from unroll.study.corruptions.levels import LEVELS
from unroll.study.corruptions.plasma import plasma
from unroll.study.corruptions.weather import snow
from unroll.study.data import Split

FIXED = ("defocus blur", "zoom blur", "brightness", "contrast", "pixelate", "jpeg compression")


def drawn(seed=0):
    return torch.Generator().manual_seed(seed)


def temple(height, width, step=1):
    pixels = load_sample_image("china.jpg")[100 : 100 + step * height : step, 200 : 200 + step * width : step]
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


def digit():
    return load("mnist5k").train.images[:1]


def plain_line(image, radius, sigma, degrees):
    """Blur one channel as ImageMagick does, pixel by pixel."""
    weights = [math.exp(-(step**2) / (2 * sigma**2)) for step in range(2 * math.ceil(radius) + 1)]
    turn, (height, width) = math.radians(degrees), image.shape
    blurred = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            for step, weight in enumerate(weights):
                row = y + math.ceil(step * math.sin(turn) - 0.5)
                column = x + math.ceil(step * math.cos(turn) - 0.5)
                blurred[y, x] += weight * image[min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
    return blurred / sum(weights)


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", FIXED)
def test_what_is_not_drawn_is_the_librarys(name, severity):
    images = (digit(), temple(90, 64, 3), *([temple(224, 224)] if severity in (1, 5) else []))
    # The library rounds a mosaic to 8 bits twice, and nothing else.
    near = 1.01 / 255 if name == "pixelate" else 1e-4
    for image in images:
        common = LEVELS[name]
        ours = common.change(image, *common.imagenet[severity - 1], drawn())
        torch.testing.assert_close(ours, librarys(name, image, severity), atol=near, rtol=0)


@pytest.mark.parametrize("severity", [1, 5])
@pytest.mark.parametrize(
    ("name", "far"),
    [
        ("shot noise", 1.2),
        ("impulse noise", 1.2),
        ("glass blur", 1.5),
        # The same picture or cloud covers the whole image, whose pixels then err together.
        ("frost", 2.5),
        ("fog", 2.5),
        ("elastic transform", 1.3),
    ],
)
def test_what_is_drawn_is_distributed_as_the_librarys(name, far, severity):
    """In each pixel's mean, off by ``far`` standard errors at most (root mean square), and standard deviation."""
    common, count = LEVELS[name], 80
    level = common.imagenet[severity - 1]
    if name == "fog":
        level = (level[0], 3)  # the library's clouds are always of this decay
    if name == "elastic transform":
        level = tuple(224 / 244 * length for length in level)  # it takes shares of 224 pixels
    dusk = temple(28, 28, 4).mul(153).round() / 255  # no pixel is white
    for image in (digit(),) if name == "frost" else (digit(), dusk):
        images = image.repeat(count, 1, 1, 1)
        ours, theirs = common.change(images, *level, drawn(severity)), librarys(name, images, severity)
        error = ((ours.var(dim=0) + theirs.var(dim=0)) / count + 1e-6).sqrt()
        assert ((ours.mean(dim=0) - theirs.mean(dim=0)) / error).square().mean().sqrt() < far
        assert ours.std(dim=0).mean().item() == pytest.approx(theirs.std(dim=0).mean().item(), rel=0.06)


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_gaussian_noise_is_distributed_as_the_librarys(severity):
    data = Split(torch.full((8, 1, 64, 64), 0.5), torch.zeros(8), 8)
    ours, theirs = corrupt(data, "gaussian noise", severity).images, librarys("gaussian noise", data.images, severity)
    assert ours.mean().item() == pytest.approx(theirs.mean().item(), abs=0.01)
    assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.03)


@pytest.mark.parametrize("name", ["shot noise", "impulse noise", "glass blur", "motion blur", "snow", "frost", "fog"])
def test_levels_of_imagenet_c_are_the_librarys(name):
    ours = LEVELS[name].imagenet
    assert [level[: len(theirs)] for level, theirs in zip(ours, levels(name), strict=True)] == levels(name)


# Glass blur with its smaller constants smooths less of what it scatters, and is no nearer to the image.
@pytest.mark.parametrize("name", sorted({*COMMON[1:]} - {"glass blur"}))
def test_small_images_are_spared(name):
    assert len(LEVELS[name].cifar) == len(LEVELS[name].imagenet) == 5
    data = load("mnist5k").validation.first(30).images
    for small, large in zip(LEVELS[name].cifar, LEVELS[name].imagenet, strict=True):
        one, other = (LEVELS[name].change(data, *level, drawn()).sub(data).square().mean() for level in (small, large))
        assert one < other


def test_the_library_ignores_what_motion_snow_and_fog_are_held_against_loops_for():
    """Should this fail, the library has changed: hold ours against it."""
    image = temple(28, 40, 4)
    assert torch.equal(librarys("motion blur", image, 2), librarys("motion blur", image, 4))
    assert levels("motion blur")[1] != levels("motion blur")[3]
    clouds = [librarys("fog", torch.full((1, 1, 32, 32), 0.5), severity) for severity in (3, 4)]
    assert torch.equal(*clouds)
    assert levels("fog")[2] != levels("fog")[3]


@pytest.mark.parametrize("level", [LEVELS["motion blur"].cifar[0], LEVELS["motion blur"].imagenet[4]], ids=str)
def test_motion_blur_is_a_line_of_gaussian_weights(level):
    images = temple(15, 22, 8).repeat(3, 1, 1, 1)
    degrees = torch.rand(3, generator=drawn(7)) * 90 - 45
    assert degrees.min() < 0 < degrees.max()
    blurred = motion_blur(images, *level, drawn(7))
    for image, made, angle in zip(images, blurred, degrees.tolist(), strict=True):
        plain = np.stack([plain_line(channel.numpy(), *level, angle) for channel in image])
        np.testing.assert_allclose(made, plain, atol=1e-5)


@pytest.mark.parametrize("level", [LEVELS["snow"].cifar[2], LEVELS["snow"].imagenet[0]], ids=str)
def test_snow_is_what_a_plain_loop_makes_of_the_same_draws(level):
    mean, std, zoom, threshold, radius, sigma, kept = level
    images = temple(24, 24, 8).repeat(2, 1, 1, 1)
    noise = mean + std * torch.randn(2, 1, 24, 24, generator=(generator := drawn(1)))
    degrees = (torch.rand(2, generator=generator) * 90 - 135).tolist()
    fallen = snow(images, *level, drawn(1))
    for image, grain, angle, made in zip(images.numpy(), noise[:, 0].double().numpy(), degrees, fallen, strict=True):
        side = math.ceil(24 / zoom)
        first = (24 - side) // 2
        grown = ndimage.zoom(grain[first : first + side, first : first + side], zoom, order=1)
        over = (len(grown) - 24) // 2
        flakes = grown[over : over + 24, over : over + 24]
        flakes = plain_line(np.where(flakes < threshold, 0, flakes).clip(0, 1), radius, sigma, angle)
        gray = 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]
        plain = kept * image + (1 - kept) * np.maximum(image, 1.5 * gray + 0.5) + flakes + flakes[::-1, ::-1]
        assert flakes.max() > 0.1
        np.testing.assert_allclose(made, plain.clip(0, 1), atol=1e-5)


@pytest.mark.parametrize("decay", [3, 1.75, 1.4])
def test_clouds_are_those_of_a_plain_loop(decay):
    side, generator = 8, drawn(2)
    cloud, step, height = np.zeros((side, side)), side, 100.0

    def noise(cells):
        return (torch.rand(1, cells, cells, generator=generator) * 2 - 1)[0].numpy()

    while step >= 2:
        half, cells = step // 2, side // step
        for points, neighbours in (
            (((half, half),), ((-half, -half), (-half, half), (half, -half), (half, half))),
            (((0, half), (half, 0)), ((-half, 0), (half, 0), (0, -half), (0, half))),
        ):
            for row, column in points:
                wobble = noise(cells)
                for i in range(cells):
                    for j in range(cells):
                        y, x = row + i * step, column + j * step
                        around = [cloud[(y + down) % side, (x + right) % side] for down, right in neighbours]
                        cloud[y, x] = sum(around) / 4 + height**2 * wobble[i, j]
        step, height = half, height / decay
    cloud -= cloud.min()
    np.testing.assert_allclose(plasma(1, side, decay, drawn(2))[0], cloud / cloud.max(), atol=1e-5)


@pytest.mark.parametrize(("reach", "rounds"), [(1, 2), (2, 1), (4, 2)])
def test_glass_exchanges_one_pixel_after_the_other(reach, rounds):
    images = torch.rand(2, 3, 14, 19, generator=drawn())
    expected, generator = images.clone(), drawn(3)
    for _ in range(rounds):
        moves = torch.randint(-reach, reach, (2, 2, 14 - 2 * reach, 19 - 2 * reach), generator=generator).tolist()
        for number, image in enumerate(expected):
            for y in range(reach, 14 - reach):
                for x in range(reach, 19 - reach):
                    row, column = (axis[number][y - reach][x - reach] for axis in moves)
                    one, other = image[:, y, x].clone(), image[:, y + row, x + column].clone()
                    image[:, y, x], image[:, y + row, x + column] = other, one
    # Too little to smooth with: sigma 0.05 has no reach.
    torch.testing.assert_close(glass_blur(images, 0.05, reach, rounds, drawn(3)), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "level", [*LEVELS["elastic transform"].cifar, LEVELS["elastic transform"].imagenet[0]], ids=str
)
def test_elastic_images_are_those_of_plain_interpolation(level):
    force, sigma, jolt = level
    image, generator = temple(36, 48, 4), drawn(4)
    jolts, shifts = (
        (torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1).numpy()[0]
        for shape in ((1, 3, 2), (1, 2, 36, 48))
    )
    corners = np.array([24, 18]) + 12 * np.array([[1, 1], [1, -1], [-1, -1]])
    back = np.linalg.solve(np.column_stack([corners + jolt * jolts, np.ones(3)]), corners)
    y, x = np.mgrid[:36, :48]
    column, row = np.moveaxis(np.stack([x, y, np.ones_like(x)], axis=-1) @ back, -1, 0)
    right, down = (force * ndimage.gaussian_filter(shift, sigma, mode="reflect", truncate=3) for shift in shifts)
    made = elastic_transform(image, *level, drawn(4))[0]
    for channel, ours in zip(image[0].double().numpy(), made, strict=True):
        moved = ndimage.map_coordinates(channel, (row, column), order=1, mode="mirror")
        plain = ndimage.map_coordinates(moved, (y + down, x + right), order=1, mode="reflect")
        np.testing.assert_allclose(ours, plain, atol=1e-4)


def test_a_fifth_of_a_photograph_is_what_bilinear_interpolation_makes_of_it():
    assert len(_photographs(1)) == len(_photographs(5)) == 6
    for whole, small in zip(_photographs(1), _photographs(5), strict=True):
        wanted = F.interpolate(whole[None], scale_factor=0.2, mode="bilinear", recompute_scale_factor=False)[0]
        # Where the side is no multiple of five torch rounds down, OpenCV, and the publication with it, to the nearest.
        torch.testing.assert_close(small[:, : wanted.shape[1], : wanted.shape[2]], wanted, atol=1e-6, rtol=0)


def test_frost_is_enlarged_where_an_image_is_larger_than_it():
    assert (frost(torch.zeros(20, 1, 60, 400), 1, 0.5, 5, drawn()).flatten(1).std(dim=1) > 0).all()


def test_borders():
    places = torch.arange(-5, 9)
    for border, mode in ((clamped, "edge"), (mirrored, "reflect"), (doubled, "symmetric")):
        assert border(places, 4).tolist() == np.pad(np.arange(4), 5, mode=mode).tolist()


@pytest.mark.parametrize("size", [4, 7, 28, 45])
def test_enlarging_and_coarsening_keep_an_even_image(size):
    ones = torch.ones(size, dtype=torch.float64)
    for factor in (1.0, 1.07, 1.5, 2.25):
        torch.testing.assert_close(enlarging(size, factor) @ ones, ones)
    assert torch.equal(enlarging(size, 1.0), torch.eye(size, dtype=torch.float64))
    for tiles in range(2, size):
        torch.testing.assert_close(coarsening(size, tiles) @ ones, ones)
