"""Convolutional LISTA: the matrix behind its convolutions, its gradients, and what it refuses."""

import pytest
import torch

from unroll.models.lista import ConvolutionalLISTA
from unroll.study.recovery import gaussian_dictionary


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def dense(network, height, width):
    """Return the synthesis of a convolutional network as a matrix from codes to pixels."""
    codes = network.bind(torch.zeros(1, 1, height, width, dtype=torch.float64)).start()
    eye = torch.eye(codes.numel(), dtype=torch.float64).view(-1, *codes.shape[1:])
    return torch.nn.functional.conv_transpose2d(eye, network.synthesis).flatten(1).T


def test_unlearned_convolutional_lista_is_ista_on_the_matrix_of_its_convolution():
    atoms = gaussian_dictionary(9, 5).double()
    network = ConvolutionalLISTA(atoms, 6, threshold=0.05)
    image = torch.randn(2, 1, 7, 8, dtype=torch.float64, generator=generator())
    matrix = dense(network, 7, 8).detach()
    bound = (network.dictionary.T.reshape(5, 1, 3, 3) / network.analysis)[0, 0, 0, 0].item()
    assert bound >= torch.linalg.matrix_norm(matrix, ord=2).square() - 1e-9
    z = torch.zeros(2, matrix.shape[1], dtype=torch.float64)
    for _ in range(6):
        moved = z + (image.flatten(1) - z @ matrix.T) @ matrix / bound
        z = moved.sign() * (moved.abs() - 0.05 / bound).clamp_min(0)
    assert torch.allclose(network.solve(image).value.flatten(1), z, atol=1e-9)
    assert torch.allclose(network(image).flatten(1), z @ matrix.T, atol=1e-9)
    assert torch.allclose(network.course(image)[-1], network(image), atol=1e-12)
    small = torch.randn(1, 1, 4, 5, dtype=torch.float64, generator=generator()).requires_grad_()
    assert torch.autograd.gradcheck(lambda y, *_: network(y), (small, *network.parameters()), atol=1e-6)


def test_convolutional_refusals():
    with pytest.raises(ValueError, match="square patches as columns, got columns of length 8"):
        ConvolutionalLISTA(gaussian_dictionary(8, 3))
    network = ConvolutionalLISTA(gaussian_dictionary(9, 3))
    with pytest.raises(ValueError, match=r"images must have shape \[B, 1, height, width\], got \[1, 3, 8, 8\]"):
        network(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match=r"images must be at least 3 pixels high and wide, got \[2, 8\]"):
        network(torch.zeros(1, 1, 2, 8))
    with pytest.raises(ValueError, match="must have the dtype of the dictionary"):
        network(torch.zeros(1, 1, 8, 8, dtype=torch.float64))
