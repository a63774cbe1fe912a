#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <onnx/onnx_pb.h>

#include "onnx_import/model_file.hpp"

namespace lossmap::onnx_import {

/// A node and the operator sets that its operator type is to be looked up in.
struct ScopedNode {
    onnx::NodeProto proto;
    std::shared_ptr<const Opsets> opsets;
};

/// Replaces calls of model-local functions by their bodies (ONNX IR, "Functions"): formal names become the caller's,
/// inner names get the call's name in front, `ref_attr_name` becomes the caller's attribute or the function's default.
class FunctionInliner {
public:
    /// `model` must outlive the inliner. Throws InputError on a function defined twice.
    explicit FunctionInliner(const onnx::ModelProto& model);

    /// The nodes with all calls expanded, in order. Throws InputError on recursion, on too many actual arguments and on
    /// an expansion beyond 200,000 nodes or 2 GiB.
    [[nodiscard]] std::vector<ScopedNode> expand(const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes,
                                                 const std::shared_ptr<const Opsets>& opsets);

private:
    using Key = std::string;  ///< domain, name and overload, separated by newlines

    void append(onnx::NodeProto node, const std::shared_ptr<const Opsets>& opsets, std::vector<ScopedNode>& result);
    void append_body(const onnx::NodeProto& call, const onnx::FunctionProto& function,
                     const std::shared_ptr<const Opsets>& opsets, std::vector<ScopedNode>& result);
    void count(const onnx::NodeProto& node);

    std::map<Key, const onnx::FunctionProto*> functions_;
    std::vector<const onnx::FunctionProto*> active_;  ///< calls being expanded, outermost first
    std::int64_t calls_ = 0;
    std::int64_t nodes_ = 0;
    std::int64_t bytes_ = 0;
};

}  // namespace lossmap::onnx_import
