#pragma once

#include <filesystem>
#include <string>

namespace lossmap {

/// A temporary folder that only this user can enter; removed, with what is in it, at the end.
class PrivateFolder {
public:
    /// @param prefix  of its name. Throws Error when it cannot be made.
    explicit PrivateFolder(const std::string& prefix);
    ~PrivateFolder();
    PrivateFolder(const PrivateFolder&) = delete;
    PrivateFolder& operator=(const PrivateFolder&) = delete;

    [[nodiscard]] std::filesystem::path operator/(const char* name) const { return path_ / name; }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

}  // namespace lossmap
