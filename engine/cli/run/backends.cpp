#include "cli/run/backends.hpp"

#include <algorithm>
#include <cstdlib>

#include "cli/run/prepared_run.hpp"
#include "core/error.hpp"
#include "cpu/cpu_backend.hpp"
#include "cuda/backend/cuda_backend.hpp"
#include "cuda/device/cuda_device.hpp"

namespace lossmap {
namespace {

BackendEntry open_cuda(const std::vector<int>& ordinals, const cuda::PlanOptions& plans = {}) {
    cuda::OpenedDevices opened = cuda::open_cuda_devices(ordinals);
    if (opened.devices.empty()) return {"cuda", nullptr, opened.why_none};
    if (opened.devices.size() < ordinals.size()) {
        return {"cuda", nullptr,
                fmt::format("{} of {} GPUs were found{}{}", opened.devices.size(), ordinals.size(),
                            opened.why_none.empty() ? "" : ": ", opened.why_none)};
    }
    return {"cuda", cuda::make_cuda_backend(std::move(opened.devices), plans), ""};
}

/// Numbers behind "cuda:"; the configuration has checked the form.
std::vector<int> ordinals_of(const std::string& device) {
    std::vector<int> result;
    for (std::size_t begin = std::min(device.find(':'), device.size() - 1) + 1; begin < device.size();) {
        const std::size_t end = std::min(device.find(',', begin), device.size());
        if (end - begin > 4) throw InputError("device '{}': there is no GPU of that number", device);
        result.push_back(std::stoi(device.substr(begin, end - begin)));
        begin = end + 1;
    }
    return result;
}

}  // namespace

std::vector<BackendEntry> known_backends() {
    std::vector<BackendEntry> entries;
    entries.push_back({"cpu", make_cpu_backend(), ""});
    entries.push_back(open_cuda({}));
    return entries;
}

int visible_gpus() { return cuda::count_cuda_devices(); }

std::filesystem::path plan_cache_folder(const std::string& wanted) {
    const auto variable = [](const char* name) {
        const char* value = std::getenv(name);
        return std::string(value == nullptr ? "" : value);
    };
    const std::string named = wanted.empty() ? variable("LOSSMAP_PLAN_CACHE") : wanted;
    if (named == "off") return {};
    if (!named.empty()) return named;
    // XDG base directory specification: what is not absolute is to be ignored.
    const std::filesystem::path own = std::filesystem::path("lossmap") / "plans";
    if (const std::filesystem::path cache = variable("XDG_CACHE_HOME"); cache.is_absolute()) return cache / own;
    if (const std::filesystem::path home = variable("HOME"); home.is_absolute()) return home / ".cache" / own;
    return {};
}

std::unique_ptr<Backend> choose_backend(const std::string& device, const std::filesystem::path& plan_cache,
                                        const std::function<void(const std::string&)>& notice,
                                        std::string& explanation) {
    const std::string name = device.substr(0, device.find(':'));
    if (name == "cpu") return make_cpu_backend();
    if (name != "cuda" && name != "auto")
        throw InputError("device '{}' is not known; expected auto, cpu or cuda", device);
    const std::vector<int> ordinals = ordinals_of(device);
    // Without a number the first GPU: others may be of another kind, or somebody else's.
    BackendEntry cuda =
        open_cuda(ordinals.empty() ? std::vector{0} : ordinals, {plan_cache, notice, program_version()});
    if (name == "cuda" && cuda.backend == nullptr) throw UnsupportedError("device '{}': {}", device, cuda.why_missing);
    if (name == "auto") {
        explanation = cuda.backend == nullptr ? fmt::format("device auto: cpu; cuda: {}", cuda.why_missing)
                                              : fmt::format("device auto: {}", cuda.backend->devices().front().id);
    }
    return cuda.backend == nullptr ? make_cpu_backend() : std::move(cuda.backend);
}

}  // namespace lossmap
