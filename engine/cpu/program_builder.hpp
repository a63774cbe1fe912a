#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backend/training_norms.hpp"
#include "cpu/materializer.hpp"
#include "cpu/operation.hpp"
#include "graph/graph.hpp"
#include "plan/fusion.hpp"
#include "plan/memory_plan.hpp"

namespace lossmap::cpu {

/// Turns steps into operations and keeps account of which value lies where, in which layout, and how long. Used by the
/// lowerings (lowerings.hpp): they ask for operands, results and scratch memory and then add the operation.
class ProgramBuilder {
public:
    struct Options {
        PassSet passes;
        std::span<const TrainingNorm> training_norms{};  ///< batch norms that normalise with their batch's statistics
        bool keep_results = false;                       ///< what each step computes stays to the end
        Precision precision = Precision::fp32;           ///< of convolutions and dense layers: fp32 or bf16
    };
    ProgramBuilder(const Graph& graph, const Lowering& lowering, Materializer& materializer, const Options& options);

    [[nodiscard]] const Options& options() const { return options_; }

    [[nodiscard]] const Graph& graph() const { return graph_; }
    [[nodiscard]] Materializer& materializer() { return materializer_; }
    [[nodiscard]] const Node& node(std::int32_t index) const { return graph_.nodes[static_cast<std::size_t>(index)]; }
    [[nodiscard]] const Value& value(ValueId id) const { return graph_.value(id); }
    [[nodiscard]] const Shape& shape(ValueId id) const;
    [[nodiscard]] bool depends_on_samples(ValueId id) const;

    /// The step whose operations are being added: values that no later step reads may be overwritten.
    void begin_step(std::size_t index) { step_ = index; }

    /// Layout in which a value lies already; `fallback` for values that lie in none or in several.
    [[nodiscard]] Layout layout_of(ValueId id, Layout fallback) const;
    /// Whether a value lies in bf16 only.
    [[nodiscard]] bool lies_in_bf16(ValueId id) const;
    /// Whether a layer's result is best written in bf16: another layer reads it so (bf16_values.hpp).
    [[nodiscard]] bool belongs_in_bf16(ValueId id) const { return bf16_values_[static_cast<std::size_t>(id)]; }
    /// Operand in a form, converted first when need be; Region::none for kNoValue.
    [[nodiscard]] Place read(ValueId id, Form form);
    /// New memory for a result.
    [[nodiscard]] Place write(ValueId id, Form form);
    /// The operand's own memory for a result of the same size, where it lies in the arena in this form and nothing
    /// later reads it; `keep_apart` is the memory of another operand that must stay intact. Region::none when it cannot
    /// be had.
    [[nodiscard]] Place overwrite(ValueId operand, ValueId result, Form form, const Place& keep_apart);
    /// Memory for the operation to be added alone.
    [[nodiscard]] Place scratch(std::size_t bytes);
    /// `result` is the row-major bytes of `operand` under another shape.
    void alias(ValueId operand, ValueId result);
    void add(std::unique_ptr<Operation> operation, std::string name);

    /// Brings what each step computed into row-major layout: f32 values, in order, and where they lie. For
    /// Options::keep_results, when all steps have been added.
    [[nodiscard]] std::vector<std::pair<ValueId, Place>> kept_results();
    /// Brings the output into row-major layout and plans the arena. Afterwards nothing may be added.
    /// @return the plan and where the output lies.
    [[nodiscard]] std::pair<MemoryPlan, Place> finish(ValueId output);
    [[nodiscard]] std::vector<std::unique_ptr<Operation>> take_operations() { return std::move(operations_); }
    [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

    void count_macs(std::int64_t macs) { macs_ += macs; }
    [[nodiscard]] std::int64_t macs() const { return macs_; }

private:
    struct Block {
        Lifetime life{-1, -1, 0};
        std::int64_t needed_until = 0;  ///< last step that reads what it holds
    };
    struct Copy {
        Form form = Layout::plain;
        std::size_t block = 0;
    };

    [[nodiscard]] Form canonical(ValueId id, Form form) const;
    [[nodiscard]] const Copy* find_copy(ValueId id, Form form) const;
    /// Form of a copy from which another one is made.
    [[nodiscard]] Form form_to_convert(ValueId id, Form wanted) const;
    [[nodiscard]] std::size_t new_block(std::size_t bytes, std::int64_t needed_until);
    [[nodiscard]] std::int64_t last_use(ValueId id) const { return last_use_[static_cast<std::size_t>(id)]; }
    [[nodiscard]] Place touch(std::size_t block);
    [[nodiscard]] std::size_t convert(ValueId id, Form form);

    const Graph& graph_;
    const Lowering& lowering_;
    Materializer& materializer_;
    Options options_;
    std::size_t step_ = 0;
    std::vector<std::int64_t> last_use_;     ///< step that reads a value last; -1 none
    std::vector<std::vector<Copy>> copies_;  ///< by value
    std::vector<bool> bf16_values_;          ///< by value; belongs_in_bf16
    std::vector<Block> blocks_;
    std::vector<std::size_t> touched_;  ///< blocks of the operation being put together
    std::vector<std::size_t> kept_;     ///< blocks that are read behind the last operation
    std::vector<std::unique_ptr<Operation>> operations_;
    std::vector<std::string> names_;
    std::int64_t macs_ = 0;
};

}  // namespace lossmap::cpu
