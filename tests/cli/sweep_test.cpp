#include "cli/config/sweep.hpp"

#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/config/load_config.hpp"
#include "cli/config/resolved_config.hpp"
#include "cli/run/sweep/origin_run.hpp"
#include "cli/run/sweep/sweep_table.hpp"
#include "core/error.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using Json = nlohmann::ordered_json;

Json base() {
    return Json::parse(R"({"name": "all", "experiment": "surface", "model": "a.onnx",
                           "data": {"format": "npz", "train": ["train.npz"], "test": ["test.npz"]},
                           "splits": ["train"], "directions": {"kind": "random", "seed": 1},
                           "x": {"min": -1, "max": 1, "points": 5}})");
}

Json with_sweep(const char* sweep) {
    Json json = base();
    json["sweep"] = Json::parse(sweep);
    return json;
}

Sweep load(const Json& json) {
    const test::TemporaryDirectory folder;
    test::write_file(folder / "config.json", json.dump());
    return load_sweep(folder / "config.json").value();
}

/// Message without the path of the file.
std::string message_of(const Json& json, const std::vector<std::string>& overrides = {}) {
    const test::TemporaryDirectory folder;
    const std::string file = (folder / "config.json").string();
    test::write_file(file, json.dump());
    try {
        static_cast<void>(load_sweep(file, overrides));
    } catch (const InputError& error) {
        std::string message = error.what();
        for (std::size_t at = message.find(file); at != std::string::npos; at = message.find(file))
            message.erase(at, file.size() + 2);
        return message;
    }
    return "no error";
}

constexpr const char* kTwoByThree = R"([{"pointer": "/model", "values": ["a.onnx", "b.onnx"], "labels": ["A / a", "B"]},
                                        {"pointer": "/directions/seed", "values": [3, 4, 5]}])";

TEST(Sweep, MakesEveryCombinationLastAxisFastest) {
    const Sweep sweep = load(with_sweep(kTwoByThree));
    EXPECT_EQ(sweep.name, "all");
    ASSERT_EQ(sweep.combinations.size(), 6U);
    std::set<std::string> folders;
    for (std::size_t k = 0; k < 6; ++k) {
        const Combination& one = sweep.combinations[k];
        EXPECT_EQ(one.config.models.front().path.filename(), k < 3 ? "a.onnx" : "b.onnx");
        EXPECT_EQ(std::get<RandomDirection>(one.config.directions.entries.front()).seed, 3 + k % 3);
        folders.insert(one.folder);
    }
    EXPECT_EQ(folders.size(), 6U);
    EXPECT_EQ(sweep.combinations[1].folder, "002-A_a-4");
    EXPECT_EQ(sweep.combinations[1].title, "A / a, 4");
    EXPECT_EQ(sweep.combinations[1].config.name, "A : a, 4");
    EXPECT_EQ(sweep.describe(5), "combination 6 of 6 (B, 5)");
}

TEST(Sweep, ACombinationIsTheFileWithItsValues) {
    const Sweep sweep = load(with_sweep(kTwoByThree));
    Json alone = base();
    alone["model"] = "b.onnx";
    alone["directions"]["seed"] = 4;
    alone["name"] = "B, 4";
    const test::TemporaryDirectory folder;
    test::write_file(folder / "config.json", alone.dump());
    const auto without_folders = [](Json json) {
        json.erase("data");
        json["model"] = std::filesystem::path(json["model"].get<std::string>()).filename();
        return json.dump();
    };
    EXPECT_EQ(without_folders(resolved_json(sweep.combinations[4].config)),
              without_folders(resolved_json(load_config(folder / "config.json"))));
}

TEST(Sweep, AFileWithoutOneHasNone) {
    const test::TemporaryDirectory folder;
    test::write_file(folder / "config.json", base().dump());
    EXPECT_FALSE(load_sweep(folder / "config.json"));
    test::write_file(folder / "config.json", with_sweep(kTwoByThree).dump());
    EXPECT_THROW(static_cast<void>(load_config(folder / "config.json")), InputError);
    EXPECT_EQ(load_sweep(folder / "config.json", {"/sweep/1/values=[8]"})->combinations.size(), 2U);
}

