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
    path.losses = {{"train", {2.0, std::numeric_limits<double>::infinity(), 0.5}, {2.5, 1.0, 0.5}}};
    return path;
}

TrajectoryPlane plane_of(const std::vector<TrajectoryPath>& runs) {
    return {runs, {"1st PC: 60.00 %", "2nd PC: 20.00 %"}, {"a note"}, R"({"program": "test"})"};
}

void expect_equal(const TrajectoryPath& back, const TrajectoryPath& path) {
    EXPECT_EQ(back.label, path.label);
    EXPECT_EQ(back.checkpoints, path.checkpoints);
    EXPECT_EQ(back.x, path.x);
    EXPECT_EQ(back.y, path.y);
    EXPECT_EQ(back.norm, path.norm);
    EXPECT_EQ(back.distance, path.distance);
    EXPECT_EQ(back.weight_norm, path.weight_norm);
    EXPECT_TRUE(back.epochs.empty());
    EXPECT_EQ(back.iterations, path.iterations);
    EXPECT_EQ(back.lr_drops, path.lr_drops);
    ASSERT_EQ(back.losses.size(), path.losses.size());
    for (std::size_t s = 0; s < path.losses.size(); ++s) {
        EXPECT_EQ(back.losses[s].split, path.losses[s].split);
        EXPECT_EQ(back.losses[s].checkpoint_loss, path.losses[s].checkpoint_loss);
        EXPECT_EQ(back.losses[s].plane_loss, path.losses[s].plane_loss);
    }
}

TEST(TrajectoryFile, ReadsBackWhatWasWritten) {
    const test::TemporaryDirectory folder;
    const TrajectoryPlane plane = plane_of({example()});
    write_trajectory(folder / "t.h5", plane);
    EXPECT_FALSE(Hdf5File::open(folder / "t.h5").exists("runs"));
    const TrajectoryPlane back = read_trajectory(folder / "t.h5");
    ASSERT_EQ(back.runs.size(), 1u);
    expect_equal(back.runs[0], plane.runs[0]);
    EXPECT_EQ(back.axis_labels, plane.axis_labels);
    EXPECT_EQ(back.notes, plane.notes);
    EXPECT_EQ(back.provenance, plane.provenance);
    EXPECT_DOUBLE_EQ(back.runs[0].captured_share(), 1.0 - 1.25 / 11.25);
}

TEST(TrajectoryFile, RunsHaveGroupsAndTheFirstOneStandsAtTheRootToo) {
    const test::TemporaryDirectory folder;
    std::vector<TrajectoryPath> runs(11, example());
    for (std::size_t k = 0; k < runs.size(); ++k) {
        runs[k].label = "run " + std::to_string(k);
        runs[k].x[0] = static_cast<double>(k);
    }
    runs[1].losses = {{"test", {1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}}};
    write_trajectory(folder / "t.h5", plane_of(runs));
    const TrajectoryPlane back = read_trajectory(folder / "t.h5");
    ASSERT_EQ(back.runs.size(), runs.size());
    for (std::size_t k = 0; k < runs.size(); ++k)
        expect_equal(back.runs[k], runs[k]);
    const Hdf5File file = Hdf5File::open(folder / "t.h5");
    EXPECT_EQ(file.read<double>("proj_xcoord"), runs[0].x);
    EXPECT_EQ(file.read<double>("runs/10/proj_xcoord"), runs[10].x);
}

TEST(TrajectoryFile, ReferenceFilesHoldCoordinatesAlone) {
    const test::TemporaryDirectory folder;
    Hdf5File file = Hdf5File::create(folder / "t.h5");
    const std::vector<double> values{1.0, 0.0};
    file.write("proj_xcoord", std::span<const double>(values), {2});
    file.write("proj_ycoord", std::span<const double>(values), {2});
    file.close();
    const TrajectoryPlane plane = read_trajectory(folder / "t.h5");
    ASSERT_EQ(plane.runs.size(), 1u);
    EXPECT_EQ(plane.runs[0].x, values);
    EXPECT_TRUE(plane.runs[0].norm.empty() && plane.runs[0].losses.empty() && plane.axis_labels.empty());
}

TEST(TrajectoryFile, WhatDoesNotFitIsRefused) {
    const test::TemporaryDirectory folder;
    TrajectoryPath path = example();
    path.norm.pop_back();
    write_trajectory(folder / "t.h5", plane_of({path}));
    EXPECT_THROW(static_cast<void>(read_trajectory(folder / "t.h5")), InputError);
    path = example();
    path.lr_drops = {3};
    write_trajectory(folder / "t.h5", plane_of({path}));
    EXPECT_THROW(static_cast<void>(read_trajectory(folder / "t.h5")), InputError);
    path = example();
    path.x.clear();
    write_trajectory(folder / "t.h5", plane_of({path}));
    EXPECT_THROW(static_cast<void>(read_trajectory(folder / "t.h5")), InputError);
}

}  // namespace
}  // namespace lossmap
