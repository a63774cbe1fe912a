// Samples that are bytes: what goes up to the device, what stays there, and that nothing changes by it.
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "data/dataset_factory.hpp"
#include "io/npy.hpp"
#include "landscape/scheduler.hpp"
#include "stage_networks.hpp"
#include "tests/cuda/random_case.hpp"
#include "tests/support/byte_samples.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::Emulated;
using test::HostDevice;
using test::HostDeviceOptions;
using test::NetworkRunner;
using test::RandomCase;
using test::ReferenceNet;
using test::with_bytes;
using test::with_values;

const std::vector<Point> kPoints{{{0.0, 0.0}}, {{0.3, -0.2}}, {{-0.1, 0.2}}};

std::vector<LossSums> evaluate(Executable& executable, std::span<const Point> points, const SampleChunk& chunk) {
    std::vector<LossSums> sums(points.size());
    executable.evaluate(points, chunk, sums);
    return sums;
}

/// Channels that 16-bit layers pad, or do not.
ReferenceNet convolutions(std::int64_t channels) {
    ReferenceNet net({channels, 5, 4}, 3);
    const auto x = net.relu(net.batch_norm(net.conv(net.input(), 5, 3, 1, 1)));
    net.output(net.gemm(net.flatten(net.max_pool(net.conv(x, 12, 3, 2, 1, 1, true), 3, 2, 1)), 5, true));
    return net;
}

ReferenceNet dense_layers(const Shape& sample) {
    ReferenceNet net(sample, 4);
    net.output(net.gemm(net.relu(net.gemm(net.flatten(net.input()), 16, true)), 5, true));
    return net;
}

/// Reads its input in several forms: channels last, as it is, and as a vector.
ReferenceNet many_readers() {
    ReferenceNet net({3, 6, 6}, 6);
    const auto x = net.add(net.conv(net.input(), 3, 3, 1, 1), net.sigmoid(net.input()));
    net.output(net.add(net.gemm(net.flatten(x), 5, true), net.gemm(net.flatten(net.input()), 5, true)));
    return net;
}

/// Bits of the losses with bytes, and with what they stand for.
void expect_same_bits(const ReferenceNet& net, std::int64_t channels, bool normalised, Precision precision) {
    HostDeviceOptions options;
    options.most_points = 2;
    const auto device = std::make_shared<HostDevice>(options);
    NetworkRunner runner(net, 5, 5, cuda::make_cuda_backend({device}));
    runner.request().precision = precision;
    runner.request().tile_samples = 3;
    const SampleChunk bytes = with_bytes(runner.chunk(), channels, normalised);
    const auto expected = evaluate(*runner.compile(), kPoints, with_values(bytes));
    EXPECT_FALSE(device->counts().by_name.contains("decode"));
    EXPECT_NE(expected[0], expected[1]);
    runner.request().inputs[0].byte_channels = channels;
    const auto executable = runner.compile();
    EXPECT_EQ(evaluate(*executable, kPoints, bytes), expected);
    EXPECT_GT(device->counts().by_name.at("decode"), 0);
    const Tensor output = executable->forward(kPoints[1], bytes);
    runner.request().inputs[0].byte_channels = 0;
    const Tensor plain = runner.compile()->forward(kPoints[1], with_values(bytes));
    EXPECT_TRUE(std::ranges::equal(output.as<float>(), plain.as<float>()));
}

TEST(CudaBytes, LossesHaveTheBitsOfDecodedSamples) {
    for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16}) {
        for (const bool normalised : {true, false}) {
            SCOPED_TRACE(fmt::format("{} {}", name_of(precision), normalised));
            for (const std::int64_t channels : {1, 3, 8, 12})
                expect_same_bits(convolutions(channels), normalised ? channels : 1, normalised, precision);
            expect_same_bits(dense_layers({3, 4, 5}), normalised ? 3 : 1, normalised, precision);
            expect_same_bits(dense_layers({21}), 1, normalised, precision);
            expect_same_bits(many_readers(), 3, normalised, precision);
        }
    }
}

