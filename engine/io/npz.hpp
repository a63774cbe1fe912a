#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "io/array_bytes.hpp"
#include "io/zip_archive.hpp"

namespace lossmap {

/// The arrays of an .npz file (numpy.savez, numpy.savez_compressed) by name. Stored arrays stay in the mapped file,
/// compressed ones are decoded when asked for. Errors are InputErrors that name the file and the array.
class NpzFile {
public:
    explicit NpzFile(const std::filesystem::path& file);

    /// Names in the order of the file, without ".npy".
    [[nodiscard]] std::vector<std::string> names() const;
    [[nodiscard]] bool contains(const std::string& name) const;
    /// The array as the file holds it, checksum and size verified. Throws InputError when there is none of that name.
    [[nodiscard]] ArrayBytes array(const std::string& name) const;
    /// The same in memory of its own; fp16 as f32.
    [[nodiscard]] Tensor load(const std::string& name) const { return array(name).to_tensor(); }

private:
    ZipArchive archive_;
};

/// Writes arrays, uncompressed, in the given order; the same arrays give the same bytes. At most 4 GiB.
void write_npz(const std::filesystem::path& file, const std::vector<std::pair<std::string, ConstTensorView>>& arrays);

}  // namespace lossmap
