#include "cli/run/prepared_run.hpp"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "cli/config/resolved_config.hpp"
#include "cli/run/backends.hpp"
#include "cli/run/data_source.hpp"
#include "cli/run/direction_source.hpp"
#include "cli/run/model_sequence.hpp"
#include "cli/run/model_source.hpp"
#include "cli/run/path_points.hpp"
#include "core/error.hpp"
#include "io/hash.hpp"

namespace lossmap {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kDefaultChunk = 1000;
constexpr double kMostChunkBytes = 256.0 * 1024 * 1024;
// About a second of a small machine's work: how long an interrupted run takes to stop, and what a crash can lose.
constexpr double kBlockMacs = 5e10;
constexpr std::int64_t kMostPointsPerBlock = 64;

/// Samples a unit of work: a rule of data and configuration alone, as the identity holds it.
std::int64_t choose_chunk(const Config& config, const std::vector<std::unique_ptr<Dataset>>& data) {
    std::int64_t longest = 1;
    double sample_bytes = 1.0;
    for (const auto& split : data) {
        double bytes = 0.0;
        for (const FieldInfo& field : split->inputs())
            bytes += static_cast<double>(element_count(field.sample_shape)) * static_cast<double>(size_of(field.dtype));
        sample_bytes = std::max(sample_bytes, bytes);
        longest = std::max(longest, split->size());
    }
    if (config.data.chunk) return std::min(*config.data.chunk, longest);
    const auto fitting = static_cast<std::int64_t>(std::max(1.0, std::floor(kMostChunkBytes / sample_bytes)));
    return std::min({kDefaultChunk, fitting, longest});
}

/// Points a block (and a journal transaction); changes no result.
std::int64_t choose_block(std::int64_t macs_per_sample, std::int64_t chunk_samples) {
    const double macs = std::max(1.0, static_cast<double>(macs_per_sample) * static_cast<double>(chunk_samples));
    return std::clamp(static_cast<std::int64_t>(kBlockMacs / macs), std::int64_t{1}, kMostPointsPerBlock);
}

ExecutableRequest make_request(const LoadedModel& model, const PreparedRun& run, int threads) {
    ExecutableRequest request;
    request.graph = &model.graph;
    request.space = &model.space;
    request.origin = &model.origin;
    for (const Direction& axis : run.axes)
        request.axes.push_back({axis.weights, axis.states});
    request.loss = run.config.loss;
    request.inputs = run.data.front()->inputs();
    request.target = run.data.front()->target();
    request.precision = run.config.precision;
    request.threads = threads;
    return request;
}

void require_runnable(const Backend& backend, const ExecutableRequest& request, const std::string& file) {
    const std::string reason = backend.why_not(request);
    if (!reason.empty()) throw InputError("{}: {}", file, reason);
}

/// Splits share one executable: their samples must look alike.
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

std::int64_t moving_entries(const std::vector<Direction>& axes) {
    std::int64_t count = 0;
    const auto add = [&](const auto segment) {
        std::size_t size = 0;
        for (const Direction& axis : axes)
            size = std::max(size, (axis.*segment).size());
        for (std::size_t k = 0; k < size; ++k) {
            const bool moves = std::any_of(axes.begin(), axes.end(), [&](const Direction& axis) {
                return k < (axis.*segment).size() && (axis.*segment)[k] != 0.0f;
            });
            count += moves ? 1 : 0;
        }
    };
    add(&Direction::weights);
    add(&Direction::states);
    return count;
}

/// The path in the plane, and with it the ranges that are left to it.
void place_path(PreparedRun& run, const ParameterSpace& space, const std::vector<std::string>& labels, RunLog& log) {
    with_context(fmt::format("{}: /plane", run.config.file.string()), [&] {
        for (Direction& axis : run.axes)
            make_unit(axis);
    });
    run.path = project_path(run.config, space, run.axes);
    run.path->axis_labels = labels;
    with_context(run.config.file.string(), [&] {
        resolve_axis(*run.config.x, run.path->x, "x");
        resolve_axis(*run.config.y, run.path->y, "y");
    });
    log.info(fmt::format("the plane ({}; {}) holds {:.2f} % of the path's squared length", labels[0], labels[1],
                         100.0 * run.path->captured_share()));
}

void prepare_directions(PreparedRun& run, const LoadedModel& model, RunLog& log) {
    BuiltDirections built = build_directions(run.config, model);
    run.axes = std::move(built.axes);
    if (built.pca) {
        run.direction_notes.singular_values = built.pca->singular_values;
        run.direction_notes.explained_variance = built.pca->explained_variance;
        run.direction_notes.explained_variance_ratio = built.pca->explained_variance_ratio;
        run.direction_notes.components = built.pca_components;
    }
    if (run.config.experiment == Experiment::trajectory) place_path(run, model.space, built.labels, log);
    for (const std::string& note : built.notes)
        log.warning(note);
    for (std::size_t axis = 0; axis < run.axes.size(); ++axis) {
        if (moving_entries({run.axes[axis]}) == 0) {
            log.warning(fmt::format("the direction of axis {} is zero: nothing moves along it", axis == 0 ? "x" : "y"));
        }
    }
    if (run.axes.size() < 2) return;
    const std::int64_t entries = moving_entries(run.axes);
    run.direction_notes.cosine = cosine(run.axes[0], run.axes[1]);
    run.direction_notes.expected_cosine = expected_absolute_cosine(std::max<std::int64_t>(1, entries));
    log.info(fmt::format("cosine of the directions {:.6f}; two random ones of {} entries have {:.6f} on average",
                         *run.direction_notes.cosine, entries, *run.direction_notes.expected_cosine));
}

/// Looks at every model before the first one is computed: hash of their contents and of their parameters.
std::pair<std::string, std::string> check_models(PreparedRun& run, const std::vector<ModelConfig>& configs, int threads,
                                                 RunLog& log) {
    Hasher models;
    Hasher parameters;
    for (const ModelConfig& config : configs) {
        const LoadedModel model = load_model(config, run.config.rules);
        for (const std::string& note : model.notes)
            log.warning(fmt::format("{}: {}", config.path.string(), note));
        if (run.data.empty()) {
            run.data = open_data(run.config, model.graph);
            require_alike(run);
        }
        require_runnable(*run.backend, make_request(model, run, threads), config.path.string());
        models.add_text(model.content_hash);
        parameters.add_text(hash_parameters(model.space));
    }
    return {models.hex(), parameters.hex()};
}

/// The models themselves, without directions; one is held at a time.
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
    shared.threads = threads;
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

void prepare_surface(PreparedRun& run, int threads, RunLog& log) {
    const LoadedModel model = load_model(run.config.models.front(), run.config.rules);
    for (const std::string& note : model.notes)
        log.warning(note);
    run.data = open_data(run.config, model.graph);
    require_alike(run);
    run.space = model.space;
    prepare_directions(run, model, log);
    const ExecutableRequest request = make_request(model, run, threads);
    require_runnable(*run.backend, request, run.config.models.front().path.string());
    run.executable = run.backend->compile(request);
    const std::vector<double> x = linspace(run.config.x->min, run.config.x->max, run.config.x->points);
    std::vector<double> y;
    if (run.config.y) y = linspace(run.config.y->min, run.config.y->max, run.config.y->points);
    for (const double b : y) {
        for (const double a : x)
            run.points.push_back({{a, b}});
    }
    for (std::size_t k = 0; y.empty() && k < x.size(); ++k)
        run.points.push_back({{x[k]}});
    run.surface = make_surface(x, y, run.config.splits, run.config.loss.has_classes());
    run.surface.direction_file = "direction.h5";
    run.identity.set("model", model.content_hash);
    run.identity.set("parameters", hash_parameters(model.space));
    if (!run.path) return;
    run.identity.set("path", check_models(run, run.config.path.checkpoints, threads, log).first);
    add_path_points(run, make_sequence(run, run.config.path.checkpoints, threads));
}

void prepare_evaluate(PreparedRun& run, int threads, RunLog& log) {
    const auto [models, parameters] = check_models(run, run.config.models, threads, log);
    run.executable = make_sequence(run, run.config.models, threads);
    const std::size_t count = run.config.models.size();
    std::vector<double> numbers;
    for (std::size_t k = 0; k < count; ++k) {
        numbers.push_back(static_cast<double>(k));
        run.points.push_back({{static_cast<double>(k)}});
    }
    run.surface = make_surface(numbers, {}, run.config.splits, run.config.loss.has_classes());
    run.identity.set("model", models);
    run.identity.set("parameters", parameters);
}

/// Where the numbers come from.
Json provenance_json(const PreparedRun& run, int threads) {
    Json hashes = Json::object();
    for (const char* part : {"model", "parameters", "data", "directions"})
        hashes[part] = run.identity.part(part);
    Json data = Json::object();
    for (std::size_t k = 0; k < run.data.size(); ++k) {
        data[run.config.splits[k]] = {{"samples", run.data[k]->size()},
                                      {"description", run.data[k]->describe()},
                                      {"hash", run.data[k]->content_hash()}};
    }
    Json json{{"program", "lossmap " + program_version()},
              {"identity", run.identity.whole()},
              {"hashes", std::move(hashes)},
              {"data", std::move(data)},
              {"backend", run.backend->name()},
              {"device", run.device},
              {"libraries", run.backend->library_versions()},
              {"threads", threads},
              {"macs_per_sample", run.executable->macs_per_sample()},
              {"plan", Json::parse(run.executable->plan_json())}};
    if (is_landscape(run.config.experiment)) json["parameters"] = run.space.weights_size();
    return json;
}

/// Fills in what is recorded beside the results: the configuration with its defaults and the provenance, together in
/// config.resolved.json, and with the provenance's keys on top in attributes of the HDF5 files.
void record(PreparedRun& run, int threads) {
    const auto text = [](const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace); };
    Json config = resolved_json(run.config);
    config["data"]["chunk"] = run.chunk_samples;
    const Json provenance = provenance_json(run, threads);
    Json attributes{{"name", run.config.name}, {"config", config}};
    for (const auto& [key, value] : provenance.items())
        attributes[key] = value;
    run.surface.provenance = text(attributes);
    run.direction_notes.provenance = run.surface.provenance;
    if (run.path) run.path->provenance = run.surface.provenance;
    config["provenance"] = provenance;
    run.resolved = text(config);
}

}  // namespace

