#include "landscape/trajectory.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "core/error.hpp"

namespace lossmap {
namespace {

/// Sum of a[i] * b[i] in fp64. Eight fixed lanes: the order of additions does not depend on the vector width that the
/// compiler uses.
double dot(std::span<const float> a, std::span<const float> b) {
    constexpr std::size_t kLanes = 8;
    std::array<double, kLanes> lanes{};
    const std::size_t whole = a.size() / kLanes * kLanes;
    for (std::size_t i = 0; i < whole; i += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            lanes[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
        }
    }
    double sum = 0.0;
    for (const double lane : lanes)
        sum += lane;
    for (std::size_t i = whole; i < a.size(); ++i)
        sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    return sum;
}

/// Hands out rows theta_e - theta_n in fp32, or slices of them, with the entries of ignored parameters zero.
class RowReader {
public:
    RowReader(const Trajectory& trajectory, const IgnoreSet& ignore) : trajectory_(trajectory), ignore_(ignore) {
        if (trajectory.checkpoints < 2) {
            throw InputError("a trajectory needs at least two checkpoints, not {}", trajectory.checkpoints);
        }
        const std::int64_t origin = trajectory.origin.value_or(trajectory.checkpoints - 1);
        if (origin < 0 || origin >= trajectory.checkpoints) {
            throw InternalError("origin {} of {} checkpoints", origin, trajectory.checkpoints);
        }
        origin_.resize(static_cast<std::size_t>(trajectory.space->weights_size()));
        trajectory.read(origin, 0, origin_);
    }

    [[nodiscard]] std::size_t rows() const { return static_cast<std::size_t>(trajectory_.checkpoints); }
    [[nodiscard]] std::size_t size() const { return origin_.size(); }
    [[nodiscard]] std::span<const float> origin() const { return origin_; }

