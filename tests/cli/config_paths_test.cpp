// Configurations of training runs: series of models, trajectories, interpolations.
#include <gtest/gtest.h>

#include "cli/config/resolved_config.hpp"
#include "tests/cli/config_support.hpp"

namespace lossmap {
namespace {

using namespace test;

Json norms() { return Json::parse(R"({"experiment": "weight_norm", "checkpoints": ["a.onnx", "b.onnx"]})"); }

Json evaluated_runs() {
    return Json::parse(R"({"experiment": "evaluate", "data": {"format": "synthetic"}, "runs": [
                           {"label": "small", "checkpoints": ["a.onnx", "b.onnx"], "epochs": [0, 9]},
                           {"label": "large", "model": "net.onnx", "checkpoints": ["c.npz"], "epochs": [4],
                            "labels": ["end"]}]})");
}

TEST(Config, RunsBecomeSeriesOfModels) {
    const Config config = load(evaluated_runs());
    ASSERT_EQ(config.series.size(), 2u);
    EXPECT_EQ(config.series[1].first, 2u);
    EXPECT_EQ(config.series[1].count, 1u);
    EXPECT_EQ(config.series[1].label, "large");
    EXPECT_EQ(config.series[0].epochs, (std::vector<std::int64_t>{0, 9}));
    EXPECT_TRUE(config.series[0].in_order);
    EXPECT_EQ(config.models.at(2).path.filename(), "net.onnx");
    EXPECT_EQ(config.models.at(2).checkpoint->filename(), "c.npz");
    EXPECT_EQ(config.models.at(2).label, "end");
    EXPECT_FALSE(needs_data(load(norms()).experiment));
    Json list = norms();
    list["iterations"] = {10, 20};
    for (const Json& json : {evaluated_runs(), norms(), list}) {
        const std::string first = resolved_json(load(json)).dump();
        EXPECT_EQ(resolved_json(load(Json::parse(first))).dump(), first);
    }
}

TEST(Config, WrongSeriesAreErrorsWithTheirPlace) {
    const std::pair<const char*, const char*> of_runs[] = {
        {"/runs=[]", "/runs: expected a list of runs, got an empty array"},
        {"/runs/0={\"label\": \"a\"}", "/runs/0/checkpoints: is missing, expected a list of checkpoints or a glob"},
        {"/runs/1/label=small", "/runs/1/label: another run has this label"},
        {"/runs/1/epochs=[1, 2]", "/runs/1/epochs: has 2 numbers for 1 checkpoints"},
        {"/runs/1/labels=[\"a\", \"b\"]", "/runs/1/labels: has 2 names for 1 models"},
        {"/runs/1/iterations=[4]", "/runs: either all runs have 'epochs' or none, and likewise 'iterations'"},
        {"/runs/1/lr_drops=[4]", "/runs/1/lr_drops: is not used by experiment 'evaluate'"},
        {"/runs/1/model=", "/runs/1/model: expected a path, got string \"\""},
        {"/models=[\"a.onnx\"]", "/models: stands in each of /runs where there are several runs"},
        {"/epochs=[1]", "/epochs: stands in each of /runs where there are several runs"},
        {"/lr_drops=[1]", "/lr_drops: is not used by experiment 'evaluate'"},
    };
    for (const auto& [override_text, expected] : of_runs)
        EXPECT_EQ(message_of(evaluated_runs().dump(), {override_text}), expected) << override_text;
    const std::pair<const char*, const char*> of_norms[] = {
        {"/data={\"format\": \"synthetic\"}", "/data: is not used by experiment 'weight_norm'"},
        {"/precision=fp32", "/precision: is not used by experiment 'weight_norm'"},
        {"/labels=[\"a\", \"b\"]", "/labels: is not used by experiment 'weight_norm'"},
    };
    for (const auto& [override_text, expected] : of_norms)
        EXPECT_EQ(message_of(norms().dump(), {override_text}), expected) << override_text;
}

/// A path over automatic ranges.
Json path() {
    return Json::parse(R"({"experiment": "trajectory", "checkpoints": ["a.onnx", "b.onnx", "c.onnx"],
                           "data": {"format": "synthetic"}})");
}

TEST(Config, TrajectoryHasItsDefaults) {
    const Config config = load(path());
    ASSERT_EQ(config.paths.at(0).checkpoints.size(), 3u);
    EXPECT_EQ(config.models.front().path.filename(), "c.onnx");
    const auto& pca = std::get<PcaDirection>(config.directions.entries.front());
    EXPECT_EQ(pca.components, (std::vector<int>{1, 2}));
    EXPECT_TRUE(pca.center && pca.ignore.one_dimensional);
    EXPECT_TRUE(config.x->auto_min && config.y->auto_max);
    EXPECT_EQ(config.x->points, 51);
    EXPECT_EQ(config.x->margin, 0.2);
}

