// MPI 3.1: sections 5.4 (broadcast), 8.3 (error handling), 8.7 (startup), 12.4 (threads).
#include "dist/mpi_communicator.hpp"

// The C interface alone.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "core/error.hpp"

namespace lossmap {
namespace {

/// Counts are ints in MPI 3.
constexpr std::size_t kMostBytesACall = std::size_t{1} << 30;

void check(int status, const char* call) {
    if (status == MPI_SUCCESS) return;
    std::array<char, MPI_MAX_ERROR_STRING> text{};
    int length = 0;
    MPI_Error_string(status, text.data(), &length);
    throw Error("{}: {}", call, std::string_view(text.data(), static_cast<std::size_t>(length)));
}

class MpiCommunicator final : public Communicator {
public:
    MpiCommunicator() {
        int provided = 0;
        // Only this thread calls MPI; the backend has threads of its own.
        check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
        if (provided < MPI_THREAD_FUNNELED) throw Error("this MPI allows no threads beside it");
        check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
        check(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "MPI_Comm_rank");
        check(MPI_Comm_size(MPI_COMM_WORLD, &size_), "MPI_Comm_size");
    }
    ~MpiCommunicator() override { MPI_Finalize(); }

    [[nodiscard]] int rank() const override { return rank_; }
    [[nodiscard]] int size() const override { return size_; }

    void broadcast(std::span<std::byte> bytes, int root) override {
        if (root < 0 || root >= size_) throw InternalError("rank {} of {}", root, size_);
        while (!bytes.empty()) {
            const std::size_t count = std::min(bytes.size(), kMostBytesACall);
            check(MPI_Bcast(bytes.data(), static_cast<int>(count), MPI_BYTE, root, MPI_COMM_WORLD), "MPI_Bcast");
            bytes = bytes.subspan(count);
        }
    }

    [[nodiscard]] std::vector<std::vector<std::byte>> gather(std::span<const std::byte> own) override {
        const std::uint64_t own_size = own.size();
        std::vector<std::uint64_t> sizes(static_cast<std::size_t>(size_));
        check(MPI_Allgather(&own_size, 1, MPI_UINT64_T, sizes.data(), 1, MPI_UINT64_T, MPI_COMM_WORLD),
              "MPI_Allgather");
        std::vector<std::vector<std::byte>> all;
        for (int rank = 0; rank < size_; ++rank) {
            all.emplace_back(sizes[static_cast<std::size_t>(rank)]);
            if (rank == rank_) std::copy(own.begin(), own.end(), all.back().begin());
            broadcast(all.back(), rank);
        }
        return all;
    }

private:
    int rank_ = 0;
    int size_ = 1;
};

}  // namespace

std::string mpi_version() {
    std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
    int length = 0;
    check(MPI_Get_library_version(text.data(), &length), "MPI_Get_library_version");
    std::string version(text.data(), static_cast<std::size_t>(length));
    return version.substr(0, version.find('\n'));
}

std::unique_ptr<Communicator> make_mpi_communicator() { return std::make_unique<MpiCommunicator>(); }

}  // namespace lossmap
