#pragma once

#include <memory>
#include <set>
#include <string_view>

#include "backend/backend.hpp"

namespace lossmap {

/// The CPU through oneDNN and own loops: fp32, and bf16 on machines that multiply it in hardware.
[[nodiscard]] std::unique_ptr<Backend> make_cpu_backend();

/// Operators of ai.onnx with code of their own on the CPU (oneDNN, vectorised loops); all others run by the kernels of
/// the operator table, and so do these where their attributes ask for more.
[[nodiscard]] std::set<std::string_view> cpu_native_operators();

}  // namespace lossmap
