#include "core/error.hpp"

#include <gtest/gtest.h>

namespace lossmap {
namespace {

TEST(Error, ContextIsAddedInFrontAndTheTypeKept) {
    try {
        with_context("model.onnx",
                     [] { with_context("Conv 'c1'", [] { throw UnsupportedError("group {} is not supported", 3); }); });
        FAIL() << "nothing was thrown";
    } catch (const UnsupportedError& error) {
        EXPECT_STREQ(error.what(), "model.onnx: Conv 'c1': group 3 is not supported");
    }
}

TEST(Error, ContextPassesResultsThrough) {
    EXPECT_EQ(with_context("x", [] { return 3; }), 3);
}

TEST(Error, InterruptionKeepsItsMessage) {
    EXPECT_THROW(with_context("x", [] { throw Interrupted("stopped"); }), Interrupted);
}

TEST(Error, BracesInAMessageAreNoFormat) { EXPECT_STREQ(Error("a {} b").what(), "a {} b"); }

TEST(Error, UnsupportedIsAnInputError) { EXPECT_THROW(throw UnsupportedError("x"), InputError); }

}  // namespace
}  // namespace lossmap
