// Plans of libraries that are stored and read back run as those that were built: the same bits. On an emulated device,
// and on a GPU, where what is stored are compiled kernels.
#include "tests/cuda/stored_plans.hpp"

#include <cmath>
#include <functional>
#include <ostream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "cuda/backend/plans/plan_store.hpp"
#include "kernels/storage.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap::cuda {
namespace {

/// Families of ways that are looked at for a problem: a compiled kernel takes seconds.
constexpr std::size_t kFamilies = 3;
constexpr std::uint8_t kPoison = 0xFF;  ///< NaN in every type

struct Problem {
    const char* name;
    DType type;
    Precision precision;
    std::int64_t channels;
    std::int64_t side;
    bool joined;
};

void PrintTo(const Problem& problem, std::ostream* stream) { *stream << problem.name; }

class StoredPlans : public ::testing::TestWithParam<Problem> {
protected:
    void SetUp() override {
        std::string why_none;
        device_ = test::device_for_plans(why_none);
        if (device_ == nullptr) GTEST_SKIP() << why_none;
        queue_ = device_->make_queue();
    }

    /// So many random numbers in [-1, 1) on the device.
    [[nodiscard]] Memory numbers(std::int64_t count, DType type, unsigned seed) {
        const std::size_t bytes = static_cast<std::size_t>(count) * size_of(type);
        Memory pinned = device_->allocate_pinned(bytes);
        std::mt19937 generator(seed);
        for (std::int64_t k = 0; k < count; ++k)
            kernels::store_float(pinned.data(), type, k, static_cast<float>(generator() % 2048) / 1024.0F - 1.0F);
        Memory memory = device_->allocate(bytes);
        queue_->copy_to_device(memory.data(), pinned.data(), bytes);
        queue_->synchronize();
        return memory;
    }
    /// What `run` writes to `result`, which it finds full of NaN.
    [[nodiscard]] std::vector<std::byte> result_of(const Memory& result, const Memory& workspace,
                                                   std::vector<Access> accesses,
                                                   const std::function<void(void* stream)>& run) {
        queue_->fill(result.data(), kPoison, result.size_bytes());
        accesses.push_back({result.data(), result.size_bytes(), true});
        if (workspace.size_bytes() > 0) accesses.push_back({workspace.data(), workspace.size_bytes(), true});
        queue_->launch("plan", accesses, run);
        const Memory pinned = device_->allocate_pinned(result.size_bytes());
        queue_->copy_to_host(pinned.data(), result.data(), result.size_bytes());
        queue_->synchronize();
        return {pinned.data(), pinned.data() + result.size_bytes()};
    }
    static Access reads(const Memory& memory) { return {memory.data(), memory.size_bytes(), false}; }

    /// For the first way of each family: builds it, stores it, reads it back from the file and runs both.
    template <typename Plan>
    void expect_equal_runs(
        const std::vector<LibraryWay>& ways,
        const std::function<std::unique_ptr<Plan>(const LibraryWay&, std::span<const std::byte>)>& build,
        const std::function<std::vector<std::byte>(const Plan&)>& run, DType type) {
        const test::TemporaryDirectory folder;
        std::set<std::string> families;
        for (const LibraryWay& way : ways) {
            if (families.size() == kFamilies || families.contains(way.family)) continue;
            std::unique_ptr<Plan> built;
            try {
                built = build(way, {});
            } catch (const Error&) {
                continue;  // a way may be offered that this device cannot have; another one can be
            }
            families.insert(way.family);
            SCOPED_TRACE(built->implementation());
            const auto fail = [](const std::string& sentence) { ADD_FAILURE() << sentence; };
            PlanStore(folder.path(), fail).keep(way.name, built->serialized());
            const auto bytes = PlanStore(folder.path(), fail).find(way.name);
            ASSERT_TRUE(bytes.has_value());
            const std::unique_ptr<Plan> stored = build(way, *bytes);
            EXPECT_EQ(stored->implementation(), built->implementation());
            EXPECT_EQ(stored->joined(), built->joined());
            const std::vector<std::byte> first = run(*built), second = run(*stored);
            EXPECT_TRUE(first == second) << "what was read back computes something else";
            EXPECT_TRUE(run(*built) == first) << "the way repeats its bits";
            for (std::size_t k = 0; k < first.size() / size_of(type); ++k)
                ASSERT_TRUE(std::isfinite(kernels::load_float(first.data(), type, static_cast<std::int64_t>(k)))) << k;
            built.reset();
            EXPECT_TRUE(run(*stored) == first) << "without the one that was built";
        }
        EXPECT_FALSE(families.empty()) << "no way can be built";
    }

