#include <iostream>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "cuda/backend/cuda_backend.hpp"
#include "cuda/device/cuda_device.hpp"
#include "tests/zoo/agreement.hpp"

namespace lossmap::test {
namespace {

TEST_P(ZooAgreementTest, CudaLossAndOutputAreThoseOfPyTorch) {
    // Never destroyed: at exit the CUDA runtime may be gone already.
    static const auto& kOpened = *new cuda::OpenedDevices(cuda::open_cuda_devices({0}));
    if (kOpened.devices.empty()) GTEST_SKIP() << kOpened.why_none;
    const auto backend = cuda::make_cuda_backend(kOpened.devices);
    const Errors fused = measure(*backend, {}, 0, true);
    const Errors plain = measure(*backend, PassSet::none(), declares_batch() ? 0 : 7, true);
    std::cout << fmt::format("{:34} loss {:.1e}, output {:.1e}; not fused: {:.1e}, {:.1e}\n", GetParam().file,
                             fused.loss, fused.logits, plain.loss, plain.logits);
    for (const Errors& errors : {fused, plain}) {
        EXPECT_LE(errors.loss, kTolerance);
        EXPECT_LE(errors.logits, kTolerance);
    }
    if (HasFailure()) std::cout << wrong_layers(*backend);
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooAgreementTest, ::testing::ValuesIn(zoo_models()),
                         [](const auto& test) { return test.param.test_name(); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ZooAgreementTest);

}  // namespace
}  // namespace lossmap::test
