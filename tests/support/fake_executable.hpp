#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.hpp"
#include "data/dataset.hpp"

namespace lossmap::test {

/// Samples made from their index: input "x" f32 [n, 1] in (0, 1], target i64 [n] = index. Remembers what was read.
class FakeDataset : public Dataset {
public:
    explicit FakeDataset(std::int64_t size) : size_(size) {}

    [[nodiscard]] static float value(std::int64_t index) { return static_cast<float>(index * 37 % 101 + 1) / 101.0f; }

    [[nodiscard]] std::int64_t size() const override { return size_; }
    [[nodiscard]] const std::vector<FieldInfo>& inputs() const override { return inputs_; }
    [[nodiscard]] const FieldInfo& target() const override { return target_; }
    [[nodiscard]] SampleChunk read(std::int64_t first, std::int64_t count) const override {
        if (first < 0 || count < 1 || first + count > size_)
            throw InternalError("read [{}, +{}) of {}", first, count, size_);
        const std::scoped_lock lock(mutex_);
        reads_.emplace_back(first, count);
        SampleChunk chunk;
        chunk.first = first;
        chunk.count = count;
        chunk.inputs.emplace_back(DType::f32, Shape{count, 1});
        chunk.target = Tensor(DType::i64, Shape{count});
        for (std::int64_t i = 0; i < count; ++i) {
            chunk.inputs[0].as<float>()[static_cast<std::size_t>(i)] = value(first + i);
            chunk.target.as<std::int64_t>()[static_cast<std::size_t>(i)] = first + i;
        }
        return chunk;
    }
    [[nodiscard]] std::string content_hash() const override { return "fake-" + std::to_string(size_); }
    [[nodiscard]] std::string describe() const override { return "fake, " + std::to_string(size_) + " samples"; }

    /// (first, count) of every read so far.
    [[nodiscard]] std::vector<std::pair<std::int64_t, std::int64_t>> reads() const {
        const std::scoped_lock lock(mutex_);
        return reads_;
    }

private:
    std::int64_t size_;
    std::vector<FieldInfo> inputs_ = {{"x", DType::f32, {1}}};
    FieldInfo target_ = {"target", DType::i64, {}};
    mutable std::mutex mutex_;
    mutable std::vector<std::pair<std::int64_t, std::int64_t>> reads_;
};

/// Loss of sample index `sample` with input x at a point.
using FakeLoss = std::function<double(const Point& point, float x, std::int64_t sample)>;

/// An executable whose "network" is a formula; a sample is correct when its loss is below 1. Remembers its calls.
class FakeExecutable : public Executable {
public:
    struct Call {
        std::vector<Point> points;
        std::int64_t first = 0;
        std::int64_t count = 0;
    };

    explicit FakeExecutable(FakeLoss loss = default_loss) : loss_(std::move(loss)) {}

    /// Sums of it depend on the order of summation in the last bits.
    [[nodiscard]] static double default_loss(const Point& point, float x, std::int64_t sample) {
        double distance = 0.0;
        for (const double coordinate : point.coordinates)
            distance = distance * 1.7 + (coordinate - 0.3) * (coordinate - 0.3);
        return std::sqrt(distance * static_cast<double>(x) + 0.1 * static_cast<double>(sample + 1));
    }

    void evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) override {
        if (points.size() != sums.size()) throw InternalError("{} points, {} sums", points.size(), sums.size());
        if (before_call) before_call(calls.size());
        calls.push_back({{points.begin(), points.end()}, chunk.first, chunk.count});
        for (std::size_t p = 0; p < points.size(); ++p)
            sums[p] = sums_of(points[p], chunk);
    }
    [[nodiscard]] Tensor forward(const Point&, const SampleChunk& chunk) override {
        return Tensor(DType::f32, Shape{chunk.count, 1});
    }
    [[nodiscard]] std::string plan_json() const override { return "{}"; }
    [[nodiscard]] std::int64_t macs_per_sample() const override { return 1; }
    [[nodiscard]] std::int64_t memory_bytes() const override { return 0; }

    /// Called with the number of calls finished before each one.
    std::function<void(std::size_t)> before_call;
    std::vector<Call> calls;

private:
    [[nodiscard]] LossSums sums_of(const Point& point, const SampleChunk& chunk) const {
        LossSums sums;
        for (std::int64_t i = 0; i < chunk.count; ++i) {
            const double loss =
                loss_(point, chunk.inputs.at(0).as<float>()[static_cast<std::size_t>(i)], chunk.first + i);
            sums.loss_sum += loss;
            sums.loss_square_sum += loss * loss;
            sums.weight_sum += 1.0;
            sums.correct += loss < 1.0 ? 1 : 0;
            sums.counted += 1;
            sums.non_finite += std::isfinite(loss) ? 0 : 1;
        }
        return sums;
    }

    FakeLoss loss_;
};

}  // namespace lossmap::test
