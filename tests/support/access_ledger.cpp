#include "tests/support/access_ledger.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lossmap::test {

void merge(Clock& into, const Clock& other) {
    if (into.size() < other.size()) into.resize(other.size(), 0);
    for (std::size_t k = 0; k < other.size(); ++k)
        into[k] = std::max(into[k], other[k]);
}

void AccessLedger::add(const void* data, std::size_t bytes) {
    allocations_[reinterpret_cast<std::uintptr_t>(data)] = {bytes, {}};
    bytes_ += static_cast<std::int64_t>(bytes);
}

void AccessLedger::remove(const void* data) {
    const auto found = allocations_.find(reinterpret_cast<std::uintptr_t>(data));
    if (found == allocations_.end()) throw InternalError("memory is given back that was never taken");
    bytes_ -= static_cast<std::int64_t>(found->second.bytes);
    allocations_.erase(found);
}

void AccessLedger::check(const char* name, std::size_t queue, const Clock& now,
                         std::span<const cuda::Access> accesses) {
    for (const cuda::Access& access : accesses) {
        if (access.bytes == 0) continue;
        const auto begin = reinterpret_cast<std::uintptr_t>(access.data);
        auto found = allocations_.upper_bound(begin);
        if (found == allocations_.begin()) throw InternalError("{}: access to memory that is not the device's", name);
        --found;
        if (begin + access.bytes > found->first + found->second.bytes) {
            throw InternalError("{}: {} bytes at {} of an allocation of {}", name, access.bytes, begin - found->first,
                                found->second.bytes);
        }
        note(found->second, {begin, begin + access.bytes, queue, now[queue], access.writes, name}, now);
    }
}

void AccessLedger::note(Allocation& allocation, const Record& access, const Clock& now) {
    const auto known = [&](const Record& record) {
        return record.queue < now.size() && now[record.queue] >= record.tick;
    };
    std::erase_if(allocation.records, [&](const Record& record) {
        const bool overlaps = record.begin < access.end && access.begin < record.end;
        if (!overlaps) return false;
        if ((record.write || access.write) && !known(record)) {
            throw InternalError("{} of queue {} and {} of queue {} touch the same bytes, and no mark orders them",
                                record.name, record.queue, access.name, access.queue);
        }
        const bool covered = access.begin <= record.begin && record.end <= access.end;
        // A write stands for everything before it; a read only for the queue's own reads.
        return covered && (access.write || (!record.write && record.queue == access.queue));
    });
    allocation.records.push_back(access);
}

}  // namespace lossmap::test
