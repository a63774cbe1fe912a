#pragma once

#include <cstddef>
#include <cstdint>

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
    double seconds = 0.0;  ///< on the device's clock
    std::int64_t convolution_runs = 0;
};

}  // namespace lossmap::test
