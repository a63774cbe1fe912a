#pragma once

#include <string>
#include <vector>

#include "cpu/program.hpp"

namespace lossmap::cpu {

/// JSON object of what a result's bits depend on beside the inputs: tile, fusion, instruction set, library, and what
/// computes each operation. Not the number of threads: results do not depend on it.
/// @param training  programs that estimate statistics.
[[nodiscard]] std::string plan_record(const Program& program, const std::vector<const Program*>& training,
                                      const PassSet& passes);

/// Instruction set that oneDNN uses here, "avx512_core".
[[nodiscard]] std::string instruction_set();
/// Whether the machine multiplies bf16 in hardware and oneDNN uses it: AVX-512 with bf16, or AMX. Without, oneDNN would
/// emulate it, slower than fp32.
[[nodiscard]] bool bf16_available();
/// Whether it does so in AMX's tiles.
[[nodiscard]] bool amx_available();
/// "3.2.0"
[[nodiscard]] std::string dnnl_version();

}  // namespace lossmap::cpu
