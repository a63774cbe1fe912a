// Suites, result files, histories and comparisons of benchmarks; what they measure is looked at by test_cli_bench.py.
#include <cmath>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/bench/bench_case.hpp"
#include "cli/bench/bench_comparison.hpp"
#include "cli/bench/bench_history.hpp"
#include "cli/bench/bench_record.hpp"
#include "cli/bench/median.hpp"
#include "core/error.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::message_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Json = nlohmann::ordered_json;

std::vector<std::string> names_of(const std::vector<BenchCase>& cases) {
    std::vector<std::string> names;
    for (const BenchCase& bench : cases)
        names.push_back(bench.name());
    return names;
}

std::vector<BenchCase> suite(const test::TemporaryDirectory& folder, const std::string& text) {
    test::write_file(folder / "suite.json", text);
    BenchCase defaults;
    defaults.points = 3;
    defaults.samples = 7;
    return load_suite(folder / "suite.json", defaults);
}

TEST(BenchSuite, ListsAreCombinedAndTheCommandLineFillsIn) {
    const test::TemporaryDirectory folder;
    const auto cases = suite(folder, R"({"benchmarks": [
        {"model": "nets/a.onnx"},
        {"model": "b.onnx", "name": "other", "points": [1, 2], "samples": 9, "precision": ["fp16", "fp32"],
         "loss": "mse"}]})");
    EXPECT_THAT(names_of(cases), ElementsAre("a/points:3/samples:7/fp32", "other/points:1/samples:9/fp16",
                                             "other/points:2/samples:9/fp16", "other/points:1/samples:9/fp32",
                                             "other/points:2/samples:9/fp32"));
    EXPECT_EQ(cases[0].model, folder.path() / "nets" / "a.onnx");
    EXPECT_EQ(cases[0].loss.kind, LossKind::cross_entropy);
    EXPECT_EQ(cases[1].loss.kind, LossKind::mse);
}

TEST(BenchSuite, SaysWhatIsWrongAndWhere) {
    const test::TemporaryDirectory folder;
    const auto message = [&](const std::string& text) {
        return message_of([&] { static_cast<void>(suite(folder, text)); });
    };
    EXPECT_THAT(message(R"({"benchmark": []})"), HasSubstr("suite.json: /benchmark: unknown key"));
    EXPECT_THAT(message(R"({"benchmarks": []})"), HasSubstr("/benchmarks: expected a list of benchmarks"));
    EXPECT_THAT(message(R"({"benchmarks": [{}]})"), HasSubstr("/benchmarks/0/model"));
    EXPECT_THAT(message(R"({"benchmarks": [{"model": "a.onnx", "points": [1, 0]}]})"),
                HasSubstr("/benchmarks/0/points/1: expected an integer"));
    EXPECT_THAT(message(R"({"benchmarks": [{"model": "a.onnx", "points": []}]})"), HasSubstr("/benchmarks/0/points"));
    EXPECT_THAT(message(R"({"benchmarks": [{"model": "a.onnx", "precision": "fp8"}]})"),
                HasSubstr("/benchmarks/0/precision"));
}

TEST(BenchSuite, TwoOfOneNameAreRefused) {
    const test::TemporaryDirectory folder;
    auto cases = suite(folder, R"({"benchmarks": [{"model": "a/net.onnx"}, {"model": "b/net.onnx"}]})");
    EXPECT_THAT(message_of([&] { require_different_names(cases); }), HasSubstr("'net/points:3/samples:7/fp32'"));
    cases[1].title = "b";
    require_different_names(cases);
}

BenchResult result(const std::string& name, const std::vector<double>& seconds, double at_hand = 4e9) {
    BenchResult made;
    made.name = name;
    made.evaluations = 50;
    made.flops_per_evaluation = 1e6;
    made.peak_bytes = 1234;
    made.ceiling = "a probe";
    for (const double each : seconds)
        made.repetitions.push_back({10, each, 2.0 * each, 5e9, at_hand});
    return made;
}

const BenchMachine kMachine{"cpu", "a chip", {"oneDNN 3"}, 2};

