#include <algorithm>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "cuda/backend/lower/lowerings.hpp"
#include "cuda/backend/lower/products.hpp"
#include "graph/ops/einsum_equation.hpp"

namespace lossmap::cuda {
namespace {

bool has(const std::string& letters, char letter) { return letters.find(letter) != std::string::npos; }

void require_distinct(const std::string& letters) {
    for (const char letter : letters) {
        if (std::count(letters.begin(), letters.end(), letter) > 1)
            throw UnsupportedError("a diagonal ('{}' twice) is not supported on the GPU", letter);
    }
}

/// The operand with its dimensions in the order of `letters`; those that it lacks are repeated.
Located arranged(const Located& array, const ops::Einsum& e, const std::string& own, const std::string& letters) {
    Located result = array;
    result.shape.clear();
    result.strides.clear();
    for (const char letter : letters) {
        const std::size_t at = own.find(letter);
        const std::int64_t extent = e.extents.at(letter);
        result.shape.push_back(extent);
        const bool repeats = at == std::string::npos || array.shape[at] != extent;
        result.strides.push_back(repeats ? 0 : array.strides[at]);
    }
    return result;
}

std::int64_t extent_of(const ops::Einsum& e, const std::string& letters) {
    std::int64_t product = 1;
    for (const char letter : letters)
        product *= e.extents.at(letter);
    return product;
}

/// Letters by their part in a matrix product.
struct Parts {
    std::string batch, rows, columns, inner;

    explicit Parts(const ops::Einsum& e) {
        const std::string& a = e.operands[0];
        const std::string& b = e.operands[1];
        for (const auto& [letter, extent] : e.extents) {
            const bool in_a = has(a, letter);
            const bool in_b = has(b, letter);
            if (has(e.output, letter)) {
                (in_a && in_b ? batch : in_a ? rows : columns) += letter;
            } else if (in_a && in_b) {
                inner += letter;
            } else {
                throw UnsupportedError("a sum over '{}' of one operand alone is not supported on the GPU", letter);
            }
        }
    }
};

void define_result(ProgramBuilder& builder, const ops::Einsum& e, const std::string& letters, const Located& product,
                   ValueId output) {
    Shape extents;
    for (const char letter : letters)
        extents.push_back(e.extents.at(letter));
    Located view = product;
    view.shape = extents;
    view.strides = row_major_strides(extents);
    builder.define(output, arranged(view, e, letters, e.output));
}

}  // namespace

bool lower_einsum(ProgramBuilder& builder, const Node& node) {
    if (!node.domain.empty() || node.op_type != "Einsum") return false;
    if (node.inputs.size() != 2)
        throw UnsupportedError("{} operands are not supported on the GPU, two are", node.inputs.size());
    const ValueId output = node.outputs[0];
    if (builder.value(output).dtype != DType::f32)
        throw UnsupportedError("elements of {} are not supported on the GPU", name_of(builder.value(output).dtype));
    const ops::Einsum e = ops::parse_einsum(node, {builder.shape(node.inputs[0]), builder.shape(node.inputs[1])});
    for (const std::string& letters : e.operands)
        require_distinct(letters);
    const Parts parts(e);
    const Phase phase = builder.phase_of(output);
    const DType type = builder.per_point(output) && phase == Phase::tile ? builder.activation_type() : DType::f32;
    const auto operand = [&](std::size_t k, const std::string& letters) {
        Located array = builder.find(node.inputs[k]);
        if (array.pristine) array = builder.read(node.inputs[k], {Demand::Form::dense, type});
        return builder.convert(arranged(array, e, e.operands[k], letters), {Demand::Form::dense, type},
                               builder.phase_of(node.inputs[k]));
    };
    Product product;
    product.a = operand(0, parts.batch + parts.rows + parts.inner);
    product.b = operand(1, parts.batch + parts.inner + parts.columns);
    product.batch = extent_of(e, parts.batch);
    product.rows = extent_of(e, parts.rows);
    product.columns = extent_of(e, parts.columns);
    product.inner = extent_of(e, parts.inner);
    product.result = builder.temporary(phase, builder.storage(output), {product.batch, product.rows, product.columns},
                                       builder.per_point(output));
    static_cast<void>(add_product(builder, product, builder.points_of(output), phase));
    builder.watch_in_place(product.result, phase);
    define_result(builder, e, parts.batch + parts.rows + parts.columns, product.result, output);
    if (phase == Phase::tile) builder.count_macs(product.batch * product.rows * product.columns * product.inner);
    return true;
}

}  // namespace lossmap::cuda
