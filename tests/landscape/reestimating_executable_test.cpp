#include "landscape/reestimating_executable.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "landscape/scheduler.hpp"
#include "tests/support/fake_executable.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::FakeDataset;
using test::FakeExecutable;
using test::TemporaryDirectory;

constexpr std::int64_t kCount = 23;
constexpr std::int64_t kBatch = 5;  // and a last one of 3

double activation(const Point& point, double x) { return point.coordinates[0] * x + point.coordinates[1] * x * x; }

struct Moments {
    double mean = 0.0;
    double variance = 0.0;
};

/// Of one batch: mean and unbiased variance.
Moments moments(const Point& point, std::int64_t first, std::int64_t count) {
    Moments result;
    for (std::int64_t k = first; k < first + count; ++k)
        result.mean += activation(point, static_cast<double>(FakeDataset::value(k))) / static_cast<double>(count);
    for (std::int64_t k = first; k < first + count; ++k) {
        const double distance = activation(point, static_cast<double>(FakeDataset::value(k))) - result.mean;
        result.variance += distance * distance / static_cast<double>(count - 1);
    }
    return result;
}

double loss_with(const Moments& states, const Point& point, double x) {
    const double normalised = (activation(point, x) - states.mean) / std::sqrt(states.variance + 0.01);
    return normalised * normalised;
}

/// A network of one feature and one norm.
class NormedExecutable : public FakeExecutable {
public:
    explicit NormedExecutable(std::int64_t macs) : FakeExecutable(loss), macs_(macs) {}

    void estimate_statistics(std::span<const Point> points, const SampleChunk& chunk, std::int64_t batch_samples,
                             std::span<StatisticSums> sums) override {
        if (before_estimate) before_estimate();
        ranges.emplace_back(chunk.first, chunk.count);
        points_estimated += points.size();
        for (std::size_t k = 0; k < points.size(); ++k) {
            sums[k] = {};
            for (std::int64_t first = 0; first < chunk.count; first += batch_samples) {
                const Moments batch =
                    moments(points[k], chunk.first + first, std::min(batch_samples, chunk.count - first));
                sums[k] += StatisticSums{{batch.mean, batch.variance}, 1};
            }
        }
    }
    [[nodiscard]] std::int64_t macs_per_sample() const override { return macs_; }
    [[nodiscard]] std::int64_t points_per_pass() const override { return 3; }
    /// The first statistic, as whoever asks has set it.
    [[nodiscard]] std::vector<double> precision_error(std::span<const Point> points, const SampleChunk&) override {
        std::vector<double> means;
        for (const Point& point : points)
            means.push_back(static_cast<double>(point.states[0]));
        return means;
    }
    [[nodiscard]] std::vector<NamedTensor> trace(const Point& point, const SampleChunk&) override {
        Tensor mean(DType::f32, Shape{1});
        mean.as<float>()[0] = point.states[0];
        std::vector<NamedTensor> values;
        values.push_back({"mean", std::move(mean)});
        return values;
    }

    std::function<void()> before_estimate;
    std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
    std::size_t points_estimated = 0;

private:
    static double loss(const Point& point, float x, std::int64_t /*sample*/) {
        if (point.states.size() != 2) throw InternalError("a point without statistics");
        return loss_with({static_cast<double>(point.states[0]), static_cast<double>(point.states[1])}, point,
                         static_cast<double>(x));
    }

    std::int64_t macs_;
};

/// As PyTorch does with momentum=None: batches count the same, whatever their size.
double expected_loss(const Point& point, std::int64_t samples) {
    Moments states;
    for (std::int64_t first = 0; first < kCount; first += kBatch) {
        const Moments batch = moments(point, first, std::min(kBatch, kCount - first));
        states.mean += batch.mean / 5.0;
        states.variance += batch.variance / 5.0;
    }
    double sum = 0.0;
    for (std::int64_t k = 0; k < samples; ++k)
        sum += loss_with(states, point, static_cast<double>(FakeDataset::value(k)));
    return sum / static_cast<double>(samples);
}

class Reestimating : public ::testing::Test {
protected:
    /// @param macs  many make groups of a single batch.
    ReestimatingExecutable make(std::int64_t macs, const std::atomic<bool>* stop = nullptr) {
        auto network = std::make_unique<NormedExecutable>(macs);
        network_ = network.get();
        return {std::move(network), {statistics_, kBatch}, stop};
    }

    static std::vector<Point> points() {
        std::vector<Point> points;
        for (const double y : {-0.5, 1.0}) {
            for (const double x : {-1.0, 0.5, 2.0})
                points.push_back({{x, y}});
        }
        return points;
    }

    static Surface surface() { return make_surface({-1.0, 0.5, 2.0}, {-0.5, 1.0}, {"train"}, true); }

    Surface run(Executable& executable, Journal* journal, std::int64_t cache_bytes) {
        Surface result = surface();
        SchedulerOptions options;
        options.chunk_samples = 10;
        options.points_per_block = 4;
        options.cache_bytes = cache_bytes;
        run_schedule(executable, points(), {{"train", &train_}}, journal, options, result);
        return result;
    }

