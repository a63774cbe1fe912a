#include "output/contour_lines.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <unordered_map>

namespace lossmap {

namespace {

/// An edge of the grid: 2 * point for the one to the right of a grid point, 2 * point + 1 for the one above it.
using EdgeId = std::uint64_t;
constexpr EdgeId kNoEdge = ~EdgeId{0};

/// A line crosses an edge at one place, and at most two segments (one from each side) end there.
struct Crossing {
    PlanePoint point;
    std::array<EdgeId, 2> next{kNoEdge, kNoEdge};
    bool visited = false;
};

class Tracer {
public:
    Tracer(const ScalarGrid& grid, double level) : grid_(grid), level_(level) {}

    std::vector<Polyline> trace() {
        for (std::size_t iy = 0; iy + 1 < grid_.y.size(); ++iy) {
            for (std::size_t ix = 0; ix + 1 < grid_.x.size(); ++ix)
                march(ix, iy);
        }
        std::vector<Polyline> lines;
        for (const EdgeId edge : order_) {  // open lines first, from one of their ends
            const Crossing& crossing = crossings_.at(edge);
            if (crossing.next[1] == kNoEdge && !crossing.visited) lines.push_back(follow(edge));
        }
        for (const EdgeId edge : order_) {
            if (!crossings_.at(edge).visited) lines.push_back(follow(edge));
        }
        return lines;
    }

private:
    void march(std::size_t ix, std::size_t iy) {
        // Corners and edges counter-clockwise from the lower left; edge k joins corners k and k + 1.
        const std::array<double, 4> z{grid_.at(ix, iy), grid_.at(ix + 1, iy), grid_.at(ix + 1, iy + 1),
                                      grid_.at(ix, iy + 1)};
        const double sum = z[0] + z[1] + z[2] + z[3];
        if (std::isnan(sum)) return;
        std::array<bool, 4> inside{};
        std::array<int, 4> cut{};
        int cuts = 0;
        for (std::size_t k = 0; k < 4; ++k)
            inside[k] = z[k] >= level_;
        for (std::size_t k = 0; k < 4; ++k) {
            if (inside[k] != inside[(k + 1) % 4]) cut[static_cast<std::size_t>(cuts++)] = static_cast<int>(k);
        }
        if (cuts == 0) return;
        if (cuts == 2) {
            connect(ix, iy, cut[0], cut[1]);
        } else {  // a saddle: the middle belongs to the corners 0 and 2, or to 1 and 3
            const bool middle_inside = 0.25 * sum >= level_;
            if (inside[0] == middle_inside) {
                connect(ix, iy, 0, 1);
                connect(ix, iy, 2, 3);
            } else {
                connect(ix, iy, 3, 0);
                connect(ix, iy, 1, 2);
            }
        }
    }

    EdgeId edge_of(std::size_t ix, std::size_t iy, int side) const {
        const std::size_t nx = grid_.x.size();
        switch (side) {
            case 0: return 2 * (iy * nx + ix);
            case 1: return 2 * (iy * nx + ix + 1) + 1;
            case 2: return 2 * ((iy + 1) * nx + ix);
            default: return 2 * (iy * nx + ix) + 1;
        }
    }

    PlanePoint crossing_point(EdgeId edge) const {
        const std::size_t nx = grid_.x.size();
        const std::size_t ix = (edge / 2) % nx;
        const std::size_t iy = (edge / 2) / nx;
        const bool upward = edge % 2 == 1;
        const double z0 = grid_.at(ix, iy);
        const double z1 = upward ? grid_.at(ix, iy + 1) : grid_.at(ix + 1, iy);
        const double share = (level_ - z0) / (z1 - z0);
        if (upward) return {grid_.x[ix], grid_.y[iy] + share * (grid_.y[iy + 1] - grid_.y[iy])};
        return {grid_.x[ix] + share * (grid_.x[ix + 1] - grid_.x[ix]), grid_.y[iy]};
    }

    void connect(std::size_t ix, std::size_t iy, int side_a, int side_b) {
        const EdgeId a = edge_of(ix, iy, side_a);
        const EdgeId b = edge_of(ix, iy, side_b);
        add_neighbour(a, b);
        add_neighbour(b, a);
    }

    void add_neighbour(EdgeId edge, EdgeId neighbour) {
        const auto [entry, is_new] = crossings_.try_emplace(edge);
        if (is_new) {
            entry->second.point = crossing_point(edge);
            order_.push_back(edge);
        }
        entry->second.next[entry->second.next[0] == kNoEdge ? 0 : 1] = neighbour;
    }

    Polyline follow(EdgeId start) {
        Polyline line;
        EdgeId edge = start;
        EdgeId previous = kNoEdge;
        while (edge != kNoEdge) {
            Crossing& crossing = crossings_.at(edge);
            line.push_back(crossing.point);
            if (crossing.visited) break;  // back at the start of a closed line
            crossing.visited = true;
            const EdgeId next = crossing.next[0] != previous ? crossing.next[0] : crossing.next[1];
            previous = edge;
            edge = next;
        }
        return line;
    }

    const ScalarGrid& grid_;
    double level_;
    std::unordered_map<EdgeId, Crossing> crossings_;
    std::vector<EdgeId> order_;  // of first appearance: the result must not depend on the hash
};

double distance_to_segment(const PlanePoint& point, const PlanePoint& a, const PlanePoint& b) {
    const double dx = b.x - a.x;
    const double dy = b.y - a.y;
    const double square = dx * dx + dy * dy;
    double share = 0.0;
    if (square > 0.0) share = std::fmin(1.0, std::fmax(0.0, ((point.x - a.x) * dx + (point.y - a.y) * dy) / square));
    return std::hypot(point.x - a.x - share * dx, point.y - a.y - share * dy);
}

}  // namespace

std::vector<Polyline> contour_lines(const ScalarGrid& grid, double level) { return Tracer(grid, level).trace(); }

Polyline simplify(const Polyline& line, double tolerance) {
    if (line.size() < 3) return line;
    std::vector<bool> kept(line.size(), false);
    kept.front() = kept.back() = true;
    std::vector<std::pair<std::size_t, std::size_t>> open{{0, line.size() - 1}};
    while (!open.empty()) {
        const auto [first, last] = open.back();
        open.pop_back();
        double farthest = tolerance;
        std::size_t split = 0;
        for (std::size_t i = first + 1; i < last; ++i) {
            const double distance = distance_to_segment(line[i], line[first], line[last]);
            if (distance > farthest) {
                farthest = distance;
                split = i;
            }
        }
        if (split == 0) continue;
        kept[split] = true;
        open.emplace_back(first, split);
        open.emplace_back(split, last);
    }
    Polyline result;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (kept[i]) result.push_back(line[i]);
    }
    return result;
}

}  // namespace lossmap
