#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/tensor.hpp"
#include "kernels/kernel_table.hpp"

namespace lossmap::kernels::test {

/// Memory that one kernel table works on, and the table. Buffers live as long as the device.
class Device {
public:
    explicit Device(const KernelTable& table) : table_(&table) {}
    virtual ~Device() = default;
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    [[nodiscard]] const KernelTable& table() const { return *table_; }
    [[nodiscard]] virtual Queue queue() = 0;
    /// A copy of `size_bytes` bytes, aligned to 16.
    [[nodiscard]] virtual void* put(const void* bytes, std::size_t size_bytes) = 0;
    /// Waits for the queue and copies back.
    virtual void get(void* target, const void* source, std::size_t size_bytes) = 0;

    /// A device array of host values.
    template <typename T>
    [[nodiscard]] T* put(const std::vector<T>& values) {
        return static_cast<T*>(put(values.data(), values.size() * sizeof(T)));
    }
    /// Room filled with bytes of all ones: NaN, and -1.
    template <typename T>
    [[nodiscard]] T* room(std::size_t count) {
        const std::vector<unsigned char> ones(count * sizeof(T), 0xff);
        return static_cast<T*>(put(static_cast<const void*>(ones.data()), ones.size()));
    }
    template <typename T>
    [[nodiscard]] std::vector<T> get(const T* source, std::size_t count) {
        std::vector<T> values(count);
        get(values.data(), source, count * sizeof(T));
        return values;
    }

    /// Uploads a tensor; with `points` > 0 its first dimension counts points, else it is the same for all.
    [[nodiscard]] Input input(const Tensor& tensor, std::int64_t points = 0);
    /// Room for `count` elements a point.
    [[nodiscard]] Output output(DType type, std::int64_t points, std::int64_t count);
    /// What `output` holds now, `count` elements a point.
    [[nodiscard]] Tensor fetch(const Output& output, std::int64_t points, std::int64_t count);

private:
    const KernelTable* table_;
};

/// Bytes whose end, rounded up to 16, stands at a page that must not be touched: reading or writing beyond it ends the
/// test. The bytes of the rounding are all ones, NaN.
class GuardedBuffer {
public:
    explicit GuardedBuffer(std::size_t size_bytes);
    ~GuardedBuffer();
    GuardedBuffer(GuardedBuffer&& other) noexcept;
    GuardedBuffer& operator=(GuardedBuffer&& other) = delete;

    [[nodiscard]] void* data() const { return data_; }

private:
    void* pages_ = nullptr;
    std::size_t pages_bytes_ = 0;
    void* data_ = nullptr;
};

/// Host memory; for host_kernels() and reversed_host_kernels().
class HostDevice : public Device {
public:
    explicit HostDevice(const KernelTable& table) : Device(table) {}
    [[nodiscard]] Queue queue() override { return {}; }
    using Device::get;
    using Device::put;
    [[nodiscard]] void* put(const void* bytes, std::size_t size_bytes) override;
    void get(void* target, const void* source, std::size_t size_bytes) override;

private:
    std::vector<GuardedBuffer> buffers_;
};

}  // namespace lossmap::kernels::test
