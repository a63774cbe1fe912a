#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.hpp"

namespace lossmap {

/// Sums of one point over one chunk of one split.
struct JournalEntry {
    std::string split;
    std::int64_t point = 0;
    std::int64_t chunk = 0;
    LossSums sums;
};

/// Durable record of finished units in journal.sqlite: a unit is there whole or not at all, even after kill -9 or a
/// power cut (WAL, synchronous=FULL). Doubles are stored bit for bit (SQLite itself would turn NaN into NULL).
class Journal {
public:
    /// Opens or creates `file` for a run of this identity. Throws InputError when it holds another identity (the
    /// message says so and names --fresh), is no journal, is of a newer format, or another process writes it at the
    /// moment.
    Journal(const std::filesystem::path& file, const std::string& identity);
    ~Journal();
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;

    /// One transaction; durable on return.
    void append(const std::vector<JournalEntry>& entries);
    /// Everything recorded, ordered by split, point, chunk.
    [[nodiscard]] std::vector<JournalEntry> entries() const;
    /// Small named texts (resolved plan, ..); replaces an earlier one.
    void set_note(const std::string& key, const std::string& value);
    /// "" when absent.
    [[nodiscard]] std::string note(const std::string& key) const;
    /// Identity stored in a journal, "" when the file does not exist. Throws InputError when it is no journal.
    [[nodiscard]] static std::string identity_of(const std::filesystem::path& file);
    /// Deletes a journal with SQLite's files beside it (--fresh), damaged ones, too; nothing when there is none.
    /// Deleting only the main file would let a stale log be replayed into the next journal. Throws InputError while
    /// another process writes it.
    static void remove(const std::filesystem::path& file);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lossmap
