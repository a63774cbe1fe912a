#include "landscape/journal.hpp"

#include <sqlite3.h>

#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

#include "core/error.hpp"
#include "core/philox.hpp"

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

/// Turns a failed SQLite call into the error that says whose fault it is.
[[noreturn]] void fail(sqlite3* database, int code, const fs::path& file) {
    switch (code & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            throw InputError("'{}' is being written by another process at the moment: wait for that run or stop it",
                             file.string());
        case SQLITE_NOTADB: throw InputError("'{}' is not a journal (no SQLite database)", file.string());
        case SQLITE_CORRUPT:
            throw InputError("the journal '{}' is damaged ({}): start over with --fresh", file.string(),
                             sqlite3_errstr(code));
        case SQLITE_CANTOPEN: throw InputError("cannot open the journal '{}'", file.string());
        default:
            throw Error("journal '{}': {}", file.string(),
                        database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code));
    }
}

struct CloseDatabase {
    void operator()(sqlite3* database) const noexcept { sqlite3_close_v2(database); }
};

/// One connection that holds the file for itself (locking_mode EXCLUSIVE: also no shared-memory file is needed, so that
/// a journal works on network file systems).
class Database {
public:
    explicit Database(fs::path file) : file_(std::move(file)) {
        sqlite3* raw = nullptr;
        const int code = sqlite3_open_v2(file_.c_str(), &raw,
                                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
        handle_.reset(raw);
        if (code != SQLITE_OK) fail(raw, code, file_);
        sqlite3_extended_result_codes(raw, 1);
        sqlite3_busy_timeout(raw, kBusyTimeoutMs);
        execute("PRAGMA trusted_schema = OFF");
        execute("PRAGMA locking_mode = EXCLUSIVE");
    }

    void execute(const char* sql) { check(sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr)); }
    void check(int code) const {
        if (code != SQLITE_OK) fail(handle_.get(), code, file_);
    }
    [[nodiscard]] sqlite3* get() const { return handle_.get(); }
    [[nodiscard]] const fs::path& file() const { return file_; }

private:
    fs::path file_;
    std::unique_ptr<sqlite3, CloseDatabase> handle_;
};

/// A prepared statement.
class Statement {
public:
    Statement(const Database& database, const char* sql) : database_(database) {
        sqlite3_stmt* raw = nullptr;
        database.check(sqlite3_prepare_v2(database.get(), sql, -1, &raw, nullptr));
        handle_.reset(raw);
    }

    void bind(int index, std::int64_t value) { database_.check(sqlite3_bind_int64(handle_.get(), index, value)); }
    void bind(int index, std::string_view text) {
        if (text.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
            throw Error("a text of {} bytes is too long for a journal", text.size());
        }
        database_.check(
            sqlite3_bind_text(handle_.get(), index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC));
    }
    void bind(int index, const SumsBlob& blob) {
        database_.check(
            sqlite3_bind_blob(handle_.get(), index, blob.data(), static_cast<int>(blob.size()), SQLITE_STATIC));
    }

    /// True while there is a row.
    bool step() {
        const int code = sqlite3_step(handle_.get());
        if (code == SQLITE_ROW) return true;
        if (code != SQLITE_DONE) fail(database_.get(), code, database_.file());
        return false;
    }
    void reset() { database_.check(sqlite3_reset(handle_.get())); }

