#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace lossmap {

/// How messages speak of a database.
struct SqliteWords {
    std::string_view kind;  ///< "journal"
    std::string_view busy;  ///< what to do while another process writes it
    std::string_view lost;  ///< what to do with a damaged one
};

/// One connection to an SQLite database, made where there is none. Throws InputError for a file that is busy, damaged,
/// no database or cannot be opened or written, and Error for all else that SQLite reports.
class SqliteFile {
public:
    /// Where file or folder cannot be written the database is read as it is, without locks; what stands in a log beside
    /// it would be left out, so that such a file is refused.
    /// @param words  must outlive it
    SqliteFile(std::filesystem::path file, const SqliteWords& words, int busy_timeout_ms);

    void execute(const char* sql);
    /// Whether no other process holds the file for itself; throws InputError when one does.
    void require_free();
    /// First column of the first row; 0 where there is none.
    [[nodiscard]] std::int64_t integer(const char* sql) const;
    /// Whether it has no tables and no application's mark: SQLite makes an empty file into a database.
    [[nodiscard]] bool is_new() const;
    [[nodiscard]] const std::filesystem::path& file() const { return file_; }

private:
    friend class SqliteStatement;
    friend class SqliteTransaction;

    void check(int code) const;
    [[noreturn]] void fail(int code) const;

    struct Close {
        void operator()(sqlite3* database) const noexcept;
    };
    std::filesystem::path file_;
    const SqliteWords& words_;
    std::unique_ptr<sqlite3, Close> handle_;
};

/// A prepared statement; throws what its file does. Indices of parameters begin at 1, those of columns at 0.
class SqliteStatement {
public:
    SqliteStatement(const SqliteFile& file, const char* sql);

    void bind(int index, std::int64_t value);
    void bind(int index, double value);
    /// The text stays where it is until the next reset.
    void bind(int index, std::string_view text);
    /// So do the bytes.
    void bind(int index, std::span<const unsigned char> bytes);

    /// True while there is a row.
    bool step();
    void reset();

    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] double number(int column) const;
    [[nodiscard]] std::string text(int column) const;
    /// Until the next step; empty where the column holds something else.
    [[nodiscard]] std::span<const unsigned char> blob(int column) const;

private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };
    const SqliteFile& file_;
    std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

/// BEGIN .. COMMIT; rolled back when left without commit.
class SqliteTransaction {
public:
    explicit SqliteTransaction(SqliteFile& file);
    ~SqliteTransaction();
    SqliteTransaction(const SqliteTransaction&) = delete;
    SqliteTransaction& operator=(const SqliteTransaction&) = delete;

    void commit();

private:
    SqliteFile& file_;
    bool committed_ = false;
};

}  // namespace lossmap
