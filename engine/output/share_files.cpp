#include "output/share_files.hpp"

#include <cstdlib>
#include <system_error>

#include "core/error.hpp"

namespace lossmap {

namespace fs = std::filesystem;

fs::path share_file(const std::string& name) {
    std::error_code error;
    const char* variable = std::getenv("LOSSMAP_SHARE_DIR");
    if (variable != nullptr && *variable != '\0') {
        fs::path file = fs::path(variable) / name;
        if (fs::is_regular_file(file, error)) return file;
        throw Error("{} is not in {} (from LOSSMAP_SHARE_DIR)", name, variable);
    }
    const fs::path executable = fs::read_symlink("/proc/self/exe", error);
    if (error) throw Error("cannot tell where lossmap is installed: {}; set LOSSMAP_SHARE_DIR", error.message());
    const fs::path folder = executable.parent_path().parent_path() / "share" / "lossmap";
    if (fs::is_regular_file(folder / name, error)) return folder / name;
    throw Error("{} is not in {}; run ./setup and build again, or set LOSSMAP_SHARE_DIR", name, folder.string());
}

}  // namespace lossmap
