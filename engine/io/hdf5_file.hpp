#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/shape.hpp"

namespace lossmap {

/// Element type of a dataset as far as lossmap tells types apart.
enum class Hdf5Kind : std::uint8_t { floating_point, integer, string, other };

struct Hdf5DatasetInfo {
    Hdf5Kind kind = Hdf5Kind::other;
    std::size_t element_bytes = 0;  ///< in the file
    Shape shape;                    ///< empty for a scalar
};

/// An HDF5 file (thin layer over the HDF5 C library); move-only, closed by the destructor. Names are paths inside the
/// file
/// ("xdirection/0"); groups on the way are made when a dataset is written. The same calls write the same bytes: no
/// times are stored. Every error names the file and the dataset: InputError when a file does not hold what is asked
/// for, Error when writing fails. The HDF5 library is not thread-safe: use all files from one thread at a time.
class Hdf5File {
public:
    /// A new, empty file; replaces an existing one. To replace it only when complete, write to AtomicFile::temporary().
    [[nodiscard]] static Hdf5File create(const std::filesystem::path& file);
    /// An existing file, read only. Throws InputError when it is missing, truncated or no HDF5 file.
    [[nodiscard]] static Hdf5File open(const std::filesystem::path& file);

    Hdf5File(Hdf5File&& other) noexcept;
    Hdf5File& operator=(Hdf5File&& other) noexcept;
    Hdf5File(const Hdf5File&) = delete;
    Hdf5File& operator=(const Hdf5File&) = delete;
    ~Hdf5File();

    /// Flushes and closes; throws Error when that fails (the destructor could not say so). No call may follow.
    void close();

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

    /// Whether a group or dataset of that name is there.
    [[nodiscard]] bool exists(const std::string& name) const;
    [[nodiscard]] bool is_group(const std::string& name) const;
    /// Names of the members of a group, in the order of their bytes ("10" before "2").
    [[nodiscard]] std::vector<std::string> list(const std::string& group = "/") const;
    /// Type and shape of a dataset. Throws InputError when there is none, or its elements lie outside this file.
    [[nodiscard]] Hdf5DatasetInfo info(const std::string& name) const;

    void create_group(const std::string& name);

    /// Writes a dataset; `values.size()` must be the element count of `shape` (empty shape: a scalar).
    void write(const std::string& name, std::span<const float> values, const Shape& shape);
    void write(const std::string& name, std::span<const double> values, const Shape& shape);
    void write(const std::string& name, std::span<const std::int64_t> values, const Shape& shape);
    void write(const std::string& name, std::span<const std::uint8_t> values, const Shape& shape);
    /// Scalar UTF-8 string of variable length, as h5py writes a str.
    void write_string(const std::string& name, std::string_view text);
    /// One-dimensional array of such strings.
    void write_strings(const std::string& name, const std::vector<std::string>& texts);

    /// All elements, row-major, converted to T (float, double, std::int64_t or std::uint8_t). Floating point is read
    /// from floating point or integers; integers only from integers. Throws InputError on any other type, and when the
    /// extents claim more than a file of this size can hold.
    template <typename T>
    [[nodiscard]] std::vector<T> read(const std::string& name) const;
    /// A scalar (or one-element) string of variable or fixed length.
    [[nodiscard]] std::string read_string(const std::string& name) const;
    [[nodiscard]] std::vector<std::string> read_strings(const std::string& name) const;

    /// Attributes of a group or dataset ("/": the file itself).
    void write_attribute(const std::string& object, const std::string& attribute, std::string_view text);
    void write_attribute(const std::string& object, const std::string& attribute, double value);
    void write_attribute(const std::string& object, const std::string& attribute, std::int64_t value);
    /// At most about 4,000 texts fit an attribute (HDF5 limits it to 64 KiB, 16 bytes a text): write_strings takes
    /// more.
    void write_attribute(const std::string& object, const std::string& attribute,
                         const std::vector<std::string>& texts);
    // A string literal is a text, not a number or a bool.
    void write_attribute(const std::string& object, const std::string& attribute, const char* text) {
        write_attribute(object, attribute, std::string_view(text));
    }

    [[nodiscard]] bool has_attribute(const std::string& object, const std::string& attribute) const;
    [[nodiscard]] std::string string_attribute(const std::string& object, const std::string& attribute) const;
    [[nodiscard]] double double_attribute(const std::string& object, const std::string& attribute) const;
    [[nodiscard]] std::int64_t int_attribute(const std::string& object, const std::string& attribute) const;
    [[nodiscard]] std::vector<std::string> strings_attribute(const std::string& object,
                                                             const std::string& attribute) const;

private:
    Hdf5File(std::filesystem::path path, std::int64_t file) : path_(std::move(path)), file_(file) {}

    std::filesystem::path path_;
    std::int64_t file_ = -1;  // hid_t, kept out of this header with hdf5.h
};

extern template std::vector<float> Hdf5File::read<float>(const std::string&) const;
extern template std::vector<double> Hdf5File::read<double>(const std::string&) const;
extern template std::vector<std::int64_t> Hdf5File::read<std::int64_t>(const std::string&) const;
extern template std::vector<std::uint8_t> Hdf5File::read<std::uint8_t>(const std::string&) const;

}  // namespace lossmap
