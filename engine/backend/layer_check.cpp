#include "backend/layer_check.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include <fmt/ranges.h>

#include "backend/graph_interpreter.hpp"
#include "core/error.hpp"
#include "core/philox.hpp"

namespace lossmap {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Evaluations with moved operands: the largest change of a few thousand elements is much the same in each.
constexpr std::size_t kTrials = 2;
/// The bound over the largest change seen: operands move at random, rounding may fall otherwise, and transforms
/// (Winograd's) and approximations of functions add to it.
constexpr double kSafety = 4.0;
/// Operators of a layer that are named one by one.
constexpr std::size_t kMostListed = 6;
/// What lies beyond overflows when it is stored; samples that it concerns are evaluated again in fp32.
float overflow_of(Precision precision) {
    constexpr float kHalf = 65504.0F;
    constexpr float kBfloat = 3.38e38F;
    if (precision == Precision::fp16) return kHalf;
    return precision == Precision::bf16 ? kBfloat : std::numeric_limits<float>::infinity();
}

/// Numbers that are added up for an element of the result, about: an upper bound does.
double terms_of(const Graph& graph, const Node& node) {
    const auto shape = [&](ValueId id) { return id == kNoValue ? Shape{} : graph.value(id).shape.value_or(Shape{}); };
    if (node.op_type == "Conv" || node.op_type == "ConvTranspose") {
        const Shape weight = shape(node.inputs[1]);
        const std::int64_t filters = std::max<std::int64_t>(node.op_type == "Conv" ? weight[0] : weight[1], 1);
        return static_cast<double>(element_count(weight)) / static_cast<double>(filters);
    }
    const auto results = static_cast<double>(std::max<std::int64_t>(element_count(shape(node.outputs[0])), 1));
    double terms = 1.0;
    for (const ValueId id : node.inputs) {
        const Shape operand = shape(id);
        terms = std::max(terms, static_cast<double>(element_count(operand)) / results);
        for (const std::int64_t extent : operand)
            terms = std::max(terms, static_cast<double>(extent));
    }
    return terms;
}

/// Numbers that say how large the result is, and where an element comes from, stay as they are.
bool may_move(const Graph& graph, const Node& node, std::size_t operand) {
    const ValueId id = node.inputs[operand];
    if (id == kNoValue || graph.value(id).dtype != DType::f32 || node.op_type == "Range") return false;
    return operand == 0 || (node.op_type != "Resize" && node.op_type != "Upsample");
}

/// Every element moved up or down by its `step`-th part, at random but always alike.
Tensor moved(const ConstTensorView& source, double step, std::uint64_t stream) {
    Tensor result(DType::f32, source.shape);
    const auto from = source.as<float>();
    const auto to = result.as<float>();
    std::uint64_t bits = 0;
    for (std::size_t k = 0; k < from.size(); ++k) {
        if (k % 64 == 0) bits = random_bits(0, stream, k / 64);
        const double factor = ((bits >> (k % 64)) & 1U) != 0 ? 1.0 + step : 1.0 - step;
        to[k] = static_cast<float>(from[k] * factor);
    }
    return result;
}

class LayerCheck {
public:
    LayerCheck(const ExecutableRequest& request, std::vector<NamedTensor> shown, const Point& point,
               const SampleChunk& chunk, std::int64_t samples)
        : precision_(request.precision), shown_(std::move(shown)), interpreter_(request, samples) {
        interpreter_.load(point, chunk);
        for (std::size_t k = 0; k < shown_.size(); ++k)
            by_name_.emplace(shown_[k].name, k);
    }

    [[nodiscard]] std::vector<LayerDifference> run() {
        std::vector<LayerDifference> result;
        for (const Node& node : graph().nodes) {
            interpreter_.compute(node);
            for (std::size_t trial = 0; trial < kTrials; ++trial)
                move_operands(node, trial);
            for (const ValueId id : node.outputs) {
                if (id == kNoValue || graph().value(id).dtype != DType::f32) continue;
                const auto found = by_name_.find(graph().value(id).name);
                if (found != by_name_.end()) {
                    result.push_back(judge(node, id, shown_[found->second].value));
                } else {
                    pending_[id] = members_of(node);
                }
            }
        }
        return result;
    }

private:
    [[nodiscard]] const Graph& graph() const { return interpreter_.graph(); }

    /// The node once more with moved operands; those that are not shown carry what was moved before them.
    void move_operands(const Node& node, std::size_t trial) {
        const double step =
            unit_roundoff(precision_) + std::sqrt(terms_of(graph(), node)) * unit_roundoff(Precision::fp32);
        std::map<ValueId, Tensor> operands;
        for (std::size_t k = 0; k < node.inputs.size(); ++k) {
            const ValueId id = node.inputs[k];
            if (!may_move(graph(), node, k) || operands.count(id) != 0) continue;
            const auto carried = carried_[trial].find(id);
            const ConstTensorView source =
                carried == carried_[trial].end() ? interpreter_.value(id) : std::as_const(carried->second).view();
            operands.emplace(id, moved(source, step, kTrials * static_cast<std::uint64_t>(next_stream_++) + trial));
        }
        std::map<ValueId, Tensor> results;
        interpreter_.compute(node, operands, results);
        for (auto& [id, value] : results) {
            // Integers and truth values come from operands as they are: a bound is no place for jumps.
            if (value.dtype() == DType::f32) carried_[trial].insert_or_assign(id, std::move(value));
        }
    }

