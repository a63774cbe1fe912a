// Points and samples of a pass, measured on an emulated device whose clock is a formula of both.
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cuda/backend/cuda_backend.hpp"
#include "tests/support/host_device.hpp"
#include "tests/support/network_runner.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::HostDevice;
using test::HostDeviceOptions;
using test::NetworkRunner;
using test::ReferenceNet;
using test::TemporaryDirectory;
using ::testing::HasSubstr;

constexpr std::int64_t kGrid = 48;
constexpr std::int64_t kChunk = 40;

/// Two products and nothing else that the emulated clock counts.
ReferenceNet mlp() {
    ReferenceNet net({6}, 5);
    net.output(net.gemm(net.relu(net.gemm(net.input(), 8, true)), 5, true));
    return net;
}

using Seconds = std::function<double(std::int64_t points, std::int64_t samples)>;

/// The more points the better.
double launches(std::int64_t points, std::int64_t samples) {
    return 1e-3 + 1e-6 * static_cast<double>(points * samples);
}

/// A start of the program with a large job.
struct Start {
    Start(const std::filesystem::path& folder, const Seconds& seconds, HostDeviceOptions options = {},
          std::size_t count = 1, ReferenceNet net = mlp()) {
        options.product_seconds = seconds;
        options.most_points = 64;
        for (std::size_t k = 0; k < count; ++k)
            devices.push_back(std::make_shared<HostDevice>(options));
        cuda::PlanOptions plans;
        plans.folder = folder;
        plans.notice = [](const std::string&) {};
        plans.version = "1";
        runner = std::make_unique<NetworkRunner>(
            std::move(net), kChunk, 5,
            std::shared_ptr<Backend>(cuda::make_cuda_backend({devices.begin(), devices.end()}, plans)));
        runner->request().passes.dense_chains = false;
        runner->request().total_points = kGrid;
        runner->request().chunk_samples = kChunk;
        runner->request().total_samples = std::int64_t{1} << 30;
    }
    [[nodiscard]] nlohmann::json plan() const { return nlohmann::json::parse(runner->compile()->plan_json()); }
    [[nodiscard]] std::int64_t marks(std::size_t device = 0) const { return devices[device]->counts().timed_marks; }

    std::vector<std::shared_ptr<HostDevice>> devices;
    std::unique_ptr<NetworkRunner> runner;
};

/// What the formula says of an evaluation that counts.
double expected_seconds(const Seconds& seconds, std::int64_t points, std::int64_t samples) {
    const auto whole = [](std::int64_t count, std::int64_t piece) { return (count + piece - 1) / piece; };
    const auto passes = static_cast<double>(whole(kGrid, points) * whole(kChunk, samples));
    return 2.0 * seconds(points, samples) * passes / static_cast<double>(kGrid * kChunk);
}

TEST(PassSizing, TheFastestOfWhatWasMeasuredIsTaken) {
    const std::vector<Seconds> formulas{
        launches,
        [](std::int64_t points, std::int64_t samples) { return 1e-6 * static_cast<double>(points * points * samples); },
        [](std::int64_t points, std::int64_t samples) {
            return 1e-6 * static_cast<double>(points * samples) *
                   (1.0 + std::abs(std::log2(static_cast<double>(points) / 8.0)));
        }};
    std::set<std::int64_t> chosen;
    for (const Seconds& seconds : formulas) {
        const TemporaryDirectory folder;
        const Start start(folder.path(), seconds);
        const nlohmann::json plan = start.plan();
        ASSERT_EQ(plan.at("size").at("by"), "measuring");
        const nlohmann::json& tried = plan.at("size").at("tried");
        EXPECT_GE(tried.size(), 4u);
        EXPECT_LE(tried.size(), 6u);
        double least = std::numeric_limits<double>::infinity();
        for (const auto& one : tried) {
            const double expected = expected_seconds(seconds, one.at("points"), one.at("samples"));
            EXPECT_NEAR(one.at("nanoseconds").get<double>(), 1e9 * expected, 1e7 * expected) << one;
            least = std::min(least, expected);
        }
        EXPECT_LE(expected_seconds(seconds, plan.at("points"), plan.at("tile_samples")), least / 0.97) << plan;
        chosen.insert(plan.at("points").get<std::int64_t>());
    }
    EXPECT_GE(chosen.size(), 2u) << "the clock decides";
}

TEST(PassSizing, NothingIsLeftOfMeasuring) {
    const TemporaryDirectory folder;
    const Start first(folder.path(), launches);
    const auto measured = first.runner->compile();
    const Start second(folder.path(), launches);
    const auto found = second.runner->compile();
    EXPECT_GT(first.marks(), second.marks());
    EXPECT_EQ(first.devices[0]->bytes_in_use(), second.devices[0]->bytes_in_use());
    EXPECT_EQ(first.runner->sums(*measured, test::grid()), second.runner->sums(*found, test::grid()));
    EXPECT_LT(first.runner->error(*measured, {0.5, 0.25}), 2e-5);
}

