#include <algorithm>
#include <limits>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/config/json_document.hpp"
#include "cli/config/parsers.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSplitNames[] = {"train", "test"};
constexpr std::int64_t kMaxCount = std::numeric_limits<std::int64_t>::max();
constexpr std::pair<std::string_view, DataFormat> kFormats[] = {{"cifar10", DataFormat::cifar10},
                                                                {"idx", DataFormat::idx},
                                                                {"npz", DataFormat::npz},
                                                                {"npy", DataFormat::npy},
                                                                {"synthetic", DataFormat::synthetic}};

/// A path or a list of paths.
std::vector<fs::path> paths(const JsonReader& reader) {
    if (!reader.is_array()) {
        if (!reader.is_text()) reader.mismatch("a path or a list of paths");
        return {reader.path()};
    }
    std::vector<fs::path> result;
    for (const JsonReader& item : reader.items("a list of paths"))
        result.push_back(item.path());
    return result;
}

SplitFiles parse_files(const JsonReader& reader, DataFormat format) {
    SplitFiles files;
    switch (format) {
        case DataFormat::cifar10: files.files = paths(reader); break;
        case DataFormat::npz:
            files.files = paths(reader);
            if (files.files.size() != 1) reader.mismatch("the path of one .npz file");
            break;
        case DataFormat::idx:
            reader.require_section("idx_split", "an object with 'images' and 'labels'");
            files.images = paths(reader.member("images", "the paths of image files"));
            if (const auto labels = reader.find("labels")) files.labels = paths(*labels);
            break;
        case DataFormat::npy:
            if (!reader.is_object()) reader.mismatch("an object with a path for each array, such as 'x' and 'y'");
            for (const std::string& name : reader.keys())
                files.arrays[name] = reader.member(name, "a path").path();
            break;
        case DataFormat::synthetic: break;
    }
    return files;
}

SubsetSpec parse_subset(const JsonReader& reader) {
    reader.require_section("subset_split", "an object such as {\"start\": 0, \"count\": 1000}");
    SubsetSpec subset;
    if (const auto count = reader.find("count")) subset.count = count->integer(1, kMaxCount);
    if (const auto stratified = reader.find("stratified")) subset.stratified = stratified->boolean();
    if (const auto start = reader.find("start")) {
        if (subset.stratified) start->fail("has no place in a stratified subset, which is drawn from all samples");
        subset.start = start->integer(0, kMaxCount);
    }
    if (const auto seed = reader.find("seed")) {
        if (!subset.stratified) seed->fail("needs \"stratified\": true, as a subset in file order is not random");
        subset.seed = seed->seed();
    }
    if (subset.stratified && !subset.count) {
        static_cast<void>(reader.member("count", "the number of samples to draw"));
    }
    return subset;
}

std::vector<float> channel_values(const JsonReader& reader, bool positive) {
    std::vector<float> values;
    for (const JsonReader& item : reader.items("a list with a number a channel")) {
        const double value = item.number();
        if (positive && !(static_cast<float>(value) > 0.0f)) item.mismatch("a number above 0");
        values.push_back(static_cast<float>(value));
    }
    return values;
}

void parse_normalize(const JsonReader& reader, DataSpec& shared) {
    reader.require_section("normalize", "an object with 'mean' and 'std'");
    shared.mean = channel_values(reader.member("mean", "a list with a number a channel"), false);
    const JsonReader std = reader.member("std", "a list with a number a channel");
    shared.std = channel_values(std, true);
    if (shared.std.size() != shared.mean.size()) {
        std.fail(fmt::format("has {} values, 'mean' has {}", shared.std.size(), shared.mean.size()));
    }
}

std::map<std::string, std::string> parse_inputs(const JsonReader& reader) {
    constexpr std::string_view kExpected = "an object from graph inputs to arrays";
    if (!reader.is_object() || reader.keys().empty()) reader.mismatch(kExpected);
    std::map<std::string, std::string> inputs;
    for (const std::string& name : reader.keys())
        inputs[name] = reader.member(name, "an array's name").text("an array's name");
    return inputs;
}

