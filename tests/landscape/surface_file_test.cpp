#include "landscape/surface_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "core/error.hpp"
#include "io/hdf5_file.hpp"
#include "tests/landscape/small_space.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;
using test::small_space;
using test::TemporaryDirectory;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// 3 x 2 points with everything that can stand in a file: a zero, NaN, infinity, -1 as a result, points not computed.
Surface sample_surface() {
    Surface surface = make_surface({-1.0, 0.0, 1.0}, {-0.5, 0.5}, {"train", "test"}, true);
    surface.direction_file = "direction.h5";
    surface.provenance = R"({"config": {"name": "pläne"}, "seed": 7, "device": "cpu"})";
    SplitSurface& train = surface.splits[0];
    train.loss = {0.0, kNaN, kInfinity, -1.0, 2.5, -1.0};
    train.accuracy = {100.0, 10.0, 0.0, 3.0, 50.0, -1.0};
    train.standard_error = {0.0, kNaN, kNaN, 0.1, 0.2, -1.0};
    train.done = {1, 1, 1, 1, 1, 0};
    train.non_finite = {0, 3, 4, 0, 0, 0};
    train.samples = {10, 10, 10, 10, 10, 0};
    train.drawn = 10;
    train.drawn_from = 50;
    return surface;
}

void expect_equal(const Surface& a, const Surface& b) {
    EXPECT_EQ(a.x, b.x);
    EXPECT_EQ(a.y, b.y);
    EXPECT_EQ(a.direction_file, b.direction_file);
    EXPECT_EQ(a.provenance, b.provenance);
    ASSERT_EQ(a.splits.size(), b.splits.size());
    for (std::size_t i = 0; i < a.splits.size(); ++i) {
        using testing::ElementsAreArray;
        using testing::NanSensitiveDoubleEq;
        using testing::Pointwise;
        EXPECT_EQ(a.splits[i].name, b.splits[i].name);
        EXPECT_EQ(a.splits[i].has_accuracy, b.splits[i].has_accuracy);
        EXPECT_THAT(a.splits[i].loss, Pointwise(NanSensitiveDoubleEq(), b.splits[i].loss));
        EXPECT_THAT(a.splits[i].accuracy, Pointwise(NanSensitiveDoubleEq(), b.splits[i].accuracy));
        EXPECT_THAT(a.splits[i].standard_error, Pointwise(NanSensitiveDoubleEq(), b.splits[i].standard_error));
        EXPECT_EQ(a.splits[i].done, b.splits[i].done);
        EXPECT_EQ(a.splits[i].non_finite, b.splits[i].non_finite);
        EXPECT_EQ(a.splits[i].samples, b.splits[i].samples);
        EXPECT_EQ(a.splits[i].drawn, b.splits[i].drawn);
        EXPECT_EQ(a.splits[i].drawn_from, b.splits[i].drawn_from);
    }
}

TEST(SurfaceFile, RoundTripOfAPlane) {
    const TemporaryDirectory folder;
    write_surface(folder / "surface.h5", sample_surface());
    expect_equal(read_surface(folder / "surface.h5"), sample_surface());
}

TEST(SurfaceFile, RoundTripOfALineWithoutAccuracy) {
    const TemporaryDirectory folder;
    Surface line = make_surface({0.0, 0.5, 1.0}, {}, {"train"}, false);
    line.splits[0].loss = {1.0, 2.0, -1.0};
    line.splits[0].done = {1, 1, 0};
    write_surface(folder / "surface.h5", line);
    expect_equal(read_surface(folder / "surface.h5"), line);
    const Hdf5File file = Hdf5File::open(folder / "surface.h5");
    EXPECT_FALSE(file.exists("train_acc"));
    EXPECT_FALSE(file.exists("ycoordinates"));
    EXPECT_EQ(file.info("train_loss").shape, Shape({3}));
}

TEST(SurfaceFile, HasTheReferenceLayout) {
    const TemporaryDirectory folder;
    write_surface(folder / "surface.h5", sample_surface());
    const Hdf5File file = Hdf5File::open(folder / "surface.h5");
    EXPECT_EQ(file.read_string("dir_file"), "direction.h5");
    for (const char* name : {"train_loss", "train_acc", "train_standard_error"}) {
        EXPECT_EQ(file.info(name).shape, Shape({2, 3})) << name;
        EXPECT_EQ(file.info(name).kind, Hdf5Kind::floating_point) << name;
        EXPECT_EQ(file.info(name).element_bytes, 8u) << name;
    }
    EXPECT_EQ(file.info("train_done").element_bytes, 1u);
    EXPECT_EQ(file.info("test_non_finite").element_bytes, 8u);
    EXPECT_EQ(file.info("ycoordinates").shape, Shape({2}));
    EXPECT_EQ(file.string_attribute("/", "lossmap_config"), R"({"name":"pläne"})");
    EXPECT_EQ(file.string_attribute("/", "lossmap_device"), "cpu");
    EXPECT_EQ(file.string_attribute("/", "lossmap_seed"), "7");
}

