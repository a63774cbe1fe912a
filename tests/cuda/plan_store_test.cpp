// The folder of plans: untrusted files, several processes, nothing that stops a run.
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cuda/backend/plans/plan_store.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap::cuda {
namespace {

namespace fs = std::filesystem;
using test::TemporaryDirectory;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::byte> bytes_of(const std::string& text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

struct Folder {
    TemporaryDirectory directory;
    fs::path path = directory / "made" / "when needed";
    std::vector<std::string> notices;

    [[nodiscard]] PlanStore store() {
        return {path, [this](const std::string& sentence) { notices.push_back(sentence); }};
    }
};

TEST(PlanStore, KeepsForLaterProcesses) {
    Folder folder;
    EXPECT_FALSE(folder.store().find("a problem"));
    EXPECT_FALSE(fs::exists(folder.path)) << "looking makes no folder";
    const std::string value("binary\0 value\n", 14);
    EXPECT_EQ(folder.store().keep("a problem", bytes_of(value)), bytes_of(value));
    EXPECT_EQ(folder.store().find("a problem"), bytes_of(value));
    EXPECT_FALSE(folder.store().find("another problem"));
    EXPECT_THAT(folder.notices, IsEmpty());
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path), {}), 1) << "no temporary file is left";
}

TEST(PlanStore, TheFirstOfSeveralProcessesStands) {
    Folder folder;
    folder.store().keep("problem", bytes_of("first"));
    EXPECT_EQ(folder.store().keep("problem", bytes_of("second")), bytes_of("first"));
    std::vector<std::vector<std::byte>> stood(8);
    {
        std::vector<std::jthread> processes;
        for (std::size_t k = 0; k < stood.size(); ++k) {
            processes.emplace_back([&, k] {
                PlanStore store(folder.path, [](const std::string&) {});
                stood[k] = store.keep("contended", bytes_of("of process " + std::to_string(k)));
            });
        }
    }
    for (const auto& standing : stood)
        EXPECT_EQ(standing, folder.store().find("contended"));
}

TEST(PlanStore, DamagedFilesAreNotUsedAndMadeAnew) {
    Folder folder;
    folder.store().keep("problem", bytes_of("the value"));
    const fs::path file = folder.store().file_of("problem");
    const std::string good = test::read_file(file);
    std::vector<std::string> damaged;
    for (std::size_t length = 0; length < good.size(); ++length)
        damaged.push_back(good.substr(0, length));
    for (std::size_t k = 0; k < good.size(); ++k) {
        damaged.push_back(good);
        damaged.back()[k] = static_cast<char>(damaged.back()[k] ^ 1);
    }
    damaged.push_back(good + "x");
    damaged.push_back(std::string(200, '\xFF'));
    for (const std::string& content : damaged) {
        test::write_file(file, content);
        folder.notices.clear();
        EXPECT_FALSE(folder.store().find("problem"));
        EXPECT_THAT(folder.notices, ElementsAre(HasSubstr("is not used and is made anew")));
        EXPECT_FALSE(fs::exists(file));
    }
    // Keeping finds it out as well.
    test::write_file(file, good.substr(0, 40));
    EXPECT_EQ(folder.store().keep("problem", bytes_of("new")), bytes_of("new"));
    EXPECT_EQ(folder.store().find("problem"), bytes_of("new"));
}

TEST(PlanStore, AFileAboutSomethingElseIsRefused) {
    Folder folder;
    folder.store().keep("one", bytes_of("value"));
    fs::rename(folder.store().file_of("one"), folder.store().file_of("other"));
    EXPECT_FALSE(folder.store().find("other"));
    EXPECT_THAT(folder.notices, ElementsAre(HasSubstr("it is about something else")));
}

TEST(PlanStore, AFolderThatCannotBeWrittenIsANotice) {
    Folder folder;
    test::write_file(folder.directory / "made", "a file where a folder should be");
    PlanStore store = folder.store();
    EXPECT_TRUE(store.works());
    EXPECT_EQ(store.keep("problem", bytes_of("value")), bytes_of("value"));
    EXPECT_FALSE(store.works());
    EXPECT_THAT(folder.notices, ElementsAre(HasSubstr("nothing is kept")));
    store.keep("problem", bytes_of("value"));
    EXPECT_EQ(folder.notices.size(), 1U) << "said once";
}

}  // namespace
}  // namespace lossmap::cuda
