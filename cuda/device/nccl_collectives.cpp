#include "cuda/device/nccl_collectives.hpp"

#include <array>
#include <span>

#include "cuda/device/shared_library.hpp"
#include "cuda/runtime/device.hpp"
#include "cuda/runtime/error.hpp"

namespace lossmap::cuda {
namespace {

// The few functions of NCCL's C interface that are used (NCCL user guide, "Communicator Creation and Management
// Functions", "Collective Communication Functions"), so that neither its header nor the library is needed to build.
struct UniqueId {
    std::array<char, 128> internal;
};
using Comm = struct NcclComm*;
constexpr int kSuccess = 0;
constexpr int kUint8 = 1;

struct Library {
    SharedLibrary library{"libnccl.so.2"};
    int (*get_unique_id)(UniqueId*) = library.function<int(UniqueId*)>("ncclGetUniqueId");
    int (*init_rank)(Comm*, int, UniqueId, int) = library.function<int(Comm*, int, UniqueId, int)>("ncclCommInitRank");
    int (*destroy)(Comm) = library.function<int(Comm)>("ncclCommDestroy");
    int (*broadcast)(const void*, void*, std::size_t, int, int, Comm, void*) =
        library.function<int(const void*, void*, std::size_t, int, int, Comm, void*)>("ncclBroadcast");
    int (*all_gather)(const void*, void*, std::size_t, int, Comm, void*) =
        library.function<int(const void*, void*, std::size_t, int, Comm, void*)>("ncclAllGather");
    const char* (*error_string)(int) = library.function<const char*(int)>("ncclGetErrorString");
    const char* (*last_error)(Comm) = library.function<const char*(Comm)>("ncclGetLastError");

    /// @param communicator  nullptr before there is one
    void check(int status, const char* call, Comm communicator) const {
        if (status == kSuccess) return;
        const char* details = last_error(communicator);
        throw CudaError("{} failed: {}{}{}", call, error_string(status), details == nullptr ? "" : ": ",
                        details == nullptr ? "" : details);
    }
};

class NcclCollectives final : public DeviceCollectives {
public:
    NcclCollectives(int ordinal, Communicator& bootstrap)
        : ordinal_(ordinal), rank_(bootstrap.rank()), size_(bootstrap.size()) {
        const DeviceGuard guard(ordinal_);
        UniqueId id{};
        if (rank_ == 0) library_.check(library_.get_unique_id(&id), "ncclGetUniqueId", nullptr);
        bootstrap.broadcast(std::as_writable_bytes(std::span(&id, 1)), 0);
        library_.check(library_.init_rank(&communicator_, size_, id, rank_), "ncclCommInitRank", nullptr);
    }
    ~NcclCollectives() override { static_cast<void>(library_.destroy(communicator_)); }

    [[nodiscard]] int rank() const override { return rank_; }
    [[nodiscard]] int size() const override { return size_; }
    void broadcast(void* data, std::size_t bytes, int root, void* stream) override {
        const DeviceGuard guard(ordinal_);
        library_.check(library_.broadcast(data, data, bytes, kUint8, root, communicator_, stream), "ncclBroadcast",
                       communicator_);
    }
    void all_gather(const void* own, void* gathered, std::size_t bytes, void* stream) override {
        const DeviceGuard guard(ordinal_);
        library_.check(library_.all_gather(own, gathered, bytes, kUint8, communicator_, stream), "ncclAllGather",
                       communicator_);
    }

private:
    Library library_;
    int ordinal_;
    int rank_;
    int size_;
    Comm communicator_ = nullptr;
};

}  // namespace

std::unique_ptr<DeviceCollectives> make_nccl_collectives(int ordinal, Communicator& bootstrap) {
    return std::make_unique<NcclCollectives>(ordinal, bootstrap);
}

}  // namespace lossmap::cuda
