#include "landscape/surface_file.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "core/error.hpp"
#include "io/atomic_file.hpp"
#include "io/hdf5_file.hpp"
#include "landscape/draw_attributes.hpp"
#include "landscape/provenance_attributes.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

constexpr double kNotComputed = -1.0;
void write_split(Hdf5File& file, const SplitSurface& split, const Shape& shape) {
    file.write(split.name + "_loss", std::span<const double>(split.loss), shape);
    if (split.has_accuracy) file.write(split.name + "_acc", std::span<const double>(split.accuracy), shape);
    file.write(split.name + "_done", std::span<const std::uint8_t>(split.done), shape);
    file.write(split.name + "_non_finite", std::span<const std::int64_t>(split.non_finite), shape);
    file.write(split.name + "_samples", std::span<const std::int64_t>(split.samples), shape);
    file.write(split.name + "_standard_error", std::span<const double>(split.standard_error), shape);
    const auto write_if_any = [&](const char* name, const std::vector<double>& values) {
        if (!values.empty()) file.write(split.name + name, std::span<const double>(values), shape);
    };
    write_if_any("_interpolated_loss", split.interpolated_loss);
    write_if_any("_interpolated_acc", split.interpolated_accuracy);
    write_if_any("_error_estimate", split.error_estimate);
    write_draw(file, split);
}

/// One axis of the grid.
std::vector<double> read_coordinates(const Hdf5File& file, const std::string& name) {
    const Shape shape = file.info(name).shape;
    if (shape.size() != 1 || shape[0] < 1) {
        throw InputError("'{}': '{}' has shape {}, expected a list of coordinates", file.path().string(), name,
                         to_string(shape));
    }
    return file.read<double>(name);
}

/// Values over the grid of `surface`, flat as y * nx + x. A plane that the reference implementation declared [nx, ny]
/// was filled in this order, too.
template <typename T>
std::vector<T> read_grid(const Hdf5File& file, const std::string& name, const Surface& surface) {
    const auto nx = static_cast<std::int64_t>(surface.x.size());
    const auto ny = static_cast<std::int64_t>(surface.y.size());
    const Shape shape = file.info(name).shape;
    const bool fits = surface.is_line() ? shape == Shape{nx} : shape == Shape{ny, nx} || shape == Shape{nx, ny};
    if (!fits) {
        throw InputError("'{}': '{}' has shape {}, expected {}", file.path().string(), name, to_string(shape),
                         surface.is_line() ? to_string(Shape{nx}) : to_string(Shape{ny, nx}));
    }
    return file.read<T>(name);
}

/// A dataset that files of the reference implementation do not have.
template <typename T>
std::vector<T> read_grid_or(const Hdf5File& file, const std::string& name, const Surface& surface, T fallback) {
    if (!file.exists(name)) return std::vector<T>(surface.point_count(), fallback);
    return read_grid<T>(file, name, surface);
}

/// A dataset of a refined grid; empty when there is none.
std::vector<double> read_grid_if_any(const Hdf5File& file, const std::string& name, const Surface& surface) {
    return file.exists(name) ? read_grid<double>(file, name, surface) : std::vector<double>();
}

std::vector<std::uint8_t> done_mask(const Hdf5File& file, const SplitSurface& split, const Surface& surface) {
    const std::string name = split.name + "_done";
    std::vector<std::uint8_t> done(surface.point_count());
    if (file.exists(name)) {
        done = read_grid<std::uint8_t>(file, name, surface);
        std::transform(done.begin(), done.end(), done.begin(), [](std::uint8_t value) { return value != 0; });
    } else {
        std::transform(split.loss.begin(), split.loss.end(), done.begin(),
                       [](double loss) { return loss != kNotComputed; });
    }
    return done;
}

SplitSurface read_split(const Hdf5File& file, const std::string& name, const Surface& surface) {
    SplitSurface split;
    split.name = name;
    split.loss = read_grid<double>(file, name + "_loss", surface);
    split.has_accuracy = file.exists(name + "_acc");
    split.accuracy = read_grid_or(file, name + "_acc", surface, std::numeric_limits<double>::quiet_NaN());
    split.standard_error = read_grid_or(file, name + "_standard_error", surface, kNotComputed);
    split.done = done_mask(file, split, surface);
    split.non_finite = read_grid_or(file, name + "_non_finite", surface, std::int64_t{0});
    split.samples = read_grid_or(file, name + "_samples", surface, std::int64_t{0});
    read_draw(file, split);
    split.interpolated_loss = read_grid_if_any(file, name + "_interpolated_loss", surface);
    split.interpolated_accuracy = read_grid_if_any(file, name + "_interpolated_acc", surface);
    split.error_estimate = read_grid_if_any(file, name + "_error_estimate", surface);
    return split;
}

