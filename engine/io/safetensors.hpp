#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "io/array_bytes.hpp"

namespace lossmap {

/// A .safetensors file (huggingface/safetensors, format as of version 0.4), mapped. The header is checked completely
/// when the file is opened: types, shapes, offsets inside the file, no overlap, no gap. Throws InputError.
class SafetensorsFile {
public:
    explicit SafetensorsFile(const std::filesystem::path& file);

    /// Names in the order of the header.
    [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
    [[nodiscard]] bool contains(const std::string& name) const { return arrays_.contains(name); }
    /// Throws InputError when there is none of that name.
    [[nodiscard]] const ArrayBytes& array(const std::string& name) const;
    /// In memory of its own; fp16 and bf16 as f32, other types kept.
    [[nodiscard]] Tensor load(const std::string& name) const { return array(name).to_tensor(); }
    /// The header's "__metadata__".
    [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }

private:
    void read_header();

    std::shared_ptr<const MappedFile> file_;
    std::vector<std::string> names_;
    std::map<std::string, ArrayBytes> arrays_;
    std::map<std::string, std::string> metadata_;
};

/// Writes tensors in the given order, in one step; the same tensors give the same bytes.
void write_safetensors(const std::filesystem::path& file,
                       const std::vector<std::pair<std::string, ConstTensorView>>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace lossmap
