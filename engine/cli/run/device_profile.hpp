#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

#include "backend/backend.hpp"
#include "cli/run/prepared_run.hpp"

namespace lossmap {

/// What a run's network costs on its device.
struct DeviceProfile {
    std::string subject;  ///< "net.onnx on cuda:0 in fp16"
    PassTimes times;
    std::int64_t chunk_samples = 0;  ///< of the run: weights are made once for so many
    double evaluations_per_second = 0.0;
    double flops_per_second = 0.0;  ///< two for each multiply-add of a forward pass
    /// The same with one point at a time, where the device takes several.
    std::optional<double> one_point_per_second;

    /// A table of operations with their share of a chunk's time, the shares of what computes them, and the rates.
    void print(std::ostream& out) const;
};

/// Measures the run's network on the device and in the precision of the run, at the origin, on the first samples of its
/// first split; takes seconds. The network is what take_network says. Throws what it and backends throw, and
/// UnsupportedError where a backend does not tell.
[[nodiscard]] DeviceProfile profile_device(PreparedRun& run, int threads);

}  // namespace lossmap