TEST(SurfaceFile, SameSurfaceSameBytesAndReplacedWhole) {
    const TemporaryDirectory folder;
    write_surface(folder / "a.h5", sample_surface());
    write_surface(folder / "b.h5", make_surface({0.0}, {}, {"train"}, true));
    write_surface(folder / "b.h5", sample_surface());
    EXPECT_EQ(test::read_file(folder / "a.h5"), test::read_file(folder / "b.h5"));
    Surface incomplete = sample_surface();
    incomplete.splits[1].samples.pop_back();
    EXPECT_THROW(write_surface(folder / "b.h5", incomplete), InternalError);
    EXPECT_EQ(test::read_file(folder / "a.h5"), test::read_file(folder / "b.h5")) << "the earlier file stays";
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 2) << "no temporary file is left";
}

/// A file as the reference implementation writes it.
void write_foreign(const fs::path& path, const Shape& shape) {
    Hdf5File file = Hdf5File::create(path);
    const std::vector<double> x = {0.0, 1.0, 2.0};
    const std::vector<double> y = {5.0, 6.0};
    const std::vector<double> loss = {0.0, 1.0, kNaN, -1.0, 4.0, 5.0};
    file.write_string("dir_file", "net_weights.h5");
    file.write("xcoordinates", std::span<const double>(x), {3});
    file.write("ycoordinates", std::span<const double>(y), {2});
    file.write("train_loss", std::span<const double>(loss), shape);
    file.write("train_acc", std::span<const double>(loss), shape);
    file.write("test_loss", std::span<const double>(loss), shape);
    file.close();
}

TEST(SurfaceFile, ReadsForeignPlanesInEitherShape) {
    const TemporaryDirectory folder;
    for (const Shape& shape : {Shape{2, 3}, Shape{3, 2}}) {
        write_foreign(folder / "foreign.h5", shape);
        const Surface surface = read_surface(folder / "foreign.h5");
        ASSERT_EQ(surface.splits.size(), 2u);
        const SplitSurface& train = surface.splits[0];
        EXPECT_EQ(train.name, "train");
        EXPECT_EQ(train.loss[4], 4.0) << "x[1], y[1]: flat k <-> x[k mod nx], y[k div nx]";
        EXPECT_THAT(train.done, testing::ElementsAre(1, 1, 1, 0, 1, 1)) << "only -1 is not computed";
        EXPECT_THAT(train.standard_error, testing::Each(-1.0));
        EXPECT_TRUE(train.has_accuracy);
        EXPECT_FALSE(surface.splits[1].has_accuracy);
    }
}

TEST(SurfaceFile, RefusesWhatIsNoSurface) {
    const TemporaryDirectory folder;
    EXPECT_THROW((void)read_surface(folder / "absent.h5"), InputError);
    test::write_file(folder / "text.h5", "not HDF5");
    EXPECT_THROW((void)read_surface(folder / "text.h5"), InputError);
    write_foreign(folder / "flat.h5", {6});
    EXPECT_THAT(test::message_of([&] { (void)read_surface(folder / "flat.h5"); }),
                testing::AllOf(testing::HasSubstr("train_loss"), testing::HasSubstr("[2, 3]")));
    { Hdf5File::create(folder / "empty.h5").close(); }
    EXPECT_THAT(test::message_of([&] { (void)read_surface(folder / "empty.h5"); }), testing::HasSubstr("xcoordinates"));
    {
        Hdf5File file = Hdf5File::create(folder / "bare.h5");
        const std::vector<double> x = {0.0};
        file.write("xcoordinates", std::span<const double>(x), {1});
        file.close();
    }
    EXPECT_THAT(test::message_of([&] { (void)read_surface(folder / "bare.h5"); }), testing::HasSubstr("_loss"));
}

std::vector<Direction> sample_axes(const ParameterSpace& space, bool with_states) {
    std::vector<Direction> axes(2);
    for (std::size_t i = 0; i < axes.size(); ++i) {
        axes[i].weights = test::varied_values(space.weights_size(), static_cast<std::int64_t>(i) * 13);
        if (with_states)
            axes[i].states = test::varied_values(space.states_size(), static_cast<std::int64_t>(i) * 17 + 5);
    }
    return axes;
}

