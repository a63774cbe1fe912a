#include <gtest/gtest.h>

#include "io/hdf5_file.hpp"
#include "onnx_import/importer.hpp"
#include "params/parameter_space.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap::test {
namespace {

struct Model {
    Graph graph;
    ParameterSpace space;
    StateVector state;
};

Model load(const std::string& name) {
    Model model;
    model.graph = import_onnx(reference_dir() / "models" / name);
    model.space = identify_parameters(model.graph);
    model.state = read_state(model.graph, model.space);
    return model;
}

/// PyTorch's direction file has one dataset a parameter, in order and in its shape.
void expect_direction_fits(const std::string& model_name, const std::string& direction) {
    const Model model = load(model_name);
    const Hdf5File file = Hdf5File::open(reference_dir() / "reference" / direction);
    EXPECT_EQ(file.list("xdirection").size(), model.space.weights.size());
    for (std::size_t index = 0; index < model.space.weights.size(); ++index) {
        const Parameter& parameter = model.space.weights[index];
        EXPECT_EQ(file.info("xdirection/" + std::to_string(index)).shape, parameter.shape) << parameter.name;
    }
}

TEST(ReferenceModels, ParametersAreThoseOfTheDirectionFiles) {
    LOSSMAP_REQUIRE_REFERENCE("models/resnet20.onnx");
    expect_direction_fits("resnet20.onnx", "resnet20_filter_direction.h5");
    expect_direction_fits("resnet20_folded.onnx", "resnet20_filter_direction.h5");
    expect_direction_fits("gold_resnet56.onnx", "gold_resnet56_direction.h5");
}

TEST(ReferenceModels, TensorsStoredOnceAreParametersOfTheirOwn) {
    LOSSMAP_REQUIRE_REFERENCE("models/gold_resnet56_dedup.onnx");
    const Model plain = load("gold_resnet56.onnx");
    const Model shared = load("gold_resnet56_dedup.onnx");
    ASSERT_EQ(plain.space.weights.size(), 173U);
    const auto expect_same = [](const std::vector<Parameter>& a, const std::vector<Parameter>& b) {
        ASSERT_EQ(a.size(), b.size());
        for (std::size_t index = 0; index < a.size(); ++index) {
            EXPECT_EQ(a[index].name, b[index].name);
            EXPECT_EQ(a[index].shape, b[index].shape);
            EXPECT_EQ(a[index].role, b[index].role);
            EXPECT_EQ(a[index].offset, b[index].offset);
        }
    };
    expect_same(plain.space.weights, shared.space.weights);
    expect_same(plain.space.states, shared.space.states);
    EXPECT_EQ(plain.state.weights, shared.state.weights);
    EXPECT_EQ(plain.state.states, shared.state.states);
}

TEST(ReferenceModels, CheckpointsAgreeInTheirParameters) {
    LOSSMAP_REQUIRE_REFERENCE("models/small/sgd_bs128/epoch_14.onnx");
    const Model first = load("small/sgd_bs128/epoch_00.onnx");
    const Model last = load("small/sgd_bs128/epoch_14.onnx");
    ASSERT_EQ(first.space.weights.size(), last.space.weights.size());
    for (std::size_t index = 0; index < first.space.weights.size(); ++index) {
        EXPECT_EQ(first.space.weights[index].name, last.space.weights[index].name);
    }
    EXPECT_EQ(first.space.states_size(), last.space.states_size());
}

}  // namespace
}  // namespace lossmap::test
