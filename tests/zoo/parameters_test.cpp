#include <map>
#include <optional>
#include <ostream>
#include <set>

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "onnx_import/importer.hpp"
#include "params/parameter_space.hpp"
#include "tests/support/test_files.hpp"
#include "tests/zoo/zoo_model.hpp"

// The parameters that PyTorch's modules have, as expected_parameters.json lists them, are those that lossmap finds.
namespace lossmap::test {
namespace {

using Json = nlohmann::json;

/// What a file says about one parameter; axis and number of filters where PyTorch holds two dimensions or more.
struct Facts {
    std::string role;
    Shape shape;
    std::optional<int> filter_axis;
    std::optional<std::int64_t> filters;
    friend bool operator==(const Facts&, const Facts&) = default;
};

void PrintTo(const Facts& facts, std::ostream* stream) {
    *stream << facts.role << ' ' << to_string(facts.shape);
    if (facts.filters) *stream << fmt::format(", {} filters along axis {}", *facts.filters, *facts.filter_axis);
}

using Table = std::map<std::string, Facts>;

void add(Table& table, const Json& row) {
    Facts facts{row.at(1), row.at(2).get<Shape>(), {}, {}};
    if (row.size() > 3) {
        facts.filter_axis = row.at(3).get<int>();
        facts.filters = row.at(4).get<std::int64_t>();
    }
    table[row.at(0)] = facts;
}

/// The network's parameters with what the file's exporter did to them.
Table expected_table(const std::string& file, const char* segment) {
    static const Json expected = Json::parse(read_file(source_dir() / "tests/zoo/expected_parameters.json"));
    const Json& changes = expected.at("files").at(file);
    const auto gone = changes.at("gone").get<std::set<std::string>>();
    Table table;
    for (const Json& row : expected.at("networks").at(changes.at("network")).at(segment)) {
        if (!gone.contains(row.at(0))) add(table, row);
    }
    if (std::string(segment) == "states") return table;
    for (const Json& row : changes.at("instead"))
        add(table, row);
    return table;
}

Table found_table(const std::vector<Parameter>& parameters) {
    Table table;
    for (const Parameter& parameter : parameters) {
        Facts facts{name_of(parameter.role), parameter.shape, {}, {}};
        if (!parameter.one_dimensional) {
            facts.filter_axis = parameter.filter_axis;
            facts.filters = parameter.filters.count;
        }
        table[parameter.name] = facts;
    }
    return table;
}

void expect_equal(const Table& found, const Table& expected) {
    for (const auto& [name, facts] : expected) {
        const auto entry = found.find(name);
        if (entry == found.end()) {
            ADD_FAILURE() << name << " was not found";
        } else {
            EXPECT_EQ(entry->second, facts) << name;
        }
    }
    for (const auto& [name, facts] : found) {
        EXPECT_TRUE(expected.contains(name)) << name << " is no parameter of the network";
    }
}

class ZooParametersTest : public ::testing::TestWithParam<ZooModel> {};

TEST_P(ZooParametersTest, ParametersRolesAndFiltersAreThoseOfTheModules) {
    Graph graph = import_onnx(zoo_dir() / GetParam().file);
    const ParameterSpace space = identify_parameters(graph);
    expect_equal(found_table(space.weights), expected_table(GetParam().file, "weights"));
    expect_equal(found_table(space.states), expected_table(GetParam().file, "states"));
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooParametersTest, ::testing::ValuesIn(zoo_models()),
                         [](const auto& test) { return test.param.test_name(); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ZooParametersTest);

}  // namespace
}  // namespace lossmap::test