TEST(PassSizing, WhenAllAreEqualTheFavouriteStays) {
    const TemporaryDirectory folder;
    const auto equal = [](std::int64_t points, std::int64_t samples) {
        return 1e-6 * static_cast<double>(points * samples);
    };
    const nlohmann::json model = Start({}, equal).plan();
    const nlohmann::json measured = Start(folder.path(), equal).plan();
    EXPECT_EQ(measured.at("size").at("by"), "measuring");
    EXPECT_EQ(measured.at("points"), model.at("points"));
    EXPECT_EQ(measured.at("tile_samples"), model.at("tile_samples"));
}

TEST(PassSizing, WithoutACacheNothingIsMeasured) {
    const Start start({}, launches);
    const nlohmann::json plan = start.plan();
    EXPECT_EQ(start.marks(), 0);
    EXPECT_EQ(plan.at("size").at("by"), "model");
    EXPECT_THAT(plan.at("size").at("because"), HasSubstr("without a plan cache"));
}

TEST(PassSizing, TheSecondStartMeasuresNothing) {
    const TemporaryDirectory folder;
    const Start first(folder.path(), launches);
    const std::string plan = first.runner->compile()->plan_json();
    EXPECT_GT(first.marks(), 0);
    const std::int64_t marks = first.marks();
    EXPECT_EQ(first.runner->compile()->plan_json(), plan);
    EXPECT_EQ(first.marks(), marks) << "once a process";
    // On this clock another size would be faster now.
    const Start second(folder.path(), [](std::int64_t points, std::int64_t samples) {
        return 1e-6 * static_cast<double>(points * points * samples);
    });
    EXPECT_EQ(second.runner->compile()->plan_json(), plan);
    EXPECT_EQ(second.marks(), 0);
}

TEST(PassSizing, AJobOfOtherNumbersMeasuresNothingEither) {
    // The more points the worse.
    const auto seconds = [](std::int64_t points, std::int64_t samples) {
        return 1e-3 + 1e-6 * static_cast<double>(points * points * samples);
    };
    const TemporaryDirectory folder;
    const nlohmann::json first = Start(folder.path(), seconds).plan();
    for (const auto& [grid, chunk] : {std::pair{kGrid / 2, kChunk}, std::pair{kGrid, kChunk - 7}}) {
        const auto plan_of_start = [&] {
            const Start other(folder.path(), launches);
            other.runner->request().total_points = grid;
            other.runner->request().chunk_samples = chunk;
            const nlohmann::json plan = other.plan();
            EXPECT_EQ(other.marks(), 0);
            return plan;
        };
        const nlohmann::json plan = plan_of_start();
        EXPECT_EQ(plan.at("size").at("by"), "measuring in other jobs");
        EXPECT_EQ(plan.at("size").at("tried").size(), first.at("size").at("tried").size());
        EXPECT_LE(plan.at("points").get<std::int64_t>(), 2 * first.at("points").get<std::int64_t>());
        EXPECT_EQ(plan_of_start(), plan) << "it is kept";
    }
    // Another network.
    const Start unlike(folder.path(), launches, {}, 1, test::small_net());
    unlike.runner->request().total_points = kGrid / 2;
    EXPECT_NE(unlike.plan().at("size").at("by"), "measuring in other jobs");
}

TEST(PassSizing, WhatCannotBeRunIsLeftOut) {
    const TemporaryDirectory folder;
    const nlohmann::json free = Start(folder / "a", launches).plan();
    HostDeviceOptions options;
    // Less than the samples, inputs and results of the widest passes.
    options.most_bytes_at_once = 40000;
    const Start tight(folder / "b", launches, options);
    const nlohmann::json plan = tight.plan();
    EXPECT_EQ(plan.at("size").at("by"), "measuring");
    EXPECT_LT(plan.at("size").at("tried").size(), free.at("size").at("tried").size());
    EXPECT_LT(plan.at("points").get<std::int64_t>() * plan.at("tile_samples").get<std::int64_t>(),
              free.at("points").get<std::int64_t>() * free.at("tile_samples").get<std::int64_t>());
    EXPECT_LT(tight.runner->error(*tight.runner->compile(), {0.5, 0.25}), 2e-5);
}

TEST(PassSizing, WhatWasRecordedWins) {
    const TemporaryDirectory folder;
    const std::string recorded = Start({}, launches).runner->compile()->plan_json();
    const Start measured(folder.path(), launches);
    EXPECT_NE(measured.runner->compile()->plan_json(), recorded);
    const Start resumed(folder.path(), launches);
    resumed.runner->request().recorded_plan = recorded;
    EXPECT_EQ(resumed.runner->compile()->plan_json(), recorded);
    // And the other way round, where nothing would be measured.
    const Start elsewhere({}, launches);
    elsewhere.runner->request().recorded_plan = measured.runner->compile()->plan_json();
    EXPECT_EQ(elsewhere.runner->compile()->plan_json(), measured.runner->compile()->plan_json());
    EXPECT_EQ(elsewhere.marks(), 0);
}

