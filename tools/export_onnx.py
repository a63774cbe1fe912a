#!/usr/bin/env python3
"""Writes a PyTorch network as an ONNX file that lossmap can analyse.

The usual exporters fold batch norms into convolutions, rename or transpose weights and merge equal tensors. A landscape
of such weights is another landscape. export() writes the network in inference semantics, with

- batch norms unfolded, the batch (axis 0) dynamic, no external data below 2 GB, no stack traces;
- each parameter and buffer an initializer with PyTorch's name, shape and value (checked after the export; tied
  parameters are one initializer, under the name that named_parameters() gives);
- the metadata entry `lossmap.parameters`: a JSON list of the trainable parameters' names in declaration order.

In a training loop:

    export_epoch = EpochExporter("checkpoints", example_input)
    export_epoch(model, 0)                  # the initialisation
    for epoch in range(1, epochs + 1):
        train(...)
        export_epoch(model, epoch)          # checkpoints/epoch_01.onnx, ...

On the command line: export_onnx.py my_nets.py:make_net net.onnx --input-shape 3,32,32 --checkpoint net.pt

Needs torch 1.13 or newer, onnx, and export_onnx_graph.py beside this file (as a command export_onnx_command.py, too); the
exporter of torch.export ("dynamo") needs onnxscript.
"""
import contextlib
import inspect
import io
import json
import os
import sys
import tempfile
import warnings

try:
    import numpy as np
    import onnx
    import torch
except ImportError as error:
    if __name__ != "__main__":
        raise
    print(f"export_onnx.py: needs numpy, torch and onnx ({error})", file=sys.stderr)
    sys.exit(2)

try:
    from export_onnx_graph import GraphError, clean_graph, fold_shape_arithmetic, match_initializers
except ImportError:  # imported as tools.export_onnx
    from .export_onnx_graph import GraphError, clean_graph, fold_shape_arithmetic, match_initializers

PROTOBUF_LIMIT = 2**31 - 2**20  # bytes; protobuf refuses messages of 2 GiB, 1 MiB is kept for the graph


class ExportError(RuntimeError):
    """The network cannot be exported, or the file does not hold its parameters."""


def export(model, example_input, path, *, opset=17, exporter="auto", input_names=None, output_names=None,
           dynamic_batch=True, metadata=None):
    """Writes `model` to `path` as an ONNX file in inference semantics; returns the names of its trainable parameters.

    example_input: a tensor, or a tuple of tensors for several inputs, each with the batch on axis 0.
    opset: 13 to 17 are what most readers know (17 keeps a layer norm in one node); the dynamo exporter writes at least 18.
    exporter: "legacy" (TorchScript), "dynamo" (torch.export), or "auto": legacy, else dynamo.
    input_names, output_names: graph names; default "input" and "output", numbered from 0 when there are several.
    dynamic_batch: False fixes the batch to the example's.
    metadata: further entries of the file's metadata, name to text.

    The file appears under its name only when it is complete. Each module's train or eval mode is restored. A trainable
    parameter without influence on the output is left out, with a warning. Raises ExportError.
    """
    if exporter not in ("auto", "legacy", "dynamo"):
        raise ExportError(f"unknown exporter '{exporter}': choose auto, legacy or dynamo")
    inputs = _as_inputs(model, example_input)
    _refuse_batch_statistics(model)
    path = os.path.abspath(os.fspath(path))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with inference_mode_of(model), tempfile.TemporaryDirectory(dir=os.path.dirname(path), prefix=".export-") as folder:
        with torch.no_grad():
            outputs = _flat_tensors(model(*inputs))
        if not outputs:
            raise ExportError("the network's output holds no tensor")
        names = (_names(input_names, "input", len(inputs)), _names(output_names, "output", len(outputs)))
        proto = _run_exporter(model, inputs, outputs, names, os.path.join(folder, "raw.onnx"), opset, exporter,
                              dynamic_batch)
        trainable = _restore_parameters(proto, model, inputs)
        clean_graph(proto)
        del proto.metadata_props[:]
        entries = {**(metadata or {}), "lossmap.parameters": json.dumps(trainable)}
        onnx.helper.set_model_props(proto, {key: str(value) for key, value in entries.items()})
        _write(proto, folder, path)
    return trainable


class EpochExporter:
    """Writes a checkpoint after each epoch: DIRECTORY/epoch_00.onnx (the initialisation), epoch_01.onnx, ...

    The arguments are export()'s; `keep_last=True` keeps one file only, DIRECTORY/model.onnx, replaced each time.
    """

    def __init__(self, directory, example_input, keep_last=False, **export_options):
        self.directory = os.fspath(directory)
        self.example_input = example_input
        self.keep_last = keep_last
        self.export_options = export_options

    def __call__(self, model, epoch):
        """Writes the model as it is after `epoch` (0 is the initialisation) and returns the file's path."""
        name = "model.onnx" if self.keep_last else f"epoch_{int(epoch):02d}.onnx"
        path = os.path.join(self.directory, name)
        export(model, self.example_input, path, **self.export_options)
        return path


