#include "plan/memory_plan.hpp"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace lossmap {
namespace {

bool alive_together(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

TEST(MemoryPlan, BlocksAliveAtTheSameTimeNeverOverlap) {
    std::mt19937 random(7);
    for (int round = 0; round < 200; ++round) {
        std::vector<Lifetime> lives(1 + random() % 40);
        for (Lifetime& life : lives) {
            life.first = random() % 30;
            life.last = life.first + random() % 10;
            life.size_bytes = random() % 3 == 0 ? random() % 8 : random() % 5000;
        }
        const MemoryPlan plan = plan_memory(lives, 64);
        ASSERT_EQ(plan.offsets.size(), lives.size());
        for (std::size_t a = 0; a < lives.size(); ++a) {
            EXPECT_EQ(plan.offsets[a] % 64, 0u);
            EXPECT_LE(plan.offsets[a] + lives[a].size_bytes, plan.size_bytes);
            for (std::size_t b = 0; b < a; ++b) {
                if (!alive_together(lives[a], lives[b])) continue;
                const bool apart = plan.offsets[a] + lives[a].size_bytes <= plan.offsets[b] ||
                                   plan.offsets[b] + lives[b].size_bytes <= plan.offsets[a];
                EXPECT_TRUE(apart) << "blocks " << a << " and " << b << " of round " << round;
            }
        }
    }
}

TEST(MemoryPlan, AChainNeedsTwoBlocks) {
    std::vector<Lifetime> chain;
    for (std::int64_t step = 0; step < 20; ++step)
        chain.push_back({step, step + 1, 1024});
    EXPECT_EQ(plan_memory(chain).size_bytes, 2048u);
}

TEST(MemoryPlan, TakesTheSmallestGapThatFits) {
    // At step 1 the blocks of 4096 and 2048 bytes are free again, the ones behind them are not.
    const std::vector<Lifetime> lives{{0, 0, 4096}, {0, 1, 3072}, {0, 0, 2048}, {0, 1, 1536}, {1, 1, 1024}};
    const MemoryPlan plan = plan_memory(lives);
    EXPECT_EQ(plan.offsets[4], plan.offsets[2]);
    EXPECT_EQ(plan.size_bytes, 4096u + 3072u + 2048u + 1536u);
}

TEST(MemoryPlan, EmptyBlocksAndEmptyListsAreFine) {
    EXPECT_EQ(plan_memory({}).size_bytes, 0u);
    EXPECT_EQ(plan_memory(std::vector<Lifetime>{{0, 3, 0}}).size_bytes, 0u);
}

TEST(MemoryPlan, RefusesALifetimeThatEndsBeforeItBegins) {
    EXPECT_THROW(static_cast<void>(plan_memory(std::vector<Lifetime>{{2, 1, 64}})), InternalError);
}

}  // namespace
}  // namespace lossmap
