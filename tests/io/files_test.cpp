#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "io/atomic_file.hpp"
#include "io/hash.hpp"
#include "io/mapped_file.hpp"
#include "tests/io/expect_input_error.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;
using test::expect_input_error;

TEST(MappedFile, GivesTheBytesBeforeAndAfterRelease) {
    const test::TemporaryDirectory folder;
    const std::string content(100'000, 'x');
    test::write_file(folder / "data", content);
    MappedFile file(folder / "data");
    const MappedFile moved = std::move(file);
    ASSERT_EQ(moved.size_bytes(), content.size());
    moved.release(moved.bytes());
    moved.release({});
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(moved.bytes().data()), moved.size_bytes()), content);
}

TEST(MappedFile, AnEmptyFileIsFine) {
    const test::TemporaryDirectory folder;
    test::write_file(folder / "empty", "");
    EXPECT_EQ(MappedFile(folder / "empty").size_bytes(), 0u);
}

TEST(MappedFile, SaysWhatIsWrong) {
    const test::TemporaryDirectory folder;
    expect_input_error([&] { MappedFile file(folder / "absent.npy"); }, {"absent.npy: no such file"});
    expect_input_error([&] { MappedFile file(folder.path()); }, {"is a folder"});
    expect_input_error([&] { MappedFile file("/dev/null"); }, {"/dev/null", "device"});
}

TEST(AtomicFile, ReplacesOnlyOnCommit) {
    const test::TemporaryDirectory folder;
    test::write_file(folder / "out", "old");
    {
        const AtomicFile file(folder / "out");
        test::write_file(file.temporary(), "half");
    }
    EXPECT_EQ(test::read_file(folder / "out"), "old");
    {
        AtomicFile file(folder / "out");
        test::write_file(file.temporary(), "new");
        file.commit();
    }
    EXPECT_EQ(test::read_file(folder / "out"), "new");
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1) << "a temporary file is left";
}

TEST(AtomicFile, TwoForOneTargetDoNotMeet) {
    const test::TemporaryDirectory folder;
    const AtomicFile first(folder / "out");
    const AtomicFile second(folder / "out");
    EXPECT_NE(first.temporary(), second.temporary());
}

TEST(AtomicFile, AnUnwritableFolderIsAnError) {
    const test::TemporaryDirectory folder;
    EXPECT_THROW(write_file_atomically(folder / "absent/out", "text"), Error);
    fs::create_directory(folder / "taken");
    EXPECT_THROW(write_file_atomically(folder / "taken", "text"), Error);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(AtomicFile, WritesTexts) {
    const test::TemporaryDirectory folder;
    const std::string text("a\0b", 3);
    write_file_atomically(folder / "out", text);
    EXPECT_EQ(test::read_file(folder / "out"), text);
}

// Values of `xxhsum -H128`.
TEST(Hash, IsXxh3) {
    EXPECT_EQ(hash_bytes({}), "99aa06d3014798d86001c324468d497f");
    const std::string text = "lossmap";
    EXPECT_EQ(hash_bytes(std::as_bytes(std::span(text))), Hasher().update(std::as_bytes(std::span(text))).hex());
}

TEST(Hash, DoesNotDependOnSplitting) {
    const test::TemporaryDirectory folder;
    std::string content;
    for (int i = 0; i < 100'000; ++i)
        content += static_cast<char>(i * 7);
    test::write_file(folder / "data", content);
    Hasher hasher;
    const auto bytes = std::as_bytes(std::span(content));
    hasher.update(bytes.first(1)).update(bytes.subspan(1, 999)).update(bytes.subspan(1000));
    EXPECT_EQ(hasher.hex(), hash_bytes(bytes));
    EXPECT_EQ(hash_file(folder / "data"), hash_bytes(bytes));
    content[5] = '!';
    EXPECT_NE(hash_bytes(std::as_bytes(std::span(content))), hasher.hex());
}

TEST(Hash, TextsAreKeptApart) {
    EXPECT_NE(Hasher().add_text("ab").add_text("c").hex(), Hasher().add_text("a").add_text("bc").hex());
    EXPECT_NE(Hasher().add_integer(1).hex(), Hasher().add_integer(2).hex());
}

}  // namespace
}  // namespace lossmap
