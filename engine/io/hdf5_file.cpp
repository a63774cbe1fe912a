#include "io/hdf5_file.hpp"

#include <algorithm>
#include <limits>
#include <system_error>

#include "core/dtype.hpp"
#include "core/error.hpp"
#include "io/hdf5_handle.hpp"

namespace lossmap {

namespace fs = std::filesystem;
using hdf5::Handle;
using hdf5::QuietErrors;

namespace hdf5 {

std::string last_reason() {
    std::string reason = "unknown reason";
    const auto take_first = [](unsigned index, const H5E_error2_t* error, void* data) -> herr_t {
        if (index == 0 && error->desc != nullptr && *error->desc != '\0')
            *static_cast<std::string*>(data) = error->desc;
        return 0;
    };
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &reason);
    return reason;
}

Handle text_type() {
    Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
    if (!type.valid() || H5Tset_size(type.id(), H5T_VARIABLE) < 0 || H5Tset_cset(type.id(), H5T_CSET_UTF8) < 0) {
        throw Error("HDF5 cannot make a string type: {}", last_reason());
    }
    return type;
}

}  // namespace hdf5

namespace {

// A compressed dataset may hold more than its file: deflate packs at most 1,032 bytes into one. Anything above is a
// damaged or hostile file, and must not make us allocate.
constexpr std::uint64_t kLargestCompression = 1032;
constexpr std::uint64_t kAlwaysAllowedBytes = std::uint64_t{64} << 20;

template <typename T>
hid_t memory_type();
template <>
hid_t memory_type<float>() {
    return H5T_NATIVE_FLOAT;
}
template <>
hid_t memory_type<double>() {
    return H5T_NATIVE_DOUBLE;
}
template <>
hid_t memory_type<std::int64_t>() {
    return H5T_NATIVE_INT64;
}
template <>
hid_t memory_type<std::uint8_t>() {
    return H5T_NATIVE_UINT8;
}

// Little endian in the file whatever the machine, so that the same call gives the same bytes.
template <typename T>
hid_t file_type();
template <>
hid_t file_type<float>() {
    return H5T_IEEE_F32LE;
}
template <>
hid_t file_type<double>() {
    return H5T_IEEE_F64LE;
}
template <>
hid_t file_type<std::int64_t>() {
    return H5T_STD_I64LE;
}
template <>
hid_t file_type<std::uint8_t>() {
    return H5T_STD_U8LE;
}

Handle dataspace(const Shape& shape) {
    if (shape.empty()) return Handle(H5Screate(H5S_SCALAR), H5Sclose);
    const std::vector<hsize_t> extents(shape.begin(), shape.end());
    return Handle(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), H5Sclose);
}

struct OpenDataset {
    Handle dataset;
    Handle type;
    Handle space;
    Hdf5DatasetInfo info;
};

Hdf5Kind kind_of(hid_t type) {
    switch (H5Tget_class(type)) {
        case H5T_FLOAT: return Hdf5Kind::floating_point;
        case H5T_INTEGER: return Hdf5Kind::integer;
        case H5T_STRING: return Hdf5Kind::string;
        default: return Hdf5Kind::other;
    }
}

Shape shape_of(hid_t space, const std::string& where) {
    const int rank = H5Sget_simple_extent_ndims(space);
    if (rank < 0 || H5Sget_simple_extent_type(space) == H5S_NULL) throw InputError("{}: the dataset is empty", where);
    std::vector<hsize_t> extents(static_cast<std::size_t>(rank));
    if (rank > 0) H5Sget_simple_extent_dims(space, extents.data(), nullptr);
    Shape shape;
    for (const hsize_t extent : extents) {
        if (extent > static_cast<hsize_t>(std::numeric_limits<std::int64_t>::max())) {
            throw InputError("{}: an extent of {} is too large", where, extent);
        }
        shape.push_back(static_cast<std::int64_t>(extent));
    }
    return shape;
}

// Elements in other files would let a file read what its sender names: neither external storage nor virtual datasets.
void require_own_storage(hid_t dataset, const std::string& where) {
    const Handle properties(H5Dget_create_plist(dataset), H5Pclose);
    if (!properties.valid()) throw InputError("{}: the dataset cannot be read: {}", where, hdf5::last_reason());
    if (H5Pget_layout(properties.id()) == H5D_VIRTUAL || H5Pget_external_count(properties.id()) > 0) {
        throw InputError("{}: the elements lie in other files, which is not supported", where);
    }
}