TEST(BenchRecord, HasTheLayoutOfGoogleBenchmark) {
    const Json document =
        bench_json({result("net/points:1/samples:2/fp32", {1.0, 2.0, 4.0}), result("b", {1.0})}, kMachine);
    const Json& entries = document.at("benchmarks");
    ASSERT_EQ(entries.size(), 3U + 4U + 1U);
    const Json& first = entries[0];
    EXPECT_EQ(first.at("run_name"), "net/points:1/samples:2/fp32");
    EXPECT_EQ(first.at("run_type"), "iteration");
    EXPECT_EQ(first.at("repetitions"), 3);
    EXPECT_EQ(entries[2].at("repetition_index"), 2);
    EXPECT_EQ(first.at("iterations"), 10);
    EXPECT_EQ(first.at("time_unit"), "ms");
    EXPECT_DOUBLE_EQ(first.at("real_time"), 100.0);
    EXPECT_DOUBLE_EQ(first.at("cpu_time"), 200.0);
    EXPECT_DOUBLE_EQ(first.at("items_per_second"), 500.0);
    EXPECT_DOUBLE_EQ(first.at("flops_per_second"), 5e8);
    EXPECT_DOUBLE_EQ(first.at("percent_of_ceiling"), 10.0);
    EXPECT_DOUBLE_EQ(first.at("peak_bytes"), 1234.0);
    const Json& middle = entries[4];
    EXPECT_EQ(middle.at("name"), "net/points:1/samples:2/fp32_median");
    EXPECT_EQ(middle.at("run_name"), "net/points:1/samples:2/fp32");
    EXPECT_EQ(middle.at("run_type"), "aggregate");
    EXPECT_EQ(middle.at("aggregate_name"), "median");
    EXPECT_DOUBLE_EQ(middle.at("items_per_second"), 250.0);
    EXPECT_NEAR(entries[5].at("real_time").get<double>(), 100.0 * std::sqrt(7.0 / 3.0), 1e-9);  // of 100, 200, 400
    const Json& context = document.at("context");
    EXPECT_EQ(context.at("device"), "a chip");
    EXPECT_DOUBLE_EQ(context.at("ceilings").at("a probe"), 5e9);
    EXPECT_TRUE(context.contains("date") && context.contains("host_name") && context.contains("num_cpus"));
}

TEST(BenchRecord, WithoutACeilingThereIsNoShareOfIt) {
    BenchResult plain = result("a", {1.0});
    plain.ceiling.clear();
    plain.repetitions[0].ceiling_flops_per_second = plain.repetitions[0].at_hand_flops_per_second = 0.0;
    const Json document = bench_json({plain}, kMachine);
    EXPECT_FALSE(document.at("benchmarks")[0].contains("percent_of_ceiling"));
    EXPECT_THAT(record_of(document, "x").series.front().at_hand, IsEmpty());
}

TEST(BenchRecord, TakesRatesOutOfItsOwnAndOfOthersFiles) {
    const BenchRecord own = record_of(bench_json({result("a", {1.0, 2.0}), result("b", {1.0})}, kMachine), "own");
    ASSERT_EQ(own.series.size(), 2U);
    EXPECT_THAT(own.series[0].rates, ElementsAre(500.0, 250.0));
    EXPECT_THAT(own.series[0].at_hand, ElementsAre(4e9, 4e9));
    EXPECT_EQ(own.context.at("libraries"), R"(["oneDNN 3"])");
    const BenchRecord other = record_of(
        Json::parse(R"({"benchmarks": [{"name": "x", "items_per_second": 3}, {"name": "y", "real_time": 1}]})"), "o");
    ASSERT_EQ(other.series.size(), 1U);
    EXPECT_THAT(other.series[0].rates, ElementsAre(3.0));
    EXPECT_THAT(message_of([] { static_cast<void>(record_of(Json::parse("[1]"), "f.json")); }),
                HasSubstr("f.json: is no benchmark result"));
    EXPECT_THAT(
        message_of([] { static_cast<void>(record_of(Json::parse(R"({"benchmarks": [{"name": "x"}]})"), "f")); }),
        HasSubstr("'items_per_second'"));
}

BenchRecord record(const std::vector<double>& rates, const std::vector<double>& at_hand = {}) {
    BenchRecord made;
    made.source = "somewhere";
    made.series.push_back({"net", rates, at_hand});
    return made;
}

BenchPair pair_of(const BenchRecord& base, const BenchRecord& changed, double threshold = 0.05) {
    return compare_records(base, changed, threshold).pairs.at(0);
}

TEST(BenchComparison, FindsWhatIsSlowerBeyondThresholdAndNoise) {
    const BenchRecord base = record({100, 101, 99, 100, 102, 98});
    const BenchPair same = pair_of(base, base);
    EXPECT_DOUBLE_EQ(same.ratio, 1.0);
    EXPECT_FALSE(same.slower);
    ASSERT_TRUE(same.interval.has_value());
    EXPECT_LE(same.interval->low, 1.0);
    EXPECT_GE(same.interval->high, 1.0);
    // A tenth less: more than 5 %, less than 15 %.
    const BenchRecord tenth = record({90, 91, 89, 90, 92, 88});
    EXPECT_TRUE(pair_of(base, tenth).slower);
    EXPECT_NEAR(pair_of(base, tenth).ratio, 0.9, 1e-12);
    EXPECT_LT(pair_of(base, tenth).interval->high, 1.0);
    EXPECT_FALSE(pair_of(base, tenth, 0.15).slower);
    EXPECT_FALSE(pair_of(tenth, base).slower);  // faster
    // The same medians, but rates that are all over the place.
    EXPECT_FALSE(pair_of(record({100, 60, 140, 80, 120, 100}), record({90, 130, 50, 70, 110, 90})).slower);
}

