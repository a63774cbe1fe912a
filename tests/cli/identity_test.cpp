#include "cli/run/identity.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace lossmap {
namespace {

Config plane() {
    Config config;
    config.x = GridAxis{-1.0, 1.0, 51};
    config.y = GridAxis{-1.0, 1.0, 31};
    config.splits = {"train"};
    return config;
}

Identity identity(const std::string& model, const std::string& grid) {
    Identity result;
    result.set("model", model);
    result.set("grid", grid);
    return result;
}

TEST(IdentityHash, DependsOnEveryPart) {
    EXPECT_EQ(identity("a", "b").whole(), identity("a", "b").whole());
    EXPECT_NE(identity("a", "b").whole(), identity("c", "b").whole());
    EXPECT_NE(identity("a", "b").whole(), identity("a", "c").whole());
    EXPECT_NE(identity("ab", "").whole(), identity("a", "b").whole());
}

TEST(IdentityHash, NamesWhatDiffers) {
    EXPECT_EQ(identity("a", "b").differing_parts(identity("c", "b").json()), "model");
    EXPECT_EQ(identity("a", "b").differing_parts(identity("c", "d").json()), "model, grid");
    EXPECT_EQ(identity("a", "b").differing_parts(identity("a", "b").json()), "");
    EXPECT_EQ(identity("a", "b").differing_parts("no JSON"), "");
    EXPECT_EQ(identity("a", "b").differing_parts(""), "");
}

TEST(IdentityHash, GridIsExperimentSplitsAndCoordinates) {
    const std::string base = hash_grid(plane());
    Config other = plane();
    other.x->points = 50;
    EXPECT_NE(hash_grid(other), base);
    other = plane();
    std::swap(other.x, other.y);  // nx and ny changed places
    EXPECT_NE(hash_grid(other), base);
    other = plane();
    other.y.reset();
    EXPECT_NE(hash_grid(other), base);
    other = plane();
    other.x->max = std::nextafter(1.0, 2.0);
    EXPECT_NE(hash_grid(other), base);
    other = plane();
    other.splits = {"train", "test"};
    EXPECT_NE(hash_grid(other), base);
    other = plane();
    other.device = "cpu";
    other.name = "other";
    other.file = "elsewhere.json";
    EXPECT_EQ(hash_grid(other), base);
}

TEST(IdentityHash, DirectionsCountValueByValue) {
    const std::vector<Direction> base{{{1.0f, 2.0f}, {}}};
    EXPECT_EQ(hash_directions(base), hash_directions({{{1.0f, 2.0f}, {}}}));
    EXPECT_NE(hash_directions(base), hash_directions({{{1.0f, 2.5f}, {}}}));
    EXPECT_NE(hash_directions(base), hash_directions({{{1.0f}, {2.0f}}}));
    EXPECT_NE(hash_directions(base), hash_directions({{{1.0f, 2.0f}, {}}, {{1.0f, 2.0f}, {}}}));
}

}  // namespace
}  // namespace lossmap
