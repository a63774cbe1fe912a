#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "backend/layer_check.hpp"
#include "onnx_import/importer.hpp"
#include "params/parameter_space.hpp"
#include "tests/support/test_files.hpp"
#include "tests/zoo/zoo_model.hpp"

// Networks as PyTorch's exporters write them give PyTorch's losses and outputs, at the origin and along a direction.
namespace lossmap::test {

inline constexpr double kTolerance = 1e-4;
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Largest difference over the largest absolute value of the reference.
inline double relative_difference(const Tensor& actual, const Tensor& expected) {
    if (actual.shape() != expected.shape()) return kNaN;
    const auto a = actual.as<float>();
    const auto e = expected.as<float>();
    double largest = 0.0;
    double difference = 0.0;
    for (std::size_t k = 0; k < e.size(); ++k) {
        if (!std::isfinite(a[k])) return kNaN;
        largest = std::max(largest, std::abs(static_cast<double>(e[k])));
        difference = std::max(difference, std::abs(static_cast<double>(a[k]) - static_cast<double>(e[k])));
    }
    return difference / largest;
}

struct Errors {
    double loss = 0.0;  ///< largest over the points; NaN where something is not finite
    double logits = 0.0;
};

/// The larger one; NaN when one of them is.
inline double worse(double a, double b) { return std::isnan(a) || b < a ? a : b; }

class ZooAgreementTest : public ::testing::TestWithParam<ZooModel> {
protected:
    void SetUp() override {
        graph_ = import_onnx(zoo_dir() / GetParam().file);
        space_ = identify_parameters(graph_);
        origin_ = read_state(graph_, space_);
        reference_ = read_zoo_reference(GetParam());
        direction_.assign(origin_.weights.size(), 0.0F);
        if (GetParam().direction_lost) {
            reference_.alphas.resize(1);
        } else {
            fill_direction();
        }
    }

    /// Initializers that the archive does not list stay where they are; what it moves must be a parameter.
    void fill_direction() {
        for (const auto& [name, tensor] : read_zoo_direction(GetParam())) {
            const auto values = tensor.as<float>();
            if (std::all_of(values.begin(), values.end(), [](float value) { return value == 0.0F; })) continue;
            const Parameter* parameter = space_.find(name);
            ASSERT_NE(parameter, nullptr) << name << " moves, but is no parameter";
            ASSERT_EQ(parameter->shape, tensor.shape()) << name;
            std::copy(values.begin(), values.end(), direction_.begin() + parameter->offset);
        }
    }

    [[nodiscard]] ExecutableRequest request() const {
        ExecutableRequest result;
        result.graph = &graph_;
        result.space = &space_;
        result.origin = &origin_;
        result.axes = {{direction_, {}}};
        result.loss = reference_.loss;
        result.inputs = reference_.inputs;
        result.target = reference_.target;
        return result;
    }

    /// @param tile_samples  0: the backend chooses
    [[nodiscard]] Errors measure(Backend& backend, const PassSet& passes, int tile_samples,
                                 bool last_output_only = false) const {
        ExecutableRequest own = request();
        own.passes = passes;
        own.tile_samples = tile_samples;
        const std::unique_ptr<Executable> executable = backend.compile(own);

        std::vector<Point> points;
        for (const double alpha : reference_.alphas)
            points.push_back({{alpha}});
        LossSums unwritten;
        unwritten.loss_sum = kNaN;
        std::vector<LossSums> sums(points.size(), unwritten);
        executable->evaluate(points, reference_.chunk, sums);
        Errors errors;
        for (std::size_t k = 0; k < points.size(); ++k) {
            const double loss = sums[k].loss_sum / sums[k].weight_sum;
            errors.loss = worse(errors.loss, std::abs(loss - reference_.losses[k]) / std::abs(reference_.losses[k]));
            if (last_output_only && k + 1 < points.size()) continue;
            const Tensor logits = executable->forward(points[k], reference_.chunk);
            errors.logits = worse(errors.logits, relative_difference(logits, reference_.logits[k]));
        }
        return errors;
    }

    /// A line for each value of the network that a backend computes wrong at the end of the direction.
    [[nodiscard]] std::string wrong_layers(Backend& backend) const {
        std::string result;
        for (const LayerDifference& layer : layers(backend, Precision::fp32)) {
            if (layer.agrees()) continue;
            result += fmt::format("{}: '{}' ({}) differs by {:.1e}, rounding explains {:.1e}\n", GetParam().file,
                                  layer.name, layer.operators, layer.difference, layer.bound);
        }
        return result;
    }

    /// Every value of the network at the end of the direction, on two samples where the model does not say how many.
    [[nodiscard]] std::vector<LayerDifference> layers(Backend& backend, Precision precision) const {
        ExecutableRequest own = request();
        own.precision = precision;
        own.traceable = true;
        const std::int64_t samples = declares_batch() ? graph_.value(graph_.inputs.front()).declared.front().extent : 2;
        own.tile_samples = static_cast<int>(samples);
        const auto executable = backend.compile(own);
        return compare_layers(own, *executable, {{reference_.alphas.back()}}, reference_.chunk, samples);
    }

    [[nodiscard]] bool declares_batch() const {
        return graph_.value(graph_.inputs.front()).declared.front().extent > 0;
    }

    Graph graph_;
    ParameterSpace space_;
    StateVector origin_;
    ZooReference reference_;
    std::vector<float> direction_;
};

}  // namespace lossmap::test