/// Tells other files of the reference implementation from surfaces, and what to do with them.
void require_surface(const Hdf5File& file) {
    const auto refuse = [&](const char* what) {
        throw InputError("'{}' is no surface file: {}", file.path().string(), what);
    };
    if (file.exists("min_eig") || file.exists("max_eig"))
        refuse("it holds eigenvalues of the Hessian ('min_eig', 'max_eig'), which lossmap neither computes nor draws");
    if (file.exists("xcoordinates")) return;
    if (file.exists("xdirection"))
        refuse("it holds directions, which a configuration names: \"directions\": {\"kind\": \"file\", \"path\": ..}");
    if (file.exists("proj_xcoord"))
        refuse("it holds the path of a training run, which is drawn over a surface of the same directions");
    refuse("it has no 'xcoordinates'");
}

/// Names of the splits: ours are listed; others are those of the `<split>_loss`, training first.
std::vector<std::string> split_names(const Hdf5File& file) {
    if (file.has_attribute("/", "lossmap_split_names")) return file.strings_attribute("/", "lossmap_split_names");
    constexpr std::string_view kSuffix = "_loss";
    std::vector<std::string> names;
    for (const std::string& member : file.list()) {
        if (member.size() <= kSuffix.size() || !member.ends_with(kSuffix) || file.is_group(member)) continue;
        names.push_back(member.substr(0, member.size() - kSuffix.size()));
    }
    std::stable_partition(names.begin(), names.end(), [](const std::string& name) { return name == "train"; });
    if (names.empty()) {
        throw InputError("'{}' is no surface file: it has no '<split>_loss', such as 'train_loss'",
                         file.path().string());
    }
    return names;
}

void require_complete(const SplitSurface& split, std::size_t points) {
    const bool complete = split.loss.size() == points && split.accuracy.size() == points &&
                          split.done.size() == points && split.standard_error.size() == points &&
                          split.non_finite.size() == points && split.samples.size() == points;
    const bool refined_whole =
        std::ranges::all_of(std::array{&split.interpolated_loss, &split.interpolated_accuracy, &split.error_estimate},
                            [&](const auto* values) { return values->empty() || values->size() == points; });
    if (!complete || !refined_whole)
        throw InternalError("split '{}' does not cover the {} points of its surface", split.name, points);
}

}  // namespace

void write_surface(const fs::path& file, const Surface& surface) {
    const auto nx = static_cast<std::int64_t>(surface.x.size());
    const auto ny = static_cast<std::int64_t>(surface.y.size());
    AtomicFile target(file);
    Hdf5File hdf5 = Hdf5File::create(target.temporary());
    hdf5.write_string("dir_file", surface.direction_file);
    hdf5.write("xcoordinates", std::span<const double>(surface.x), {nx});
    if (!surface.is_line()) hdf5.write("ycoordinates", std::span<const double>(surface.y), {ny});
    std::vector<std::string> names;
    for (const SplitSurface& split : surface.splits) {
        require_complete(split, surface.point_count());
        write_split(hdf5, split, surface.is_line() ? Shape{nx} : Shape{ny, nx});
        names.push_back(split.name);
    }
    hdf5.write_attribute("/", "lossmap_split_names", names);
    write_provenance(hdf5, surface.provenance);
    hdf5.close();
    target.commit();
}

Surface read_surface(const fs::path& file) {
    const Hdf5File hdf5 = Hdf5File::open(file);
    require_surface(hdf5);
    if (hdf5.exists("seeds")) throw InputError("'{}' holds repetitions, not one surface", file.string());
    Surface surface;
    surface.x = read_coordinates(hdf5, "xcoordinates");
    if (hdf5.exists("ycoordinates")) surface.y = read_coordinates(hdf5, "ycoordinates");
    if (hdf5.exists("dir_file")) surface.direction_file = hdf5.read_string("dir_file");
    surface.provenance = read_provenance(hdf5);
    for (const std::string& name : split_names(hdf5))
        surface.splits.push_back(read_split(hdf5, name, surface));
    return surface;
}

}  // namespace lossmap
