#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "tests/support/host_device.hpp"
#include "tests/support/random_network.hpp"

namespace lossmap::test {

/// A random network, and how it is run on an emulated device.
struct RandomCase {
    RandomNetwork net;
    std::vector<std::vector<float>> weights;  ///< of each axis
    std::vector<std::vector<float>> states;
    std::vector<std::vector<float>> point_states;
    std::vector<Point> points;
    SampleChunk chunk;
    ExecutableRequest request;
    HostDeviceOptions options;

    [[nodiscard]] ExecutableRequest bound() const {
        ExecutableRequest result = request;
        result.graph = &net.graph;
        result.space = &net.space;
        result.origin = &net.origin;
        for (std::size_t k = 0; k < weights.size(); ++k)
            result.axes.push_back({weights[k], states[k]});
        return result;
    }
};

/// The same for a seed everywhere.
[[nodiscard]] RandomCase make_case(std::uint64_t seed);
/// All that was chosen, for messages.
[[nodiscard]] std::string text_of(const RandomCase& one);
/// The same with everything moved by a relative `size` at most, in fp32: how far rounding may move results.
[[nodiscard]] RandomCase nudged(const RandomCase& from, double size);

}  // namespace lossmap::test