    [[nodiscard]] std::int64_t integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
    [[nodiscard]] std::string text(int column) const {
        const auto* characters = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
        if (characters == nullptr) return {};
        return {characters, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
    }
    [[nodiscard]] int type(int column) const { return sqlite3_column_type(handle_.get(), column); }
    /// Nothing when the column is no blob of that size.
    [[nodiscard]] std::optional<SumsBlob> blob(int column) const {
        if (type(column) != SQLITE_BLOB) return std::nullopt;
        const void* bytes = sqlite3_column_blob(handle_.get(), column);
        if (sqlite3_column_bytes(handle_.get(), column) != static_cast<int>(kSumsBytes)) return std::nullopt;
        SumsBlob result{};
        std::memcpy(result.data(), bytes, kSumsBytes);
        return result;
    }

private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
    };
    const Database& database_;
    std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

/// BEGIN .. COMMIT; rolled back when left without commit.
class Transaction {
public:
    explicit Transaction(Database& database) : database_(database) { database_.execute("BEGIN IMMEDIATE"); }
    ~Transaction() {
        // A failed statement may have ended the transaction already; the error in flight is the one to report.
        if (!committed_) sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    void commit() {
        database_.execute("COMMIT");
        committed_ = true;
    }

private:
    Database& database_;
    bool committed_ = false;
};

std::int64_t single_integer(const Database& database, const char* sql) {
    Statement statement(database, sql);
    return statement.step() ? statement.integer(0) : 0;
}

std::string meta_text(const Database& database, std::string_view key) {
    Statement statement(database, "SELECT value FROM meta WHERE key = ?1");
    statement.bind(1, key);
    return statement.step() ? statement.text(0) : std::string();
}

void set_meta(const Database& database, std::string_view key, std::string_view value) {
    Statement statement(database, "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)");
    statement.bind(1, key);
    statement.bind(2, value);
    statement.step();
}

/// True for a file without content: SQLite makes an empty file into a database with the first table.
bool is_new(const Database& database) {
    return single_integer(database, "SELECT count(*) FROM sqlite_master") == 0 &&
           single_integer(database, "PRAGMA application_id") == 0;
}

/// Checks that a file with content is a journal that this version understands.
void require_journal(const Database& database) {
    if (single_integer(database, "PRAGMA application_id") != kApplicationId) {
        throw InputError("'{}' is a database, but no journal of lossmap", database.file().string());
    }
    if (single_integer(database,
                       "SELECT count(*) FROM sqlite_master WHERE name IN ('meta', 'unit') AND type = 'table'") != 2 ||
        single_integer(database, "SELECT count(*) FROM sqlite_master WHERE type IN ('trigger', 'view')") != 0) {
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

void create_tables(Database& database, const std::string& identity) {
    Transaction transaction(database);
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

JournalEntry read_entry(const Statement& statement, const fs::path& file) {
    JournalEntry entry;
    entry.split = statement.text(0);
    entry.point = statement.integer(1);
    entry.chunk = statement.integer(2);
    const std::optional<SumsBlob> blob = statement.blob(3);
    if (!blob || !decode(*blob, entry)) {
        throw InputError("the journal '{}' is damaged (point {}, chunk {} of split '{}'): start over with --fresh",
                         file.string(), entry.point, entry.chunk, entry.split);
    }
    return entry;
}

}  // namespace

struct Journal::Impl {
    explicit Impl(const fs::path& file) : database(file) {}
    Database database;
};

Journal::Journal(const fs::path& file, const std::string& identity) {
    if (identity.empty()) throw InternalError("a journal needs an identity");
    impl_ = std::make_unique<Impl>(file);
    Database& database = impl_->database;
    const bool fresh = is_new(database);
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
    Transaction transaction(impl_->database);
    Statement statement(impl_->database,
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
    const Database& database = impl_->database;
    Statement check(database, "PRAGMA quick_check(1)");
    if (!check.step() || check.text(0) != "ok") {
        throw InputError("the journal '{}' is damaged ({}): start over with --fresh", database.file().string(),
                         check.text(0));
    }
    Statement statement(database, "SELECT split, point, chunk, sums FROM unit ORDER BY split, point, chunk");
    std::vector<JournalEntry> result;
    while (statement.step())
        result.push_back(read_entry(statement, database.file()));
    return result;
}

void Journal::set_note(const std::string& key, const std::string& value) {
    Transaction transaction(impl_->database);
    set_meta(impl_->database, note_key(key), value);
    transaction.commit();
}

std::string Journal::note(const std::string& key) const { return meta_text(impl_->database, note_key(key)); }

std::string Journal::identity_of(const fs::path& file) {
    if (!fs::exists(file)) return {};
    const Database database(file);
    if (is_new(database)) return {};
    require_journal(database);
    return meta_text(database, "identity");
}

void Journal::remove(const fs::path& file) {
    if (fs::exists(file)) {
        const Database database(file);
        const int code = sqlite3_exec(database.get(), "SELECT count(*) FROM sqlite_master", nullptr, nullptr, nullptr);
        if ((code & 0xff) == SQLITE_BUSY) fail(database.get(), code, file);
    }
    // The log goes first: without it the main file is an older, whole journal, were this process killed in between.
    for (const char* suffix : {"-wal", "-shm", "-journal", ""}) {
        std::error_code error;
        fs::remove(fs::path(file.string() + suffix), error);
        if (error) throw Error("cannot delete '{}{}': {}", file.string(), suffix, error.message());
    }
}

}  // namespace lossmap