TEST(CudaBytes, RandomNetworksHaveTheBitsOfDecodedSamples) {
    int networks = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        const RandomCase one = test::make_case(seed);
        const Shape& sample = one.net.sample_shape;
        if (one.net.vocabulary > 0 || sample.empty() || one.chunk.count == 0) continue;
        SCOPED_TRACE(test::text_of(one));
        const std::int64_t channels = seed % 2 == 0 ? sample[0] : 1;
        const SampleChunk bytes = with_bytes(one.chunk, channels);
        ExecutableRequest request = one.bound();
        const auto run = [&](const SampleChunk& chunk) {
            const auto backend = cuda::make_cuda_backend({std::make_shared<HostDevice>(one.options)});
            return evaluate(*backend->compile(request), one.points, chunk);
        };
        const auto expected = run(with_values(bytes));
        request.inputs[0].byte_channels = channels;
        const auto actual = run(bytes);
        for (std::size_t k = 0; k < expected.size(); ++k) {
            const bool both_nan = std::isnan(actual[k].loss_sum) && std::isnan(expected[k].loss_sum);
            EXPECT_TRUE(both_nan || actual[k] == expected[k]) << actual[k].loss_sum << ' ' << expected[k].loss_sum;
        }
        ++networks;
    }
    EXPECT_GT(networks, 20);
}

TEST(CudaBytes, AreDecodedStraightIntoTheFormOfTheFirstLayer) {
    Emulated half(test::three_stages());
    const auto first_operations = [&] {
        const nlohmann::json record = half.plan();
        std::string names;
        for (std::size_t k = 0; k < 2; ++k)
            names += record.at("operations").at("per_tile").at(k).at("by").get<std::string>() + ';';
        return names;
    };
    EXPECT_EQ(first_operations(), "kernel channel_layout;kernel stage;");
    const SampleChunk bytes = with_bytes(half.runner.chunk(), 3);
    const auto expected = evaluate(*half.runner.compile(), kPoints, with_values(bytes));
    half.runner.request().inputs[0].byte_channels = 3;
    EXPECT_EQ(first_operations(), "kernel decode;kernel stage;");
    EXPECT_EQ(evaluate(*half.runner.compile(), kPoints, bytes), expected);
}

TEST(CudaBytes, WhatOverflowsIsComputedAgainFromBytes) {
    NetworkRunner runner(convolutions(3), 7, 5, cuda::make_cuda_backend({std::make_shared<HostDevice>()}));
    for (float& weight : runner.net().origin().weights)
        weight *= 1e5F;
    runner.request().precision = Precision::fp16;
    runner.request().tile_samples = 4;
    const SampleChunk bytes = with_bytes(runner.chunk(), 3);
    const auto expected = evaluate(*runner.compile(), kPoints, with_values(bytes));
    runner.request().inputs[0].byte_channels = 3;
    EXPECT_EQ(expected[0].overflowed, 7);
    EXPECT_EQ(evaluate(*runner.compile(), kPoints, bytes), expected);
}

TEST(CudaBytes, StatisticsHaveTheBitsOfDecodedSamples) {
    NetworkRunner runner(convolutions(3), 7, 5, cuda::make_cuda_backend({std::make_shared<HostDevice>()}));
    runner.request().statistics_batches = {3, 1};
    const SampleChunk bytes = with_bytes(runner.chunk(), 3);
    const auto estimate = [&](const SampleChunk& chunk) {
        std::vector<StatisticSums> sums(kPoints.size());
        runner.compile()->estimate_statistics(kPoints, chunk, 3, sums);
        return sums;
    };
    const auto expected = estimate(with_values(bytes));
    runner.request().inputs[0].byte_channels = 3;
    const auto actual = estimate(bytes);
    for (std::size_t k = 0; k < kPoints.size(); ++k) {
        EXPECT_EQ(actual[k].batches, 3);
        EXPECT_EQ(actual[k].sums, expected[k].sums);
    }
}

TEST(CudaBytes, AChunkOfAnotherKindIsRefused) {
    NetworkRunner runner(convolutions(3), 4, 5, cuda::make_cuda_backend({std::make_shared<HostDevice>()}));
    const SampleChunk bytes = with_bytes(runner.chunk(), 3);
    EXPECT_THROW(evaluate(*runner.compile(), kPoints, bytes), InternalError);
    runner.request().inputs[0].byte_channels = 3;
    const auto executable = runner.compile();
    EXPECT_THROW(evaluate(*executable, kPoints, with_values(bytes)), InternalError);
    EXPECT_THROW(evaluate(*executable, kPoints, with_bytes(runner.chunk(), 1)), InternalError);
}

