#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "core/error.hpp"
#include "cuda/backend/lower/arrays.hpp"
#include "cuda/backend/lower/lowerings.hpp"
#include "cuda/backend/lower/products.hpp"

namespace lossmap::cuda {
namespace {

constexpr float kHidden = -std::numeric_limits<float>::infinity();

/// Attention as scores = q k^T, bias, softmax, scores v.
class AttentionLowering {
public:
    AttentionLowering(ProgramBuilder& builder, const Node& node)
        : builder_(builder),
          node_(node),
          output_(node.outputs[0]),
          sequence_(builder, output_),
          type_(builder.per_point(output_) ? builder.activation_type() : DType::f32) {}

    void lower() {
        refuse();
        const Located q = heads(0, "q_num_heads");
        Located k = heads(1, "kv_num_heads");
        Located v = heads(2, "kv_num_heads");
        if (q.shape[1] != k.shape[1]) {
            k = shared(k, q.shape[1]);
            v = shared(v, q.shape[1]);
        }
        const Shape scores{q.shape[0], q.shape[1], q.shape[2], k.shape[2]};
        const Located raw = product(q, k, true, scores, DType::f32);
        const double scale = node_.attributes.get_float("scale", 1.0 / std::sqrt(static_cast<double>(q.shape[3])));
        const Located scaled = sequence_.temporary(DType::f32, scores);
        sequence_.binary(kernels::BinaryOp::mul, raw, scalar(builder_, static_cast<float>(scale)), scaled);
        const Located probabilities = softmax(biased(scaled));
        const Located mixed = product(probabilities, v, false, {q.shape[0], q.shape[1], q.shape[2], v.shape[3]},
                                      builder_.storage(output_));
        builder_.watch_in_place(mixed, sequence_.phase);
        define_output(mixed);
    }

private:
    void refuse() const {
        for (std::size_t k = 4; k < node_.inputs.size(); ++k) {
            if (node_.has_input(k)) throw UnsupportedError("past keys and key counts are not supported on the GPU");
        }
        for (std::size_t k = 1; k < node_.outputs.size(); ++k) {
            if (node_.has_output(k)) throw UnsupportedError("only its first output is supported on the GPU");
        }
        if (node_.attributes.get_float("softcap", 0.0) != 0.0 ||
            node_.attributes.get_int("left_window_size", -1) >= 0 ||
            node_.attributes.get_int("right_window_size", -1) >= 0) {
            throw UnsupportedError("softcap and windows are not supported on the GPU");
        }
    }

    /// [N, heads, length, size] of an input in either layout.
    [[nodiscard]] Located heads(std::size_t index, const char* attribute) {
        Located array = builder_.find(node_.inputs[index]);
        if (array.pristine) array = builder_.read(node_.inputs[index], {Demand::Form::dense, {}});
        if (array.shape.size() == 4) return array;
        const std::int64_t count = node_.attributes.get_int(attribute);
        const std::int64_t size = array.shape[2] / count;
        Located result = array;
        result.shape = {array.shape[0], count, array.shape[1], size};
        result.strides = {array.strides[0], size * array.strides[2], array.strides[1], array.strides[2]};
        return result;
    }

    /// Each key head for several query heads.
    [[nodiscard]] Located shared(const Located& array, std::int64_t count) {
        const std::int64_t times = count / array.shape[1];
        Located wide = array;
        wide.shape = {array.shape[0], array.shape[1], times, array.shape[2], array.shape[3]};
        wide.strides = {array.strides[0], array.strides[1], 0, array.strides[2], array.strides[3]};
        Located dense = builder_.convert(wide, {Demand::Form::dense, type_}, sequence_.phase);
        dense.shape = {array.shape[0], count, array.shape[2], array.shape[3]};
        dense.strides = row_major_strides(dense.shape);
        return dense;
    }

