#include "landscape/repeated_surface.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/error.hpp"
#include "io/atomic_file.hpp"
#include "io/hdf5_file.hpp"
#include "landscape/draw_attributes.hpp"
#include "landscape/provenance_attributes.hpp"

namespace lossmap {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Applies `each` to every list of a split: name of its dataset, pointer to the member.
template <typename Each>
void for_each_list(bool has_accuracy, const Each& each) {
    each("loss", &SplitSurface::loss);
    if (has_accuracy) each("acc", &SplitSurface::accuracy);
    each("done", &SplitSurface::done);
    each("non_finite", &SplitSurface::non_finite);
    each("samples", &SplitSurface::samples);
    each("standard_error", &SplitSurface::standard_error);
}

/// Mean and deviation in two passes: the values can be far from zero and close to each other.
void add_statistics(const std::vector<double>& values, Spread& spread) {
    const auto count = static_cast<double>(values.size());
    spread.counted.push_back(static_cast<std::int64_t>(values.size()));
    if (values.empty()) {
        for (auto* list : {&spread.mean, &spread.deviation, &spread.least, &spread.greatest})
            list->push_back(kNaN);
        return;
    }
    double sum = 0.0;
    for (const double value : values)
        sum += value;
    const double mean = sum / count;
    double squares = 0.0;
    for (const double value : values)
        squares += (value - mean) * (value - mean);
    const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
    // Equal values, as at the origin, have no spread; a rounded sum would leave one.
    const bool equal = *least == *greatest;
    spread.mean.push_back(equal ? *least : mean);
    spread.deviation.push_back(values.size() < 2 ? kNaN : equal ? 0.0 : std::sqrt(squares / (count - 1.0)));
    spread.least.push_back(*least);
    spread.greatest.push_back(*greatest);
}

/// Mean, standard deviation and range of a split.
std::vector<SplitSurface> summary_splits(const RepeatedSurface& surface, std::size_t index) {
    const Surface& first = surface.repeats.front();
    const SplitSurface& split = first.splits.at(index);
    std::vector<SplitSurface> splits =
        make_surface(first.x, first.y, {split.name + "_mean", split.name + "_std", split.name + "_range"},
                     split.has_accuracy)
            .splits;
    const Spread loss = spread_of(surface, index, RepeatedValue::loss);
    const Spread error = spread_of(surface, index, RepeatedValue::error);
    for (std::size_t point = 0; point < first.point_count(); ++point) {
        std::int64_t samples = 0;
        std::int64_t non_finite = 0;
        bool done = false;
        for (const Surface& repeat : surface.repeats) {
            done = done || repeat.splits[index].done[point] != 0;
            samples += repeat.splits[index].samples[point];
            non_finite += repeat.splits[index].non_finite[point];
        }
        if (!done) continue;
        const double losses[] = {loss.mean[point], loss.deviation[point], loss.greatest[point] - loss.least[point]};
        const double accuracies[] = {100.0 - error.mean[point], error.deviation[point],
                                     error.greatest[point] - error.least[point]};
        for (std::size_t k = 0; k < splits.size(); ++k) {
            splits[k].loss[point] = losses[k];
            splits[k].accuracy[point] = accuracies[k];
            splits[k].done[point] = 1;
            splits[k].samples[point] = samples;
            splits[k].non_finite[point] = non_finite;
        }
    }
    return splits;
}

}  // namespace

void RepeatedSurface::take(const Surface& all_points) {
    for (std::size_t r = 0; r < repeats.size(); ++r) {
        const std::size_t points = repeats[r].point_count();
        for (std::size_t s = 0; s < repeats[r].splits.size(); ++s) {
            const SplitSurface& from = all_points.splits.at(s);
            if (from.loss.size() != points * repeats.size())
                throw InternalError("{} results for {} repetitions of {} points", from.loss.size(), repeats.size(),
                                    points);
            SplitSurface& to = repeats[r].splits[s];
            const auto first = static_cast<std::ptrdiff_t>(r * points);
            for_each_list(true, [&](const char*, auto list) {
                std::copy_n((from.*list).begin() + first, points, (to.*list).begin());
            });
        }
    }
}

RepeatedSurface make_repeated(const Surface& surface, std::int64_t first_seed, std::int64_t count) {
    RepeatedSurface repeated;
    for (std::int64_t r = 0; r < count; ++r) {
        repeated.seeds.push_back(first_seed + r);
        repeated.repeats.push_back(surface);
    }
    return repeated;
}

Spread spread_of(const RepeatedSurface& surface, std::size_t index, RepeatedValue value) {
    Spread spread;
    const std::size_t points = surface.repeats.at(0).point_count();
    for (std::size_t point = 0; point < points; ++point) {
        std::vector<double> values;
        for (const Surface& repeat : surface.repeats) {
            const SplitSurface& split = repeat.splits.at(index);
            const double one = value == RepeatedValue::loss ? split.loss[point] : 100.0 - split.accuracy[point];
            if (split.done[point] != 0 && std::isfinite(one)) values.push_back(one);
        }
        add_statistics(values, spread);
    }
    return spread;
}

