#include "kernels/host/host_launch.hpp"
#include "kernels/kernel_table.hpp"

namespace lossmap::kernels {
namespace {

template <bool kReversed>
KernelTable make_table() {
    KernelTable table;
#define LOSSMAP_ENTRY(name, Args) \
    table.name = [](const Args& args, Queue) { launch_##name(args, HostLaunch(kReversed)); };
    LOSSMAP_KERNELS(LOSSMAP_ENTRY)
#undef LOSSMAP_ENTRY
    return table;
}

}  // namespace

const KernelTable& host_kernels() {
    static const KernelTable kTable = make_table<false>();
    return kTable;
}

const KernelTable& reversed_host_kernels() {
    static const KernelTable kTable = make_table<true>();
    return kTable;
}

}  // namespace lossmap::kernels