TEST(PassSizing, SmallJobsAndFixedSizesAreNotMeasured) {
    const TemporaryDirectory folder;
    const auto size_of = [&](const std::function<void(ExecutableRequest&)>& change) {
        const Start start(folder.path(), launches);
        change(start.runner->request());
        const nlohmann::json plan = start.plan();
        EXPECT_EQ(start.marks(), 0);
        return plan.at("size").dump();
    };
    EXPECT_THAT(size_of([](ExecutableRequest& request) { request.total_samples = kChunk; }), HasSubstr("job is small"));
    EXPECT_THAT(size_of([](ExecutableRequest& request) { request.total_samples = 0; }), HasSubstr("not known"));
    EXPECT_THAT(size_of([](ExecutableRequest& request) { request.traceable = true; }), HasSubstr("traced"));
    EXPECT_EQ(size_of([](ExecutableRequest& request) { request.tile_points = request.tile_samples = 4; }),
              R"({"by":"request"})");
}

TEST(PassSizing, AGivenSideStays) {
    const TemporaryDirectory folder;
    const Start start(folder.path(), launches);
    start.runner->request().tile_samples = 8;
    const nlohmann::json plan = start.plan();
    EXPECT_EQ(plan.at("size").at("by"), "measuring");
    for (const auto& one : plan.at("size").at("tried"))
        EXPECT_EQ(one.at("samples"), 8);
    EXPECT_EQ(plan.at("points"), kGrid);
}

TEST(PassSizing, SeveralDevicesShareOneChoice) {
    const TemporaryDirectory folder;
    const Start start(folder.path(), launches, {}, 2);
    const std::string plan = start.runner->compile()->plan_json();
    EXPECT_GT(start.marks(0), 0);
    EXPECT_EQ(start.marks(1), 0);
    EXPECT_EQ(Start(folder.path(), launches).runner->compile()->plan_json(), plan);
}

TEST(PassSizing, WhetherARunIsPossibleIsAnsweredWithoutMeasuring) {
    const TemporaryDirectory folder;
    const Start start(folder.path(), launches);
    ExecutableRequest request = start.runner->request();
    request.graph = &start.runner->net().graph();
    request.space = &start.runner->net().space();
    request.origin = &start.runner->net().origin();
    const auto device = std::make_shared<HostDevice>();
    cuda::PlanOptions plans;
    plans.folder = folder.path();
    EXPECT_EQ(cuda::make_cuda_backend({device}, plans)->why_not(request), "");
    EXPECT_EQ(device->counts().timed_marks, 0);
    EXPECT_EQ(device->counts().launches, 0);
}

TEST(PassSizing, AReducedPrecisionWithStatisticsIsMeasuredAndResumed) {
    const TemporaryDirectory folder;
    const auto prepared = [&](Start& start) {
        ExecutableRequest& request = start.runner->request();
        request.precision = Precision::fp16;
        request.statistics_batches = {4};
        request.total_points = 4;
        request.chunk_samples = 8;
        auto executable = start.runner->compile();
        static_cast<void>(executable->precision_error(test::grid(), start.runner->chunk()));
        return executable->plan_json();
    };
    Start first(folder.path(), launches, {}, 1, test::small_net());
    const std::string recorded = prepared(first);
    const auto plan = nlohmann::json::parse(recorded);
    EXPECT_EQ(plan.at("size").at("by"), "measuring");
    EXPECT_EQ(plan.at("rescue").at("size").at("because"), "what overflows is little");
    EXPECT_EQ(plan.at("statistics").size(), 1u);
    Start resumed({}, launches, {}, 1, test::small_net());
    resumed.runner->request().recorded_plan = recorded;
    EXPECT_EQ(prepared(resumed), recorded);
    EXPECT_EQ(resumed.marks(), 0);
}

TEST(PassSizing, PointsTogetherDoNotChangeBits) {
    std::vector<LossSums> expected;
    for (const int points : {1, 3, 12, 48}) {
        const Start start({}, launches);
        start.runner->request().tile_points = points;
        start.runner->request().tile_samples = 8;
        const std::vector<LossSums> sums = start.runner->sums(*start.runner->compile(), test::grid());
        if (expected.empty()) expected = sums;
        EXPECT_EQ(sums, expected) << points;
    }
    // Sums over tiles are added in another order for another number of samples.
    for (const int samples : {1, 5, 40}) {
        const Start start({}, launches);
        start.runner->request().tile_samples = samples;
        const std::vector<LossSums> sums = start.runner->sums(*start.runner->compile(), test::grid());
        for (std::size_t k = 0; k < sums.size(); ++k)
            EXPECT_NEAR(sums[k].loss_sum, expected[k].loss_sum, 1e-12 * std::abs(expected[k].loss_sum));
    }
}

}  // namespace
}  // namespace lossmap
