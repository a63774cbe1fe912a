#include <sys/stat.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <regex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "output/gnuplot.hpp"
#include "output/plot.hpp"
#include "tests/output/test_surfaces.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;
using test::read_file;
using test::steps;
using test::surface_of;
using test::TemporaryDirectory;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// Sets an environment variable for one test.
class ScopedVariable {
public:
    ScopedVariable(const char* name, const std::string& value) : name_(name) {
        const char* old = std::getenv(name);
        if (old != nullptr) old_ = old;
        setenv(name, value.c_str(), 1);
    }
    ~ScopedVariable() {
        if (old_.empty()) {
            unsetenv(name_);
        } else {
            setenv(name_, old_.c_str(), 1);
        }
    }
    ScopedVariable(const ScopedVariable&) = delete;
    ScopedVariable& operator=(const ScopedVariable&) = delete;

private:
    const char* name_;
    std::string old_;
};

bool have_gnuplot() {
    try {
        (void)find_gnuplot();
        return true;
    } catch (const Error&) {
        return false;
    }
}

#define REQUIRE_GNUPLOT() \
    if (!have_gnuplot()) GTEST_SKIP() << "gnuplot is not installed (Debian: gnuplot-nox)"

Surface bowl(int nx, int ny) {
    return surface_of(steps(-1, 1, nx), steps(-1, 1, ny),
                      [](double x, double y) { return 0.05 + 5 * x * x + 4 * y * y; });
}

std::string draw(const Surface& surface, PlotKind kind, PlotFormat format, const std::string& title = "") {
    const TemporaryDirectory folder;
    PlotOptions options;
    options.kind = kind;
    options.format = format;
    options.title = title;
    draw_plot(surface, options, folder / "picture");
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()),
              1);  // no temporary file stays
    return read_file(folder / "picture");
}

std::size_t count_of(const std::string& text, const std::string& pattern) {
    const std::regex expression(pattern);
    return static_cast<std::size_t>(
        std::distance(std::sregex_iterator(text.begin(), text.end(), expression), std::sregex_iterator()));
}

fs::path write_program(const fs::path& file, const std::string& body) {
    test::write_file(file, "#!/bin/sh\n" + body);
    chmod(file.c_str(), 0700);
    return file;
}

TEST(Plot, EveryKindInEveryFormat) {
    REQUIRE_GNUPLOT();
    const Surface plane = bowl(9, 7);
    for (const PlotKind kind : {PlotKind::contour, PlotKind::filled, PlotKind::heatmap, PlotKind::surface3d}) {
        EXPECT_THAT(draw(plane, kind, PlotFormat::svg), HasSubstr("</svg>")) << name_of(kind);
    }
    EXPECT_THAT(draw(plane, PlotKind::filled, PlotFormat::pdf), StartsWith("%PDF-"));
    const std::string png = draw(plane, PlotKind::contour, PlotFormat::png);
    ASSERT_GT(png.size(), 10000U);
    EXPECT_EQ(png.substr(1, 3), "PNG");
    const auto big_endian = [&](std::size_t at) {
        return (static_cast<unsigned char>(png[at + 2]) << 8) + static_cast<unsigned char>(png[at + 3]);
    };
    EXPECT_EQ(big_endian(16), 1680);
    EXPECT_EQ(big_endian(20), 1496);
    const Surface line = surface_of(steps(-1, 1, 11), {}, [](double x, double) { return x * x; });
    EXPECT_GT(draw(line, PlotKind::line, PlotFormat::png).size(), 10000U);
    EXPECT_THAT(draw(line, PlotKind::line, PlotFormat::pdf), StartsWith("%PDF-"));
}

TEST(Plot, SvgOfALineHasFourCurvesAndItsTexts) {
    REQUIRE_GNUPLOT();
    const Surface line = surface_of(steps(-1, 1, 11), {}, [](double x, double) { return x * x; });
    const std::string svg = draw(line, PlotKind::line, PlotFormat::svg, "A & B <i> \"q\" 'q' `id`");
    for (const char* text : {"train loss", "test loss", "train accuracy", "test accuracy", "alpha", "accuracy (%)"}) {
        EXPECT_THAT(svg, HasSubstr(text));
    }
    EXPECT_THAT(svg, HasSubstr("A &amp; B &lt;i>"));
    EXPECT_THAT(svg, HasSubstr("'q' `id`"));
    EXPECT_THAT(svg, Not(HasSubstr("<i>")));
    // Each curve is one path of 11 points: a start and ten more.
    EXPECT_EQ(count_of(svg, "M84[.]00,[0-9.]+(\\s+L[0-9.]+,[0-9.]+){10}\\s*'"), 4U);
}

TEST(Plot, SvgContourHasALabelForMostLevels) {
    REQUIRE_GNUPLOT();
    const std::string svg = draw(bowl(41, 41), PlotKind::contour, PlotFormat::svg);
    std::size_t labelled = 0;
    for (const char* level : {"0.6", "1.1", "1.6", "2.1", "2.6", "3.1", "3.6", "4.1"}) {
        // Once in the colour bar; once more, or twice, on the lines.
        if (count_of(svg, std::string("<text> ?") + level + "</text>") >= 2) ++labelled;
    }
    EXPECT_GE(labelled, 6U);
}