/// Refuses keys that the format has no use for, so that none is left out silently.
void require_fitting_keys(const JsonReader& reader, DataFormat format) {
    const bool arrays = format == DataFormat::npz || format == DataFormat::npy;
    const bool synthetic = format == DataFormat::synthetic;
    const std::pair<const char*, bool> uses[] = {{"inputs", arrays},       {"target", arrays},    {"count", synthetic},
                                                 {"seed", synthetic},      {"train", !synthetic}, {"test", !synthetic},
                                                 {"normalize", !synthetic}};
    for (const auto& [key, used] : uses) {
        const auto found = reader.find(key);
        if (found && !used) found->fail(fmt::format("is not used by data of format '{}'", name_of(format)));
    }
}

void parse_subsets(const JsonReader& reader, DataConfig& data) {
    reader.require_section("subset", "an object with a subset a split");
    for (const std::string& name : reader.keys()) {
        const JsonReader entry = reader.member(name, "a subset");
        if (!data.splits.contains(name)) entry.fail(fmt::format("the data have no split '{}'", name));
        data.splits[name].subset = parse_subset(entry);
    }
}

DataConfig parse_described_data(const JsonReader& reader) {
    reader.require_section("data", "an object with 'format' and files");
    DataConfig data;
    data.format = reader.member("format", "cifar10, idx, npz, npy or synthetic").choice(kFormats);
    require_fitting_keys(reader, data.format);
    DataSpec shared;
    shared.format = data.format;
    if (const auto normalize = reader.find("normalize")) parse_normalize(*normalize, shared);
    if (const auto inputs = reader.find("inputs")) shared.inputs = parse_inputs(*inputs);
    if (const auto target = reader.find("target")) shared.target = target->text("an array's name");
    if (const auto count = reader.find("count")) shared.synthetic_count = count->integer(1, kMaxCount);
    if (const auto seed = reader.find("seed")) shared.synthetic_seed = seed->seed();
    for (const std::string_view name : kSplitNames) {
        const auto split = reader.find(name);
        if (!split && data.format != DataFormat::synthetic) continue;
        DataSpec spec = shared;
        if (split) spec.files = parse_files(*split, data.format);
        // Synthetic splits differ, as those of real data do.
        if (name == "test") ++spec.synthetic_seed;
        data.splits[std::string(name)] = std::move(spec);
    }
    if (data.splits.empty()) static_cast<void>(reader.member("train", "the files of a split"));
    return data;
}

/// What a data set is at all can stand in a file of its own, which several configurations share.
DataConfig parse_data_file(const JsonReader& reader) {
    reader.require_section("data_file", "an object with 'file'");
    const fs::path file = reader.member("file", "the path of a JSON file that describes data").path();
    const nlohmann::ordered_json document = read_json(file);
    const JsonReader described(document, file);
    if (const auto nested = described.find("file")) nested->fail("names a file where data are to be described");
    return parse_data(described);
}

}  // namespace

DataConfig parse_data(const JsonReader& reader) {
    DataConfig data = reader.has("file") ? parse_data_file(reader) : parse_described_data(reader);
    if (const auto chunk = reader.find("chunk")) data.chunk = chunk->integer(1, kMaxCount);
    if (const auto subset = reader.find("subset")) parse_subsets(*subset, data);
    return data;
}

std::vector<std::string> parse_splits(const std::optional<JsonReader>& reader, const DataConfig& data) {
    std::vector<std::string> splits;
    if (!reader) {
        if (data.format == DataFormat::synthetic) return {"train"};
        for (const std::string_view name : kSplitNames) {
            if (data.splits.contains(std::string(name))) splits.emplace_back(name);
        }
        return splits;
    }
    constexpr std::pair<std::string_view, std::string_view> kNames[] = {{"train", "train"}, {"test", "test"}};
    for (const JsonReader& item : reader->items("a list of splits, such as [\"train\"]")) {
        const std::string name(item.choice(kNames));
        if (std::find(splits.begin(), splits.end(), name) != splits.end()) item.fail("the split stands there twice");
        if (!data.splits.contains(name)) item.fail(fmt::format("the data have no split '{}'", name));
        splits.push_back(name);
    }
    return splits;
}

}  // namespace lossmap
