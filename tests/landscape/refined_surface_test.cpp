#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "landscape/refinement.hpp"
#include "landscape/surface_file.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

/// Every second point of a line of nine, on a cubic and near the ends of what an accuracy can be.
Surface half_known(bool has_accuracy) {
    Surface surface = make_surface(linspace(0.0, 8.0, 9), {}, {"train"}, has_accuracy);
    SplitSurface& split = surface.splits[0];
    for (std::size_t k = 0; k < 9; k += 2) {
        split.done[k] = 1;
        split.loss[k] = std::pow(surface.x[k], 3);
        if (has_accuracy) split.accuracy[k] = k < 4 ? 0.0 : 100.0;
    }
    return surface;
}

TEST(InterpolateMissing, FillsInWhatIsNotDone) {
    Surface surface = half_known(true);
    interpolate_missing(surface, 5);
    const SplitSurface& split = surface.splits[0];
    for (std::size_t k = 0; k < 9; ++k) {
        EXPECT_NEAR(split.interpolated_loss[k], std::pow(surface.x[k], 3), 1e-11);
        EXPECT_EQ(split.error_estimate[k] == 0.0, k % 2 == 0);
        EXPECT_EQ(split.loss[k] == -1.0, k % 2 == 1) << "the loss itself stays not computed";
        EXPECT_GE(split.interpolated_accuracy[k], 0.0);
        EXPECT_LE(split.interpolated_accuracy[k], 100.0) << "a cubic through a step would leave the range";
        EXPECT_EQ(split.shown_loss(k), split.interpolated_loss[k]);
    }
}

TEST(InterpolateMissing, LeavesACompleteGridAndOneWithoutItsCoarseGridAlone) {
    Surface surface = half_known(false);
    interpolate_missing(surface, 5);
    EXPECT_TRUE(surface.splits[0].interpolated_accuracy.empty());
    surface.splits[0].done.assign(9, 1);
    interpolate_missing(surface, 5);
    EXPECT_TRUE(surface.splits[0].interpolated_loss.empty());
    EXPECT_TRUE(surface.splits[0].error_estimate.empty());
    surface.splits[0].done[4] = 0;
    interpolate_missing(surface, 5);
    EXPECT_TRUE(surface.splits[0].error_estimate.empty());
    EXPECT_TRUE(std::isnan(surface.splits[0].shown_loss(4)));
}

TEST(RefinedSurfaceFile, KeepsWhatIsInterpolated) {
    const test::TemporaryDirectory folder;
    Surface surface = half_known(true);
    interpolate_missing(surface, 5);
    surface.splits[0].error_estimate[7] = std::numeric_limits<double>::infinity();
    write_surface(folder / "surface.h5", surface);
    const Surface read = read_surface(folder / "surface.h5");
    ASSERT_EQ(read.splits.size(), 1u) << "'train_interpolated_loss' is no split of its own";
    EXPECT_EQ(read.splits[0].interpolated_loss, surface.splits[0].interpolated_loss);
    EXPECT_EQ(read.splits[0].interpolated_accuracy, surface.splits[0].interpolated_accuracy);
    EXPECT_EQ(read.splits[0].error_estimate, surface.splits[0].error_estimate);
    EXPECT_EQ(read.splits[0].loss, surface.splits[0].loss);
}

}  // namespace
}  // namespace lossmap
