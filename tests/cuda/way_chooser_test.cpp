// Which way is taken, when ways are measured, and what wins over measuring: a library and a clock made of numbers.
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "cuda/backend/plans/way_chooser.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap::cuda {
namespace {

using test::TemporaryDirectory;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FakePlan final : public LibraryPlan {
public:
    explicit FakePlan(std::string name) : name_(std::move(name)) {}
    [[nodiscard]] JoinedWork joined() const override { return {}; }
    [[nodiscard]] std::size_t workspace_bytes() const override { return 0; }
    [[nodiscard]] std::string implementation() const override { return name_; }
    [[nodiscard]] std::vector<std::byte> serialized() const override {
        const auto bytes = std::as_bytes(std::span(name_));
        return {bytes.begin(), bytes.end()};
    }

private:
    std::string name_;
};

struct FakeWay {
    std::string name;
    double seconds = 1.0;
    std::string family = "family of " + name;
    JoinedWork joined{};
    bool builds = true;
    bool runs = true;
    Verdict verdict = Verdict::sound;
};

/// A problem of a library that has the ways given.
class FakeProblem final : public TriedProblem {
public:
    explicit FakeProblem(std::vector<FakeWay> ways, std::string text = "problem")
        : ways_(std::move(ways)), text_(std::move(text)) {}

    [[nodiscard]] std::string text() const override { return text_; }
    [[nodiscard]] std::vector<LibraryWay> offers(std::string& why_none) override {
        std::vector<LibraryWay> result;
        for (const FakeWay& way : ways_)
            result.push_back({way.name, way.family, way.joined, false});
        if (result.empty()) why_none = "no engine";
        return result;
    }
    [[nodiscard]] std::shared_ptr<LibraryPlan> build(const LibraryWay& way,
                                                     std::span<const std::byte> serialized) override {
        if (on_build) on_build();
        if (!find(way.name).builds) throw Error("does not compile");
        (serialized.empty() ? builds : rebuilds) += 1;
        return std::make_shared<FakePlan>(way.name);
    }
    [[nodiscard]] Verdict verdict_on(const LibraryPlan& plan) override {
        tried.push_back(plan.implementation());
        if (!find(plan.implementation()).runs) throw Error("fails when it runs");
        return find(plan.implementation()).verdict;
    }
    [[nodiscard]] double seconds_of(const LibraryPlan& plan) override {
        measured.push_back(plan.implementation());
        if (on_measure) on_measure();
        return find(plan.implementation()).seconds;
    }
    void release() override { ++releases; }

    std::function<void()> on_build;
    std::function<void()> on_measure;
    std::atomic<int> builds{0};
    std::atomic<int> rebuilds{0};
    int releases = 0;
    std::vector<std::string> tried;
    std::vector<std::string> measured;

private:
    [[nodiscard]] const FakeWay& find(const std::string& name) const {
        for (const FakeWay& way : ways_) {
            if (way.name == name) return way;
        }
        throw Error("no way '{}'", name);
    }

    std::vector<FakeWay> ways_;
    std::string text_;
};

/// A process: its chooser starts with nothing but what the folder holds.
struct Process {
    explicit Process(const std::filesystem::path& folder, unsigned threads = 2)
        : chooser(folder.empty() ? nullptr : std::make_unique<PlanStore>(folder, notice()), notice(), threads) {}

    [[nodiscard]] Notice notice() {
        return [this](const std::string& sentence) { notices.push_back(sentence); };
    }
    ChosenWay choose(FakeProblem& problem, const RecordedWays& recorded = {}, const std::string& device = "H100") {
        TriedProblem* const one = &problem;
        return chooser.choose(std::span(&one, 1), device, recorded).front();
    }