    /// Elements [first, first + slice.size()) of a row.
    void read(std::size_t index, std::size_t first, std::span<float> slice) const {
        trajectory_.read(static_cast<std::int64_t>(index), static_cast<std::int64_t>(first), slice);
        for (std::size_t i = 0; i < slice.size(); ++i)
            slice[i] -= origin_[first + i];
        for (const Parameter& parameter : trajectory_.space->weights) {
            if (!ignore_.contains(parameter)) continue;
            const auto begin = std::max(static_cast<std::size_t>(parameter.offset), first);
            const auto end =
                std::min(static_cast<std::size_t>(parameter.offset + parameter.size), first + slice.size());
            if (begin < end)
                std::fill(slice.begin() + static_cast<std::ptrdiff_t>(begin - first),
                          slice.begin() + static_cast<std::ptrdiff_t>(end - first), 0.0f);
        }
    }

private:
    const Trajectory& trajectory_;
    IgnoreSet ignore_;
    std::vector<float> origin_;
};

/// Elements of each row that are held at once: whole chunks, so that the bound on memory does not change the bits.
std::size_t slice_elements(const RowReader& reader, std::int64_t memory_bytes) {
    const auto fitting = static_cast<std::size_t>(memory_bytes) / sizeof(float) / reader.rows();
    return std::min(std::max(fitting / LinearAlgebra::kChunk, std::size_t{1}) * LinearAlgebra::kChunk, reader.size());
}

/// Inner products of all pairs of rows: the same slice of every row at a time, so that each element of each checkpoint
/// is read once however little memory there is.
SquareMatrix gram_matrix(const RowReader& reader, const PcaOptions& options, LinearAlgebra& algebra) {
    SquareMatrix gram(reader.rows());
    const std::size_t width = slice_elements(reader, options.memory_bytes);
    std::vector<float> slices(reader.rows() * width);
    for (std::size_t first = 0; first < reader.size(); first += width) {
        const std::size_t length = std::min(width, reader.size() - first);
        const std::span<float> rows = std::span(slices).first(reader.rows() * length);
        for (std::size_t row = 0; row < reader.rows(); ++row)
            reader.read(row, first, rows.subspan(row * length, length));
        algebra.add_inner_products(rows, gram);
    }
    for (std::size_t i = 0; i < gram.size; ++i) {
        if (!std::isfinite(gram.at(i, i)))
            throw InputError("checkpoint {} of the trajectory holds weights that are not finite", i);
        for (std::size_t j = i + 1; j < gram.size; ++j)
            gram.at(i, j) = gram.at(j, i);
    }
    return gram;
}

/// Inner products of the rows less their mean: subtracts the means of rows and columns.
void center(SquareMatrix& gram) {
    const auto n = static_cast<double>(gram.size);
    std::vector<double> means(gram.size, 0.0);
    for (std::size_t i = 0; i < gram.size; ++i) {
        const auto row = gram.values.begin() + static_cast<std::ptrdiff_t>(i * gram.size);
        means[i] = std::accumulate(row, row + static_cast<std::ptrdiff_t>(gram.size), 0.0) / n;
    }
    const double total = std::accumulate(means.begin(), means.end(), 0.0) / n;
    for (std::size_t i = 0; i < gram.size; ++i) {
        for (std::size_t j = 0; j < gram.size; ++j)
            gram.at(i, j) += total - means[i] - means[j];
    }
}

/// Coefficients of the rows in component `k`: its left singular vector, whose largest entry is positive, less its mean
/// where the rows are centred (sum (u_i - mean u) x_i = sum u_i (x_i - mean x)).
std::vector<double> row_coefficients(const SquareMatrix& vectors, std::size_t k, bool centered) {
    std::vector<double> u(vectors.size);
    for (std::size_t i = 0; i < u.size(); ++i)
        u[i] = vectors.at(i, k);
    const double mean = centered ? std::accumulate(u.begin(), u.end(), 0.0) / static_cast<double>(u.size()) : 0.0;
    for (double& value : u)
        value -= mean;
    return u;
}

Direction unit_vector(const std::vector<double>& values) {
    double square = 0.0;
    for (const double value : values)
        square += value * value;
    const double norm = std::sqrt(square);
    Direction direction;
    direction.weights.resize(values.size());
    std::transform(values.begin(), values.end(), direction.weights.begin(),
                   [norm](double value) { return static_cast<float>(value / norm); });
    return direction;
}

/// The right singular vectors that were asked for: one more pass over the checkpoints.
std::vector<Direction> components_of(const RowReader& reader, const SquareMatrix& vectors, const PcaOptions& options) {
    std::vector<std::vector<double>> coefficients;
    for (const int component : options.components) {
        coefficients.push_back(row_coefficients(vectors, static_cast<std::size_t>(component - 1), options.center));
    }
    std::vector<std::vector<double>> sums(coefficients.size(), std::vector<double>(reader.size(), 0.0));
    std::vector<float> row(reader.size());
    for (std::size_t i = 0; i < reader.rows(); ++i) {
        reader.read(i, 0, row);
        for (std::size_t c = 0; c < sums.size(); ++c) {
            for (std::size_t p = 0; p < row.size(); ++p)
                sums[c][p] += coefficients[c][i] * static_cast<double>(row[p]);
        }
    }
    std::vector<Direction> components;
    for (std::vector<double>& sum : sums) {
        components.push_back(unit_vector(sum));
        sum = {};
    }
    return components;
}

/// A component whose singular value is rounding error of the Gram matrix has no direction.
void require_components(const PcaOptions& options, const std::vector<double>& eigenvalues) {
    const double floor = eigenvalues.front() * 1e-13 * static_cast<double>(eigenvalues.size());
    const auto rank =
        std::count_if(eigenvalues.begin(), eigenvalues.end(), [&](double value) { return value > floor; });
    for (const int component : options.components) {
        if (component < 1 || component > rank) {
            throw InputError("principal component {} does not exist: the {} checkpoints span {} dimensions{}",
                             component, eigenvalues.size(), rank, options.center ? " about their mean" : "");
        }
    }
}

/// Distance from the span of unit axes, from the squared norm, the coordinates and the axes' cosine.
double distance_to_span(double square, const std::vector<double>& c, double cosine) {
    double inside = c[0] * c[0];
    if (c.size() == 2) {
        const double sine_square = 1.0 - cosine * cosine;
        // The second axis less its part along the first one; nothing is left of it when the two are parallel.
        const double rest = c[1] - cosine * c[0];
        if (sine_square > 1e-12) inside += rest * rest / sine_square;
    }
    return std::sqrt(std::max(square - inside, 0.0));
}

}  // namespace

TrajectoryPca trajectory_pca(const Trajectory& trajectory, const PcaOptions& options, LinearAlgebra& algebra) {
    const RowReader reader(trajectory, options.ignore);
    SquareMatrix gram = gram_matrix(reader, options, algebra);
    if (options.center) center(gram);
    auto [eigenvalues, vectors] = algebra.decompose(gram);
    if (!(eigenvalues.front() > 0.0))
        throw InputError("all checkpoints of the trajectory are equal: they have no principal components");
    require_components(options, eigenvalues);

    TrajectoryPca pca;
    pca.components = components_of(reader, vectors, options);
    eigenvalues.resize(std::min(eigenvalues.size(), reader.size()));
    for (double& value : eigenvalues)
        value = std::max(value, 0.0);  // rounding of a zero eigenvalue
    const double total = std::accumulate(eigenvalues.begin(), eigenvalues.end(), 0.0);
    for (const double value : eigenvalues) {
        pca.singular_values.push_back(std::sqrt(value));
        pca.explained_variance.push_back(value / static_cast<double>(reader.rows() - 1));
        pca.explained_variance_ratio.push_back(value / total);
    }
    return pca;
}

std::vector<TrajectoryPoint> project_trajectory(const Trajectory& trajectory, const std::vector<Direction>& axes) {
    if (axes.empty() || axes.size() > 2) throw InternalError("a projection onto {} axes", axes.size());
    const RowReader reader(trajectory, IgnoreSet{});
    std::vector<double> lengths;
    for (const Direction& axis : axes) {
        if (axis.weights.size() != reader.size()) {
            throw InputError("an axis of {} weights does not fit checkpoints of {}", axis.weights.size(),
                             reader.size());
        }
        lengths.push_back(weight_norm(axis.weights));
        if (!(lengths.back() > 0.0)) throw InputError("a trajectory cannot be projected onto an axis of zeros");
    }
    const double axes_cosine =
        axes.size() == 2 ? dot(axes[0].weights, axes[1].weights) / (lengths[0] * lengths[1]) : 0.0;
    std::vector<TrajectoryPoint> points;
    std::vector<float> row(reader.size());
    for (std::size_t i = 0; i < reader.rows(); ++i) {
        TrajectoryPoint point;
        trajectory.read(static_cast<std::int64_t>(i), 0, row);
        point.weight_norm = weight_norm(row);
        for (std::size_t p = 0; p < row.size(); ++p)
            row[p] -= reader.origin()[p];
        for (std::size_t a = 0; a < axes.size(); ++a)
            point.coordinates.push_back(dot(row, axes[a].weights) / lengths[a]);
        point.norm = weight_norm(row);
        point.distance = distance_to_span(point.norm * point.norm, point.coordinates, axes_cosine);
        points.push_back(std::move(point));
    }
    return points;
}

double weight_norm(std::span<const float> weights) { return std::sqrt(dot(weights, weights)); }

}  // namespace lossmap
