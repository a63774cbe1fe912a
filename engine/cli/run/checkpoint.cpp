#include "cli/run/checkpoint.hpp"

#include <algorithm>
#include <set>

#include <fmt/ranges.h>

#include "cli/run/named_arrays.hpp"
#include "core/error.hpp"

namespace lossmap {

std::vector<std::string> put_checkpoint(const std::filesystem::path& file, const ParameterRules& rules,
                                        const ParameterSpace& space, StateVector& state) {
    const NamedArrays arrays = open_named_arrays(file, rules);
    std::set<std::string> unused(arrays.names.begin(), arrays.names.end());
    std::vector<std::string> missing;
    std::vector<std::string> misshapen;
    const auto put = [&](const Parameter& parameter, std::vector<float>& segment) {
        if (unused.erase(parameter.name) == 0) {
            missing.push_back(parameter.name);
            return;
        }
        const Tensor tensor = arrays.load(parameter.name);
        if (tensor.shape() != parameter.shape) {
            misshapen.push_back(fmt::format("{} ({} instead of {})", parameter.name, to_string(tensor.shape()),
                                            to_string(parameter.shape)));
            return;
        }
        const auto values = tensor.as<float>();
        std::copy(values.begin(), values.end(), segment.begin() + parameter.offset);
    };
    for (const Parameter& parameter : space.weights)
        put(parameter, state.weights);
    for (const Parameter& parameter : space.states)
        put(parameter, state.states);
    if (!missing.empty() || !misshapen.empty()) {
        std::string message;
        if (!missing.empty()) message += fmt::format("; missing: {}", fmt::join(missing, ", "));
        if (!misshapen.empty()) message += fmt::format("; of another shape: {}", fmt::join(misshapen, ", "));
        if (!unused.empty()) message += fmt::format("; not in the model: {}", fmt::join(unused, ", "));
        throw InputError("{}: the checkpoint does not fit the model{}", file.string(), message);
    }
    if (unused.empty()) return {};
    return {fmt::format("{}: the model has no parameters for {}", file.string(), fmt::join(unused, ", "))};
}

}  // namespace lossmap
