#include "onnx_import/importer.hpp"

#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <onnx/onnx_pb.h>

#include "core/error.hpp"
#include "onnx_import/element_type.hpp"
#include "onnx_import/function_inliner.hpp"
#include "onnx_import/graph_builder.hpp"
#include "onnx_import/model_file.hpp"
#include "onnx_import/tensor_reader.hpp"

namespace lossmap {
namespace {

using namespace onnx_import;

/// Inputs are fed with tensors: those of another kind are refused here, unless a foreign operator set (ai.onnx.ml) will
/// have the whole model refused by operator name.
void check_inputs(const onnx::GraphProto& proto, const Graph& graph) {
    for (const Node& node : graph.nodes) {
        if (!node.domain.empty()) return;
    }
    for (const onnx::ValueInfoProto& info : proto.input()) {
        if (!info.has_type()) continue;
        if (!info.type().has_tensor_type())
            throw UnsupportedError("the input {} is not a tensor", printable(info.name()));
        const std::int32_t type = info.type().tensor_type().elem_type();
        if (!stored_type(type)) {
            throw UnsupportedError("the input {} has element type {}, which is not supported", printable(info.name()),
                                   element_type_name(type));
        }
    }
}

/// Says in the metadata which tensors lost or gained precision, for `inspect` and the log.
void state_conversions(const TensorReader& tensors, Graph& graph) {
    std::string text;
    for (const auto& [type, count] : tensors.converted()) {
        text += fmt::format("{}{} {} tensor{}", text.empty() ? "" : ", ", count, type, count == 1 ? "" : "s");
    }
    if (!text.empty()) graph.metadata["lossmap.converted"] = text + " computed in fp32";
}

Graph build(onnx::ModelProto& model, const std::filesystem::path& file) {
    auto opsets = std::make_shared<Opsets>(read_opsets(model.opset_import()));
    if (model.ir_version() < 3) opsets->emplace("", 1);
    TensorReader tensors{ExternalData(file.parent_path())};
    FunctionInliner functions(model);
    Graph graph = GraphBuilder(tensors, functions, opsets).build(*model.mutable_graph());
    for (const onnx::StringStringEntryProto& entry : model.metadata_props())
        graph.metadata[entry.key()] = entry.value();
    const std::string separator = model.producer_version().empty() ? "" : " ";
    graph.producer = model.producer_name() + separator + model.producer_version();
    graph.ir_version = model.ir_version();
    graph.opset = opsets->contains("") ? opsets->at("") : 0;
    check_inputs(model.graph(), graph);
    state_conversions(tensors, graph);
    return graph;
}

}  // namespace

Graph import_onnx(const std::filesystem::path& file) {
    return with_context(file.string(), [&] {
        try {
            onnx::ModelProto model = read_model(file);
            return build(model, file);
        } catch (const std::bad_alloc&) {
            throw Error("there is not enough memory to read the model");
        }
    });
}

}  // namespace lossmap
