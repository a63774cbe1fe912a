"""The command line of export_onnx.py: finds a network's factory, loads its checkpoint, writes the file."""
import argparse
import importlib
import importlib.util
import json
import os
import sys

import torch

from export_onnx import ExportError, export, largest_deviation


def load_factory(text):
    """The callable that "MODULE:NAME" or "FILE.py:NAME" names. Raises ExportError."""
    module_name, separator, attribute = text.rpartition(":")
    if not separator or not module_name or not attribute:
        raise ExportError(f"'{text}' is not of the form MODULE:FACTORY or FILE.py:FACTORY")
    try:
        if module_name.endswith(".py"):
            sys.path.insert(0, os.path.dirname(os.path.abspath(module_name)))
            spec = importlib.util.spec_from_file_location(os.path.basename(module_name)[:-3], module_name)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            sys.path.insert(0, os.getcwd())
            module = importlib.import_module(module_name)
        return getattr(module, attribute)
    except (ImportError, AttributeError, OSError) as error:
        raise ExportError(f"cannot load '{text}': {error}") from error


def load_checkpoint(model, path, key):
    """Puts the state_dict in a .pt file into the model; `key` selects an entry of a dict that holds more than that."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)  # runs no code from the file
        model.load_state_dict(state[key] if key else state)
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        raise ExportError(f"cannot load the checkpoint '{path}': {type(error).__name__}: {lines[0]}") from error


def main(arguments=None):
    """The command line; returns the exit status (0, or 2 after one sentence on stderr)."""
    parser = argparse.ArgumentParser(prog="export_onnx.py", description="Writes a PyTorch network as an ONNX file with "
                                     "unfolded batch norms and PyTorch's parameter names, for lossmap.")
    parser.add_argument("factory", help="MODULE:FACTORY or FILE.py:FACTORY, a callable that returns the network")
    parser.add_argument("output", help="the ONNX file to write")
    parser.add_argument("--input-shape", required=True, help="shape of one sample, such as 3,32,32")
    parser.add_argument("--input-type", choices=["float32", "int64"], default="float32", help="int64 for token ids")
    parser.add_argument("--arguments", default="{}", help='the factory\'s keyword arguments as JSON, such as {"width": 8}')
    parser.add_argument("--checkpoint", help="a .pt file with the state_dict")
    parser.add_argument("--key", help="the entry of the checkpoint that holds the state_dict")
    parser.add_argument("--opset", type=int, default=17)
    parser.add_argument("--exporter", choices=["auto", "legacy", "dynamo"], default="auto")
    parser.add_argument("--check", action="store_true", help="compare the file's output with torch's (batch 3)")
    options = parser.parse_args(arguments)
    try:
        try:
            shape = [int(size) for size in options.input_shape.split(",")]
            keywords = json.loads(options.arguments)
        except ValueError as error:
            raise ExportError(f"--input-shape or --arguments: {error}") from error
        if min(shape) < 1 or not isinstance(keywords, dict):
            raise ExportError("--input-shape takes positive sizes, --arguments a JSON object")
        model = load_factory(options.factory)(**keywords)
        if options.checkpoint:
            load_checkpoint(model, options.checkpoint, options.key)
        example = torch.rand(2, *shape).to(getattr(torch, options.input_type))  # token ids become 0, valid everywhere
        names = export(model, example, options.output, opset=options.opset, exporter=options.exporter)
        print(f"{options.output}: {len(names)} trainable parameters, {os.path.getsize(options.output)} bytes")
        if options.check:
            print(f"largest deviation from torch: {largest_deviation(options.output, model, example, 3):.3g}")
    except (ExportError, OSError, TypeError) as error:
        print(f"export_onnx.py: {error}", file=sys.stderr)
        return 2
    return 0
