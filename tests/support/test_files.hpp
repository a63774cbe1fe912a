#pragma once

#include <filesystem>
#include <string>

namespace lossmap::test {

/// A folder of its own for one test; removed with everything in it at the end.
class TemporaryDirectory {
public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

/// The project's own sources (demo networks, example configurations).
[[nodiscard]] std::filesystem::path source_dir();

/// Folder with the reference models and PyTorch's results (data, models, reference): $LOSSMAP_REFERENCE_DIR, else
/// ../shared beside the project. Empty when there is none: use LOSSMAP_REQUIRE_REFERENCE to skip.
[[nodiscard]] std::filesystem::path reference_dir();

/// Writes text or bytes to a file, replacing it.
void write_file(const std::filesystem::path& file, const std::string& content);
[[nodiscard]] std::string read_file(const std::filesystem::path& file);

}  // namespace lossmap::test

/// Skips the test, with the reason, where a file of the reference folder is absent.
#define LOSSMAP_REQUIRE_REFERENCE(relative_path)                                                             \
    do {                                                                                                     \
        if (::lossmap::test::reference_dir().empty() ||                                                      \
            !std::filesystem::exists(::lossmap::test::reference_dir() / (relative_path))) {                  \
            GTEST_SKIP() << "reference file " << (relative_path) << " is absent; set LOSSMAP_REFERENCE_DIR"; \
        }                                                                                                    \
    } while (false)
