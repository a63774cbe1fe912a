#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.hpp"
#include "graph/graph.hpp"

namespace lossmap {

/// Element type and concrete shape of one value.
struct TensorType {
    DType dtype = DType::f32;
    Shape shape;
};

/// What a shape rule sees: types of all inputs, values of those that are known before running (constants).
struct InferenceContext {
    const Node& node;
    std::vector<TensorType> inputs;        ///< one an input; meaningless where the input is omitted
    std::vector<const Tensor*> constants;  ///< one an input; nullptr where the value is not known

    /// Type of input `index`. Throws InputError when it is omitted.
    [[nodiscard]] const TensorType& input(std::size_t index) const;
    /// Integers of a constant input (i32 or i64, any shape). Throws UnsupportedError naming node and input when the
    /// value is not a constant.
    [[nodiscard]] std::vector<std::int64_t> constant_ints(std::size_t index) const;
};

/// Gives the type of every output; throws InputError / UnsupportedError with a sentence (the caller adds the node).
using ShapeRule = std::vector<TensorType> (*)(const InferenceContext&);

/// Computes a node on the host, plain row-major tensors, one thread. `outputs` have the types the shape rule gave;
/// omitted inputs and outputs have data == nullptr. Inputs and outputs do not alias. Must propagate NaN as PyTorch
/// does. Used for constant folding, for theta-only values and as the CPU backend's way where oneDNN has none.
using HostKernel = void (*)(const Node&, std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs);

/// Newest operator-set version of ai.onnx whose changes are known (after 23: element types, mostly).
inline constexpr std::int64_t kNewestOpset = 28;

/// One operator that lossmap knows: the single list that importer, shape inference and backends share.
struct OperatorInfo {
    std::string_view name;
    std::string_view domain;     ///< "" is ai.onnx
    std::int64_t min_opset = 1;  ///< of the operator-set versions understood
    std::int64_t max_opset = kNewestOpset;
    int min_inputs = 1;
    int max_inputs = 1;   ///< -1: any number
    int max_outputs = 1;  ///< -1: any number
    ShapeRule infer = nullptr;
    HostKernel run = nullptr;  ///< nullptr with a null `infer`: resolved by specialize(), never run
    /// Optional: "" when the attributes are supported, else a sentence that says what is not.
    std::string (*check)(const Node&) = nullptr;
    std::string_view note = {};  ///< limits, for docs/operators.md ("" when there are none)
};

/// All operators, sorted by domain and name.
[[nodiscard]] std::span<const OperatorInfo> operator_table();

/// nullptr when the operator is unknown.
[[nodiscard]] const OperatorInfo* find_operator(std::string_view domain, std::string_view name);

/// "" when lossmap can run the node, else a sentence that says why not (unknown operator, opset out of range, wrong
/// number of inputs, an attribute value that is not supported).
[[nodiscard]] std::string why_unsupported(const Node& node);

/// Throws UnsupportedError when a node (of a branch, too) is unsupported: one sentence that names all of them, each
/// with operator, opset and what is supported.
void require_supported(const Graph& graph);

}  // namespace lossmap
