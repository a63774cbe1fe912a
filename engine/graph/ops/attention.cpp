#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::ops {
namespace {

/// Extents of an Attention node. Q is [N, heads, length, size] or [N, length, heads * size]; K and V likewise, with
/// kv_heads heads, each shared by heads / kv_heads query heads. Keys are past ones followed by the new ones.
struct AttentionShape {
    bool packed = false;  ///< three-dimensional inputs
    std::int64_t batch, heads, kv_heads, queries, fresh, past, size, value_size;
    [[nodiscard]] std::int64_t keys() const { return past + fresh; }
};

AttentionShape attention_shape(const Node& node, const Shape& q, const Shape& k, const Shape& v, const Shape* past) {
    require(q.size() == k.size() && k.size() == v.size() && (q.size() == 3 || q.size() == 4),
            "query, key and value have shapes {}, {} and {}", to_string(q), to_string(k), to_string(v));
    AttentionShape s;
    s.packed = q.size() == 3;
    s.batch = q[0];
    if (s.packed) {
        s.heads = node.attributes.get_int("q_num_heads");
        s.kv_heads = node.attributes.get_int("kv_num_heads");
        require(
            s.heads > 0 && s.kv_heads > 0 && q[2] % s.heads == 0 && k[2] % s.kv_heads == 0 && v[2] % s.kv_heads == 0,
            "features {}, {} and {} do not divide into {} and {} heads", q[2], k[2], v[2], s.heads, s.kv_heads);
        s.queries = q[1];
        s.fresh = k[1];
        s.size = q[2] / s.heads;
        s.value_size = v[2] / s.kv_heads;
        require(k[2] / s.kv_heads == s.size && v[1] == s.fresh, "key of shape {} and value of shape {} do not fit",
                to_string(k), to_string(v));
    } else {
        s.heads = q[1];
        s.kv_heads = k[1];
        s.queries = q[2];
        s.fresh = k[2];
        s.size = q[3];
        s.value_size = v[3];
        require(k[3] == s.size && v[2] == s.fresh && v[1] == s.kv_heads,
                "key of shape {} and value of shape {} do not fit", to_string(k), to_string(v));
    }
    require(k[0] == s.batch && v[0] == s.batch, "query, key and value differ in batch size");
    require(s.kv_heads > 0 && s.heads % s.kv_heads == 0, "{} heads do not share {} key heads evenly", s.heads,
            s.kv_heads);
    s.past = past == nullptr ? 0 : (past->size() == 4 ? (*past)[2] : -1);
    require(past == nullptr || (*past == Shape{s.batch, s.kv_heads, s.past, s.size}), "past keys have shape {}",
            past == nullptr ? "" : to_string(*past));
    return s;
}

Types infer_attention(const InferenceContext& context) {
    require_float(context);
    const Node& node = context.node;
    const AttentionShape s =
        attention_shape(node, context.input(0).shape, context.input(1).shape, context.input(2).shape,
                        node.has_input(4) ? &context.input(4).shape : nullptr);
    require(node.has_input(4) == node.has_input(5), "past key and past value go together");
    if (node.has_input(5)) {
        require(context.input(5).shape == Shape{s.batch, s.kv_heads, s.past, s.value_size}, "past values have shape {}",
                to_string(context.input(5).shape));
    }
    if (node.has_input(3)) {
        const Shape& mask = context.input(3).shape;
        require(!mask.empty() && mask.back() <= s.keys(), "mask has shape {} for {} keys", to_string(mask), s.keys());
        Shape padded = mask;
        padded.back() = s.keys();  // a shorter mask hides the keys it does not name
        const Shape scores{s.batch, s.heads, s.queries, s.keys()};
        require(mask.size() <= 4 && broadcast(padded, scores) == scores,
                "mask of shape {} does not fit scores of shape {}", to_string(mask), to_string(scores));
    }
    if (node.has_input(6))
        require(context.input(6).shape == Shape{s.batch}, "input 6 has shape {}, expected [{}]",
                to_string(context.input(6).shape), s.batch);
    const DType dtype = context.input(0).dtype;
    const Shape out =
        s.packed ? Shape{s.batch, s.queries, s.heads * s.value_size} : Shape{s.batch, s.heads, s.queries, s.value_size};
    return {{dtype, out},
            {dtype, {s.batch, s.kv_heads, s.keys(), s.size}},
            {dtype, {s.batch, s.kv_heads, s.keys(), s.value_size}},
            {dtype, {s.batch, s.heads, s.queries, s.keys()}}};
}

/// Rows [batch, head, position] of a query, key or value in either layout.
template <typename T>
const T* row_of(const ConstTensorView& view, bool packed, std::int64_t heads, std::int64_t length, std::int64_t size,
                std::int64_t n, std::int64_t h, std::int64_t t) {
    const std::int64_t row = packed ? (n * length + t) * heads + h : (n * heads + h) * length + t;
    return raw<T>(view) + row * size;
}

/// Keys or values as [N, kv_heads, past + fresh, size].
template <typename T>
std::vector<T> join_cache(const Node& node, Inputs inputs, std::size_t fresh, std::size_t past, const AttentionShape& s,
                          std::int64_t size) {
    std::vector<T> joined;
    joined.reserve(static_cast<std::size_t>(s.batch * s.kv_heads * s.keys() * size));
    for (std::int64_t n = 0; n < s.batch; ++n) {
        for (std::int64_t h = 0; h < s.kv_heads; ++h) {
            if (node.has_input(past)) {
                const T* begin = raw<T>(inputs[past]) + (n * s.kv_heads + h) * s.past * size;
                joined.insert(joined.end(), begin, begin + s.past * size);
            }
            for (std::int64_t t = 0; t < s.fresh; ++t) {
                const T* begin = row_of<T>(inputs[fresh], s.packed, s.kv_heads, s.fresh, size, n, h, t);
                joined.insert(joined.end(), begin, begin + size);
            }
        }
    }
    return joined;
}

constexpr double kHidden = -std::numeric_limits<double>::infinity();

/// What is added to the score of (query, key): 0 or -infinity from the causal rule, the windows and the number of valid
/// keys, and the mask (truth values or numbers).
class Bias {
public:
    Bias(const Node& node, Inputs inputs, const AttentionShape& s) : s_(s) {
        causal_ = node.attributes.get_int("is_causal", 0) != 0;
        left_ = node.attributes.get_int("left_window_size", -1);
        right_ = node.attributes.get_int("right_window_size", -1);
        if (node.has_input(6)) valid_ = read_ints(inputs[6]);
        if (!node.has_input(3)) return;
        mask_ = read_doubles(inputs[3]);
        truth_ = inputs[3].dtype == DType::boolean;
        width_ = inputs[3].shape.back();
        strides_ = broadcast_strides(inputs[3].shape, Shape{s.batch, s.heads, s.queries, width_});
        if (width_ == 1) strides_.back() = 0;
    }