OpenDataset open_dataset(hid_t file, const fs::path& path, const std::string& name) {
    const std::string where = fmt::format("{}: dataset '{}'", path.string(), name);
    Handle dataset(H5Dopen2(file, name.c_str(), H5P_DEFAULT), H5Dclose);
    if (!dataset.valid()) throw InputError("{}: no dataset '{}' in the file", path.string(), name);
    require_own_storage(dataset.id(), where);
    Handle type(H5Dget_type(dataset.id()), H5Tclose);
    Handle space(H5Dget_space(dataset.id()), H5Sclose);
    if (!type.valid() || !space.valid()) throw InputError("{}: cannot be read: {}", where, hdf5::last_reason());
    Hdf5DatasetInfo info{kind_of(type.id()), H5Tget_size(type.id()), shape_of(space.id(), where)};
    return {std::move(dataset), std::move(type), std::move(space), std::move(info)};
}

/// Element count after checking that `bytes_each` of them is what a file of this size can hold.
std::size_t checked_count(const OpenDataset& open, std::size_t bytes_each, const fs::path& path,
                          const std::string& name) {
    const auto count = with_context(fmt::format("{}: dataset '{}'", path.string(), name),
                                    [&] { return static_cast<std::uint64_t>(element_count(open.info.shape)); });
    std::error_code ignored;
    const auto file_size = static_cast<std::uint64_t>(fs::file_size(path, ignored));
    const std::uint64_t allowed = std::max(kAlwaysAllowedBytes, file_size * kLargestCompression);
    if (count > allowed / std::max(bytes_each, open.info.element_bytes)) {
        throw InputError("{}: dataset '{}' claims {} elements, more than a file of {} bytes can hold", path.string(),
                         name, count, file_size);
    }
    return static_cast<std::size_t>(count);
}

template <typename T>
void write_dataset(hid_t file, const fs::path& path, const std::string& name, const void* data, const Shape& shape,
                   hid_t stored, hid_t memory) {
    const QuietErrors quiet;
    const Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
    const Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    const Handle space = dataspace(shape);
    const bool prepared =
        links.valid() && properties.valid() && space.valid() && H5Pset_create_intermediate_group(links.id(), 1) >= 0 &&
        H5Pset_char_encoding(links.id(), H5T_CSET_UTF8) >= 0 && H5Pset_obj_track_times(properties.id(), false) >= 0;
    if (!prepared) throw Error("{}: cannot prepare dataset '{}': {}", path.string(), name, hdf5::last_reason());
    const Handle dataset(H5Dcreate2(file, name.c_str(), stored, space.id(), links.id(), properties.id(), H5P_DEFAULT),
                         H5Dclose);
    if (!dataset.valid()) throw Error("{}: cannot create dataset '{}': {}", path.string(), name, hdf5::last_reason());
    if (H5Dwrite(dataset.id(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) {
        throw Error("{}: cannot write dataset '{}': {}", path.string(), name, hdf5::last_reason());
    }
}

template <typename T>
void write_numbers(hid_t file, const fs::path& path, const std::string& name, std::span<const T> values,
                   const Shape& shape) {
    if (static_cast<std::int64_t>(values.size()) != element_count(shape)) {
        throw InternalError("{}: dataset '{}': {} values for shape {}", path.string(), name, values.size(),
                            to_string(shape));
    }
    write_dataset<T>(file, path, name, values.data(), shape, file_type<T>(), memory_type<T>());
}

void write_texts(hid_t file, const fs::path& path, const std::string& name, const std::vector<std::string>& texts,
                 const Shape& shape) {
    std::vector<const char*> pointers;
    for (const std::string& text : texts)
        pointers.push_back(text.c_str());
    const Handle type = hdf5::text_type();
    write_dataset<const char*>(file, path, name, pointers.data(), shape, type.id(), type.id());
}

template <typename T>
void require_readable_as(const OpenDataset& open, const fs::path& path, const std::string& name) {
    constexpr bool wants_floating_point = std::is_floating_point_v<T>;
    const Hdf5Kind kind = open.info.kind;
    if (kind == Hdf5Kind::integer || (wants_floating_point && kind == Hdf5Kind::floating_point)) {
        const bool fits =
            wants_floating_point || H5Tget_sign(open.type.id()) == H5T_SGN_2 || open.info.element_bytes < 8;
        if (fits) return;
    }
    throw InputError("{}: dataset '{}' does not hold {}", path.string(), name,
                     wants_floating_point ? "numbers" : "signed integers or unsigned ones of less than 64 bits");
}

}  // namespace

Hdf5File Hdf5File::create(const fs::path& file) {
    const QuietErrors quiet;
    const Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
    // No times in the root group: the same content shall be the same bytes.
    if (!creation.valid() || H5Pset_obj_track_times(creation.id(), false) < 0) {
        throw Error("{}: cannot prepare an HDF5 file: {}", file.string(), hdf5::last_reason());
    }
    const hid_t id = H5Fcreate(file.c_str(), H5F_ACC_TRUNC, creation.id(), H5P_DEFAULT);
    if (id < 0) throw Error("{}: cannot create the HDF5 file: {}", file.string(), hdf5::last_reason());
    return {file, id};
}

Hdf5File Hdf5File::open(const fs::path& file) {
    const QuietErrors quiet;
    std::error_code error;
    const fs::file_status status = fs::status(file, error);
    if (!fs::exists(status)) throw InputError("{}: no such file", file.string());
    if (fs::is_directory(status)) throw InputError("{}: is a folder, expected an HDF5 file", file.string());
    if (H5Fis_hdf5(file.c_str()) <= 0) throw InputError("{}: is not an HDF5 file or cannot be read", file.string());
    const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
#if H5_VERSION_GE(1, 10, 7)
    // Reading must work on file systems without locks and while a result is being looked at elsewhere.
    if (access.valid()) H5Pset_file_locking(access.id(), false, true);
#endif
    const hid_t id = H5Fopen(file.c_str(), H5F_ACC_RDONLY, access.valid() ? access.id() : H5P_DEFAULT);
    if (id < 0) throw InputError("{}: is damaged: {}", file.string(), hdf5::last_reason());
    return {file, id};
}

Hdf5File::Hdf5File(Hdf5File&& other) noexcept : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}

