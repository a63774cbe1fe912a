#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lossmap::cuda {

/// What the runtime says of one device.
struct DeviceProperties {
    int ordinal = 0;
    std::string name;
    int compute_major = 0;
    int compute_minor = 0;
    int multiprocessors = 0;
    std::int64_t memory_bytes = 0;
    std::int64_t free_bytes = 0;
    std::int64_t l2_bytes = 0;
    std::int64_t shared_bytes_per_block = 0;  ///< with the opt-in
};

/// Devices that can be used, and the reason when there is none ("the driver is missing", ..). Never throws: a binary
/// built with CUDA starts on a machine without a driver.
struct DeviceList {
    std::vector<DeviceProperties> devices;
    std::string why_none;
    int driver_version = 0;  ///< 12040 is 12.4; 0 without a driver
    int runtime_version = 0;
};
/// @param ordinals  which ones; empty: all. The others are not touched, as a context costs memory on each.
[[nodiscard]] DeviceList list_devices(const std::vector<int>& ordinals = {});
/// Of all; 0 without a driver. Touches none.
[[nodiscard]] int count_devices();

/// Makes a device current for the calling thread while it lives, and the former one afterwards.
class DeviceGuard {
public:
    explicit DeviceGuard(int ordinal);
    ~DeviceGuard();
    DeviceGuard(const DeviceGuard&) = delete;
    DeviceGuard& operator=(const DeviceGuard&) = delete;

private:
    int former_ = 0;
};

}  // namespace lossmap::cuda