    std::vector<std::string> notices;
    WayChooser chooser;
};

const std::vector<FakeWay> kWays{{"favourite", 3.0}, {"fast", 1.0}, {"middling", 2.0}};

TEST(WayChooser, MeasuresOnceAndThenTakesWhatIsKept) {
    const TemporaryDirectory folder;
    FakeProblem first(kWays);
    const ChosenWay chosen = Process(folder.path()).choose(first);
    EXPECT_EQ(chosen.way.name, "fast");
    EXPECT_THAT(first.measured, ElementsAre("favourite", "fast", "middling"));
    EXPECT_EQ(first.releases, 1);
    FakeProblem second(kWays);
    EXPECT_EQ(Process(folder.path()).choose(second).way.name, "fast");
    EXPECT_THAT(second.tried, IsEmpty());
    EXPECT_THAT(second.measured, IsEmpty());
    EXPECT_EQ(second.builds, 0) << "nothing is compiled";
    EXPECT_EQ(second.rebuilds, 1);
}

TEST(WayChooser, WithoutAStoreTheLibrarysFavouriteIsTaken) {
    FakeProblem problem(kWays);
    EXPECT_EQ(Process({}).choose(problem).way.name, "favourite");
    EXPECT_THAT(problem.tried, ElementsAre("favourite"));
    EXPECT_THAT(problem.measured, IsEmpty());
    EXPECT_EQ(problem.builds, 1);
}

TEST(WayChooser, AnotherDriverOrLibraryMeasuresAgain) {
    const TemporaryDirectory folder;
    FakeProblem first(kWays);
    static_cast<void>(Process(folder.path()).choose(first, {}, "H100, driver 1"));
    FakeProblem second({{"favourite", 1.0}, {"fast", 2.0}});
    EXPECT_EQ(Process(folder.path()).choose(second, {}, "H100, driver 2").way.name, "favourite");
    EXPECT_EQ(second.measured.size(), 2U);
    FakeProblem third(kWays);
    EXPECT_EQ(Process(folder.path()).choose(third, {}, "H100, driver 1").way.name, "fast") << "both are kept";
}

TEST(WayChooser, ATornFileIsMeasuredAgain) {
    const TemporaryDirectory folder;
    FakeProblem first(kWays);
    static_cast<void>(Process(folder.path()).choose(first));
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
        std::filesystem::resize_file(entry.path(), 60);
    FakeProblem second(kWays);
    Process process(folder.path());
    EXPECT_EQ(process.choose(second).way.name, "fast");
    EXPECT_EQ(second.measured.size(), 3U);
    EXPECT_THAT(process.notices, ElementsAre(HasSubstr("is not used and is made anew")));
    FakeProblem third(kWays);
    static_cast<void>(Process(folder.path()).choose(third));
    EXPECT_THAT(third.measured, IsEmpty());
}

TEST(WayChooser, WhatTheRunRecordedWins) {
    const TemporaryDirectory folder;
    FakeProblem first(kWays);
    static_cast<void>(Process(folder.path()).choose(first));
    FakeProblem resumed(kWays);
    Process process(folder.path());
    EXPECT_EQ(process.choose(resumed, {{"problem", "middling"}}).way.name, "middling");
    EXPECT_THAT(resumed.measured, IsEmpty());
    EXPECT_EQ(resumed.builds, 1) << "the kept plan is another one";
    FakeProblem other(kWays);
    EXPECT_EQ(Process(folder.path()).choose(other).way.name, "fast") << "the cache stays as it is";
    FakeProblem uncached(kWays);
    EXPECT_EQ(Process({}).choose(uncached, {{"problem", "fast"}}).way.name, "fast");
}

TEST(WayChooser, ARecordedWayThatIsGoneIsSaidAndReplaced) {
    const TemporaryDirectory folder;
    FakeProblem problem(kWays);
    Process process(folder.path());
    EXPECT_EQ(process.choose(problem, {{"problem", "of long ago"}}).way.name, "fast");
    EXPECT_THAT(process.notices, ElementsAre(HasSubstr("no way 'of long ago' any more")));
}

TEST(WayChooser, AnotherDeviceOfTheProcessTakesTheSameWay) {
    const TemporaryDirectory folder;
    Process process(folder.path());
    FakeProblem first(kWays);
    static_cast<void>(process.choose(first));
    // The second device would have measured otherwise.
    FakeProblem second({{"favourite", 1.0}, {"fast", 9.0}, {"middling", 2.0}});
    EXPECT_EQ(process.choose(second).way.name, "fast");
    EXPECT_THAT(second.measured, IsEmpty());
}

TEST(WayChooser, AnotherProcessThatWasFirstStands) {
    const TemporaryDirectory folder;
    FakeProblem mine(kWays);
    mine.on_measure = [&] {
        mine.on_measure = nullptr;
        FakeProblem theirs({{"middling", 1.0}, {"fast", 2.0}});
        static_cast<void>(Process(folder.path()).choose(theirs));
    };
    EXPECT_EQ(Process(folder.path()).choose(mine).way.name, "middling");
    EXPECT_EQ(mine.rebuilds, 1);
}

TEST(WayChooser, WaysThatFailOrAreNotSoundAreSkipped) {
    const TemporaryDirectory folder;
    std::vector<FakeWay> ways{{"broken", 1.0}, {"crashing", 1.0}, {"unsteady", 1.0}, {"sound", 5.0}};
    ways[0].builds = false;
    ways[1].runs = false;
    ways[2].verdict = Verdict::unsteady;
    FakeProblem measured(ways);
    EXPECT_EQ(Process(folder.path()).choose(measured).way.name, "sound");
    EXPECT_THAT(measured.measured, ElementsAre("sound"));
    ways.pop_back();
    FakeProblem none(ways);
    const ChosenWay chosen = Process({}).choose(none);
    EXPECT_EQ(chosen.plan, nullptr);
    EXPECT_THAT(chosen.why_none, HasSubstr("broken: does not compile"));
    EXPECT_THAT(chosen.why_none, HasSubstr("crashing: fails when it runs"));
    FakeProblem empty({});
    EXPECT_EQ(Process({}).choose(empty).why_none, "no engine");
}

TEST(WayChooser, AnActivationThatHidesNanIsNotTriedAgain) {
    FakeWay joined{"joined", 1.0};
    joined.joined = {true, false, true};
    joined.verdict = Verdict::hides_nan;
    Process process({});
    FakeProblem first({joined, {"alone", 2.0}});
    EXPECT_EQ(process.choose(first).way.name, "alone");
    EXPECT_THAT(first.tried, ElementsAre("joined", "alone"));
    FakeProblem second({joined, {"alone", 2.0}}, "another problem");
    EXPECT_EQ(process.choose(second).way.name, "alone");
    EXPECT_THAT(second.tried, ElementsAre("alone"));
    EXPECT_EQ(second.builds, 1);
}

TEST(WayChooser, NoiseDoesNotOverruleTheLibrary) {
    const TemporaryDirectory folder;
    FakeProblem problem({{"favourite", 1.0}, {"hardly faster", 0.98}});
    EXPECT_EQ(Process(folder.path()).choose(problem).way.name, "favourite");
}

TEST(WayChooser, MeasuresAFewOfEachFamilyAndJoinedWork) {
    const TemporaryDirectory folder;
    std::vector<FakeWay> ways;
    for (const char* name : {"a1", "a2", "a3", "b1", "b2", "b3", "c1"}) {
        ways.push_back({name, 1.0});
        ways.back().family = name[0];
    }
    ways.push_back({"a1 alone", 1.0});
    ways.back().family = "a";
    for (std::size_t k = 0; k < 7; ++k)
        ways[k].joined.bias = true;
    FakeProblem problem(ways);
    static_cast<void>(Process(folder.path()).choose(problem));
    EXPECT_THAT(problem.measured, ElementsAre("a1", "a2", "b1", "b2", "a1 alone"));
}

TEST(WayChooser, PlansAreBuiltSideBySide) {
    std::atomic<int> running{0};
    std::atomic<int> most{0};
    const auto meet = [&] {
        const int here = ++running;
        int seen = most;
        while (seen < here && !most.compare_exchange_weak(seen, here)) {
        }
        // Until somebody else is here, too; not for ever, so that builds in turn fail the test instead of hanging it.
        const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        while (most < 2 && std::chrono::steady_clock::now() < patience)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        --running;
    };
    std::vector<std::unique_ptr<FakeProblem>> problems;
    std::vector<TriedProblem*> pointers;
    for (int k = 0; k < 4; ++k) {
        problems.push_back(std::make_unique<FakeProblem>(kWays, "problem " + std::to_string(k)));
        problems.back()->on_build = meet;
        pointers.push_back(problems.back().get());
    }
    Process process({}, 4);
    const auto chosen = process.chooser.choose(pointers, "H100", {});
    EXPECT_EQ(chosen.size(), 4U);
    EXPECT_GE(most, 2);
    EXPECT_LE(most, 4);
}

}  // namespace
}  // namespace lossmap::cuda
