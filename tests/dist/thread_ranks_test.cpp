#include <thread>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "dist/local_communicators.hpp"

namespace lossmap {
namespace {

TEST(ThreadRanks, DoNotWaitForOneThatHasEnded) {
    auto communicators = make_thread_communicators(2);
    std::jthread other([&] { communicators[1].reset(); });
    EXPECT_THROW(static_cast<void>(communicators[0]->gather({})), Error);
}

}  // namespace
}  // namespace lossmap