TEST(Plot, DegenerateSurfacesAreDrawn) {
    REQUIRE_GNUPLOT();
    const auto constant = [](double, double) { return 0.7; };
    Surface empty = bowl(5, 4);
    for (SplitSurface& split : empty.splits) {
        for (std::size_t k = 0; k < 20; ++k)
            split.loss[k] = std::numeric_limits<double>::quiet_NaN();
    }
    for (const PlotKind kind : {PlotKind::contour, PlotKind::filled, PlotKind::heatmap, PlotKind::surface3d}) {
        EXPECT_THAT(draw(surface_of(steps(-1, 1, 5), steps(0, 1, 4), constant), kind, PlotFormat::svg),
                    HasSubstr("everywhere"))
            << name_of(kind);
        EXPECT_THAT(draw(empty, kind, PlotFormat::svg), HasSubstr("20 of 20 points not finite")) << name_of(kind);
    }
    EXPECT_THAT(draw(bowl(1, 6), PlotKind::heatmap, PlotFormat::svg), HasSubstr("</svg>"));
    EXPECT_THAT(draw(bowl(1, 1), PlotKind::heatmap, PlotFormat::svg), HasSubstr("</svg>"));
    EXPECT_THAT(draw(surface_of({0.5}, {}, constant), PlotKind::line, PlotFormat::svg), HasSubstr("</svg>"));
    Surface undone = surface_of(steps(-1, 1, 3), {}, constant);
    for (std::size_t k = 0; k < 3; ++k)
        test::forget(undone.splits[0], k);
    EXPECT_THAT(draw(undone, PlotKind::line, PlotFormat::svg), HasSubstr("3 of 3 points not computed"));
}

TEST(Plot, LogarithmicPlanesAreDrawn) {
    REQUIRE_GNUPLOT();
    const TemporaryDirectory folder;
    const Surface steep = surface_of(steps(-1, 1, 15), steps(-1, 1, 15),
                                     [](double x, double y) { return std::exp(9 * (x * x + y * y)); });
    for (const PlotKind kind : {PlotKind::contour, PlotKind::filled, PlotKind::heatmap, PlotKind::surface3d}) {
        PlotOptions options;
        options.kind = kind;
        options.log = true;
        draw_plot(steep, options, folder / "picture.svg");
        EXPECT_THAT(read_file(folder / "picture.svg"), HasSubstr("1000")) << name_of(kind);
    }
}

TEST(Plot, OddFileNamesWork) {
    REQUIRE_GNUPLOT();
    const TemporaryDirectory folder;
    const fs::path file = folder / "it's `a` \"b\" $HOME.svg";
    draw_plot(bowl(4, 4), {}, file);
    EXPECT_TRUE(fs::exists(file));
}

TEST(Plot, MissingGnuplotNamesThePackage) {
    const TemporaryDirectory folder;
    const ScopedVariable variable("LOSSMAP_GNUPLOT", (folder / "none").string());
    try {
        draw_plot(bowl(4, 4), {}, folder / "x.svg");
        FAIL() << "drawn without gnuplot";
    } catch (const InputError&) {
        FAIL() << "a missing program is no wrong input";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("gnuplot-nox"));
        EXPECT_THAT(error.what(), HasSubstr("LOSSMAP_GNUPLOT"));
    }
    EXPECT_FALSE(fs::exists(folder / "x.svg"));
}

TEST(Plot, GnuplotIsLookedForInPath) {
    const TemporaryDirectory folder;
    const ScopedVariable unset("LOSSMAP_GNUPLOT", "");
    const ScopedVariable path("PATH", "relative::" + folder.path().string());
    EXPECT_THROW((void)find_gnuplot(), Error);
    write_program(folder / "gnuplot", "exit 0\n");
    EXPECT_EQ(find_gnuplot(), folder / "gnuplot");
}

TEST(Plot, FailuresCarryGnuplotsMessage) {
    const TemporaryDirectory folder;
    const auto message_of = [&](const std::string& body, std::chrono::milliseconds timeout) -> std::string {
        const ScopedVariable variable("LOSSMAP_GNUPLOT", write_program(folder / "program", body).string());
        try {
            (void)run_gnuplot("", timeout);
        } catch (const Error& error) {
            return error.what();
        }
        return "no error";
    };
    const std::chrono::seconds long_enough(20);
    EXPECT_THAT(message_of("echo first >&2; echo line 3: bad command >&2; exit 1\n", long_enough),
                HasSubstr("status 1: line 3: bad command"));
    EXPECT_THAT(message_of("exit 0\n", long_enough), HasSubstr("no picture"));
    EXPECT_THAT(message_of("kill -9 $$\n", long_enough), HasSubstr("signal 9"));
    EXPECT_THAT(message_of("exec sleep 30\n", std::chrono::milliseconds(100)),
                HasSubstr("did not finish within 0.1 s"));
}

TEST(Plot, AMissingFolderIsAnError) {
    REQUIRE_GNUPLOT();
    const TemporaryDirectory folder;
    EXPECT_THROW(draw_plot(bowl(4, 4), {}, folder.path() / "none" / "x.svg"), Error);
}

}  // namespace
}  // namespace lossmap
