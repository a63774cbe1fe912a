// The schema and the parser's table of keys say the same.
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/config/config_keys.hpp"
#include "plan/passes.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

nlohmann::json schema() {
    return nlohmann::json::parse(test::read_file(test::source_dir() / "configs" / "lossmap.schema.json"));
}

std::set<std::string> keys_of(const nlohmann::json& definition) {
    std::set<std::string> keys;
    for (const auto& [key, value] : definition.at("properties").items()) {
        if (!is_free_key(key)) keys.insert(key);
    }
    return keys;
}

TEST(Schema, HasTheKeysOfTheParser) {
    const nlohmann::json document = schema();
    for (const ConfigSection& section : config_sections()) {
        std::set<std::string> available;
        for (const ConfigKey& key : section.keys) {
            available.emplace(key.name);
        }
        const std::string name(section.name);
        const nlohmann::json& definition = name == "config" ? document : document.at("$defs").at(name);
        EXPECT_EQ(keys_of(definition), available) << name;
        EXPECT_EQ(definition.at("additionalProperties"), false) << name;
    }
    EXPECT_EQ(document.at("$defs").size() + 1, config_sections().size());
}

TEST(Schema, PassesAreThoseOfTheOptimiser) {
    std::set<std::string> passes;
    for (const PassInfo& pass : pass_table())
        passes.emplace(pass.name);
    EXPECT_EQ(keys_of(schema().at("$defs").at("passes")), passes);
}

TEST(Schema, DescribesEveryKey) {
    const nlohmann::json document = schema();
    for (const auto& [name, definition] : document.at("$defs").items()) {
        EXPECT_FALSE(definition.value("description", "").empty()) << name;
        for (const auto& [key, property] : definition.at("properties").items())
            EXPECT_TRUE(property.contains("description") || property.contains("$ref")) << name << "/" << key;
    }
}

TEST(NearestName, IsFoundForSlipsAndNotForOtherWords) {
    const std::vector<std::string> names{"model", "models", "splits"};
    EXPECT_EQ(nearest("modle", names), "model");
    EXPECT_EQ(nearest("split", names), "splits");
    EXPECT_EQ(nearest("x", names), "");
    EXPECT_EQ(nearest(std::string(10000, 'm'), names), "");
}

}  // namespace
}  // namespace lossmap
