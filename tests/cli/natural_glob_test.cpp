#include "cli/config/natural_glob.hpp"

#include <gtest/gtest.h>

#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

TEST(NaturalOrder, ComparesNumbersAsNumbers) {
    EXPECT_TRUE(natural_less("epoch_2", "epoch_10"));
    EXPECT_FALSE(natural_less("epoch_10", "epoch_2"));
    EXPECT_TRUE(natural_less("a1b2", "a1b10"));
    EXPECT_TRUE(natural_less("a", "a1"));
    EXPECT_TRUE(natural_less("a99999999999999999999998", "a99999999999999999999999"));
    EXPECT_FALSE(natural_less("a1", "a1"));
    EXPECT_NE(natural_less("a01", "a1"), natural_less("a1", "a01"));  // a strict order all the same
}

TEST(Glob, FindsFilesInNaturalOrder) {
    const test::TemporaryDirectory folder;
    for (const char* name : {"e_10.onnx", "e_9.onnx", "e_1.onnx", "other.txt"})
        test::write_file(folder / name, "");
    const auto files = expand_glob(folder / "e_*.onnx");
    ASSERT_EQ(files.size(), 3u);
    EXPECT_EQ(files[0].filename(), "e_1.onnx");
    EXPECT_EQ(files[1].filename(), "e_9.onnx");
    EXPECT_EQ(files[2].filename(), "e_10.onnx");
    EXPECT_TRUE(expand_glob(folder / "none*").empty());
    EXPECT_TRUE(is_glob("a?b"));
    EXPECT_FALSE(is_glob("a.onnx"));
}

}  // namespace
}  // namespace lossmap
