#include "landscape/journal.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <string_view>
#include <system_error>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "io/sqlite_file.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kApplicationId = 0x4c4d4a31;  // "LMJ1": tells a journal from any other SQLite file
constexpr std::int64_t kFormatVersion = 1;
constexpr int kBusyTimeoutMs = 250;  // long enough for a process that is just closing

// Seven 8-byte fields, little endian, and a checksum over them and the unit's key: SQLite itself keeps none.
constexpr std::size_t kSumsBytes = 8 * 8;

using SumsBlob = std::array<unsigned char, kSumsBytes>;

void put(SumsBlob& blob, std::size_t field, std::uint64_t value) {
    for (std::size_t i = 0; i < 8; ++i)
        blob[field * 8 + i] = static_cast<unsigned char>(value >> (8 * i));
}

std::uint64_t get(const SumsBlob& blob, std::size_t field) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i)
        value |= static_cast<std::uint64_t>(blob[field * 8 + i]) << (8 * i);
    return value;
}

std::uint64_t checksum(const JournalEntry& entry, const SumsBlob& blob) {
    std::string text = fmt::format("{}\n{}\n{}\n", entry.split, entry.point, entry.chunk);
    text.append(reinterpret_cast<const char*>(blob.data()), kSumsBytes - 8);
    return name_hash(text);
}

SumsBlob encode(const JournalEntry& entry) {
    SumsBlob blob{};
    put(blob, 0, std::bit_cast<std::uint64_t>(entry.sums.loss_sum));
    put(blob, 1, std::bit_cast<std::uint64_t>(entry.sums.loss_square_sum));
    put(blob, 2, std::bit_cast<std::uint64_t>(entry.sums.weight_sum));
    put(blob, 3, static_cast<std::uint64_t>(entry.sums.correct));
    put(blob, 4, static_cast<std::uint64_t>(entry.sums.counted));
    put(blob, 5, static_cast<std::uint64_t>(entry.sums.non_finite));
    put(blob, 6, static_cast<std::uint64_t>(entry.sums.overflowed));
    put(blob, 7, checksum(entry, blob));
    return blob;
}

/// False when the checksum does not fit.
bool decode(const SumsBlob& blob, JournalEntry& entry) {
    entry.sums.loss_sum = std::bit_cast<double>(get(blob, 0));
    entry.sums.loss_square_sum = std::bit_cast<double>(get(blob, 1));
    entry.sums.weight_sum = std::bit_cast<double>(get(blob, 2));
    entry.sums.correct = static_cast<std::int64_t>(get(blob, 3));
    entry.sums.counted = static_cast<std::int64_t>(get(blob, 4));
    entry.sums.non_finite = static_cast<std::int64_t>(get(blob, 5));
    entry.sums.overflowed = static_cast<std::int64_t>(get(blob, 6));
    return get(blob, 7) == checksum(entry, blob);
}

constexpr SqliteWords kWords{"journal", "wait for that run or stop it", "start over with --fresh"};

/// A connection that holds the file for itself (locking_mode EXCLUSIVE: also no shared-memory file is needed, so that a
/// journal works on network file systems).
SqliteFile open_journal(const fs::path& file) {
    SqliteFile database(file, kWords, kBusyTimeoutMs);
    database.execute("PRAGMA locking_mode = EXCLUSIVE");
    return database;
}

std::string meta_text(const SqliteFile& database, std::string_view key) {
    SqliteStatement statement(database, "SELECT value FROM meta WHERE key = ?1");
    statement.bind(1, key);
    return statement.step() ? statement.text(0) : std::string();
}

void set_meta(const SqliteFile& database, std::string_view key, std::string_view value) {
    SqliteStatement statement(database, "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)");
    statement.bind(1, key);
    statement.bind(2, value);
    statement.step();
}

/// Checks that a file with content is a journal that this version understands.
void require_journal(const SqliteFile& database) {
    if (database.integer("PRAGMA application_id") != kApplicationId) {
        throw InputError("'{}' is a database, but no journal of lossmap", database.file().string());
    }
    if (database.integer("SELECT count(*) FROM sqlite_master WHERE name IN ('meta', 'unit') AND type = 'table'") != 2 ||
        database.integer("SELECT count(*) FROM sqlite_master WHERE type IN ('trigger', 'view')") != 0 ||
        database.integer("SELECT count(*) FROM pragma_table_info('meta') WHERE name IN ('key', 'value')") != 2 ||
        database.integer("SELECT count(*) FROM pragma_table_info('unit') WHERE name IN ('split', 'point', 'chunk', "
                         "'sums')") != 4) {
        throw InputError("the journal '{}' is damaged (its tables are not those of a journal): start over with --fresh",
                         database.file().string());
    }
    const std::string format = meta_text(database, "format");
    if (format != std::to_string(kFormatVersion)) {
        throw InputError(
            "the journal '{}' has format '{}', this version of lossmap reads format {}: use the version that wrote it "
            "or start over with --fresh",
            database.file().string(), format, kFormatVersion);
    }
}