    [[nodiscard]] double at(std::int64_t n, std::int64_t h, std::int64_t query, std::int64_t key) const {
        const std::int64_t valid = valid_.empty() ? s_.keys() : valid_[static_cast<std::size_t>(n)];
        const std::int64_t offset = valid_.empty() ? s_.past : valid - s_.queries;
        const std::int64_t distance = query + offset - key;
        if ((causal_ && distance < 0) || key >= valid) return kHidden;
        if ((left_ >= 0 && distance > left_) || (right_ >= 0 && -distance > right_)) return kHidden;
        if (mask_.empty()) return 0;
        const bool repeated = width_ == 1 && s_.keys() > 1;
        if (!repeated && key >= width_) return kHidden;
        const double entry = mask_[static_cast<std::size_t>(n * strides_[0] + h * strides_[1] + query * strides_[2] +
                                                            key * strides_[3])];
        return truth_ ? (entry != 0 ? 0.0 : kHidden) : entry;
    }

private:
    const AttentionShape& s_;
    bool causal_ = false, truth_ = false;
    std::int64_t left_ = -1, right_ = -1, width_ = 0;
    Ints valid_;
    std::vector<double> mask_;
    Shape strides_;
};

/// Softmax in place; a row without any visible key becomes zeros.
void softmax_row(std::vector<double>& scores, bool all_hidden) {
    if (all_hidden) {
        std::ranges::fill(scores, 0.0);
        return;
    }
    double largest = kHidden;
    for (const double x : scores)
        largest = x > largest || std::isnan(x) ? x : largest;
    double sum = 0;
    for (double& x : scores)
        sum += x = std::exp(x - largest);
    for (double& x : scores)
        x /= sum;
}

struct AttentionOptions {
    double scale, softcap;
    std::int64_t mode;  ///< qk_matmul_output: 0 and 1 the (capped) scores, 2 with bias, 3 the probabilities
};

/// Scores, probabilities and output of one query row. `exposed` receives qk_matmul_output.
template <typename T>
void attend(const AttentionShape& s, const AttentionOptions& options, const Bias& bias, std::int64_t n, std::int64_t h,
            std::int64_t query, const T* q, const T* keys, const T* values, T* out, T* exposed) {
    std::vector<double> scores(static_cast<std::size_t>(s.keys()));
    bool all_hidden = true;
    const auto expose = [&](std::int64_t mode) {
        if (exposed == nullptr || options.mode != mode) return;
        for (std::size_t j = 0; j < scores.size(); ++j)
            exposed[j] = static_cast<T>(scores[j]);
    };
    for (std::size_t j = 0; j < scores.size(); ++j) {
        double dot = 0;
        for (std::int64_t i = 0; i < s.size; ++i)
            dot += static_cast<double>(q[i]) * static_cast<double>(keys[static_cast<std::int64_t>(j) * s.size + i]);
        scores[j] = dot * options.scale;
        if (options.softcap > 0) scores[j] = std::tanh(scores[j] / options.softcap) * options.softcap;
    }
    expose(0);
    expose(1);
    for (std::size_t j = 0; j < scores.size(); ++j) {
        const double added = bias.at(n, h, query, static_cast<std::int64_t>(j));
        all_hidden = all_hidden && added == kHidden;
        scores[j] += added;
    }
    expose(2);
    softmax_row(scores, all_hidden);
    expose(3);
    for (std::int64_t i = 0; i < s.value_size; ++i) {
        double sum = 0;
        for (std::size_t j = 0; j < scores.size(); ++j)
            sum += scores[j] * static_cast<double>(values[static_cast<std::int64_t>(j) * s.value_size + i]);
        out[i] = static_cast<T>(sum);
    }
}

void run_attention(const Node& node, Inputs inputs, Outputs outputs) {
    const AttentionShape s = attention_shape(node, inputs[0].shape, inputs[1].shape, inputs[2].shape,
                                             node.has_input(4) ? &inputs[4].shape : nullptr);
    const AttentionOptions options{node.attributes.get_float("scale", 1.0 / std::sqrt(static_cast<double>(s.size))),
                                   node.attributes.get_float("softcap", 0.0),
                                   node.attributes.get_int("qk_matmul_output_mode", 0)};
    const Bias bias(node, inputs, s);
    visit_float(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const std::vector<T> keys = join_cache<T>(node, inputs, 1, 4, s, s.size);
        const std::vector<T> values = join_cache<T>(node, inputs, 2, 5, s, s.value_size);
        if (node.has_output(1)) std::ranges::copy(keys, raw<T>(outputs[1]));
        if (node.has_output(2)) std::ranges::copy(values, raw<T>(outputs[2]));
        for (std::int64_t n = 0; n < s.batch; ++n) {
            for (std::int64_t h = 0; h < s.heads; ++h) {
                const std::int64_t cached = (n * s.kv_heads + h / (s.heads / s.kv_heads)) * s.keys();
                for (std::int64_t t = 0; t < s.queries; ++t) {
                    const std::int64_t row =
                        s.packed ? (n * s.queries + t) * s.heads + h : (n * s.heads + h) * s.queries + t;
                    T* exposed = node.has_output(3)
                                     ? raw<T>(outputs[3]) + ((n * s.heads + h) * s.queries + t) * s.keys()
                                     : nullptr;
                    attend(s, options, bias, n, h, t,
                           row_of<T>(inputs[0], s.packed, s.heads, s.queries, s.size, n, h, t),
                           keys.data() + cached * s.size, values.data() + cached * s.value_size,
                           raw<T>(outputs[0]) + row * s.value_size, exposed);
                }
            }
        }
    });
}