TEST(DirectionFile, RoundTrip) {
    const TemporaryDirectory folder;
    const ParameterSpace space = small_space();
    for (const bool with_states : {false, true}) {
        const std::vector<Direction> axes = sample_axes(space, with_states);
        DirectionFileNotes notes;
        notes.cosine = 0.25;
        notes.expected_cosine = 0.125;
        notes.provenance = R"({"seed": 3})";
        write_directions(folder / "direction.h5", axes, space, notes);
        const std::vector<Direction> back = read_directions(folder / "direction.h5", space);
        ASSERT_EQ(back.size(), 2u);
        for (std::size_t i = 0; i < 2; ++i) {
            EXPECT_EQ(back[i].weights, axes[i].weights);
            EXPECT_EQ(back[i].states, axes[i].states);
        }
        const std::vector<Direction> stored = read_stored_axes(folder / "direction.h5");
        ASSERT_EQ(stored.size(), 2u);
        for (std::size_t i = 0; i < 2; ++i) {
            EXPECT_EQ(stored[i].weights, axes[i].weights);
            EXPECT_EQ(stored[i].states, axes[i].states);
        }
        const Hdf5File file = Hdf5File::open(folder / "direction.h5");
        EXPECT_EQ(file.info("ydirection/3").shape, Shape({4, 5}));
        EXPECT_EQ(file.info("xdirection/0").element_bytes, 4u);
        EXPECT_EQ(file.string_attribute("xdirection/3", "parameter"), "fc.weight");
        EXPECT_EQ(file.double_attribute("/", "lossmap_cosine"), 0.25);
        EXPECT_EQ(file.double_attribute("/", "lossmap_expected_absolute_cosine"), 0.125);
        EXPECT_EQ(file.list("xdirection").size(), space.weights.size());
        EXPECT_EQ(file.exists("xstates"), with_states);
    }
}

TEST(DirectionFile, PcaNotesHaveTheReferenceNames) {
    const TemporaryDirectory folder;
    const ParameterSpace space = small_space();
    DirectionFileNotes notes;
    notes.singular_values = {3.0, 2.0, 1.0};
    notes.explained_variance = {4.5, 2.0, 0.5};
    notes.explained_variance_ratio = {9.0 / 14, 4.0 / 14, 1.0 / 14};
    write_directions(folder / "a.h5", sample_axes(space, false), space, notes);
    write_directions(folder / "b.h5", sample_axes(space, false), space, notes);
    EXPECT_EQ(test::read_file(folder / "a.h5"), test::read_file(folder / "b.h5"));
    const Hdf5File file = Hdf5File::open(folder / "a.h5");
    EXPECT_THAT(file.read<double>("singular_values_"), testing::ElementsAre(3.0, 2.0));
    EXPECT_THAT(file.read<double>("explained_variance_"), testing::ElementsAre(4.5, 2.0));
    EXPECT_EQ(file.info("explained_variance_ratio_").shape, Shape({2}));
    EXPECT_EQ(file.read<double>("all_singular_values"), notes.singular_values);
    EXPECT_EQ(file.read<double>("all_explained_variance_ratio"), notes.explained_variance_ratio);
}

TEST(DirectionFile, ReadsStateDictFiles) {
    const TemporaryDirectory folder;
    const ParameterSpace space = small_space();
    const Direction axis = sample_axes(space, true)[0];
    // conv.weight, bn.weight, bn.bias, bn.running_mean, bn.running_var, [bn.num_batches_tracked], fc.weight, ..
    for (const bool counters : {false, true}) {
        Hdf5File file = Hdf5File::create(folder / "states.h5");
        std::size_t number = 0;
        const auto write = [&](const Parameter& parameter, const std::vector<float>& segment) {
            file.write("xdirection/" + std::to_string(number++),
                       std::span<const float>(segment).subspan(static_cast<std::size_t>(parameter.offset),
                                                               static_cast<std::size_t>(parameter.size)),
                       parameter.shape);
        };
        for (std::size_t i = 0; i < 3; ++i)
            write(space.weights[i], axis.weights);
        for (const Parameter& state : space.states)
            write(state, axis.states);
        const std::int64_t batches = 0;
        if (counters) file.write("xdirection/" + std::to_string(number++), std::span(&batches, 1), {});
        for (std::size_t i = 3; i < space.weights.size(); ++i)
            write(space.weights[i], axis.weights);
        file.close();
        const std::vector<Direction> axes = read_directions(folder / "states.h5", space);
        ASSERT_EQ(axes.size(), 1u);
        EXPECT_EQ(axes[0].weights, axis.weights);
        EXPECT_EQ(axes[0].states, axis.states);
    }
}