void create_tables(SqliteFile& database, const std::string& identity) {
    SqliteTransaction transaction(database);
    database.execute(fmt::format("PRAGMA application_id = {}", kApplicationId).c_str());
    database.execute("CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID");
    database.execute(
        "CREATE TABLE unit (split TEXT NOT NULL, point INTEGER NOT NULL, chunk INTEGER NOT NULL,"
        " sums BLOB NOT NULL, PRIMARY KEY (split, point, chunk)) WITHOUT ROWID");
    set_meta(database, "format", std::to_string(kFormatVersion));
    set_meta(database, "identity", identity);
    transaction.commit();
}

// Notes share the table with the journal's own entries.
std::string note_key(const std::string& key) { return "note:" + key; }

JournalEntry read_entry(const SqliteStatement& statement, const fs::path& file) {
    JournalEntry entry;
    entry.split = statement.text(0);
    entry.point = statement.integer(1);
    entry.chunk = statement.integer(2);
    const std::span<const unsigned char> bytes = statement.blob(3);
    SumsBlob blob{};
    if (bytes.size() == blob.size()) std::copy(bytes.begin(), bytes.end(), blob.begin());
    if (bytes.size() != blob.size() || !decode(blob, entry)) {
        throw InputError("the journal '{}' is damaged (point {}, chunk {} of split '{}'): start over with --fresh",
                         file.string(), entry.point, entry.chunk, entry.split);
    }
    return entry;
}

}  // namespace

struct Journal::Impl {
    explicit Impl(const fs::path& file) : database(open_journal(file)) {}
    SqliteFile database;
};

Journal::Journal(const fs::path& file, const std::string& identity) {
    if (identity.empty()) throw InternalError("a journal needs an identity");
    impl_ = std::make_unique<Impl>(file);
    SqliteFile& database = impl_->database;
    const bool fresh = database.is_new();
    if (!fresh) {
        require_journal(database);
        if (meta_text(database, "identity") != identity) {
            throw InputError(
                "'{}' belongs to another run (model, data, directions, grid or precision differ): choose another "
                "--out, or --fresh to replace it",
                file.string());
        }
    }
    database.execute("PRAGMA journal_mode = WAL");
    database.execute("PRAGMA synchronous = FULL");
    if (fresh) create_tables(database, identity);
}

Journal::~Journal() = default;

void Journal::append(const std::vector<JournalEntry>& entries) {
    if (entries.empty()) return;
    SqliteTransaction transaction(impl_->database);
    SqliteStatement statement(impl_->database,
                              "INSERT OR REPLACE INTO unit (split, point, chunk, sums) VALUES (?1, ?2, ?3, ?4)");
    for (const JournalEntry& entry : entries) {
        const SumsBlob blob = encode(entry);
        statement.bind(1, entry.split);
        statement.bind(2, entry.point);
        statement.bind(3, entry.chunk);
        statement.bind(4, blob);
        statement.step();
        statement.reset();
    }
    transaction.commit();
}

std::vector<JournalEntry> Journal::entries() const {
    const SqliteFile& database = impl_->database;
    SqliteStatement check(database, "PRAGMA quick_check(1)");
    if (!check.step() || check.text(0) != "ok") {
        throw InputError("the journal '{}' is damaged ({}): start over with --fresh", database.file().string(),
                         check.text(0));
    }
    SqliteStatement statement(database, "SELECT split, point, chunk, sums FROM unit ORDER BY split, point, chunk");
    std::vector<JournalEntry> result;
    while (statement.step())
        result.push_back(read_entry(statement, database.file()));
    return result;
}

void Journal::set_note(const std::string& key, const std::string& value) {
    SqliteTransaction transaction(impl_->database);
    set_meta(impl_->database, note_key(key), value);
    transaction.commit();
}

std::string Journal::note(const std::string& key) const { return meta_text(impl_->database, note_key(key)); }

std::string Journal::identity_of(const fs::path& file) {
    if (!fs::exists(file)) return {};
    const SqliteFile database = open_journal(file);
    if (database.is_new()) return {};
    require_journal(database);
    return meta_text(database, "identity");
}

void Journal::remove(const fs::path& file) {
    if (fs::exists(file)) {
        open_journal(file).require_free();
    }
    // The log goes first: without it the main file is an older, whole journal, were this process killed in between.
    for (const char* suffix : {"-wal", "-shm", "-journal", ""}) {
        std::error_code error;
        fs::remove(fs::path(file.string() + suffix), error);
        if (error) throw Error("cannot delete '{}{}': {}", file.string(), suffix, error.message());
    }
}

}  // namespace lossmap
