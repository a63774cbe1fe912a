#include "output/export.hpp"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "output/export/base64.hpp"
#include "tests/output/test_surfaces.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::steps;
using test::surface_of;
using testing::HasSubstr;

using Corner = std::array<float, 3>;
using Triangle = std::array<Corner, 3>;

Surface bowl(int nx, int ny) {
    return surface_of(steps(-1, 1, nx), steps(-1, 1, ny), [](double x, double y) { return 0.5 + x * x + 2 * y * y; });
}

ExportOptions options_of(ExportFormat format) { return {.format = format, .zmax = {}, .log = false, .split = ""}; }

std::vector<Triangle> read_stl(const std::string& bytes) {
    std::uint32_t count = 0;
    std::memcpy(&count, bytes.data() + 80, sizeof count);
    EXPECT_EQ(bytes.size(), 84 + 50 * std::size_t{count});
    std::vector<Triangle> triangles(count);
    for (std::size_t k = 0; k < count; ++k)
        std::memcpy(triangles[k].data(), bytes.data() + 84 + 50 * k + 12, sizeof(Triangle));
    return triangles;
}

/// Each edge is walked once in each direction, so two triangles share it and agree on what is outside.
bool is_watertight(const std::vector<Triangle>& triangles) {
    std::map<std::pair<Corner, Corner>, int> walked;
    for (const Triangle& triangle : triangles) {
        for (std::size_t i = 0; i < 3; ++i) {
            if (triangle[i] == triangle[(i + 1) % 3]) return false;
            ++walked[{triangle[i], triangle[(i + 1) % 3]}];
        }
    }
    for (const auto& [edge, times] : walked) {
        const auto back = walked.find({edge.second, edge.first});
        if (times != 1 || back == walked.end() || back->second != 1) return false;
    }
    return !triangles.empty();
}

double volume_of(const std::vector<Triangle>& triangles) {
    double volume = 0.0;
    for (const auto& [a, b, c] : triangles) {
        volume += (double{a[0]} * (double{b[1]} * c[2] - double{b[2]} * c[1]) +
                   double{a[1]} * (double{b[2]} * c[0] - double{b[0]} * c[2]) +
                   double{a[2]} * (double{b[0]} * c[1] - double{b[1]} * c[0])) /
                  6.0;
    }
    return volume;
}

class Export : public testing::Test {
protected:
    std::string exported(const Surface& surface, const ExportOptions& options, const std::string& name = "out") {
        note_ = export_surface(surface, options, folder_ / name);
        return test::read_file(folder_ / name);
    }
    std::string refusal(const Surface& surface, const ExportOptions& options) {
        try {
            export_surface(surface, options, folder_ / "refused");
        } catch (const InputError& error) {
            EXPECT_FALSE(std::filesystem::exists(folder_ / "refused"));
            return error.what();
        }
        ADD_FAILURE() << "not refused";
        return "";
    }

    test::TemporaryDirectory folder_;
    std::string note_;
};

TEST_F(Export, FormatsHaveNames) {
    for (const char* name : {"vtp", "obj", "stl", "gltf", "csv", "npz"})
        EXPECT_STREQ(name_of(parse_export_format(name)), name);
    EXPECT_THROW((void)parse_export_format("ply"), InputError);
}

TEST_F(Export, WatertightnessCheckFindsAHoleAndATurnedTriangle) {
    std::vector<Triangle> solid = read_stl(exported(bowl(4, 3), options_of(ExportFormat::stl)));
    ASSERT_TRUE(is_watertight(solid));
    std::vector<Triangle> turned = solid;
    std::swap(turned[5][0], turned[5][1]);
    EXPECT_FALSE(is_watertight(turned));
    solid.pop_back();
    EXPECT_FALSE(is_watertight(solid));
}

TEST_F(Export, StlOfAFlatSurfaceIsABox) {
    const Surface flat = surface_of(steps(0, 4, 5), steps(0, 1, 3), [](double, double) { return 7.0; });
    const std::vector<Triangle> box = read_stl(exported(flat, options_of(ExportFormat::stl)));
    EXPECT_TRUE(is_watertight(box));
    EXPECT_EQ(note_, "");
    EXPECT_NEAR(volume_of(box), 100.0 * 25.0 * 3.0, 1e-2);
}

