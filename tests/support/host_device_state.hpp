#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "tests/support/access_ledger.hpp"
#include "tests/support/host_device.hpp"

namespace lossmap::test {

/// What queues, memory and plans of one emulated device share.
class HostDeviceState {
public:
    explicit HostDeviceState(const HostDeviceOptions& options_in) : options(options_in) {}

    HostDeviceOptions options;
    AccessLedger ledger;
    HostDeviceCounts counts;
    Clock host;  ///< what the calling thread has waited for
    std::size_t queues = 0;
    std::atomic<std::thread::id> recording{};  ///< the thread that records, which may not allocate; as captures are
    double seconds = 0.0;                      ///< on the device's clock
    std::int64_t convolution_runs = 0;
};

}  // namespace lossmap::test