    std::shared_ptr<Device> device_;
    std::unique_ptr<Queue> queue_;
};

ConvolutionProblem convolution_of(const Problem& shape) {
    ConvolutionProblem problem;
    problem.images = 32;
    problem.channels = problem.out_channels = shape.channels;
    problem.input = problem.output = {1, shape.side, shape.side};
    problem.kernel = {1, 3, 3};
    problem.pad_begin = problem.pad_end = {0, 1, 1};
    problem.type = shape.type;
    problem.precision = shape.precision;
    problem.bias = problem.residual = shape.joined;
    return problem;
}

TEST_P(StoredPlans, OfConvolutionsRunAsTheyWereBuilt) {
    const ConvolutionProblem problem = convolution_of(GetParam());
    const std::int64_t count = problem.images * problem.channels * problem.input[1] * problem.input[2];
    const Memory images = numbers(count, problem.type, 1);
    const Memory weights = numbers(problem.out_channels * problem.channels * 9, problem.type, 2);
    const Memory bias = numbers(problem.out_channels, DType::f32, 3);
    const Memory residual = numbers(count, problem.type, 4);
    const Memory result = device_->allocate(static_cast<std::size_t>(count) * size_of(problem.type));
    const auto run = [&](const ConvolutionPlan& plan) {
        const Memory workspace = device_->allocate(plan.workspace_bytes());
        ConvolutionOperands operands{images.data(), weights.data(), nullptr, nullptr, result.data(), workspace.data()};
        if (plan.joined().bias) operands.bias = bias.as<float>();
        if (plan.joined().residual) operands.residual = residual.data();
        return result_of(result, workspace, {reads(images), reads(weights), reads(bias), reads(residual)},
                         [&](void* stream) { plan.run(operands, stream); });
    };
    std::string why_none;
    const std::vector<LibraryWay> ways = device_->convolution_ways(problem, why_none);
    ASSERT_FALSE(ways.empty()) << why_none;
    expect_equal_runs<ConvolutionPlan>(
        ways,
        [&](const LibraryWay& way, std::span<const std::byte> bytes) {
            return device_->build_convolution(problem, way, bytes);
        },
        run, problem.type);
}

TEST_P(StoredPlans, OfProductsRunAsTheyWereBuilt) {
    GemmProblem problem;
    problem.rows = 96;
    problem.columns = 64;
    problem.inner = 32 * GetParam().channels;
    problem.batch = 3;
    problem.stride_a = problem.rows * problem.inner;
    problem.stride_b = problem.inner * problem.columns;
    problem.stride_d = problem.rows * problem.columns;
    problem.type = problem.result_type = GetParam().type;
    problem.precision = GetParam().precision;
    problem.bias = GetParam().joined;
    problem.stride_bias = problem.columns;
    const Memory a = numbers(problem.batch * problem.stride_a, problem.type, 5);
    const Memory b = numbers(problem.batch * problem.stride_b, problem.type, 6);
    const Memory bias = numbers(problem.batch * problem.columns, DType::f32, 7);
    const Memory result =
        device_->allocate(static_cast<std::size_t>(problem.batch * problem.stride_d) * size_of(problem.result_type));
    const auto run = [&](const GemmPlan& plan) {
        const Memory workspace = device_->allocate(plan.workspace_bytes());
        const GemmOperands operands{a.data(), b.data(), plan.joined().bias ? bias.as<float>() : nullptr, result.data(),
                                    workspace.data()};
        return result_of(result, workspace, {reads(a), reads(b), reads(bias)},
                         [&](void* stream) { plan.run(operands, stream); });
    };
    expect_equal_runs<GemmPlan>(
        device_->gemm_ways(problem),
        [&](const LibraryWay& way, std::span<const std::byte> bytes) {
            return device_->build_gemm(problem, way, bytes);
        },
        run, problem.result_type);
}

INSTANTIATE_TEST_SUITE_P(Problems, StoredPlans,
                         ::testing::Values(Problem{"HalfJoined", DType::f16, Precision::fp16, 16, 32, true},
                                           Problem{"HalfAlone", DType::f16, Precision::fp16, 64, 8, false},
                                           Problem{"BfloatJoined", DType::bf16, Precision::bf16, 32, 16, true},
                                           Problem{"Tf32Joined", DType::f32, Precision::tf32, 64, 8, true},
                                           Problem{"FloatAlone", DType::f32, Precision::fp32, 32, 16, false}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace lossmap::cuda
