#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>

#include "cli/run/prepared_run.hpp"
#include "cli/run/run_log.hpp"

namespace lossmap {

/// A prepared run with what its preparation had to say.
struct Preparation {
    PreparedRun run;
    std::unique_ptr<RunLog> log;
};

/// Bytes and number of preparations that are kept: each has data, axes, weights laid out for its device and waiting
/// threads.
inline constexpr std::int64_t kKeptBytes = std::int64_t{1} << 30;
inline constexpr std::size_t kMostKept = 32;

/// Runs of a sweep that were prepared for checking, by folder, until they are computed: principal components of a long
/// trajectory take longer than what comes after them.
class KeptPreparations {
public:
    /// Keeps it when it fits beside the others, else drops it.
    void offer(const std::filesystem::path& folder, Preparation preparation);
    /// Nothing when it was not kept, or taken before.
    [[nodiscard]] std::optional<Preparation> take(const std::filesystem::path& folder);

private:
    std::map<std::filesystem::path, Preparation> kept_;
    std::int64_t bytes_ = 0;
};

/// Memory that a prepared run holds, about; data count in full, in memory or not.
[[nodiscard]] std::int64_t memory_of(const PreparedRun& run);

}  // namespace lossmap
