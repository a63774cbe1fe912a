"""Repairs of exported ONNX graphs, for export_onnx.py: initializers under PyTorch's names, constants folded."""
import numpy as np
import onnx
from onnx import helper, numpy_helper

LARGEST_CONSTANT = 65536  # elements; what fold_shape_arithmetic may add to the file


class GraphError(RuntimeError):
    """The graph does not hold a tensor as PyTorch holds it."""


def match_initializers(proto, tensors, aliases):
    """Makes each tensor an initializer of its own name, shape and value; returns the names of those not in the graph.

    tensors: name to array, in the order that the initializers shall have.
    aliases: further names of tied tensors, to the name under which `tensors` has them.

    Undone are: equal tensors merged behind Identity nodes, a tied tensor under its last user's name, a tensor under an
    anonymous name, as it is or transposed. Raises GraphError when shape or value differ.
    """
    graph = proto.graph
    initializers = {x.name: x for x in graph.initializer}
    _split_identities(graph, initializers, tensors, aliases)
    for alias, name in aliases.items():
        if alias in initializers:
            _rename(graph, alias, name)
            duplicate = initializers.pop(alias)
            if name in initializers:
                graph.initializer.remove(duplicate)
            else:
                duplicate.name = name
                initializers[name] = duplicate
    anonymous = {name: numpy_helper.to_array(x) for name, x in initializers.items() if name not in tensors}
    for name in [name for name in tensors if name not in initializers]:
        _adopt(graph, initializers, anonymous, name, tensors[name])
    for name, expected in tensors.items():
        if name in initializers:
            _compare(name, numpy_helper.to_array(initializers[name]), expected)
    order = {name: i for i, name in enumerate(tensors)}
    ordered = sorted(graph.initializer, key=lambda x: order.get(x.name, len(order)))
    copies = [onnx.TensorProto.FromString(x.SerializeToString()) for x in ordered]
    del graph.initializer[:]
    graph.initializer.extend(copies)
    return [name for name in tensors if name not in initializers]


def _split_identities(graph, initializers, tensors, aliases):
    """The legacy exporter stores equal tensors once and puts an Identity in front of the others: undoes that."""
    merged = True
    while merged:  # an Identity may follow another
        merged = [x for x in graph.node if x.op_type == "Identity" and not x.domain and x.input[0] in initializers
                  and (x.output[0] in tensors or x.output[0] in aliases)]
        for node in merged:
            source, name = initializers[node.input[0]], aliases.get(node.output[0], node.output[0])
            graph.node.remove(node)
            if node.output[0] != name:
                _rename(graph, node.output[0], name)
            if name not in initializers:
                copy = graph.initializer.add()
                copy.CopyFrom(source)
                copy.name = name
                initializers[name] = copy


def _adopt(graph, initializers, anonymous, name, expected):
    """Gives `name` to the one anonymous initializer that holds its values, directly or transposed; else does nothing."""
    for transposed in (False, True):
        wanted = expected.T if transposed else expected
        if transposed and expected.ndim != 2:
            return
        found = [key for key, x in anonymous.items() if x.shape == wanted.shape and _same_bits(x, wanted)]
        if len(found) == 1 and expected.size > 1:  # a scalar's value says nothing about where it comes from
            del anonymous[found[0]]
            proto = initializers.pop(found[0])
            if transposed:
                graph.node.insert(0, helper.make_node("Transpose", [name], [found[0]], perm=[1, 0]))
            else:
                _rename(graph, found[0], name)
            proto.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(expected), name))
            initializers[name] = proto
            return


def _rename(graph, old, new):
    """Lets all users of the value `old` take `new`, in subgraphs, too."""
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name == old:
                node.input[i] = new
        for attribute in node.attribute:
            for subgraph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                _rename(subgraph, old, new)
    if old in [x.name for x in graph.output]:
        # An output keeps its name: the caller chose it.
        graph.node.append(helper.make_node("Identity", [new], [old]))


def _same_bits(a, b):
    """Equality that takes NaN for equal to itself and 0 for different from -0."""
    return a.dtype == b.dtype and np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()


def _compare(name, actual, expected):
    if actual.shape != expected.shape:
        raise GraphError(f"the exporter gave '{name}' the shape {list(actual.shape)} instead of {list(expected.shape)}")
    if actual.dtype != expected.dtype and actual.dtype.name == "bfloat16":
        actual = actual.astype(np.float32)
    if not _same_bits(actual, expected):
        raise GraphError(f"the exporter changed the values of '{name}'")