std::string program_version() { return LOSSMAP_VERSION; }

std::int64_t PreparedRun::samples() const {
    std::int64_t samples = 0;
    for (const auto& split : data)
        samples += split->size();
    return samples;
}

void PreparedRun::collect() {
    if (results && path) take_path_results(*this);
}

PreparedRun prepare_run(const Config& config, int threads, RunLog& log) {
    PreparedRun run;
    run.config = config;
    std::string explanation;
    run.backend = choose_backend(config.device, explanation);
    if (!explanation.empty()) log.info(explanation);
    run.device = run.backend->devices().front().description;
    if (is_landscape(config.experiment)) {
        prepare_surface(run, threads, log);
    } else {
        prepare_evaluate(run, threads, log);
    }
    for (std::size_t k = 0; k < run.data.size(); ++k) {
        run.splits.push_back({config.splits[k], run.data[k].get()});
        log.info(fmt::format("{}: {}", config.splits[k], run.data[k]->describe()));
    }
    run.chunk_samples = choose_chunk(config, run.data);
    run.points_per_block = choose_block(run.executable->macs_per_sample(), run.chunk_samples);
    Hasher data;
    for (std::size_t k = 0; k < run.data.size(); ++k)
        data.add_text(config.splits[k]).add_text(run.data[k]->content_hash());
    run.identity.set("data", data.hex());
    run.identity.set("loss", hash_text(resolved_loss(config.loss).dump()));
    run.identity.set("directions", hash_directions(run.axes));
    run.identity.set("grid", hash_grid(run.config));
    run.identity.set("precision", hash_text(name_of(config.precision)));
    run.identity.set("chunking", hash_text(std::to_string(run.chunk_samples)));
    record(run, threads);
    return run;
}

}  // namespace lossmap
