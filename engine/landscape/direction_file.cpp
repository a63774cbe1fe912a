#include <algorithm>
#include <array>
#include <string_view>

#include "core/error.hpp"
#include "io/atomic_file.hpp"
#include "io/hdf5_file.hpp"
#include "landscape/provenance_attributes.hpp"
#include "landscape/surface_file.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

struct AxisGroups {
    const char* weights;
    const char* states;
};
constexpr std::array<AxisGroups, 2> kAxisGroups = {{{"xdirection", "xstates"}, {"ydirection", "ystates"}}};

/// One dataset of a direction group: the parameter it belongs to, or nullptr for a counter that is left out.
struct Entry {
    const Parameter* parameter = nullptr;
    bool is_state = false;
};

void write_group(Hdf5File& file, const std::string& group, std::span<const float> values,
                 const std::vector<Parameter>& parameters) {
    file.create_group(group);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        const Parameter& parameter = parameters[i];
        const std::string name = group + "/" + std::to_string(i);
        file.write(name,
                   values.subspan(static_cast<std::size_t>(parameter.offset), static_cast<std::size_t>(parameter.size)),
                   parameter.shape);
        file.write_attribute(name, "parameter", parameter.name);
    }
}

void write_pca_notes(Hdf5File& file, const DirectionFileNotes& notes, std::size_t axes) {
    if (notes.singular_values.empty()) return;
    std::vector<std::size_t> chosen;
    for (const int component : notes.components)
        chosen.push_back(static_cast<std::size_t>(component - 1));
    for (std::size_t k = 0; notes.components.empty() && k < std::min(axes, notes.singular_values.size()); ++k)
        chosen.push_back(k);
    const auto leading = [&](const std::string& name, const std::vector<double>& values) {
        std::vector<double> picked;
        for (const std::size_t k : chosen)
            picked.push_back(values.at(k));
        file.write(name, std::span<const double>(picked), {static_cast<std::int64_t>(picked.size())});
    };
    const auto all = [&](const std::string& name, const std::vector<double>& values) {
        file.write(name, std::span<const double>(values), {static_cast<std::int64_t>(values.size())});
    };
    leading("explained_variance_ratio_", notes.explained_variance_ratio);
    leading("singular_values_", notes.singular_values);
    leading("explained_variance_", notes.explained_variance);
    all("all_singular_values", notes.singular_values);
    all("all_explained_variance_ratio", notes.explained_variance_ratio);
}

std::string_view module_of(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    return dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
}

/// Takes the running statistic of `module` with this role out of `open`; without a match by name the first one of the
/// role.
const Parameter* take_state(std::vector<const Parameter*>& open, std::string_view module, Role role) {
    const auto of_role = [&](const Parameter* state) { return state->role == role; };
    auto found = std::find_if(open.begin(), open.end(), [&](const Parameter* state) {
        return of_role(state) && module_of(state->name) == module;
    });
    if (found == open.end()) found = std::find_if(open.begin(), open.end(), of_role);
    if (found == open.end()) return nullptr;
    const Parameter* state = *found;
    open.erase(found);
    return state;
}

/// Entries in the order of a PyTorch state dict: behind a batch norm's shift its statistics (and its counter).
std::vector<Entry> state_dict_order(const ParameterSpace& space, bool with_counters) {
    std::vector<const Parameter*> open;
    for (const Parameter& state : space.states)
        open.push_back(&state);
    std::vector<Entry> entries;
    for (const Parameter& weight : space.weights) {
        entries.push_back({&weight, false});
        if (!weight.batch_norm || weight.role != Role::norm_shift) continue;
        for (const Role role : {Role::running_mean, Role::running_variance}) {
            const Parameter* state = take_state(open, module_of(weight.name), role);
            if (state != nullptr) entries.push_back({state, true});
        }
        if (with_counters) entries.push_back({});
    }
    return entries;
}

/// What the datasets of a group with `count` members are. Throws InputError when no reading fits.
std::vector<Entry> entries_for(std::size_t count, const ParameterSpace& space, const std::string& where) {
    if (count == space.weights.size()) {
        std::vector<Entry> entries;
        for (const Parameter& weight : space.weights)
            entries.push_back({&weight, false});
        return entries;
    }
    for (const bool with_counters : {false, true}) {
        std::vector<Entry> entries = state_dict_order(space, with_counters);
        const auto states =
            std::count_if(entries.begin(), entries.end(), [](const Entry& entry) { return entry.is_state; });
        if (entries.size() == count && states == static_cast<std::ptrdiff_t>(space.states.size())) return entries;
    }
    throw InputError("{} holds {} tensors, the model has {} weights and {} running statistics", where, count,
                     space.weights.size(), space.states.size());
}

void read_tensor(const Hdf5File& file, const std::string& name, const Parameter& parameter,
                 std::vector<float>& segment) {
    const Hdf5DatasetInfo info = file.info(name);
    if (info.shape != parameter.shape) {
        throw InputError("'{}': '{}' has shape {}, the parameter '{}' has shape {}", file.path().string(), name,
                         to_string(info.shape), parameter.name, to_string(parameter.shape));
    }
    const std::vector<float> values = file.read<float>(name);
    std::copy(values.begin(), values.end(), segment.begin() + parameter.offset);
}

