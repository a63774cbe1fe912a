#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "cuda/backend/device.hpp"

namespace lossmap::test {

/// What one queue knows to be done: for each queue the number of its pieces of work.
using Clock = std::vector<std::int64_t>;

/// Takes the later one of each.
void merge(Clock& into, const Clock& other);

/// Live allocations of an emulated device, and for each who touched which bytes last. Finds accesses outside them and
/// accesses of two queues, one of them a write, that no mark orders (vector clocks: Lamport 1978, Fidge 1988).
class AccessLedger {
public:
    void add(const void* data, std::size_t bytes);
    void remove(const void* data);
    /// Notes the accesses of one piece of work. Throws InternalError naming it.
    /// @param now  what `queue` knows, its own work counted up to and with this piece
    void check(const char* name, std::size_t queue, const Clock& now, std::span<const cuda::Access> accesses);
    [[nodiscard]] std::int64_t bytes() const { return bytes_; }

private:
    struct Record {
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
        std::size_t queue = 0;
        std::int64_t tick = 0;
        bool write = false;
        const char* name = "";
    };
    struct Allocation {
        std::size_t bytes = 0;
        std::vector<Record> records;
    };

    static void note(Allocation& allocation, const Record& access, const Clock& now);

    std::map<std::uintptr_t, Allocation> allocations_;
    std::int64_t bytes_ = 0;
};

}  // namespace lossmap::test
