#include "cli/run/backends.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "cpu/cpu_backend.hpp"

namespace lossmap {

std::vector<BackendEntry> known_backends() {
    std::vector<BackendEntry> entries;
    entries.push_back({"cpu", make_cpu_backend(), ""});
    entries.push_back({"cuda", nullptr, "not built (configure with -DLOSSMAP_CUDA=ON)"});
    return entries;
}

std::unique_ptr<Backend> choose_backend(const std::string& device, std::string& explanation) {
    std::vector<BackendEntry> entries = known_backends();
    // "auto" takes the last backend that is there: accelerators stand behind the CPU.
    const std::string name = device.substr(0, device.find(':'));
    const auto wanted = [&](const BackendEntry& entry) {
        return name == "auto" ? entry.backend != nullptr : entry.name == name;
    };
    const auto found = std::find_if(entries.rbegin(), entries.rend(), wanted);
    if (found == entries.rend()) throw InputError("device '{}' is not known; expected auto, cpu or cuda", device);
    if (found->backend == nullptr) throw UnsupportedError("device '{}': the backend is {}", device, found->why_missing);
    if (name == "auto") {
        explanation = fmt::format("device auto: {}", found->name);
        for (const BackendEntry& entry : entries) {
            if (entry.backend == nullptr && !entry.why_missing.empty())
                explanation += fmt::format("; {} {}", entry.name, entry.why_missing);
        }
    }
    return std::move(found->backend);
}

}  // namespace lossmap