def clean_graph(proto):
    """Removes what only describes: stack traces, doc strings, intermediate shapes. Half of a small file is that."""
    proto.doc_string = ""
    graphs = [proto.graph]
    while graphs:
        graph = graphs.pop()
        graph.doc_string = ""
        _clear_metadata(graph)
        del graph.value_info[:]
        for item in [*graph.input, *graph.output, *graph.initializer]:
            item.doc_string = ""
            _clear_metadata(item)
        for node in graph.node:
            node.doc_string = ""
            _clear_metadata(node)
            for attribute in node.attribute:
                graphs.extend([attribute.g] if attribute.HasField("g") else attribute.graphs)


def _clear_metadata(item):
    if "metadata_props" in item.DESCRIPTOR.fields_by_name:  # onnx 1.16 or newer
        del item.metadata_props[:]


def fold_shape_arithmetic(proto):
    """Computes what depends on no input and no parameter's value, and drops zero biases of convolutions.

    The dynamo exporter, unoptimised, writes chains such as Shape(weight) -> Expand -> CastLike for the zero bias of a
    convolution that has none. Results become Constant nodes, not initializers: they are no parameters.
    """
    from onnx.reference import ReferenceEvaluator
    graph = proto.graph
    shapes = {x.name: list(x.dims) for x in graph.initializer}
    types = {x.name: x.data_type for x in graph.initializer}
    types.update({x.name: x.type.tensor_type.elem_type for x in [*graph.input, *graph.value_info]})
    known, fresh, nodes = {}, set(), []
    for node in graph.node:
        value = _constant_value(proto, node, known, shapes, types, ReferenceEvaluator)
        if value is None:
            nodes.append(node)
        else:
            known[node.output[0]] = value
            fresh.add(node.output[0])
    for node in nodes:
        bias = node.input[2] if node.op_type in ("Conv", "ConvTranspose") and len(node.input) == 3 else None
        if bias in known and not known[bias].any():
            del node.input[2]
    used = {name for node in nodes for name in _inputs(node)} | {x.name for x in graph.output}
    constants = [helper.make_node("Constant", [], [name], value=numpy_helper.from_array(known[name]))
                 for name in known if name in used and name in fresh]
    kept = [onnx.NodeProto.FromString(x.SerializeToString()) for x in nodes]
    del graph.node[:]
    graph.node.extend(constants + kept)


def _constant_value(proto, node, known, shapes, types, evaluator):
    """The node's value when it is a constant of moderate size, else None."""
    if node.domain or len(node.output) != 1 or any(x.HasField("g") or x.graphs for x in node.attribute):
        return None
    if node.op_type.startswith("Random") or node.op_type in ("Bernoulli", "Multinomial"):
        return None
    if node.op_type == "Shape" and node.input[0] in shapes:
        ends = {x.name: x.i for x in node.attribute}
        return np.array(shapes[node.input[0]][ends.get("start", 0):ends.get("end")], dtype=np.int64)
    if node.op_type == "CastLike" and node.input[0] in known and node.input[1] in types:
        dtype = helper.tensor_dtype_to_np_dtype(types[node.input[1]])
        return known[node.input[0]].astype(dtype)
    if any(name and name not in known for name in node.input):
        return None
    used = sorted(set(node.input) - {""})
    inputs = [helper.make_tensor_value_info(x, helper.np_dtype_to_tensor_dtype(known[x].dtype), known[x].shape)
              for x in used]
    output = helper.make_value_info(node.output[0], onnx.TypeProto())
    graph = helper.make_graph([node], "constant", inputs, [output])
    try:
        model = helper.make_model(graph, opset_imports=proto.opset_import)
        value = np.asarray(evaluator(model).run(None, {x: known[x] for x in used})[0])
    except Exception:  # what the evaluator cannot compute stays in the graph, which is correct as well
        return None
    return value if value.size <= LARGEST_CONSTANT and value.dtype.kind in "fiub" else None


def _inputs(node):
    """Names that a node reads, its subgraphs included."""
    yield from node.input
    for attribute in node.attribute:
        for subgraph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
            for inner in subgraph.node:
                yield from _inputs(inner)
            yield from (x.name for x in subgraph.output)