TEST_F(Export, StlWithAnyGapsIsWatertight) {
    // Gaps anywhere, many of them so that parts touch at one point.
    std::uint32_t state = 1;
    int parted = 0;
    for (int trial = 0; trial < 60; ++trial) {
        Surface surface = bowl(9, 8);
        SplitSurface& split = surface.splits[0];
        for (std::size_t point = 0; point < split.loss.size(); ++point) {
            state = state * 1664525U + 1013904223U;
            if (state >> 24U < 22U) split.loss[point] = std::numeric_limits<double>::quiet_NaN();
        }
        const std::vector<Triangle> solid = read_stl(exported(surface, options_of(ExportFormat::stl)));
        EXPECT_TRUE(is_watertight(solid)) << "trial " << trial;
        EXPECT_GT(volume_of(solid), 0.0);
        const std::string stl_note = note_;
        exported(surface, options_of(ExportFormat::vtp));
        parted += note_ != stl_note ? 1 : 0;
    }
    EXPECT_GT(parted, 0) << "no trial had parts touching at one point";
}

TEST_F(Export, StlPartsWhatTouchesAtOnePoint) {
    Surface surface = bowl(5, 5);
    surface.splits[0].loss[1 * 5 + 1] = std::numeric_limits<double>::infinity();
    surface.splits[0].loss[3 * 5 + 3] = std::numeric_limits<double>::infinity();
    exported(surface, options_of(ExportFormat::vtp));
    EXPECT_EQ(note_, "2 of 25 points not finite; 8 of 16 quads left out");
    EXPECT_TRUE(is_watertight(read_stl(exported(surface, options_of(ExportFormat::stl)))));
    EXPECT_EQ(note_, "2 of 25 points not finite; 9 of 16 quads left out");
}

TEST_F(Export, VtpClampsThenTakesTheLogarithm) {
    Surface surface = surface_of({0, 1}, {0, 1}, [](double x, double y) { return 1 + 3 * x + 10 * y; });
    ExportOptions options = options_of(ExportFormat::vtp);
    options.zmax = 4.5;
    EXPECT_THAT(exported(surface, options), HasSubstr("\n1\n4\n4.5\n4.5\n"));
    options.log = true;
    const std::string file = exported(surface, options);
    EXPECT_THAT(
        file, HasSubstr(fmt::format("\n{}\n{}\n{}\n{}\n", std::log(1.1), std::log(4.1), std::log(4.6), std::log(4.6))));
    EXPECT_THAT(file, HasSubstr("\n0 1 3 2\n"));
}

TEST_F(Export, ValuesWithoutLogarithmAreGaps) {
    Surface surface = bowl(4, 2);
    surface.splits[0].loss[0] = -0.1;
    ExportOptions options = options_of(ExportFormat::obj);
    exported(surface, options);
    EXPECT_EQ(note_, "");
    options.log = true;
    exported(surface, options);
    EXPECT_EQ(note_, "1 of 8 points not positive; 1 of 3 quads left out");
}

TEST_F(Export, TheSameSurfaceGivesTheSameBytes) {
    Surface surface = bowl(6, 5);
    surface.splits[0].loss[7] = -std::numeric_limits<double>::quiet_NaN();
    Surface again = surface;
    again.splits[0].loss[7] = std::numeric_limits<double>::quiet_NaN();
    for (const char* format : {"vtp", "obj", "stl", "gltf", "csv", "npz"}) {
        ExportOptions options = options_of(parse_export_format(format));
        options.log = true;
        EXPECT_EQ(exported(surface, options), exported(again, options)) << format;
    }
}