TEST(BenchComparison, ABusyMachineIsAllowedFor) {
    const std::vector<double> idle(5, 8e9), busy(5, 4e9);
    const BenchRecord before = record({100, 101, 99, 100, 102}, idle);
    const BenchRecord now = record({50, 51, 49, 50, 51}, busy);
    EXPECT_NEAR(pair_of(before, now).ratio, 1.0, 1e-12);
    EXPECT_FALSE(pair_of(before, now).slower);
    EXPECT_DOUBLE_EQ(pair_of(before, now).new_rate, 50.0);  // as measured
    // Known of one of them alone: nothing is allowed for, and a warning says so.
    const BenchComparison unknown = compare_records(before, record({50, 51, 49, 50, 51}), 0.05);
    EXPECT_TRUE(unknown.has_slower());
    EXPECT_THAT(unknown.warnings, ElementsAre(HasSubstr("how busy it was is not allowed for")));
}

TEST(BenchComparison, OfFewRepetitionsEveryPairCounts) {
    const BenchPair pair = pair_of(record({100, 110}), record({90, 105, 95}));
    ASSERT_TRUE(pair.interval.has_value());
    EXPECT_DOUBLE_EQ(pair.interval->low, 90.0 / 110.0);
    EXPECT_DOUBLE_EQ(pair.interval->high, 105.0 / 100.0);
    EXPECT_FALSE(pair.slower);
    const BenchPair alone = pair_of(record({100}), record({90, 91, 92, 93, 94}));
    EXPECT_FALSE(alone.interval.has_value());
    EXPECT_TRUE(alone.slower);
    EXPECT_FALSE(pair_of(record({100}), record({96})).slower);
}

TEST(BenchComparison, TellsOfOtherMachinesAndOfWhatIsMissing) {
    BenchRecord base = record({100}, {1e9}), changed = record({100}, {1e9});
    base.source = "base.json";
    changed.source = "new.json";
    base.context = {{"device", "old chip"}, {"date", "1"}, {"threads", "2"}, {"lossmap_version", "1"}};
    changed.context = {{"device", "new chip"}, {"date", "2"}, {"threads", "2"}, {"lossmap_version", "2"}};
    changed.series.push_back({"more", {1.0}, {1e9}});
    const BenchComparison comparison = compare_records(base, changed, 0.05);
    EXPECT_THAT(comparison.warnings,
                ElementsAre("context differs: device is old chip in base.json, new chip in new.json",
                            "more is in new.json alone", HasSubstr("one repetition alone")));
    changed.series.erase(changed.series.begin());
    EXPECT_THAT(message_of([&] { static_cast<void>(compare_records(base, changed, 0.05)); }),
                HasSubstr("no benchmark in common"));
    std::ostringstream text;
    comparison.print(text);
    EXPECT_THAT(text.str(), HasSubstr("unknown"));
}

TEST(BenchHistory, GivesBackTheLastOfALabel) {
    const test::TemporaryDirectory folder;
    const auto file = folder / "history.sqlite";
    BenchRecord first = record({1.5, 2.5}, {1e9, 2e9});
    first.context = {{"date", "2026-01-01"}, {"device", "a \"chip\""}};
    first.series.push_back({"another", {7.0}, {}});
    add_to_history(file, "main", record({9.0}));
    add_to_history(file, "main", first);
    add_to_history(file, "mine", record({3.0}));
    const BenchRecord back = load_from_history(file, "main");
    ASSERT_EQ(back.series.size(), 2U);
    EXPECT_EQ(back.context, first.context);
    for (std::size_t k = 0; k < 2; ++k) {
        EXPECT_EQ(back.series[k].name, first.series[k].name);
        EXPECT_EQ(back.series[k].rates, first.series[k].rates);
        EXPECT_EQ(back.series[k].at_hand, first.series[k].at_hand);
    }
    EXPECT_THAT(message_of([&] { static_cast<void>(load_from_history(file, "theirs")); }),
                HasSubstr("nothing under the label 'theirs'; the last ones are mine, main"));
}

TEST(BenchHistory, RefusesOtherFiles) {
    const test::TemporaryDirectory folder;
    const auto message = [](const std::filesystem::path& file) {
        return message_of([&] { add_to_history(file, "a", record({1.0})); });
    };
    test::write_file(folder / "text", std::string(2000, 'x'));
    EXPECT_THAT(message(folder / "text"), HasSubstr("is not a history of benchmarks (no SQLite database)"));
    EXPECT_EQ(test::read_file(folder / "text"), std::string(2000, 'x'));
    EXPECT_THAT(message(folder / "no folder" / "h"), HasSubstr("cannot open the history of benchmarks"));
    EXPECT_THAT(message_of([&] { static_cast<void>(load_from_history(folder / "none", "a")); }),
                HasSubstr("there is no history of benchmarks"));
    EXPECT_FALSE(std::filesystem::exists(folder / "none"));
}

TEST(BenchMedian, IsTheMiddleOrTheMeanOfBothMiddles) {
    EXPECT_DOUBLE_EQ(median({3.0, 1.0, 2.0}), 2.0);
    EXPECT_DOUBLE_EQ(median({4.0, 1.0, 2.0, 3.0}), 2.5);
}

}  // namespace
}  // namespace lossmap