TEST(Sweep, MistakesNameTheirPlace) {
    const std::pair<const char*, const char*> cases[] = {
        {"[]", "/sweep: expected a list of objects with 'pointer' and 'values', got an empty array"},
        {"[{\"values\": [1]}]",
         "/sweep/0/pointer: is missing, expected a JSON pointer such as /model, or a list of them"},
        {"[{\"pointer\": \"model\", \"values\": [1]}]",
         "/sweep/0/pointer: expected a JSON pointer such as /model, or a list of them, got string \"model\""},
        {"[{\"pointer\": \"/model\"}]", "/sweep/0/values: is missing, expected a list of values"},
        {"[{\"pointer\": \"/model\", \"values\": []}]",
         "/sweep/0/values: expected a list of values, got an empty array"},
        {"[{\"pointer\": \"/model\", \"values\": [\"a\", \"b\"], \"labels\": [\"x\"]}]",
         "/sweep/0/labels: has 1 labels for 2 values"},
        {"[{\"pointer\": \"/model\", \"values\": [\"a\", \"b\"], \"labels\": [\"x\", \"x\"]}]",
         "/sweep/0/labels/1: the label 'x' stands there twice"},
        {"[{\"pointer\": \"/loss\", \"values\": [{\"kind\": \"mse\"}]}]",
         "/sweep/0/labels: is missing, expected a label a value, since the values are no plain texts or numbers"},
        {"[{\"pointer\": \"/model\", \"value\": [1]}]", "/sweep/0/value: unknown key, did you mean 'values'?"},
        {"[{\"pointer\": \"/name\", \"values\": [1]}]", "/sweep/0/pointer: runs of a sweep are named by their labels"},
        {"[{\"pointer\": \"/sweep/0\", \"values\": [1]}]", "/sweep/0/pointer: a sweep cannot change itself"},
        {R"([{"pointer": ["/model", "/loss"], "values": [["b.onnx", "mse"], ["b.onnx"]], "labels": ["b", "c"]}])",
         "/sweep/0/values/1: expected a list of 2, a value a pointer, got an array"},
        {R"([{"pointer": ["/model", "/name"], "values": [["b.onnx", "mse"]], "labels": ["b"]}])",
         "/sweep/0/pointer/1: runs of a sweep are named by their labels"},
        {R"([{"pointer": ["/x", "/x/points"], "values": [[1, 2]], "labels": ["b"]}])",
         "/sweep/0: '/x' and '/x/points' change the same place"},
        {R"([{"pointer": [], "values": [[1, 2]]}])",
         "/sweep/0/pointer: expected a JSON pointer such as /model, or a list of them, got an empty array"},
        {R"([{"pointer": ["/x/points"], "values": [[5]]}])",
         "/sweep/0/labels: is missing, expected a label a value, since the values are no plain texts or numbers"},
        {"[{\"pointer\": \"/x/points\", \"values\": [5]}, {\"pointer\": \"/x\", \"values\": [\"a\"]}]",
         "/sweep/1: '/x' and '/x/points' change the same place"},
        {"[{\"pointer\": \"/modle\", \"values\": [\"a.onnx\"], \"labels\": [\"A\"]}]",
         "combination 1 of 1 (A): /modle: unknown key, did you mean 'model'?"},
        {"[{\"pointer\": \"/directions/seed\", \"values\": [1, -2]}]",
         "combination 2 of 2 (-2): /directions/seed: expected an integer of at least 0, got number -2"},
        {"[{\"pointer\": \"/splits/3\", \"values\": [\"test\"]}]",
         "combination 1 of 1 (test): /sweep/0/pointer: /splits/3: '3' is no index into an array of 1"},
        {"[{\"pointer\": \"/model/a/b\", \"values\": [1]}]",
         "combination 1 of 1 (1): /sweep/0/pointer: /model/a/b: 'a' lies inside string \"a.onnx\", expected an object "
         "or "
         "an array"},
    };
    for (const auto& [sweep, expected] : cases)
        EXPECT_EQ(message_of(with_sweep(sweep)), expected) << sweep;
    Json many = base();
    many["sweep"] = Json::array();
    for (const char* pointer : {"/directions/seed", "/data/chunk"}) {
        Json values = Json::array();
        for (int k = 1; k <= 40; ++k)
            values.push_back(k);
        many["sweep"].push_back({{"pointer", pointer}, {"values", values}});
    }
    EXPECT_EQ(message_of(many), "/sweep: makes more than 1000 combinations");
}

TEST(Sweep, WhatChangesTogetherHasSeveralPointers) {
    const Sweep sweep = load(with_sweep(R"([{"pointer": ["/model", "/x/points"], "labels": ["A", "B"],
                                             "values": [["a.onnx", 3], ["b.onnx", 7]]}])"));
    ASSERT_EQ(sweep.combinations.size(), 2U);
    EXPECT_EQ(sweep.axes[0].name, "model");
    EXPECT_EQ(sweep.axes[0].pointers, (std::vector<std::string>{"/model", "/x/points"}));
    EXPECT_EQ(sweep.combinations[1].config.models.front().path.filename(), "b.onnx");
    EXPECT_EQ(sweep.combinations[1].config.x->points, 7);
    EXPECT_EQ(sweep.combinations[0].config.x->points, 3);
}

