#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/operator_table.hpp"
#include "graph/specialize.hpp"

namespace lossmap {

/// The work of specialize(): walks the nodes in order and emits, folds, forwards or rewrites each. Internal to this
/// folder.
class Specializer {
public:
    Specializer(const Graph& source, const SpecializeOptions& options);

    /// Fixes the shapes of the fed inputs.
    void set_input_shapes(const std::map<std::string, Shape>& input_shapes);
    /// Takes the next node; its inputs are ids of graph(), possibly forwarded ones.
    void process(Node node);
    /// Rewires the graph's outputs, drops dead nodes where that is wanted, hands the graph over.
    [[nodiscard]] Graph finish();

    [[nodiscard]] Graph& graph() { return graph_; }
    /// What a value stands for after forwarding.
    [[nodiscard]] ValueId resolve(ValueId id) const;
    /// From now on readers of `from` read `to`.
    void forward(ValueId from, ValueId to);
    /// A new value computed by a node still to be processed.
    [[nodiscard]] ValueId add_computed(const std::string& name);
    /// A new constant.
    [[nodiscard]] ValueId add_constant(const std::string& name, Tensor tensor);
    /// Turns a computed value into a constant.
    void set_constant(ValueId id, Tensor tensor);
    /// Value of a constant, or of what is computed from constants alone; nullptr for everything else.
    [[nodiscard]] const Tensor* constant(ValueId id) const;

private:
    bool rewrite(const Node& node);
    void process_dropout(const Node& node);
    void process_split_to_sequence(const Node& node);
    void process_sequence(const Node& node);
    void process_sequence_at(const Node& node);
    void process_concat_from_sequence(const Node& node);
    void process_if(const Node& node);
    void process_loop(const Node& node);
    void stack_scans(const Node& loop, ValueId output, std::vector<ValueId> tensors);
    [[nodiscard]] std::int64_t trip_count(const Node& node) const;
    [[nodiscard]] bool truth_value(ValueId id) const;
    void publish(ValueId output, ValueId source);
    [[nodiscard]] std::vector<ValueId> inline_branch(const Graph& branch, const std::string& owner,
                                                     const std::vector<ValueId>& arguments);
    [[nodiscard]] ValueId find_captured(const std::string& name) const;
    [[nodiscard]] const std::vector<ValueId>& sequence(const Node& node, std::size_t index) const;
    [[nodiscard]] std::vector<TensorType> infer(const Node& node, const OperatorInfo& info) const;
    [[nodiscard]] bool can_fold(const Node& node) const;
    [[nodiscard]] std::vector<Tensor> compute(const Node& node, const OperatorInfo& info,
                                              const std::vector<TensorType>& types) const;
    [[nodiscard]] bool stays_in_graph(const Node& node, const std::vector<TensorType>& types) const;
    void emit(Node node);

    Graph graph_;
    SpecializeOptions options_;
    std::map<ValueId, Tensor> known_;                     ///< values of nodes that were not folded
    std::vector<Node> nodes_;                             ///< emitted so far
    std::vector<ValueId> forwarded_;                      ///< per value; kNoValue: stands for itself
    std::map<ValueId, std::vector<ValueId>> sequences_;   ///< tensors of each sequence value
    std::vector<std::map<std::string, ValueId>> scopes_;  ///< names inside the branches being inlined, innermost last
    int inlined_ = 0;                                     ///< branches inlined so far, to make names unique
};

}  // namespace lossmap
