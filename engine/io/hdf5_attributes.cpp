// The attribute half of Hdf5File.
#include "core/error.hpp"
#include "io/hdf5_file.hpp"
#include "io/hdf5_handle.hpp"

namespace lossmap {

namespace fs = std::filesystem;
using hdf5::Handle;
using hdf5::QuietErrors;

namespace {

struct OpenAttribute {
    Handle attribute;
    Handle type;
    Handle space;
    std::size_t count;
};

OpenAttribute open_attribute(hid_t file, const fs::path& path, const std::string& object, const std::string& name) {
    Handle attribute(H5Aopen_by_name(file, object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    if (!attribute.valid()) throw InputError("{}: '{}' has no attribute '{}'", path.string(), object, name);
    Handle type(H5Aget_type(attribute.id()), H5Tclose);
    Handle space(H5Aget_space(attribute.id()), H5Sclose);
    const hssize_t count = space.valid() ? H5Sget_simple_extent_npoints(space.id()) : -1;
    // Attributes lie in an object header of at most 64 KiB, unless the file uses dense storage.
    constexpr hssize_t kMostElements = hssize_t{1} << 24;
    if (!type.valid() || count < 0 || count > kMostElements || H5Tget_size(type.id()) > std::size_t{1} << 24) {
        throw InputError("{}: attribute '{}' of '{}' is damaged or too large", path.string(), name, object);
    }
    return {std::move(attribute), std::move(type), std::move(space), static_cast<std::size_t>(count)};
}

void write_one(hid_t file, const fs::path& path, const std::string& object, const std::string& name, hid_t stored,
               hid_t memory, const Handle& space, const void* data) {
    const QuietErrors quiet;
    const Handle properties(H5Pcreate(H5P_ATTRIBUTE_CREATE), H5Pclose);
    if (properties.valid()) H5Pset_char_encoding(properties.id(), H5T_CSET_UTF8);
    const Handle attribute(H5Acreate_by_name(file, object.c_str(), name.c_str(), stored, space.id(), properties.id(),
                                             H5P_DEFAULT, H5P_DEFAULT),
                           H5Aclose);
    if (!attribute.valid() || H5Awrite(attribute.id(), memory, data) < 0) {
        throw Error("{}: cannot write attribute '{}' of '{}': {}", path.string(), name, object, hdf5::last_reason());
    }
}

template <typename T>
T read_number(hid_t file, const fs::path& path, const std::string& object, const std::string& name, hid_t memory) {
    const QuietErrors quiet;
    const OpenAttribute open = open_attribute(file, path, object, name);
    const H5T_class_t kind = H5Tget_class(open.type.id());
    const bool fits = kind == H5T_INTEGER || (kind == H5T_FLOAT && std::is_floating_point_v<T>);
    if (!fits || open.count != 1) {
        throw InputError("{}: attribute '{}' of '{}' is not one {}", path.string(), name, object,
                         std::is_floating_point_v<T> ? "number" : "integer");
    }
    T value{};
    if (H5Aread(open.attribute.id(), memory, &value) < 0) {
        throw InputError("{}: attribute '{}' of '{}' cannot be read: {}", path.string(), name, object,
                         hdf5::last_reason());
    }
    return value;
}

}  // namespace

void Hdf5File::write_attribute(const std::string& object, const std::string& attribute, std::string_view text) {
    const Handle type = hdf5::text_type();
    const std::string terminated(text);
    const char* pointer = terminated.c_str();
    write_one(file_, path_, object, attribute, type.id(), type.id(), Handle(H5Screate(H5S_SCALAR), H5Sclose), &pointer);
}

void Hdf5File::write_attribute(const std::string& object, const std::string& attribute, double value) {
    write_one(file_, path_, object, attribute, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE,
              Handle(H5Screate(H5S_SCALAR), H5Sclose), &value);
}

void Hdf5File::write_attribute(const std::string& object, const std::string& attribute, std::int64_t value) {
    write_one(file_, path_, object, attribute, H5T_STD_I64LE, H5T_NATIVE_INT64, Handle(H5Screate(H5S_SCALAR), H5Sclose),
              &value);
}

void Hdf5File::write_attribute(const std::string& object, const std::string& attribute,
                               const std::vector<std::string>& texts) {
    const Handle type = hdf5::text_type();
    std::vector<const char*> pointers;
    for (const std::string& text : texts)
        pointers.push_back(text.c_str());
    const hsize_t extent = texts.size();
    write_one(file_, path_, object, attribute, type.id(), type.id(),
              Handle(H5Screate_simple(1, &extent, nullptr), H5Sclose), pointers.data());
}

bool Hdf5File::has_attribute(const std::string& object, const std::string& attribute) const {
    if (!exists(object)) return false;
    const QuietErrors quiet;
    return H5Aexists_by_name(file_, object.c_str(), attribute.c_str(), H5P_DEFAULT) > 0;
}

std::string Hdf5File::string_attribute(const std::string& object, const std::string& attribute) const {
    std::vector<std::string> texts = strings_attribute(object, attribute);
    if (texts.size() != 1) {
        throw InputError("{}: attribute '{}' of '{}' is not one string", path_.string(), attribute, object);
    }
    return std::move(texts.front());
}

double Hdf5File::double_attribute(const std::string& object, const std::string& attribute) const {
    return read_number<double>(file_, path_, object, attribute, H5T_NATIVE_DOUBLE);
}

std::int64_t Hdf5File::int_attribute(const std::string& object, const std::string& attribute) const {
    return read_number<std::int64_t>(file_, path_, object, attribute, H5T_NATIVE_INT64);
}

std::vector<std::string> Hdf5File::strings_attribute(const std::string& object, const std::string& attribute) const {
    const QuietErrors quiet;
    const OpenAttribute open = open_attribute(file_, path_, object, attribute);
    std::vector<std::string> texts;
    const bool is_text = H5Tget_class(open.type.id()) == H5T_STRING;
    const auto read = [&](hid_t type, void* buffer) { return H5Aread(open.attribute.id(), type, buffer); };
    if (!is_text || !hdf5::read_texts(open.type.id(), open.space.id(), open.count, texts, read)) {
        throw InputError("{}: attribute '{}' of '{}' is not text", path_.string(), attribute, object);
    }
    return texts;
}

}  // namespace lossmap
