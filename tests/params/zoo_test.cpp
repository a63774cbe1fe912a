#include <cmath>
#include <fstream>
#include <map>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "io/npz.hpp"
#include "onnx_import/importer.hpp"
#include "params/parameter_space.hpp"
#include "tests/support/test_files.hpp"

// The zoo's directions were filter-normalised in PyTorch: each filter of a direction is as long as that of the weight.
// So a direction in a file's layout proves which axis its filters lie along, whatever the exporter did to the weight.
namespace lossmap::test {
namespace {

using Json = nlohmann::json;

std::filesystem::path zoo_dir() { return reference_dir() / "models/zoo"; }

const Json& zoo_index() {
    static const Json index = Json::parse(read_file(zoo_dir() / "index.json"));
    return index;
}

std::vector<std::string> zoo_files() {
    std::vector<std::string> files;
    if (reference_dir().empty() || !std::filesystem::exists(zoo_dir() / "index.json")) return files;
    for (const Json& row : zoo_index()["models"])
        files.push_back(row["file"]);
    return files;
}

const Json& row_of(const std::string& file) {
    for (const Json& row : zoo_index()["models"]) {
        if (row["file"] == file) return row;
    }
    throw std::runtime_error("no row for " + file);
}

/// Direction of each initializer, fp32, by its name in the file.
std::map<std::string, Tensor> load_directions(const std::string& file) {
    const NpzFile archive(zoo_dir() / file);
    const std::vector<std::string> names = archive.names();
    const bool whole_reference =
        std::any_of(names.begin(), names.end(), [](const auto& n) { return n.starts_with("dir/"); });
    std::map<std::string, Tensor> directions;
    for (const std::string& name : names) {
        if (whole_reference && !name.starts_with("dir/")) continue;
        directions.emplace(whole_reference ? name.substr(4) : name, archive.load(name));
    }
    return directions;
}

std::vector<double> filter_norms(const Tensor& tensor, const FilterLayout& layout) {
    const auto values = tensor.as<float>();
    std::vector<double> sums(static_cast<std::size_t>(layout.count), 0.0);
    for (std::int64_t index = 0; index < tensor.count(); ++index) {
        const double value = values[static_cast<std::size_t>(index)];
        sums[static_cast<std::size_t>(index / layout.inner % layout.count)] += value * value;
    }
    for (double& sum : sums)
        sum = std::sqrt(sum);
    return sums;
}

bool moves(const Tensor& direction) {
    const auto values = direction.as<float>();
    return std::any_of(values.begin(), values.end(), [](float value) { return value != 0.0F; });
}

class ZooTest : public ::testing::TestWithParam<std::string> {
protected:
    void SetUp() override {
        graph_ = import_onnx(zoo_dir() / GetParam());
        space_ = identify_parameters(graph_);
    }
    Graph graph_;
    ParameterSpace space_;
};

TEST_P(ZooTest, FiltersLieAlongTheAxesOfPyTorch) {
    const auto directions = load_directions(row_of(GetParam())["direction"]);
    std::set<std::string> moving;
    for (const auto& [name, direction] : directions) {
        if (!moves(direction)) continue;
        moving.insert(name);
        const Parameter* parameter = space_.find(name);
        ASSERT_NE(parameter, nullptr) << name << " moves, but is no parameter";
        EXPECT_TRUE(parameter->role == Role::filter_weight || parameter->role == Role::other) << name;
        ASSERT_FALSE(parameter->one_dimensional) << name;
        ASSERT_EQ(parameter->shape, direction.shape()) << name;
        const Tensor& weight = *graph_.value(parameter->value).data;
        const std::vector<double> expected = filter_norms(weight, parameter->filters);
        const std::vector<double> actual = filter_norms(direction, parameter->filters);
        for (std::size_t filter = 0; filter < expected.size(); ++filter) {
            ASSERT_NEAR(actual[filter], expected[filter], 1e-3 * expected[filter] + 1e-9)
                << name << ", filter " << filter << ": " << parameter->reason;
        }
    }
    for (const Parameter& parameter : space_.weights) {
        EXPECT_TRUE(parameter.one_dimensional || moving.contains(parameter.name))
            << parameter.name << ": " << parameter.reason;
    }
}

TEST_P(ZooTest, WhatIsNoParameterOfPyTorchIsAConstant) {
    std::set<std::string> constants;
    for (const ConstantInfo& constant : space_.constants) {
        constants.insert(constant.name);
        EXPECT_FALSE(constant.reason.empty());
    }
    for (const auto& [key, shape] : row_of(GetParam())["float_constants"].items()) {
        const std::string name = key.starts_with("Constant:") ? key.substr(9) : key;
        EXPECT_TRUE(constants.contains(name)) << name;
    }
}

/// All elements of PyTorch's parameters are found again, but for those that folding, merging or a lost tie removed or
/// added.
TEST_P(ZooTest, ParameterCountIsThatOfPyTorch) {
    const Json& row = row_of(GetParam());
    bool changed = !row["lost_parameters"].empty();
    for (const auto& [name, ways] : row["parameters_moved"].items()) {
        changed = changed || ways.size() != 1 || ways[0]["initializer"].is_null();
    }
    if (changed) {
        EXPECT_FALSE(space_.warnings.empty()) << "nothing is said about it";
        return;
    }
    EXPECT_EQ(space_.weights_size(), row["parameters"].get<std::int64_t>());
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooTest, ::testing::ValuesIn(zoo_files()), [](const auto& test) {
    std::string name = test.param.substr(0, test.param.size() - 5);
    for (char& character : name) {
        if (std::isalnum(static_cast<unsigned char>(character)) == 0) character = '_';
    }
    return name;
});
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ZooTest);

TEST(Zoo, IsThere) {
    LOSSMAP_REQUIRE_REFERENCE("models/zoo/index.json");
    EXPECT_EQ(zoo_files().size(), 71U);
}

}  // namespace
}  // namespace lossmap::test
