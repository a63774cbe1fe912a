#include "landscape/provenance_attributes.hpp"

#include <nlohmann/json.hpp>

#include "core/error.hpp"

namespace lossmap {

void write_provenance(Hdf5File& file, const std::string& provenance) {
    if (provenance.empty()) return;
    const nlohmann::json parsed = nlohmann::json::parse(provenance, nullptr, false);
    if (!parsed.is_object()) throw InternalError("the provenance of '{}' is no JSON object", file.path().string());
    file.write_attribute("/", kProvenanceAttribute, provenance);
    for (const auto& [key, value] : parsed.items()) {
        file.write_attribute("/", "lossmap_" + key, value.is_string() ? value.get<std::string>() : value.dump());
    }
}

std::string read_provenance(const Hdf5File& file) {
    return file.has_attribute("/", kProvenanceAttribute) ? file.string_attribute("/", kProvenanceAttribute)
                                                         : std::string();
}

}  // namespace lossmap