    /// Nodes since the last values that were shown, this one last.
    [[nodiscard]] std::set<const Node*> members_of(const Node& node) const {
        std::set<const Node*> result{&node};
        for (const ValueId id : node.inputs) {
            const auto found = pending_.find(id);
            if (found != pending_.end()) result.insert(found->second.begin(), found->second.end());
        }
        return result;
    }

    /// Their operators in order: "Conv, Relu"; of many, how often each: "5 Conv, 4 Relu, Add".
    [[nodiscard]] std::string operators_of(const Node& node) const {
        const std::set<const Node*> members = members_of(node);
        if (members.size() <= kMostListed) {
            std::vector<std::string> names;
            for (const Node* member : members)
                names.push_back(member->op_type);
            return fmt::format("{}", fmt::join(names, ", "));
        }
        std::vector<std::pair<std::string, int>> counts;
        for (const Node* member : members) {
            const auto same = std::ranges::find(counts, member->op_type, &std::pair<std::string, int>::first);
            if (same == counts.end())
                counts.emplace_back(member->op_type, 1);
            else
                ++same->second;
        }
        std::vector<std::string> texts;
        for (const auto& [name, count] : counts)
            texts.push_back(count == 1 ? name : fmt::format("{} {}", count, name));
        return fmt::format("{}", fmt::join(texts, ", "));
    }

    [[nodiscard]] LayerDifference judge(const Node& node, ValueId id, const Tensor& shown) {
        const ConstTensorView expected = interpreter_.value(id);
        const auto count = static_cast<std::size_t>(element_count(expected.shape));
        if (static_cast<std::size_t>(shown.count()) < count)
            throw InternalError("value '{}' is shown with {} of {} elements", graph().value(id).name, shown.count(),
                                count);
        // Tiles may hold more samples than there are; those of the chunk come first.
        Tensor actual(DType::f32, expected.shape);
        std::memcpy(actual.data(), shown.data(), actual.size_bytes());
        pass_over_overflow(expected.as<float>(), actual.as<float>());
        LayerDifference result{graph().value(id).name, operators_of(node), 0.0, 0.0, 0.0};
        result.difference = relative_difference(expected.as<float>(), actual.as<float>(), &result.largest);
        for (std::map<ValueId, Tensor>& carried : carried_) {
            const auto changed = carried.find(id);
            if (changed == carried.end()) continue;
            result.bound = std::max(result.bound, change(expected.as<float>(), changed->second.as<float>()));
            carried.erase(changed);
        }
        // The result itself is rounded once more when it is stored.
        result.bound = kSafety * result.bound + 2.0 * unit_roundoff(precision_);
        interpreter_.replace(id, std::move(actual));
        return result;
    }

    /// What moved operands do where both are finite, over the largest element.
    [[nodiscard]] static double change(std::span<const float> expected, std::span<const float> other) {
        double largest = 0.0;
        double result = 0.0;
        for (std::size_t k = 0; k < expected.size(); ++k) {
            if (!std::isfinite(expected[k]) || !std::isfinite(other[k])) continue;
            largest = std::max(largest, std::abs(static_cast<double>(expected[k])));
            result = std::max(result, std::abs(static_cast<double>(other[k]) - static_cast<double>(expected[k])));
        }
        return largest > 0.0 ? result / largest : 0.0;
    }

    void pass_over_overflow(std::span<const float> expected, std::span<float> actual) const {
        const float most = overflow_of(precision_);
        for (std::size_t k = 0; k < actual.size(); ++k) {
            if (!std::isfinite(actual[k]) && std::abs(expected[k]) >= most) actual[k] = expected[k];
        }
    }

    Precision precision_;
    std::vector<NamedTensor> shown_;
    std::map<std::string, std::size_t> by_name_;
    GraphInterpreter interpreter_;
    std::array<std::map<ValueId, Tensor>, kTrials> carried_;  ///< values with moved operands, where not shown
    std::map<ValueId, std::set<const Node*>> pending_;        ///< nodes behind a value that is not shown
    std::int64_t next_stream_ = 0;
};

}  // namespace

double unit_roundoff(Precision precision) {
    switch (precision) {
        case Precision::fp32: return std::exp2(-24);
        case Precision::tf32:
        case Precision::fp16: return std::exp2(-11);
        case Precision::bf16: return std::exp2(-8);
    }
    throw InternalError("precision {} has no unit", static_cast<int>(precision));
}

double relative_difference(std::span<const float> expected, std::span<const float> actual, double* largest) {
    double magnitude = 0.0;
    double difference = 0.0;
    for (std::size_t k = 0; k < expected.size(); ++k) {
        const auto e = static_cast<double>(expected[k]);
        const auto a = static_cast<double>(actual[k]);
        if (std::isfinite(e) && std::isfinite(a)) {
            magnitude = std::max(magnitude, std::abs(e));
            difference = std::max(difference, std::abs(a - e));
        } else if (!(e == a || (std::isnan(e) && std::isnan(a)))) {
            difference = kInfinity;
        }
    }
    if (largest != nullptr) *largest = magnitude;
    return difference == 0.0 ? 0.0 : magnitude > 0.0 ? difference / magnitude : kInfinity;
}

std::vector<LayerDifference> compare_layers(const ExecutableRequest& request, Executable& tested, const Point& point,
                                            const SampleChunk& chunk, std::int64_t samples) {
    std::vector<NamedTensor> shown = tested.trace(point, chunk);
    if (shown.empty()) return {};
    return LayerCheck(request, std::move(shown), point, chunk, samples).run();
}

}  // namespace lossmap
