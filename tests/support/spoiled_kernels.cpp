#include "tests/support/spoiled_kernels.hpp"

#include "core/error.hpp"

namespace lossmap::test {
namespace {

using kernels::KernelTable;
using StageKernelEntry = void (*KernelTable::*)(const kernels::StageArgs& args, kernels::Queue queue);

/// A table holds functions, which know nothing but what they are compiled for: one for each entry.
template <StageKernelEntry kEntry>
void spoiled(const kernels::StageArgs& args, kernels::Queue queue) {
    (kernels::host_kernels().*kEntry)(args, queue);
    const kernels::Output& result = args.out.data != nullptr ? args.out : args.exit;
    kernels::store_float(result.data, result.type, 0, kernels::load_float(result.data, result.type, 0) + 1.0F);
}

template <StageKernelEntry kEntry>
KernelTable with_spoiled() {
    KernelTable table = kernels::host_kernels();
    table.*kEntry = &spoiled<kEntry>;
    return table;
}

}  // namespace

kernels::KernelTable kernels_with_a_fault(const std::string& name) {
    if (name == "stage") return with_spoiled<&KernelTable::stage>();
    if (name == "split_stage") return with_spoiled<&KernelTable::split_stage>();
    if (name == "tf32_stage") return with_spoiled<&KernelTable::tf32_stage>();
    if (name == "warpgroup_stage") return with_spoiled<&KernelTable::warpgroup_stage>();
    if (name == "warpgroup_split_stage") return with_spoiled<&KernelTable::warpgroup_split_stage>();
    throw InternalError("'{}' is no stage kernel", name);
}

}  // namespace lossmap::test
