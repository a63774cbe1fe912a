#include "cuda/backend/plans/problem_text.hpp"

#include <array>

#include <fmt/format.h>

namespace lossmap::cuda {
namespace {

std::string text(const std::array<std::int64_t, 3>& extents) {
    return fmt::format("{}x{}x{}", extents[0], extents[1], extents[2]);
}

const char* word(bool present, const char* name) { return present ? name : ""; }

}  // namespace

std::string text_of(const ConvolutionProblem& p) {
    const std::string points = p.points == 1 ? ""
                                             : fmt::format(", {} of them at {} {} {} {}", p.points, p.stride_images,
                                                           p.stride_weights, p.stride_result, p.stride_bias);
    return fmt::format(
        "convolution {} images, {} to {} channels in {} groups, {} to {}, kernel {} stride {} dilation {} "
        "pads {} {}, {} {}{}{}{}{}, aligned {}{}",
        p.images, p.channels, p.out_channels, p.groups, text(p.input), text(p.output), text(p.kernel), text(p.stride),
        text(p.dilation), text(p.pad_begin), text(p.pad_end), name_of(p.type), name_of(p.precision),
        word(p.bias, " bias"), word(p.residual, " residual"), word(p.relu, " relu"), word(p.pooled, " pooled"),
        p.alignment, points);
}

std::string text_of(const GemmProblem& p) {
    return fmt::format("product {} x {} x {}{}{}, {} of them at {} {} {} {}, {} to {} {}{}{}, aligned {}", p.rows,
                       p.columns, p.inner, word(p.transpose_a, " ta"), word(p.transpose_b, " tb"), p.batch, p.stride_a,
                       p.stride_b, p.stride_d, p.stride_bias, name_of(p.type), name_of(p.result_type),
                       name_of(p.precision), word(p.bias, " bias"), word(p.relu, " relu"), p.alignment);
}

}  // namespace lossmap::cuda
