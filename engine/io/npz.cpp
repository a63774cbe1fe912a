#include "io/npz.hpp"

#include <fmt/ranges.h>

#include "core/error.hpp"
#include "io/atomic_file.hpp"
#include "io/npy.hpp"

namespace lossmap {

namespace {
constexpr std::string_view kSuffix = ".npy";
}

NpzFile::NpzFile(const std::filesystem::path& file) : archive_(file) {}

std::vector<std::string> NpzFile::names() const {
    std::vector<std::string> names;
    for (const ZipEntry& entry : archive_.entries()) {
        if (entry.name.ends_with(kSuffix)) names.push_back(entry.name.substr(0, entry.name.size() - kSuffix.size()));
    }
    return names;
}

bool NpzFile::contains(const std::string& name) const { return archive_.find(name + std::string(kSuffix)) != nullptr; }

ArrayBytes NpzFile::array(const std::string& name) const {
    const std::string file = archive_.file()->path().string();
    const ZipEntry* entry = archive_.find(name + std::string(kSuffix));
    if (entry == nullptr) {
        throw InputError("{}: has no array '{}' (its arrays: {})", file, name, fmt::join(names(), ", "));
    }
    ZipContent content = archive_.content(*entry);
    ArrayBytes array = parse_npy(content.bytes, fmt::format("{}: array '{}'", file, name));
    if (content.memory) {
        array.memory = std::move(content.memory);
    } else {
        array.file = archive_.file();
        array.release(array.bytes);  // the checksum has just read all of it
    }
    return array;
}

void write_npz(const std::filesystem::path& file, const std::vector<std::pair<std::string, ConstTensorView>>& arrays) {
    ZipWriter writer;
    for (const auto& [name, tensor] : arrays) {
        std::string content = npy_header(tensor.dtype, tensor.shape);
        content.append(static_cast<const char*>(tensor.data),
                       checked_size_bytes(tensor.dtype, tensor.shape, file.string()));
        writer.add(name + std::string(kSuffix), content);
    }
    write_file_atomically(file, writer.finish());
}

}  // namespace lossmap
