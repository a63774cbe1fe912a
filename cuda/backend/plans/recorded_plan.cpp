#include "cuda/backend/plans/recorded_plan.hpp"

#include <nlohmann/json.hpp>

namespace lossmap::cuda {
namespace {

RecordedPass pass_of(const nlohmann::ordered_json& record, const char* samples) {
    RecordedPass pass;
    pass.tile_samples = record.at(samples).get<std::int64_t>();
    pass.points = record.at("points").get<std::int64_t>();
    if (pass.tile_samples < 1 || pass.points < 1) return {};
    if (record.contains("size")) pass.size_record = record.at("size").dump();
    pass.ways = std::make_shared<const RecordedWays>(record.at("ways").get<RecordedWays>());
    return pass;
}

}  // namespace

RecordedPass RecordedPlan::of_batch(std::int64_t samples) const {
    for (const RecordedPass& pass : statistics) {
        if (pass.tile_samples == samples) return pass;
    }
    return {};
}

RecordedPlan read_recorded_plan(const std::string& json, const DeviceFacts& facts, Precision precision) {
    // In the order that it is written in, as parts of it are written again.
    const auto record = nlohmann::ordered_json::parse(json, nullptr, false);
    if (!record.is_object()) return {};
    try {
        const bool fits = record.at("backend") == "cuda" && record.at("precision") == name_of(precision) &&
                          record.at("architecture") == facts.architecture &&
                          record.at("libraries").get<std::vector<std::string>>() == facts.library_versions;
        if (!fits) return {};
        RecordedPlan plan;
        plan.inference = pass_of(record, "tile_samples");
        for (const auto& batch : record.value("statistics", nlohmann::ordered_json::array()))
            plan.statistics.push_back(pass_of(batch, "batch_samples"));
        if (record.contains("rescue")) plan.rescue = record.at("rescue").dump();
        return plan;
    } catch (const nlohmann::json::exception&) {
        return {};
    }
}

}  // namespace lossmap::cuda
