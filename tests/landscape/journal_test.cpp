#include "landscape/journal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <exception>
#include <limits>

#include "tests/support/message_of.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;
using test::TemporaryDirectory;

LossSums sums_for(std::int64_t number) {
    LossSums sums;
    sums.loss_sum = 0.1 * static_cast<double>(number);
    sums.loss_square_sum = 1.0 / static_cast<double>(number + 1);
    sums.weight_sum = 1000.0;
    sums.correct = number % 7;
    sums.counted = 1000;
    sums.non_finite = number % 2;
    sums.overflowed = number % 3;
    return sums;
}

/// Runs SQL on a database file, from outside of the journal.
void run_sql(const fs::path& file, const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
}

/// Runs `body` in a child process that never comes back into the test.
template <typename Body>
pid_t in_child(const Body& body) {
    const pid_t child = fork();
    if (child != 0) return child;
    try {
        body();
    } catch (const std::exception&) {
        _exit(1);  // the parent sees the end of its pipe
    }
    _exit(0);
}

TEST(JournalTest, GivesBackWhatWasWrittenInOrder) {
    const TemporaryDirectory folder;
    {
        Journal journal(folder / "journal.sqlite", "id");
        journal.append({{"train", 2, 0, sums_for(1)}, {"train", 0, 1, sums_for(2)}});
        journal.append({{"test", 300, 0, sums_for(3)}, {"train", 0, 0, sums_for(4)}});
        journal.append({});
    }
    const Journal journal(folder / "journal.sqlite", "id");
    const std::vector<JournalEntry> entries = journal.entries();
    ASSERT_EQ(entries.size(), 4u);
    EXPECT_EQ(entries[0].split, "test");
    EXPECT_EQ(entries[0].point, 300);
    EXPECT_EQ(entries[0].sums, sums_for(3));
    EXPECT_EQ(entries[1].sums, sums_for(4));
    EXPECT_EQ(entries[2].sums, sums_for(2));
    EXPECT_EQ(entries[2].chunk, 1);
    EXPECT_EQ(entries[3].sums, sums_for(1));
}

TEST(JournalTest, KeepsDoublesBitForBit) {
    const TemporaryDirectory folder;
    LossSums sums;
    sums.loss_sum = std::bit_cast<double>(std::uint64_t{0x7ff8000000000123});  // a NaN with a payload
    sums.loss_square_sum = -std::numeric_limits<double>::infinity();
    sums.weight_sum = std::numeric_limits<double>::denorm_min();
    Journal journal(folder / "journal.sqlite", "id");
    journal.append({{"train", 0, 0, sums}});
    const LossSums back = journal.entries().at(0).sums;
    EXPECT_EQ(std::bit_cast<std::uint64_t>(back.loss_sum), 0x7ff8000000000123u);
    EXPECT_EQ(back.loss_square_sum, sums.loss_square_sum);
    EXPECT_EQ(back.weight_sum, sums.weight_sum);
}

TEST(JournalTest, RefusesAnotherIdentity) {
    const TemporaryDirectory folder;
    { const Journal journal(folder / "journal.sqlite", "one"); }
    EXPECT_THAT(test::message_of([&] { Journal(folder / "journal.sqlite", "two"); }),
                testing::AllOf(testing::HasSubstr("another run"), testing::HasSubstr("--fresh")));
    EXPECT_EQ(Journal::identity_of(folder / "journal.sqlite"), "one");
    EXPECT_EQ(Journal::identity_of(folder / "none.sqlite"), "");
}

TEST(JournalTest, NotesAreReplacedAndSurvive) {
    const TemporaryDirectory folder;
    {
        Journal journal(folder / "journal.sqlite", "id");
        EXPECT_EQ(journal.note("plan"), "");
        journal.set_note("plan", "{}");
        journal.set_note("plan", "{\"tile\": 8}");
        journal.set_note("identity", "a note, not the identity");
    }
    const Journal journal(folder / "journal.sqlite", "id");
    EXPECT_EQ(journal.note("plan"), "{\"tile\": 8}");
}

