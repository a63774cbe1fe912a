#include "cli/merge/stored_share.hpp"

#include "cli/config/json_document.hpp"
#include "cli/run/run_directory.hpp"
#include "core/error.hpp"
#include "landscape/surface.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kResolved = "config.resolved.json";

Experiment experiment_of(const std::string& name) {
    for (const Experiment experiment :
         {Experiment::surface, Experiment::interpolation, Experiment::trajectory, Experiment::repeat}) {
        if (name == name_of(experiment)) return experiment;
    }
    throw InputError("experiment '{}' has no points that could be shared", name);
}

std::int64_t positive(const Json& value) {
    const auto number = value.get<std::int64_t>();
    if (number < 1) throw InputError("{} is no number of samples", number);
    return number;
}

GridAxis axis_of(const Json& axis) {
    constexpr std::int64_t kMostPoints = 100'000;
    GridAxis range;
    range.min = axis.at("min").get<double>();
    range.max = axis.at("max").get<double>();
    range.points = axis.at("points").get<std::int64_t>();
    if (range.points < 1 || range.points > kMostPoints)
        throw InputError("an axis has 1 to {} points, not {}", kMostPoints, range.points);
    return range;
}

/// Coordinates and splits, which the identity vouches for.
void read_grid(const Json& resolved, const Identity& identity, RecordedShape& shape) {
    Config config;
    config.experiment = shape.experiment;
    config.splits = resolved.at("splits").get<std::vector<std::string>>();
    config.x = axis_of(resolved.at("x"));
    if (resolved.contains("y")) config.y = axis_of(resolved.at("y"));
    if (hash_grid(config) != identity.part("grid")) throw InputError("its grid or splits are not those of the journal");
    shape.splits = config.splits;
    shape.x = linspace(config.x->min, config.x->max, config.x->points);
    if (config.y) shape.y = linspace(config.y->min, config.y->max, config.y->points);
}

RecordedShape read_shape(const Json& resolved, const Identity& identity) {
    RecordedShape shape;
    shape.name = resolved.at("name").get<std::string>();
    shape.experiment = experiment_of(resolved.at("experiment").get<std::string>());
    if (resolved.contains("refine"))
        throw InputError("a refined grid chooses its points from all results and cannot be merged");
    const std::int64_t chunk = positive(resolved.at("data").at("chunk"));
    if (hash_text(std::to_string(chunk)) != identity.part("chunking"))
        throw InputError("its data.chunk is not that of the journal");
    read_grid(resolved, identity, shape);
    for (const std::string& split : shape.splits) {
        const std::int64_t samples = positive(resolved.at("provenance").at("data").at(split).at("samples"));
        shape.chunks.push_back((samples - 1) / chunk + 1);
    }
    return shape;
}

}  // namespace

StoredShare read_share(const fs::path& folder) {
    StoredShare share;
    share.folder = folder;
    if (!fs::is_directory(folder)) throw InputError("'{}' is no folder of a run", folder.string());
    const RunDirectory directory(folder);
    const std::string parts = directory.identity_parts();
    if (parts.empty()) throw InputError("'{}' holds no run of lossmap", folder.string());
    const std::optional<Identity> identity = Identity::parse(parts);
    if (!identity || identity->whole() != directory.identity() || !identity->has_part("chunking") ||
        !identity->has_part("grid"))
        throw InputError("the journal in '{}' is damaged: its identity is not that of its parts", folder.string());
    share.identity = *identity;
    share.units = directory.journal_entries();
    share.plan = directory.note(kPlanNote);
    share.grown_from = directory.note(kGrownNote);
    if (!fs::exists(directory / kResolved)) return share;
    share.resolved = read_json(directory / kResolved);
    const auto provenance = share.resolved.is_object() ? share.resolved.find("provenance") : share.resolved.end();
    require_own(share, kResolved, provenance == share.resolved.end() ? "" : provenance->dump());
    return share;
}

RecordedShape shape_of(const StoredShare& share) {
    const fs::path file = share.folder / kResolved;
    return with_context(file.string(), [&] {
        try {
            return read_shape(share.resolved, share.identity);
        } catch (const Json::exception& error) {
            throw InputError("is not as lossmap writes it ({})", error.what());
        }
    });
}

RecordedShape common_shape(const std::vector<StoredShare>& shares) {
    std::optional<RecordedShape> common;
    const StoredShare* first = nullptr;
    for (const StoredShare& share : shares) {
        if (share.resolved.is_null()) continue;
        RecordedShape shape = shape_of(share);
        if (!common) {
            common = std::move(shape);
            first = &share;
            continue;
        }
        shape.name = common->name;
        if (shape != *common) {
            throw InputError("'{}' and '{}' state different experiments, splits or numbers of samples in their {}",
                             first->folder.string(), share.folder.string(), kResolved);
        }
    }
    if (!common) throw InputError("none of the runs has a {}", kResolved);
    return *common;
}

void require_own(const StoredShare& share, const char* file, const std::string& provenance) {
    const Json parsed = Json::parse(provenance, nullptr, false);
    if (parsed.is_object() && parsed.value("identity", Json()) == Json(share.identity.whole())) return;
    throw InputError("'{}' does not belong to the journal beside it", (share.folder / file).string());
}

}  // namespace lossmap