/// Reads the datasets "0", "1", .. of a group into the segments of `direction`.
void read_group(const Hdf5File& file, const std::string& group, const std::vector<Entry>& entries,
                const ParameterSpace& space, Direction& direction) {
    const bool has_weights = std::any_of(entries.begin(), entries.end(), [](const Entry& entry) {
        return entry.parameter != nullptr && !entry.is_state;
    });
    const bool has_states =
        std::any_of(entries.begin(), entries.end(), [](const Entry& entry) { return entry.is_state; });
    if (has_weights) direction.weights.resize(static_cast<std::size_t>(space.weights_size()));
    if (has_states) direction.states.resize(static_cast<std::size_t>(space.states_size()));
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const std::string name = group + "/" + std::to_string(i);
        if (!file.exists(name)) throw InputError("'{}' has no '{}'", file.path().string(), name);
        if (entries[i].parameter == nullptr) continue;
        read_tensor(file, name, *entries[i].parameter, entries[i].is_state ? direction.states : direction.weights);
    }
}

Direction read_axis(const Hdf5File& file, const AxisGroups& groups, const ParameterSpace& space) {
    if (!file.is_group(groups.weights)) {
        throw InputError("'{}': '{}' is no group of tensors", file.path().string(), groups.weights);
    }
    const std::string where = fmt::format("'{}': group '{}'", file.path().string(), groups.weights);
    Direction direction;
    read_group(file, groups.weights, entries_for(file.list(groups.weights).size(), space, where), space, direction);
    if (file.exists(groups.states)) {
        std::vector<Entry> states;
        for (const Parameter& state : space.states)
            states.push_back({&state, true});
        const std::size_t count = file.is_group(groups.states) ? file.list(groups.states).size() : 0;
        if (count != states.size()) {
            throw InputError("'{}': group '{}' holds {} tensors, the model has {} running statistics",
                             file.path().string(), groups.states, count, states.size());
        }
        read_group(file, groups.states, states, space, direction);
    }
    return direction;
}

/// The datasets "0", "1", .. of a group one behind the other; nothing when there is no group.
std::vector<float> read_flat(const Hdf5File& file, const std::string& group) {
    std::vector<float> values;
    if (!file.exists(group)) return values;
    if (!file.is_group(group)) throw InputError("'{}': '{}' is no group of tensors", file.path().string(), group);
    const std::size_t count = file.list(group).size();
    for (std::size_t i = 0; i < count; ++i) {
        const std::string name = group + "/" + std::to_string(i);
        if (!file.exists(name)) throw InputError("'{}' has no '{}'", file.path().string(), name);
        const std::vector<float> tensor = file.read<float>(name);
        values.insert(values.end(), tensor.begin(), tensor.end());
    }
    return values;
}

}  // namespace

void write_directions(const fs::path& file, const std::vector<Direction>& axes, const ParameterSpace& space,
                      const DirectionFileNotes& notes) {
    if (axes.empty() || axes.size() > kAxisGroups.size())
        throw InternalError("a direction file of {} axes", axes.size());
    AtomicFile target(file);
    Hdf5File hdf5 = Hdf5File::create(target.temporary());
    for (std::size_t i = 0; i < axes.size(); ++i) {
        if (static_cast<std::int64_t>(axes[i].weights.size()) != space.weights_size()) {
            throw InternalError("axis {} has {} weights, the model {}", i, axes[i].weights.size(),
                                space.weights_size());
        }
        write_group(hdf5, kAxisGroups[i].weights, axes[i].weights, space.weights);
        if (axes[i].states.empty()) continue;
        if (static_cast<std::int64_t>(axes[i].states.size()) != space.states_size()) {
            throw InternalError("axis {} has {} running statistics, the model {}", i, axes[i].states.size(),
                                space.states_size());
        }
        write_group(hdf5, kAxisGroups[i].states, axes[i].states, space.states);
    }
    write_pca_notes(hdf5, notes, axes.size());
    if (notes.cosine) hdf5.write_attribute("/", "lossmap_cosine", *notes.cosine);
    if (notes.expected_cosine) hdf5.write_attribute("/", "lossmap_expected_absolute_cosine", *notes.expected_cosine);
    write_provenance(hdf5, notes.provenance);
    hdf5.close();
    target.commit();
}

std::vector<Direction> read_stored_axes(const fs::path& file) {
    const Hdf5File hdf5 = Hdf5File::open(file);
    std::vector<Direction> axes;
    for (const AxisGroups& groups : kAxisGroups) {
        if (hdf5.exists(groups.weights))
            axes.push_back({read_flat(hdf5, groups.weights), read_flat(hdf5, groups.states)});
    }
    return axes;
}

std::vector<Direction> read_directions(const fs::path& file, const ParameterSpace& space) {
    const Hdf5File hdf5 = Hdf5File::open(file);
    if (!hdf5.exists(kAxisGroups[0].weights)) {
        throw InputError("'{}' is no direction file: it has no group 'xdirection'", file.string());
    }
    std::vector<Direction> axes;
    for (const AxisGroups& groups : kAxisGroups) {
        if (hdf5.exists(groups.weights)) axes.push_back(read_axis(hdf5, groups, space));
    }
    return axes;
}

}  // namespace lossmap
