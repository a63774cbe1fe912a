#include "kernels/kernel_table.hpp"

#include <gtest/gtest.h>

namespace lossmap::kernels {
namespace {

TEST(KernelTable, HasNoEmptyEntry) {
    for (const KernelTable* table : {&host_kernels(), &reversed_host_kernels()}) {
#define LOSSMAP_ENTRY(name, Args) EXPECT_NE(table->name, nullptr) << #name;
        LOSSMAP_KERNELS(LOSSMAP_ENTRY)
#undef LOSSMAP_ENTRY
    }
}

}  // namespace
}  // namespace lossmap::kernels
