#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "backend/bound_request.hpp"
#include "core/error.hpp"
#include "cpu/cpu_backend.hpp"
#include "cpu/plan_record.hpp"
#include "cpu/winograd_kernel.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap {
namespace {

using test::NetworkRunner;
using test::ReferenceNet;
using ::testing::HasSubstr;

ReferenceNet tiny_net() {
    ReferenceNet net({3, 4, 4}, 31);
    net.output(net.gemm(net.flatten(net.relu(net.conv(net.input(), 2, 3, 1, 1))), 5, true));
    return net;
}

class CpuBackendRefuses : public ::testing::Test {
protected:
    /// The sentence of why_not; compile must throw the same one.
    std::string refusal(ExecutableRequest request) {
        request.graph = &graph_;
        request.space = &runner_.net().space();
        request.origin = &runner_.net().origin();
        const auto backend = make_cpu_backend();
        const std::string sentence = backend->why_not(request);
        try {
            static_cast<void>(backend->compile(request));
            EXPECT_EQ(sentence, "");
        } catch (const InputError& error) {
            EXPECT_EQ(sentence, error.what());
        }
        return sentence;
    }

    NetworkRunner runner_{tiny_net(), 2, 5, make_cpu_backend()};
    ExecutableRequest request_ = runner_.request();
    Graph graph_ = runner_.net().graph();
};

TEST_F(CpuBackendRefuses, NothingThatFits) { EXPECT_EQ(refusal(request_), ""); }

TEST_F(CpuBackendRefuses, OtherPrecisions) {
    for (const Precision precision : {Precision::tf32, Precision::fp16}) {
        request_.precision = precision;
        EXPECT_EQ(refusal(request_),
                  std::string("the CPU backend computes in fp32 and bf16, not in ") + name_of(precision));
    }
    request_.precision = Precision::bf16;
    if (cpu::bf16_available()) {
        EXPECT_EQ(refusal(request_), "");
    } else {
        EXPECT_EQ(refusal(request_), "bf16 on the CPU needs AVX-512 with bf16, or AMX; here oneDNN has " +
                                         cpu::instruction_set() + ", which runs fp32");
    }
}

TEST_F(CpuBackendRefuses, AnotherSampleShape) {
    request_.inputs[0].sample_shape = {3, 5, 4};
    EXPECT_EQ(refusal(request_),
              "graph input 'input' expects [3, 4, 4] a sample, the data's array 'input' has [3, 5, 4]");
}

TEST_F(CpuBackendRefuses, AnotherElementType) {
    request_.inputs[0].dtype = DType::i64;
    EXPECT_THAT(refusal(request_), HasSubstr("holds f32"));
}

TEST_F(CpuBackendRefuses, TooManyArrays) {
    request_.inputs = {{"a", DType::f32, {3, 4, 4}}, {"b", DType::f32, {3, 4, 4}}};
    EXPECT_EQ(refusal(request_), "the graph has 1 inputs, the data 2 arrays, and no name matches");
    // One array under another name is taken in order.
    request_.inputs = {{"x", DType::f32, {3, 4, 4}}};
    EXPECT_EQ(refusal(request_), "");
}

TEST_F(CpuBackendRefuses, TargetsThatDoNotFitTheLoss) {
    request_.target.sample_shape = {2};
    EXPECT_THAT(refusal(request_), HasSubstr("needs targets of shape []"));
    request_.target = {"target", DType::f32, {}};
    EXPECT_THAT(refusal(request_), HasSubstr("needs integer labels"));
    request_.loss.kind = LossKind::mse;
    EXPECT_THAT(refusal(request_), HasSubstr("the network's output has [5] a sample, the targets []"));
    request_.target.sample_shape = {5};
    EXPECT_EQ(refusal(request_), "");
    request_.loss.kind = LossKind::output;
    EXPECT_THAT(refusal(request_), HasSubstr("one number is needed"));
}

TEST_F(CpuBackendRefuses, WrongLossOptions) {
    request_.loss.class_weights = {1.0};
    EXPECT_THAT(refusal(request_), HasSubstr("1 class weights for 5 classes"));
    request_.loss = {};
    request_.loss.class_axis = 2;
    EXPECT_THAT(refusal(request_), HasSubstr("class axis 2"));
    request_.loss = {};
    request_.loss.output_name = "nothing";
    EXPECT_EQ(refusal(request_), "the graph has no output 'nothing'");
}

TEST_F(CpuBackendRefuses, UnknownOperators) {
    graph_.nodes[1].op_type = "Frobnicate";
    EXPECT_THAT(refusal(request_), HasSubstr("Frobnicate"));
}

TEST_F(CpuBackendRefuses, ATileThatIsNotTheModelsBatch) {
    graph_.value(graph_.inputs[0]).declared[0] = {4, ""};
    EXPECT_EQ(refusal(request_), "");
    request_.tile_samples = 2;
    EXPECT_EQ(refusal(request_), "the model's batch is fixed at 4, a tile of 2 samples was asked for");
}

TEST_F(CpuBackendRefuses, AxesOfAnotherLength) {
    const std::vector<float> axis(3, 0.0F);
    request_.axes = {{axis, {}}};
    EXPECT_THAT(refusal(request_), HasSubstr("axis 0 has 3 weights"));
}

TEST(CpuBackend, DescribesItself) {
    const auto backend = make_cpu_backend();
    EXPECT_EQ(backend->name(), "cpu");
    ASSERT_EQ(backend->devices().size(), 1u);
    EXPECT_EQ(backend->devices()[0].id, "cpu");
    EXPECT_GT(backend->devices()[0].memory_bytes, 0);
    std::vector<Precision> precisions{Precision::fp32};
    if (cpu::bf16_available()) precisions.push_back(Precision::bf16);
    EXPECT_EQ(backend->devices()[0].precisions, precisions);
    EXPECT_THAT(backend->library_versions(), ::testing::Contains(HasSubstr("oneDNN 3")));
}

TEST(CpuBackend, RecordsItsPlan) {
    NetworkRunner runner(tiny_net(), 2, 5, make_cpu_backend());
    runner.request().tile_samples = 2;
    const std::string plan = runner.compile()->plan_json();
    EXPECT_THAT(plan, HasSubstr("\"tile_samples\":2"));
    EXPECT_THAT(plan, HasSubstr("\"instruction_set\""));
    EXPECT_THAT(plan, HasSubstr("Conv_0"));
}

TEST(CpuBackend, EachPassOfTheCpuChangesThePlan) {
    ReferenceNet net({16, 8, 8}, 3);
    const auto x = net.relu(net.batch_norm(net.conv(net.input(), 16, 3, 1, 1)));
    const auto sum = net.relu(net.add(net.batch_norm(net.conv(x, 16, 3, 1, 1)), x));
    net.output(net.linear(net.flatten(net.global_average_pool(sum)), 5));
    NetworkRunner runner(std::move(net), 4, 5, make_cpu_backend());
    const std::vector<double> point{0.3, -0.2};
    const auto operations = [&] { return nlohmann::json::parse(runner.compile()->plan_json()).at("operations"); };
    const nlohmann::json all = operations();
    for (const PassInfo& pass : pass_table()) {
        runner.request().passes = {};
        runner.request().passes.*pass.enabled = false;
        const auto executable = runner.compile();
        EXPECT_LT(runner.error(*executable, point), 1e-5) << pass.name;
        EXPECT_EQ(nlohmann::json::parse(executable->plan_json()).at("passes").at(std::string(pass.name)), false);
        // The network has neither dead nodes nor constants to fold; Winograd needs a processor that lossmap knows it
        // for; stages, pooling and chains are CUDA's.
        const bool can_change = pass.enabled != &PassSet::dead_code && pass.enabled != &PassSet::constant_folding &&
                                pass.enabled != &PassSet::stages && pass.enabled != &PassSet::split_stages &&
                                pass.enabled != &PassSet::warpgroup_stages &&
                                pass.enabled != &PassSet::warpgroup_split_stages && pass.enabled != &PassSet::pooling &&
                                pass.enabled != &PassSet::dense_chains &&
                                (pass.enabled != &PassSet::transforms || cpu::winograd_available());
        EXPECT_EQ(operations() != all, can_change) << pass.name;
    }
}

TEST(CpuBackend, AChunkOfOtherFieldsIsAnInternalError) {
    const NetworkRunner runner(tiny_net(), 2, 5, make_cpu_backend());
    const auto executable = runner.compile();
    SampleChunk chunk;
    chunk.count = 2;
    chunk.inputs.emplace_back(DType::f32, Shape{2, 3, 4, 5});
    chunk.target = Tensor(DType::i64, {2});
    std::vector<LossSums> sums(1);
    const std::vector<Point> points{{{0.0, 0.0}}};
    EXPECT_THROW(executable->evaluate(points, chunk, sums), InternalError);
    EXPECT_THROW(executable->evaluate(std::vector<Point>{{{0.0}}}, runner.chunk(), sums), InternalError);
}

TEST(LossSums, AddUp) {
    LossSums sums{1.0, 2.0, 3.0, 4, 5, 6, 7};
    sums += LossSums{0.5, 0.25, 1.0, 1, 2, 3, 4};
    EXPECT_EQ(sums, (LossSums{1.5, 2.25, 4.0, 5, 7, 9, 11}));
    EXPECT_STREQ(name_of(Precision::tf32), "tf32");
}

}  // namespace
}  // namespace lossmap
