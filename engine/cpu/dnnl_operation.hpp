#pragma once

#include <dnnl.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "cpu/activation.hpp"
#include "cpu/operation.hpp"

namespace lossmap::cpu {

/// One operand of a oneDNN primitive: DNNL_ARG_*, its layout and place.
struct DnnlArgument {
    int index = 0;
    dnnl::memory::desc desc;
    Place place;
};

/// A oneDNN primitive, and around it what it does not do, or not with NaN: a copy of the residual into its target
/// first, the activation afterwards.
class DnnlOperation final : public Operation {
public:
    /// @param arguments  must hold DNNL_ARG_DST.
    DnnlOperation(dnnl::primitive primitive, std::string implementation, std::vector<DnnlArgument> arguments);

    /// The target starts as a copy of `residual`.
    void copy_first(const Place& residual) { residual_ = residual; }
    void activate(const Activation& activation) { activation_ = activation; }
    /// What the recorded plan says of it beside the implementation; "" nothing.
    void remark(const std::string& text) { remark_ = text.empty() ? "" : ", " + text; }

    void attach(const Frame& frame) override;
    void run(const Frame& frame) const override;
    [[nodiscard]] std::string implementation() const override {
        return implementation_ + activation_.suffix() + remark_;
    }

private:
    using Memories = std::unordered_map<int, dnnl::memory>;

    dnnl::primitive primitive_;
    std::string implementation_;
    std::vector<DnnlArgument> arguments_;
    std::vector<DnnlArgument> of_the_point_;  ///< those of `arguments_` that lie in a point's weights
    Place target_;
    std::size_t target_elements_ = 0;
    bool target_bf16_ = false;
    Place residual_;
    Activation activation_;
    std::string remark_;
    std::vector<Memories> memories_;  ///< one a thread
};

/// Row-major, f32 or bf16.
[[nodiscard]] dnnl::memory::desc plain_desc(const Shape& shape, bool bf16 = false);
/// [N, C, ..] with the channels innermost, likewise.
[[nodiscard]] dnnl::memory::desc channels_last_desc(const Shape& shape, bool bf16 = false);
/// In whatever layout a primitive likes best, likewise.
[[nodiscard]] dnnl::memory::desc any_desc(const Shape& shape, bool bf16 = false);
/// Why a layer runs in fp32 though bf16 was asked for, given what oneDNN has for bf16 ("" nothing); "" where that is
/// as fast as it should be. For the recorded plan.
[[nodiscard]] std::string why_not_bf16(const std::string& implementation);
/// Scratch memory comes from the arena, so that threads can share a primitive.
[[nodiscard]] dnnl::primitive_attr attributes_with_scratch(bool add_to_target);

}  // namespace lossmap::cpu
