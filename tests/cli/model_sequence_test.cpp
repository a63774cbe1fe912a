#include "cli/run/model_sequence.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "tests/support/fake_executable.hpp"

namespace lossmap {
namespace {

/// Network `model` has the loss `model` + x on every sample.
std::unique_ptr<Executable> build_fake(std::size_t model) {
    return std::make_unique<test::FakeExecutable>(
        [model](const Point&, float x, std::int64_t) { return static_cast<double>(model) + static_cast<double>(x); });
}

TEST(ModelSequence, EachPointIsANetworkAndOneIsHeld) {
    std::vector<std::size_t> built;
    ModelSequence sequence(3, [&](std::size_t model) {
        built.push_back(model);
        return build_fake(model);
    });
    const test::FakeDataset data(4);
    const SampleChunk chunk = data.read(0, 4);
    double inputs = 0.0;
    for (std::int64_t k = 0; k < 4; ++k)
        inputs += static_cast<double>(test::FakeDataset::value(k));
    const std::vector<Point> points{{{0.0}}, {{0.0}}, {{2.0}}, {{1.0}}};
    std::vector<LossSums> sums(points.size());
    sequence.evaluate(points, chunk, sums);
    const double expected[] = {0.0, 0.0, 8.0, 4.0};
    for (std::size_t k = 0; k < points.size(); ++k)
        EXPECT_NEAR(sums[k].loss_sum, expected[k] + inputs, 1e-12);
    EXPECT_EQ(built, (std::vector<std::size_t>{0, 2, 1}));
}

TEST(ModelSequence, HandsOnWhatFollowsTheNumberOfTheNetwork) {
    ModelSequence sequence(2, [](std::size_t model) {
        return std::make_unique<test::FakeExecutable>([model](const Point& point, float, std::int64_t) {
            EXPECT_EQ(point.coordinates.size(), 2U);
            return 100.0 * static_cast<double>(model) + point.coordinates[0] - point.coordinates[1];
        });
    });
    const SampleChunk chunk = test::FakeDataset(1).read(0, 1);
    const std::vector<Point> points{{{0.0, 5.0, 2.0}}, {{1.0, 5.0, 2.0}}, {{1.0, -1.0, 0.5}}};
    std::vector<LossSums> sums(points.size());
    sequence.evaluate(points, chunk, sums);
    const double expected[] = {3.0, 103.0, 98.5};
    for (std::size_t k = 0; k < points.size(); ++k)
        EXPECT_EQ(sums[k].loss_sum, expected[k]);
}

/// Its error tells the point.
class RoundedExecutable final : public test::FakeExecutable {
public:
    RoundedExecutable() : FakeExecutable([](const Point&, float, std::int64_t) { return 0.0; }) {}
    [[nodiscard]] std::vector<double> precision_error(std::span<const Point> points, const SampleChunk&) override {
        EXPECT_EQ(points.size(), 1U);
        EXPECT_EQ(points[0].coordinates.size(), 2U);
        return {points[0].coordinates[0] - points[0].coordinates[1]};
    }
};

TEST(ModelSequence, MeasuresThePrecisionWhereItIsAsked) {
    ModelSequence sequence(2, [](std::size_t) { return std::make_unique<RoundedExecutable>(); });
    const SampleChunk chunk = test::FakeDataset(1).read(0, 1);
    const Point point{{1.0, 0.5, 0.125}};
    EXPECT_EQ(sequence.precision_error({&point, 1}, chunk), std::vector<double>{0.375});
}

TEST(ModelSequence, RefusesPointsThatAreNoNetwork) {
    ModelSequence sequence(2, build_fake);
    const test::FakeDataset data(1);
    const SampleChunk chunk = data.read(0, 1);
    LossSums sums;
    const Point beyond{{2.0}};
    EXPECT_THROW(sequence.evaluate({&beyond, 1}, chunk, {&sums, 1}), InternalError);
    const Point nothing;
    EXPECT_THROW(sequence.evaluate({&nothing, 1}, chunk, {&sums, 1}), InternalError);
}

}  // namespace
}  // namespace lossmap