    std::shared_ptr<const FakeDataset> statistics_ = std::make_shared<FakeDataset>(kCount);
    FakeDataset train_{37};
    NormedExecutable* network_ = nullptr;
};

TEST_F(Reestimating, GivesEachPointTheMeanOverItsBatches) {
    for (const std::int64_t macs : {std::int64_t{1}, std::int64_t{1} << 50}) {
        for (const std::int64_t cache : {std::int64_t{0}, std::int64_t{1} << 30}) {
            ReestimatingExecutable executable = make(macs);
            const Surface result = run(executable, nullptr, cache);
            for (std::size_t k = 0; k < points().size(); ++k) {
                const double expected = expected_loss(points()[k], 37);
                EXPECT_NEAR(result.splits[0].loss[k], expected, 1e-6 * expected);
            }
            // Once a point, whatever the order of chunks.
            EXPECT_EQ(network_->points_estimated, macs == 1 ? 6u : 6u * 5u);
        }
    }
}

TEST_F(Reestimating, ReadsWholeBatchesAndKeepsThem) {
    ReestimatingExecutable executable = make(std::int64_t{1} << 50);
    (void)run(executable, nullptr, 1 << 30);
    const std::vector<std::pair<std::int64_t, std::int64_t>> groups{{0, 5}, {5, 5}, {10, 5}, {15, 5}, {20, 3}};
    EXPECT_EQ(statistics_->reads(), groups);
    ASSERT_EQ(network_->ranges.size(), 10u);  // two blocks of points
    EXPECT_TRUE(std::equal(groups.begin(), groups.end(), network_->ranges.begin() + 5));
    EXPECT_GE(executable.memory_bytes(), kCount * static_cast<std::int64_t>(sizeof(float)));
}

TEST_F(Reestimating, PointsWithStatisticsKeepThem) {
    ReestimatingExecutable executable = make(1);
    const std::vector<float> states{0.25F, 4.0F};
    Point point{{1.0, 0.0}};
    point.states = states;
    LossSums sums;
    executable.evaluate({&point, 1}, train_.read(0, 4), {&sums, 1});
    EXPECT_EQ(network_->points_estimated, 0u);
    double expected = 0.0;
    for (std::int64_t k = 0; k < 4; ++k)
        expected += loss_with({0.25, 4.0}, point, static_cast<double>(FakeDataset::value(k)));
    EXPECT_NEAR(sums.loss_sum, expected, 1e-12);
}

TEST_F(Reestimating, WhatTheNetworkSaysOfItselfComesThrough) {
    ReestimatingExecutable executable = make(1);
    EXPECT_EQ(executable.points_per_pass(), 3);
    const std::vector<Point> at = points();
    const std::vector<double> errors = executable.precision_error(at, train_.read(0, 4));
    ASSERT_EQ(errors.size(), at.size());
    for (std::size_t k = 0; k < at.size(); ++k) {
        double mean = 0.0;
        for (std::int64_t first = 0; first < kCount; first += kBatch)
            mean += moments(at[k], first, std::min(kBatch, kCount - first)).mean / 5.0;
        EXPECT_NEAR(errors[k], mean, 1e-6 * std::abs(mean));
        const std::vector<NamedTensor> values = executable.trace(at[k], train_.read(0, 4));
        ASSERT_EQ(values.size(), 1u);
        EXPECT_EQ(static_cast<double>(values[0].value.as<float>()[0]), errors[k]);
    }
}

TEST_F(Reestimating, InterruptedAndResumedEqualsFresh) {
    ReestimatingExecutable unbroken = make(std::int64_t{1} << 50);
    const Surface expected = run(unbroken, nullptr, 1 << 30);
    const TemporaryDirectory folder;
    std::atomic<bool> stop = false;
    {
        Journal journal(folder / "journal.sqlite", "id");
        ReestimatingExecutable executable = make(std::int64_t{1} << 50, &stop);
        std::size_t calls = 0;
        network_->before_estimate = [&] { stop = ++calls == 7; };  // within the second block of points
        EXPECT_THROW((void)run(executable, &journal, 1 << 30), Interrupted);
        EXPECT_EQ(calls, 7u);
    }
    Journal journal(folder / "journal.sqlite", "id");
    EXPECT_EQ(journal.entries().size(), 4u * 4u);
    ReestimatingExecutable executable = make(std::int64_t{1} << 50);
    const Surface resumed = run(executable, &journal, 1 << 30);
    EXPECT_EQ(resumed.splits[0].loss, expected.splits[0].loss);
    EXPECT_EQ(network_->ranges.size(), 5u) << "only for the points that were missing";
}

TEST(StatisticsSamples, NameTheSizesOfTheirBatches) {
    const auto data = std::make_shared<FakeDataset>(12);
    EXPECT_EQ((StatisticsSamples{data, 5}.batch_sizes()), (std::vector<std::int64_t>{5, 2}));
    EXPECT_EQ((StatisticsSamples{data, 4}.batch_sizes()), std::vector<std::int64_t>{4});
    EXPECT_EQ((StatisticsSamples{data, 100}.batch_sizes()), std::vector<std::int64_t>{12});
}

}  // namespace
}  // namespace lossmap
