#include "cli/config/config_keys.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include "core/error.hpp"

namespace lossmap {
namespace {

constexpr ConfigKey kConfigKeys[] = {
    {"name"}, {"experiment"}, {"model"},      {"models"},      {"networks"}, {"parameters"}, {"data"},   {"splits"},
    {"loss"}, {"directions"}, {"x"},          {"y"},           {"device"},   {"precision"},  {"passes"}, {"provenance"},
    {"to"},   {"move"},       {"statistics"}, {"checkpoints"}, {"plane"},    {"iterations"}, {"epochs"}, {"lr_drops"},
    {"runs"}, {"labels"},     {"count"},      {"sweep"},       {"refine"},   {"grow"},       {"from"},
};
constexpr ConfigKey kSuiteKeys[] = {{"benchmarks"}};
constexpr ConfigKey kBenchmarkKeys[] = {{"model"}, {"name"}, {"points"}, {"samples"}, {"precision"}, {"loss"}};
constexpr ConfigKey kModelKeys[] = {{"path"}, {"parameters"}};
constexpr ConfigKey kRunKeys[] = {{"label"},    {"checkpoints"}, {"epochs"}, {"iterations"},
                                  {"lr_drops"}, {"model"},       {"labels"}};
constexpr ConfigKey kParametersKeys[] = {{"include"}, {"exclude"}};
constexpr ConfigKey kDataKeys[] = {{"format"}, {"train"},  {"test"},   {"normalize"}, {"subset"},
                                   {"chunk"},  {"inputs"}, {"target"}, {"count"},     {"seed"}};
constexpr ConfigKey kDataFileKeys[] = {{"file"}, {"subset"}, {"chunk"}};
constexpr ConfigKey kIdxSplitKeys[] = {{"images"}, {"labels"}};
constexpr ConfigKey kNormalizeKeys[] = {{"mean"}, {"std"}};
constexpr ConfigKey kSubsetKeys[] = {{"train"}, {"test"}};
constexpr ConfigKey kSubsetSplitKeys[] = {{"start"}, {"count"}, {"seed"}, {"stratified"}};
constexpr ConfigKey kLossKeys[] = {{"kind"},          {"class_axis"}, {"ignore_index"}, {"label_smoothing"},
                                   {"class_weights"}, {"targets"},    {"activation"},   {"delta"},
                                   {"name"}};
constexpr ConfigKey kDirectionsKeys[] = {{"kind"},       {"seed"},        {"normalization"}, {"ignore"},
                                         {"path"},       {"prefix"},      {"models"},        {"move"},
                                         {"statistics"}, {"checkpoints"}, {"components"},    {"center"}};
constexpr ConfigKey kStatisticsKeys[] = {{"split"}, {"count"}, {"batch"}};
constexpr ConfigKey kDirectionsByAxisKeys[] = {{"x"}, {"y"}};
constexpr ConfigKey kSweepAxisKeys[] = {{"pointer"}, {"values"}, {"labels"}};
constexpr ConfigKey kAxisKeys[] = {{"min"}, {"max"}, {"points"}, {"margin"}};
constexpr ConfigKey kPassesKeys[] = {{"constant_folding"},
                                     {"dead_code"},
                                     {"bias_add"},
                                     {"batch_norm"},
                                     {"residual"},
                                     {"activation"},
                                     {"transforms"},
                                     {"stages"},
                                     {"split_stages"},
                                     {"warpgroup_stages"},
                                     {"warpgroup_split_stages"},
                                     {"pooling"},
                                     {"dense_chains"}};
constexpr ConfigKey kRefineKeys[] = {{"initial"}, {"tolerance"}};

constexpr ConfigSection kSections[] = {
    {"config", kConfigKeys},
    {"suite", kSuiteKeys},
    {"benchmark", kBenchmarkKeys},
    {"model", kModelKeys},
    {"run", kRunKeys},
    {"parameters", kParametersKeys},
    {"data", kDataKeys},
    {"data_file", kDataFileKeys},
    {"idx_split", kIdxSplitKeys},
    {"normalize", kNormalizeKeys},
    {"subset", kSubsetKeys},
    {"subset_split", kSubsetSplitKeys},
    {"loss", kLossKeys},
    {"directions", kDirectionsKeys},
    {"directions_by_axis", kDirectionsByAxisKeys},
    {"statistics", kStatisticsKeys},
    {"axis", kAxisKeys},
    {"passes", kPassesKeys},
    {"refine", kRefineKeys},
    {"sweep_axis", kSweepAxisKeys},
};

/// Insertions, deletions, replacements and swaps of neighbours that make one word of the other (optimal string
/// alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> table(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) {
        for (std::size_t j = 0; j <= b.size(); ++j) {
            if (i == 0 || j == 0) {
                table[i][j] = i + j;
                continue;
            }
            const std::size_t replaced = table[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            table[i][j] = std::min({replaced, table[i - 1][j] + 1, table[i][j - 1] + 1});
            const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) table[i][j] = std::min(table[i][j], table[i - 2][j - 2] + 1);
        }
    }
    return table[a.size()][b.size()];
}

/// A word that was cut short is as near as one slip.
std::size_t distance_to(std::string_view word, std::string_view candidate) {
    constexpr std::size_t kShortestBeginning = 3;
    if (word.size() >= kShortestBeginning && candidate.starts_with(word)) return 1;
    return edit_distance(word, candidate);
}

}  // namespace

std::span<const ConfigSection> config_sections() { return kSections; }

const ConfigSection& config_section(std::string_view name) {
    const auto found = std::find_if(std::begin(kSections), std::end(kSections),
                                    [&](const ConfigSection& section) { return section.name == name; });
    if (found == std::end(kSections)) throw InternalError("no configuration section '{}'", name);
    return *found;
}

bool is_free_key(std::string_view key) { return key == "$schema" || key == "comment"; }

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
    constexpr std::size_t kLongestWord = 64;  // nobody means a key by more than that
    if (word.size() > kLongestWord) return {};
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(1, std::min<std::size_t>(3, word.size() / 3)) + 1;
    for (const std::string& candidate : candidates) {
        const std::size_t distance = distance_to(word, candidate);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

}  // namespace lossmap
