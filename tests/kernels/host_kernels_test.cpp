#include <cmath>
#include <cstring>
#include <set>

#include <gtest/gtest.h>

#include "kernel_case.hpp"

namespace lossmap::kernels::test {
namespace {

class HostKernels : public ::testing::TestWithParam<KernelCase> {};

TEST_P(HostKernels, AgreesWithItsReference) {
    HostDevice device(host_kernels());
    EXPECT_EQ(difference_of(GetParam().run(device), GetParam().expected(), GetParam().tolerance), "");
}

// Points, blocks, elements and the threads between two barriers come in reverse order: a result that depends on an
// order which nothing guarantees on a device changes.
TEST_P(HostKernels, DoesNotDependOnTheOrderOfThreads) {
    HostDevice forward(host_kernels());
    HostDevice reversed(reversed_host_kernels());
    const std::vector<Tensor> first = GetParam().run(forward);
    const std::vector<Tensor> second = GetParam().run(reversed);
    ASSERT_EQ(first.size(), second.size());
    for (std::size_t k = 0; k < first.size(); ++k)
        EXPECT_EQ(std::memcmp(first[k].data(), second[k].data(), first[k].size_bytes()), 0) << "result " << k;
}

INSTANTIATE_TEST_SUITE_P(Cases, HostKernels, ::testing::ValuesIn(all_cases()), name_of_case);

TEST(KernelTable, HasNoEmptyEntry) {
    for (const KernelTable* table : {&host_kernels(), &reversed_host_kernels()}) {
#define LOSSMAP_ENTRY(name, Args) EXPECT_NE(table->name, nullptr) << #name;
        LOSSMAP_KERNELS(LOSSMAP_ENTRY)
#undef LOSSMAP_ENTRY
    }
}

TEST(KernelTable, HasACaseForEachEntry) {
    std::set<std::string> tested;
    for (const KernelCase& one : all_cases())
        tested.insert(one.kernel);
    std::set<std::string> entries;
#define LOSSMAP_ENTRY(name, Args) entries.insert(#name);
    LOSSMAP_KERNELS(LOSSMAP_ENTRY)
#undef LOSSMAP_ENTRY
    EXPECT_EQ(tested, entries);
}

TEST(Comparison, FindsADifference) {
    const auto tensors = [](float x) {
        std::vector<Tensor> result;
        result.push_back(Tensor::scalar<float>(x));
        return result;
    };
    EXPECT_EQ(difference_of(tensors(1.0F), tensors(1.0F), 1e-6), "");
    EXPECT_NE(difference_of(tensors(1.0F), tensors(1.01F), 1e-6), "");
    EXPECT_NE(difference_of(tensors(NAN), tensors(1.0F), 1e-6), "");
    EXPECT_NE(difference_of(tensors(1.0F), {}, 1e-6), "");
}

}  // namespace
}  // namespace lossmap::kernels::test