/// Rotary embedding: X is [N, heads, length, size] or [N, length, heads * size]; caches [positions, rotated / 2] with
/// position_ids [N, length], or [N, length, rotated / 2] without.
struct RotaryShape {
    bool packed;
    std::int64_t batch, heads, length, size, rotated;
};

RotaryShape rotary_shape(const Node& node, const Shape& x) {
    require(x.size() == 3 || x.size() == 4, "input has shape {}, expected 3 or 4 dimensions", to_string(x));
    RotaryShape s{};
    s.packed = x.size() == 3;
    s.batch = x[0];
    s.heads = s.packed ? node.attributes.get_int("num_heads") : x[1];
    s.length = s.packed ? x[1] : x[2];
    require(s.heads > 0 && x.back() % (s.packed ? s.heads : 1) == 0, "{} features do not divide into {} heads",
            x.back(), s.heads);
    s.size = s.packed ? x[2] / s.heads : x[3];
    s.rotated = node.attributes.get_int("rotary_embedding_dim", 0);
    if (s.rotated == 0) s.rotated = s.size;
    require(s.rotated > 0 && s.rotated % 2 == 0 && s.rotated <= s.size, "{} of {} features are to be rotated",
            s.rotated, s.size);
    return s;
}

Types infer_rotary(const InferenceContext& context) {
    require_float(context);
    const RotaryShape s = rotary_shape(context.node, context.input(0).shape);
    for (const std::size_t index : {1u, 2u}) {
        const Shape& cache = context.input(index).shape;
        const bool fits = context.node.has_input(3) ? cache.size() == 2 && cache[1] == s.rotated / 2
                                                    : cache == Shape{s.batch, s.length, s.rotated / 2};
        require(fits, "cache of shape {} does not fit input of shape {}", to_string(cache),
                to_string(context.input(0).shape));
    }
    if (context.node.has_input(3)) {
        require(context.input(3).shape == Shape{s.batch, s.length}, "position_ids have shape {}",
                to_string(context.input(3).shape));
    }
    return same_as_first(context);
}

