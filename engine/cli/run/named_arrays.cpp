#include "cli/run/named_arrays.hpp"

#include <algorithm>
#include <memory>

#include "core/error.hpp"
#include "io/npz.hpp"
#include "io/safetensors.hpp"
#include "onnx_import/importer.hpp"

namespace lossmap {
namespace {

NamedArrays open_model(const std::filesystem::path& file, const ParameterRules& rules) {
    struct Model {
        ParameterSpace space;
        StateVector state;
    };
    const auto model = std::make_shared<Model>();
    Graph graph = import_onnx(file);
    with_context(file.string(), [&] {
        model->space = identify_parameters(graph, rules);
        model->state = read_state(graph, model->space);
    });
    NamedArrays arrays;
    for (const Parameter& parameter : model->space.weights)
        arrays.names.push_back(parameter.name);
    for (const Parameter& parameter : model->space.states)
        arrays.names.push_back(parameter.name);
    arrays.load = [model](const std::string& name) {
        const auto& states = model->space.states;
        const bool is_state =
            std::any_of(states.begin(), states.end(), [&](const Parameter& state) { return state.name == name; });
        const Parameter* parameter = model->space.find(name);
        const std::vector<float>& segment = is_state ? model->state.states : model->state.weights;
        Tensor tensor(DType::f32, parameter->shape);
        std::copy_n(segment.begin() + parameter->offset, parameter->size, tensor.as<float>().begin());
        return tensor;
    };
    return arrays;
}

}  // namespace

NamedArrays open_named_arrays(const std::filesystem::path& file, const ParameterRules& rules) {
    const std::string kind = file.extension().string();
    if (kind == ".onnx") return open_model(file, rules);
    if (kind == ".npz") {
        const auto npz = std::make_shared<const NpzFile>(file);
        return {npz->names(), [npz](const std::string& name) { return to_float32(npz->array(name)); }};
    }
    if (kind == ".safetensors") {
        const auto tensors = std::make_shared<const SafetensorsFile>(file);
        return {tensors->names(), [tensors](const std::string& name) { return to_float32(tensors->array(name)); }};
    }
    throw InputError("{}: expected a .onnx, .safetensors or .npz file", file.string());
}

}  // namespace lossmap
