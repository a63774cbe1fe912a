#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "cpu/program_builder.hpp"

namespace lossmap::cpu {

/// A node as a row-major kernel can run it on values that lie in another layout: shapes as the kernel shall see them,
/// and attributes or constant inputs that name axes changed to match.
struct HostForm {
    Node node;
    Layout layout = Layout::plain;      ///< of the results
    std::vector<Layout> input_layouts;  ///< one an input
    std::vector<Shape> inputs;          ///< one an input
    std::vector<Shape> outputs;
    std::vector<std::shared_ptr<const Tensor>> replaced;  ///< one an input; nullptr: the input itself
};

/// The node as it stands, everything row-major.
[[nodiscard]] HostForm plain_form(const ProgramBuilder& builder, const Node& node);

/// The form that needs no conversion of what a node reads; nullopt when only the row-major one is known.
[[nodiscard]] std::optional<HostForm> layout_free_form(const ProgramBuilder& builder, const Node& node);

}  // namespace lossmap::cpu
