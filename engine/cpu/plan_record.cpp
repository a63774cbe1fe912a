#include "cpu/plan_record.hpp"

#include <fmt/format.h>
#include <dnnl.hpp>
#include <nlohmann/json.hpp>

namespace lossmap::cpu {

std::string instruction_set() {
    switch (dnnl::get_effective_cpu_isa()) {
        case dnnl::cpu_isa::sse41: return "sse41";
        case dnnl::cpu_isa::avx: return "avx";
        case dnnl::cpu_isa::avx2: return "avx2";
        case dnnl::cpu_isa::avx2_vnni: return "avx2_vnni";
        case dnnl::cpu_isa::avx512_core: return "avx512_core";
        case dnnl::cpu_isa::avx512_core_vnni: return "avx512_core_vnni";
        case dnnl::cpu_isa::avx512_core_bf16: return "avx512_core_bf16";
        case dnnl::cpu_isa::avx512_core_fp16: return "avx512_core_fp16";
        case dnnl::cpu_isa::avx512_core_amx: return "avx512_core_amx";
        default: return fmt::format("isa {:#x}", static_cast<unsigned>(dnnl::get_effective_cpu_isa()));
    }
}

namespace {

/// A set contains another one where its bits do.
bool has(dnnl::cpu_isa set) {
    const auto needed = static_cast<unsigned>(set);
    return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & needed) == needed;
}

}  // namespace

bool bf16_available() { return has(dnnl::cpu_isa::avx512_core_bf16); }

bool amx_available() { return has(dnnl::cpu_isa::avx512_core_amx); }

std::string dnnl_version() {
    const dnnl::version_t* version = dnnl::version();
    return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

namespace {

nlohmann::ordered_json operations_of(const Program& program) {
    auto operations = nlohmann::ordered_json::array();
    for (std::size_t k = 0; k < program.operations.size(); ++k) {
        operations.push_back({{"name", program.operation_names[k]}, {"by", program.operations[k]->implementation()}});
    }
    return operations;
}

}  // namespace

std::string plan_record(const Program& program, const std::vector<const Program*>& training, const PassSet& passes) {
    nlohmann::ordered_json record;
    record["backend"] = "cpu";
    record["precision"] = name_of(program.precision);
    record["tile_samples"] = program.bound.tile_samples;
    for (const PassInfo& pass : pass_table())
        record["passes"][std::string(pass.name)] = passes.*pass.enabled;
    record["instruction_set"] = instruction_set();
    record["onednn"] = dnnl_version();
    record["operations"] = operations_of(program);
    for (const Program* batch : training) {
        record["statistics"].push_back(
            {{"batch_samples", batch->bound.tile_samples}, {"operations", operations_of(*batch)}});
    }
    return record.dump();
}

}  // namespace lossmap::cpu
