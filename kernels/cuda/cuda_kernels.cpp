#include "kernels/kernel_table.hpp"

namespace lossmap::kernels {

#define LOSSMAP_ENTRY(name, Args) void cuda_##name(const Args& args, Queue queue);
LOSSMAP_KERNELS(LOSSMAP_ENTRY)
#undef LOSSMAP_ENTRY

const KernelTable& cuda_kernels() {
    static const KernelTable kTable = [] {
        KernelTable table;
#define LOSSMAP_ENTRY(name, Args) table.name = cuda_##name;
        LOSSMAP_KERNELS(LOSSMAP_ENTRY)
#undef LOSSMAP_ENTRY
        return table;
    }();
    return kTable;
}

}  // namespace lossmap::kernels
