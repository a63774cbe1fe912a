#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/layer_check.hpp"
#include "stage_networks.hpp"

// A fault in a stage kernel shows in the layer check as that stage, and nowhere else.
namespace lossmap {
namespace {

using test::Emulated;
using test::Handle;
using test::HostDeviceOptions;
using test::ReferenceNet;

struct FaultyKernel {
    const char* name;
    Precision precision;
    const char* architecture;
};

void PrintTo(const FaultyKernel& kernel, std::ostream* stream) { *stream << kernel.name; }

/// The first layer and a block at 16 x 32 x 32, and a convolution behind them that no stage holds.
ReferenceNet one_stage() {
    ReferenceNet net({3, 32, 32}, 43);
    const Handle x = net.relu(net.batch_norm(net.conv(net.input(), 16, 3, 1, 1)));
    const Handle y = net.relu(net.conv(test::block(net, x, 16), 8, 5, 4, 1, 1, true));
    net.output(net.gemm(net.flatten(net.global_average_pool(y)), 5, true));
    return net;
}

std::vector<LayerDifference> layers_of(const FaultyKernel& kernel, bool spoiled, bool joined) {
    HostDeviceOptions options = Emulated::small_tiles();
    options.shared_bytes = 227 << 10;
    options.most_points = 1;
    options.architecture = kernel.architecture;
    if (spoiled) options.spoiled_stage = kernel.name;
    Emulated emulated(one_stage(), 2, options, kernel.precision);
    ExecutableRequest& request = emulated.runner.request();
    if (!joined) request.passes.stages = request.passes.split_stages = false;
    EXPECT_EQ(emulated.stages(kernel.name).size(), joined ? 1U : 0U);
    request.traceable = true;
    const auto executable = emulated.runner.compile();
    ExecutableRequest described = request;
    described.graph = &emulated.runner.net().graph();
    described.space = &emulated.runner.net().space();
    described.origin = &emulated.runner.net().origin();
    described.axes = {{emulated.runner.direction(0), {}},
                      {emulated.runner.direction(1), emulated.runner.state_direction()}};
    return compare_layers(described, *executable, {{0.2, -0.1}}, emulated.runner.chunk(), 2);
}

class StageFaults : public ::testing::TestWithParam<FaultyKernel> {};

TEST_P(StageFaults, ShowAsTheStageAlone) {
    const auto apart = layers_of(GetParam(), true, false), sound = layers_of(GetParam(), false, true),
               faulty = layers_of(GetParam(), true, true);
    EXPECT_TRUE(std::ranges::all_of(apart, &LayerDifference::agrees)) << "no layer by itself runs the kernel";
    ASSERT_EQ(sound.size() + 2, apart.size()) << "of three layers one is shown";
    ASSERT_EQ(faulty.size(), sound.size());
    EXPECT_EQ(sound[0].operators, "3 Conv, 3 BatchNormalization, 3 Relu, Add");
    for (std::size_t k = 0; k < sound.size(); ++k) {
        EXPECT_TRUE(sound[k].agrees()) << sound[k].name << ": " << sound[k].difference << " of " << sound[k].bound;
        EXPECT_EQ(faulty[k].agrees(), k != 0) << faulty[k].name;
    }
    EXPECT_LT(sound[0].bound, GetParam().precision == Precision::fp32 ? 1e-4 : 0.1);
}

INSTANTIATE_TEST_SUITE_P(Kernels, StageFaults,
                         ::testing::Values(FaultyKernel{"stage", Precision::fp16, "sm_80"},
                                           FaultyKernel{"warpgroup_stage", Precision::fp16, "sm_90"},
                                           FaultyKernel{"split_stage", Precision::fp32, "sm_80"},
                                           FaultyKernel{"warpgroup_split_stage", Precision::fp32, "sm_90"},
                                           FaultyKernel{"tf32_stage", Precision::tf32, "sm_90"}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace lossmap
