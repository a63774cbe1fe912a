#include "cpu/cpu_backend.hpp"
#include "dist/mpi_communicator.hpp"
#include "tests/dist/communicator_case.hpp"

namespace lossmap::test {
namespace {

/// MPI begins and ends once a process.
Communicator& all_processes() {
    static const auto communicator = make_mpi_communicator();
    return *communicator;
}

class Borrowed final : public Communicator {
public:
    [[nodiscard]] int rank() const override { return all_processes().rank(); }
    [[nodiscard]] int size() const override { return all_processes().size(); }
    void broadcast(std::span<std::byte> bytes, int root) override { all_processes().broadcast(bytes, root); }
    [[nodiscard]] std::vector<std::vector<std::byte>> gather(std::span<const std::byte> own) override {
        return all_processes().gather(own);
    }
};

Communicators this_process(int) {
    Communicators result;
    result.push_back(std::make_unique<Borrowed>());
    return result;
}

}  // namespace

std::vector<CommunicatorCase> communicator_cases() {
    return {{"Mpi", this_process, all_processes().size(), [] { return std::shared_ptr<Backend>(make_cpu_backend()); }}};
}

}  // namespace lossmap::test