TEST(Config, TrajectoryAndInterpolationReadBackToTheSame) {
    std::vector<Json> configs(4, path());
    configs[1]["lr_drops"] = {5};
    configs[1]["epochs"] = {0, 5, 9};
    configs[1]["x"] = Json::parse(R"({"min": -3, "max": "auto", "points": 7, "margin": 0.5})");
    configs[2]["plane"] = Json::parse(R"({"x": {"kind": "difference", "models": ["a.onnx"]},
                                          "y": {"kind": "random", "seed": 3}})");
    configs[2]["model"] = "net.onnx";
    configs[2]["checkpoints"] = {"a.npz", "b.safetensors"};
    configs[3] = Json::parse(R"({"experiment": "interpolation", "model": "a.onnx", "to": "b.onnx", "move": "states",
                                 "data": {"format": "synthetic"}})");
    for (const Json& json : configs) {
        const std::string first = resolved_json(load(json)).dump();
        EXPECT_EQ(resolved_json(load(Json::parse(first))).dump(), first);
    }
    const Config line = load(configs[3]);
    EXPECT_EQ(line.x->min, -0.5);
    EXPECT_EQ(line.x->max, 1.5);
    EXPECT_EQ(resolved_json(line)["move"], "states");
    EXPECT_EQ(load(configs[2]).paths[0].checkpoints[1].checkpoint->filename(), "b.safetensors");
}

TEST(Config, WrongTrajectoriesAreErrorsWithTheirPlace) {
    const std::pair<const char*, const char*> cases[] = {
        {"/checkpoints=[\"a.onnx\"]", "/checkpoints: a path needs at least two checkpoints"},
        {"/epochs=[1, 2]", "/epochs: has 2 numbers for 3 checkpoints"},
        {"/epochs=[1, 3, 2]", "/epochs/2: expected ascending numbers, got number 2"},
        {"/lr_drops=[3]", "/lr_drops/0: there is no checkpoint of 3"},
        {"/x=all", "/x: expected \"auto\" or an object, got string \"all\""},
        {"/x={\"min\": 0, \"max\": 1, \"margin\": 1}", "/x/margin: is for ends that are \"auto\""},
        {"/x={\"points\": 1}", "/x: 1 point needs min = max"},
        {"/directions={\"kind\": \"random\"}", "/directions: is not used by experiment 'trajectory'"},
        {"/plane={\"kind\": \"pca\", \"components\": [1]}",
         "/plane/components: has 1 components, there are 2 axes to take one"},
        {"/plane={\"kind\": \"pca\", \"seed\": 1}",
         "/plane/seed: is an option of directions of kind 'random', not of 'pca'"},
    };
    for (const auto& [override_text, expected] : cases)
        EXPECT_EQ(message_of(path().dump(), {override_text}), expected) << override_text;
}

/// Two paths in one plane.
Json runs() {
    return Json::parse(R"({"experiment": "trajectory", "data": {"format": "synthetic"}, "runs": [
        {"label": "sgd", "checkpoints": ["a.onnx", "b.onnx", "c.onnx"], "epochs": [0, 1, 2], "lr_drops": [1]},
        {"label": "adam", "checkpoints": ["d.onnx", "e.onnx"], "iterations": [0, 50]}]})");
}

TEST(Config, SeveralRunsShareAPlaneWhoseOriginIsTheEndOfTheFirst) {
    const Config config = load(runs());
    ASSERT_EQ(config.paths.size(), 2u);
    EXPECT_EQ(config.paths[0].label, "sgd");
    EXPECT_EQ(config.paths[0].lr_drops, (std::vector<std::int64_t>{1}));
    EXPECT_EQ(config.paths[1].iterations, (std::vector<std::int64_t>{0, 50}));
    EXPECT_EQ(config.models.front().path.filename(), "c.onnx");
    ASSERT_EQ(config.path_checkpoints().size(), 5u);
    EXPECT_EQ(config.path_checkpoints()[3].path.filename(), "d.onnx");
    const std::string first = resolved_json(config).dump();
    EXPECT_EQ(resolved_json(load(Json::parse(first))).dump(), first);
}

TEST(Config, WrongRunsAreErrorsWithTheirPlace) {
    const std::pair<const char*, const char*> cases[] = {
        {"/runs=[]", "/runs: expected a list of runs, got an empty array"},
        {"/runs/1=3", "/runs/1: expected an object with 'label' and 'checkpoints', got number 3"},
        {"/runs/1/label=sgd", "/runs/1/label: another run has this label"},
        {"/runs/1/lable=x", "/runs/1/lable: unknown key, did you mean 'label'?"},
        {"/runs/1/checkpoints=[\"a.onnx\"]", "/runs/1/checkpoints: a path needs at least two checkpoints"},
        {"/runs/0/epochs=[1]", "/runs/0/epochs: has 1 numbers for 3 checkpoints"},
        {"/epochs=[1, 2, 3]", "/epochs: stands in each of /runs where there are several runs"},
        {"/checkpoints=[\"a.onnx\", \"b.onnx\"]", "/checkpoints: stands in each of /runs where there are several runs"},
        {"/experiment=evaluate", "/runs/0/lr_drops: is not used by experiment 'evaluate'"},
    };
    for (const auto& [override_text, expected] : cases)
        EXPECT_EQ(message_of(runs().dump(), {override_text}), expected) << override_text;
}

}  // namespace
}  // namespace lossmap
