#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lossmap::cpu {

/// Numbers of the CPUs that the process may run on (its affinity mask), ascending.
[[nodiscard]] std::vector<int> allowed_cpus();
/// CPUs' worth of time that the process may use: its mask, or less where its control group has a quota. At least 1.
[[nodiscard]] int usable_threads();
/// "AMD EPYC 9B14", or "unknown CPU".
[[nodiscard]] std::string cpu_model();
/// Main memory in bytes.
[[nodiscard]] std::int64_t memory_bytes();
/// Bytes of second-level cache of a core; 1 MiB when the system does not say.
[[nodiscard]] std::int64_t level2_cache_bytes();

}  // namespace lossmap::cpu