void run_rotary(const Node& node, Inputs inputs, Outputs outputs) {
    const RotaryShape s = rotary_shape(node, inputs[0].shape);
    const bool interleaved = node.attributes.get_int("interleaved", 0) != 0;
    const Ints positions = node.has_input(3) ? read_ints(inputs[3]) : Ints{};
    const std::int64_t half = s.rotated / 2;
    copy_bytes(inputs[0], outputs[0]);
    visit_float(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for (std::int64_t row = 0; row < s.batch * s.heads * s.length; ++row) {
            const std::int64_t n = row / (s.heads * s.length);
            const std::int64_t t = s.packed ? row / s.heads % s.length : row % s.length;
            std::int64_t position = n * s.length + t;
            if (!positions.empty()) {
                position = positions[static_cast<std::size_t>(position)];
                require(position >= 0 && position < inputs[1].shape[0], "position {} is outside a cache of {}",
                        position, inputs[1].shape[0]);
            }
            T* out = raw<T>(outputs[0]) + row * s.size;
            for (std::int64_t i = 0; i < half; ++i) {
                const T cosine = raw<T>(inputs[1])[position * half + i];
                const T sine = raw<T>(inputs[2])[position * half + i];
                T& first = out[interleaved ? 2 * i : i];
                T& second = out[interleaved ? 2 * i + 1 : i + half];
                const T real = cosine * first - sine * second;
                second = sine * first + cosine * second;
                first = real;
            }
        }
    });
}

}  // namespace

Family attention_operators() {
    return {
        {.name = "Attention",
         .domain = "",
         .min_opset = 23,
         .min_inputs = 3,
         .max_inputs = 7,
         .max_outputs = 4,
         .infer = infer_attention,
         .run = run_attention,
         .note = "softmax in f64 whatever softmax_precision says"},
        {.name = "RotaryEmbedding",
         .domain = "",
         .min_opset = 23,
         .min_inputs = 3,
         .max_inputs = 4,
         .infer = infer_rotary,
         .run = run_rotary},
    };
}

}  // namespace lossmap::ops
