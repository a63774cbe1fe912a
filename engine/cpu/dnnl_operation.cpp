#include "cpu/dnnl_operation.hpp"

#include <algorithm>
#include <cstring>

#include "core/error.hpp"

namespace lossmap::cpu {

namespace {

dnnl::memory::data_type type_of(bool bf16) {
    return bf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

}  // namespace

dnnl::memory::desc plain_desc(const Shape& shape, bool bf16) {
    return {shape, type_of(bf16), row_major_strides(shape)};
}

dnnl::memory::desc channels_last_desc(const Shape& shape, bool bf16) {
    Shape strides(shape.size(), 1);
    std::int64_t stride = shape.at(1);
    for (std::size_t axis = shape.size(); axis-- > 2;) {
        strides[axis] = stride;
        stride *= shape[axis];
    }
    strides[0] = stride;
    return {shape, type_of(bf16), strides};
}

dnnl::memory::desc any_desc(const Shape& shape, bool bf16) {
    return {shape, type_of(bf16), dnnl::memory::format_tag::any};
}

std::string why_not_bf16(const std::string& implementation) {
    if (implementation.empty()) return "fp32: oneDNN has nothing for bf16";
    // Plain loops, slower than fp32's by two orders of magnitude.
    return implementation.starts_with("ref") ? "fp32: oneDNN has only " + implementation + " for bf16" : "";
}

dnnl::primitive_attr attributes_with_scratch(bool add_to_target) {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (add_to_target) {
        dnnl::post_ops post;
        post.append_sum(1.0F);
        attributes.set_post_ops(post);
    }
    return attributes;
}

DnnlOperation::DnnlOperation(dnnl::primitive primitive, std::string implementation, std::vector<DnnlArgument> arguments)
    : primitive_(std::move(primitive)), implementation_(std::move(implementation)), arguments_(std::move(arguments)) {
    for (const DnnlArgument& argument : arguments_) {
        if (argument.place.region == Place::Region::set) of_the_point_.push_back(argument);
        if (argument.index != DNNL_ARG_DST) continue;
        target_ = argument.place;
        target_bf16_ = argument.desc.get_data_type() == dnnl::memory::data_type::bf16;
        target_elements_ = argument.desc.get_size() / size_of(target_bf16_ ? DType::bf16 : DType::f32);
    }
}

void DnnlOperation::attach(const Frame& frame) {
    if (memories_.size() != frame.thread) throw InternalError("threads attach out of order");
    const dnnl::engine engine = frame.stream->get_engine();
    Memories& memories = memories_.emplace_back();
    for (const DnnlArgument& argument : arguments_) {
        if (argument.desc.get_size() == 0) continue;
        void* address = nullptr;
        if (argument.place.region == Place::Region::arena) {
            address = frame.writable(argument.place);
        } else if (argument.place.region == Place::Region::constant) {
            address = const_cast<void*>(argument.place.address);  // oneDNN has no read-only memory
        }
        memories.emplace(argument.index, dnnl::memory(argument.desc, engine, address));
    }
}

void DnnlOperation::run(const Frame& frame) const {
    // Memory objects are handles; pointing them at the point's weights does not change this operation.
    const Memories& memories = memories_[frame.thread];
    for (const DnnlArgument& argument : of_the_point_) {
        memories.at(argument.index).set_data_handle(const_cast<void*>(frame.readable(argument.place)));
    }
    void* target = frame.writable(target_);
    if (residual_.region != Place::Region::none) {
        const std::size_t element = size_of(target_bf16_ ? DType::bf16 : DType::f32);
        std::memcpy(target, frame.readable(residual_), target_elements_ * element);
    }
    primitive_.execute(*frame.stream, memories);
    if (target_bf16_) return activation_.apply_to_bf16(static_cast<std::uint16_t*>(target), target_elements_);
    activation_.apply(static_cast<float*>(target), target_elements_);
}

}  // namespace lossmap::cpu
