#pragma once

#include <string>
#include <utility>

#include "backend/backend.hpp"
#include "cpu/dnnl_operation.hpp"
#include "cpu/program_builder.hpp"

namespace lossmap::cpu {

/// The primitive of a step, in bf16 where that is asked for and oneDNN has it.
template <typename PrimitiveDesc>
struct ChosenPrimitive {
    PrimitiveDesc primitive;  ///< empty: there is none
    bool bf16 = false;        ///< its source; its target may be f32 all the same
    bool bf16_target = false;
    std::string remark;  ///< why it is not bf16
};

/// @param make  the primitive's description for a source in bf16 or not, and a target likewise; empty where there is
///   none
template <typename Make>
[[nodiscard]] auto choose_primitive(const ProgramBuilder& builder, ValueId result, const Make& make) {
    ChosenPrimitive<decltype(make(false, false))> chosen;
    if (builder.options().precision == Precision::bf16) {
        const bool bf16_target = builder.belongs_in_bf16(result);
        auto primitive = make(true, bf16_target);
        chosen.remark = why_not_bf16(primitive ? primitive.impl_info_str() : "");
        if (chosen.remark.empty()) {
            chosen.primitive = std::move(primitive);
            chosen.bf16 = true;
            chosen.bf16_target = bf16_target;
            return chosen;
        }
    }
    chosen.primitive = make(false, false);
    return chosen;
}

}  // namespace lossmap::cpu
