// Configurations that refine a grid or take points over from an earlier one.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/config/load_config.hpp"
#include "cli/config/resolved_config.hpp"
#include "core/error.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using Json = nlohmann::ordered_json;

Json plane() {
    return Json::parse(R"({
      "name": "plane", "experiment": "surface", "model": "net.onnx",
      "data": {"format": "cifar10", "train": ["a.bin", "b.bin"], "test": "c.bin",
               "normalize": {"mean": [0.1, 0.2, 0.3], "std": [1, 2, 3]},
               "subset": {"train": {"start": 5, "count": 10}}},
      "splits": ["train"], "loss": "cross_entropy",
      "directions": {"kind": "random", "seed": 3, "normalization": "layer", "ignore": ["bias", "batch_norm"]},
      "x": {"min": -1, "max": 1, "points": 51}, "y": {"min": -0.5, "max": 1, "points": 7}})");
}

Config load(const Json& json, const std::vector<std::string>& overrides = {}) {
    const test::TemporaryDirectory folder;
    test::write_file(folder / "c.json", json.dump());
    return load_config(folder / "c.json", overrides);
}

/// The message without the file's name in front; "" when the configuration loads.
std::string message_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
    const test::TemporaryDirectory folder;
    const std::filesystem::path file = folder / "c.json";
    test::write_file(file, text);
    try {
        static_cast<void>(load_config(file, overrides));
    } catch (const InputError& error) {
        const std::string message = error.what();
        const std::string prefix = file.string() + ": ";
        return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
    }
    return "";
}

std::string message_with(const std::string& override_text) { return message_of(plane().dump(), {override_text}); }

TEST(Config, RefineAndGrow) {
    EXPECT_FALSE(load(plane()).refine);
    const Config defaults = load(plane(), {"/refine={}"});
    EXPECT_EQ(defaults.refine->initial, 13);
    EXPECT_EQ(defaults.refine->tolerance, 0.01);
    EXPECT_FALSE(load(plane(), {"/grow=false"}).grow_from);
    const Config config = load(plane(), {"/refine={\"initial\": 7, \"tolerance\": 0}", "/grow=true", "/from=earlier"});
    EXPECT_EQ(config.refine->initial, 7);
    EXPECT_EQ(config.refine->tolerance, 0.0);
    EXPECT_EQ(config.grow_from->filename(), "earlier");
    EXPECT_TRUE(config.grow_from->is_absolute()) << "relative to the configuration's folder";
    EXPECT_EQ(resolved_json(load(resolved_json(config))), resolved_json(config));
    const std::pair<const char*, const char*> cases[] = {
        {"/refine/initial=1", "/refine/initial: expected an integer from 2 to 100000, got number 1"},
        {"/refine/tolerance=-0.1", "/refine/tolerance: expected a number from 0 to 1, got number -0.1"},
        {"/refine/tolerance=2", "/refine/tolerance: expected a number from 0 to 1, got number 2"},
        {"/refine=3", "/refine: expected an object with 'initial' and 'tolerance', got number 3"},
        {"/grow=true",
         "/from: is missing, expected the folder of an earlier run or a surface .h5, which 'grow' takes points from"},
        {"/from=a", "/from: is used with \"grow\": true only"},
    };
    for (const auto& [override_text, expected] : cases)
        EXPECT_EQ(message_with(override_text), expected) << override_text;
    EXPECT_EQ(message_of(R"({"experiment": "evaluate", "models": ["a"], "refine": {}})"),
              "/refine: is not used by experiment 'evaluate'");
}

}  // namespace
}  // namespace lossmap