/// What calls send to a device.
class Traffic {
public:
    explicit Traffic(const HostDeviceOptions& options = {}) : device_(std::make_shared<HostDevice>(options)) {
        executable_ = compile(device_);
        const SampleChunk known = chunk();
        static_cast<void>(sent_by(known));
        own_ = sent_by(known);
    }

    /// Of an identity of its own, with a table of its own.
    [[nodiscard]] static SampleChunk chunk(std::uint8_t first_byte = 0) {
        SampleChunk one = with_bytes(runner(std::make_shared<HostDevice>()).chunk(), 3);
        one.inputs[0].as<std::uint8_t>()[0] = first_byte;
        one.identity = new_identity();
        return one;
    }
    /// Bytes that the evaluation of some points sends, but for what every call sends. The losses have to be those of
    /// the chunk.
    [[nodiscard]] std::int64_t of(const SampleChunk& chunk) { return sent_by(chunk) - own_; }
    [[nodiscard]] HostDevice& device() { return *device_; }

private:
    static NetworkRunner runner(const std::shared_ptr<HostDevice>& device) {
        NetworkRunner result(dense_layers({3, 8, 8}), 61, 5, cuda::make_cuda_backend({device}));
        result.request().tile_samples = 16;
        result.request().inputs[0].byte_channels = 3;
        return result;
    }
    static std::unique_ptr<Executable> compile(const std::shared_ptr<HostDevice>& device) {
        return runner(device).compile();
    }
    std::int64_t sent_by(const SampleChunk& chunk) {
        const std::int64_t before = device_->counts().bytes_to_device;
        const auto sums = evaluate(*executable_, kPoints, chunk);
        const std::int64_t sent = device_->counts().bytes_to_device - before;
        EXPECT_EQ(evaluate(*compile(std::make_shared<HostDevice>()), kPoints, chunk), sums);
        return sent;
    }

    std::shared_ptr<HostDevice> device_;
    std::unique_ptr<Executable> executable_;
    std::int64_t own_ = 0;
};

constexpr std::int64_t kTable = 3 * 256 * 4;
constexpr std::int64_t kSamples = 64 * 3 * 64 + 61 * 8;  ///< four tiles of bytes, the last one filled up; labels
constexpr std::int64_t kRoom = 64 * (3 * 64 + 8);        ///< that they take on the device

TEST(CudaBytes, GoUpAsBytesAndStayForTheNextPoints) {
    Traffic traffic;
    SampleChunk one = Traffic::chunk(1);
    one.identity = nullptr;  // it may have changed
    EXPECT_EQ(traffic.of(one), kTable + kSamples);
    EXPECT_EQ(traffic.of(one), kSamples);
    one.inputs[0].as<std::uint8_t>()[0] = 2;
    EXPECT_EQ(traffic.of(one), kSamples);
    one.identity = new_identity();
    EXPECT_EQ(traffic.of(one), kSamples);
    SampleChunk other = Traffic::chunk(3);
    EXPECT_EQ(traffic.of(other), kTable + kSamples);
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(traffic.of(one), kTable);
        EXPECT_EQ(traffic.of(one), 0);
        EXPECT_EQ(traffic.of(other), kTable);
    }
    // Memory of samples that are gone is used again.
    const std::int64_t bytes = traffic.device().bytes_in_use();
    for (int round = 0; round < 3; ++round) {
        one.identity = new_identity();
        EXPECT_EQ(traffic.of(one), kTable + kSamples);
        EXPECT_EQ(traffic.of(other), kTable);
        EXPECT_EQ(traffic.device().bytes_in_use(), bytes);
    }
}

