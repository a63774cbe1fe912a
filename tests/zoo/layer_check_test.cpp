#include "backend/layer_check.hpp"

#include <iostream>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "cpu/cpu_backend.hpp"
#include "cpu/plan_record.hpp"
#include "cuda/backend/cuda_backend.hpp"
#include "tests/support/host_device.hpp"
#include "tests/zoo/agreement.hpp"

namespace lossmap::test {
namespace {

class ZooLayerTest : public ZooAgreementTest {
protected:
    void expect_agreement(Backend& backend, Precision precision) const {
        const auto layers = this->layers(backend, precision);
        EXPECT_FALSE(layers.empty());
        double largest_bound = 0.0;
        double nearest = 0.0;
        for (const LayerDifference& layer : layers) {
            EXPECT_TRUE(layer.agrees()) << layer.name << " (" << layer.operators << "): " << layer.difference
                                        << ", bound " << layer.bound;
            largest_bound = std::max(largest_bound, layer.bound);
            nearest = std::max(nearest, layer.difference / layer.bound);
        }
        // Worth something: a wrong layer is off by more than a hundredth.
        EXPECT_LT(largest_bound, precision == Precision::fp32 ? 1e-3 : 0.5);
        std::cout << fmt::format("{:34} {} in {}: {} values, largest bound {:.1e}, nearest {:.2f} of it\n",
                                 GetParam().file, backend.name(), name_of(precision), layers.size(), largest_bound,
                                 nearest);
    }
};

TEST_P(ZooLayerTest, RoundingExplainsEveryLayer) {
    const auto cpu = make_cpu_backend();
    expect_agreement(*cpu, Precision::fp32);
    if (cpu::bf16_available()) {
        expect_agreement(*cpu, Precision::bf16);
    } else {
        std::cout << "no bf16 here: oneDNN has " << cpu::instruction_set() << '\n';
    }
    if (GetParam().file.find('-') != std::string::npos) return;
    const auto cuda = cuda::make_cuda_backend({std::make_shared<HostDevice>()});
    for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16})
        expect_agreement(*cuda, precision);
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooLayerTest, ::testing::ValuesIn(zoo_models()),
                         [](const auto& test) { return test.param.test_name(); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ZooLayerTest);

}  // namespace
}  // namespace lossmap::test
