#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "graph/graph.hpp"

namespace lossmap::test {

/// What became of one folder of the ONNX backend test suite.
struct NodeTestResult {
    enum class Outcome { passed, failed, unsupported };
    Outcome outcome = Outcome::failed;
    std::string message;      ///< why it failed or is unsupported
    std::string op_type;      ///< of the test's only node; "" when it has several
    bool in_scope = true;     ///< can be imported and every operator stands in the operator table
    bool plain_types = true;  ///< inputs and outputs are float, int64, int32 or bool tensors
};

/// Imports model.onnx of a test folder, specialises it for the shapes of test_data_set_*/input_*.pb, runs all nodes
/// with the host kernels and compares with output_*.pb (|a - b| <= atol + rtol |b|, NaN equals NaN; other types
/// exactly). Inputs that a shape depends on are made constants.
[[nodiscard]] NodeTestResult run_node_test(const std::filesystem::path& folder, double rtol, double atol);

}  // namespace lossmap::test