TEST(JournalTest, RefusesASecondWriter) {
    const TemporaryDirectory folder;
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t child = in_child([&] {
        Journal journal(folder / "journal.sqlite", "id");
        [[maybe_unused]] const auto written = write(ready[1], "x", 1);
        pause();
    });
    ASSERT_GE(child, 0);
    close(ready[1]);
    char byte = 0;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    EXPECT_THAT(test::message_of([&] { Journal(folder / "journal.sqlite", "id"); }),
                testing::HasSubstr("another process"));
    EXPECT_THAT(test::message_of([&] { (void)Journal::identity_of(folder / "journal.sqlite"); }),
                testing::HasSubstr("another process"));
    EXPECT_THAT(test::message_of([&] { Journal::remove(folder / "journal.sqlite"); }),
                testing::HasSubstr("another process"));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    close(ready[0]);
    EXPECT_NO_THROW(Journal(folder / "journal.sqlite", "id"));
}

TEST(JournalTest, SurvivesKill) {
    const TemporaryDirectory folder;
    const fs::path file = folder / "journal.sqlite";
    int progress[2];
    ASSERT_EQ(pipe(progress), 0);
    const pid_t child = in_child([&] {
        Journal journal(file, "id");
        for (std::int64_t block = 0;; ++block) {
            const std::int64_t point = 2 * block;
            journal.append({{"train", point, 0, sums_for(point)}, {"train", point + 1, 0, sums_for(point + 1)}});
            [[maybe_unused]] const auto written = write(progress[1], "x", 1);
        }
    });
    ASSERT_GE(child, 0);
    close(progress[1]);
    char acknowledged[20];
    std::size_t blocks = 0;
    while (blocks < sizeof(acknowledged)) {
        const ssize_t count = read(progress[0], acknowledged, sizeof(acknowledged) - blocks);
        ASSERT_GT(count, 0);
        blocks += static_cast<std::size_t>(count);
    }
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    close(progress[0]);

    EXPECT_EQ(Journal::identity_of(file), "id");
    Journal journal(file, "id");
    const std::vector<JournalEntry> entries = journal.entries();
    EXPECT_GE(entries.size(), 2 * blocks) << "what append() returned from must be there";
    EXPECT_EQ(entries.size() % 2, 0u) << "a transaction is there whole or not at all";
    for (std::size_t i = 0; i < entries.size(); ++i) {
        ASSERT_EQ(entries[i].point, static_cast<std::int64_t>(i));
        ASSERT_EQ(entries[i].sums, sums_for(static_cast<std::int64_t>(i)));
    }
    EXPECT_NO_THROW(journal.append({{"train", 0, 1, sums_for(0)}}));
}

TEST(JournalTest, RemoveLeavesNothingBehind) {
    const TemporaryDirectory folder;
    const fs::path file = folder / "journal.sqlite";
    const pid_t child = in_child([&] {
        Journal journal(file, "id");
        journal.append({{"train", 0, 0, sums_for(0)}});
        _exit(0);  // without closing: the log stays
    });
    ASSERT_GE(child, 0);
    waitpid(child, nullptr, 0);
    EXPECT_TRUE(fs::exists(file.string() + "-wal"));
    Journal::remove(file);
    EXPECT_TRUE(fs::is_empty(folder.path()));
    EXPECT_NO_THROW(Journal::remove(file));
    test::write_file(file, "damaged beyond repair");
    Journal::remove(file);
    EXPECT_TRUE(Journal(file, "other").entries().empty());
}

TEST(JournalTest, RefusesOtherFiles) {
    const TemporaryDirectory folder;
    test::write_file(folder / "text", std::string(5000, 'a'));
    EXPECT_THAT(test::message_of([&] { Journal(folder / "text", "id"); }), testing::HasSubstr("not a journal"));
    EXPECT_THAT(test::message_of([&] { (void)Journal::identity_of(folder / "text"); }),
                testing::HasSubstr("not a journal"));
    run_sql(folder / "other", "CREATE TABLE meta (key, value)");
    const std::string before = test::read_file(folder / "other");
    EXPECT_THAT(test::message_of([&] { Journal(folder / "other", "id"); }), testing::HasSubstr("no journal"));
    EXPECT_EQ(test::read_file(folder / "other"), before) << "a foreign file must stay as it was";
    EXPECT_THAT(test::message_of([&] { Journal(folder.path(), "id"); }), testing::HasSubstr("cannot open"));
    EXPECT_THAT(test::message_of([&] { Journal(folder / "no/folder/journal", "id"); }),
                testing::HasSubstr("cannot open"));
}

TEST(JournalTest, AnEmptyFileIsAnEmptyJournal) {
    const TemporaryDirectory folder;
    test::write_file(folder / "empty", "");
    EXPECT_EQ(Journal::identity_of(folder / "empty"), "");
    EXPECT_TRUE(Journal(folder / "empty", "id").entries().empty());
}

