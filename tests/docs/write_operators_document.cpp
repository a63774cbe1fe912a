// Writes docs/operators.md from the operator table:
//   write_operators_document [--update] FILE
// Without --update the file is compared. Exit status: 0 it is as it should be, 1 it is not.

#include <algorithm>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "cpu/cpu_backend.hpp"
#include "cuda/backend/cuda_backend.hpp"
#include "graph/operator_families.hpp"
#include "tests/docs/generated_document.hpp"

namespace {

using lossmap::OperatorInfo;

std::string range_text(int least, int most) {
    if (most < 0) return fmt::format("{} or more", least);
    return least == most ? std::to_string(least) : fmt::format("{} to {}", least, most);
}

/// Who computes it on the CPU; operators without a kernel are gone when the network runs.
std::string_view cpu_text(const OperatorInfo& info, const std::set<std::string_view>& native) {
    if (info.run == nullptr) return "resolved before";
    return info.domain.empty() && native.contains(info.name) ? "native" : "table's kernel";
}

/// Whether the GPU computes it.
std::string_view cuda_text(const OperatorInfo& info, const std::set<std::string_view>& known) {
    if (info.run == nullptr) return "resolved before";
    return info.domain.empty() && known.contains(info.name) ? "yes" : "no";
}

std::string document() {
    const std::set<std::string_view> native = lossmap::cpu_native_operators();
    const std::set<std::string_view> cuda = lossmap::cuda::cuda_operators();
    const auto table = lossmap::operator_table();
    std::string text = fmt::format(
        "# Operators\n\n"
        "Written from the operator table (engine/graph/ops) by the build target `docs`; a test fails when it is out of "
        "date.\n\n"
        "lossmap knows {} operators of ai.onnx. A model that has others, or that goes beyond a limit below, is refused "
        "before any\ndata are read, with all such nodes in one message; `lossmap inspect` lists them, too. Local "
        "functions are inlined. Other domains\n(ai.onnx.ml, com.microsoft ..) are refused by name.\n\n"
        "Numbers are computed in f32, whatever floating-point type a file stores (f16, bf16, f64); integers keep their "
        "type. Column\n\"CPU\": *native* has code of its own (oneDNN, vectorised loops), *table's kernel* is the plain "
        "implementation that every\noperator has and that constants are folded with, *resolved before* leaves other "
        "nodes, or none, when shapes are fixed.\nColumn \"CUDA\": what is not computed there is refused by name, "
        "unless "
        "it depends on nothing but constants and shapes.\n",
        std::ranges::count(table, std::string_view{}, &OperatorInfo::domain));
    for (const lossmap::OperatorFamily& family : lossmap::operator_families()) {
        text += fmt::format("\n## {}\n| operator | operator sets | inputs | outputs | limits | CPU | CUDA |\n",
                            family.name);
        text += "|---|---|---|---|---|---|---|\n";
        auto operators = family.operators();
        std::ranges::sort(operators, {}, &OperatorInfo::name);
        for (const OperatorInfo& info : operators) {
            const std::string sets = info.max_opset == lossmap::kNewestOpset
                                         ? fmt::format("{} and newer", info.min_opset)
                                         : fmt::format("{} to {}", info.min_opset, info.max_opset);
            text += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", info.name, sets,
                                range_text(info.min_inputs, info.max_inputs),
                                info.max_outputs < 0 ? "any number" : range_text(1, info.max_outputs), info.note,
                                cpu_text(info, native), cuda_text(info, cuda));
        }
    }
    text += fmt::format("\n\"Newer\" goes to operator set {}, the newest whose changes are known.\n",
                        lossmap::kNewestOpset);
    return text;
}

}  // namespace

int main(int argc, char** argv) {
    const bool update = argc == 3 && std::string_view(argv[1]) == "--update";
    if (argc != 2 && !update) {
        fmt::print("usage: write_operators_document [--update] FILE\n");
        return 1;
    }
    return lossmap::test::settle_document(argv[argc - 1], document(), update) ? 0 : 1;
}
