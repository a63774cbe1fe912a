#include "io/sqlite_file.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <limits>
#include <utility>

#include "core/error.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

bool is_writable(const fs::path& path) { return ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0; }

/// SQLite reads a database with a write-ahead log by files that it makes beside it.
bool can_only_be_read(const fs::path& file) {
    if (!fs::exists(file)) return false;
    return !is_writable(file) || !is_writable(file.has_parent_path() ? file.parent_path() : ".");
}

/// Of a file that nobody changes (https://www.sqlite.org/uri.html).
std::string immutable_uri(const fs::path& file) {
    std::string uri = "file:";
    for (const char c : fs::absolute(file).string()) {
        if (c == '%' || c == '?' || c == '#')
            uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        else
            uri += c;
    }
    return uri + "?immutable=1";
}

}  // namespace

void SqliteFile::Close::operator()(sqlite3* database) const noexcept { sqlite3_close_v2(database); }

SqliteFile::SqliteFile(std::filesystem::path file, const SqliteWords& words, int busy_timeout_ms)
    : file_(std::move(file)), words_(words) {
    const bool read_only = can_only_be_read(file_);
    const fs::path log = file_.string() + "-wal";
    if (read_only && fs::exists(log) && fs::file_size(log) > 0) {
        throw InputError(
            "the {} '{}' cannot be written, but has a log beside it that belongs to it: {}, or copy its folder",
            words_.kind, file_.string(), words_.busy);
    }
    const std::string name = read_only ? immutable_uri(file_) : file_.string();
    const int mode = read_only ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(name.c_str(), &raw, mode | SQLITE_OPEN_NOMUTEX, nullptr);
    handle_.reset(raw);
    check(code);
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_busy_timeout(raw, busy_timeout_ms);
    execute("PRAGMA trusted_schema = OFF");
}

void SqliteFile::execute(const char* sql) { check(sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr)); }

void SqliteFile::require_free() {
    const int code = sqlite3_exec(handle_.get(), "SELECT count(*) FROM sqlite_master", nullptr, nullptr, nullptr);
    if ((code & 0xff) == SQLITE_BUSY) fail(code);
}

std::int64_t SqliteFile::integer(const char* sql) const {
    SqliteStatement statement(*this, sql);
    return statement.step() ? statement.integer(0) : 0;
}

bool SqliteFile::is_new() const {
    return integer("SELECT count(*) FROM sqlite_master") == 0 && integer("PRAGMA application_id") == 0;
}

void SqliteFile::check(int code) const {
    if (code != SQLITE_OK) fail(code);
}

void SqliteFile::fail(int code) const {
    switch (code & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            throw InputError("'{}' is being written by another process at the moment: {}", file_.string(), words_.busy);
        case SQLITE_NOTADB: throw InputError("'{}' is not a {} (no SQLite database)", file_.string(), words_.kind);
        case SQLITE_CORRUPT:
            throw InputError("the {} '{}' is damaged ({}): {}", words_.kind, file_.string(), sqlite3_errstr(code),
                             words_.lost);
        case SQLITE_READONLY: throw InputError("the {} '{}' cannot be written", words_.kind, file_.string());
        case SQLITE_CANTOPEN: throw InputError("cannot open the {} '{}'", words_.kind, file_.string());
        default:
            throw Error("{} '{}': {}", words_.kind, file_.string(),
                        handle_ != nullptr ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code));
    }
}

void SqliteStatement::Finalize::operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }

SqliteStatement::SqliteStatement(const SqliteFile& file, const char* sql) : file_(file) {
    sqlite3_stmt* raw = nullptr;
    file.check(sqlite3_prepare_v2(file.handle_.get(), sql, -1, &raw, nullptr));
    handle_.reset(raw);
}

void SqliteStatement::bind(int index, std::int64_t value) {
    file_.check(sqlite3_bind_int64(handle_.get(), index, value));
}

void SqliteStatement::bind(int index, double value) { file_.check(sqlite3_bind_double(handle_.get(), index, value)); }

void SqliteStatement::bind(int index, std::string_view text) {
    if (text.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
        throw Error("a text of {} bytes is too long for a {}", text.size(), file_.words_.kind);
    // A null pointer would be SQL's NULL, not an empty text.
    const char* characters = text.data() == nullptr ? "" : text.data();
    file_.check(sqlite3_bind_text(handle_.get(), index, characters, static_cast<int>(text.size()), SQLITE_STATIC));
}

void SqliteStatement::bind(int index, std::span<const unsigned char> bytes) {
    file_.check(sqlite3_bind_blob(handle_.get(), index, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC));
}

bool SqliteStatement::step() {
    const int code = sqlite3_step(handle_.get());
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) file_.fail(code);
    return false;
}

void SqliteStatement::reset() { file_.check(sqlite3_reset(handle_.get())); }

std::int64_t SqliteStatement::integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }

double SqliteStatement::number(int column) const { return sqlite3_column_double(handle_.get(), column); }

std::string SqliteStatement::text(int column) const {
    const auto* characters = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
    if (characters == nullptr) return {};
    return {characters, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

std::span<const unsigned char> SqliteStatement::blob(int column) const {
    if (sqlite3_column_type(handle_.get(), column) != SQLITE_BLOB) return {};
    const auto* bytes = static_cast<const unsigned char*>(sqlite3_column_blob(handle_.get(), column));
    return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

SqliteTransaction::SqliteTransaction(SqliteFile& file) : file_(file) { file_.execute("BEGIN IMMEDIATE"); }

SqliteTransaction::~SqliteTransaction() {
    // A failed statement may have ended the transaction already; the error in flight is the one to report.
    if (!committed_) sqlite3_exec(file_.handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void SqliteTransaction::commit() {
    file_.execute("COMMIT");
    committed_ = true;
}

}  // namespace lossmap