    [[nodiscard]] Located product(const Located& a, const Located& b, bool transpose_b, const Shape& shape,
                                  DType result_type) {
        Product product;
        product.a = builder_.convert(a, {Demand::Form::dense, type_}, sequence_.phase);
        product.b = builder_.convert(b, {Demand::Form::dense, type_}, sequence_.phase);
        product.result = sequence_.temporary(result_type, shape);
        product.transpose_b = transpose_b;
        product.batch = shape[0] * shape[1];
        product.rows = shape[2];
        product.columns = shape[3];
        product.inner = a.shape[3];
        static_cast<void>(add_product(builder_, product, sequence_.points, sequence_.phase));
        if (sequence_.phase == Phase::tile)
            builder_.count_macs(product.batch * product.rows * product.columns * product.inner);
        return product.result;
    }

    [[nodiscard]] Located biased(Located scores) {
        if (node_.attributes.get_int("is_causal", 0) != 0) {
            const std::int64_t queries = scores.shape[2];
            const std::int64_t keys = scores.shape[3];
            std::vector<float> hidden(static_cast<std::size_t>(queries * keys), 0.0F);
            for (std::int64_t q = 0; q < queries; ++q) {
                for (std::int64_t k = q + 1; k < keys; ++k)
                    hidden[static_cast<std::size_t>(q * keys + k)] = kHidden;
            }
            Located mask = builder_.constant_array(hidden);
            mask.shape = {queries, keys};
            mask.strides = row_major_strides(mask.shape);
            scores = added(scores, mask);
        }
        if (!node_.has_input(3)) return scores;
        const Located mask = builder_.read(node_.inputs[3], {Demand::Form::any, {}});
        if (mask.shape.back() != scores.shape[3])
            throw UnsupportedError("a mask that names some of the keys only is not supported on the GPU");
        masked_ = true;
        if (mask.type != DType::boolean) return added(scores, mask);
        Located result = sequence_.temporary(DType::f32, scores.shape);
        sequence_.select(mask, scores, scalar(builder_, kHidden), result);
        return result;
    }

    [[nodiscard]] Located added(const Located& scores, const Located& mask) {
        Located result = sequence_.temporary(DType::f32, scores.shape);
        sequence_.binary(kernels::BinaryOp::add, scores, mask, result);
        return result;
    }

    /// Rows without any key to see become zeros.
    [[nodiscard]] Located softmax(const Located& scores) {
        Located probabilities = sequence_.temporary(DType::f32, scores.shape);
        sequence_.softmax(scores, probabilities);
        if (!masked_) return probabilities;
        Shape rows = scores.shape;
        rows.back() = 1;
        const Located largest = sequence_.temporary(DType::f32, rows);
        sequence_.largest(scores, largest);
        const Located blind = sequence_.temporary(DType::boolean, rows);
        sequence_.binary(kernels::BinaryOp::equal, largest, scalar(builder_, kHidden), blind);
        Located result = sequence_.temporary(DType::f32, scores.shape);
        sequence_.select(blind, scalar(builder_, 0.0F), probabilities, result);
        return result;
    }

    void define_output(const Located& mixed) {
        Located view = mixed;
        const Shape& shape = builder_.shape(output_);
        if (shape.size() == 3) {
            // [N, heads, length, size] -> [N, length, heads * size] has to move.
            std::swap(view.shape[1], view.shape[2]);
            std::swap(view.strides[1], view.strides[2]);
            view = builder_.convert(view, {Demand::Form::dense, {}}, sequence_.phase);
            view.shape = shape;
            view.strides = row_major_strides(shape);
        }
        builder_.define(output_, view);
    }

    ProgramBuilder& builder_;
    const Node& node_;
    ValueId output_;
    Sequence sequence_;
    DType type_;
    bool masked_ = false;
};

}  // namespace

bool lower_attention(ProgramBuilder& builder, const Node& node) {
    if (!node.domain.empty() || node.op_type != "Attention") return false;
    AttentionLowering(builder, node).lower();
    return true;
}

}  // namespace lossmap::cuda
