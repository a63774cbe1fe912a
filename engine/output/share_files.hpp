#pragma once

#include <filesystem>
#include <string>

namespace lossmap {

/// A file that lossmap needs at run time: in $LOSSMAP_SHARE_DIR when set, else in ../share/lossmap beside the
/// executable (the same in the build tree and after installation). Throws Error that says where it was looked for.
[[nodiscard]] std::filesystem::path share_file(const std::string& name);

}  // namespace lossmap
