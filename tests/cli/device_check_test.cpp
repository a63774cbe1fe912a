#include "cli/run/device_check.hpp"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cuda/backend/cuda_backend.hpp"
#include "tests/cli/config_support.hpp"
#include "tests/support/host_device.hpp"
#include "tests/support/onnx_builder.hpp"

namespace lossmap {
namespace {

using test::HostDevice;
using test::HostDeviceOptions;
using test::Json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// Layers of 8 filters, the results of which are "a", "b", ..
void write_network(const std::filesystem::path& file, int layers, std::int64_t side) {
    test::OnnxBuilder builder;
    builder.input("x", {-1, 3, side, side}).output("y", {-1, 8 * side * side});
    std::string input = "x";
    for (int layer = 0; layer < layers; ++layer) {
        const std::string weight = "c" + std::to_string(layer), sum = "s" + std::to_string(layer);
        builder.weight(weight, {8, layer == 0 ? 3 : 8, 3, 3});
        onnx::NodeProto& node = builder.node("Conv", {input, weight}, {sum});
        onnx::AttributeProto& pads = *node.add_attribute();
        pads.set_name("pads");
        pads.set_type(onnx::AttributeProto::INTS);
        for (int k = 0; k < 4; ++k)
            pads.add_ints(1);
        input = std::string(1, static_cast<char>('a' + layer));
        builder.node("Relu", {sum}, {input});
    }
    builder.node("Flatten", {input}, {"y"});
    builder.save(file);
}

/// A plane over a network of two convolutions, on an emulated GPU instead of the CPU that it is prepared for.
class DeviceCheckTest : public ::testing::Test {
protected:
    DeviceCheckTest() { write_network(folder_ / "net.onnx", 2, 5); }

    [[nodiscard]] PreparedRun prepare(const Json& changes = Json::object()) const {
        Json json = Json::parse(R"({
          "name": "plane", "experiment": "surface", "model": "net.onnx",
          "data": {"format": "synthetic", "count": 6, "seed": 1}, "splits": ["train"],
          "loss": "cross_entropy", "directions": {"kind": "random", "seed": 3}, "device": "cpu",
          "x": {"min": -1, "max": 1, "points": 3}, "y": {"min": -0.5, "max": 1, "points": 2}})");
        json.merge_patch(changes);
        test::write_file(folder_ / "c.json", json.dump());
        RunLog log("off");
        return prepare_run(load_config(folder_ / "c.json", {}), 1, log);
    }

    [[nodiscard]] static DeviceCheck check(PreparedRun run, const HostDeviceOptions& options = {}) {
        run.backend = cuda::make_cuda_backend({std::make_shared<HostDevice>(options)});
        for (Direction& axis : run.axes)
            axis.resident = nullptr;
        return check_device(run, "cpu", 1);
    }

