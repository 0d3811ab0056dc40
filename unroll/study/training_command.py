"""python -m unroll train: one network, which goes on where it was cut off."""

import argparse
from pathlib import Path

from unroll.attention import names
from unroll.study.data import datasets, load
from unroll.study.entries import Entry, Size, build
from unroll.study.files import discard
from unroll.study.logs import Logs
from unroll.study.networks import Network
from unroll.study.processes import pick_device, processes
from unroll.study.recipe import Recipe
from unroll.study.training import accuracy, seed_everything, train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`train_one`."""
    usual = Recipe()
    parser.add_argument("attention", help=f"one of {', '.join(names())}")
    parser.add_argument("--data", default="mnist5k", help=f"one of {', '.join(datasets.names())} (%(default)s)")
    parser.add_argument("--epochs", type=int, default=usual.epochs, help="passes over the data (%(default)s)")
    parser.add_argument("--batch", type=int, default=usual.batch, help="images a step (%(default)s)")
    parser.add_argument(
        "--precision", default=usual.precision, help="of the network's products, float32 or bfloat16 (%(default)s)"
    )
    parser.add_argument("--accumulate", type=int, default=usual.accumulate, help="micro-batches a step (%(default)s)")
    parser.add_argument(
        "--ema", type=float, default=usual.ema, help="decay of the average of the weights, 0 for none (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="decides weights, order and augmentation (%(default)s)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/model.safetensors"),
        help="file for the weights; a checkpoint stands beside it until they are there (%(default)s)",
    )
    parser.add_argument("--log-folder", type=Path, help="folder for the course of the training (CSV)")
    parser.add_argument("--tensorboard", action="store_true", help="write it for TensorBoard too, into --log-folder")


def train_one(options: argparse.Namespace) -> None:
    """Train one network, say how well it does on the validation split, and keep its weights."""
    data, entry, size = load(options.data), Entry(options.attention), Size()
    recipe = Recipe(
        epochs=options.epochs,
        batch=options.batch,
        precision=options.precision,
        accumulate=options.accumulate,
        ema=options.ema,
    )
    if options.tensorboard and options.log_folder is None:
        raise ValueError("--tensorboard needs a folder: add --log-folder FOLDER")
    logs = Logs(options.log_folder, options.tensorboard) if options.log_folder else None
    checkpoint = options.out.with_suffix(f".checkpoint{options.out.suffix}")
    generator = seed_everything(options.seed)
    model = build(entry, data, size).to(pick_device())
    history = train(
        model,
        data.train,
        recipe,
        generator,
        held_out=data.validation,
        label=options.attention,
        checkpoint=checkpoint,
        logs=logs,
    )
    if not processes().is_main_process:
        return
    _say(f"validation accuracy {accuracy(model, data.validation):.1f} % after {history.seconds:.0f} s")
    Network(model.cpu(), entry, data.name, size, options.seed).save(options.out)
    discard(checkpoint)
    _say(f"Weights written to {options.out}; python -m unroll inspect {options.out} looks inside")


def _say(text: str) -> None:
    print(text)  # noqa: T201
