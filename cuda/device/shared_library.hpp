#pragma once

#include <string>
#include <vector>

#include "core/error.hpp"

namespace lossmap::cuda {

/// A library is not there, or not as it is needed.
class LibraryError : public UnsupportedError {
public:
    using UnsupportedError::UnsupportedError;
};

/// A shared library that is opened when it is needed: a program built with CUDA starts where there is none. Stays open.
///
/// Searched in this order: the folders of $LOSSMAP_CUDA_LIBRARIES (separated by colons), the system's own search, the
/// CUDA toolkit (/usr/local/cuda*/lib64), and the folders that PyPI's nvidia-* packages put libraries in
/// (site-packages/nvidia/*/lib under $VIRTUAL_ENV, /usr, /usr/local and /opt).
class SharedLibrary {
public:
    /// @param name  what is searched for, "libcudnn.so.9"
    /// @throws LibraryError naming it and what the loader said.
    explicit SharedLibrary(const std::string& name);

    /// Opens it when it is there: for libraries that others load by name.
    static bool preload(const std::string& name);
    /// The same for libraries that stand beside `name` and match a pattern, "libnvrtc-builtins.so.*": `name` itself
    /// looks for them by their names, where the system would not find them.
    static bool preload_beside(const std::string& name, const std::string& pattern);

    [[nodiscard]] void* handle() const { return handle_; }
    /// @throws LibraryError when the library has no such function.
    template <typename Function>
    [[nodiscard]] Function* function(const char* name) const {
        return reinterpret_cast<Function*>(address(name));
    }

private:
    [[nodiscard]] void* address(const char* name) const;

    std::string name_;
    void* handle_ = nullptr;
};

/// Folders that are searched, in order; those that exist.
[[nodiscard]] std::vector<std::string> library_folders();

}  // namespace lossmap::cuda
