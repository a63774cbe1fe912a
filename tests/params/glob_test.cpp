#include <gtest/gtest.h>

#include "params/parameter_space.hpp"

namespace lossmap {
namespace {

TEST(Glob, LiteralsAndWildcards) {
    EXPECT_TRUE(glob_match("conv1.weight", "conv1.weight"));
    EXPECT_FALSE(glob_match("conv1.weight", "conv1.weights"));
    EXPECT_FALSE(glob_match("onv1", "conv1"));
    EXPECT_TRUE(glob_match("*", ""));
    EXPECT_TRUE(glob_match("*.weight", "layer1.0.conv1.weight"));
    EXPECT_FALSE(glob_match("*.weight", "layer1.0.conv1.bias"));
    EXPECT_TRUE(glob_match("layer?.*.bias", "layer1.0.bias"));
    EXPECT_FALSE(glob_match("layer?.bias", "layer12.bias"));
    EXPECT_TRUE(glob_match("a*b*c", "a_b_b_c"));
    EXPECT_FALSE(glob_match("", "a"));
    EXPECT_TRUE(glob_match("", ""));
}

TEST(Glob, Brackets) {
    EXPECT_TRUE(glob_match("layer[12].w", "layer2.w"));
    EXPECT_FALSE(glob_match("layer[12].w", "layer3.w"));
    EXPECT_TRUE(glob_match("l[0-9]", "l7"));
    EXPECT_FALSE(glob_match("l[!0-9]", "l7"));
    EXPECT_TRUE(glob_match("l[^0-9]", "lx"));
    EXPECT_TRUE(glob_match("[]]", "]"));
    EXPECT_TRUE(glob_match("[a-]", "-"));
    EXPECT_TRUE(glob_match("a[b", "a[b")) << "a bracket that is not closed stands for itself";
}

TEST(Glob, ManyStarsTakeLittleTime) {
    const std::string text(2000, 'a');
    std::string pattern;
    for (int star = 0; star < 50; ++star)
        pattern += "*a";
    EXPECT_FALSE(glob_match(pattern + "b", text));
}

}  // namespace
}  // namespace lossmap