Hdf5File& Hdf5File::operator=(Hdf5File&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(file_, other.file_);
    return *this;
}

Hdf5File::~Hdf5File() {
    if (file_ < 0) return;
    const QuietErrors quiet;
    H5Fclose(file_);
}

void Hdf5File::close() {
    const QuietErrors quiet;
    const hid_t file = std::exchange(file_, -1);
    if (file < 0) throw InternalError("{}: closed twice", path_.string());
    const bool flushed = H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0;
    if (H5Fclose(file) < 0 || !flushed) {
        throw Error("{}: cannot write the HDF5 file: {}", path_.string(), hdf5::last_reason());
    }
}

bool Hdf5File::exists(const std::string& name) const {
    const QuietErrors quiet;
    if (name.empty() || name == "/") return name == "/";
    // H5Lexists fails, rather than answers no, when a group on the way is missing: ask for each in turn.
    for (std::size_t end = name.find('/', 1); end != std::string::npos; end = name.find('/', end + 1)) {
        if (H5Lexists(file_, name.substr(0, end).c_str(), H5P_DEFAULT) <= 0) return false;
    }
    return H5Lexists(file_, name.c_str(), H5P_DEFAULT) > 0 && H5Oexists_by_name(file_, name.c_str(), H5P_DEFAULT) > 0;
}

bool Hdf5File::is_group(const std::string& name) const {
    if (!exists(name)) return false;
    const QuietErrors quiet;
    const Handle object(H5Oopen(file_, name.c_str(), H5P_DEFAULT), H5Oclose);
    return object.valid() && H5Iget_type(object.id()) == H5I_GROUP;
}

std::vector<std::string> Hdf5File::list(const std::string& group) const {
    const QuietErrors quiet;
    const Handle handle(H5Gopen2(file_, group.c_str(), H5P_DEFAULT), H5Gclose);
    H5G_info_t info{};
    if (!handle.valid() || H5Gget_info(handle.id(), &info) < 0) {
        throw InputError("{}: no group '{}' in the file", path_.string(), group);
    }
    std::vector<std::string> names;
    for (hsize_t i = 0; i < info.nlinks; ++i) {
        const auto name_of = [&](char* buffer, std::size_t size) {
            return H5Lget_name_by_idx(handle.id(), ".", H5_INDEX_NAME, H5_ITER_INC, i, buffer, size, H5P_DEFAULT);
        };
        const ssize_t length = name_of(nullptr, 0);
        if (length < 0) throw InputError("{}: group '{}' is damaged: {}", path_.string(), group, hdf5::last_reason());
        std::string name(static_cast<std::size_t>(length), '\0');
        name_of(name.data(), name.size() + 1);
        names.push_back(std::move(name));
    }
    return names;
}

