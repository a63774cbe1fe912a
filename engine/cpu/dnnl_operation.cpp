#include "cpu/dnnl_operation.hpp"

#include <algorithm>
#include <cstring>

#include "core/error.hpp"

namespace lossmap::cpu {

dnnl::memory::desc plain_desc(const Shape& shape) {
    return {shape, dnnl::memory::data_type::f32, row_major_strides(shape)};
}

dnnl::memory::desc channels_last_desc(const Shape& shape) {
    Shape strides(shape.size(), 1);
    std::int64_t stride = shape.at(1);
    for (std::size_t axis = shape.size(); axis-- > 2;) {
        strides[axis] = stride;
        stride *= shape[axis];
    }
    strides[0] = stride;
    return {shape, dnnl::memory::data_type::f32, strides};
}

dnnl::memory::desc any_desc(const Shape& shape) {
    return {shape, dnnl::memory::data_type::f32, dnnl::memory::format_tag::any};
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
        target_floats_ = argument.desc.get_size() / sizeof(float);
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
    auto* target = static_cast<float*>(frame.writable(target_));
    if (residual_.region != Place::Region::none) {
        std::memcpy(target, frame.readable(residual_), target_floats_ * sizeof(float));
    }
    primitive_.execute(*frame.stream, memories);
    activation_.apply(target, target_floats_);
}

}  // namespace lossmap::cpu
