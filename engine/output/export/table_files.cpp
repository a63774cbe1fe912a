#include "output/export/table_files.hpp"

#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "io/npz.hpp"
#include "output/export/export_stream.hpp"

namespace lossmap {

namespace {

constexpr double kNotKnown = std::numeric_limits<double>::quiet_NaN();

double known(const SplitSurface& split, double value, std::size_t point) {
    // Every NaN alike: the sign of one depends on the machine that computed it.
    return split.done[point] == 0 || std::isnan(value) ? kNotKnown : value;
}

double known_error(const SplitSurface& split, std::size_t point) {
    const double error = known(split, split.standard_error[point], point);
    return error < 0.0 ? kNotKnown : error;  // -1: a file of the reference implementation has none
}

/// Arrays of a refined grid under their names in surface.h5; empty otherwise.
std::vector<std::pair<const char*, const std::vector<double>*>> refined_arrays(const SplitSurface& split) {
    std::vector<std::pair<const char*, const std::vector<double>*>> arrays;
    for (const auto& [name, values] : {std::pair("_interpolated_loss", &split.interpolated_loss),
                                       std::pair("_interpolated_acc", &split.interpolated_accuracy),
                                       std::pair("_error_estimate", &split.error_estimate)}) {
        if (!values->empty()) arrays.emplace_back(name, values);
    }
    return arrays;
}

std::string gap_note(const Surface& surface, const SplitSurface& split, const ZScale& scale) {
    GapCounts gaps;
    for (std::size_t point = 0; point < surface.point_count(); ++point)
        (void)z_value(split, point, scale, gaps);
    const std::string interpolation = gaps.interpolation_text();
    return interpolation.empty() || !gaps.any() ? interpolation + gaps.text() : interpolation + "; " + gaps.text();
}

std::string quoted(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string result = "\"";
    for (const char character : text)
        result += character == '"' ? std::string("\"\"") : std::string(1, character);
    return result + '"';
}

void write_header(const Surface& surface, const std::vector<const SplitSurface*>& splits, const ZScale& scale,
                  ExportStream& out) {
    out.write(surface.is_line() ? "x" : "x,y");
    for (const SplitSurface* split : splits) {
        const auto column = [&](const char* name) { out.print(",{}", quoted(split->name + name)); };
        column("_loss");
        if (scale.changes_values()) column("_zvalue");
        if (split->has_accuracy) column("_accuracy");
        column("_done");
        column("_non_finite");
        column("_samples");
        column("_standard_error");
        if (split->is_drawn()) column("_interval_95");
        for (const auto& [name, values] : refined_arrays(*split))
            column(name);
    }
    out.write("\n");
}

/// The arrays of one split as surface.h5 has them.
struct SplitArrays {
    std::vector<double> loss;
    std::vector<double> z;
    std::vector<double> accuracy;
    std::vector<double> standard_error;
    std::vector<double> interval;  ///< where the samples were drawn at random
};

SplitArrays arrays_of(const SplitSurface& split, const ZScale& scale) {
    SplitArrays arrays;
    GapCounts gaps;
    for (std::size_t point = 0; point < split.loss.size(); ++point) {
        arrays.loss.push_back(known(split, split.loss[point], point));
        if (scale.changes_values()) arrays.z.push_back(z_value(split, point, scale, gaps));
        if (split.has_accuracy) arrays.accuracy.push_back(known(split, split.accuracy[point], point));
        arrays.standard_error.push_back(known_error(split, point));
        if (split.is_drawn()) arrays.interval.push_back(confidence_half_width(split, point));
    }
    return arrays;
}

template <typename T>
ConstTensorView view_of(const std::vector<T>& values, const Shape& shape) {
    return {dtype_of<T>, shape, values.data()};
}

}  // namespace

std::string write_csv(const Surface& surface, const std::vector<const SplitSurface*>& splits, const ZScale& scale,
                      const std::filesystem::path& file) {
    ExportStream out(file);
    write_header(surface, splits, scale, out);
    GapCounts gaps;
    for (std::size_t point = 0; point < surface.point_count(); ++point) {
        out.print("{}", surface.x[point % surface.x.size()]);
        if (!surface.is_line()) out.print(",{}", surface.y[point / surface.x.size()]);
        for (const SplitSurface* split : splits) {
            out.print(",{}", known(*split, split->loss[point], point));
            if (scale.changes_values()) out.print(",{}", z_value(*split, point, scale, gaps));
            if (split->has_accuracy) out.print(",{}", known(*split, split->accuracy[point], point));
            out.print(",{},{},{},{}", split->done[point] == 0 ? 0 : 1, split->non_finite[point], split->samples[point],
                      known_error(*split, point));
            if (split->is_drawn()) out.print(",{}", confidence_half_width(*split, point));
            for (const auto& [name, values] : refined_arrays(*split))
                out.print(",{}", (*values)[point]);
        }
        out.write("\n");
    }
    out.commit();
    return gap_note(surface, *splits.front(), scale);
}

std::string write_npz_table(const Surface& surface, const std::vector<const SplitSurface*>& splits, const ZScale& scale,
                            const std::filesystem::path& file) {
    // At most 10 arrays of 8 bytes and the mask, a split.
    const std::uint64_t expected = std::uint64_t{surface.point_count()} * splits.size() * (10 * 8 + 1);
    constexpr std::uint64_t kMostBytes = std::uint64_t{0xffffffff} - (std::uint64_t{1} << 24);
    if (expected > kMostBytes) {
        throw InputError("npz holds at most 4 GiB; this surface needs up to {} bytes, which csv takes", expected);
    }
    const auto nx = static_cast<std::int64_t>(surface.x.size());
    const auto ny = static_cast<std::int64_t>(surface.y.size());
    const Shape shape = surface.is_line() ? Shape{nx} : Shape{ny, nx};
    std::vector<SplitArrays> kept;
    kept.reserve(splits.size());
    std::vector<std::pair<std::string, ConstTensorView>> arrays;
    arrays.emplace_back("xcoordinates", view_of(surface.x, {nx}));
    if (!surface.is_line()) arrays.emplace_back("ycoordinates", view_of(surface.y, {ny}));
    for (const SplitSurface* split : splits) {
        const SplitArrays& values = kept.emplace_back(arrays_of(*split, scale));
        arrays.emplace_back(split->name + "_loss", view_of(values.loss, shape));
        if (scale.changes_values()) arrays.emplace_back(split->name + "_zvalue", view_of(values.z, shape));
        if (split->has_accuracy) arrays.emplace_back(split->name + "_acc", view_of(values.accuracy, shape));
        arrays.emplace_back(split->name + "_done", view_of(split->done, shape));
        arrays.emplace_back(split->name + "_non_finite", view_of(split->non_finite, shape));
        arrays.emplace_back(split->name + "_samples", view_of(split->samples, shape));
        arrays.emplace_back(split->name + "_standard_error", view_of(values.standard_error, shape));
        if (split->is_drawn()) arrays.emplace_back(split->name + "_interval_95", view_of(values.interval, shape));
        for (const auto& [name, refined] : refined_arrays(*split))
            arrays.emplace_back(split->name + name, view_of(*refined, shape));
    }
    write_npz(file, arrays);
    return gap_note(surface, *splits.front(), scale);
}

}  // namespace lossmap
