#include "cli/run/model_source.hpp"

#include <algorithm>

#include "cli/run/checkpoint.hpp"
#include "core/error.hpp"
#include "graph/operator_table.hpp"
#include "io/hash.hpp"
#include "onnx_import/importer.hpp"

namespace lossmap {
namespace {

/// The file alone would miss external data and a checkpoint put in.
std::string hash_content(const ModelConfig& model, const LoadedModel& loaded) {
    Hasher hasher;
    hasher.add_text("model 1").add_text(hash_file(model.path));
    for (const Value& value : loaded.graph.values) {
        if (value.kind != ValueKind::constant || !value.data) continue;
        const auto bytes = static_cast<std::size_t>(value.data->count()) * size_of(value.data->dtype());
        hasher.add_text(value.name).update({static_cast<const std::byte*>(value.data->data()), bytes});
    }
    hasher.update(std::as_bytes(std::span(loaded.origin.weights)));
    hasher.update(std::as_bytes(std::span(loaded.origin.states)));
    return hasher.hex();
}

bool same_names(const std::vector<Parameter>& wanted, const ParameterSpace& other) {
    return std::all_of(wanted.begin(), wanted.end(),
                       [&](const Parameter& parameter) { return other.find(parameter.name) != nullptr; });
}

/// Copies one segment; `from` are the other model's parameters of it. Returns their names in the order of `to`.
std::vector<std::string> copy_segment(const std::vector<Parameter>& to, const std::vector<Parameter>& from,
                                      bool by_name, const std::vector<float>& source, std::vector<float>& target,
                                      const std::string& file) {
    if (to.size() != from.size()) {
        throw InputError("{}: has {} parameters of a kind of which the first model has {}", file, from.size(),
                         to.size());
    }
    std::vector<std::string> names;
    for (std::size_t k = 0; k < to.size(); ++k) {
        const auto found = by_name
                               ? std::find_if(from.begin(), from.end(),
                                              [&](const Parameter& candidate) { return candidate.name == to[k].name; })
                               : from.begin() + static_cast<std::ptrdiff_t>(k);
        if (found == from.end() || found->shape != to[k].shape) {
            throw InputError("{}: parameter '{}' has shape {}, '{}' of the first model has {}", file,
                             found == from.end() ? "?" : found->name,
                             found == from.end() ? "none" : to_string(found->shape), to[k].name,
                             to_string(to[k].shape));
        }
        std::copy_n(source.begin() + found->offset, found->size, target.begin() + to[k].offset);
        names.push_back(found->name);
    }
    return names;
}

}  // namespace

LoadedModel load_model(const ModelConfig& model, const ParameterRules& rules) {
    LoadedModel loaded;
    loaded.graph = import_onnx(model.path);
    with_context(model.path.string(), [&] {
        require_supported(loaded.graph);
        loaded.space = identify_parameters(loaded.graph, rules);
        loaded.origin = read_state(loaded.graph, loaded.space);
    });
    loaded.notes = loaded.space.warnings;
    if (model.checkpoint) {
        const std::vector<std::string> unused = put_checkpoint(*model.checkpoint, rules, loaded.space, loaded.origin);
        loaded.notes.insert(loaded.notes.end(), unused.begin(), unused.end());
    }
    loaded.content_hash = hash_content(model, loaded);
    return loaded;
}

MatchedState load_matched(const ModelConfig& model, const ParameterRules& rules, const ParameterSpace& space) {
    const LoadedModel other = load_model(model, rules);
    const std::string file = model.path.string();
    MatchedState matched;
    matched.state.weights.resize(static_cast<std::size_t>(space.weights_size()));
    matched.state.states.resize(static_cast<std::size_t>(space.states_size()));
    const bool by_name = same_names(space.weights, other.space) && same_names(space.states, other.space);
    matched.weight_names =
        copy_segment(space.weights, other.space.weights, by_name, other.origin.weights, matched.state.weights, file);
    static_cast<void>(
        copy_segment(space.states, other.space.states, by_name, other.origin.states, matched.state.states, file));
    return matched;
}

StateVector load_state(const ModelConfig& model, const ParameterRules& rules, const ParameterSpace& space) {
    return load_matched(model, rules, space).state;
}

}  // namespace lossmap