    test::TemporaryDirectory folder_;
};

TEST_F(DeviceCheckTest, ASoundDeviceHasNoFailure) {
    const DeviceCheck result = check(prepare());
    EXPECT_EQ(result.failure(), "");
    EXPECT_EQ(result.layer_samples, 4);
    EXPECT_EQ(result.loss_samples, 6);
    ASSERT_EQ(result.layers.size(), 3U);
    EXPECT_EQ(result.layers[0].worst.operators, "Conv, Relu");
    ASSERT_EQ(result.losses.size(), 2U);
    EXPECT_EQ(result.losses[0].coordinates, (std::vector<double>{0.0, 0.0}));
    EXPECT_EQ(result.losses[1].coordinates, (std::vector<double>{-1.0, -0.5}));
    EXPECT_NE(result.losses[0].tested, result.losses[1].tested);
    EXPECT_EQ(result.losses[0].bound, 1e-4);
    EXPECT_NEAR(result.losses[0].apart, result.losses[0].reference, 1e-5 * result.losses[0].reference);
    std::ostringstream out;
    result.print(out);
    EXPECT_THAT(out.str(), AllOf(HasSubstr("in fp32 against cpu in fp32, layers on 4 samples"), HasSubstr("  a  "),
                                 HasSubstr("loss of 6 samples at (-1, -0.5)"), Not(HasSubstr("!"))));
}

TEST_F(DeviceCheckTest, ADeviceThatTakesFewSamplesAtATimeShowsThose) {
    HostDeviceOptions options;
    options.pass_bytes = 1;
    const DeviceCheck result = check(prepare(), options);
    EXPECT_EQ(result.failure(), "");
    EXPECT_EQ(result.layer_samples, 1);
    EXPECT_EQ(result.layers.size(), 3U);
}

TEST_F(DeviceCheckTest, AWrongLayerIsNamed) {
    HostDeviceOptions options;
    options.tiles_convolutions = false;
    options.spoils = [](const cuda::ConvolutionProblem& one) { return one.channels == 8; };
    const DeviceCheck result = check(prepare(), options);
    EXPECT_THAT(result.failure(), AllOf(HasSubstr("computes 'b' (Conv, Relu) wrong at ("), HasSubstr("it differs by")));
    std::ostringstream out;
    result.print(out);
    EXPECT_THAT(out.str(), HasSubstr("!  Conv, Relu"));
}

TEST_F(DeviceCheckTest, ALossThatNoLayerExplainsIsFoundToo) {
    HostDeviceOptions options;
    // Two points of which layers are shown, one a pass, two layers; afterwards nothing is right.
    options.most_points = 1;
    options.tiles_convolutions = false;
    options.sound_runs = 2 * 2;
    const DeviceCheck result = check(prepare(), options);
    EXPECT_THAT(result.failure(), AllOf(HasSubstr("the loss at (0, 0) is"), HasSubstr("--disable-pass")));
}

TEST_F(DeviceCheckTest, AWrongStageIsNamed) {
    // One kernel computes the first two layers together; what the loss reads is kept in fp32, which it does not.
    write_network(folder_ / "net.onnx", 3, 14);
    for (const bool sound : {true, false}) {
        PreparedRun run = prepare();
        run.config.precision = Precision::fp16;
        HostDeviceOptions options;
        if (!sound) options.spoiled_stage = "stage";
        const DeviceCheck result = check(std::move(run), options);
        ASSERT_EQ(result.stages.size(), 1U);
        EXPECT_EQ(result.layers.size(), 4U) << "each layer is looked at by itself, too";
        const auto sentence = AllOf(HasSubstr("computes the stage up to 'b' (Conv, Relu, Conv, Relu) wrong"),
                                    HasSubstr("every layer by itself agrees"));
        EXPECT_THAT(result.failure(), testing::Conditional(sound, testing::Eq(""), sentence));
        std::ostringstream out;
        result.print(out);
        EXPECT_THAT(out.str(), HasSubstr("stages, each in one launch\n  b  "));
    }
}

TEST_F(DeviceCheckTest, ReducedPrecisionsAreHeldToTheirOwnRounding) {
    PreparedRun run = prepare();
    run.config.precision = Precision::bf16;
    const DeviceCheck result = check(std::move(run));
    EXPECT_EQ(result.failure(), "");
    EXPECT_GT(result.losses[0].bound, 0.25);
    EXPECT_LT(result.losses[0].bound, 0.6);
    CheckedLoss loss = result.losses[0];
    loss.difference = 2.0;
    EXPECT_FALSE(loss.agrees());
    EXPECT_GT(result.layers[0].worst.bound, 1e-3);
    HostDeviceOptions options;
    options.tiles_convolutions = false;
    options.spoils = [](const cuda::ConvolutionProblem&) { return true; };
    PreparedRun other = prepare();
    other.config.precision = Precision::bf16;
    EXPECT_THAT(check(std::move(other), options).failure(), HasSubstr("computes 'a'"));
}

TEST_F(DeviceCheckTest, RepetitionsAreCheckedAlongTheFirstOnesDirections) {
    const DeviceCheck result = check(prepare(Json::parse(R"({"experiment": "repeat", "count": 2})")));
    EXPECT_EQ(result.failure(), "");
    ASSERT_EQ(result.losses.size(), 2U);
    EXPECT_NE(result.losses[0].tested, result.losses[1].tested);
}

}  // namespace
}  // namespace lossmap
