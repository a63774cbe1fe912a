#include "cli/bench/bench_history.hpp"

#include <cstdint>
#include <limits>
#include <vector>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "io/sqlite_file.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kApplicationId = 0x4c4d4248;  // "LMBH": tells a history from any other SQLite file
constexpr std::int64_t kFormat = 1;
constexpr int kBusyTimeoutMs = 10'000;  // others may be adding to it
constexpr SqliteWords kWords{"history of benchmarks", "try again", "restore it from a copy, or begin another one"};

SqliteFile open_history(const fs::path& file) {
    SqliteFile database(file, kWords, kBusyTimeoutMs);
    SqliteTransaction transaction(database);
    if (database.is_new()) {
        database.execute(fmt::format("PRAGMA application_id = {}", kApplicationId).c_str());
        database.execute(fmt::format("PRAGMA user_version = {}", kFormat).c_str());
        database.execute(
            "CREATE TABLE run (id INTEGER PRIMARY KEY, label TEXT NOT NULL, date TEXT NOT NULL, context TEXT NOT "
            "NULL)");
        database.execute(
            "CREATE TABLE repetition (run INTEGER NOT NULL REFERENCES run, name TEXT NOT NULL, number INTEGER NOT NULL,"
            " items_per_second REAL NOT NULL, at_hand_flops_per_second REAL, PRIMARY KEY (run, name, number))");
    }
    if (database.integer("PRAGMA application_id") != kApplicationId)
        throw InputError("'{}' is a database, but no history of benchmarks", file.string());
    if (const std::int64_t format = database.integer("PRAGMA user_version"); format != kFormat)
        throw InputError("'{}' has format {}, this version of lossmap reads format {}", file.string(), format, kFormat);
    if (database.integer("SELECT count(*) FROM sqlite_master WHERE type IN ('trigger', 'view')") != 0)
        throw InputError("'{}' holds triggers or views, which no history of benchmarks has", file.string());
    transaction.commit();
    return database;
}

std::string label_list(const SqliteFile& database) {
    std::vector<std::string> labels;
    SqliteStatement statement(database, "SELECT label FROM run GROUP BY label ORDER BY max(id) DESC LIMIT 10");
    while (statement.step())
        labels.push_back(statement.text(0));
    return labels.empty() ? "it is empty" : fmt::format("the last ones are {}", fmt::join(labels, ", "));
}

}  // namespace

void add_to_history(const fs::path& file, const std::string& label, const BenchRecord& record) {
    SqliteFile database = open_history(file);
    SqliteTransaction transaction(database);
    const std::string context = nlohmann::json(record.context).dump();
    const auto date = record.context.find("date");
    SqliteStatement run(database, "INSERT INTO run (label, date, context) VALUES (?1, ?2, ?3)");
    run.bind(1, label);
    run.bind(2, date == record.context.end() ? std::string_view() : std::string_view(date->second));
    run.bind(3, context);
    run.step();
    const std::int64_t id = database.integer("SELECT last_insert_rowid()");
    SqliteStatement row(database, "INSERT INTO repetition VALUES (?1, ?2, ?3, ?4, ?5)");
    for (const BenchSeries& series : record.series) {
        for (std::size_t k = 0; k < series.rates.size(); ++k) {
            row.bind(1, id);
            row.bind(2, series.name);
            row.bind(3, static_cast<std::int64_t>(k));
            row.bind(4, series.rates[k]);
            // SQLite turns NaN into NULL: it is not known.
            row.bind(5, series.at_hand.empty() ? std::numeric_limits<double>::quiet_NaN() : series.at_hand[k]);
            row.step();
            row.reset();
        }
    }
    transaction.commit();
}

BenchRecord load_from_history(const fs::path& file, const std::string& label) {
    if (!fs::exists(file)) throw InputError("there is no history of benchmarks '{}'", file.string());
    const SqliteFile database = open_history(file);
    SqliteStatement run(database, "SELECT id, context FROM run WHERE label = ?1 ORDER BY id DESC LIMIT 1");
    run.bind(1, label);
    if (!run.step())
        throw InputError("'{}' has nothing under the label '{}'; {}", file.string(), label, label_list(database));
    BenchRecord record;
    record.source = fmt::format("label '{}' in {}", label, file.string());
    const auto context = nlohmann::json::parse(run.text(1), nullptr, false);
    if (context.is_object()) {
        for (const auto& [key, value] : context.items())
            if (value.is_string()) record.context[key] = value.get<std::string>();
    }
    SqliteStatement rows(database,
                         "SELECT name, items_per_second, coalesce(at_hand_flops_per_second, 0) FROM repetition"
                         " WHERE run = ?1 ORDER BY rowid");
    rows.bind(1, run.integer(0));
    while (rows.step()) {
        const std::string name = rows.text(0);
        if (record.series.empty() || record.series.back().name != name) record.series.push_back({name, {}, {}});
        record.series.back().rates.push_back(rows.number(1));
        if (rows.number(2) > 0.0) record.series.back().at_hand.push_back(rows.number(2));
    }
    if (record.series.empty()) throw InputError("{} has no benchmarks", record.source);
    return record;
}

}  // namespace lossmap
