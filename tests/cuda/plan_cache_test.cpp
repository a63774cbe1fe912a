// Plans of whole networks on an emulated device whose libraries have several ways: measured, kept, recorded, shared.
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cuda/backend/cuda_backend.hpp"
#include "cuda/backend/pass_choice.hpp"
#include "cuda/backend/plans/problem_text.hpp"
#include "tests/support/host_device.hpp"
#include "tests/support/network_runner.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::HostDevice;
using test::HostDeviceOptions;
using test::HostWay;
using test::NetworkRunner;
using test::TemporaryDirectory;
using ::testing::HasSubstr;
using ::testing::Not;

HostWay way(const std::string& name, double seconds) {
    HostWay result;
    result.name = name;
    result.family = name;
    result.seconds = seconds;
    result.proven = false;
    return result;
}

HostDeviceOptions two_ways() {
    HostDeviceOptions options;
    options.ways = {way("slow", 2e-3), way("fast", 1e-3)};
    options.pass_bytes = std::int64_t{1} << 20;
    // No time passes for it on the emulated clock: it would win.
    options.tiles_convolutions = false;
    return options;
}

/// A start of the program: devices, a backend, a network.
struct Start {
    explicit Start(const HostDeviceOptions& options, const std::filesystem::path& folder, std::size_t count = 1) {
        for (std::size_t k = 0; k < count; ++k)
            devices.push_back(std::make_shared<HostDevice>(options));
        cuda::PlanOptions plans;
        plans.folder = folder;
        plans.notice = [this](const std::string& sentence) { notices.push_back(sentence); };
        runner = std::make_unique<NetworkRunner>(
            test::small_net(), 5, 5,
            std::shared_ptr<Backend>(cuda::make_cuda_backend({devices.begin(), devices.end()}, plans)));
        runner->request().tile_samples = 4;
    }
    [[nodiscard]] const test::HostDeviceCounts& counts(std::size_t device = 0) const {
        return devices[device]->counts();
    }

    std::vector<std::shared_ptr<HostDevice>> devices;
    std::vector<std::string> notices;
    std::unique_ptr<NetworkRunner> runner;
};

std::string ways_of(const std::string& plan) { return nlohmann::json::parse(plan).at("ways").dump(); }

TEST(PlanCache, TheSecondStartMeasuresAndCompilesNothing) {
    const TemporaryDirectory folder;
    Start first(two_ways(), folder.path());
    const auto executable = first.runner->compile();
    EXPECT_GT(first.counts().timed_marks, 0);
    EXPECT_THAT(ways_of(executable->plan_json()), HasSubstr("\"fast\""));
    EXPECT_THAT(ways_of(executable->plan_json()), Not(HasSubstr("slow")));
    Start second(two_ways(), folder.path());
    const auto again = second.runner->compile();
    EXPECT_EQ(second.counts().timed_marks, 0);
    EXPECT_GT(second.counts().rebuilds, 0);
    EXPECT_EQ(again->plan_json(), executable->plan_json());
    EXPECT_EQ(second.runner->sums(*again, test::grid()), first.runner->sums(*executable, test::grid()));
    HostDeviceOptions other = two_ways();
    other.driver = "2.0";
    Start updated(other, folder.path());
    static_cast<void>(updated.runner->compile());
    EXPECT_GT(updated.counts().timed_marks, 0);
}

TEST(PlanCache, WithoutAFolderNothingIsMeasured) {
    Start start(two_ways(), {});
    EXPECT_THAT(ways_of(start.runner->compile()->plan_json()), Not(HasSubstr("fast")));
    EXPECT_EQ(start.counts().timed_marks, 0);
}

TEST(PlanCache, WhatWasRecordedIsTakenOver) {
    HostDeviceOptions small = two_ways();
    small.most_points = 2;
    Start first(small, {});
    const std::string recorded = first.runner->compile()->plan_json();
    // Elsewhere, with a cache that says something else, and with room for more points.
    const TemporaryDirectory folder;
    static_cast<void>(Start(two_ways(), folder.path()).runner->compile());
    Start resumed(two_ways(), folder.path());
    resumed.runner->request().recorded_plan = recorded;
    resumed.runner->request().tile_samples = 0;
    const auto executable = resumed.runner->compile();
    EXPECT_EQ(executable->plan_json(), recorded);
    EXPECT_EQ(executable->points_per_pass(), 2);
    EXPECT_EQ(resumed.counts().timed_marks, 0);
    // What is no plan of such a device is not taken over.
    for (const std::string& other : std::vector<std::string>{
             "", "{", "[]", R"({"backend": "cpu"})", R"({"backend": "cuda", "precision": 7})",
             nlohmann::json{{"backend", "cuda"}, {"precision", "fp32"}, {"architecture", "sm_90"}}.dump()}) {
        Start fresh(two_ways(), {});
        fresh.runner->request().recorded_plan = other;
        EXPECT_EQ(fresh.runner->compile()->points_per_pass(), 4) << other;
    }
}

TEST(PlanCache, ARecordedPassThatDoesNotFitIsChosenAnew) {
    Start first(two_ways(), {});
    auto recorded = nlohmann::ordered_json::parse(first.runner->compile()->plan_json());
    recorded["points"] = 1 << 20;
    Start resumed(two_ways(), {});
    resumed.runner->request().recorded_plan = recorded.dump();
    EXPECT_EQ(resumed.runner->compile()->points_per_pass(), 4);
}

