#include "cli/run/direction_source.hpp"

#include <algorithm>

#include <fmt/ranges.h>

#include "cli/run/checkpoint_path.hpp"
#include "cli/run/named_arrays.hpp"
#include "core/error.hpp"
#include "landscape/surface_file.hpp"

namespace lossmap {
namespace {

std::string ordinal(int number) {
    const bool teen = number / 10 % 10 == 1;
    const int digit = teen ? 0 : number % 10;
    return fmt::format("{}{}", number, digit == 1 ? "st" : digit == 2 ? "nd" : digit == 3 ? "rd" : "th");
}

/// Builds the directions of axes [first, first + count) from one configuration object.
class DirectionBuilder {
public:
    DirectionBuilder(const Config& config, const LoadedModel& model, const Backend& backend, int threads,
                     BuiltDirections& result)
        : config_(config), model_(model), backend_(backend), threads_(threads), result_(result) {}

    void build(const DirectionConfig& direction, int first, int count) {
        first_ = first;
        count_ = count;
        std::visit([this](const auto& kind) { add(kind); }, direction);
    }

private:
    void add(const RandomDirection& random) {
        const auto maker = backend_.direction_maker(model_.space, model_.origin.weights);
        const std::vector<TensorRule> rules = direction_rules(model_.space, random.normalization, random.ignore);
        for (int axis = first_; axis < first_ + count_; ++axis) {
            MadeWeights made = maker->gaussian(random.seed, axis, rules);
            result_.axes.push_back({std::move(made.weights), {}, std::move(made.resident)});
            result_.labels.push_back(fmt::format("random direction {} (seed {})", axis + 1, random.seed));
        }
    }

    void add(const FileDirection& file) {
        const std::string kind = file.path.extension().string();
        if (kind == ".npz" || kind == ".safetensors") {
            result_.axes.push_back(read_by_name(file));
            result_.labels.push_back(label_of(file));
            return;
        }
        std::vector<Direction> axes = read_directions(file.path, model_.space);
        // An axis of its own takes the file's direction of that axis, or the only one there is.
        const bool own = count_ == 1 && axes.size() == 1;
        if (!own && static_cast<int>(axes.size()) < first_ + count_) {
            throw InputError("{}: has no group 'ydirection', which the axis 'y' needs", file.path.string());
        }
        for (int axis = first_; axis < first_ + count_; ++axis) {
            result_.axes.push_back(std::move(axes[own ? 0 : static_cast<std::size_t>(axis)]));
            result_.labels.push_back(label_of(file));
        }
    }

    void add(const DifferenceDirection& models) {
        for (const ModelConfig& model : models.models) {
            const StateVector other = load_state(model, config_.rules, model_.space);
            result_.axes.push_back(difference(other, model_.origin, models.move == Move::states));
            result_.labels.push_back(fmt::format("towards {}", model.path.filename().string()));
        }
    }

    void add(const PcaDirection& directions) {
        const bool own = !directions.checkpoints.empty();
        const std::vector<ModelConfig> checkpoints = own ? directions.checkpoints : config_.path_checkpoints();
        PcaOptions options;
        options.center = directions.center;
        options.components = directions.components;
        options.ignore = directions.ignore;
        Trajectory trajectory = open_trajectory(checkpoints, config_.rules, model_.space);
        if (!own) trajectory.origin = origin_of_paths(config_);
        TrajectoryPca pca = trajectory_pca(trajectory, options, *backend_.linear_algebra(threads_));
        for (std::size_t k = 0; k < pca.components.size(); ++k) {
            const int component = directions.components[k];
            result_.axes.push_back(std::move(pca.components[k]));
            result_.labels.push_back(
                fmt::format("{} PC: {:.2f} %", ordinal(component),
                            100.0 * pca.explained_variance_ratio.at(static_cast<std::size_t>(component - 1))));
        }
        if (result_.pca) return;
        pca.components.clear();
        result_.pca = std::move(pca);
        result_.pca_components = directions.components;
    }

    [[nodiscard]] static std::string label_of(const FileDirection& file) {
        return fmt::format("direction of {}", file.path.filename().string());
    }

    /// One array a parameter; without an array it does not move. Running statistics move where there are arrays for
    /// them.
    Direction read_by_name(const FileDirection& file) {
        const NamedArrays arrays = open_named_arrays(file.path, config_.rules);
        std::vector<std::string> still;
        Direction direction;
        direction.weights.assign(static_cast<std::size_t>(model_.space.weights_size()), 0.0f);
        std::vector<float> states(static_cast<std::size_t>(model_.space.states_size()), 0.0f);
        std::size_t moved = 0;
        for (const Parameter& weight : model_.space.weights) {
            if (read_one(arrays, file, weight, direction.weights))
                ++moved;
            else
                still.push_back(weight.name);
        }
        std::size_t moved_states = 0;
        for (const Parameter& state : model_.space.states)
            moved_states += read_one(arrays, file, state, states) ? 1 : 0;
        if (moved + moved_states == 0) {
            throw InputError("{}: has no array for any parameter ('{}{}', ..)", file.path.string(), file.prefix,
                             model_.space.weights.front().name);
        }
        if (moved_states > 0) direction.states = std::move(states);
        if (!still.empty()) {
            result_.notes.push_back(
                fmt::format("{}: without an array, and so not moving: {}", file.path.string(), fmt::join(still, ", ")));
        }
        return direction;
    }

    [[nodiscard]] static bool read_one(const NamedArrays& arrays, const FileDirection& file, const Parameter& parameter,
                                       std::vector<float>& segment) {
        const std::string name = file.prefix + parameter.name;
        if (std::find(arrays.names.begin(), arrays.names.end(), name) == arrays.names.end()) return false;
        const Tensor tensor = arrays.load(name);
        if (tensor.shape() != parameter.shape) {
            throw InputError("{}: array '{}' has shape {}, the parameter has {}", file.path.string(), name,
                             to_string(tensor.shape()), to_string(parameter.shape));
        }
        const auto values = tensor.as<float>();
        std::copy(values.begin(), values.end(), segment.begin() + parameter.offset);
        return true;
    }

    const Config& config_;
    const LoadedModel& model_;
    const Backend& backend_;
    int threads_;
    BuiltDirections& result_;
    int first_ = 0;
    int count_ = 0;
};

}  // namespace

BuiltDirections build_directions(const Config& config, const LoadedModel& model, const Backend& backend, int threads) {
    BuiltDirections result;
    DirectionBuilder builder(config, model, backend, threads, result);
    const DirectionsConfig& directions = config.directions;
    const std::string key = config.experiment == Experiment::trajectory ? "/plane" : "/directions";
    const auto context = [&](const std::string& pointer) {
        return fmt::format("{}: {}", config.file.string(), pointer);
    };
    if (!directions.by_axis) {
        const int axes = static_cast<int>(config.axis_count());
        with_context(context(key), [&] { builder.build(directions.entries.front(), 0, axes); });
        return result;
    }
    const std::string pointers[] = {key + "/x", key + "/y"};
    for (std::size_t axis = 0; axis < directions.entries.size(); ++axis) {
        with_context(context(pointers[axis]),
                     [&] { builder.build(directions.entries[axis], static_cast<int>(axis), 1); });
    }
    return result;
}

}  // namespace lossmap