TEST(JournalTest, RefusesANewerFormat) {
    const TemporaryDirectory folder;
    { const Journal journal(folder / "journal.sqlite", "id"); }
    run_sql(folder / "journal.sqlite", "UPDATE meta SET value = '2' WHERE key = 'format'");
    EXPECT_THAT(test::message_of([&] { Journal(folder / "journal.sqlite", "id"); }), testing::HasSubstr("format '2'"));
}

TEST(JournalTest, FindsDamage) {
    const TemporaryDirectory folder;
    const fs::path file = folder / "journal.sqlite";
    const auto make = [&] {
        fs::remove(file);
        Journal journal(file, "id");
        std::vector<JournalEntry> entries;
        for (std::int64_t point = 0; point < 500; ++point)
            entries.push_back({"train", point, 0, sums_for(point)});
        journal.append(entries);
    };
    make();
    run_sql(file, "UPDATE unit SET sums = x'00' WHERE point = 7");
    EXPECT_THAT(test::message_of([&] { (void)Journal(file, "id").entries(); }), testing::HasSubstr("point 7"));
    make();
    run_sql(file, "UPDATE unit SET sums = (SELECT sums FROM unit WHERE point = 8) WHERE point = 7");
    EXPECT_THAT(test::message_of([&] { (void)Journal(file, "id").entries(); }), testing::HasSubstr("point 7"));
    make();
    run_sql(file, "DROP TABLE unit");
    EXPECT_THAT(test::message_of([&] { Journal(file, "id"); }), testing::HasSubstr("damaged"));
    make();
    std::string bytes = test::read_file(file);
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2), bytes.end(), '\xff');
    test::write_file(file, bytes);
    EXPECT_THAT(test::message_of([&] { (void)Journal(file, "id").entries(); }), testing::HasSubstr("damaged"));
    make();
    test::write_file(file, test::read_file(file).substr(0, 9000));
    EXPECT_THAT(test::message_of([&] { (void)Journal(file, "id").entries(); }), testing::HasSubstr("damaged"));
}

/// For its life no folder of others can be written: root may do everything.
class NotRoot {
public:
    NotRoot() {
        if (was_root_) {
            EXPECT_EQ(seteuid(kNobody), 0);
        }
    }
    ~NotRoot() {
        if (was_root_) {
            EXPECT_EQ(seteuid(0), 0);
        }
    }
    NotRoot(const NotRoot&) = delete;
    NotRoot& operator=(const NotRoot&) = delete;

private:
    static constexpr uid_t kNobody = 65534;
    bool was_root_ = geteuid() == 0;
};

TEST(JournalTest, IsReadWhereItCannotBeWritten) {
    const TemporaryDirectory folder;
    const fs::path place = folder / "run 100%? #1";  // what means something in SQLite's names
    fs::create_directory(place);
    const fs::path file = place / "journal.sqlite";
    {
        Journal journal(file, "id");
        journal.append({{"train", 2, 0, sums_for(1)}});
        journal.set_note("plan", "mine");
    }
    test::write_file(folder / "log", "units");
    fs::permissions(file, fs::perms(0444));
    fs::permissions(place, fs::perms(0555));
    fs::permissions(folder.path(), fs::perms(0755));
    {
        const NotRoot user;
        EXPECT_EQ(Journal::identity_of(file), "id");
        Journal journal(file, "id");
        EXPECT_EQ(journal.entries().size(), 1u);
        EXPECT_EQ(journal.note("plan"), "mine");
        EXPECT_THAT(test::message_of([&] {
                        journal.append({{"train", 3, 0, sums_for(2)}});
                    }),
                    testing::HasSubstr("cannot be written"));
    }
    fs::permissions(place, fs::perms(0755));
    EXPECT_EQ(std::distance(fs::directory_iterator(place), {}), 1) << "nothing was made beside it";
    fs::copy(folder / "log", file.string() + "-wal");  // as a killed run leaves it
    fs::permissions(place, fs::perms(0555));
    {
        const NotRoot user;
        EXPECT_THAT(test::message_of([&] { static_cast<void>(Journal::identity_of(file)); }),
                    testing::HasSubstr("has a log beside it"));
    }
    fs::permissions(place, fs::perms(0755));
}

}  // namespace
}  // namespace lossmap
