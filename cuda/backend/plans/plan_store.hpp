#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lossmap::cuda {

/// Says something to whoever watches the program: a sentence.
using Notice = std::function<void(const std::string&)>;

/// Small values by name in a folder, a file each, shared by any number of processes and kept for later ones. Nothing in
/// it is trusted: a file that is torn, of another version, or about something else counts as absent, is removed, and a
/// notice says so. Nothing here throws: a folder that cannot be used is a notice, too.
class PlanStore {
public:
    /// @param folder  made when there is something to keep
    PlanStore(std::filesystem::path folder, Notice notice);

    /// Bytes kept under `key`.
    [[nodiscard]] std::optional<std::vector<std::byte>> find(const std::string& key);
    /// Keeps a value unless another process has kept one meanwhile; what stands afterwards.
    std::vector<std::byte> keep(const std::string& key, std::span<const std::byte> value);
    /// Whether what is kept will be found again; false once writing has failed.
    [[nodiscard]] bool works() const { return works_; }

    /// File of a key.
    [[nodiscard]] std::filesystem::path file_of(const std::string& key) const;

private:
    /// Writes it; false when somebody else's file is there.
    [[nodiscard]] bool write(const std::string& key, std::span<const std::byte> value) const;

    std::filesystem::path folder_;
    Notice notice_;
    bool works_ = true;
};

}  // namespace lossmap::cuda
