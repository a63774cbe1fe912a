#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/dtype.hpp"
#include "core/shape.hpp"
#include "core/tensor.hpp"

namespace lossmap {

struct Graph;

/// Index into Graph::values. Ids stay valid through specialisation: values are added, never renumbered.
using ValueId = std::int32_t;
/// An omitted optional input or output.
inline constexpr ValueId kNoValue = -1;

/// One extent as the file declares it: a number, a name ("batch") or unknown.
struct Dimension {
    std::int64_t extent = -1;  ///< -1: not a number
    std::string symbol;        ///< "" when there is none
};

using Attribute = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>,
                               std::vector<std::string>, std::shared_ptr<const Tensor>, std::shared_ptr<const Graph>>;

/// Attributes of a node by name. The getters throw InputError when the attribute has another type, or is absent and has
/// no default.
class Attributes {
public:
    void set(std::string name, Attribute value) { values_[std::move(name)] = std::move(value); }
    [[nodiscard]] bool has(const std::string& name) const { return values_.contains(name); }
    [[nodiscard]] const std::map<std::string, Attribute>& all() const { return values_; }

    [[nodiscard]] std::int64_t get_int(const std::string& name) const;
    [[nodiscard]] std::int64_t get_int(const std::string& name, std::int64_t fallback) const;
    [[nodiscard]] double get_float(const std::string& name, double fallback) const;
    [[nodiscard]] std::string get_string(const std::string& name, const std::string& fallback) const;
    [[nodiscard]] std::vector<std::int64_t> get_ints(const std::string& name,
                                                     const std::vector<std::int64_t>& fallback) const;
    [[nodiscard]] std::vector<double> get_floats(const std::string& name, const std::vector<double>& fallback) const;
    [[nodiscard]] std::vector<std::string> get_strings(const std::string& name) const;
    /// nullptr when absent.
    [[nodiscard]] std::shared_ptr<const Tensor> get_tensor(const std::string& name) const;
    [[nodiscard]] std::shared_ptr<const Graph> get_graph(const std::string& name) const;

private:
    std::map<std::string, Attribute> values_;
};

/// How a value comes to be.
enum class ValueKind : std::uint8_t {
    input,      ///< fed by the data set
    constant,   ///< an initializer or folded value; `data` holds it
    parameter,  ///< an element of the parameter space (a weight or a running statistic); `data` holds its pristine
                ///< value
    computed,   ///< output of a node
};

struct Value {
    std::string name;
    ValueKind kind = ValueKind::computed;
    DType dtype = DType::f32;
    std::vector<Dimension> declared;  ///< as the file says; empty when it says nothing (see `has_declared`)
    bool has_declared = false;
    std::optional<Shape> shape;          ///< concrete; set for constants and parameters, for all others by `specialize`
    std::shared_ptr<const Tensor> data;  ///< constants and parameters
    bool is_initializer = false;         ///< stored in the file as an initializer (as against a Constant node's output)
    std::map<std::string, std::string> metadata;  ///< of its value_info (exporters name source parameters here)
};

struct Node {
    std::string name;  ///< of the file, or "<op_type>_<index>" where the file gives none
    std::string op_type;
    std::string domain;  ///< "" is ai.onnx
    std::int64_t opset = 0;
    std::vector<ValueId> inputs;  ///< kNoValue where an optional input is omitted
    std::vector<ValueId> outputs;
    Attributes attributes;

    [[nodiscard]] bool has_input(std::size_t index) const { return index < inputs.size() && inputs[index] != kNoValue; }
    [[nodiscard]] bool has_output(std::size_t index) const {
        return index < outputs.size() && outputs[index] != kNoValue;
    }
    /// "Conv 'layer1.0.conv1' (opset 13)" for messages.
    [[nodiscard]] std::string describe() const;
};

/// A network: values and nodes in topological order. Plain data; the functions in this folder keep it valid.
struct Graph {
    std::string name;
    std::vector<Value> values;
    std::vector<Node> nodes;
    std::vector<ValueId> inputs;  ///< fed ones only (initializers that are also listed as inputs are left out)
    std::vector<ValueId> outputs;
    std::vector<ValueId> initializers;  ///< in file order
    std::map<std::string, std::string> metadata;
    std::string producer;
    std::int64_t opset = 0;  ///< of ai.onnx
    std::int64_t ir_version = 0;

    [[nodiscard]] Value& value(ValueId id) { return values.at(static_cast<std::size_t>(id)); }
    [[nodiscard]] const Value& value(ValueId id) const { return values.at(static_cast<std::size_t>(id)); }
    ValueId add_value(Value value);
    /// kNoValue when there is none of that name.
    [[nodiscard]] ValueId find(const std::string& name) const;
    /// For each value the index of the node that computes it, -1 for others.
    [[nodiscard]] std::vector<std::int32_t> producers() const;
    /// For each value the indices of the nodes that read it, in order, without repeats.
    [[nodiscard]] std::vector<std::vector<std::int32_t>> consumers() const;
};

/// Checks that ids are in range, each value has one producer, nodes are in topological order, and sorts them when they
/// are not. Throws InputError (cycle, an input that nothing provides).
void validate_and_sort(Graph& graph);

/// Drops nodes whose outputs neither a graph output nor a remaining node reads.
void remove_dead_nodes(Graph& graph);

}  // namespace lossmap
