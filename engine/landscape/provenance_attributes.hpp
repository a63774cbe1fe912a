#pragma once

#include <string>

#include "io/hdf5_file.hpp"

namespace lossmap {

/// Root attribute with the whole provenance, as it was given.
inline constexpr const char* kProvenanceAttribute = "lossmap_provenance";

/// Writes a JSON object into attributes of the root: the text whole, and `lossmap_<key>` for each top-level key (texts
/// as they are, other values as JSON). Nothing for "". Throws InternalError when it is no JSON object.
void write_provenance(Hdf5File& file, const std::string& provenance);

/// What write_provenance wrote, "" when there is nothing.
[[nodiscard]] std::string read_provenance(const Hdf5File& file);

}  // namespace lossmap
