#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "core/error.hpp"
#include "output/export/base64.hpp"
#include "output/export/export_stream.hpp"
#include "output/export/path_files.hpp"

namespace lossmap {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// A checkpoint that has a place in the picture.
struct PathVertex {
    double z = 0.0;
    std::size_t run = 0;
    std::size_t checkpoint = 0;
};

/// Index of the last entry that is not above `value`, which lies within the axis; of the last interval at most.
std::size_t interval_of(const std::vector<double>& axis, double value) {
    const auto above = std::upper_bound(axis.begin(), axis.end(), value);
    const auto index = static_cast<std::size_t>(std::max<std::ptrdiff_t>(above - axis.begin() - 1, 0));
    return std::min(index, axis.size() - 2);
}

/// Bilinear between the grid's points; NaN beside a gap and outside.
double height_at(const Surface& surface, const SplitSurface& split, const ZScale& scale, double x, double y) {
    const auto inside = [](const std::vector<double>& axis, double value) {
        return axis.size() > 1 && value >= axis.front() && value <= axis.back();
    };
    if (!inside(surface.x, x) || !inside(surface.y, y)) return kNaN;
    const std::size_t ix = interval_of(surface.x, x);
    const std::size_t iy = interval_of(surface.y, y);
    GapCounts gaps;
    const auto corner = [&](std::size_t i, std::size_t j) {
        return z_value(split, j * surface.x.size() + i, scale, gaps);
    };
    const double u = (x - surface.x[ix]) / (surface.x[ix + 1] - surface.x[ix]);
    const double v = (y - surface.y[iy]) / (surface.y[iy + 1] - surface.y[iy]);
    return std::lerp(std::lerp(corner(ix, iy), corner(ix + 1, iy), u),
                     std::lerp(corner(ix, iy + 1), corner(ix + 1, iy + 1), u), v);
}

/// -1 is what was not computed.
double evaluated_height(double loss, const ZScale& scale) { return loss == -1.0 ? kNaN : scaled_loss(loss, scale); }

const PathLosses* losses_of(const TrajectoryPath& path, const std::string& split) {
    const auto found = std::find_if(path.losses.begin(), path.losses.end(),
                                    [&](const PathLosses& losses) { return losses.split == split; });
    return found == path.losses.end() ? nullptr : &*found;
}

/// Vertices in the order of runs and checkpoints, and the pieces of each run between checkpoints without a place.
class PathPieces {
public:
    PathPieces(const TrajectoryPlane& plane, const Surface& surface, const SplitSurface& split, const ZScale& scale)
        : plane_(plane), split_(split) {
        for (std::size_t run = 0; run < plane.runs.size(); ++run) {
            const TrajectoryPath& path = plane.runs[run];
            if (path.x.empty() || path.x.size() != path.y.size()) {
                throw InputError("the path has {} x and {} y coordinates", path.x.size(), path.y.size());
            }
            const PathLosses* losses = losses_of(path, split.name);
            bool open = false;
            for (std::size_t k = 0; k < path.x.size(); ++k) {
                const double z = losses != nullptr ? evaluated_height(losses->plane_loss.at(k), scale)
                                                   : height_at(surface, split, scale, path.x[k], path.y[k]);
                if (std::isnan(z)) {
                    ++left_out_;
                    open = false;
                    continue;
                }
                if (!open) pieces_.push_back({});
                pieces_.back().push_back(vertices_.size());
                vertices_.push_back({z, run, k});
                open = true;
            }
        }
        // A vertex without neighbours is a point: cells of points stand before those of lines.
        std::stable_partition(pieces_.begin(), pieces_.end(), [](const auto& piece) { return piece.size() == 1; });
        single_ = static_cast<std::size_t>(
            std::count_if(pieces_.begin(), pieces_.end(), [](const auto& piece) { return piece.size() == 1; }));
    }

