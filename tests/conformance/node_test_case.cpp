#include "node_test_case.hpp"

#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>

#include <onnx/onnx_pb.h>

#include "core/error.hpp"
#include "graph/operator_table.hpp"
#include "graph/specialize.hpp"
#include "onnx_import/importer.hpp"

namespace lossmap::test {
namespace {

namespace fs = std::filesystem;

template <typename Stored, typename Kept, typename Field>
Tensor from_field(const std::string& raw, const Field& field, Shape shape) {
    Tensor tensor(dtype_of<Kept>, std::move(shape));
    const auto out = tensor.as<Kept>();
    if (!raw.empty()) {
        if (raw.size() != out.size() * sizeof(Stored)) throw InputError("raw data of the wrong length");
        for (std::size_t i = 0; i < out.size(); ++i) {
            Stored value;
            std::memcpy(&value, raw.data() + i * sizeof(Stored), sizeof(Stored));
            out[i] = static_cast<Kept>(value);
        }
    } else {
        if (static_cast<std::size_t>(field.size()) != out.size()) throw InputError("a field of the wrong length");
        for (std::size_t i = 0; i < out.size(); ++i)
            out[i] = static_cast<Kept>(field.Get(static_cast<int>(i)));
    }
    return tensor;
}

/// 16-bit floating-point tensors, widened as the importer widens them.
template <float (*kWiden)(std::uint16_t)>
Tensor from_half(const onnx::TensorProto& proto, const Shape& shape) {
    const Tensor bits = from_field<std::uint16_t, std::uint16_t>(proto.raw_data(), proto.int32_data(), shape);
    Tensor tensor(DType::f32, shape);
    for (std::size_t i = 0; i < bits.as<std::uint16_t>().size(); ++i)
        tensor.as<float>()[i] = kWiden(bits.as<std::uint16_t>()[i]);
    return tensor;
}

Tensor read_tensor(const onnx::TensorProto& proto) {
    const Shape shape(proto.dims().begin(), proto.dims().end());
    const std::string& raw = proto.raw_data();
    const auto& ints = proto.int32_data();
    switch (proto.data_type()) {
        case 1: return from_field<float, float>(raw, proto.float_data(), shape);
        case 2: return from_field<std::uint8_t, std::uint8_t>(raw, ints, shape);
        case 3: return from_field<std::int8_t, std::int8_t>(raw, ints, shape);
        case 4: return from_field<std::uint16_t, std::uint16_t>(raw, ints, shape);
        case 5: return from_field<std::int16_t, std::int16_t>(raw, ints, shape);
        case 6: return from_field<std::int32_t, std::int32_t>(raw, ints, shape);
        case 7: return from_field<std::int64_t, std::int64_t>(raw, proto.int64_data(), shape);
        case 9: return from_field<std::uint8_t, bool>(raw, ints, shape);
        case 10: return from_half<half_to_float>(proto, shape);
        case 11: return from_field<double, float>(raw, proto.double_data(), shape);
        case 12: return from_field<std::uint32_t, std::uint32_t>(raw, proto.uint64_data(), shape);
        case 13: return from_field<std::uint64_t, std::uint64_t>(raw, proto.uint64_data(), shape);
        case 16: return from_half<bfloat16_to_float>(proto, shape);
        default: throw UnsupportedError("element type number {} is not supported", proto.data_type());
    }
}

onnx::TensorProto parse_tensor(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    onnx::TensorProto proto;
    if (!proto.ParseFromIstream(&stream)) throw UnsupportedError("{} is not a tensor", file.filename().string());
    return proto;
}

struct DataSet {
    std::vector<std::optional<Tensor>> inputs, outputs;
};

std::vector<std::optional<Tensor>> read_tensors(const fs::path& folder, const std::string& prefix,
                                                NodeTestResult& result) {
    std::vector<std::optional<Tensor>> tensors;
    for (int index = 0; fs::exists(folder / (prefix + std::to_string(index) + ".pb")); ++index) {
        const onnx::TensorProto proto = parse_tensor(folder / (prefix + std::to_string(index) + ".pb"));
        const int type = proto.data_type();
        if (type != 1 && type != 6 && type != 7 && type != 9) result.plain_types = false;
        tensors.emplace_back(read_tensor(proto));
    }
    return tensors;
}

/// Inputs become constants: those of integer or truth type (`all` false), or all of them.
Graph with_constant_inputs(const Graph& source, const DataSet& data, bool all) {
    Graph graph = source;
    std::vector<ValueId> fed;
    for (std::size_t k = 0; k < graph.inputs.size(); ++k) {
        Value& value = graph.value(graph.inputs[k]);
        if (!all && is_floating_point(data.inputs.at(k)->dtype())) {
            fed.push_back(graph.inputs[k]);
            continue;
        }
        value.kind = ValueKind::constant;
        value.data = std::make_shared<const Tensor>(data.inputs.at(k)->clone());
    }
    graph.inputs = fed;
    return graph;
}

Graph concrete_graph(const Graph& source, const DataSet& data) {
    const auto shapes_of = [&](const Graph& graph) {
        std::map<std::string, Shape> shapes;
        for (std::size_t k = 0; k < source.inputs.size(); ++k) {
            const std::string& name = source.value(source.inputs[k]).name;
            for (const ValueId id : graph.inputs) {
                if (id == source.inputs[k]) shapes[name] = data.inputs.at(k)->shape();
            }
        }
        return shapes;
    };
    try {
        return specialize(source, shapes_of(source));
    } catch (const UnsupportedError&) {  // a shape depends on an input's value: try again with more known
    }
    try {
        const Graph some = with_constant_inputs(source, data, false);
        return specialize(some, shapes_of(some));
    } catch (const UnsupportedError&) {
        return specialize(with_constant_inputs(source, data, true), {});
    }
}

std::vector<Tensor> run(const Graph& graph, const Graph& source, const DataSet& data) {
    std::vector<Tensor> computed(graph.values.size());
    std::vector<const Tensor*> current(graph.values.size(), nullptr);
    for (std::size_t k = 0; k < graph.values.size(); ++k)
        current[k] = graph.values[k].data.get();
    for (std::size_t k = 0; k < source.inputs.size(); ++k)
        current[static_cast<std::size_t>(source.inputs[k])] = &*data.inputs.at(k);
    for (const Node& node : graph.nodes) {
        std::vector<ConstTensorView> inputs;
        for (const ValueId id : node.inputs) {
            inputs.push_back(id == kNoValue ? ConstTensorView{} : current[static_cast<std::size_t>(id)]->view());
        }
        std::vector<TensorView> outputs;
        for (const ValueId id : node.outputs) {
            if (id == kNoValue) {
                outputs.emplace_back();
                continue;
            }
            Tensor& tensor = computed[static_cast<std::size_t>(id)] =
                Tensor(graph.value(id).dtype, graph.value(id).shape.value());
            if (tensor.size_bytes() > 0) std::memset(tensor.data(), 0xff, tensor.size_bytes());  // NaN
            current[static_cast<std::size_t>(id)] = &tensor;
            outputs.push_back(tensor.view());
        }
        with_context(node.describe(), [&] { find_operator(node.domain, node.op_type)->run(node, inputs, outputs); });
    }
    std::vector<Tensor> results;
    for (const ValueId id : graph.outputs)
        results.push_back(current[static_cast<std::size_t>(id)]->clone());
    return results;
}

/// "" when the tensors agree.
std::string difference(const Tensor& actual, const Tensor& expected, double rtol, double atol) {
    if (actual.dtype() != expected.dtype())
        return fmt::format("element type {} instead of {}", name_of(actual.dtype()), name_of(expected.dtype()));
    if (actual.shape() != expected.shape())
        return fmt::format("shape {} instead of {}", to_string(actual.shape()), to_string(expected.shape()));
    if (actual.dtype() != DType::f32) {
        const bool same =
            actual.size_bytes() == 0 || std::memcmp(actual.data(), expected.data(), actual.size_bytes()) == 0;
        return same ? "" : "values differ";
    }
    for (std::size_t i = 0; i < actual.as<float>().size(); ++i) {
        const double a = actual.as<float>()[i];
        const double b = expected.as<float>()[i];
        const bool same = a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= atol + rtol * std::abs(b);
        if (!same) return fmt::format("element {} is {} instead of {}", i, a, b);
    }
    return "";
}

bool all_known(const Graph& graph) {
    for (const Node& node : graph.nodes) {
        if (find_operator(node.domain, node.op_type) == nullptr) return false;
        for (const auto& [name, attribute] : node.attributes.all()) {
            const auto* branch = std::get_if<std::shared_ptr<const Graph>>(&attribute);
            if (branch != nullptr && !all_known(**branch)) return false;
        }
    }
    return true;
}

void run_data_sets(const fs::path& folder, double rtol, double atol, NodeTestResult& result) {
    result.in_scope = false;  // an element type, string or sequence that lossmap lacks ends the import
    const Graph source = import_onnx(folder / "model.onnx");
    result.in_scope = all_known(source);
    if (source.nodes.size() == 1) result.op_type = source.nodes.front().op_type;
    require_supported(source);
    for (int set = 0; fs::exists(folder / ("test_data_set_" + std::to_string(set))); ++set) {
        const fs::path data_folder = folder / ("test_data_set_" + std::to_string(set));
        const DataSet data{read_tensors(data_folder, "input_", result), read_tensors(data_folder, "output_", result)};
        if (data.inputs.size() != source.inputs.size())
            throw InputError("{} inputs stored for {}", data.inputs.size(), source.inputs.size());
        const std::vector<Tensor> results = run(concrete_graph(source, data), source, data);
        if (results.size() != data.outputs.size())
            throw InputError("{} outputs stored for {}", data.outputs.size(), results.size());
        for (std::size_t k = 0; k < results.size(); ++k) {
            const std::string problem = difference(results[k], *data.outputs[k], rtol, atol);
            if (!problem.empty()) throw InputError("output {}: {}", k, problem);
        }
    }
}

}  // namespace

NodeTestResult run_node_test(const fs::path& folder, double rtol, double atol) {
    NodeTestResult result;
    try {
        run_data_sets(folder, rtol, atol, result);
        result.outcome = NodeTestResult::Outcome::passed;
    } catch (const UnsupportedError& error) {
        result.outcome = NodeTestResult::Outcome::unsupported;
        result.message = error.what();
    } catch (const std::exception& error) {
        result.message = error.what();
    }
    return result;
}

}  // namespace lossmap::test
