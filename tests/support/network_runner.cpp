#include "tests/support/network_runner.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace lossmap::test {

ReferenceNet small_net() {
    ReferenceNet net({3, 8, 8}, 11);
    const auto x = net.relu(net.batch_norm(net.conv(net.input(), 8, 3, 1, 1)));
    const auto y = net.relu(net.add(net.batch_norm(net.conv(x, 8, 3, 1, 1)), x));
    net.output(net.gemm(net.flatten(net.global_average_pool(y)), 5, true));
    return net;
}

std::vector<Point> grid() {
    std::vector<Point> points;
    for (const double b : {-0.5, 0.0, 0.25}) {
        for (const double a : {-1.0, 0.0, 0.5, 1.0})
            points.push_back({{a, b}});
    }
    return points;
}

NetworkRunner::NetworkRunner(ReferenceNet net, std::int64_t samples, std::int64_t classes,
                             std::shared_ptr<Backend> backend)
    : net_(std::move(net)), backend_(std::move(backend)) {
    const Shape sample_shape = net_.shape(net_.input());
    Shape shape{samples};
    shape.insert(shape.end(), sample_shape.begin(), sample_shape.end());
    chunk_.first = 100;
    chunk_.count = samples;
    Tensor inputs(DType::f32, shape);
    for (float& value : inputs.as<float>())
        value = static_cast<float>(net_.random());
    chunk_.inputs.push_back(std::move(inputs));
    chunk_.target = Tensor(DType::i64, {samples});
    for (std::int64_t k = 0; k < samples; ++k)
        chunk_.target.as<std::int64_t>()[static_cast<std::size_t>(k)] = k % classes;
    directions_.resize(2);
    for (auto& direction : directions_) {
        direction.resize(net_.origin().weights.size());
        for (float& value : direction)
            value = static_cast<float>(0.3 * net_.random());
    }
    state_direction_.resize(net_.origin().states.size());
    for (float& value : state_direction_)
        value = static_cast<float>(0.1 * net_.random());
    request_.inputs = {{"input", DType::f32, sample_shape}};
    request_.target = {"target", DType::i64, {}};
    request_.threads = 1;
}

std::unique_ptr<Executable> NetworkRunner::compile() const {
    ExecutableRequest request = request_;
    request.graph = &net_.graph();
    request.space = &net_.space();
    request.origin = &const_cast<NetworkRunner*>(this)->net_.origin();
    request.axes = {{directions_[0], {}}, {directions_[1], state_direction_}};
    return backend_->compile(request);
}

StateVector NetworkRunner::state_at(const std::vector<double>& coordinates) const {
    StateVector state = const_cast<NetworkRunner*>(this)->net_.origin();
    const auto a = static_cast<float>(coordinates[0]);
    const auto b = static_cast<float>(coordinates[1]);
    for (std::size_t k = 0; k < state.weights.size(); ++k) {
        const float first = a * directions_[0][k];
        const float second = b * directions_[1][k];
        state.weights[k] += first + second;
    }
    for (std::size_t k = 0; k < state.states.size(); ++k)
        state.states[k] += b * state_direction_[k];
    return state;
}

std::vector<double> NetworkRunner::reference(const std::vector<double>& coordinates) const {
    const StateVector state = state_at(coordinates);
    const auto values = chunk_.inputs[0].as<float>();
    const std::size_t width = values.size() / static_cast<std::size_t>(chunk_.count);
    std::vector<double> result;
    for (std::size_t sample = 0; sample < static_cast<std::size_t>(chunk_.count); ++sample) {
        const auto row = values.subspan(sample * width, width);
        const auto output = net_.forward(state, {row.begin(), row.end()});
        result.insert(result.end(), output.begin(), output.end());
    }
    return result;
}

double NetworkRunner::error(Executable& executable, const std::vector<double>& coordinates) const {
    const Tensor actual = executable.forward({coordinates}, chunk_);
    const std::vector<double> expected = reference(coordinates);
    const auto values = actual.as<float>();
    if (values.size() != expected.size()) return std::numeric_limits<double>::infinity();
    double largest = 0.0;
    double difference = 0.0;
    for (std::size_t k = 0; k < expected.size(); ++k) {
        const auto value = static_cast<double>(values[k]);
        largest = std::max(largest, std::abs(expected[k]));
        if (std::isnan(value) != std::isnan(expected[k])) return std::numeric_limits<double>::infinity();
        if (!std::isnan(value)) difference = std::max(difference, std::abs(value - expected[k]));
    }
    return difference / largest;
}

std::vector<LossSums> NetworkRunner::sums(Executable& executable, const std::vector<Point>& points) const {
    LossSums unwritten;
    unwritten.loss_sum = std::numeric_limits<double>::quiet_NaN();
    std::vector<LossSums> result(points.size(), unwritten);
    executable.evaluate(points, chunk_, result);
    return result;
}

}  // namespace lossmap::test