TEST_F(Export, CsvQuotesNamesAndLeavesOutWhatIsNotThere) {
    Surface surface = surface_of({0, 1}, {}, [](double x, double) { return 1 + x; });
    surface.splits.resize(1);
    surface.splits[0].name = "a,\"b\"";
    surface.splits[0].has_accuracy = false;
    surface.splits[0].standard_error[0] = -1.0;
    test::forget(surface.splits[0], 1);
    EXPECT_EQ(exported(surface, options_of(ExportFormat::csv)),
              "x,\"a,\"\"b\"\"_loss\",\"a,\"\"b\"\"_done\",\"a,\"\"b\"\"_non_finite\",\"a,\"\"b\"\"_samples\","
              "\"a,\"\"b\"\"_standard_error\"\n0,1,1,0,1000,nan\n1,nan,0,0,0,nan\n");
    EXPECT_EQ(note_, "1 of 2 points not computed");
}

TEST_F(Export, CsvHasTheIntervalOfADraw) {
    Surface surface = surface_of({0, 1}, {}, [](double x, double) { return 1 + x; });
    surface.splits.resize(1);
    surface.splits[0].has_accuracy = false;
    surface.splits[0].standard_error = {0.25, 0.5};
    surface.splits[0].drawn = 1000;
    surface.splits[0].drawn_from = 4000;
    const double half = 1.959963984540054 * 0.25 * std::sqrt(0.75);
    EXPECT_EQ(
        exported(surface, options_of(ExportFormat::csv)),
        fmt::format("x,train_loss,train_done,train_non_finite,train_samples,train_standard_error,train_interval_95"
                    "\n0,1,1,0,1000,0.25,{}\n1,2,1,0,1000,0.5,{}\n",
                    half, 2 * half));
}

TEST_F(Export, RefusesWithOneSentence) {
    const Surface line = surface_of(steps(0, 1, 3), {}, [](double x, double) { return x; });
    EXPECT_EQ(refusal(line, options_of(ExportFormat::stl)),
              "stl needs a plane; this surface is a line, which csv and npz take");
    EXPECT_THAT(refusal(bowl(3, 1), options_of(ExportFormat::vtp)), HasSubstr("at least two points along each axis"));
    ExportOptions options = options_of(ExportFormat::obj);
    options.split = "validation";
    EXPECT_EQ(refusal(bowl(3, 3), options), "the surface has no split 'validation'; it has train, test");
    options = options_of(ExportFormat::csv);
    options.zmax = std::numeric_limits<double>::quiet_NaN();
    EXPECT_THAT(refusal(bowl(3, 3), options), HasSubstr("expected a finite number"));
    options.zmax = -0.1;
    options.log = true;
    EXPECT_THAT(refusal(bowl(3, 3), options), HasSubstr("must be greater than -0.1"));
}

TEST_F(Export, RefusesSurfacesThatMakeNoMesh) {
    Surface empty = bowl(3, 3);
    test::forget(empty.splits[0], 4);
    EXPECT_EQ(
        refusal(empty, options_of(ExportFormat::gltf)),
        "no four neighbouring points of the plane have a value (1 of 9 points not computed): a mesh would be empty");
    Surface wide = bowl(2, 2);
    wide.splits[0].loss[0] = 1e308;
    wide.splits[0].loss[1] = -1e308;
    EXPECT_THAT(refusal(wide, options_of(ExportFormat::obj)), HasSubstr("too far apart"));
    Surface dense = bowl(3, 3);
    dense.x = {0.0, 1e-12, 1.0};
    EXPECT_THAT(refusal(dense, options_of(ExportFormat::stl)), HasSubstr("coordinates of x do not fit"));
    Surface torn = bowl(3, 3);
    torn.splits[0].samples.pop_back();
    EXPECT_EQ(refusal(torn, options_of(ExportFormat::csv)), "split 'train' does not cover the 9 points of its surface");
}

TEST(Base64, Rfc4648Vectors) {
    EXPECT_EQ(base64(""), "");
    EXPECT_EQ(base64("f"), "Zg==");
    EXPECT_EQ(base64("fo"), "Zm8=");
    EXPECT_EQ(base64("foo"), "Zm9v");
    EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
    EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

}  // namespace
}  // namespace lossmap
