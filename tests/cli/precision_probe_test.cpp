#include "cli/run/precision_probe.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>

#include "tests/support/fake_executable.hpp"

namespace lossmap {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Is off by its first coordinate.
class RoughExecutable : public test::FakeExecutable {
public:
    explicit RoughExecutable(bool exact)
        : FakeExecutable([](const Point&, float, std::int64_t) { return 0.0; }), exact_(exact) {}
    [[nodiscard]] bool is_exact() const override { return exact_; }
    [[nodiscard]] std::vector<double> precision_error(std::span<const Point> points,
                                                      const SampleChunk& chunk) override {
        EXPECT_FALSE(exact_);
        samples = chunk.count;
        std::vector<double> errors;
        for (const Point& point : points)
            errors.push_back(point.coordinates[0]);
        return errors;
    }
    std::int64_t samples = 0;

private:
    bool exact_;
};

PrecisionError errors(std::vector<double> relative) {
    PrecisionError result;
    result.samples = 7;
    for (std::size_t k = 0; k < relative.size(); ++k)
        result.points.push_back({{static_cast<double>(k), 0.5}});
    result.relative = std::move(relative);
    return result;
}

TEST(PrecisionProbe, AsksAtTheFirstTheMiddleAndTheLastPoint) {
    RoughExecutable rough(false);
    const test::FakeDataset data(1000);
    const std::vector<Point> points{{{1.0}}, {{2.0}}, {{3.0}}, {{4.0}}, {{5.0}}};
    const PrecisionError error = probe_precision(rough, points, data);
    EXPECT_EQ(error.relative, (std::vector<double>{1.0, 3.0, 5.0}));
    EXPECT_EQ(error.samples, 256);
    EXPECT_EQ(rough.samples, 256);
}

TEST(PrecisionProbe, DoesNotAskWhereNothingIsRounded) {
    RoughExecutable exact(true);
    const test::FakeDataset data(3);
    const std::vector<Point> points{{{1.0}}};
    EXPECT_TRUE(probe_precision(exact, points, data).points.empty());
    RoughExecutable rough(false);
    EXPECT_TRUE(probe_precision(rough, {}, data).points.empty());
}

TEST(PrecisionProbe, SaysHowFarItIs) {
    const PrecisionRemark remark = remark_on(errors({1e-3, 2.5e-3, 0.0}), Precision::fp16, "cuda");
    EXPECT_EQ(remark.text, "fp16: mean losses of 7 samples at 3 points are within 0.0025 of plain fp32's");
    EXPECT_FALSE(remark.unexplained);
}

TEST(PrecisionProbe, WarnsOfWhatRoundingDoesNotExplain) {
    // The same difference is nothing in 16 bits, and a fault in fp32.
    EXPECT_FALSE(remark_on(errors({0.0, 2e-4}), Precision::tf32, "cuda").unexplained);
    EXPECT_FALSE(remark_on(errors({0.0, 2e-4}), Precision::bf16, "cuda").unexplained);
    EXPECT_FALSE(remark_on(errors({0.0, 9e-5}), Precision::fp32, "cuda").unexplained);
    const PrecisionRemark remark = remark_on(errors({0.0, 2e-4}), Precision::fp32, "cuda");
    EXPECT_TRUE(remark.unexplained);
    EXPECT_NE(remark.text.find("off by up to 0.0002 of plain fp32's, at (1, 0.5); rounding explains 0.0001"),
              std::string::npos)
        << remark.text;
    EXPECT_NE(remark.text.find("--disable-pass split_stages"), std::string::npos) << remark.text;
}

TEST(PrecisionProbe, WarnsWhereOneOfTheLossesIsNoNumber) {
    for (const double broken : {kNaN, std::numeric_limits<double>::infinity()}) {
        const PrecisionRemark remark = remark_on(errors({1e-3, broken, 1e-3}), Precision::bf16, "cuda");
        EXPECT_TRUE(remark.unexplained);
        EXPECT_NE(remark.text.find("at (1, 0.5)"), std::string::npos) << remark.text;
        EXPECT_NE(remark.text.find("--disable-pass stages"), std::string::npos) << remark.text;
        const std::string on_cpu = remark_on(errors({broken}), Precision::bf16, "cpu").text;
        EXPECT_NE(on_cpu.find("--disable-pass transforms"), std::string::npos) << on_cpu;
    }
}

}  // namespace
}  // namespace lossmap