TEST(DirectionFile, NamesWhatDoesNotFit) {
    const TemporaryDirectory folder;
    const ParameterSpace space = small_space();
    write_directions(folder / "direction.h5", sample_axes(space, true), space, {});
    ParameterSpace other = space;
    other.weights[3].shape = {5, 4};
    EXPECT_THAT(test::message_of([&] { (void)read_directions(folder / "direction.h5", other); }),
                testing::AllOf(testing::HasSubstr("xdirection/3"), testing::HasSubstr("fc.weight")));
    other = space;
    other.weights.pop_back();
    EXPECT_THAT(test::message_of([&] { (void)read_directions(folder / "direction.h5", other); }),
                testing::HasSubstr("holds 6 tensors"));
    other = space;
    other.states.pop_back();
    EXPECT_THAT(test::message_of([&] { (void)read_directions(folder / "direction.h5", other); }),
                testing::HasSubstr("xstates"));
    { Hdf5File::create(folder / "empty.h5").close(); }
    EXPECT_THAT(test::message_of([&] { (void)read_directions(folder / "empty.h5", space); }),
                testing::HasSubstr("xdirection"));
    EXPECT_THROW((void)read_directions(folder / "absent.h5", space), InputError);
    EXPECT_THROW(write_directions(folder / "x.h5", {}, space, {}), InternalError);
    EXPECT_FALSE(fs::exists(folder / "x.h5"));
}

TEST(ReferenceSurface, GoldPlaneIsNotSquare) {
    LOSSMAP_REQUIRE_REFERENCE("reference/gold_resnet56_surface.h5");
    const Surface surface = read_surface(test::reference_dir() / "reference/gold_resnet56_surface.h5");
    EXPECT_EQ(surface.x.size(), 11u);
    EXPECT_EQ(surface.y.size(), 7u);
    EXPECT_EQ(surface.direction_file, "gold_resnet56_direction.h5");
    ASSERT_EQ(surface.splits.size(), 1u);
    EXPECT_THAT(surface.splits[0].done, testing::Each(1));
    // The minimum of the plane is the trained network at (0, 0).
    const auto lowest = std::min_element(surface.splits[0].loss.begin(), surface.splits[0].loss.end());
    EXPECT_EQ(lowest - surface.splits[0].loss.begin(), 2 * 11 + 5);
}

TEST(ReferenceSurface, LinesAndTheirGaps) {
    LOSSMAP_REQUIRE_REFERENCE("reference/small_interpolation_states.h5");
    const Surface surface = read_surface(test::reference_dir() / "reference/small_interpolation_states.h5");
    EXPECT_TRUE(surface.is_line());
    ASSERT_EQ(surface.splits.size(), 1u);
    const std::vector<double>& loss = surface.splits[0].loss;
    EXPECT_EQ(std::count_if(loss.begin(), loss.end(), [](double value) { return std::isnan(value); }), 7);
    EXPECT_THAT(surface.splits[0].done, testing::Each(1)) << "NaN is a result";
}

TEST(H5py, OpensOurFiles) {
    const char* variable = std::getenv("LOSSMAP_PYTHON");
    const std::string python = variable != nullptr ? variable : "python3";
    if (std::system((python + " -c 'import h5py' > /dev/null 2>&1").c_str()) != 0) {
        GTEST_SKIP() << python << " cannot import h5py; set LOSSMAP_PYTHON to an interpreter that can";
    }
    const TemporaryDirectory folder;
    const ParameterSpace space = small_space();
    write_surface(folder / "surface.h5", sample_surface());
    write_directions(folder / "direction.h5", sample_axes(space, false), space, {});
    test::write_file(folder / "check.py", R"(
import sys, math, json, h5py
with h5py.File(sys.argv[1] + '/surface.h5', 'r') as f:
    direction = f['dir_file'][()]
    assert (direction.decode() if isinstance(direction, bytes) else direction) == 'direction.h5', direction
    assert f['xcoordinates'][:].tolist() == [-1, 0, 1] and f['ycoordinates'][:].tolist() == [-0.5, 0.5]
    loss = f['train_loss'][:]
    assert loss.shape == (2, 3) and loss.dtype == 'float64'
    assert loss[0, 0] == 0 and math.isnan(loss[0, 1]) and math.isinf(loss[0, 2]) and loss[1, 1] == 2.5
    assert f['train_done'].dtype == 'uint8' and f['train_done'][:].sum() == 5
    assert f['train_samples'].dtype == 'int64' and f['train_non_finite'][0, 1] == 3
    assert json.loads(f.attrs['lossmap_provenance'])['config']['name'] == 'pl\u00e4ne'
    assert list(f.attrs['lossmap_split_names']) == ['train', 'test']
with h5py.File(sys.argv[1] + '/direction.h5', 'r') as f:
    assert sorted(f['xdirection'], key=int) == [str(i) for i in range(6)]
    assert f['ydirection']['3'].shape == (4, 5) and f['ydirection']['3'].dtype == 'float32'
    assert f['xdirection']['0'].attrs['parameter'] == 'conv.weight'
)");
    EXPECT_EQ(std::system((python + " " + (folder / "check.py").string() + " " + folder.path().string()).c_str()), 0);
}

}  // namespace
}  // namespace lossmap
