#include "cli/run/run_ranks.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <type_traits>

#include "cli/run/host_name.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

/// In the order of ranks.
std::vector<std::string> host_names(Communicator& communicator) {
    const std::string own = host_name();
    std::vector<std::string> hosts;
    for (const auto& bytes : communicator.gather(std::as_bytes(std::span(own))))
        hosts.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return hosts;
}

/// What an entry is beside its split's name.
struct PackedUnit {
    std::int64_t split_bytes = 0;
    std::int64_t point = 0;
    std::int64_t chunk = 0;
    LossSums sums;
};
static_assert(std::is_trivially_copyable_v<PackedUnit>);

}  // namespace

RunRanks::RunRanks(Communicator& communicator, const std::atomic<bool>* stop)
    : hosts_(host_names(communicator)),
      agreement_(
          communicator,
          fmt::format("rank {} on {}", communicator.rank(), hosts_[static_cast<std::size_t>(communicator.rank())]),
          stop) {
    const auto own = hosts_.begin() + communicator.rank();
    local_rank_ = static_cast<int>(std::count(hosts_.begin(), own, *own));
}

std::string RunRanks::describe() const {
    std::map<std::string, int> counts;
    for (const std::string& host : hosts_)
        ++counts[host];
    std::string text;
    for (const auto& [host, count] : counts)
        text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", host, count);
    return fmt::format("{} rank{} on {}", size(), size() == 1 ? "" : "s", text);
}

std::vector<JournalEntry> RunRanks::known_elsewhere(const Journal* journal) {
    const std::string packed = agreement_.from_root(journal == nullptr ? "" : pack_entries(journal->entries()));
    return is_root() ? std::vector<JournalEntry>() : unpack_entries(packed);
}

void in_step(RunRanks* ranks, const std::function<void()>& body) {
    if (ranks == nullptr)
        body();
    else
        ranks->agreement().together(body);
}

std::string device_of_rank(const std::string& wanted, int local_rank, int gpus) {
    if (gpus < 2 || (wanted != "auto" && wanted != "cuda")) return wanted;
    return fmt::format("cuda:{}", local_rank % gpus);
}

std::string pack_entries(const std::vector<JournalEntry>& entries) {
    std::string bytes;
    for (const JournalEntry& entry : entries) {
        const PackedUnit unit{static_cast<std::int64_t>(entry.split.size()), entry.point, entry.chunk, entry.sums};
        bytes.append(reinterpret_cast<const char*>(&unit), sizeof(unit));
        bytes += entry.split;
    }
    return bytes;
}

std::vector<JournalEntry> unpack_entries(const std::string& bytes) {
    std::vector<JournalEntry> entries;
    for (std::size_t at = 0; at < bytes.size();) {
        PackedUnit unit;
        if (bytes.size() - at < sizeof(unit)) throw InternalError("units of another rank end in their middle");
        std::memcpy(&unit, bytes.data() + at, sizeof(unit));
        at += sizeof(unit);
        if (unit.split_bytes < 0 || static_cast<std::size_t>(unit.split_bytes) > bytes.size() - at)
            throw InternalError("units of another rank end in their middle");
        entries.push_back(
            {bytes.substr(at, static_cast<std::size_t>(unit.split_bytes)), unit.point, unit.chunk, unit.sums});
        at += static_cast<std::size_t>(unit.split_bytes);
    }
    return entries;
}

}  // namespace lossmap
