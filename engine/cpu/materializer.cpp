#include "cpu/materializer.hpp"

#include <algorithm>
#include <cmath>
#include <dnnl.hpp>

#include "core/error.hpp"
#include "cpu/elementwise.hpp"
#include "cpu/winograd_kernel.hpp"
#include "graph/operator_table.hpp"

namespace lossmap::cpu {
namespace {

constexpr std::size_t kAlignment = 64;

std::size_t aligned(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

struct Materializer::Pack {
    PackedLayer layer;
    enum class Kind { weights, bias, winograd, winograd_bf16 } kind = Kind::weights;
    std::size_t features = 0;
    std::size_t set_offset = 0;
    dnnl::memory::desc plain;
    dnnl::memory::desc wanted;
    dnnl::reorder reorder;  ///< empty where plain and wanted agree
    bool same_layout = false;
};

NormFactors norm_factors(double gamma, double beta, double mean, double variance, double epsilon) {
    const double scale = gamma / std::sqrt(variance + epsilon);
    return {scale, beta - mean * scale};
}

std::size_t ResidentState::size_bytes() const {
    std::size_t floats = 0;
    for (const Segment* segment : {&weights, &states}) {
        floats += segment->origin.size();
        for (const auto& axis : segment->axes)
            floats += axis.size();
    }
    return floats * sizeof(float);
}

std::shared_ptr<const ResidentState> copy_state(const ExecutableRequest& request) {
    auto state = std::make_shared<ResidentState>();
    state->weights.origin = request.origin->weights;
    state->states.origin = request.origin->states;
    for (const AxisView& axis : request.axes) {
        state->weights.axes.emplace_back(axis.weights.begin(), axis.weights.end());
        state->states.axes.emplace_back(axis.states.begin(), axis.states.end());
    }
    return state;
}

Materializer::Materializer(const Graph& graph, const Lowering& lowering, const ParameterSpace& space,
                           std::shared_ptr<const ResidentState> state, const dnnl::engine& engine)
    : graph_(graph), lowering_(lowering), engine_(engine), state_(std::move(state)), locations_(graph.values.size()) {
    const auto consumers = graph.consumers();
    const auto add = [&](const std::vector<Parameter>& parameters, const ResidentState::Segment& segment) {
        for (const Parameter& parameter : parameters) {
            if (consumers.at(static_cast<std::size_t>(parameter.value)).empty()) continue;
            if (graph.value(parameter.value).dtype != DType::f32) {
                throw InternalError("parameter '{}' is not f32", parameter.name);
            }
            perturbed_.push_back({parameter.value, &segment, static_cast<std::size_t>(parameter.offset),
                                  static_cast<std::size_t>(parameter.size)});
            location(parameter.value).kind = Location::Kind::scratch;
        }
    };
    add(space.weights, state_->weights);
    add(space.states, state_->states);
    for (const std::int32_t index : lowering.theta_nodes) {
        for (const ValueId output : graph.nodes[static_cast<std::size_t>(index)].outputs) {
            if (output != kNoValue) location(output).kind = Location::Kind::scratch;
        }
    }
    for (std::size_t index = 0; index < graph.values.size(); ++index) {
        const Value& value = graph.values[index];
        if (locations_[index].kind != Location::Kind::none || value.data == nullptr) continue;
        locations_[index] = {Location::Kind::constant, 0, value.data->data()};
    }
}

Materializer::~Materializer() = default;

std::size_t Materializer::bytes_of(ValueId value) const {
    const Value& v = graph_.value(value);
    if (!v.shape) throw InternalError("value '{}' has no shape", v.name);
    return static_cast<std::size_t>(element_count(*v.shape)) * size_of(v.dtype);
}

std::size_t Materializer::reserve_set(std::size_t bytes) {
    const std::size_t offset = set_bytes_;
    set_bytes_ += aligned(bytes);
    return offset;
}

Place Materializer::keep(ValueId value) {
    Location& where = location(value);
    if (where.kind == Location::Kind::scratch) {
        where.kind = Location::Kind::set;
        where.offset = reserve_set(bytes_of(value));
    }
    if (where.kind == Location::Kind::set) return {Place::Region::set, where.offset, nullptr};
    if (where.kind == Location::Kind::constant) return {Place::Region::constant, 0, where.address};
    throw InternalError("value '{}' does not depend on theta alone", graph_.value(value).name);
}

Place Materializer::pack_weights(const PackedLayer& layer, const void* plain, const void* wanted) {
    auto pack = std::make_unique<Pack>();
    pack->layer = layer;
    pack->features = static_cast<std::size_t>(layer.outputs.count);
    pack->plain = *static_cast<const dnnl::memory::desc*>(plain);
    pack->wanted = *static_cast<const dnnl::memory::desc*>(wanted);
    pack->same_layout = pack->plain == pack->wanted;
    if (!pack->same_layout) {
        pack->reorder = dnnl::reorder(dnnl::reorder::primitive_desc(engine_, pack->plain, engine_, pack->wanted));
    }
    pack->set_offset = reserve_set(pack->wanted.get_size());
    packs_.push_back(std::move(pack));
    return {Place::Region::set, packs_.back()->set_offset, nullptr};
}

Place Materializer::pack_bias(const PackedLayer& layer) {
    auto pack = std::make_unique<Pack>();
    pack->layer = layer;
    pack->kind = Pack::Kind::bias;
    pack->features = static_cast<std::size_t>(layer.outputs.count);
    pack->set_offset = reserve_set(pack->features * sizeof(float));
    packs_.push_back(std::move(pack));
    return {Place::Region::set, packs_.back()->set_offset, nullptr};
}

Place Materializer::pack_winograd(const PackedLayer& layer, bool bf16) {
    auto pack = std::make_unique<Pack>();
    pack->layer = layer;
    pack->kind = bf16 ? Pack::Kind::winograd_bf16 : Pack::Kind::winograd;
    pack->features = static_cast<std::size_t>(layer.outputs.count);
    // 16 numbers for each filter of 9.
    const std::size_t numbers = pack->features * static_cast<std::size_t>(layer.outputs.inner) / 9 * 16;
    pack->set_offset = reserve_set(numbers * size_of(bf16 ? DType::bf16 : DType::f32));
    packs_.push_back(std::move(pack));
    return {Place::Region::set, packs_.back()->set_offset, nullptr};
}

void Materializer::finish() {
    scratch_bytes_ = 0;
    for (std::size_t index = 0; index < locations_.size(); ++index) {
        Location& where = locations_[index];
        if (where.kind != Location::Kind::scratch) continue;
        where.offset = scratch_bytes_;
        scratch_bytes_ += aligned(bytes_of(static_cast<ValueId>(index)));
    }
    fold_offset_ = scratch_bytes_;
    std::size_t largest = 0;
    for (const auto& pack : packs_)
        largest = std::max(largest, bytes_of(pack->layer.weights));
    scratch_bytes_ += aligned(largest);
}

const void* Materializer::readable(ValueId value, const std::byte* set, const std::byte* scratch) const {
    const Location& where = locations_[static_cast<std::size_t>(value)];
    switch (where.kind) {
        case Location::Kind::scratch: return scratch + where.offset;
        case Location::Kind::set: return set + where.offset;
        case Location::Kind::constant: return where.address;
        case Location::Kind::none: break;
    }
    throw InternalError("value '{}' does not depend on theta alone", graph_.value(value).name);
}

std::byte* Materializer::writable(ValueId value, std::byte* set, std::byte* scratch) const {
    const Location& where = locations_[static_cast<std::size_t>(value)];
    return (where.kind == Location::Kind::set ? set : scratch) + where.offset;
}

const float* Materializer::floats(ValueId value, const std::byte* set, const std::byte* scratch) const {
    return static_cast<const float*>(readable(value, set, scratch));
}

void Materializer::perturb(const Perturbed& item, const Point& point, float* out) const {
    if (item.segment == &state_->states && !point.states.empty()) {
        std::copy_n(point.states.data() + item.offset, item.size, out);
        return;
    }
    const float* origin = item.segment->origin.data() + item.offset;
    std::vector<const float*> axes;
    std::vector<float> factors;
    for (std::size_t k = 0; k < item.segment->axes.size(); ++k) {
        if (item.segment->axes[k].empty()) continue;
        axes.push_back(item.segment->axes[k].data() + item.offset);
        factors.push_back(static_cast<float>(point.coordinates[k]));
    }
    switch (axes.size()) {
        case 0: std::copy(origin, origin + item.size, out); return;
        case 1: offset_by_one(out, origin, axes[0], factors[0], item.size); return;
        case 2: offset_by_two(out, origin, axes[0], factors[0], axes[1], factors[1], item.size); return;
        default: break;
    }
    for (std::size_t k = 0; k < item.size; ++k) {
        float offset = axes[0][k] * factors[0];
        for (std::size_t axis = 1; axis < axes.size(); ++axis)
            offset += axes[axis][k] * factors[axis];
        out[k] = origin[k] + offset;
    }
}

void Materializer::compute_node(const Node& node, std::byte* set, std::byte* scratch) const {
    std::vector<ConstTensorView> inputs;
    std::vector<TensorView> outputs;
    for (const ValueId id : node.inputs) {
        if (id == kNoValue) {
            inputs.emplace_back();
        } else {
            inputs.emplace_back(graph_.value(id).dtype, graph_.value(id).shape.value(), readable(id, set, scratch));
        }
    }
    for (const ValueId id : node.outputs) {
        if (id == kNoValue) {
            outputs.emplace_back();
        } else {
            outputs.push_back({graph_.value(id).dtype, graph_.value(id).shape.value(), writable(id, set, scratch)});
        }
    }
    const OperatorInfo* info = find_operator(node.domain, node.op_type);
    if (info == nullptr || info->run == nullptr) throw InternalError("{} has no kernel", node.describe());
    with_context(node.describe(), [&] { info->run(node, inputs, outputs); });
}

std::vector<NormFactors> Materializer::norm_factors_of(const Pack& pack, const std::byte* set,
                                                       const std::byte* scratch) const {
    std::vector<NormFactors> norms(pack.features);
    if (!pack.layer.norm) return norms;
    const FoldedNorm& norm = *pack.layer.norm;
    const float* gamma = floats(norm.scale, set, scratch);
    const float* beta = floats(norm.shift, set, scratch);
    const float* mean = floats(norm.mean, set, scratch);
    const float* variance = floats(norm.variance, set, scratch);
    for (std::size_t f = 0; f < pack.features; ++f) {
        norms[f] = norm_factors(static_cast<double>(gamma[f]), static_cast<double>(beta[f]),
                                static_cast<double>(mean[f]), static_cast<double>(variance[f]), norm.epsilon);
    }
    return norms;
}

void Materializer::run_bias(const Pack& pack, std::byte* set, const std::byte* scratch) const {
    const PackedLayer& layer = pack.layer;
    const std::vector<NormFactors> norms = norm_factors_of(pack, set, scratch);
    auto* out = reinterpret_cast<float*>(set + pack.set_offset);
    const float* bias = layer.bias == kNoValue ? nullptr : floats(layer.bias, set, scratch);
    const bool one_for_all = bias != nullptr && element_count(graph_.value(layer.bias).shape.value()) == 1;
    const float* added = layer.added_bias == kNoValue ? nullptr : floats(layer.added_bias, set, scratch);
    for (std::size_t f = 0; f < pack.features; ++f) {
        double value = bias == nullptr ? 0.0 : static_cast<double>(bias[one_for_all ? 0 : f]) * layer.bias_factor;
        if (added != nullptr) value += static_cast<double>(added[f]);
        out[f] = static_cast<float>(value * norms[f].scale + norms[f].shift);
    }
}

void Materializer::run_winograd(const Pack& pack, std::byte* set, const std::byte* scratch) const {
    const std::vector<NormFactors> norms = norm_factors_of(pack, set, scratch);
    std::vector<float> factors(norms.size());
    std::transform(norms.begin(), norms.end(), factors.begin(),
                   [&](const NormFactors& norm) { return static_cast<float>(norm.scale * pack.layer.weight_factor); });
    const float* weights = floats(pack.layer.weights, set, scratch);
    const std::int64_t out_channels = pack.layer.outputs.count;
    const std::int64_t channels = pack.layer.outputs.inner / 9;
    std::byte* target = set + pack.set_offset;
    if (pack.kind == Pack::Kind::winograd_bf16) {
        winograd_weights_bf16(weights, factors.data(), out_channels, channels,
                              reinterpret_cast<std::uint16_t*>(target));
    } else {
        winograd_weights(weights, factors.data(), out_channels, channels, reinterpret_cast<float*>(target));
    }
}

void Materializer::run_weights(const Pack& pack, std::byte* set, std::byte* scratch, dnnl::stream& stream) const {
    const PackedLayer& layer = pack.layer;
    const float* weights = floats(layer.weights, set, scratch);
    std::byte* target = set + pack.set_offset;
    if (layer.norm || layer.weight_factor != 1.0) {
        const std::vector<NormFactors> norms = norm_factors_of(pack, set, scratch);
        auto* folded = reinterpret_cast<float*>(pack.same_layout ? target : scratch + fold_offset_);
        const auto inner = static_cast<std::size_t>(layer.outputs.inner);
        const float* from = weights;
        float* to = folded;
        for (std::int64_t outer = 0; outer < layer.outputs.outer; ++outer) {
            for (std::size_t f = 0; f < pack.features; ++f, from += inner, to += inner) {
                const auto factor = static_cast<float>(norms[f].scale * layer.weight_factor);
                for (std::size_t k = 0; k < inner; ++k)
                    to[k] = from[k] * factor;
            }
        }
        if (pack.same_layout) return;
        weights = folded;
    }
    if (pack.same_layout) {
        std::copy_n(reinterpret_cast<const std::byte*>(weights), pack.wanted.get_size(), target);
        return;
    }
    dnnl::memory from(pack.plain, engine_, const_cast<float*>(weights));  // read only: the source of a reorder
    dnnl::memory to(pack.wanted, engine_, target);
    pack.reorder.execute(stream, from, to);
    stream.wait();
}

void Materializer::materialize(const Point& point, std::byte* set, std::byte* scratch, dnnl::stream& stream) const {
    for (const Perturbed& item : perturbed_) {
        perturb(item, point, reinterpret_cast<float*>(writable(item.value, set, scratch)));
    }
    for (const std::int32_t index : lowering_.theta_nodes) {
        compute_node(graph_.nodes[static_cast<std::size_t>(index)], set, scratch);
    }
    for (const auto& pack : packs_) {
        switch (pack->kind) {
            case Pack::Kind::weights: run_weights(*pack, set, scratch, stream); break;
            case Pack::Kind::bias: run_bias(*pack, set, scratch); break;
            case Pack::Kind::winograd:
            case Pack::Kind::winograd_bf16: run_winograd(*pack, set, scratch); break;
        }
    }
}

}  // namespace lossmap::cpu
