#include "cuda/device/shared_library.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <dlfcn.h>
#include <glob.h>
#include <link.h>

namespace lossmap::cuda {
namespace {

/// @param flags  of glob
std::vector<std::string> matches(const std::string& pattern, int flags) {
    std::vector<std::string> paths;
    glob_t found{};
    if (glob(pattern.c_str(), flags, nullptr, &found) == 0) {
        for (std::size_t k = 0; k < found.gl_pathc; ++k)
            paths.emplace_back(found.gl_pathv[k]);
    }
    globfree(&found);
    return paths;
}

void add_matches(const std::string& pattern, std::vector<std::string>& folders) {
    const std::vector<std::string> found = matches(pattern, GLOB_ONLYDIR);
    folders.insert(folders.end(), found.begin(), found.end());
}

void add_listed(const char* variable, std::vector<std::string>& folders) {
    const char* value = std::getenv(variable);
    const std::string text = value == nullptr ? "" : value;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t colon = std::min(text.find(':', begin), text.size());
        if (colon > begin) folders.push_back(text.substr(begin, colon - begin));
        begin = colon + 1;
    }
}

std::vector<std::string> listed_folders() {
    std::vector<std::string> folders;
    add_listed("LOSSMAP_CUDA_LIBRARIES", folders);
    return folders;
}

std::vector<std::string> known_folders() {
    std::vector<std::string> folders;
    add_matches("/usr/local/cuda*/lib64", folders);
    const std::string packages = "/lib/python3*/*-packages/nvidia/*/lib";
    if (const char* environment = std::getenv("VIRTUAL_ENV"); environment != nullptr)
        add_matches(environment + packages, folders);
    for (const char* prefix : {"/usr", "/usr/local", "/opt/*", "/opt/*/.venv", "/opt/*/venv"})
        add_matches(prefix + packages, folders);
    return folders;
}

void* open(const std::string& path) { return dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL); }

void* open_in(const std::vector<std::string>& folders, const std::string& name) {
    for (const std::string& folder : folders) {
        const std::filesystem::path path = std::filesystem::path(folder) / name;
        if (!std::filesystem::exists(path)) continue;
        if (void* handle = open(path.string()); handle != nullptr) return handle;
    }
    return nullptr;
}

void* find(const std::string& name) {
    if (void* handle = open_in(listed_folders(), name); handle != nullptr) return handle;
    if (void* handle = open(name); handle != nullptr) return handle;
    return open_in(known_folders(), name);
}

}  // namespace

std::vector<std::string> library_folders() {
    std::vector<std::string> folders = listed_folders();
    const std::vector<std::string> known = known_folders();
    folders.insert(folders.end(), known.begin(), known.end());
    return folders;
}

SharedLibrary::SharedLibrary(const std::string& name) : name_(name), handle_(find(name)) {
    if (handle_ != nullptr) return;
    const char* reason = dlerror();
    throw LibraryError("{} cannot be loaded: {} (more folders to search: $LOSSMAP_CUDA_LIBRARIES)", name,
                       reason == nullptr ? "not found" : reason);
}

bool SharedLibrary::preload(const std::string& name) { return find(name) != nullptr; }

bool SharedLibrary::preload_beside(const std::string& name, const std::string& pattern) {
    void* handle = find(name);
    const link_map* library = nullptr;
    if (handle == nullptr || dlinfo(handle, RTLD_DI_LINKMAP, &library) != 0) return false;
    const std::filesystem::path folder = std::filesystem::path(library->l_name).parent_path();
    bool found = false;
    for (const std::string& path : matches((folder / pattern).string(), 0))
        found = open(path) != nullptr || found;
    return found;
}

void* SharedLibrary::address(const char* name) const {
    void* result = dlsym(handle_, name);
    if (result == nullptr) throw LibraryError("{} has no function {}", name_, name);
    return result;
}

}  // namespace lossmap::cuda
