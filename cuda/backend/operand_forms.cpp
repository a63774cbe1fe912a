// Operands of a program's steps: values in the forms that are asked for, converted where none of them is there.
#include <algorithm>

#include "core/error.hpp"
#include "cuda/backend/kernel_shapes.hpp"
#include "cuda/backend/program_builder.hpp"

namespace lossmap::cuda {
namespace {

std::int64_t rounded_up(std::int64_t value, std::int64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

bool ProgramBuilder::satisfies(const Located& array, const Demand& demand) {
    if (array.pristine) return demand.form == Demand::Form::pristine;
    if (demand.type && *demand.type != array.type) return false;
    switch (demand.form) {
        case Demand::Form::pristine:
        case Demand::Form::any: return true;
        case Demand::Form::compact: return array.is_compact();
        case Demand::Form::dense: return array.is_dense();
        case Demand::Form::channels_last:
            return array.shape.size() >= 3 && array.shape[1] % demand.channel_multiple == 0 &&
                   array.is_channels_last(array.shape[1]);
    }
    return false;
}

Located ProgramBuilder::read(ValueId id, const Demand& demand) {
    const auto encoded = encoded_.find(id);
    if (encoded == encoded_.end()) static_cast<void>(find(id));
    for (const Located& copy : copies(id)) {
        if (satisfies(copy, demand)) return copy;
    }
    if (demand.form == Demand::Form::channels_last) {
        for (const Located& copy : copies(id)) {
            if (copy.pristine || copy.type != demand.type.value_or(copy.type)) continue;
            const std::size_t bytes = block_bytes(copy.place);
            if (copy.is_padded(rounded_up(copy.shape[1], demand.channel_multiple), bytes)) return copy;
        }
    }
    const bool straight = encoded != encoded_.end() && decodes_into(encoded->second, demand);
    Located result = straight ? decoded(encoded->second, demand) : convert(find(id), demand, phase_of(id));
    // As it was found: bytes that were decoded for it just now.
    if (!straight && encoded != encoded_.end() && result.place == copies(id).back().place) return result;
    copies(id).push_back(result);
    // `find` answers the first form that was made.
    std::rotate(copies(id).begin(), copies(id).end() - 1, copies(id).end());
    return result;
}

Located ProgramBuilder::packed(const Located& array, DType type) {
    if (array.shape.size() > static_cast<std::size_t>(kernels::kPackRank)) {
        throw UnsupportedError("a parameter of {} dimensions; the GPU's kernels take {}", array.shape.size(),
                               kernels::kPackRank);
    }
    WeightPack pack;
    pack.source = array;
    pack.extents = pack.valid = array.shape.empty() ? Shape{1} : array.shape;
    pack.source_strides = array.shape.empty() ? Shape{0} : array.strides;
    pack.out = temporary(Phase::theta, type, array.shape, true);
    packer_->add(pack);
    return pack.out;
}

Located ProgramBuilder::convert(const Located& array, const Demand& demand, Phase phase) {
    if (satisfies(array, demand)) return array;
    if (array.pristine) return convert(packed(array, demand.type.value_or(DType::f32)), demand, phase);
    if (demand.form == Demand::Form::channels_last) return channels_moved_last(array, demand, phase);
    const DType type = demand.type.value_or(array.type);
    const bool moves = !satisfies(array, {demand.form, array.type});
    Located moved = moves ? copied(array, phase) : array;
    if (moved.type == type) return moved;
    return converted_type(moved.is_compact() ? moved : copied(moved, phase), type, phase);
}

Located ProgramBuilder::converted_type(const Located& array, DType type, Phase phase) {
    Located result = temporary(phase, type, array.shape, array.per_point());
    result.strides = array.strides;
    if (!array.is_compact()) throw InternalError("the conversion of an array with gaps");
    auto operation = kernel<kernels::CastArgs>("cast", kernels().cast, array.per_point() ? options_.points : 1);
    operation->args.count = element_count(array.shape);
    operation->read(operation->args.in, array);
    operation->write(operation->args.out, result);
    watch(*operation, result);
    add(std::move(operation), phase);
    return result;
}

Located ProgramBuilder::copied(const Located& array, Phase phase) {
    Located result = temporary(phase, array.type, array.shape, array.per_point());
    auto operation = kernel<kernels::CopyArgs>("copy", kernels().copy, array.per_point() ? options_.points : 1);
    operation->args.dims = dims_of(array.shape);
    operation->args.in_strides = strides_of(array.strides);
    operation->args.out_strides = strides_of(result.strides);
    operation->read(operation->args.in, array);
    operation->write(operation->args.out, result);
    add(std::move(operation), phase);
    return result;
}

Located ProgramBuilder::channels_moved_last(const Located& array, const Demand& demand, Phase phase) {
    const Shape& shape = array.shape;
    const Located dense = array.is_dense() ? array : copied(array, phase);
    const std::int64_t channels = rounded_up(shape[1], demand.channel_multiple);
    Shape padded = shape;
    padded[1] = channels;
    Located result = temporary(phase, demand.type.value_or(array.type), padded, array.per_point());
    result.strides = channels_last_strides(padded, channels);
    auto operation = kernel<kernels::ChannelLayoutArgs>("channel_layout", kernels().channel_layout,
                                                        array.per_point() ? options_.points : 1);
    operation->args.samples = shape[0];
    operation->args.channels = shape[1];
    operation->args.plane = element_count(std::span(shape).subspan(2));
    operation->args.padded_channels = channels;
    operation->args.to_channels_last = true;
    operation->read(operation->args.in, dense);
    // The kernel writes the padding, and finds an element's sample by what is stored of each.
    operation->write(operation->args.out, result);
    watch(*operation, result);
    add(std::move(operation), phase);
    result.shape = shape;
    return result;
}

bool ProgramBuilder::decodes_into(const Encoded& encoded, const Demand& demand) {
    Located dense = encoded.bytes;
    dense.type = DType::f32;
    if (satisfies(dense, demand)) return false;
    if (demand.form != Demand::Form::channels_last) return true;
    const std::int64_t channels = encoded.table.shape[0];
    return channels == 1 || channels == dense.shape[1];
}

Located ProgramBuilder::decoded(const Encoded& encoded, const Demand& demand) {
    const Shape& shape = encoded.bytes.shape;
    const Phase phase = encoded.bytes.place.phase;
    auto operation = kernel_of<kernels::DecodeArgs>("decode", kernels().decode, 1);
    kernels::DecodeArgs& args = operation->args;
    args.samples = shape[0];
    args.table_channels = encoded.table.shape[0];
    args.type = demand.type.value_or(DType::f32);
    args.channels_last = demand.form == Demand::Form::channels_last;
    args.channels = args.channels_last ? shape[1] : args.table_channels;
    Shape padded = shape;
    if (args.channels_last) padded[1] = args.padded_channels = rounded_up(shape[1], demand.channel_multiple);
    args.plane = element_count(shape) / std::max<std::int64_t>(args.samples * args.channels, 1);
    Located result = temporary(phase, args.type, padded, false);
    if (args.channels_last) result.strides = channels_last_strides(padded, padded[1]);
    operation->bind(args.images, encoded.bytes, false);
    operation->bind(args.table, encoded.table, false);
    operation->bind(args.out, result, true);
    add(std::move(operation), phase);
    result.shape = shape;
    return result;
}

}  // namespace lossmap::cuda
