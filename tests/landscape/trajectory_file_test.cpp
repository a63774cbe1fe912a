#include "landscape/trajectory_file.hpp"

#include <limits>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "io/hdf5_file.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

TrajectoryPath example() {
    TrajectoryPath path;
    path.checkpoints = {"a", "b", "c"};
    path.x = {2.0, 1.0, 0.0};
    path.y = {-1.0, 0.5, 0.0};
    path.norm = {3.0, 1.5, 0.0};
    path.distance = {1.0, 0.5, 0.0};
    path.weight_norm = {5.0, 6.0, 7.0};
    path.iterations = {0, 100, 200};
    path.lr_drops = {1};
    path.axis_labels = {"1st PC: 60.00 %", "2nd PC: 20.00 %"};
    path.losses = {{"train", {2.0, std::numeric_limits<double>::infinity(), 0.5}, {2.5, 1.0, 0.5}}};
    path.provenance = R"({"program": "test"})";
    return path;
}

TEST(TrajectoryFile, ReadsBackWhatWasWritten) {
    const test::TemporaryDirectory folder;
    const TrajectoryPath path = example();
    write_trajectory(folder / "t.h5", path);
    const TrajectoryPath back = read_trajectory(folder / "t.h5");
    EXPECT_EQ(back.checkpoints, path.checkpoints);
    EXPECT_EQ(back.x, path.x);
    EXPECT_EQ(back.y, path.y);
    EXPECT_EQ(back.norm, path.norm);
    EXPECT_EQ(back.distance, path.distance);
    EXPECT_EQ(back.weight_norm, path.weight_norm);
    EXPECT_TRUE(back.epochs.empty());
    EXPECT_EQ(back.iterations, path.iterations);
    EXPECT_EQ(back.lr_drops, path.lr_drops);
    EXPECT_EQ(back.axis_labels, path.axis_labels);
    ASSERT_EQ(back.losses.size(), 1u);
    EXPECT_EQ(back.losses[0].split, "train");
    EXPECT_EQ(back.losses[0].checkpoint_loss, path.losses[0].checkpoint_loss);
    EXPECT_EQ(back.losses[0].plane_loss, path.losses[0].plane_loss);
    EXPECT_EQ(back.provenance, path.provenance);
    EXPECT_DOUBLE_EQ(back.captured_share(), 1.0 - 1.25 / 11.25);
}

TEST(TrajectoryFile, ReferenceFilesHoldCoordinatesAlone) {
    const test::TemporaryDirectory folder;
    Hdf5File file = Hdf5File::create(folder / "t.h5");
    const std::vector<double> values{1.0, 0.0};
    file.write("proj_xcoord", std::span<const double>(values), {2});
    file.write("proj_ycoord", std::span<const double>(values), {2});
    file.close();
    const TrajectoryPath path = read_trajectory(folder / "t.h5");
    EXPECT_EQ(path.x, values);
    EXPECT_TRUE(path.norm.empty() && path.losses.empty() && path.axis_labels.empty());
}

TEST(TrajectoryFile, WhatDoesNotFitIsRefused) {
    const test::TemporaryDirectory folder;
    TrajectoryPath path = example();
    path.norm.pop_back();
    write_trajectory(folder / "t.h5", path);
    EXPECT_THROW(static_cast<void>(read_trajectory(folder / "t.h5")), InputError);
    path = example();
    path.lr_drops = {3};
    write_trajectory(folder / "t.h5", path);
    EXPECT_THROW(static_cast<void>(read_trajectory(folder / "t.h5")), InputError);
    path = example();
    path.x.clear();
    write_trajectory(folder / "t.h5", path);
    EXPECT_THROW(static_cast<void>(read_trajectory(folder / "t.h5")), InputError);
}

}  // namespace
}  // namespace lossmap
