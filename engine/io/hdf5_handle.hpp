#pragma once

// Inside engine/io only: what hdf5_file.cpp and hdf5_attributes.cpp share. Needs hdf5.h, which no public header
// includes.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <hdf5.h>

namespace lossmap::hdf5 {

/// Owner of an HDF5 identifier; closes it with the function of its kind.
class Handle {
public:
    using Close = herr_t (*)(hid_t);

    Handle(hid_t id, Close close) : id_(id), close_(close) {}
    Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
    Handle& operator=(Handle&&) = delete;
    ~Handle() {
        if (id_ >= 0) close_(id_);
    }

    [[nodiscard]] bool valid() const { return id_ >= 0; }
    [[nodiscard]] hid_t id() const { return id_; }

private:
    hid_t id_;
    Close close_;
};

/// Keeps HDF5 from printing its error stack while it lives; what went wrong goes into our own message.
class QuietErrors {
public:
    QuietErrors() {
        H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
        H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    }
    ~QuietErrors() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }
    QuietErrors(const QuietErrors&) = delete;
    QuietErrors& operator=(const QuietErrors&) = delete;

private:
    H5E_auto2_t function_ = nullptr;
    void* data_ = nullptr;
};

/// The innermost reason on HDF5's error stack ("unable to open file", ..), or "unknown reason".
[[nodiscard]] std::string last_reason();

/// UTF-8 string of variable length, as h5py writes a str.
[[nodiscard]] Handle text_type();

/// Texts of a dataset or attribute: `read(memory_type, buffer)` fills the buffer and returns a negative number on
/// failure, then `strings` is meaningless and false is returned. `file_type` is its element type, of class H5T_STRING.
template <typename Read>
[[nodiscard]] bool read_texts(hid_t file_type, hid_t space, std::size_t count, std::vector<std::string>& texts,
                              Read read) {
    texts.clear();
    if (H5Tis_variable_str(file_type) > 0) {
        std::vector<char*> pointers(count, nullptr);
        const Handle memory(H5Tcopy(file_type), H5Tclose);
        if (!memory.valid() || read(memory.id(), static_cast<void*>(pointers.data())) < 0) return false;
        for (const char* pointer : pointers)
            texts.emplace_back(pointer == nullptr ? "" : pointer);
        H5Dvlen_reclaim(memory.id(), space, H5P_DEFAULT, pointers.data());
        return true;
    }
    const std::size_t length = H5Tget_size(file_type);
    std::vector<char> characters(count * length, '\0');
    if (read(file_type, static_cast<void*>(characters.data())) < 0) return false;
    const bool space_padded = H5Tget_strpad(file_type) == H5T_STR_SPACEPAD;
    for (std::size_t i = 0; i < count; ++i) {
        std::string text(characters.data() + i * length, length);
        text.resize(std::min(text.find('\0'), text.size()));
        if (space_padded) text.resize(text.find_last_not_of(' ') + 1);
        texts.push_back(std::move(text));
    }
    return true;
}

}  // namespace lossmap::hdf5
