#include "cli/run/network_request.hpp"

#include <algorithm>

#include "cli/run/data_source.hpp"
#include "core/error.hpp"
#include "io/hash.hpp"

namespace lossmap {

ExecutableRequest make_request(const LoadedModel& model, const PreparedRun& run, int threads) {
    ExecutableRequest request;
    request.graph = &model.graph;
    request.space = &model.space;
    request.origin = &model.origin;
    for (const Direction& axis : run.axes)
        request.axes.push_back({axis.weights, axis.states, axis.resident});
    request.loss = run.config.loss;
    request.inputs = run.data.front()->inputs();
    request.target = run.data.front()->target();
    request.precision = run.config.precision;
    request.passes = run.config.passes;
    request.threads = threads;
    request.recorded_plan = run.earlier_plan;
    request.chunk_samples = choose_chunk(run.config, run.data);
    for (const auto& split : run.data)
        request.total_samples += split->size();
    request.total_points = (run.config.x ? run.config.x->points : 1) * (run.config.y ? run.config.y->points : 1);
    return request;
}

void require_runnable(const Backend& backend, const ExecutableRequest& request, const std::string& file) {
    const std::string reason = backend.why_not(request);
    if (!reason.empty()) throw InputError("{}: {}", file, reason);
}

void require_alike(const PreparedRun& run) {
    const Dataset& first = *run.data.front();
    const auto alike = [](const FieldInfo& a, const FieldInfo& b) {
        return a.name == b.name && a.dtype == b.dtype && a.sample_shape == b.sample_shape;
    };
    for (std::size_t k = 1; k < run.data.size(); ++k) {
        const Dataset& other = *run.data[k];
        const bool fits = std::equal(first.inputs().begin(), first.inputs().end(), other.inputs().begin(),
                                     other.inputs().end(), alike) &&
                          alike(first.target(), other.target());
        if (fits) continue;
        throw InputError("{}: /data: samples of '{}' have other shapes than those of '{}'", run.config.file.string(),
                         run.config.splits[k], run.config.splits.front());
    }
}

std::pair<std::string, std::string> check_models(PreparedRun& run, const std::vector<ModelConfig>& configs, int threads,
                                                 RunLog& log) {
    Hasher models;
    Hasher parameters;
    for (const ModelConfig& config : configs) {
        const LoadedModel model = load_model(config, run.config.rules);
        for (const std::string& note : model.notes)
            log.warning(fmt::format("{}: {}", config.path.string(), note));
        if (run.data.empty()) {
            run.data = open_data(run.config, model.graph, run.backend->prefers_bytes());
            require_alike(run);
        }
        require_runnable(*run.backend, make_request(model, run, threads), config.path.string());
        models.add_text(model.content_hash);
        parameters.add_text(hash_parameters(model.space));
    }
    return {models.hex(), parameters.hex()};
}

std::unique_ptr<ModelSequence> make_sequence(const PreparedRun& run, const std::vector<ModelConfig>& models,
                                             int threads) {
    // The run moves; what building needs is held by pointers to what stays where it is.
    struct Context {
        std::vector<ModelConfig> models;
        ParameterRules rules;
    };
    const auto context = std::make_shared<const Context>(Context{models, run.config.rules});
    ExecutableRequest shared;
    shared.loss = run.config.loss;
    shared.inputs = run.data.front()->inputs();
    shared.target = run.data.front()->target();
    shared.precision = run.config.precision;
    shared.passes = run.config.passes;
    shared.threads = threads;
    shared.recorded_plan = run.earlier_plan;
    shared.chunk_samples = choose_chunk(run.config, run.data);
    shared.total_points = 1;
    const auto build = [context, shared, backend = run.backend.get()](std::size_t index) {
        const LoadedModel model = load_model(context->models.at(index), context->rules);
        ExecutableRequest request = shared;
        request.graph = &model.graph;
        request.space = &model.space;
        request.origin = &model.origin;
        return backend->compile(request);
    };
    return std::make_unique<ModelSequence>(models.size(), build);
}

}  // namespace lossmap