TEST(PlanCache, TheRescueIsRecordedAndTakenOver) {
    const auto prepare = [](Start& start) {
        start.runner->request().precision = Precision::fp16;
        auto executable = start.runner->compile();
        static_cast<void>(executable->precision_error(test::grid(), start.runner->chunk()));
        return executable->plan_json();
    };
    const TemporaryDirectory folder;
    Start first(two_ways(), folder.path());
    const std::string recorded = prepare(first);
    EXPECT_THAT(nlohmann::json::parse(recorded).at("ways").dump(), HasSubstr("\"fast\""));
    EXPECT_THAT(nlohmann::json::parse(recorded).at("rescue").at("ways").dump(), Not(HasSubstr("\"fast\"")))
        << "what overflows is little: its ways are not measured";
    Start resumed(two_ways(), {});
    resumed.runner->request().recorded_plan = recorded;
    EXPECT_EQ(prepare(resumed), recorded);
}

TEST(PlanCache, SeveralDevicesShareOneChoice) {
    const TemporaryDirectory folder;
    Start start(two_ways(), folder.path(), 2);
    const auto executable = start.runner->compile();
    EXPECT_GT(start.counts(0).timed_marks, 0);
    EXPECT_EQ(start.counts(1).timed_marks, 0);
    Start alone(two_ways(), folder.path());
    EXPECT_EQ(executable->plan_json(), alone.runner->compile()->plan_json());
}

TEST(PlanCache, AWayThatJoinsLessIsWeighedWithWhatItLeaves) {
    // Joined and not: what is left runs as a kernel of ours, which takes no time on this clock.
    HostDeviceOptions options = two_ways();
    options.ways[1].joins = false;
    const TemporaryDirectory folder;
    Start start(options, folder.path());
    const auto executable = start.runner->compile();
    EXPECT_THAT(executable->plan_json(), HasSubstr("kernel epilogue"));
    EXPECT_LT(start.runner->error(*executable, {0.5, 0.25}), 2e-5);
    EXPECT_GT(start.counts().by_name.at("epilogue"), 0);
}

TEST(PlanCache, AnUnsteadyWayIsNeverTaken) {
    HostDeviceOptions options = two_ways();
    options.ways[1].unsteady = true;
    const TemporaryDirectory folder;
    Start start(options, folder.path());
    EXPECT_THAT(ways_of(start.runner->compile()->plan_json()), Not(HasSubstr("fast")));
}

TEST(PlanCache, LongRunsAreRepeatedLess) {
    const auto marks_with = [](double seconds) {
        HostDeviceOptions options = two_ways();
        options.ways = {way("first", seconds), way("second", seconds)};
        const TemporaryDirectory folder;
        Start start(options, folder.path());
        static_cast<void>(start.runner->compile());
        return start.counts().timed_marks;
    };
    EXPECT_EQ(marks_with(1e-3), 3 * marks_with(1.0));
    // Two rounds of 5 runs are enough.
    EXPECT_EQ(2 * marks_with(1e-3), 3 * marks_with(0.015));
}

TEST(PlanCache, EstimatesAskOnceForAProduct) {
    test::ReferenceNet net({4}, 3);
    auto x = net.gemm(net.input(), 4, true);
    for (int layer = 0; layer < 5; ++layer)
        x = net.relu(net.gemm(x, 4, true));
    net.output(net.gemm(x, 5, true));
    const auto device = std::make_shared<HostDevice>();
    const std::shared_ptr<Backend> backend = cuda::make_cuda_backend({device});
    NetworkRunner runner(std::move(net), 5, 5, backend);
    ExecutableRequest request = runner.request();
    request.passes.dense_chains = false;
    request.graph = &runner.net().graph();
    request.space = &runner.net().space();
    request.origin = &runner.net().origin();
    EXPECT_EQ(backend->why_not(request), "");
    const std::int64_t builds = device->counts().builds;
    EXPECT_GT(builds, 0);
    EXPECT_LE(builds, 4) << "seven products, of which most are alike";
    EXPECT_EQ(backend->why_not(request), "");
    EXPECT_EQ(device->counts().builds, builds);
}

TEST(PlanCache, AnEstimateKnowsEveryProblemOfTheProgram) {
    // What plans are made side by side for; one that it did not know would be made alone, later.
    Start start(two_ways(), {});
    const auto chooser = std::make_shared<cuda::WayChooser>(
        nullptr, [](const std::string&) {}, 1U);
    cuda::Planner planner(start.devices[0], chooser);
    for (const Precision precision : {Precision::fp32, Precision::fp16}) {
        ExecutableRequest request = start.runner->request();
        request.graph = &start.runner->net().graph();
        request.space = &start.runner->net().space();
        request.origin = &start.runner->net().origin();
        const auto texts = [&](bool estimate) {
            const auto program = cuda::build_chosen(request, planner, {2, 2, precision, estimate});
            std::vector<std::string> result;
            for (const auto& problem : program->parts.convolutions)
                result.push_back(cuda::text_of(problem));
            for (const auto& problem : program->parts.products)
                result.push_back(cuda::text_of(problem));
            return result;
        };
        EXPECT_EQ(texts(true), texts(false));
        EXPECT_EQ(texts(true).size(), 3U);
    }
}

}  // namespace
}  // namespace lossmap
