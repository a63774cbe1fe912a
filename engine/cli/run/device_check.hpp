#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "backend/layer_check.hpp"
#include "cli/run/prepared_run.hpp"

namespace lossmap {

/// A value of the network where it differs most, in relation to what rounding explains.
struct CheckedLayer {
    LayerDifference worst;
    std::vector<double> coordinates;  ///< of the point where it does
};

/// The mean loss of a point.
struct CheckedLoss {
    std::vector<double> coordinates;
    double tested = 0.0;      ///< as the run computes it
    double apart = 0.0;       ///< on the same device, its layers apart from each other as they are checked
    double reference = 0.0;   ///< on the other device, in fp32
    double difference = 0.0;  ///< of the first to the last, relative; infinite where only one is finite
    /// In fp32 what losses are held to everywhere. In a reduced precision rounding depends on the network: a multiple
    /// of how far the layers apart are from fp32, and of a rounding.
    double bound = 0.0;

    [[nodiscard]] bool agrees() const { return difference <= bound; }
};

/// A run's network on its device, layer by layer, and its loss on another one.
struct DeviceCheck {
    std::string tested;     ///< "cuda:0 in fp16"
    std::string reference;  ///< "cpu in fp32"
    std::int64_t layer_samples = 0;
    std::int64_t loss_samples = 0;
    std::vector<CheckedLayer> layers;  ///< in the order of the graph
    std::vector<CheckedLayer> stages;  ///< what many layers compute together, likewise; none on most devices
    std::vector<CheckedLoss> losses;

    /// One sentence about the first thing that differs; "" when nothing does.
    [[nodiscard]] std::string failure() const;
    /// A table of layers and one of losses.
    void print(std::ostream& out) const;
};

/// Checks the network of a run at the origin and, where it moves, at the first point of its grid, on the first samples
/// of its first split. Layers are held against an interpreter on the host (compare_layers), losses against `reference`
/// ("cpu", "cuda:1", ..), which computes in fp32 and joins nothing. The network is what take_network says. Throws what
/// it and backends throw.
[[nodiscard]] DeviceCheck check_device(PreparedRun& run, const std::string& reference, int threads);

}  // namespace lossmap