    [[nodiscard]] const std::vector<PathVertex>& vertices() const { return vertices_; }
    [[nodiscard]] std::size_t single_count() const { return single_; }
    [[nodiscard]] std::size_t line_count() const { return pieces_.size() - single_; }
    [[nodiscard]] std::span<const std::vector<std::size_t>> pieces(bool single) const {
        const std::span<const std::vector<std::size_t>> all(pieces_);
        return single ? all.first(single_) : all.subspan(single_);
    }
    [[nodiscard]] std::size_t left_out() const { return left_out_; }
    [[nodiscard]] const TrajectoryPath& path_of(const PathVertex& vertex) const { return plane_.runs[vertex.run]; }
    [[nodiscard]] const PathLosses* losses_at(const PathVertex& vertex) const {
        return losses_of(path_of(vertex), split_.name);
    }
    /// Whether all runs have the list of a number a checkpoint.
    template <typename List>
    [[nodiscard]] bool all_have(const List& list) const {
        return std::all_of(plane_.runs.begin(), plane_.runs.end(),
                           [&](const TrajectoryPath& path) { return list(path).size() == path.x.size(); });
    }

private:
    const TrajectoryPlane& plane_;
    const SplitSurface& split_;
    std::vector<PathVertex> vertices_;
    std::vector<std::vector<std::size_t>> pieces_;
    std::size_t single_ = 0;
    std::size_t left_out_ = 0;
};

/// An array with a number a vertex as text; all of them are finite.
template <typename Number>
void write_array(const PathPieces& pieces, const char* type, const char* name, const Number& number,
                 ExportStream& out) {
    out.print("        <DataArray type=\"{}\" Name=\"{}\" NumberOfComponents=\"1\" format=\"ascii\">\n", type, name);
    for (const PathVertex& vertex : pieces.vertices())
        out.print("{}\n", number(vertex));
    out.print("        </DataArray>\n");
}

/// The same as base64 of a length and fp64 numbers: VTK reads no NaN in text.
template <typename Number>
void write_binary_array(const PathPieces& pieces, const char* name, const Number& number, ExportStream& out) {
    std::string bytes;
    const auto append = [&bytes](const auto& value) {
        bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
    };
    append(static_cast<std::uint64_t>(pieces.vertices().size() * sizeof(double)));
    for (const PathVertex& vertex : pieces.vertices())
        append(static_cast<double>(number(vertex)));
    out.print("        <DataArray type=\"Float64\" Name=\"{}\" NumberOfComponents=\"1\" format=\"binary\">\n{}\n", name,
              base64(bytes));
    out.print("        </DataArray>\n");
}

void write_point_data(const PathPieces& pieces, ExportStream& out) {
    out.print("      <PointData Scalars=\"zvalue\">\n");
    write_array(
        pieces, "Float64", "zvalue", [](const PathVertex& vertex) { return vertex.z; }, out);
    write_array(
        pieces, "Int64", "run", [](const PathVertex& vertex) { return vertex.run; }, out);
    write_array(
        pieces, "Int64", "checkpoint", [](const PathVertex& vertex) { return vertex.checkpoint; }, out);
    const auto numbers = [&](const char* name, std::vector<std::int64_t> TrajectoryPath::*list) {
        if (!pieces.all_have([list](const TrajectoryPath& path) { return path.*list; })) return;
        write_array(
            pieces, "Int64", name,
            [&](const PathVertex& vertex) { return (pieces.path_of(vertex).*list)[vertex.checkpoint]; }, out);
    };
    numbers("epoch", &TrajectoryPath::epochs);
    numbers("iteration", &TrajectoryPath::iterations);
    write_array(
        pieces, "Int64", "learning_rate_drop",
        [&](const PathVertex& vertex) {
            const std::vector<std::int64_t>& drops = pieces.path_of(vertex).lr_drops;
            return std::count(drops.begin(), drops.end(), static_cast<std::int64_t>(vertex.checkpoint));
        },
        out);
    if (pieces.all_have([](const TrajectoryPath& path) { return path.distance; })) {
        write_binary_array(
            pieces, "distance",
            [&](const PathVertex& vertex) { return pieces.path_of(vertex).distance[vertex.checkpoint]; }, out);
    }
    const bool has_losses = std::all_of(pieces.vertices().begin(), pieces.vertices().end(),
                                        [&](const PathVertex& vertex) { return pieces.losses_at(vertex) != nullptr; });
    if (has_losses) {
        write_binary_array(
            pieces, "checkpoint_loss",
            [&](const PathVertex& vertex) { return pieces.losses_at(vertex)->checkpoint_loss[vertex.checkpoint]; },
            out);
    }
    out.print("      </PointData>\n");
}

void write_cells(const PathPieces& pieces, bool single, const char* element, ExportStream& out) {
    out.print("      <{}>\n        <DataArray type=\"Int64\" Name=\"connectivity\" format=\"ascii\">\n", element);
    for (const std::vector<std::size_t>& piece : pieces.pieces(single))
        out.print("{}\n", fmt::join(piece, " "));
    out.print("        </DataArray>\n        <DataArray type=\"Int64\" Name=\"offsets\" format=\"ascii\">\n");
    std::size_t end = 0;
    for (const std::vector<std::size_t>& piece : pieces.pieces(single)) {
        end += piece.size();
        out.print("{}\n", end);
    }
    out.print("        </DataArray>\n      </{}>\n", element);
}

}  // namespace

std::string write_path_vtp(const TrajectoryPlane& plane, const Surface& surface, const SplitSurface& split,
                           const ZScale& scale, const std::filesystem::path& file) {
    const PathPieces pieces(plane, surface, split, scale);
    if (pieces.vertices().empty()) throw InputError("no checkpoint of the path has a place over the plane");
    ExportStream out(file);
    out.print(
        "<?xml version=\"1.0\"?>\n"
        "<VTKFile type=\"PolyData\" version=\"1.0\" byte_order=\"LittleEndian\" header_type=\"UInt64\">\n"
        "  <PolyData>\n"
        "    <Piece NumberOfPoints=\"{}\" NumberOfVerts=\"{}\" NumberOfLines=\"{}\" NumberOfStrips=\"0\" "
        "NumberOfPolys=\"0\">\n",
        pieces.vertices().size(), pieces.single_count(), pieces.line_count());
    write_point_data(pieces, out);
    out.print(
        "      <Points>\n        <DataArray type=\"Float64\" Name=\"Points\" NumberOfComponents=\"3\" "
        "format=\"ascii\">\n");
    for (const PathVertex& vertex : pieces.vertices()) {
        const TrajectoryPath& path = pieces.path_of(vertex);
        out.print("{} {} {}\n", path.x[vertex.checkpoint], path.y[vertex.checkpoint], vertex.z);
    }
    out.print("        </DataArray>\n      </Points>\n");
    write_cells(pieces, true, "Verts", out);
    write_cells(pieces, false, "Lines", out);
    out.print("    </Piece>\n  </PolyData>\n</VTKFile>\n");
    out.commit();
    if (pieces.left_out() == 0) return {};
    return fmt::format("{} of {} checkpoints have no place over the plane", pieces.left_out(),
                       pieces.left_out() + pieces.vertices().size());
}

}  // namespace lossmap