TEST(CudaBytes, WhatStaysIsBounded) {
    HostDeviceOptions options;
    options.memory_bytes = std::int64_t{256} << 10;
    constexpr std::int64_t kKept = (std::int64_t{64} << 10) / kRoom;
    Traffic traffic(options);
    std::vector<SampleChunk> chunks;
    for (std::int64_t k = 0; k < kKept + 2; ++k) {
        chunks.push_back(Traffic::chunk(static_cast<std::uint8_t>(k)));
        EXPECT_GE(traffic.of(chunks.back()), kSamples);
    }
    const std::int64_t bytes = traffic.device().bytes_in_use();
    // Those that came first have stayed and are met again in every round; the newest ones give way to each other.
    for (int round = 0; round < 2; ++round) {
        for (std::int64_t k = 0; k < kKept + 2; ++k) {
            EXPECT_EQ(traffic.of(chunks[static_cast<std::size_t>(k)]) < kSamples, k < kKept - 1) << k;
            EXPECT_EQ(traffic.device().bytes_in_use(), bytes);
        }
    }
}

TEST(CudaBytes, WhatStaysGivesWayWhereMemoryIsShort) {
    Traffic traffic;
    const std::array<SampleChunk, 3> chunks{Traffic::chunk(1), Traffic::chunk(2), Traffic::chunk(3)};
    EXPECT_EQ(traffic.of(chunks[0]), kTable + kSamples);
    EXPECT_EQ(traffic.of(chunks[1]), kTable + kSamples);
    const std::int64_t free = traffic.device().facts().memory_bytes - traffic.device().bytes_in_use();
    const cuda::Memory others = traffic.device().allocate(static_cast<std::size_t>(free - kRoom + 1));
    EXPECT_EQ(traffic.of(chunks[2]), kTable + kSamples);
    EXPECT_EQ(traffic.of(chunks[0]), kTable);
    EXPECT_EQ(traffic.of(chunks[1]), kTable + kSamples);
}

/// Scheduled as a run is, chunks kept or read again; a third chunk has one sample.
std::pair<std::vector<double>, std::int64_t> scheduled(bool bytes, std::int64_t cache_bytes) {
    const test::TemporaryDirectory folder;
    const SampleChunk all = Traffic::chunk();
    DataSpec spec;
    spec.format = DataFormat::npy;
    spec.files.arrays = {{"x", folder / "x.npy"}, {"y", folder / "y.npy"}};
    spec.mean = {0.1F, 0.2F, 0.3F};
    spec.std = {0.4F, 0.5F, 0.6F};
    spec.subset = SubsetSpec{0, 41, true, 1};
    write_npy(folder / "x.npy", all.inputs[0].view());
    write_npy(folder / "y.npy", all.target.view());
    DataExpectation expectation;
    expectation.inputs = {{"input", DType::f32, {3, 8, 8}}};
    expectation.bytes = bytes;
    const auto data = open_dataset(spec, expectation);
    const auto device = std::make_shared<HostDevice>();
    NetworkRunner runner(dense_layers({3, 8, 8}), 1, 5, cuda::make_cuda_backend({device}));
    runner.request().tile_samples = 16;
    runner.request().inputs = data->inputs();
    const auto executable = runner.compile();
    Surface surface = make_surface({0.0, 0.1, 0.2, 0.3, 0.4, 0.5}, {}, {"train"}, true);
    std::vector<Point> points;
    for (const double x : surface.x)
        points.push_back({{x, -x}});
    SchedulerOptions options;
    options.chunk_samples = 20;
    options.points_per_block = 2;
    options.cache_bytes = cache_bytes;
    const std::int64_t before = device->counts().bytes_to_device;
    run_schedule(*executable, points, {{"train", data.get()}}, nullptr, options, surface);
    return {surface.splits[0].loss, device->counts().bytes_to_device - before};
}

TEST(CudaBytes, ARunSendsEachSampleOnce) {
    const auto [expected, sent_values] = scheduled(false, std::int64_t{1} << 20);
    // Tiles of 16, 4 and 16, filled up; labels.
    const std::int64_t rows = 32 + 32 + 16, labels = 41 * 8;
    for (const std::int64_t cache_bytes : {std::int64_t{1} << 20, std::int64_t{0}}) {
        const auto [losses, sent] = scheduled(true, cache_bytes);
        EXPECT_EQ(losses, expected);
        EXPECT_GE(sent, rows * 3 * 64 + labels + kTable);
        EXPECT_LT(sent, rows * 3 * 64 + labels + kTable + 1024) << "coordinates, of nine calls";
        EXPECT_EQ(sent_values - sent, 3 * rows * 3 * 64 - kTable);
    }
}

}  // namespace
}  // namespace lossmap
