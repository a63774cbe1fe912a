#include "cli/run/sweep/kept_preparations.hpp"

#include <utility>

#include "data/input_bytes.hpp"

namespace lossmap {

void KeptPreparations::offer(const std::filesystem::path& folder, Preparation preparation) {
    const std::int64_t bytes = memory_of(preparation.run);
    if (kept_.size() >= kMostKept || bytes > kKeptBytes - bytes_) return;
    if (kept_.emplace(folder, std::move(preparation)).second) bytes_ += bytes;
}

std::optional<Preparation> KeptPreparations::take(const std::filesystem::path& folder) {
    auto found = kept_.extract(folder);
    if (found.empty()) return std::nullopt;
    bytes_ -= memory_of(found.mapped().run);
    return std::move(found.mapped());
}

std::int64_t memory_of(const PreparedRun& run) {
    std::int64_t bytes = run.executable ? run.executable->memory_bytes() : 0;
    for (const Direction& axis : run.axes)
        bytes += static_cast<std::int64_t>((axis.weights.size() + axis.states.size()) * sizeof(float));
    for (const auto& split : run.data)
        bytes += split->size() * input_bytes(split->inputs());
    return bytes;
}

}  // namespace lossmap
