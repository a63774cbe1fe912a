#include <algorithm>

#include "cli/config/parsers.hpp"

namespace lossmap {
namespace {

constexpr std::int64_t kMostIterations = std::int64_t{1} << 53;
constexpr std::size_t kLongestLabel = 200;

/// Values that name checkpoints.
std::vector<std::int64_t> parse_drops(const JsonReader& reader, const PathConfig& path) {
    const std::vector<std::int64_t>& labels = !path.epochs.empty() ? path.epochs : path.iterations;
    std::vector<std::int64_t> drops;
    for (const JsonReader& item : reader.all_items("a list of epochs or iterations of checkpoints")) {
        const std::int64_t value = item.integer(0, kMostIterations);
        const bool known = labels.empty() ? value < static_cast<std::int64_t>(path.checkpoints.size())
                                          : std::find(labels.begin(), labels.end(), value) != labels.end();
        if (!known) item.fail(fmt::format("there is no checkpoint of {}", value));
        drops.push_back(value);
    }
    return drops;
}

/// The checkpoints of a run and what is known of them, from the members of `reader`.
PathConfig parse_path(const JsonReader& reader, const std::optional<ModelConfig>& model) {
    PathConfig path;
    const JsonReader checkpoints = reader.member("checkpoints", "a list of checkpoints or a glob");
    path.checkpoints = parse_checkpoints(checkpoints, model);
    const std::size_t count = path.checkpoints.size();
    if (count < 2) checkpoints.fail("a path needs at least two checkpoints");
    if (const auto epochs = reader.find("epochs")) path.epochs = parse_checkpoint_numbers(*epochs, count);
    if (const auto iterations = reader.find("iterations"))
        path.iterations = parse_checkpoint_numbers(*iterations, count);
    if (const auto drops = reader.find("lr_drops")) path.lr_drops = parse_drops(*drops, path);
    return path;
}

}  // namespace

void refuse_keys(const JsonReader& reader, const std::vector<const char*>& keys, Experiment experiment) {
    for (const char* key : keys) {
        if (const auto found = reader.find(key))
            found->fail(fmt::format("is not used by experiment '{}'", name_of(experiment)));
    }
}

std::vector<std::int64_t> parse_checkpoint_numbers(const JsonReader& reader, std::size_t checkpoints) {
    std::vector<std::int64_t> labels;
    for (const JsonReader& item : reader.items("a list with a number a checkpoint")) {
        labels.push_back(item.integer(0, kMostIterations));
        if (labels.size() > 1 && labels[labels.size() - 2] >= labels.back()) item.mismatch("ascending numbers");
    }
    if (labels.size() != checkpoints) {
        reader.fail(fmt::format("has {} numbers for {} checkpoints", labels.size(), checkpoints));
    }
    return labels;
}

std::string parse_run_label(const JsonReader& reader, const std::vector<std::string>& earlier) {
    constexpr std::string_view kExpected = "a name of at most 200 characters";
    std::string label = reader.text(kExpected);
    if (label.size() > kLongestLabel) reader.mismatch(kExpected);
    if (std::find(earlier.begin(), earlier.end(), label) != earlier.end()) reader.fail("another run has this label");
    return label;
}

std::vector<PathConfig> parse_paths(const JsonReader& root, const std::optional<ModelConfig>& model) {
    const auto runs = root.find("runs");
    if (!runs) return {parse_path(root, model)};
    for (const char* key : {"checkpoints", "epochs", "iterations", "lr_drops"}) {
        if (const auto found = root.find(key)) found->fail("stands in each of /runs where there are several runs");
    }
    std::vector<PathConfig> paths;
    std::vector<std::string> labels;
    for (const JsonReader& item : runs->items("a list of runs")) {
        item.require_section("run", "an object with 'label' and 'checkpoints'");
        refuse_keys(item, {"model", "labels"}, Experiment::trajectory);
        labels.push_back(parse_run_label(item.member("label", "a name"), labels));
        paths.push_back(parse_path(item, model));
        paths.back().label = labels.back();
    }
    return paths;
}

}  // namespace lossmap
