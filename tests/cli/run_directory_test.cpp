#include "cli/run/run_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

Identity identity(const std::string& model) {
    Identity result;
    result.set("model", model);
    result.set("grid", "same");
    return result;
}

std::string refusal(const RunDirectory& directory, const Identity& wanted, bool fresh = false) {
    try {
        directory.require_usable(wanted, fresh);
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

TEST(RunDirectory, StartsWhereNothingIsAndGoesOnWithItself) {
    const test::TemporaryDirectory folder;
    const RunDirectory directory(folder / "a/b");
    EXPECT_EQ(refusal(directory, identity("m")), "");
    EXPECT_FALSE(fs::exists(folder / "a"));  // looking makes nothing
    { const auto journal = directory.open(identity("m"), false); }
    EXPECT_EQ(refusal(directory, identity("m")), "");
}

TEST(RunDirectory, RefusesAnotherRunAndNamesWhatDiffers) {
    const test::TemporaryDirectory folder;
    const RunDirectory directory(folder / "run");
    { const auto journal = directory.open(identity("m"), false); }
    EXPECT_THAT(refusal(directory, identity("other")),
                HasSubstr("holds another run (it differs in: model): choose another"));
    EXPECT_EQ(refusal(directory, identity("other"), true), "");
}

TEST(RunDirectory, RefusesSomebodyElsesFilesAndARunInProgress) {
    const test::TemporaryDirectory folder;
    test::write_file(folder / "thesis.tex", "");
    EXPECT_THAT(refusal(RunDirectory(folder.path()), identity("m")), HasSubstr("is not empty and holds no run"));
    EXPECT_THAT(refusal(RunDirectory(folder / "thesis.tex"), identity("m")), HasSubstr("is no folder"));
    const RunDirectory directory(folder / "run");
    const auto journal = directory.open(identity("m"), false);
    EXPECT_THAT(refusal(directory, identity("m")), HasSubstr("by another process"));
}

TEST(RunDirectory, APlanIsTakenFromWhatTheRunGoesOnWith) {
    const test::TemporaryDirectory folder;
    const RunDirectory own(folder / "own");
    const RunDirectory grown(folder / "grown");
    EXPECT_EQ(earlier_plan(own, false, {}), "");
    EXPECT_FALSE(fs::exists(folder / "own"));
    grown.open(identity("m"), false)->set_note(kPlanNote, "of the other");
    EXPECT_EQ(earlier_plan(own, false, grown.path()), "of the other");
    own.open(identity("m"), false)->set_note(kPlanNote, "its own");
    EXPECT_EQ(earlier_plan(own, false, grown.path()), "its own");
    EXPECT_EQ(earlier_plan(own, true, {}), "");
    EXPECT_EQ(earlier_plan(own, true, grown.path()), "of the other");
    EXPECT_EQ(earlier_plan(own, false, folder / "surface.h5"), "its own");
    test::write_file(folder / "own/journal.sqlite", "no database");
    EXPECT_EQ(earlier_plan(own, false, {}), "");
}

TEST(RunDirectory, FreshRemovesOnlyWhatLossmapWrites) {
    const test::TemporaryDirectory folder;
    const RunDirectory directory(folder.path());
    { const auto journal = directory.open(identity("m"), false); }
    fs::create_directories(folder / "plots");
    for (const char* name :
         {"surface.h5", "report.html", "plots/train_contour.svg", "plots/line.pdf", "plots/mine.svg", "notes.txt"})
        test::write_file(folder / name, "x");
    { const auto journal = directory.open(identity("other"), true); }
    EXPECT_FALSE(fs::exists(folder / "surface.h5"));
    EXPECT_FALSE(fs::exists(folder / "report.html"));
    EXPECT_FALSE(fs::exists(folder / "plots/train_contour.svg"));
    EXPECT_FALSE(fs::exists(folder / "plots/line.pdf"));
    EXPECT_TRUE(fs::exists(folder / "plots/mine.svg"));
    EXPECT_TRUE(fs::exists(folder / "notes.txt"));
    EXPECT_EQ(refusal(directory, identity("other")), "");
}

}  // namespace
}  // namespace lossmap