std::vector<double> mean_half_width(const RepeatedSurface& surface, std::size_t index) {
    const std::size_t points = surface.repeats.at(0).point_count();
    std::vector<double> widths;
    for (std::size_t point = 0; point < points; ++point) {
        double sum = 0.0;
        int count = 0;
        for (const Surface& repeat : surface.repeats) {
            const double width = confidence_half_width(repeat.splits.at(index), point);
            if (std::isnan(width)) continue;
            sum += width;
            ++count;
        }
        widths.push_back(count > 0 ? sum / count : kNaN);
    }
    return widths;
}

Surface summary_surface(const RepeatedSurface& surface, bool repetitions) {
    const Surface& first = surface.repeats.at(0);
    Surface summary = make_surface(first.x, first.y, {}, true);
    summary.provenance = first.provenance;
    for (std::size_t s = 0; s < first.splits.size(); ++s) {
        for (SplitSurface& split : summary_splits(surface, s))
            summary.splits.push_back(std::move(split));
        for (std::size_t r = 0; repetitions && r < surface.repeats.size(); ++r) {
            summary.splits.push_back(surface.repeats[r].splits[s]);
            summary.splits.back().name += "_seed_" + std::to_string(surface.seeds[r]);
        }
    }
    return summary;
}

void write_repeated_surface(const std::filesystem::path& file, const RepeatedSurface& surface) {
    const Surface& first = surface.repeats.at(0);
    const auto count = static_cast<std::int64_t>(surface.repeats.size());
    const auto nx = static_cast<std::int64_t>(first.x.size());
    const auto ny = static_cast<std::int64_t>(first.y.size());
    AtomicFile target(file);
    Hdf5File hdf5 = Hdf5File::create(target.temporary());
    hdf5.write_string("dir_file", first.direction_file);
    hdf5.write("seeds", std::span<const std::int64_t>(surface.seeds), {count});
    hdf5.write("xcoordinates", std::span<const double>(first.x), {nx});
    if (!first.is_line()) hdf5.write("ycoordinates", std::span<const double>(first.y), {ny});
    std::vector<std::string> names;
    for (std::size_t s = 0; s < first.splits.size(); ++s) {
        names.push_back(first.splits[s].name);
        for_each_list(first.splits[s].has_accuracy, [&](const char* name, auto list) {
            auto all = first.splits[s].*list;
            all.clear();
            for (const Surface& repeat : surface.repeats)
                all.insert(all.end(), (repeat.splits[s].*list).begin(), (repeat.splits[s].*list).end());
            hdf5.write(names.back() + "_" + name, std::span(std::as_const(all)),
                       first.is_line() ? Shape{count, nx} : Shape{count, ny, nx});
        });
        write_draw(hdf5, first.splits[s]);
    }
    hdf5.write_attribute("/", "lossmap_split_names", names);
    write_provenance(hdf5, first.provenance);
    hdf5.close();
    target.commit();
}

bool holds_repetitions(const std::filesystem::path& file) { return Hdf5File::open(file).exists("seeds"); }

RepeatedSurface read_repeated_surface(const std::filesystem::path& file) {
    const Hdf5File hdf5 = Hdf5File::open(file);
    const auto list_of = [&]<typename T>(const std::string& name, T) {
        if (hdf5.info(name).shape.size() != 1 || hdf5.info(name).shape[0] < 1)
            throw InputError("'{}': '{}' is no list", file.string(), name);
        return hdf5.read<T>(name);
    };
    const std::vector<std::int64_t> seeds = list_of("seeds", std::int64_t{});
    std::vector<double> y;
    if (hdf5.exists("ycoordinates")) y = list_of("ycoordinates", double{});
    const std::vector<std::string> names = hdf5.strings_attribute("/", "lossmap_split_names");
    Surface empty = make_surface(list_of("xcoordinates", double{}), y, names, true);
    empty.direction_file = hdf5.read_string("dir_file");
    empty.provenance = read_provenance(hdf5);
    const auto nx = static_cast<std::int64_t>(empty.x.size());
    const auto ny = static_cast<std::int64_t>(empty.y.size());
    const auto count = static_cast<std::int64_t>(seeds.size());
    const Shape shape = empty.is_line() ? Shape{count, nx} : Shape{count, ny, nx};
    Surface all = empty;
    for (std::size_t s = 0; s < names.size(); ++s) {
        SplitSurface& split = all.splits[s];
        split.has_accuracy = empty.splits[s].has_accuracy = hdf5.exists(names[s] + "_acc");
        split.accuracy.assign(seeds.size() * empty.point_count(), kNaN);
        for_each_list(split.has_accuracy, [&](const char* name, auto list) {
            const std::string dataset = names[s] + "_" + name;
            if (hdf5.info(dataset).shape != shape)
                throw InputError("'{}': '{}' has shape {}, expected {}", file.string(), dataset,
                                 to_string(hdf5.info(dataset).shape), to_string(shape));
            using Element = typename std::decay_t<decltype(split.*list)>::value_type;
            split.*list = hdf5.read<Element>(dataset);
        });
        read_draw(hdf5, empty.splits[s]);
    }
    RepeatedSurface surface{seeds, std::vector<Surface>(seeds.size(), empty)};
    surface.take(all);
    return surface;
}

}  // namespace lossmap