@contextlib.contextmanager
def inference_mode_of(model):
    """Puts the model into eval mode; each module gets its own mode back, as parts may be frozen in eval mode."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def evaluate(path, inputs):
    """The outputs (a list of numpy arrays) of an ONNX file for a list of numpy arrays, in the order of its inputs.

    Uses onnxruntime where it is installed, else onnx's own (slow) reference evaluator, whose batch norm of opset 9 to 13
    is wrong (it mixes in the batch's statistics).
    """
    try:
        import onnxruntime
        session = onnxruntime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
        return session.run(None, {node.name: array for node, array in zip(session.get_inputs(), inputs)})
    except ImportError:
        from onnx.reference import ReferenceEvaluator
        evaluator = ReferenceEvaluator(os.fspath(path))
        return evaluator.run(None, dict(zip(evaluator.input_names, inputs)))


def largest_deviation(path, model, example_input, batch=None):
    """Largest |file - torch| over all outputs, relative to the largest |output|.

    batch: evaluates with the example repeated to this batch size, so that a batch fixed by the exporter is noticed.
    """
    inputs = _as_inputs(model, example_input)
    if batch is not None:
        inputs = tuple(_repeat_batch(x, batch) for x in inputs)
    with inference_mode_of(model), torch.no_grad():
        expected = [x.cpu().numpy() for x in _flat_tensors(model(*inputs))]
    actual = evaluate(path, [x.detach().cpu().numpy() for x in inputs])
    worst = 0.0
    for mine, theirs in zip(actual, expected):
        if mine.shape != theirs.shape:
            raise ExportError(f"the file's output has shape {list(mine.shape)}, torch's {list(theirs.shape)}")
        scale = max(float(np.abs(theirs).max(initial=0)), 1e-30)
        worst = max(worst, float(np.abs(mine - theirs).max(initial=0)) / scale)
    return worst


@contextlib.contextmanager
def _plain_attention():
    """Keeps transformer layers from their fused inference kernel, which the legacy exporter does not know."""
    switch = getattr(torch.backends, "mha", None)  # torch 2.3 or newer
    if switch is None:
        yield
        return
    before = switch.get_fastpath_enabled()
    switch.set_fastpath_enabled(False)
    try:
        yield
    finally:
        switch.set_fastpath_enabled(before)


def _as_inputs(model, example_input):
    """The example as a tuple of tensors on the model's device."""
    inputs = tuple(example_input) if isinstance(example_input, (tuple, list)) else (example_input,)
    if not inputs or not all(isinstance(x, torch.Tensor) and x.dim() > 0 for x in inputs):
        raise ExportError("the example input must be a tensor, or a tuple of tensors, with the batch on axis 0")
    first = next(model.parameters(), None)
    return inputs if first is None else tuple(x.to(first.device) for x in inputs)


def _repeat_batch(x, batch):
    """x[0], x[1], ... repeated along axis 0 to `batch` samples."""
    return x[torch.arange(batch, device=x.device) % x.shape[0]]


def _flat_tensors(value):
    """All tensors of nested tuples, lists and dicts, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [x for item in value for x in _flat_tensors(item)] if isinstance(value, (tuple, list)) else []


def _names(names, default, count):
    if names is None:
        return [default] if count == 1 else [f"{default}_{i}" for i in range(count)]
    if len(names) != count:
        raise ExportError(f"{len(names)} {default} names given for {count} {default}s")
    return list(names)


def _refuse_batch_statistics(model):
    """A batch norm without running statistics makes a sample's loss depend on its batch: there is no one landscape."""
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.running_mean is None:
            raise ExportError(f"batch norm '{name}' has no running statistics (track_running_stats=False)")


def _run_exporter(model, inputs, outputs, names, path, opset, exporter, dynamic_batch):
    """Runs torch's exporters in the order of preference and returns the first ModelProto that one of them wrote."""
    failures = []
    for kind in ("legacy", "dynamo") if exporter == "auto" else (exporter,):
        run = _export_legacy if kind == "legacy" else _export_dynamo
        try:
            # Both exporters print progress and warn about their own deprecation; none of it concerns the user. What
            # tracing cannot follow in the user's code (Python branches and sizes that become constants) does.
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad(), _plain_attention():
                warnings.simplefilter("ignore")
                warnings.filterwarnings("default", category=torch.jit.TracerWarning)
                warnings.filterwarnings("ignore", category=torch.jit.TracerWarning, module=r"torch\.")
                run(model, inputs, outputs, names, path, opset, dynamic_batch)
            proto = onnx.load(path)
            fold_shape_arithmetic(proto)
            return proto
        except Exception as error:  # the exporters raise all kinds; the message is what helps
            reason = (str(error).strip() or "no reason given").splitlines()[0]
            failures.append(f"{kind} exporter: {type(error).__name__}: {reason}")
    raise ExportError("torch cannot export this network; " + "; ".join(failures))


def _export_legacy(model, inputs, outputs, names, path, opset, dynamic_batch):
    """The TorchScript exporter. PRESERVE with a model in eval mode is what keeps batch norms apart: EVAL folds them."""
    options = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    axes = {}
    if dynamic_batch:
        axes = {name: {0: "batch"} for name in names[0]}
        axes.update({name: {0: "batch"} for name, x in zip(names[1], outputs)
                     if x.dim() and x.shape[0] == inputs[0].shape[0]})
    torch.onnx.export(model, inputs, path, opset_version=opset, training=torch.onnx.TrainingMode.PRESERVE,
                      do_constant_folding=False, input_names=names[0], output_names=names[1], dynamic_axes=axes,
                      **options)


def _export_dynamo(model, inputs, outputs, names, path, opset, dynamic_batch):
    """The torch.export exporter; optimize=False is what keeps batch norms and names."""
    if "dynamic_shapes" not in inspect.signature(torch.onnx.export).parameters:
        raise ExportError(f"torch {torch.__version__} has no usable dynamo exporter")
    options = {}
    if dynamic_batch:
        # torch.export takes a batch of 1 for a constant.
        inputs = tuple(_repeat_batch(x, max(2, x.shape[0])) for x in inputs)
        options["dynamic_shapes"] = tuple({0: torch.export.Dim("batch")} for _ in inputs)
        if _takes_varargs(model):
            options["dynamic_shapes"] = (options["dynamic_shapes"],)
    torch.onnx.export(model, inputs, path, dynamo=True, opset_version=max(opset, 18), optimize=False,
                      external_data=False, input_names=names[0], output_names=names[1], verbose=False, **options)


def _takes_varargs(model):
    """Whether forward(*args) collects the inputs: torch.export then wants their shapes as one nested tuple."""
    kinds = [p.kind for p in inspect.signature(model.forward).parameters.values()]
    return inspect.Parameter.VAR_POSITIONAL in kinds


def _restore_parameters(proto, model, inputs):
    """Gives each tensor of the model its initializer back; returns the names of the trainable parameters."""
    parameters = dict(model.named_parameters())
    buffers = dict(model.named_buffers())
    aliases = {}  # further names of tied tensors, to the name that named_parameters() gives
    canonical = {id(x): name for name, x in [*parameters.items(), *buffers.items()]}
    for name, x in [*_all_names(model, "named_parameters"), *_all_names(model, "named_buffers")]:
        if canonical.get(id(x), name) != name:
            aliases[name] = canonical[id(x)]
    tensors = {name: _to_numpy(x) for name, x in [*parameters.items(), *buffers.items()]}
    try:
        missing = match_initializers(proto, tensors, aliases)
    except GraphError as error:
        raise ExportError(str(error)) from error
    lost = [name for name in missing if name in parameters]
    used = [name for name in lost if _has_influence(model, inputs, parameters[name])]
    if used:
        raise ExportError("the exporter did not keep the parameters " + ", ".join(used))
    if lost:
        warnings.warn("without influence on the output and left out: " + ", ".join(lost), stacklevel=3)
    return [name for name, x in parameters.items() if x.requires_grad and name not in lost]


def _all_names(model, method):
    """(name, tensor) of each parameter or buffer under all of its names (tied ones appear more than once)."""
    for prefix, module in model.named_modules(remove_duplicate=False):
        for name, x in getattr(module, method)(recurse=False):
            yield (f"{prefix}.{name}" if prefix else name), x


def _to_numpy(x):
    """The tensor's values as a contiguous array; bfloat16, which numpy lacks, as float32."""
    x = x.detach().cpu()
    return np.ascontiguousarray((x.float() if x.dtype == torch.bfloat16 else x).numpy()).reshape(tuple(x.shape))


def _has_influence(model, inputs, parameter):
    """Whether any output depends on the parameter; True, too, when autograd cannot tell."""
    required = parameter.requires_grad
    try:
        parameter.requires_grad_(True)
        with torch.enable_grad():
            sums = [x.float().sum() for x in _flat_tensors(model(*inputs)) if x.requires_grad]
        if not sums:
            return False
        return torch.autograd.grad(sum(sums), parameter, allow_unused=True)[0] is not None
    except RuntimeError:
        return True
    finally:
        parameter.requires_grad_(required)


def _write(proto, folder, path):
    """Writes the file into `folder`, on the same file system, and renames it to `path`."""
    temporary = os.path.join(folder, os.path.basename(path))
    if proto.ByteSize() < PROTOBUF_LIMIT:
        onnx.checker.check_model(proto)
        onnx.save(proto, temporary)
    else:
        data = os.path.basename(path) + ".data"
        onnx.save(proto, temporary, save_as_external_data=True, all_tensors_to_one_file=True, location=data)
        onnx.checker.check_model(temporary)
        os.replace(os.path.join(folder, data), path + ".data")  # first, so that a model never lacks its data
    os.replace(temporary, path)


if __name__ == "__main__":
    from export_onnx_command import main
    sys.exit(main())
