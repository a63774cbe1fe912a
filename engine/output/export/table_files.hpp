#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "output/export/z_value.hpp"

namespace lossmap {

// export.hpp says what the files hold. Both return which points of the first split have no z value, in words.

/// RFC 4180 with line feeds; numbers are the shortest that read back as the same fp64.
std::string write_csv(const Surface& surface, const std::vector<const SplitSurface*>& splits, const ZScale& scale,
                      const std::filesystem::path& file);

std::string write_npz_table(const Surface& surface, const std::vector<const SplitSurface*>& splits, const ZScale& scale,
                            const std::filesystem::path& file);

}  // namespace lossmap
