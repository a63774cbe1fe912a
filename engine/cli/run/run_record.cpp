#include "cli/run/run_record.hpp"

#include <nlohmann/json.hpp>

#include "cli/config/resolved_config.hpp"

namespace lossmap {
namespace {

using Json = nlohmann::ordered_json;

Json precision_json(const PrecisionError& error) {
    Json probes = Json::array();
    for (std::size_t k = 0; k < error.points.size(); ++k)
        probes.push_back({{"point", error.points[k].coordinates}, {"relative_loss_error", error.relative[k]}});
    return {{"against", "fp32"}, {"samples", error.samples}, {"probes", std::move(probes)}};
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
              {"threads", threads}};
    if (run.executable) {
        json["macs_per_sample"] = run.executable->macs_per_sample();
        json["plan"] = Json::parse(run.executable->plan_json());
        if (!run.precision_error.points.empty()) json["precision_error"] = precision_json(run.precision_error);
    }
    if (run.statistics) {
        json["hashes"]["statistics"] = run.identity.part("statistics");
        json["statistics"] = {{"samples", run.statistics->size()},
                              {"description", run.statistics->describe()},
                              {"hash", run.statistics->content_hash()}};
    }
    if (is_landscape(run.config.experiment)) json["parameters"] = run.space.weights_size();
    return json;
}

}  // namespace

std::string record_text(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace); }

std::string attributes_text(const Json& resolved, bool from_file) {
    Json config = resolved;
    config.erase("provenance");
    config.erase("refine");
    if (!from_file) {
        config.erase("grow");
        config.erase("from");
    }
    Json attributes{{"name", resolved.at("name")}, {"config", std::move(config)}};
    for (const auto& [key, value] : resolved.at("provenance").items())
        attributes[key] = value;
    return record_text(attributes);
}

void record(PreparedRun& run, int threads) {
    Json resolved = resolved_json(run.config);
    if (run.executable) resolved["data"]["chunk"] = run.chunk_samples;
    resolved["provenance"] = provenance_json(run, threads);
    const bool from_file = run.config.grow_from && !std::filesystem::is_directory(*run.config.grow_from);
    run.direction_notes.provenance = attributes_text(resolved, from_file);  // whatever share is computed
    if (run.config.shard) resolved["provenance"]["shard"] = run.config.shard->name();
    run.surface.provenance = attributes_text(resolved, from_file);
    if (run.repeated) {
        for (Surface& repeat : run.repeated->repeats)
            repeat.provenance = run.surface.provenance;
    }
    if (run.plane) run.plane->provenance = run.surface.provenance;
    run.resolved = record_text(resolved);
}

}  // namespace lossmap
