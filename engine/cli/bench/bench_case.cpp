#include "cli/bench/bench_case.hpp"

#include <set>

#include <nlohmann/json.hpp>

#include "cli/config/json_document.hpp"
#include "cli/config/parsers.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

constexpr std::int64_t kMostPoints = 100'000;
constexpr std::int64_t kMostSamples = 1'000'000'000;

/// One value or a list of them, or the default.
template <typename Value, typename Parse>
std::vector<Value> values_of(const JsonReader& entry, std::string_view key, const Value& missing, const Parse& parse) {
    const auto member = entry.find(key);
    if (!member) return {missing};
    if (!member->is_array()) return {parse(*member)};
    std::vector<Value> values;
    for (const JsonReader& item : member->items("a list that is not empty"))
        values.push_back(parse(item));
    return values;
}

}  // namespace

std::string BenchCase::name() const {
    return fmt::format("{}/points:{}/samples:{}/{}", title.empty() ? model.stem().string() : title, points, samples,
                       name_of(precision));
}

std::vector<BenchCase> load_suite(const std::filesystem::path& file, const BenchCase& defaults) {
    const nlohmann::ordered_json document = read_json(file);
    const JsonReader root(document, file);
    root.require_section("suite", "an object with 'benchmarks'");
    std::vector<BenchCase> cases;
    for (const JsonReader& entry : root.member("benchmarks", "a list of benchmarks").items("a list of benchmarks")) {
        entry.require_section("benchmark", "an object with 'model'");
        BenchCase bench = defaults;
        bench.model = entry.member("model", "path of an ONNX model").path();
        if (const auto name = entry.find("name")) bench.title = parse_name(name, file);
        if (const auto loss = entry.find("loss")) bench.loss = parse_loss(*loss);
        const auto number = [](std::int64_t most) {
            return [most](const JsonReader& reader) { return reader.integer(1, most); };
        };
        for (const Precision precision : values_of(entry, "precision", defaults.precision, parse_precision)) {
            for (const std::int64_t points : values_of(entry, "points", defaults.points, number(kMostPoints))) {
                for (const std::int64_t samples : values_of(entry, "samples", defaults.samples, number(kMostSamples))) {
                    bench.precision = precision;
                    bench.points = points;
                    bench.samples = samples;
                    cases.push_back(bench);
                }
            }
        }
    }
    return cases;
}

void require_different_names(const std::vector<BenchCase>& cases) {
    std::set<std::string> names;
    for (const BenchCase& bench : cases) {
        if (!names.insert(bench.name()).second)
            throw InputError("two benchmarks have the name '{}'; give one of them a 'name' in a suite", bench.name());
    }
}

Config config_of(const BenchCase& bench, const std::string& device, const std::string& plan_cache) {
    using Json = nlohmann::ordered_json;
    const double reach = bench.points == 1 ? 0.0 : 0.1;
    const Json document{
        {"name", "bench"},
        {"experiment", "surface"},
        {"model", bench.model.filename().string()},  // beside what is named below as the file
        {"data", {{"format", "synthetic"}, {"count", bench.samples}, {"seed", 1U}}},
        {"splits", {"train"}},
        {"directions", {{"kind", "random"}, {"seed", 1U}}},
        {"x", {{"min", -reach}, {"max", reach}, {"points", bench.points}}},
        {"y", {{"min", 0}, {"max", 0}, {"points", 1}}},
        {"device", device.empty() ? "auto" : device},
        {"precision", name_of(bench.precision)},
    };
    Config config = parse_config(JsonReader(document, bench.model), bench.model);
    config.loss = bench.loss;
    config.plan_cache = plan_cache;
    return config;
}

}  // namespace lossmap