TEST(Sweep, AxesThatEndInTheSameKeyKeepTheirPlace) {
    EXPECT_EQ(load(with_sweep(R"([{"pointer": "/x/points", "values": [5]}])")).axes[0].name, "points");
    Json both = base();
    both["y"] = both["x"];
    both["sweep"] =
        Json::parse(R"([{"pointer": "/x/points", "values": [5]}, {"pointer": "/y/points", "values": [2]}])");
    EXPECT_EQ(load(both).axes[0].name, "x/points");
    EXPECT_EQ(load(both).axes[1].name, "y/points");
}

TEST(Sweep, LongAndOddLabelsMakeNamesThatWork) {
    Json json = base();
    const std::string odd = std::string(300, 'x') + "/\n\xc3\xa9";
    json["sweep"] = {{{"pointer", "/directions/seed"}, {"values", {1, 2}}, {"labels", {odd, "..\xc3\xa9/.."}}}};
    const Sweep sweep = load(json);
    EXPECT_LE(sweep.combinations[0].folder.size(), 80U);
    EXPECT_LE(sweep.combinations[0].config.name.size(), 200U);
    EXPECT_EQ(sweep.combinations[1].folder.substr(0, 4), "002-");
    EXPECT_EQ(sweep.combinations[1].folder.find('/'), std::string::npos);
    EXPECT_NE(sweep.combinations[1].config.name.front(), '.');
}

TEST(OriginRun, IsForWhatTheGridDoesNotTell) {
    Config config = load(with_sweep(kTwoByThree)).combinations.front().config;
    const auto splits_of = [&] {
        const auto origin = origin_config(config, 0);
        return origin ? origin->splits : std::vector<std::string>{};
    };
    EXPECT_EQ(splits_of(), std::vector<std::string>{"test"});
    config.x->points = 4;  // -1, -1/3, 1/3, 1: no origin
    EXPECT_EQ(splits_of(), (std::vector<std::string>{"train", "test"}));
    config.x->points = 5;
    config.splits = {"train", "test"};
    EXPECT_FALSE(origin_config(config, 0));
    config.experiment = Experiment::evaluate;
    config.splits = {"train"};
    EXPECT_FALSE(origin_config(config, 0));
}

TEST(OriginRun, OfSharesOneEvaluatesIt) {
    Config config = load(with_sweep(kTwoByThree)).combinations.front().config;
    for (std::size_t combination = 0; combination < 4; ++combination) {
        int evaluations = 0;
        for (const std::int64_t index : {1, 2, 3}) {
            config.shard = Shard{index, 3};
            const auto origin = origin_config(config, combination);
            evaluations += origin ? 1 : 0;
            EXPECT_FALSE(origin && origin->shard);
        }
        EXPECT_EQ(evaluations, 1) << combination;
    }
}

TEST(OriginRun, ReadsTheMiddleOfAGrid) {
    Surface surface = make_surface({-1.0, 0.0, 1.0}, {-0.5, 0.0}, {"train", "test"}, true);
    LossSums sums;
    sums.loss_sum = 3.0;
    sums.weight_sum = 2.0;
    sums.correct = 1;
    sums.counted = 4;
    EXPECT_TRUE(origin_on_grid(surface).empty());
    set_result(surface.splits[1], 4, sums);
    const std::vector<OriginResult> results = origin_on_grid(surface);
    ASSERT_EQ(results.size(), 1U);
    EXPECT_EQ(results[0].split, "test");
    EXPECT_EQ(results[0].loss, 1.5);
    EXPECT_EQ(results[0].error, 75.0);
    EXPECT_EQ(origin_text(results), "test error 75.00 %");
    EXPECT_EQ(origin_text({{"train", 0.25, std::nullopt}}), "train loss 0.25");
    EXPECT_EQ(origin_text({}), "");
    EXPECT_TRUE(origin_on_grid(make_surface({-1.0, 1.0}, {}, {"train"}, true)).empty());
}

TEST(SweepTable, HasARowACombination) {
    const Sweep sweep = load(with_sweep(kTwoByThree));
    const std::vector<SweepRow> rows{{0, "", {{"train", 0.123456789, 12.5}, {"test", 1.0, 25.0}}},
                                     {4, "", {{"train", 2.0, 50.0}}}};
    EXPECT_EQ(csv_text(exact_sweep_table(sweep, rows)),
              "folder,model,seed,train_loss,train_error,test_loss,test_error\n"
              "001-A_a-3,A / a,3,0.123456789,12.5,1,25\n"
              "005-B-4,B,4,2,50,,\n");
    EXPECT_EQ(markdown_text(brief_sweep_table(sweep, rows)),
              "| model | seed | train loss | train error (%) | test loss | test error (%) |\n"
              "|---|---|---:|---:|---:|---:|\n"
              "| A / a | 3 | 0.1235 | 12.50 | 1 | 25.00 |\n"
              "| B | 4 | 2 | 50.00 |  |  |\n");
}

}  // namespace
}  // namespace lossmap
