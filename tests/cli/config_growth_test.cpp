// Configurations that refine a grid or take points over from an earlier one.
#include <gtest/gtest.h>

#include "cli/config/resolved_config.hpp"
#include "tests/cli/config_support.hpp"

namespace lossmap {
namespace {

using namespace test;

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
