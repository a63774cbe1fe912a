#include <cstring>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data/expected_images.hpp"
#include "tests/io/expect_input_error.hpp"

namespace lossmap {
namespace {

using test::expect_input_error;
using test::images;

TEST(Synthetic, IsTheSameForEveryChunking) {
    DataSpec spec;
    spec.synthetic_count = 300;
    spec.synthetic_seed = 5;
    DataExpectation expectation = images({2, 3});
    expectation.inputs.push_back({"ids", DType::i64, {4}});
    const auto data = open_dataset(spec, expectation);
    const SampleChunk whole = data->read(0, 300);
    const SampleChunk part = data->read(123, 7);
    EXPECT_EQ(std::memcmp(part.inputs[0].data(), whole.inputs[0].as<float>().data() + 123 * 6, 7 * 6 * 4), 0);
    EXPECT_EQ(std::memcmp(part.inputs[1].data(), whole.inputs[1].as<std::int64_t>().data() + 123 * 4, 7 * 4 * 8), 0);
    EXPECT_EQ(part.target.as<std::int64_t>()[0], whole.target.as<std::int64_t>()[123]);
    double sum = 0;
    double squares = 0;
    for (const float value : whole.inputs[0].as<float>()) {
        sum += value;
        squares += static_cast<double>(value) * value;
    }
    EXPECT_NEAR(sum / 1800, 0, 0.1);       // standard deviation of the mean: 0.024
    EXPECT_NEAR(squares / 1800, 1, 0.15);  // of the variance: 0.033
    std::vector<int> counts(10);
    for (const std::int64_t label : whole.target.as<std::int64_t>())
        ++counts.at(static_cast<std::size_t>(label));
    EXPECT_THAT(counts, testing::Each(testing::AllOf(testing::Gt(10), testing::Lt(60))));
    EXPECT_THAT(whole.inputs[1].as<std::int64_t>(), testing::Each(testing::AllOf(testing::Ge(0), testing::Lt(10))));
    spec.subset = SubsetSpec{123, 7, false, 0};
    const auto subset = open_dataset(spec, expectation);
    EXPECT_EQ(subset->size(), 7);
    EXPECT_EQ(std::memcmp(subset->read(0, 7).inputs[0].data(), part.inputs[0].data(), part.inputs[0].size_bytes()), 0);
    EXPECT_NE(subset->content_hash(), data->content_hash());
}

TEST(Synthetic, SaysWhatItCannotMake) {
    DataSpec spec;
    expect_input_error([&] { (void)open_dataset(spec, images({-1, 3})); }, {"fixed extents", "'input'", "[-1, 3]"});
    spec.synthetic_count = 0;
    expect_input_error([&] { (void)open_dataset(spec, images({3})); }, {"count is 0"});
    spec.synthetic_count = 10;
    spec.subset = SubsetSpec{5, 6, false, 0};
    expect_input_error([&] { (void)open_dataset(spec, images({3})); },
                       {"6 samples from sample 5 on, but there are 10"});
}

}  // namespace
}  // namespace lossmap
