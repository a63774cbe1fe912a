#include <algorithm>
#include <map>
#include <type_traits>

#include "graph/ops/einsum.hpp"
#include "graph/ops/einsum_equation.hpp"
#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::ops {
namespace {

std::string without_blanks(std::string text) {
    std::erase(text, ' ');
    return text;
}

/// Replaces "..." by as many digits as the operand has dimensions left.
std::string expand_ellipsis(const std::string& term, std::size_t rank) {
    const std::size_t dots = term.find("...");
    if (dots == std::string::npos) {
        require(term.size() == rank, "term '{}' does not fit an operand of {} dimensions", term, rank);
        return term;
    }
    require(term.size() - 3 <= rank && rank - (term.size() - 3) <= 10,
            "term '{}' does not fit an operand of {} dimensions", term, rank);
    std::string digits;
    for (std::size_t k = rank - (term.size() - 3); k-- > 0;)
        digits += static_cast<char>('0' + k);
    return term.substr(0, dots) + digits + term.substr(dots + 3);
}

/// Without "->" the output is the ellipsis and all letters that occur once, in alphabetical order.
std::string implicit_output(const std::vector<std::string>& operands) {
    std::map<char, int> counts;
    for (const std::string& letters : operands) {
        for (const char letter : letters)
            ++counts[letter];
    }
    std::string digits, letters;
    for (const auto& [letter, count] : counts) {
        if (letter <= '9')
            digits.insert(digits.begin(), letter);
        else if (count == 1)
            letters += letter;
    }
    return digits + letters;
}

}  // namespace

Einsum parse_einsum(const Node& node, const std::vector<Shape>& shapes) {
    const std::string equation = without_blanks(node.attributes.get_string("equation", ""));
    const std::size_t arrow = equation.find("->");
    const std::string left = equation.substr(0, arrow);
    Einsum e;
    for (std::size_t begin = 0; begin <= left.size();) {
        const std::size_t comma = std::min(left.find(',', begin), left.size());
        require(e.operands.size() < shapes.size(), "equation '{}' has more terms than there are operands", equation);
        e.operands.push_back(expand_ellipsis(left.substr(begin, comma - begin), shapes[e.operands.size()].size()));
        begin = comma + 1;
    }
    require(e.operands.size() == shapes.size(), "equation '{}' has {} terms for {} operands", equation,
            e.operands.size(), shapes.size());
    for (std::size_t k = 0; k < shapes.size(); ++k) {
        for (std::size_t axis = 0; axis < shapes[k].size(); ++axis) {
            auto& extent = e.extents.try_emplace(e.operands[k][axis], 1).first->second;
            const std::int64_t own = shapes[k][axis];
            require(own == extent || own == 1 || extent == 1, "equation '{}': '{}' is {} and {}", equation,
                    e.operands[k][axis], extent, own);
            if (own != 1) extent = own;
        }
    }
    if (arrow == std::string::npos) {
        e.output = implicit_output(e.operands);
    } else {
        std::size_t digits = 0;
        for (const auto& [letter, extent] : e.extents)
            digits += letter <= '9' ? 1 : 0;
        const std::string right = equation.substr(arrow + 2);
        const bool ellipsis = right.find("...") != std::string::npos;
        e.output = ellipsis ? expand_ellipsis(right, right.size() - 3 + digits) : right;
    }
    for (const char letter : e.output) {
        require(e.extents.contains(letter), "equation '{}': '{}' stands in no operand", equation, letter);
        require(std::ranges::count(e.output, letter) == 1, "equation '{}': '{}' is repeated in the result", equation,
                letter);
    }
    for (const auto& [letter, extent] : e.extents) {
        if (e.output.find(letter) == std::string::npos) e.summed += letter;
    }
    return e;
}

namespace {

Shape extents_of(const Einsum& e, const std::string& letters) {
    Shape shape;
    for (const char letter : letters)
        shape.push_back(e.extents.at(letter));
    return shape;
}

/// Strides of operand `k` along the given letters: 0 where it lacks the letter, summed where it repeats it (a
/// diagonal).
Shape strides_along(const Einsum& e, std::size_t k, const Shape& shape, const std::string& letters) {
    const Shape own = row_major_strides(shape);
    Shape strides(letters.size(), 0);
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        const std::size_t at = letters.find(e.operands[k][axis]);
        if (at != std::string::npos && shape[axis] != 1) strides[at] += own[axis];
    }
    return strides;
}

Types infer_einsum(const InferenceContext& context) {
    require_same_dtype(context, context.inputs.size());
    std::vector<Shape> shapes;
    for (std::size_t k = 0; k < context.inputs.size(); ++k)
        shapes.push_back(context.input(k).shape);
    const Einsum e = parse_einsum(context.node, shapes);
    return {{context.input(0).dtype, extents_of(e, e.output)}};
}

template <std::size_t N>
void run_wide_einsum(const Node& node, Inputs inputs, Outputs outputs) {
    std::vector<Shape> shapes;
    for (const ConstTensorView& input : inputs)
        shapes.push_back(input.shape);
    const Einsum e = parse_einsum(node, shapes);
    std::vector<Shape> kept, summed;
    for (std::size_t k = 0; k < N; ++k) {
        kept.push_back(strides_along(e, k, shapes[k], e.output));
        summed.push_back(strides_along(e, k, shapes[k], e.summed));
    }
    const StridedLoop outer(extents_of(e, e.output), kept);
    const StridedLoop inner(extents_of(e, e.summed), summed);
    visit_wide(outputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        using Sum = std::conditional_t<std::is_same_v<T, float>, double, T>;
        std::array<const T*, N> data{};
        for (std::size_t k = 0; k < N; ++k)
            data[k] = raw<T>(inputs[k]);
        for_each_row<N>(outer, [&](std::int64_t at, const auto& begin, const auto& step, std::int64_t count) {
            for (std::int64_t i = 0; i < count; ++i) {
                Sum sum{0};
                for_each_row<N>(inner, [&](std::int64_t, const auto& offset, const auto& move, std::int64_t length) {
                    for (std::int64_t j = 0; j < length; ++j) {
                        Sum product{1};
                        for (std::size_t k = 0; k < N; ++k)
                            product *= static_cast<Sum>(data[k][begin[k] + i * step[k] + offset[k] + j * move[k]]);
                        sum += product;
                    }
                });
                raw<T>(outputs[0])[at + i] = static_cast<T>(sum);
            }
        });
    });
}

void run_einsum(const Node& node, Inputs inputs, Outputs outputs) {
    switch (inputs.size()) {
        case 1: return run_widened(node, inputs, outputs, run_wide_einsum<1>);
        case 2: return run_widened(node, inputs, outputs, run_wide_einsum<2>);
        default: return run_widened(node, inputs, outputs, run_wide_einsum<3>);
    }
}

}  // namespace

std::int64_t einsum_multiply_adds(const Node& node, const std::vector<Shape>& operands) {
    const Einsum e = parse_einsum(node, operands);
    std::int64_t combinations = 1;
    for (const auto& [letter, extent] : e.extents)
        combinations *= extent;
    return combinations * (static_cast<std::int64_t>(operands.size()) - 1);
}

Family einsum_operators() {
    return {{.name = "Einsum",
             .domain = "",
             .min_opset = 12,
             .max_inputs = 3,
             .infer = infer_einsum,
             .run = run_einsum,
             .note = "up to 3 operands"}};
}

}  // namespace lossmap::ops