Hdf5DatasetInfo Hdf5File::info(const std::string& name) const {
    const QuietErrors quiet;
    return open_dataset(file_, path_, name).info;
}

void Hdf5File::create_group(const std::string& name) {
    const QuietErrors quiet;
    const Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
    const Handle properties(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
    const bool prepared = links.valid() && properties.valid() && H5Pset_create_intermediate_group(links.id(), 1) >= 0 &&
                          H5Pset_char_encoding(links.id(), H5T_CSET_UTF8) >= 0 &&
                          H5Pset_obj_track_times(properties.id(), false) >= 0;
    const Handle group(prepared ? H5Gcreate2(file_, name.c_str(), links.id(), properties.id(), H5P_DEFAULT) : -1,
                       H5Gclose);
    if (!group.valid()) throw Error("{}: cannot create group '{}': {}", path_.string(), name, hdf5::last_reason());
}

void Hdf5File::write(const std::string& name, std::span<const float> values, const Shape& shape) {
    write_numbers(file_, path_, name, values, shape);
}
void Hdf5File::write(const std::string& name, std::span<const double> values, const Shape& shape) {
    write_numbers(file_, path_, name, values, shape);
}
void Hdf5File::write(const std::string& name, std::span<const std::int64_t> values, const Shape& shape) {
    write_numbers(file_, path_, name, values, shape);
}
void Hdf5File::write(const std::string& name, std::span<const std::uint8_t> values, const Shape& shape) {
    write_numbers(file_, path_, name, values, shape);
}

void Hdf5File::write_string(const std::string& name, std::string_view text) {
    write_texts(file_, path_, name, {std::string(text)}, {});
}

void Hdf5File::write_strings(const std::string& name, const std::vector<std::string>& texts) {
    write_texts(file_, path_, name, texts, {static_cast<std::int64_t>(texts.size())});
}

template <typename T>
std::vector<T> Hdf5File::read(const std::string& name) const {
    const QuietErrors quiet;
    const OpenDataset open = open_dataset(file_, path_, name);
    require_readable_as<T>(open, path_, name);
    // HDF5 would clip what does not fit: bytes are read wide and checked.
    using Wide = std::conditional_t<std::is_same_v<T, std::uint8_t>, std::int64_t, T>;
    std::vector<Wide> values(checked_count(open, sizeof(Wide), path_, name));
    if (!values.empty() &&
        H5Dread(open.dataset.id(), memory_type<Wide>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) {
        throw InputError("{}: dataset '{}' cannot be read: {}", path_.string(), name, hdf5::last_reason());
    }
    if constexpr (std::is_same_v<T, Wide>) {
        return values;
    } else {
        std::vector<T> narrow;
        narrow.reserve(values.size());
        for (const Wide value : values) {
            if (value < 0 || value > std::numeric_limits<T>::max()) {
                throw InputError("{}: dataset '{}' holds {}, expected values from 0 to 255", path_.string(), name,
                                 value);
            }
            narrow.push_back(static_cast<T>(value));
        }
        return narrow;
    }
}

template std::vector<float> Hdf5File::read<float>(const std::string&) const;
template std::vector<double> Hdf5File::read<double>(const std::string&) const;
template std::vector<std::int64_t> Hdf5File::read<std::int64_t>(const std::string&) const;
template std::vector<std::uint8_t> Hdf5File::read<std::uint8_t>(const std::string&) const;

std::string Hdf5File::read_string(const std::string& name) const {
    std::vector<std::string> texts = read_strings(name);
    if (texts.size() != 1) {
        throw InputError("{}: dataset '{}' holds {} strings, expected one", path_.string(), name, texts.size());
    }
    return std::move(texts.front());
}

std::vector<std::string> Hdf5File::read_strings(const std::string& name) const {
    const QuietErrors quiet;
    const OpenDataset open = open_dataset(file_, path_, name);
    if (open.info.kind != Hdf5Kind::string) {
        throw InputError("{}: dataset '{}' does not hold strings", path_.string(), name);
    }
    const std::size_t count = checked_count(open, sizeof(char*), path_, name);
    std::vector<std::string> texts;
    const bool done = hdf5::read_texts(open.type.id(), open.space.id(), count, texts, [&](hid_t type, void* buffer) {
        return H5Dread(open.dataset.id(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer);
    });
    if (!done) throw InputError("{}: dataset '{}' cannot be read: {}", path_.string(), name, hdf5::last_reason());
    return texts;
}

}  // namespace lossmap
