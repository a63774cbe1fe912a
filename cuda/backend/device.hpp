#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "cuda/backend/convolution.hpp"
#include "cuda/backend/eigen.hpp"
#include "cuda/backend/gemm.hpp"
#include "kernels/kernel_table.hpp"

/// What the executable asks of a device. Two implementations: the GPU (cuda/device, needs the toolkit) and an emulation
/// on the host (tests/support), so that everything above this line runs and is tested on a machine without a GPU.
namespace lossmap::cuda {

/// Bytes that a piece of work reads or writes; an emulation checks them, a GPU does not look.
struct Access {
    const void* data = nullptr;
    std::size_t bytes = 0;
    bool writes = false;
};

/// Memory of a device, or page-locked memory of the host. Move-only; given back on destruction, which must not happen
/// before the work that uses it is done.
class Memory {
public:
    Memory() = default;
    Memory(void* data, std::size_t bytes, std::function<void(void*)> release)
        : data_(data), bytes_(bytes), release_(std::move(release)) {}
    ~Memory() {
        if (data_ != nullptr) release_(data_);
    }
    Memory(Memory&& other) noexcept { swap(other); }
    Memory& operator=(Memory&& other) noexcept {
        swap(other);
        return *this;
    }

    [[nodiscard]] std::byte* data() const { return static_cast<std::byte*>(data_); }
    [[nodiscard]] std::size_t size_bytes() const { return bytes_; }
    template <typename T>
    [[nodiscard]] T* as() const {
        return static_cast<T*>(data_);
    }

private:
    void swap(Memory& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
        std::swap(release_, other.release_);
    }

    void* data_ = nullptr;
    std::size_t bytes_ = 0;
    std::function<void(void*)> release_;
};

/// A place in a queue: what was queued in front of it. Shared; cheap to copy.
class Mark {
public:
    virtual ~Mark() = default;
    Mark() = default;
    Mark(const Mark&) = delete;
    Mark& operator=(const Mark&) = delete;
    /// Blocks the calling thread until the queue has passed the mark; throws what the work raised.
    virtual void synchronize() = 0;
    /// Seconds on the device from an earlier mark to this one, both passed and made by Queue::timed_mark.
    [[nodiscard]] virtual double seconds_since(const Mark& earlier) const = 0;
};

/// Work that was recorded once and is queued as one piece any number of times.
class Recording {
public:
    virtual ~Recording() = default;
    Recording() = default;
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;
};

/// The device takes the work, but not as a recording.
class CannotRecord : public Error {
public:
    using Error::Error;
};

/// An ordered queue of device work. Nothing here blocks the calling thread except `synchronize`. Two queues are ordered
/// by marks alone.
class Queue {
public:
    virtual ~Queue() = default;
    Queue() = default;
    Queue(const Queue&) = delete;
    Queue& operator=(const Queue&) = delete;

    /// Queues a kernel: `launch` is called with the queue's native handle (cudaStream_t), now or when replayed.
    /// @param name  for messages; must outlive the queue.
    virtual void launch(const char* name, std::span<const Access> accesses,
                        std::function<void(void* stream)> launch) = 0;
    /// `source` is pinned memory that stays as it is until the queue has passed the copy.
    virtual void copy_to_device(void* target, const void* source, std::size_t bytes) = 0;
    /// `target` is pinned memory.
    virtual void copy_to_host(void* target, const void* source, std::size_t bytes) = 0;
    /// Between places of the device.
    virtual void copy(void* target, const void* source, std::size_t bytes) = 0;
    virtual void fill(void* target, std::uint8_t value, std::size_t bytes) = 0;

    [[nodiscard]] virtual std::shared_ptr<Mark> mark() = 0;
    /// A mark that knows when it was passed.
    [[nodiscard]] virtual std::shared_ptr<Mark> timed_mark() = 0;
    /// Work queued from now on starts behind `mark`.
    virtual void wait(const std::shared_ptr<Mark>& mark) = 0;
    virtual void synchronize() = 0;

    /// Records what `work` queues here; nothing of it runs. Throws CannotRecord, and what `work` throws beside what the
    /// device says of it.
    [[nodiscard]] virtual std::unique_ptr<Recording> record(const std::function<void()>& work) = 0;
    /// Queues a recording of this queue.
    virtual void replay(const Recording& recording) = 0;
};

/// What a device is and has.
struct DeviceFacts {
    std::string id;  ///< "cuda:0"
    std::string description;
    std::int64_t memory_bytes = 0;
    std::int64_t free_bytes = 0;
    std::int64_t pass_bytes = 0;         ///< of activations of one pass, at most
    std::int64_t most_points = 1;        ///< points a pass at most
    std::int64_t most_products = 65535;  ///< matrices that one product of the library takes at most
    std::int64_t multiprocessors = 132;
    std::int64_t l2_bytes = 0;                  ///< of the cache that all multiprocessors share
    std::int64_t shared_bytes = 0;              ///< of shared memory that one block may take
    bool tiles_convolutions = true;             ///< whether our own kernel is among the ways of a convolution
    std::string architecture;                   ///< "sm_90": results depend on it
    std::vector<std::string> library_versions;  ///< "cuDNN 9.13.0": results depend on them
    std::string driver;                         ///< "580.65.06": what is tuned is tuned for it
};

/// Not enough device memory: the caller may try a smaller plan.
class OutOfDeviceMemory : public Error {
public:
    using Error::Error;
};

class Device {
public:
    virtual ~Device() = default;
    Device() = default;
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    [[nodiscard]] virtual const DeviceFacts& facts() const = 0;
    /// Uninitialised. Throws OutOfDeviceMemory.
    [[nodiscard]] virtual Memory allocate(std::size_t bytes) = 0;
    /// Page-locked memory of the host, uninitialised.
    [[nodiscard]] virtual Memory allocate_pinned(std::size_t bytes) = 0;
    [[nodiscard]] virtual std::unique_ptr<Queue> make_queue() = 0;

    [[nodiscard]] virtual const kernels::KernelTable& kernels() const = 0;
    /// Ways to compute the product, the library's favourite first; all keep one order of summation. Never empty: a
    /// device multiplies every matrix. Throws CudaError where its library does not.
    [[nodiscard]] virtual std::vector<LibraryWay> gemm_ways(const GemmProblem& problem) = 0;
    /// Makes a way ready, from what LibraryPlan::serialized gave where that is not empty. Never nullptr; throws Error
    /// when the library has no such way (any more). Both may be called by several threads at once.
    [[nodiscard]] virtual std::unique_ptr<GemmPlan> build_gemm(const GemmProblem& problem, const LibraryWay& way,
                                                               std::span<const std::byte> serialized) = 0;
    /// The same for convolutions: ways that join everything first, then those that leave the activation, then the
    /// convolution alone. Empty when there is none, and `why_none` says why (no engine, only engines whose results
    /// change from run to run). Both may be called by several threads at once: kernels are compiled here.
    [[nodiscard]] virtual std::vector<LibraryWay> convolution_ways(const ConvolutionProblem& problem,
                                                                   std::string& why_none) = 0;
    [[nodiscard]] virtual std::unique_ptr<ConvolutionPlan> build_convolution(const ConvolutionProblem& problem,
                                                                             const LibraryWay& way,
                                                                             std::span<const std::byte> serialized) = 0;
    /// Never nullptr; throws UnsupportedError where the library for it is not there.
    [[nodiscard]] virtual std::unique_ptr<EigenPlan> plan_eigen(std::int64_t order) = 0;
};

}  // namespace lossmap::cuda
