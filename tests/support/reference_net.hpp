#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "params/parameter_space.hpp"

namespace lossmap::test {

/// A small network that exists twice: as a Graph for lossmap and as nested loops in fp64 written here. Numbers in it
/// come from a generator of its own; handles name tensors without the sample dimension.
class ReferenceNet {
public:
    using Handle = std::size_t;
    using Values = std::vector<double>;

    explicit ReferenceNet(Shape sample_shape, std::uint64_t seed = 1);

    [[nodiscard]] Handle input() const { return 0; }
    Handle conv(Handle x, std::int64_t out, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
                std::int64_t groups = 1, bool bias = false, std::int64_t dilation = 1);
    Handle batch_norm(Handle x);
    Handle relu(Handle x);
    Handle clip(Handle x, float low, float high);
    Handle sigmoid(Handle x);
    Handle add(Handle a, Handle b);
    /// x [C, H, W] times s [C, 1, 1]
    Handle scale_channels(Handle x, Handle s);
    Handle concat(Handle a, Handle b);
    Handle max_pool(Handle x, std::int64_t kernel, std::int64_t stride, std::int64_t pad);
    Handle average_pool(Handle x, std::int64_t kernel, std::int64_t stride, std::int64_t pad, bool count_padding);
    Handle global_average_pool(Handle x);
    /// Every second pixel, and zero channels in front and behind: the shortcut of a ResNet for CIFAR-10.
    Handle padded_shortcut(Handle x, std::int64_t channels);
    Handle flatten(Handle x);
    Handle gemm(Handle x, std::int64_t out, bool transposed, float alpha = 1.0F, float beta = 1.0F);
    /// MatMul, then Add of a bias.
    Handle linear(Handle x, std::int64_t out);
    /// x [T, D], tokens put in front of the samples for it: adds [T, 1, D], then MatMul to [T, out].
    Handle tokens_in_front(Handle x, std::int64_t out);
    void output(Handle x);

    [[nodiscard]] const Graph& graph() const { return graph_; }
    [[nodiscard]] const ParameterSpace& space() const { return space_; }
    [[nodiscard]] StateVector& origin() { return origin_; }
    [[nodiscard]] const Shape& shape(Handle x) const { return nodes_[x].shape; }
    /// Output for one sample with the given parameters.
    [[nodiscard]] Values forward(const StateVector& state, const Values& sample) const;
    /// Means and unbiased variances of a batch at every batch norm, laid out as the states, with batch norms
    /// normalising with the batch's own mean and biased variance.
    [[nodiscard]] Values batch_statistics(const StateVector& state, const std::vector<Values>& samples) const;
    /// A number in [-1, 1).
    double random();

private:
    using Compute = std::function<Values(const StateVector&, const std::vector<const Values*>&)>;
    /// Where a batch norm's statistics lie in the states.
    struct Statistics {
        std::size_t mean = 0;
        std::size_t variance = 0;
    };
    struct Node {
        Shape shape;
        ValueId value = kNoValue;
        std::vector<Handle> reads;
        Compute compute;
        std::optional<Statistics> statistics{};
    };
    struct Slot {
        ValueId value = kNoValue;
        std::size_t offset = 0;
    };

    Slot parameter(const std::string& name, const Shape& shape, Role role, double center, double spread);
    ValueId constant(Tensor tensor);
    ValueId add_node(const std::string& op_type, std::vector<ValueId> inputs, Attributes attributes = {});
    Handle add_result(Shape shape, ValueId value, std::vector<Handle> reads, Compute compute);
    [[nodiscard]] ValueId value(Handle x) const { return nodes_[x].value; }

    Graph graph_;
    ParameterSpace space_;
    StateVector origin_;
    std::vector<Node> nodes_;
    Handle output_ = 0;
    std::uint64_t random_state_;
};

}  // namespace lossmap::test
