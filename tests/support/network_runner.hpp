#pragma once

#include <memory>
#include <vector>

#include "backend/backend.hpp"
#include "tests/support/reference_net.hpp"

namespace lossmap::test {

/// A residual block with batch norms on [3, 8, 8], 5 classes.
[[nodiscard]] ReferenceNet small_net();
/// 4 x 3 points of a plane, the origin among them.
[[nodiscard]] std::vector<Point> grid();

/// Runs a reference network on a backend: request, samples and directions around it.
class NetworkRunner {
public:
    /// @param samples  in the chunk; inputs in [-1, 1), labels in [0, classes). The output has rank 1.
    NetworkRunner(ReferenceNet net, std::int64_t samples, std::int64_t classes, std::shared_ptr<Backend> backend);

    [[nodiscard]] ReferenceNet& net() { return net_; }
    [[nodiscard]] ExecutableRequest& request() { return request_; }
    [[nodiscard]] const SampleChunk& chunk() const { return chunk_; }
    [[nodiscard]] std::vector<float>& direction(std::size_t axis) { return directions_[axis]; }
    [[nodiscard]] std::vector<float>& state_direction() { return state_direction_; }

    [[nodiscard]] std::unique_ptr<Executable> compile() const;
    /// Parameters at a point, rounded as documented.
    [[nodiscard]] StateVector state_at(const std::vector<double>& coordinates) const;
    /// fp64 output of every sample.
    [[nodiscard]] std::vector<double> reference(const std::vector<double>& coordinates) const;
    /// Largest difference of the backend's output from the reference, over the largest absolute value of the reference.
    [[nodiscard]] double error(Executable& executable, const std::vector<double>& coordinates) const;
    [[nodiscard]] std::vector<LossSums> sums(Executable& executable, const std::vector<Point>& points) const;

private:
    ReferenceNet net_;
    std::shared_ptr<Backend> backend_;
    std::vector<std::vector<float>> directions_;
    std::vector<float> state_direction_;
    SampleChunk chunk_;
    ExecutableRequest request_;
};

}  // namespace lossmap::test
